//! Why is it down? The model's diagnosis as a visitor reads it: the answer first, then the ladder.

use super::super::{
    Cockpit,
    door::{Customer, Operator},
    page::{Page, Trouble},
    words::{Badge, When, interface_badge, when},
};
use super::{id_of, visible};
use crate::app::Effort;
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::diagnosis::{self, Carried, ConnectionDiagnosis, Diagnosis, Outcome};

#[derive(Template)]
#[template(path = "ladder.html")]
pub(in crate::cockpit) struct Ladder {
    /// The first rung that fails.
    answer: Option<Rung>,
    rungs: Vec<Rung>,
}

struct Rung {
    title: &'static str,
    badge: Badge,
    evidence: String,
    seen: Option<When>,
    remedy: String,
}

impl Rung {
    fn of(rung: &diagnosis::Rung) -> Self {
        let tone = match rung.outcome {
            Outcome::Passed => "good",
            Outcome::Failed => "bad",
            Outcome::NotReached => "gone",
        };
        Self {
            title: rung.step.title(),
            badge: Badge { tone, text: rung.outcome.as_str() },
            evidence: rung.evidence.clone(),
            seen: rung.seen_at.map(when),
            remedy: rung.remedy.clone(),
        }
    }
}

impl Ladder {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        Self::from(diagnosis.first_failed(), &diagnosis.rungs)
    }

    fn from(answer: Option<&diagnosis::Rung>, rungs: &[diagnosis::Rung]) -> Self {
        Self { answer: answer.map(Rung::of), rungs: rungs.iter().map(Rung::of).collect() }
    }
}

/// A connection's: its fibre, then what stands on it.
#[derive(Template)]
#[template(path = "fibre_ladder.html")]
struct FibreLadder {
    answer: Option<Rung>,
    rungs: Vec<Rung>,
    carried: Vec<CarriedLine>,
}

struct CarriedLine {
    id: String,
    vlan: String,
    badge: Badge,
    first: Option<Rung>,
}

impl FibreLadder {
    fn of(diagnosis: &ConnectionDiagnosis) -> Self {
        let Ladder { answer, rungs } = Ladder::from(diagnosis.first_failed(), &diagnosis.rungs);
        let line = |it: &Carried| CarriedLine {
            id: it.interface.to_string(),
            vlan: it.vlan.to_string(),
            badge: interface_badge(it.state),
            first: it.first_failed.as_ref().map(Rung::of),
        };
        Self { answer, rungs, carried: diagnosis.interfaces.iter().map(line).collect() }
    }
}

/// A connection of the visitor's.
pub(in crate::cockpit) async fn connection(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id.parse().map_err(|_| Trouble::NothingThere)?;
    let told = cockpit.app.connection_diagnosis(&who.context(&cockpit), id).await?;
    Page::new("Why is it down?", "connections", &FibreLadder::of(&told))?
        .under("/cockpit/connections", "Connections")
        .under(format!("/cockpit/connections/{id}"), told.connection.to_string())
        .show(&cockpit, &who.signed)
}

/// For the operator: any account's connection.
pub(in crate::cockpit) async fn any_connection(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id.parse().map_err(|_| Trouble::NothingThere)?;
    let told = FibreLadder::of(&cockpit.app.any_connection_diagnosis(id).await?);
    Page::new(format!("Why is {id} down?"), "connections", &told)?
        .under("/cockpit/connections", "Connections")
        .show(&cockpit, &signed)
}

/// Asked of the router at this moment.
pub(in crate::cockpit) async fn ask(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = visible(&cockpit, &who, id).await?;
    let diagnosis = cockpit.app.diagnosis(&who.context(&cockpit), id, Effort::Ask).await?;
    Page::new("Why is it down?", "interfaces", &Ladder::of(&diagnosis))?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name)
        .show(&cockpit, &who.signed)
}

/// For the operator: of any account's interface.
pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let ladder = Ladder::of(&cockpit.app.any_diagnosis(id).await?);
    Page::new(format!("Why is {id} down?"), "interfaces", &ladder)?
        .under("/cockpit/interfaces", "Interfaces")
        .show(&cockpit, &signed)
}
