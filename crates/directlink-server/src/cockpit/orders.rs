//! Ordering a connection: a location with its free ports, a bandwidth, a name.

use super::{
    Cockpit,
    door::{Customer, Posted},
    form::{Choice, Choosable, Complaints, Form, Input, Summary},
    page::{Page, Trouble, see_other},
    refusal,
};
use crate::app::{CapacityView, Refusal};
use askama::Template;
use axum::{extract::State, response::Response};
use directlink_model::{
    command::OrderConnection,
    connection::Bandwidth,
    ids::SubregionName,
    needs::{Needs, Reach},
    tag_set::TagSet,
};
use std::collections::BTreeSet;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderForm<'a> {
    summary: Summary,
    name: Input,
    location: Choice,
    bandwidth: Choice,
    reach: Choice,
    provider: Input,
    hosting: Choice,
    region_asn: u32,
    csrf: &'a str,
}

const FIELDS: [&str; 6] = ["", "location", "bandwidth", "reach", "provider", "name"];

pub(super) async fn form(
    State(cockpit): State<Cockpit>,
    who: Customer,
) -> Result<Response, Trouble> {
    again(&cockpit, &who, &Form::default(), Complaints::none()).await
}

async fn again(
    cockpit: &Cockpit,
    who: &Customer,
    form: &Form,
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let capacity = cockpit.app.capacity().await?;
    let subnets = cockpit.app.subnets(&who.context(cockpit), None).await?;
    let subregions: BTreeSet<_> =
        subnets.iter().map(|view| view.subnet.subregion.clone()).collect();
    let only = subregions.first().filter(|_| subregions.len() == 1);
    let body = OrderForm {
        summary: Summary { complaints: complaints.summary(&FIELDS) },
        name: Input {
            name: "name",
            label: "Name",
            value: form.text("name").into(),
            hint: "For people: how you know this connection, for example by the office it serves."
                .into(),
            complaint: complaints.on("name"),
            attributes: "type=\"text\" required maxlength=\"255\" autocomplete=\"off\"",
        },
        location: location(&capacity, only, form.text("location"), complaints.on("location")),
        bandwidth: bandwidth(form.text("bandwidth"), complaints.on("bandwidth")),
        reach: reach(form.text("reach")),
        provider: provider(form.text("provider"), complaints.on("provider")),
        hosting: hosting(form.text("hosting")),
        region_asn: cockpit.app.region().asn.0.as_u32(),
        csrf: &who.signed.csrf,
    };
    let status = complaints.status();
    Page::new("Order a connection", "connections", &body)?
        .under("/cockpit/connections", "Connections")
        .with_status(status, cockpit, &who.signed)
}

/// Where all of the visitor's Subnets are in one Subregion, its location is the nearest.
fn location(
    capacity: &[CapacityView],
    only: Option<&SubregionName>,
    given: &str,
    complaint: Option<String>,
) -> Choice {
    let chosen = |view: &CapacityView| match given {
        "" => Some(&view.location.subregion) == only || capacity.len() == 1,
        given => view.location.code.as_str() == given,
    };
    let options = capacity.iter().map(|view| Choosable {
        value: view.location.code.to_string(),
        label: format!("{} · {}", view.location.code, view.location.name),
        note: location_note(view, only),
        chosen: chosen(view),
        closed: false,
    });
    Choice {
        name: "location",
        legend: "Location",
        options: options.collect(),
        hint: "A physical site, one for each Subregion. From any location you reach your resources in the whole Region."
            .into(),
        complaint,
    }
}

fn location_note(view: &CapacityView, only: Option<&SubregionName>) -> String {
    let free: Vec<_> = view
        .speeds
        .iter()
        .map(|s| match s.stock.free.saturating_sub(s.stock.promised) {
            0 => format!("no free {} port at the moment", s.speed),
            1 => format!("1 free {} port", s.speed),
            n => format!("{n} free {} ports", s.speed),
        })
        .collect();
    let nearest = match only == Some(&view.location.subregion) {
        true => ". Nearest: all your Subnets are in this Subregion",
        false => "",
    };
    format!("Subregion {}: {}{nearest}.", view.location.subregion, free.join(", "))
}

fn bandwidth(given: &str, complaint: Option<String>) -> Choice {
    let option = |bandwidth: Bandwidth| Choosable {
        value: bandwidth.as_str().into(),
        label: bandwidth.as_str().into(),
        note: format!("Single-mode fibre with an LC connector: {}.", bandwidth.optics()),
        chosen: given == bandwidth.as_str()
            || (given.is_empty() && bandwidth == Bandwidth::OneGbps),
        closed: false,
    };
    Choice {
        name: "bandwidth",
        legend: "Bandwidth",
        options: Bandwidth::ALL.map(option).into(),
        hint: "The optics of your router's port must be the same.".into(),
        complaint,
    }
}

/// How the customer's network comes to the location.
fn reach(given: &str) -> Choice {
    let option = |value: &str, label: &str, note: &str| Choosable {
        value: value.into(),
        label: label.into(),
        note: note.into(),
        chosen: value == given,
        closed: false,
    };
    Choice {
        name: "reach",
        legend: "Your network there",
        options: vec![
            option("", "Not decided", "The order can be placed before."),
            option(
                Reach::Router.as_str(),
                "Your own router",
                "It is in the location's data centre already.",
            ),
            option(
                Reach::Fibre.as_str(),
                "A provider's fibre",
                "A network service provider brings a fibre to the meet-me room.",
            ),
        ],
        hint: "Either is needed. The operator reads it with your order.".into(),
        complaint: None,
    }
}

fn provider(given: &str, complaint: Option<String>) -> Input {
    Input {
        name: "provider",
        label: "Network service provider",
        value: given.into(),
        hint: "Who brings the fibre, where one does. May stay empty.".into(),
        complaint,
        attributes: "type=\"text\" maxlength=\"255\" autocomplete=\"off\"",
    }
}

fn hosting(given: &str) -> Choice {
    let option = |value: &str, label: &str, note: &str| Choosable {
        value: value.into(),
        label: label.into(),
        note: note.into(),
        chosen: value == given,
        closed: false,
    };
    Choice {
        name: "hosting",
        legend: "Equipment of your own",
        options: vec![
            option("", "None", "You bring a fibre only."),
            option("yes", "Hosted there", "You ask the operator to host equipment of yours."),
        ],
        hint: "A wish, not an order: the operator comes back to you.".into(),
        complaint: None,
    }
}

fn needs(form: &Form) -> Needs {
    Needs {
        reach: form.text("reach").parse().ok(),
        provider: Some(form.text("provider").to_owned()).filter(|name| !name.is_empty()),
        hosts_equipment: form.text("hosting") == "yes",
    }
}

pub(super) async fn order(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let mut complaints = Complaints::none();
    let bandwidth = form.text("bandwidth").parse::<Bandwidth>();
    let bandwidth = complaints.take("bandwidth", bandwidth.map_err(|()| "Choose a bandwidth"));
    if form.text("location").is_empty() {
        complaints.add("location", "Choose a location.");
    }
    let Some(bandwidth) = bandwidth.filter(|_| complaints.is_empty()) else {
        return again(&cockpit, &who, &form, complaints).await;
    };
    let command = OrderConnection {
        name: form.text("name").into(),
        location: form.text("location").into(),
        bandwidth,
        lag: None,
        tags: TagSet::default(),
        needs: needs(&form),
    };
    match cockpit.app.order_connection(&who.context(&cockpit), command).await {
        Ok(view) => {
            let id = view.connection.id;
            Ok(see_other(&format!("/cockpit/connections/{id}?done=ordered")))
        }
        Err(Refusal::Fault(fault)) => {
            let complaints = Complaints::one(refusal::field(&fault), fault.to_string());
            again(&cockpit, &who, &form, complaints).await
        }
        Err(error) => Err(error.into()),
    }
}
