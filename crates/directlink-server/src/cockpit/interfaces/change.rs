//! Another name, another MTU, and the end of an interface.

use super::{
    super::{
        Cockpit,
        door::{Customer, Posted},
        form::{Complaints, Form, Input, Summary},
        maintenance::foretold,
        page::{Page, Trouble, see_other},
        refusal,
    },
    Line,
    create::number,
    id_of, visible,
};
use crate::app::{Hypothesis, Refusal};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::{
    command::ChangeInterface, ids::InterfaceId, interface::InterfaceState, maintenance::Target,
    what_if::Change,
};
use directlink_net::Mtu;

#[derive(Template)]
#[template(path = "change_interface.html")]
struct ChangeForm<'a> {
    id: String,
    summary: Summary,
    name: Input,
    mtu: Input,
    csrf: &'a str,
}

pub(in crate::cockpit) async fn form(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let interface = visible(&cockpit, &who, id).await?.interface;
    let given = [interface.name, interface.mtu.to_string()];
    again(&cockpit, &who, (id, given), Complaints::none())
}

fn again(
    cockpit: &Cockpit,
    who: &Customer,
    (id, [name, mtu]): (InterfaceId, [String; 2]),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let status = complaints.status();
    let body = ChangeForm {
        id: id.to_string(),
        summary: Summary { complaints: complaints.summary(&["", "name", "mtu"]) },
        name: Input {
            name: "name",
            label: "Name",
            value: name,
            hint: "1 to 255 characters, for people.".into(),
            complaint: complaints.on("name"),
            attributes: "type=\"text\" required maxlength=\"255\" autocomplete=\"off\"",
        },
        mtu: Input {
            name: "mtu",
            label: "MTU",
            value: mtu,
            hint: "The size in bytes of the largest packet, at most 1500. Set the same on your router; larger packets are answered with what fits (ICMP).".into(),
            complaint: complaints.on("mtu"),
            attributes: "type=\"number\" required min=\"576\" max=\"1500\"",
        },
        csrf: &who.signed.csrf,
    };
    Page::new("Change the interface", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), id.to_string())
        .with_status(status, cockpit, &who.signed)
}

pub(in crate::cockpit) async fn change(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let given = |form: &Form| [form.text("name").to_owned(), form.text("mtu").to_owned()];
    let mut complaints = Complaints::none();
    let Some(mtu) = complaints.take("mtu", number(form.text("mtu"), Mtu::try_from)) else {
        visible(&cockpit, &who, id).await?;
        return again(&cockpit, &who, (id, given(&form)), complaints);
    };
    let command = ChangeInterface { id, mtu: Some(mtu), name: Some(form.text("name").into()) };
    match cockpit.app.change_interface(&who.context(&cockpit), command).await {
        Ok(_) => Ok(see_other(&format!("/cockpit/interfaces/{id}?done=changed"))),
        Err(Refusal::Fault(fault)) if !refusal::field(&fault).is_empty() => {
            visible(&cockpit, &who, id).await?;
            let complaints = Complaints::one(refusal::field(&fault), fault.to_string());
            again(&cockpit, &who, (id, given(&form)), complaints)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// What it is to whoever asks for an interface's end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Deletion,
    /// It waits for its owner, who does not want it.
    Rejection,
    /// It waits for another, and whoever offered it changed their mind.
    Withdrawal,
}

impl End {
    fn of(state: InterfaceState, is_owner: bool) -> Self {
        match (state, is_owner) {
            (InterfaceState::Confirming, true) => Self::Rejection,
            (InterfaceState::Confirming, false) => Self::Withdrawal,
            _ => Self::Deletion,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Deletion => "Delete the interface?",
            Self::Rejection => "Reject the interface?",
            Self::Withdrawal => "Take the interface back?",
        }
    }

    const fn button(self) -> &'static str {
        match self {
            Self::Deletion => "Delete the interface",
            Self::Rejection => "Reject the interface",
            Self::Withdrawal => "Take the interface back",
        }
    }
}

#[derive(Template)]
#[template(path = "delete_interface.html")]
struct AskDelete<'a> {
    line: Line,
    ends: End,
    forwards: bool,
    /// What its Net loses.
    effects: Vec<String>,
    csrf: &'a str,
}

pub(in crate::cockpit) async fn ask_delete(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = visible(&cockpit, &who, id).await?;
    let is_owner = view.interface.owner == who.account;
    let ends = End::of(view.state, is_owner);
    let gone = Hypothesis::Change(Change::Gone(Target::Interface(id)));
    let effects = match is_owner {
        true => cockpit.app.what_if(Some(who.account), gone).await?,
        false => vec![],
    };
    let body = AskDelete {
        ends,
        forwards: view.state == InterfaceState::Available,
        effects: effects.iter().map(foretold).collect(),
        line: Line::of(&view, who.account, cockpit.app.now()),
        csrf: &who.signed.csrf,
    };
    Page::new(ends.title(), "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name)
        .show(&cockpit, &who.signed)
}

pub(in crate::cockpit) async fn delete(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = cockpit.app.delete_interface(&who.context(&cockpit), id).await?;
    let done = match view.state {
        InterfaceState::Rejected => "rejected",
        InterfaceState::Deleted => "deleted",
        InterfaceState::Confirming
        | InterfaceState::Pending
        | InterfaceState::Available
        | InterfaceState::Down
        | InterfaceState::Testing
        | InterfaceState::Deleting
        | InterfaceState::Expired => "deletion",
    };
    Ok(see_other(&format!("/cockpit/interfaces/{id}?done={done}")))
}
