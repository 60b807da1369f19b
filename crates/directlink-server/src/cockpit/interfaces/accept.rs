//! The intended owner of a hosted interface accepts it, through a virtual gateway of theirs.

use super::{
    super::{
        Cockpit,
        door::{Customer, Posted},
        form::{Choice, Complaints, Summary},
        page::{Page, Trouble, see_other},
        refusal,
    },
    Line, id_of,
    prerequisites::{Missing, Surroundings},
    visible,
};
use crate::app::Refusal;
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::{
    Fault, command::ConfirmInterface, ids::GatewayId, interface::InterfaceState,
    view::InterfaceView,
};

#[derive(Template)]
#[template(path = "accept_interface.html")]
struct AcceptForm<'a> {
    line: Line,
    left: String,
    summary: Summary,
    gateway: Choice,
    steps: Vec<Missing>,
    csrf: &'a str,
}

pub(in crate::cockpit) async fn form(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = visible(&cockpit, &who, id).await?;
    if view.interface.owner != who.account {
        return Err(Trouble::NothingThere);
    }
    if view.state != InterfaceState::Confirming {
        let fault = Fault::InterfaceNotConfirming { id, state: view.state };
        return Err(Refusal::Fault(fault).into());
    }
    again(&cockpit, &who, (&view, ""), Complaints::none()).await
}

async fn again(
    cockpit: &Cockpit,
    who: &Customer,
    (view, given): (&InterfaceView, &str),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let ctx = who.context(cockpit);
    let around = Surroundings::look(cockpit, &ctx, Some(view.interface.connection)).await?;
    let status = complaints.status();
    let line = Line::of(view, who.account, ctx.now);
    let body = AcceptForm {
        left: line.left.clone().unwrap_or_default(),
        line,
        summary: Summary { complaints: complaints.summary(&["", "gateway"]) },
        gateway: around.choice(given, complaints.on("gateway")),
        steps: around.steps(),
        csrf: &who.signed.csrf,
    };
    Page::new("Accept the interface", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{}", view.interface.id), view.interface.name.clone())
        .with_status(status, cockpit, &who.signed)
}

pub(in crate::cockpit) async fn accept(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = visible(&cockpit, &who, id).await?;
    let given = form.text("gateway");
    let Ok(gateway) = given.parse::<GatewayId>() else {
        let complaints = Complaints::one("gateway", "Choose a virtual gateway.");
        return again(&cockpit, &who, (&view, given), complaints).await;
    };
    let command = ConfirmInterface { id, gateway };
    match cockpit.app.confirm_interface(&who.context(&cockpit), command).await {
        Ok(_) => Ok(see_other(&format!("/cockpit/interfaces/{id}?done=accepted"))),
        Err(Refusal::Fault(fault)) if refusal::field(&fault) == "gateway" => {
            let complaints = Complaints::one("gateway", fault.to_string());
            again(&cockpit, &who, (&view, given), complaints).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}
