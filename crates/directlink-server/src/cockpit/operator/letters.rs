//! The Letters of Authorization that were issued: what each is worth, whether it was mailed; one is sent
//! again, or renewed.

use super::super::{
    Cockpit,
    connections::Done,
    door::{Operator, Posted},
    page::{Page, Trouble, see_other},
    words::{Badge, When, when},
};
use crate::app::{LETTERS_MAX, LetterView, Refusal};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use directlink_model::{connection::Standing, ids::ConnectionId};
use http::StatusCode;

#[derive(Template)]
#[template(path = "operator/letters.html")]
struct List<'a> {
    rows: Vec<Row>,
    is_cut: bool,
    complaint: Option<String>,
    csrf: &'a str,
}

struct Row {
    id: String,
    name: String,
    account: String,
    issued: When,
    until: When,
    badge: Badge,
    mailed: usize,
    last_mailed: Option<When>,
    can_send: bool,
    can_renew: bool,
}

pub(in crate::cockpit) async fn list(
    State(cockpit): State<Cockpit>,
    who: Operator,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Trouble> {
    page(&cockpit, &who, (done.as_deref(), None)).await
}

async fn page(
    cockpit: &Cockpit,
    Operator(signed): &Operator,
    (done, complaint): (Option<&str>, Option<String>),
) -> Result<Response, Trouble> {
    let rows: Vec<_> = cockpit.app.letters().await?.iter().map(row).collect();
    let status = match complaint {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let is_cut = rows.len() == LETTERS_MAX;
    let body = List { rows, is_cut, complaint, csrf: &signed.csrf };
    Page::new("Letters", "letters", &body)?.after(done).with_status(status, cockpit, signed)
}

fn row(view: &LetterView) -> Row {
    let connection = &view.connection.connection;
    let tone = match view.standing {
        Standing::Valid { .. } => "wait",
        Standing::InUse { .. } => "good",
        Standing::Lapsed { .. } => "bad",
        Standing::Withdrawn => "gone",
    };
    Row {
        id: connection.id.to_string(),
        name: connection.name.clone(),
        account: connection.account.to_string(),
        issued: when(view.issued_at),
        until: when(view.valid_until),
        badge: Badge { tone, text: view.standing.as_str() },
        mailed: view.mailed,
        last_mailed: view.last_mailed_at.map(when),
        can_send: matches!(view.standing, Standing::Valid { .. } | Standing::InUse { .. }),
        can_renew: matches!(view.standing, Standing::Valid { .. } | Standing::Lapsed { .. }),
    }
}

pub(in crate::cockpit) async fn send(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let anew = form.text("act") == "renew";
    match cockpit.app.send_letter(id, anew).await {
        Ok(_) if anew => Ok(see_other("/cockpit/letters?done=letter-renewed")),
        Ok(_) => Ok(see_other("/cockpit/letters?done=letter-sent")),
        Err(Refusal::Fault(fault)) => page(&cockpit, &who, (None, Some(fault.to_string()))).await,
        Err(error) => Err(error.into()),
    }
}
