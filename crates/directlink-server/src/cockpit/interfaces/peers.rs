//! One BGP peer more on an interface: IPv6 beside IPv4, or another router on the same VLAN. And one less.

use super::{
    super::{
        Cockpit,
        door::{Customer, Posted},
        form::{Choice, Complaints, Form, Input, Summary},
        page::{Page, Trouble, see_other},
        refusal,
    },
    create::{
        ADDRESS, KEY, address, asn_hint, is_ipv6, number, optional, options, router_address_hint,
    },
    id_of,
    sessions::title,
    visible,
};
use crate::app::Refusal;
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::{
    bgp_peer::BgpPeer,
    command::{AddBgpPeer, ChosenPeer, DeleteBgpPeer},
    ids::{BgpPeerId, InterfaceId},
    interface::Interface,
    view::InterfaceView,
};
use directlink_net::{Asn, BgpKey};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "add_peer.html")]
struct AddForm<'a> {
    id: String,
    summary: Summary,
    /// Where the Region has both.
    family: Option<Choice>,
    asn: Input,
    router_address: Input,
    customer_address: Input,
    key: Input,
    csrf: &'a str,
}

const FIELDS: [&str; 6] = ["", "family", "asn", "key", "router_address", "customer_address"];

/// Whether one of some family can be added now.
pub(super) fn has_room(cockpit: &Cockpit, interface: &Interface, now: Timestamp) -> bool {
    let has = |ipv6| interface.check_room(ipv6, now).is_ok();
    has(false) || (cockpit.app.region().ipv6.is_some() && has(true))
}

/// The owner's alone to ask for.
async fn own(cockpit: &Cockpit, who: &Customer, id: InterfaceId) -> Result<InterfaceView, Trouble> {
    let view = visible(cockpit, who, id).await?;
    match view.interface.owner == who.account {
        true => Ok(view),
        false => Err(Trouble::NothingThere),
    }
}

pub(in crate::cockpit) async fn form(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let view = own(&cockpit, &who, id_of(&id)?).await?;
    again(&cockpit, &who, (&view, &Form::default()), Complaints::none())
}

fn again(
    cockpit: &Cockpit,
    who: &Customer,
    (view, form): (&InterfaceView, &Form),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let (i, region) = (&view.interface, cockpit.app.region());
    let status = complaints.status();
    let input = |name, label, hint: String, attributes| {
        form.input(&complaints, (name, label), hint, attributes)
    };
    let mut asn = input(
        "asn",
        "Your BGP AS number",
        asn_hint(region.asn),
        "type=\"number\" required min=\"1\" max=\"4294967295\"",
    );
    if asn.value.is_empty() && complaints.is_empty() {
        asn.value = i.main_peer().asn.to_string();
    }
    let body = AddForm {
        id: i.id.to_string(),
        summary: Summary { complaints: complaints.summary(&FIELDS) },
        family: region.ipv6.map(|_| family(i, form.text("family"), complaints.on("family"))),
        asn,
        router_address: input("router_address", "Address of the DirectLink router", router_address_hint(region.ipv6), ADDRESS),
        customer_address: input("customer_address", "Address of your router", "In the same subnet, as 172.16.0.6/30.".into(), ADDRESS),
        key: Input { value: String::new(), ..input("key", "BGP key", "Optional. The MD5 key of this session, the same on your router: 1 to 80 printable characters without spaces.".into(), KEY) },
        csrf: &who.signed.csrf,
    };
    Page::new("Add a BGP peer", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{}", i.id), i.name.clone())
        .with_status(status, cockpit, &who.signed)
}

/// The one that the interface has not yet comes first.
fn family(interface: &Interface, given: &str, complaint: Option<String>) -> Choice {
    let ipv4 = ["ipv4", "IPv4", "The Net's IPv4 range is reached."];
    let ipv6 = ["ipv6", "IPv6", "The Net's IPv6 range is reached."];
    let speaks_ipv4 = interface.peers().any(|peer| !peer.is_ipv6());
    let all = if speaks_ipv4 { [ipv6, ipv4] } else { [ipv4, ipv6] };
    let (options, hint) = (options(given, all), "An interface has at most two peers of each.");
    Choice { name: "family", legend: "Address family", options, hint: hint.into(), complaint }
}

pub(in crate::cockpit) async fn add(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let view = own(&cockpit, &who, id).await?;
    let command = match command(id, &form) {
        Ok(command) => command,
        Err(complaints) => return again(&cockpit, &who, (&view, &form), complaints),
    };
    match cockpit.app.add_bgp_peer(&who.context(&cockpit), command).await {
        Ok(_) => Ok(see_other(&format!("/cockpit/interfaces/{id}?done=peer-added"))),
        Err(Refusal::Fault(fault)) => {
            let complaints = Complaints::one(refusal::field(&fault), fault.to_string());
            again(&cockpit, &who, (&view, &form), complaints)
        }
        Err(error) => Err(error.into()),
    }
}

fn command(interface: InterfaceId, form: &Form) -> Result<AddBgpPeer, Complaints> {
    let mut bad = Complaints::none();
    let ipv6 = bad.take("family", is_ipv6(form.text("family")));
    let asn = bad.take("asn", number(form.text("asn"), Asn::try_from));
    let key = bad.take("key", optional(form.text("key"), |text| BgpKey::try_from(text)));
    let mut given = |field| bad.take(field, optional(form.text(field), address)).flatten();
    let (router_address, customer_address) = (given("router_address"), given("customer_address"));
    match (ipv6, asn, key) {
        (Some(ipv6), Some(asn), Some(key)) if bad.is_empty() => {
            Ok(AddBgpPeer { interface, asn, key, router_address, customer_address, ipv6 })
        }
        _ => Err(bad),
    }
}

#[derive(Template)]
#[template(path = "delete_peer.html")]
struct AskDelete<'a> {
    id: String,
    peer: String,
    says: String,
    is_last: bool,
    csrf: &'a str,
}

type PeerPath = Path<(String, String)>;

async fn chosen(
    cockpit: &Cockpit,
    who: &Customer,
    (id, peer): (String, String),
) -> Result<(InterfaceView, BgpPeer), Trouble> {
    let view = own(cockpit, who, id_of(&id)?).await?;
    let peer: BgpPeerId = peer.parse().map_err(|_| Trouble::NothingThere)?;
    let found = view.interface.find_peer(ChosenPeer::Id(peer)).map_err(Refusal::Fault)?;
    Ok((view, found))
}

pub(in crate::cockpit) async fn ask_delete(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(which): PeerPath,
) -> Result<Response, Trouble> {
    let (view, peer) = chosen(&cockpit, &who, which).await?;
    let id = view.interface.id.to_string();
    let body = AskDelete {
        id: id.clone(),
        peer: peer.id.to_string(),
        says: title(&peer),
        is_last: view.interface.wanted_peers().count() == 1,
        csrf: &who.signed.csrf,
    };
    Page::new("Remove the BGP peer?", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name)
        .show(&cockpit, &who.signed)
}

pub(in crate::cockpit) async fn delete(
    State(cockpit): State<Cockpit>,
    Path(which): PeerPath,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let (view, peer) = chosen(&cockpit, &who, which).await?;
    let interface = view.interface.id;
    let command = DeleteBgpPeer { interface, peer: ChosenPeer::Id(peer.id) };
    cockpit.app.delete_bgp_peer(&who.context(&cockpit), command).await?;
    Ok(see_other(&format!("/cockpit/interfaces/{interface}?done=peer-deletion")))
}
