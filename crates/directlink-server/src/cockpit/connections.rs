//! Connections: the list, one in detail with its letter and its history, its name, its end.

use super::{
    Cockpit,
    door::{Customer, Posted},
    form::{Complaints, Input, Summary},
    graphs::{self, Figures, Graphs, Subject},
    hosted::{Guest, Share},
    interfaces::Line,
    live::follow,
    page::{Page, Trouble, see_other},
    refusal,
    words::{self, Badge, EventLine, When, connection_badge, connection_says, event_line, when},
};
use crate::{
    app::{Cursor, InterfaceFilter, Refusal, Wanted},
    loa, store,
};
use askama::Template;
use axum::{
    Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use directlink_model::{
    Fault,
    command::RenameConnection,
    connection::ConnectionState,
    figures::Span,
    ids::ConnectionId,
    view::{ConnectionView, InterfaceView},
};
use http::header;
use serde::Deserialize;

/// What a list is narrowed by.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    pub(super) q: String,
    #[serde(default)]
    pub(super) state: String,
    /// Where the page begins, as its address says it.
    #[serde(default)]
    pub(super) after: String,
}

/// The way on in a list that is longer than a page.
#[derive(Template)]
#[template(path = "pager.html")]
pub(super) struct Pager {
    first: Option<String>,
    next: Option<String>,
}

impl Search {
    pub(super) fn wanted(&self, rows: usize) -> Wanted<'_> {
        Wanted { after: self.after.parse().ok(), text: &self.q, rows }
    }

    pub(super) fn pager(&self, action: &str, next: Option<&Cursor>) -> Pager {
        let page = |after: String| {
            let search = Self { after, ..self.clone() };
            format!("{action}?{}", search.query())
        };
        let first = (!self.after.is_empty()).then(|| page(String::new()));
        Pager { first, next: next.map(|next| page(next.to_string())) }
    }

    /// Whether one of the texts holds what is searched for, in whatever case, and the state fits.
    pub(super) fn admits(&self, state: &str, texts: &[&str]) -> bool {
        let wanted = self.q.trim().to_lowercase();
        let found = wanted.is_empty() || texts.iter().any(|t| t.to_lowercase().contains(&wanted));
        found && (self.state.is_empty() || self.state == state)
    }

    pub(super) fn is_on(&self) -> bool {
        !self.q.trim().is_empty() || !self.state.is_empty() || !self.after.is_empty()
    }

    pub(super) fn query(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.append_pair("q", &self.q).append_pair("state", &self.state);
        if !self.after.is_empty() {
            text.append_pair("after", &self.after);
        }
        text.finish()
    }
}

/// So many rows make a page.
pub(super) const ROWS: usize = 50;

/// What a redirect brings along.
#[derive(Deserialize)]
pub(super) struct Done {
    pub(super) done: Option<String>,
}

/// How far back its graphs look.
#[derive(Deserialize)]
pub(super) struct Over {
    over: Option<String>,
}

impl Over {
    pub(super) fn span(&self) -> Span {
        graphs::span_of(self.over.as_deref())
    }
}

struct Row {
    id: String,
    name: String,
    badge: Badge,
    location: String,
    bandwidth: &'static str,
    port: String,
    interfaces: usize,
    ordered: When,
}

fn row(view: &ConnectionView, interfaces: usize) -> Row {
    let c = &view.connection;
    Row {
        id: c.id.to_string(),
        name: c.name.clone(),
        badge: connection_badge(view.state),
        location: c.location.to_string(),
        bandwidth: c.bandwidth.as_str(),
        port: c.approval.as_ref().map_or_else(|| "—".into(), |a| a.port.to_string()),
        interfaces,
        ordered: when(c.requested_at),
    }
}

#[derive(Template)]
#[template(path = "connections.html")]
struct List {
    rows: Vec<Row>,
    any: bool,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "search.html")]
pub(super) struct SearchForm<'a> {
    pub(super) action: &'static str,
    pub(super) what: &'static str,
    pub(super) search: &'a Search,
    pub(super) states: Vec<&'static str>,
    pub(super) new: Option<(&'static str, &'static str)>,
    /// What follows, which moves by itself.
    pub(super) list: &'a str,
    pub(super) live: String,
}

pub(super) async fn list(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Query(search): Query<Search>,
) -> Result<Response, Trouble> {
    let rows = list_middle(&cockpit, &who, &search).await?;
    let body = SearchForm {
        action: "/cockpit/connections",
        what: "connections",
        search: &search,
        states: ConnectionState::ALL.map(ConnectionState::as_str).into(),
        new: Some(("/cockpit/connections/new", "Order a connection")),
        list: &rows,
        live: format!("/cockpit/connections/live?{}", search.query()),
    };
    Page::new("Connections", "connections", &body)?.show(&cockpit, &who.signed)
}

pub(super) async fn list_live(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Query(search): Query<Search>,
) -> Response {
    let (at, signed) = (cockpit.clone(), who.signed.clone());
    follow(&cockpit, signed, move || {
        let (at, who, search) = (at.clone(), who.clone(), search.clone());
        async move { list_middle(&at, &who, &search).await }
    })
}

async fn list_middle(
    cockpit: &Cockpit,
    who: &Customer,
    search: &Search,
) -> Result<String, Trouble> {
    let ctx = who.context(cockpit);
    let admits = |view: &ConnectionView| {
        let row = row(view, 0);
        search.admits(row.badge.text, &[&row.name, &row.id, &row.location, &row.port])
    };
    let page = cockpit.app.connections_page(&ctx, &search.wanted(ROWS), admits).await?;
    let ids = page.rows.iter().map(|view| view.connection.id);
    let counts = cockpit.app.interface_counts(ids).await?;
    let on = |view: &ConnectionView| counts.get(&view.connection.id).copied().unwrap_or_default();
    let rows: Vec<_> = page.rows.iter().map(|view| row(view, on(view))).collect();
    let any = !rows.is_empty() || search.is_on();
    let pager = search.pager("/cockpit/connections", page.next.as_ref());
    Ok(List { rows, any, pager }.render()?)
}

#[derive(Template)]
#[template(path = "connection.html")]
struct Detail {
    row: Row,
    says: &'static str,
    location_name: String,
    optics: &'static str,
    approved: Option<When>,
    letter_until: Option<When>,
    light: Option<(Badge, When)>,
    refusal: Option<(String, When)>,
    /// The letter has run out, and no fibre is plugged.
    overdue: bool,
    share: Option<Share>,
    guests: Vec<Guest>,
    csrf: String,
    graphs: Graphs,
    lines: Vec<Line>,
    can_change: bool,
    offered: bool,
    takes_interfaces: bool,
    events: Vec<EventLine>,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(Done { done }): Query<Done>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let span = over.span();
    let detail = detail(&cockpit, &who, (id, span)).await?;
    Page::new(detail.row.name.clone(), "connections", &detail)?
        .under("/cockpit/connections", "Connections")
        .live(format!("/cockpit/connections/{id}/live?over={}", span.as_str()))
        .with_graphs()
        .after(done.as_deref())
        .show(&cockpit, &who.signed)
}

pub(super) async fn show_live(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let what = (id, over.span());
    let (at, signed) = (cockpit.clone(), who.signed.clone());
    Ok(follow(&cockpit, signed, move || {
        let (at, who) = (at.clone(), who.clone());
        async move { Ok(detail(&at, &who, what).await?.render()?) }
    }))
}

/// For graphs.js.
pub(super) async fn figures(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let ctx = who.context(&cockpit);
    let series = cockpit.app.connection_figures(&ctx, id, over.span()).await?;
    Ok(Json(Figures::of(&series)).into_response())
}

async fn detail(
    cockpit: &Cockpit,
    who: &Customer,
    (id, span): (ConnectionId, Span),
) -> Result<Detail, Trouble> {
    let ctx = who.context(cockpit);
    let view = own(cockpit, who, id).await?;
    let filter = InterfaceFilter { connections: Some(vec![id]), ..InterfaceFilter::default() };
    let interfaces = cockpit.app.interfaces(&ctx, &filter).await?;
    let line = |view: &InterfaceView| Line::of(view, who.account, ctx.now);
    let locations = cockpit.app.locations().await?;
    let events = cockpit.app.connection_history(&ctx, id).await?;
    let series = cockpit.app.connection_figures(&ctx, id, span).await?;
    let page = format!("/cockpit/connections/{id}");
    let guests = cockpit.app.hosted_connections(&ctx, id).await?;
    let c = &view.connection;
    let live = interfaces.iter().filter(|view| view.state.is_live()).count();
    let site = locations.iter().find(|location| location.code == c.location);
    let light = |light: &directlink_model::connection::Light| {
        (words::yes_badge(light.on, ("light", "no light")), when(light.since))
    };
    Ok(Detail {
        row: row(&view, live),
        says: connection_says(view.state),
        location_name: site.map_or_else(String::new, |site| site.name.clone()),
        optics: c.bandwidth.optics(),
        approved: c.approval.as_ref().map(|approval| when(approval.approved_at)),
        letter_until: c.letter().ok().map(|a| when(a.letter_until())),
        light: c.light.as_ref().map(light),
        overdue: c.is_overdue(ctx.now),
        refusal: c.refused.as_ref().map(|refused| (refused.reason.clone(), when(refused.at))),
        share: Share::of(c, ctx.now),
        guests: guests.iter().filter_map(|view| Guest::of(view, ctx.now)).collect(),
        csrf: who.signed.csrf.clone(),
        graphs: Graphs::of(page, &series, Subject::Connection),
        lines: interfaces.iter().map(line).collect(),
        can_change: is_there(view.state),
        offered: view.state == ConnectionState::Ordering,
        takes_interfaces: c.check_takes_interfaces().is_ok(),
        events: events.into_iter().map(event_line).collect(),
    })
}

const fn is_there(state: ConnectionState) -> bool {
    match state {
        ConnectionState::Ordering
        | ConnectionState::Requested
        | ConnectionState::Pending
        | ConnectionState::Available
        | ConnectionState::Down => true,
        ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => false,
    }
}

/// The visitor's own, or nothing.
async fn own(
    cockpit: &Cockpit,
    who: &Customer,
    id: ConnectionId,
) -> Result<ConnectionView, Trouble> {
    let found = cockpit.app.connections(&who.context(cockpit), Some(&[id])).await?;
    Ok(found.into_iter().next().ok_or(Refusal::Fault(Fault::NoSuchConnection(id)))?)
}

pub(super) async fn letter(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let letter = cockpit.app.letter(&who.context(&cockpit), id, None).await?;
    let pdf = loa::page(&letter).map_err(|error| store::Error::Letter(error.to_string()))?;
    let name = format!("attachment; filename=\"letter-of-authorization-{id}.pdf\"");
    let headers =
        [(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, pdf).into_response())
}

#[derive(Template)]
#[template(path = "rename_connection.html")]
struct Rename<'a> {
    id: String,
    name: Input,
    summary: Summary,
    csrf: &'a str,
}

pub(super) async fn edit(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let name = own(&cockpit, &who, id).await?.connection.name;
    rename_page(&cockpit, &who, (id, name), Complaints::none())
}

fn rename_page(
    cockpit: &Cockpit,
    who: &Customer,
    (id, name): (ConnectionId, String),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let field = Input {
        name: "name",
        label: "Name",
        value: name,
        hint: "1 to 255 characters, for people.".into(),
        complaint: complaints.on("name"),
        attributes: "type=\"text\" required maxlength=\"255\" autocomplete=\"off\"",
    };
    let status = complaints.status();
    let summary = Summary { complaints: complaints.summary(&["", "name"]) };
    let body = Rename { id: id.to_string(), name: field, summary, csrf: &who.signed.csrf };
    Page::new("Rename the connection", "connections", &body)?
        .under("/cockpit/connections", "Connections")
        .under(format!("/cockpit/connections/{id}"), id.to_string())
        .with_status(status, cockpit, &who.signed)
}

pub(super) async fn rename(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let name = form.text("name").to_owned();
    let command = RenameConnection { id, name: name.clone() };
    match cockpit.app.rename_connection(&who.context(&cockpit), command).await {
        Ok(_) => Ok(see_other(&format!("/cockpit/connections/{id}?done=renamed"))),
        Err(Refusal::Fault(fault)) if refusal::field(&fault) == "name" => {
            let complaints = Complaints::one("name", fault.to_string());
            rename_page(&cockpit, &who, (id, name), complaints)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Template)]
#[template(path = "delete_connection.html")]
struct AskDelete<'a> {
    id: String,
    row: Row,
    offered: bool,
    lines: Vec<Line>,
    csrf: &'a str,
}

pub(super) async fn ask_delete(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let view = own(&cockpit, &who, id).await?;
    let ctx = who.context(&cockpit);
    let filter = InterfaceFilter { connections: Some(vec![id]), ..InterfaceFilter::default() };
    let found = cockpit.app.interfaces(&ctx, &filter).await?;
    let lines: Vec<_> = found
        .iter()
        .filter(|view| view.state.is_live())
        .map(|view| Line::of(view, who.account, ctx.now))
        .collect();
    let row = row(&view, lines.len());
    let offered = view.state == ConnectionState::Ordering;
    let body = AskDelete { id: id.to_string(), row, offered, lines, csrf: &who.signed.csrf };
    let title = if offered { "Reject the hosted connection?" } else { "Delete the connection?" };
    Page::new(title, "connections", &body)?
        .under("/cockpit/connections", "Connections")
        .under(format!("/cockpit/connections/{id}"), view.connection.name)
        .show(&cockpit, &who.signed)
}

pub(super) async fn delete(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let view = cockpit.app.delete_connection(&who.context(&cockpit), id).await?;
    let done = match view.state {
        ConnectionState::Deleted => "deleted",
        ConnectionState::Rejected => "declined",
        _ => "deletion",
    };
    Ok(see_other(&format!("/cockpit/connections/{id}?done={done}")))
}
