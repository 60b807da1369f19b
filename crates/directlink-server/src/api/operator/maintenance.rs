//! Maintenances in the operator's API: drains by hand, and windows.

use super::{Failure, Outcome, body, word};
use crate::{
    api::Incoming,
    app::{App, MaintenanceView},
};
use directlink_model::{
    coverage::Shade,
    drain::AT_MOST_DEFAULT,
    ids::MaintenanceId,
    maintenance::{Target, Wish},
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMaintenance {
    target: NewTarget,
    reason: String,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    at_most_seconds: Option<u32>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTarget {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTime {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

pub(super) async fn list(app: &App) -> Result<Value, Failure> {
    let views = app.maintenances().await?;
    Ok(json!({ "maintenances": views.iter().map(wire).collect::<Vec<_>>() }))
}

pub(super) async fn one(app: &App, id: MaintenanceId) -> Result<Value, Failure> {
    Ok(wire(&app.maintenance(id).await?))
}

pub(super) async fn plan(app: &App, incoming: &Incoming) -> Outcome {
    let NewMaintenance { target, reason, from, until, at_most_seconds, force, dry_run } =
        body(incoming)?;
    let target = Target::read(&target.kind, &target.name)?;
    let seconds = at_most_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
    let at_most = seconds.unwrap_or(AT_MOST_DEFAULT);
    let wish = Wish { target, reason, from, until, at_most };
    let view = app.plan_maintenance(wish, (force, dry_run)).await?;
    let status = if dry_run { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, wire(&view)))
}

pub(super) async fn change(app: &App, id: &str, act: &str, incoming: &Incoming) -> Outcome {
    let id = word(id)?;
    let view = match act {
        "end" => {
            let super::wire::Nothing {} = body(incoming)?;
            app.end_maintenance(id).await?
        }
        "cancel" => {
            let super::wire::Nothing {} = body(incoming)?;
            app.cancel_maintenance(id).await?
        }
        "move" => {
            let NewTime { from, until } = body(incoming)?;
            app.move_maintenance(id, from, until).await?
        }
        _ => return Err(Failure::NoSuchAddress),
    };
    Ok((StatusCode::OK, wire(&view)))
}

fn wire(view: &MaintenanceView) -> Value {
    let it = &view.maintenance;
    let interface = |placed: &crate::store::maintenance::Placed| {
        let drain = placed.interface.drain.as_ref();
        json!({
            "id": placed.interface.id,
            "owner": placed.interface.owner,
            "router": placed.wire.router,
            "location": placed.wire.location,
            "phase": drain.map(|drain| drain.phase().as_str()),
            "asked_at": drain.map(|drain| drain.asked_at),
            "withdrawn_at": drain.and_then(|drain| drain.withdrawn_at),
            "traffic_at": drain.and_then(|drain| drain.heard.traffic_at),
        })
    };
    json!({
        "id": it.id,
        "target": { "kind": it.target.kind(), "name": it.target.name() },
        "state": view.state.as_str(),
        "reason": it.reason,
        "from": it.from,
        "until": it.until,
        "at_most_seconds": it.at_most.as_secs(),
        "planned_at": it.planned_at,
        "begun_at": it.begun_at,
        "ended_at": it.ended_at,
        "cancelled_at": it.cancelled_at,
        "interfaces": view.interfaces.iter().map(interface).collect::<Vec<_>>(),
        "effect": view.shades.iter().map(shade).collect::<Vec<_>>(),
    })
}

/// What a loss does to a Net.
pub(super) fn shade(it: &Shade) -> Value {
    json!({
        "net": it.net, "account": it.owner, "dark": it.is_dark, "prefixes_lost": it.lost,
        "interfaces_left": it.left,
    })
}
