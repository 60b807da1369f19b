//! The list of interfaces: one's own, and those that one hosts for others.

use super::{
    super::{
        Cockpit,
        connections::{Pager, ROWS, Search, SearchForm},
        door::Customer,
        live::follow,
        page::{Page, Trouble},
    },
    Line,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use directlink_model::{interface::InterfaceState, view::InterfaceView};

#[derive(Template)]
#[template(path = "interfaces.html")]
struct List {
    lines: Vec<Line>,
    any: bool,
    pager: Pager,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Query(search): Query<Search>,
) -> Result<Response, Trouble> {
    let list = middle(&cockpit, &who, &search).await?;
    let body = SearchForm {
        action: "/cockpit/interfaces",
        what: "interfaces",
        search: &search,
        states: InterfaceState::ALL.map(InterfaceState::as_str).into(),
        new: Some(("/cockpit/interfaces/new", "Create an interface")),
        list: &list,
        live: format!("/cockpit/interfaces/live?{}", search.query()),
    };
    Page::new("Interfaces", "interfaces", &body)?.show(&cockpit, &who.signed)
}

pub(in crate::cockpit) async fn live(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Query(search): Query<Search>,
) -> Response {
    let (at, signed) = (cockpit.clone(), who.signed.clone());
    follow(&cockpit, signed, move || {
        let (at, who, search) = (at.clone(), who.clone(), search.clone());
        async move { middle(&at, &who, &search).await }
    })
}

async fn middle(cockpit: &Cockpit, who: &Customer, search: &Search) -> Result<String, Trouble> {
    let ctx = who.context(cockpit);
    let admits = |view: &InterfaceView| {
        let l = Line::of(view, who.account, ctx.now);
        let texts = [&l.name, &l.id, &l.connection, &l.connection_name, &l.gateway];
        let mut texts = texts.map(String::as_str).to_vec();
        let vlan = format!("vlan {}", l.vlan);
        texts.extend([vlan.as_str(), l.asn.as_str()]);
        search.admits(l.badge.text, &texts)
    };
    let page = cockpit.app.interfaces_page(&ctx, &search.wanted(ROWS), admits).await?;
    let lines: Vec<_> = page.rows.iter().map(|view| Line::of(view, who.account, ctx.now)).collect();
    let any = !lines.is_empty() || search.is_on();
    let pager = search.pager("/cockpit/interfaces", page.next.as_ref());
    Ok(List { lines, any, pager }.render()?)
}
