//! What the visitor's account may have, and has.

use super::{
    Cockpit,
    door::Customer,
    page::{Page, Trouble},
    words::quota_words,
};
use askama::Template;
use axum::{extract::State, response::Response};

#[derive(Template)]
#[template(path = "quotas.html")]
struct Quotas {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    used: u32,
    limit: u32,
    full: bool,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
) -> Result<Response, Trouble> {
    let views = cockpit.app.quotas(&who.context(&cockpit)).await?;
    let rows = views.into_iter().map(|view| Row {
        what: quota_words(view.quota),
        used: view.used,
        limit: view.limit,
        full: view.used >= view.limit,
    });
    Page::new("Quotas", "", &Quotas { rows: rows.collect() })?.show(&cockpit, &who.signed)
}
