//! The list of interfaces: one's own, and those that one hosts for others.

use super::{
    super::{
        Cockpit,
        connections::{Search, SearchForm},
        door::Customer,
        live::follow,
        page::{Page, Trouble},
    },
    Line,
};
use crate::app::InterfaceFilter;
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use directlink_model::interface::InterfaceState;

#[derive(Template)]
#[template(path = "interfaces.html")]
struct List {
    lines: Vec<Line>,
    any: bool,
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
    let views = cockpit.app.interfaces(&ctx, &InterfaceFilter::default()).await?;
    let any = !views.is_empty();
    let lines = views
        .iter()
        .map(|view| Line::of(view, who.account, ctx.now))
        .filter(|l| {
            let texts = [&l.name, &l.id, &l.connection, &l.connection_name, &l.gateway];
            let mut texts = texts.map(String::as_str).to_vec();
            let vlan = format!("vlan {}", l.vlan);
            texts.extend([vlan.as_str(), l.asn.as_str()]);
            search.admits(l.badge.text, &texts)
        })
        .collect();
    Ok(List { lines, any }.render()?)
}
