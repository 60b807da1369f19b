//! Everybody's connections and interfaces.

use super::super::{
    Cockpit,
    connections::{Pager, ROWS, Search, SearchForm},
    door::Operator,
    page::{Page, Trouble},
    words::{Badge, When, connection_badge, interface_badge, when},
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use directlink_model::{connection::ConnectionState, interface::InterfaceState};

struct ConnectionRow {
    id: String,
    name: String,
    badge: Badge,
    account: String,
    location: String,
    bandwidth: &'static str,
    port: String,
    ordered: When,
}

#[derive(Template)]
#[template(path = "operator/connections.html")]
struct Connections {
    rows: Vec<ConnectionRow>,
    pager: Pager,
}

pub(in crate::cockpit) async fn connections(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Query(search): Query<Search>,
) -> Result<Response, Trouble> {
    let row = |view: &directlink_model::view::ConnectionView| {
        let c = &view.connection;
        ConnectionRow {
            id: c.id.to_string(),
            name: c.name.clone(),
            badge: connection_badge(view.state),
            account: c.account.to_string(),
            location: c.location.to_string(),
            bandwidth: c.bandwidth.as_str(),
            port: c.approval.as_ref().map_or_else(|| "—".into(), |a| a.port.to_string()),
            ordered: when(c.requested_at),
        }
    };
    let admitted = |r: &ConnectionRow| {
        search.admits(r.badge.text, &[&r.name, &r.id, &r.account, &r.location, &r.port])
    };
    let wanted = search.wanted(ROWS);
    let page = cockpit.app.all_connections_page(&wanted, |view| admitted(&row(view))).await?;
    let pager = search.pager("/cockpit/connections", page.next.as_ref());
    let list = Connections { rows: page.rows.iter().map(row).collect(), pager }.render()?;
    let body = SearchForm {
        action: "/cockpit/connections",
        what: "connections",
        search: &search,
        states: ConnectionState::ALL.map(ConnectionState::as_str).into(),
        new: None,
        list: &list,
        live: String::new(),
    };
    Page::new("Connections", "connections", &body)?.show(&cockpit, &signed)
}

struct InterfaceRow {
    id: String,
    name: String,
    badge: Badge,
    owner: String,
    connection: String,
    vlan: String,
    asn: String,
    seen: [Badge; 3],
}

#[derive(Template)]
#[template(path = "operator/interfaces.html")]
struct Interfaces {
    rows: Vec<InterfaceRow>,
    pager: Pager,
}

pub(in crate::cockpit) async fn interfaces(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Query(search): Query<Search>,
) -> Result<Response, Trouble> {
    let seen = |yes: bool| match yes {
        true => Badge { tone: "good", text: "yes" },
        false => Badge { tone: "gone", text: "no" },
    };
    let row = |view: &directlink_model::view::InterfaceView| {
        let (i, all) = (&view.interface, view.interface.overall());
        InterfaceRow {
            id: i.id.to_string(),
            name: i.name.clone(),
            badge: interface_badge(view.state),
            owner: i.owner.to_string(),
            connection: i.connection.to_string(),
            vlan: i.vlan.to_string(),
            asn: i.main_peer().asn.to_string(),
            seen: [all.configured, all.session_up, all.forwarding].map(seen),
        }
    };
    let admitted = |r: &InterfaceRow| {
        search.admits(r.badge.text, &[&r.name, &r.id, &r.owner, &r.connection, &r.asn])
    };
    let wanted = search.wanted(ROWS);
    let page = cockpit.app.all_interfaces_page(&wanted, |view| admitted(&row(view))).await?;
    let pager = search.pager("/cockpit/interfaces", page.next.as_ref());
    let list = Interfaces { rows: page.rows.iter().map(row).collect(), pager }.render()?;
    let body = SearchForm {
        action: "/cockpit/interfaces",
        what: "interfaces",
        search: &search,
        states: InterfaceState::ALL.map(InterfaceState::as_str).into(),
        new: None,
        list: &list,
        live: String::new(),
    };
    Page::new("Interfaces", "interfaces", &body)?.show(&cockpit, &signed)
}
