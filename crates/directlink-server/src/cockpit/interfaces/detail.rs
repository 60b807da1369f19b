//! One interface: its facts, why it works or does not, its session, routes, packets and history.

use super::{
    super::{
        Cockpit,
        connections::{Done, Over},
        door::{Customer, Posted},
        graphs::{Figures, Graphs, Subject},
        live::follow,
        maintenance,
        page::{Page, Trouble},
        words::{EventLine, VerdictLine, When, event_line, interface_says, verdict_line, when},
    },
    Line, id_of,
    ladder::Ladder,
    peers,
    sessions::{Sessions, title as session_title},
};
use crate::app::Effort;
use askama::Template;
use axum::{
    Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use directlink_model::{
    bgp_peer::BgpPeer, figures::Span, ids::InterfaceId, interface::InterfaceState,
};

#[derive(Template)]
#[template(path = "interface.html")]
struct Detail {
    line: Line,
    says: &'static str,
    /// Where it is in a maintenance.
    drained: Option<&'static str>,
    region_asn: u32,
    router_address: String,
    customer_address: String,
    mtu: String,
    owner: String,
    port: String,
    created: When,
    has_key: bool,
    may_reveal: bool,
    csrf: String,
    can_change: bool,
    may_add_peer: bool,
    /// `None` for one that no router shall carry.
    ladder: Option<Ladder>,
    graphs: Graphs,
    sessions: Sessions,
    verdicts: Vec<VerdictLine>,
    events: Vec<EventLine>,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(Done { done }): Query<Done>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let span = over.span();
    let detail = detail(&cockpit, &who, (id, span)).await?;
    Page::new(detail.line.name.clone(), "interfaces", &detail)?
        .under("/cockpit/interfaces", "Interfaces")
        .live(format!("/cockpit/interfaces/{id}/live?over={}", span.as_str()))
        .with_graphs()
        .after(done.as_deref())
        .show(&cockpit, &who.signed)
}

pub(in crate::cockpit) async fn live(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let what = (id_of(&id)?, over.span());
    let (at, signed) = (cockpit.clone(), who.signed.clone());
    Ok(follow(&cockpit, signed, move || {
        let (at, who) = (at.clone(), who.clone());
        async move { Ok(detail(&at, &who, what).await?.render()?) }
    }))
}

/// For graphs.js.
pub(in crate::cockpit) async fn figures(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(over): Query<Over>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let series = cockpit.app.interface_figures(&who.context(&cockpit), id, over.span()).await?;
    Ok(Json(Figures::of(&series)).into_response())
}

async fn detail(
    cockpit: &Cockpit,
    who: &Customer,
    (id, span): (InterfaceId, Span),
) -> Result<Detail, Trouble> {
    let ctx = who.context(cockpit);
    let (view, report) = cockpit.app.interface_now(&ctx, id).await?;
    let events = cockpit.app.interface_history(&ctx, id).await?;
    let series = cockpit.app.interface_figures(&ctx, id, span).await?;
    let page = format!("/cockpit/interfaces/{id}");
    let own = view.interface.owner == who.account;
    let ladder = match view.state.is_wanted() {
        true => Some(Ladder::of(&cockpit.app.diagnosis(&ctx, id, Effort::Read).await?)),
        false => None,
    };
    let (i, peer) = (&view.interface, view.interface.main_peer());
    let line = Line::of(&view, who.account, ctx.now);
    Ok(Detail {
        says: interface_says(view.state),
        drained: view.interface.drain_phase().map(maintenance::says),
        region_asn: cockpit.app.region().asn.0.as_u32(),
        router_address: peer.addresses.router().to_string(),
        customer_address: peer.addresses.customer().to_string(),
        mtu: i.mtu.to_string(),
        owner: i.owner.to_string(),
        port: view.connection.approval.as_ref().map_or_else(|| "—".into(), |a| a.port.to_string()),
        created: when(i.created_at),
        has_key: i.wanted_peers().any(|peer| peer.key.is_some()),
        may_reveal: own,
        csrf: who.signed.csrf.clone(),
        can_change: may_change(view.state),
        may_add_peer: own && peers::has_room(cockpit, i, ctx.now),
        ladder,
        graphs: Graphs::of(page, &series, Subject::Interface),
        sessions: Sessions::of(&view, &report, own && may_change(view.state)),
        verdicts: report.verdicts.iter().map(verdict_line).collect(),
        events: events.into_iter().map(event_line).collect(),
        line,
    })
}

const fn may_change(state: InterfaceState) -> bool {
    match state {
        InterfaceState::Confirming
        | InterfaceState::Pending
        | InterfaceState::Available
        | InterfaceState::Down
        | InterfaceState::Testing => true,
        InterfaceState::Deleting
        | InterfaceState::Deleted
        | InterfaceState::Rejected
        | InterfaceState::Expired => false,
    }
}

#[derive(Template)]
#[template(path = "key.html")]
struct Keys {
    id: String,
    several: bool,
    /// With the peer that each is for.
    keys: Vec<(String, String)>,
}

/// The keys of the sessions in full: for their owner's eyes, asked for with a form, kept nowhere.
pub(in crate::cockpit) async fn reveal(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = super::visible(&cockpit, &who, id).await?;
    if view.interface.owner != who.account {
        return Err(Trouble::NothingThere);
    }
    let peers: Vec<_> = view.interface.wanted_peers().collect();
    let key = |peer: &BgpPeer| Some((session_title(peer), peer.key.as_ref()?.expose().to_owned()));
    let keys = peers.iter().filter_map(key).collect();
    let body = Keys { id: id.to_string(), several: peers.len() > 1, keys };
    Page::new("BGP key", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name.clone())
        .show(&cockpit, &who.signed)
}
