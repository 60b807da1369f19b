//! Drains and windows: what runs, what is planned, and a form for another.

use super::super::{
    Cockpit,
    connections::Done,
    door::{Operator, Posted},
    form::{Complaints, Form, Input, Summary},
    maintenance::{Row, row},
    page::{Page, Trouble, see_other},
};
use crate::app::{MAINTENANCES_MAX, Refusal};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use directlink_model::{
    drain::AT_MOST_DEFAULT,
    ids::MaintenanceId,
    maintenance::{Target, Wish},
};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "operator/maintenance.html")]
struct List<'a> {
    rows: Vec<Row>,
    is_cut: bool,
    summary: Summary,
    inputs: Vec<Input>,
    csrf: &'a str,
}

const FIELDS: [&str; 4] = ["target", "from", "until", "reason"];

pub(in crate::cockpit) async fn list(
    State(cockpit): State<Cockpit>,
    who: Operator,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Trouble> {
    page(&cockpit, &who, done.as_deref(), (&Form::default(), Complaints::none())).await
}

async fn page(
    cockpit: &Cockpit,
    Operator(signed): &Operator,
    done: Option<&str>,
    (form, complaints): (&Form, Complaints),
) -> Result<Response, Trouble> {
    let rows: Vec<_> = cockpit.app.maintenances().await?.iter().map(row).collect();
    let status = complaints.status();
    let body = List {
        is_cut: rows.len() == MAINTENANCES_MAX,
        rows,
        inputs: inputs(form, &complaints),
        summary: Summary { complaints: complaints.summary(&FIELDS) },
        csrf: &signed.csrf,
    };
    Page::new("Maintenance", "maintenance", &body)?.after(done).with_status(status, cockpit, signed)
}

fn inputs(form: &Form, complaints: &Complaints) -> Vec<Input> {
    let input = |name, label, hint: &str, attributes| {
        form.input(complaints, (name, label), hint, attributes)
    };
    let moment = "maxlength=\"40\" autocomplete=\"off\" placeholder=\"2026-03-01T22:00:00Z\"";
    vec![
        input(
            "target",
            "What",
            "router par1-r1, location PAR1, connection dxcon-… or interface dxvif-…",
            "required maxlength=\"64\" autocomplete=\"off\"",
        ),
        input("from", "From", "Empty: now.", moment),
        input("until", "Until", "Empty: until it is ended here.", moment),
        input("reason", "Reason", "Customers read it.", "required maxlength=\"500\""),
    ]
}

pub(in crate::cockpit) async fn plan(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let mut complaints = Complaints::none();
    let (kind, name) =
        form.text("target").split_once(' ').unwrap_or_else(|| (form.text("target"), ""));
    let target = complaints.take("target", Target::read(kind, name.trim()));
    let mut moment = |field: &'static str| match form.text(field) {
        "" => None,
        text => complaints.take(field, read_moment(text)),
    };
    let (from, until) = (moment("from"), moment("until"));
    let Some(target) = target.filter(|_| complaints.is_empty()) else {
        return page(&cockpit, &who, None, (&form, complaints)).await;
    };
    let reason = form.text("reason").to_owned();
    let wish = Wish { target, reason, from, until, at_most: AT_MOST_DEFAULT };
    let forced = form.text("force") == "yes";
    match cockpit.app.plan_maintenance(wish, (forced, false)).await {
        Ok(_) => Ok(see_other("/cockpit/maintenance?done=maintenance")),
        Err(Refusal::Fault(fault)) => {
            let complaints = Complaints::one("target", fault.to_string());
            page(&cockpit, &who, None, (&form, complaints)).await
        }
        Err(error) => Err(error.into()),
    }
}

fn read_moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("'{text}' is no moment, as 2026-03-01T22:00:00Z is."))
}

pub(in crate::cockpit) async fn act(
    State(cockpit): State<Cockpit>,
    Path((id, act)): Path<(String, String)>,
    Posted { who, .. }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let id: MaintenanceId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let done = match act.as_str() {
        "end" => cockpit.app.end_maintenance(id).await,
        "cancel" => cockpit.app.cancel_maintenance(id).await,
        _ => return Err(Trouble::NothingThere),
    };
    match done {
        Ok(_) => Ok(see_other("/cockpit/maintenance?done=maintenance")),
        Err(Refusal::Fault(fault)) => {
            let complaints = Complaints::one("", fault.to_string());
            page(&cockpit, &who, None, (&Form::default(), complaints)).await
        }
        Err(error) => Err(error.into()),
    }
}
