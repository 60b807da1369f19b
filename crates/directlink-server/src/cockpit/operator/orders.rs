//! The queue of orders, and the approval of one: a port that fits is taken, the letter is issued.

use super::{
    super::{
        Cockpit,
        connections::Done,
        door::{Operator, Posted},
        form::{Choice, Choosable, Complaints, Input, Summary},
        live::follow,
        page::{Page, Trouble, see_other},
        refusal,
        words::{When, when},
    },
    CapacityRow, OrderRow, capacity_row,
};
use crate::app::{CapacityView, PortView, Refusal, RouterView};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use directlink_model::{
    Fault,
    command::{ApproveOrder, RefuseOrder},
    connection::{Connection, ConnectionState, PortRef},
    ids::ConnectionId,
    inventory::{Candidate, Position, optics_of},
    needs::Needs,
};

#[derive(Template)]
#[template(path = "operator/orders.html")]
struct Queue {
    orders: Vec<OrderRow>,
    overdue: Vec<OverdueRow>,
    capacity: Vec<CapacityRow>,
}

pub(in crate::cockpit) async fn queue(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Trouble> {
    let body = middle(&cockpit).await?;
    Page::new("Orders", "orders", &body)?
        .live("/cockpit/live")
        .after(done.as_deref())
        .show(&cockpit, &signed)
}

pub(in crate::cockpit) async fn queue_live(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
) -> Response {
    let at = cockpit.clone();
    follow(&cockpit, signed, move || {
        let at = at.clone();
        async move { Ok(middle(&at).await?.render()?) }
    })
}

async fn middle(cockpit: &Cockpit) -> Result<Queue, Trouble> {
    let capacity = cockpit.app.capacity().await?;
    let requested = cockpit.app.requested_orders().await?;
    let needs = cockpit.app.needs_of_orders().await?;
    let orders =
        requested.iter().map(|v| row(&v.connection, &capacity, needs.get(&v.connection.id)));
    let overdue = cockpit.app.overdue_orders().await?;
    let overdue = overdue.iter().filter_map(|view| OverdueRow::of(&view.connection)).collect();
    let orders = orders.collect();
    Ok(Queue { orders, overdue, capacity: capacity.iter().map(capacity_row).collect() })
}

/// Approved, and not plugged while its letter was good.
struct OverdueRow {
    id: String,
    name: String,
    account: String,
    port: String,
    ran_out: When,
}

impl OverdueRow {
    fn of(c: &Connection) -> Option<Self> {
        let approval = c.approval.as_ref()?;
        Some(Self {
            id: c.id.to_string(),
            name: c.name.clone(),
            account: c.account.to_string(),
            port: approval.port.to_string(),
            ran_out: when(approval.letter_until()),
        })
    }
}

fn row(c: &Connection, capacity: &[CapacityView], needs: Option<&Needs>) -> OrderRow {
    let site = capacity.iter().find(|view| view.location.code == c.location);
    OrderRow {
        id: c.id.to_string(),
        name: c.name.clone(),
        account: c.account.to_string(),
        location: c.location.to_string(),
        bandwidth: c.bandwidth.as_str(),
        ordered: when(c.requested_at),
        free: site.map_or(0, |site| site.stock(c.bandwidth).free),
        needs: needs.map_or_else(String::new, told),
    }
}

/// As a sentence for whoever approves it.
fn told(needs: &Needs) -> String {
    let reach = needs.reach.map(|reach| reach.says().to_owned());
    let provider = needs.provider.as_ref().map(|name| format!("provider {name}"));
    let hosting = needs.hosts_equipment.then(|| "wishes to host equipment".to_owned());
    reach.into_iter().chain(provider).chain(hosting).collect::<Vec<_>>().join("; ")
}

#[derive(Template)]
#[template(path = "operator/approve.html")]
struct Approve<'a> {
    row: OrderRow,
    optics: &'static str,
    summary: Summary,
    ports: Choice,
    reason: Input,
    csrf: &'a str,
}

pub(in crate::cockpit) async fn form(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    again(&cockpit, &Operator(signed), (id, Given::default()), Complaints::none()).await
}

/// What was filled in before.
#[derive(Clone, Copy, Default)]
struct Given<'a> {
    port: &'a str,
    reason: &'a str,
}

async fn again(
    cockpit: &Cockpit,
    Operator(signed): &Operator,
    (id, given): (ConnectionId, Given<'_>),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let found = cockpit.app.all_connections(Some(&[id])).await?.into_iter().next();
    let view = found.ok_or(Refusal::Fault(Fault::NoSuchConnection(id)))?;
    if view.state != ConnectionState::Requested {
        let fault = Fault::ConnectionNotRequested { id, state: view.state };
        return Err(Refusal::Fault(fault).into());
    }
    let capacity = cockpit.app.capacity().await?;
    let needs = cockpit.app.needs_of_orders().await?;
    let routers = cockpit.app.routers().await?;
    let status = complaints.status();
    let body = Approve {
        row: row(&view.connection, &capacity, needs.get(&id)),
        optics: view.connection.bandwidth.optics(),
        summary: Summary { complaints: complaints.summary(&["", "port", "reason"]) },
        ports: ports(&view.connection, &routers, given.port, complaints.on("port")),
        reason: reason(given.reason, complaints.on("reason")),
        csrf: &signed.csrf,
    };
    Page::new(format!("Approve {id}"), "orders", &body)?
        .under("/cockpit", "Orders")
        .with_status(status, cockpit, signed)
}

/// Those of the location, the free and fitting ones open, the others with the reason.
fn ports(
    connection: &Connection,
    routers: &[RouterView],
    given: &str,
    complaint: Option<String>,
) -> Choice {
    let there = routers.iter().filter(|view| view.router.location == connection.location);
    let all = there.flat_map(|view| view.ports.iter().map(move |port| (view, port)));
    let mut options: Vec<Choosable> =
        all.map(|(router, port)| option(connection, router, port)).collect();
    let first = options.iter().position(|o| !o.closed && (given.is_empty() || o.value == given));
    if let Some(first) = first {
        options[first].chosen = true;
    }
    Choice {
        name: "port",
        legend: "Port",
        options,
        hint: "A port is taken with the approval, and named in the letter.".into(),
        complaint,
    }
}

fn option(connection: &Connection, router: &RouterView, port: &PortView) -> Choosable {
    let (at, seen) = (port.port.at(), port.transceiver.as_ref());
    let candidate = Candidate { port: &port.port, location: &router.router.location, seen };
    let fits = candidate.check(&connection.location, connection.bandwidth).is_ok();
    let agent = if router.agent.connected { "" } else { " Its router's agent is not connected." };
    let optics = optics_of(&port.port, seen);
    let place = port.port.position.as_ref().map(Position::to_string);
    let place = place.map_or_else(String::new, |place| format!(", at {place}"));
    let is_lit = port.light == Some(true);
    let note = match (&port.connection, fits, is_lit) {
        (Some(holder), _, _) => format!("Taken by {holder}."),
        (None, false, _) => format!("Has {optics}."),
        (None, true, true) => "Has light and carries nothing: whose fibre is it?".into(),
        (None, true, false) => format!("Free, {optics}{place}.{agent}"),
    };
    Choosable {
        value: at.to_string(),
        label: at.to_string(),
        note,
        chosen: false,
        closed: port.connection.is_some() || !fits || is_lit,
    }
}

pub(in crate::cockpit) async fn approve(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let given = form.text("port");
    let port = given.split_once('/').and_then(|(router, port)| {
        Some(PortRef { router: router.parse().ok()?, port: port.parse().ok()? })
    });
    let Some(port) = port else {
        let complaints = Complaints::one("port", "Choose a port.");
        let given = Given { port: given, ..Given::default() };
        return again(&cockpit, &who, (id, given), complaints).await;
    };
    match cockpit.app.approve_order(ApproveOrder { connection: id, port: Some(port) }).await {
        Ok(_) => Ok(see_other("/cockpit?done=approved")),
        Err(Refusal::Fault(fault)) if refusal::field(&fault) == "port" => {
            let complaints = Complaints::one("port", fault.to_string());
            let given = Given { port: given, ..Given::default() };
            again(&cockpit, &who, (id, given), complaints).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn reason(given: &str, complaint: Option<String>) -> Input {
    Input {
        name: "reason",
        label: "Reason",
        value: given.into(),
        hint: "The customer reads it, here and by mail.".into(),
        complaint,
        attributes: "type=\"text\" required maxlength=\"500\" autocomplete=\"off\"",
    }
}

pub(in crate::cockpit) async fn refuse(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let reason = form.text("reason");
    let command = RefuseOrder { connection: id, reason: reason.to_owned() };
    match cockpit.app.refuse_order(command).await {
        Ok(_) => Ok(see_other("/cockpit?done=refused")),
        Err(Refusal::Fault(fault)) if refusal::field(&fault) == "reason" => {
            let complaints = Complaints::one("reason", fault.to_string());
            let given = Given { reason, ..Given::default() };
            again(&cockpit, &who, (id, given), complaints).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}
