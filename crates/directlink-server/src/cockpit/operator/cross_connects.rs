//! The cross-connects: which fibre runs from which position to which port, who made it, who took it out.

use super::super::{
    Cockpit,
    connections::Done,
    door::{Operator, Posted},
    page::{Page, Trouble, see_other},
    words::{Badge, When, when},
};
use crate::app::{CROSS_CONNECTS_MAX, CrossConnectView, Refusal};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use directlink_model::{
    command::RecordPatch,
    ids::ConnectionId,
    inventory::{Act, CrossConnectState, Position},
};
use http::StatusCode;

#[derive(Template)]
#[template(path = "operator/cross_connects.html")]
struct List<'a> {
    rows: Vec<Row>,
    is_cut: bool,
    complaint: Option<String>,
    csrf: &'a str,
}

struct Row {
    id: String,
    name: String,
    position: String,
    port: String,
    badge: Badge,
    patched: Option<Told>,
    unpatched: Option<Told>,
    /// The word that the operator may give now.
    act: Option<&'static str>,
}

struct Told {
    when: When,
    by: String,
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
    let rows: Vec<_> = cockpit.app.cross_connects().await?.iter().map(row).collect();
    let status = match complaint {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let is_cut = rows.len() == CROSS_CONNECTS_MAX;
    let body = List { rows, is_cut, complaint, csrf: &signed.csrf };
    Page::new("Cross-connects", "inventory", &body)?
        .under("/cockpit/inventory", "Inventory")
        .after(done)
        .with_status(status, cockpit, signed)
}

fn row(view: &CrossConnectView) -> Row {
    let it = &view.cross_connect;
    let told = |act: &Act| Told {
        when: when(act.at),
        by: act.by.clone().unwrap_or_else(|| "seen by its light".into()),
    };
    let state = it.state();
    let known = it.patched.as_ref().is_some_and(|act| act.by.is_some());
    Row {
        id: it.connection.to_string(),
        name: view.name.clone(),
        position: it.position.as_ref().map_or_else(|| "no panel".into(), Position::to_string),
        port: it.port.to_string(),
        badge: match state {
            CrossConnectState::Awaited => Badge { tone: "wait", text: state.as_str() },
            CrossConnectState::Patched => Badge { tone: "good", text: state.as_str() },
            CrossConnectState::Removed => Badge { tone: "gone", text: state.as_str() },
        },
        patched: it.patched.as_ref().map(told),
        unpatched: it.unpatched.as_ref().map(told),
        act: match (state, known) {
            (CrossConnectState::Removed, _) => None,
            (_, true) => Some("unpatch"),
            (_, false) => Some("patch"),
        },
    }
}

pub(in crate::cockpit) async fn record(
    State(cockpit): State<Cockpit>,
    Path((id, act)): Path<(String, String)>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let connection: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let command = RecordPatch { connection, by: form.text("by").into(), at: None };
    let done = match act.as_str() {
        "patch" => cockpit.app.patch(command).await,
        "unpatch" => cockpit.app.unpatch(command).await,
        _ => return Err(Trouble::NothingThere),
    };
    match done {
        Ok(_) => Ok(see_other("/cockpit/cross-connects?done=cross-connect")),
        Err(Refusal::Fault(fault)) => page(&cockpit, &who, (None, Some(fault.to_string()))).await,
        Err(error) => Err(error.into()),
    }
}
