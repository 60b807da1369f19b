//! What work is planned on something of the visitor's, and what each loss would do to their Nets.

use super::{
    Cockpit,
    door::Customer,
    page::{Page, Trouble},
    words::{Badge, When, when},
};
use crate::app::MaintenanceView;
use askama::Template;
use axum::{extract::State, response::Response};
use directlink_model::{
    coverage::Shade,
    drain::Phase,
    maintenance::{State as Stage, Target},
    what_if::Effect,
};

#[derive(Template)]
#[template(path = "maintenance.html")]
struct List {
    rows: Vec<Row>,
    /// What is lost, and what it does.
    weak: Vec<(String, Vec<String>)>,
    has_nets: bool,
}

/// A window, or a drain by hand.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) what: String,
    pub(super) badge: Badge,
    pub(super) from: When,
    /// `None`: until the work is done.
    pub(super) until: Option<When>,
    pub(super) reason: String,
    /// Interface and phase.
    pub(super) interfaces: Vec<(String, &'static str)>,
    pub(super) effects: Vec<String>,
    /// What the operator may do to it now.
    pub(super) act: Option<&'static str>,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
) -> Result<Response, Trouble> {
    let ctx = who.context(&cockpit);
    let rows = cockpit.app.own_maintenances(&ctx).await?.iter().map(row).collect();
    let weak = cockpit.app.own_weak_points(&ctx).await?;
    let weak: Vec<_> = weak
        .iter()
        .map(|(target, shades)| (lost(target), shades.iter().map(effect).collect()))
        .collect();
    let has_nets = !cockpit.app.nets(&ctx, None).await?.is_empty();
    let body = List { rows, weak, has_nets };
    Page::new("Maintenance and coverage", "maintenance", &body)?.show(&cockpit, &who.signed)
}

pub(super) fn row(view: &MaintenanceView) -> Row {
    let it = &view.maintenance;
    let phase = |phase: Option<Phase>| phase.map_or("in use", Phase::as_str);
    Row {
        id: it.id.to_string(),
        what: it.target.to_string(),
        badge: badge(view.state),
        from: when(it.begun_at.unwrap_or(it.from)),
        until: it.ended_at.or(it.cancelled_at).or(it.until).map(when),
        reason: it.reason.clone(),
        interfaces: view
            .interfaces
            .iter()
            .map(|it| (it.interface.id.to_string(), phase(it.interface.drain_phase())))
            .collect(),
        effects: view.shades.iter().map(effect).collect(),
        act: match view.state {
            Stage::Planned => Some("cancel"),
            Stage::Running => Some("end"),
            Stage::Ended | Stage::Cancelled => None,
        },
    }
}

const fn badge(state: Stage) -> Badge {
    let tone = match state {
        Stage::Planned => "wait",
        Stage::Running => "bad",
        Stage::Ended | Stage::Cancelled => "gone",
    };
    Badge { tone, text: state.as_str() }
}

fn lost(target: &Target) -> String {
    match target {
        Target::Location(code) => format!("If {code} goes dark"),
        Target::Router(name) => format!("If the router {name} is lost"),
        Target::Connection(id) => format!("Without {id}"),
        Target::Interface(id) => format!("Without {id}"),
    }
}

/// As a sentence.
pub(super) fn effect(shade: &Shade) -> String {
    let net = shade.net;
    let prefixes: Vec<_> = shade.lost.iter().map(ToString::to_string).collect();
    match (shade.is_dark, prefixes.is_empty()) {
        (true, _) => format!("{net} is unreachable."),
        (false, true) => format!("{net} is reached by {}.", ways(shade)),
        (false, false) => {
            format!("{net} is reached by {}, without {}.", ways(shade), prefixes.join(", "))
        }
    }
}

/// What a change would do to a Net, as a sentence.
pub(super) fn foretold(effect: &Effect) -> String {
    let net = effect.net;
    let list = |all: Vec<String>| all.join(", ");
    if effect.is_reached == [true, false] {
        return format!("{net} will be unreachable: this is its last way.");
    }
    let mut text = format!("{net} stays reachable");
    let lost: Vec<_> = effect.routes.lost.iter().map(ToString::to_string).collect();
    if !lost.is_empty() {
        text += &format!(", without {}", list(lost));
    }
    let weak: Vec<_> = effect.weak.gained.iter().map(ToString::to_string).collect();
    if !weak.is_empty() {
        text += &format!("; it then depends on {}", list(weak));
    }
    text + "."
}

fn ways(shade: &Shade) -> String {
    let ways: Vec<_> = shade.left.iter().map(ToString::to_string).collect();
    ways.join(", ")
}

/// What its customer should know of an interface that is drained.
pub(super) const fn says(phase: Phase) -> &'static str {
    match phase {
        Phase::Moving => {
            "Maintenance: its routes are less wanted now (longer AS_PATH, GRACEFUL_SHUTDOWN), and traffic moves to your other ways. BGP stays up."
        }
        Phase::Withdrawn => {
            "Maintenance: your router is told of no route here any more, and BGP stays up. Some traffic was still seen a moment ago."
        }
        Phase::Drained => {
            "Maintenance: your router is told of no route here, BGP stays up, and no traffic is seen."
        }
        Phase::Returning => {
            "Maintenance is over: its routes are told again, less wanted for a moment."
        }
    }
}
