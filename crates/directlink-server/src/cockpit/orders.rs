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
    command::OrderConnection, connection::Bandwidth, ids::SubregionName, tag_set::TagSet,
};
use http::StatusCode;
use std::collections::BTreeSet;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderForm<'a> {
    summary: Summary,
    name: Input,
    location: Choice,
    bandwidth: Choice,
    region_asn: u32,
    csrf: &'a str,
}

const FIELDS: [&str; 4] = ["", "name", "location", "bandwidth"];

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
        region_asn: cockpit.app.region().asn.0.as_u32(),
        csrf: &who.signed.csrf,
    };
    let status = match complaints.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
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
        .map(|s| match s.free {
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
