//! Creating an interface: for oneself through a virtual gateway, or hosted for another account.

use super::{
    super::{
        Cockpit,
        door::{Customer, Posted},
        form::{Choice, Choosable, Complaints, Form, Input, Summary},
        hosted::Share,
        page::{Page, Trouble, see_other},
        refusal,
    },
    prerequisites::{Missing, Surroundings},
};
use crate::app::{InterfaceFilter, Refusal};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use directlink_model::{
    command::CreateInterface,
    ids::{AccountId, ConnectionId, GatewayId},
    tag_set::TagSet,
    view::ConnectionView,
};
use directlink_net::{Asn, BgpKey, IpNet, Ipv6Block, Mtu, RegionAsn, Vlan};
use serde::Deserialize;
use std::{collections::BTreeSet, str::FromStr};

#[derive(Deserialize)]
pub(in crate::cockpit) struct On {
    connection: Option<String>,
}

#[derive(Template)]
#[template(path = "choose_connection.html")]
struct ChooseConnection {
    connections: Choice,
    none: bool,
}

#[derive(Template)]
#[template(path = "create_interface.html")]
struct CreateForm<'a> {
    summary: Summary,
    connection: String,
    connection_name: String,
    name: Input,
    vlan: Input,
    free_vlans: Vec<u16>,
    asn: Input,
    whose: Choice,
    owner: Input,
    gateway: Choice,
    steps: Vec<Missing>,
    /// Of the session: where the Region has both.
    family: Option<Choice>,
    router_address: Input,
    customer_address: Input,
    key: Input,
    mtu: Input,
    csrf: &'a str,
}

const FIELDS: [&str; 12] = [
    "",
    "connection",
    "name",
    "vlan",
    "asn",
    "whose",
    "owner",
    "gateway",
    "family",
    "router_address",
    "customer_address",
    "key",
];
pub(super) const ADDRESS: &str = "type=\"text\" autocomplete=\"off\" maxlength=\"43\"";
pub(super) const KEY: &str = "type=\"password\" maxlength=\"80\" autocomplete=\"new-password\"";
/// So many free VLANs are offered.
const VLANS_OFFERED: usize = 12;
/// Below are the numbers that switches like to keep for themselves.
const VLAN_FROM: u16 = 101;

pub(in crate::cockpit) async fn form(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Query(On { connection }): Query<On>,
) -> Result<Response, Trouble> {
    let views = cockpit.app.connections(&who.context(&cockpit), None).await?;
    let given = connection.unwrap_or_default();
    let full = full_shares(&cockpit, &who).await?;
    let found = views.iter().find(|view| view.connection.id.to_string() == given);
    match found.filter(|view| closed(view, &full).is_none()) {
        Some(view) => again(&cockpit, &who, (view, &Form::default()), Complaints::none()).await,
        None => choose(&cockpit, &who, (&views, &full), &given),
    }
}

/// Hosted connections carry one interface each: those that do.
async fn full_shares(cockpit: &Cockpit, who: &Customer) -> Result<BTreeSet<ConnectionId>, Trouble> {
    let all = cockpit.app.interfaces(&who.context(cockpit), &InterfaceFilter::default()).await?;
    let hosted = all.iter().filter(|view| view.connection.hosting.is_some());
    Ok(hosted.filter(|view| view.state.is_live()).map(|view| view.connection.id).collect())
}

/// Why it takes no interface now.
fn closed(view: &ConnectionView, full: &BTreeSet<ConnectionId>) -> Option<String> {
    let full = full.contains(&view.connection.id);
    let fault = view.connection.check_takes_interfaces().err().map(|fault| fault.to_string());
    fault.or_else(|| full.then(|| "It carries its one interface already.".into()))
}

/// First the connection: what can be offered depends on it.
fn choose(
    cockpit: &Cockpit,
    who: &Customer,
    (views, full): (&[ConnectionView], &BTreeSet<ConnectionId>),
    given: &str,
) -> Result<Response, Trouble> {
    let open = views.iter().filter(|view| closed(view, full).is_none()).count();
    let option = |view: &ConnectionView| {
        let (c, closed) = (&view.connection, closed(view, full));
        Choosable {
            value: c.id.to_string(),
            label: format!("{} · {}", c.name, c.id),
            chosen: closed.is_none() && (open == 1 || c.id.to_string() == given),
            closed: closed.is_some(),
            note: closed
                .unwrap_or_else(|| format!("{} at {}, {}.", view.state, c.location, c.bandwidth)),
        }
    };
    let connections = Choice {
        name: "connection",
        legend: "DirectLink connection",
        options: views.iter().map(option).collect(),
        hint: "A connection takes interfaces while it is available.".into(),
        complaint: None,
    };
    let body = ChooseConnection { connections, none: open == 0 };
    Page::new("Create an interface", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .show(cockpit, &who.signed)
}

async fn again(
    cockpit: &Cockpit,
    who: &Customer,
    (view, form): (&ConnectionView, &Form),
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let ctx = who.context(cockpit);
    let (id, region) = (view.connection.id, cockpit.app.region());
    let around = Surroundings::look(cockpit, &ctx, Some(id)).await?;
    let taken = taken_vlans(cockpit, who, id).await?;
    let share = Share::of(&view.connection, ctx.now);
    let free = match &view.connection.hosting {
        Some(hosting) => vec![hosting.vlan.as_u16()],
        None => free_vlans(&taken),
    };
    let (vlan_hint, vlan_attributes) = match share {
        Some(share) => (
            format!("Fixed by account {}, whose fibre it is.", share.partner),
            "type=\"number\" required readonly",
        ),
        None => (vlan_hint(&taken), VLAN),
    };
    let status = complaints.status();
    let input = |name, label, hint: String, attributes| {
        form.input(&complaints, (name, label), hint, attributes)
    };
    let or = |mut input: Input, value: String| {
        if input.value.is_empty() && complaints.is_empty() {
            input.value = value;
        }
        input
    };
    const VLAN: &str = "type=\"number\" required min=\"2\" max=\"4094\" list=\"free-vlans\"";
    let body = CreateForm {
        summary: Summary { complaints: complaints.summary(&FIELDS) },
        connection: id.to_string(),
        connection_name: view.connection.name.clone(),
        name: input("name", "Name", "For people: how you know this interface.".into(), "type=\"text\" required maxlength=\"255\" autocomplete=\"off\""),
        vlan: or(input("vlan", "VLAN", vlan_hint, vlan_attributes), free.first().map_or_else(String::new, u16::to_string)),
        free_vlans: free,
        asn: input("asn", "Your BGP AS number", asn_hint(region.asn), "type=\"number\" required min=\"1\" max=\"4294967294\""),
        whose: whose(form.text("whose")),
        owner: input("owner", "Its intended owner", "The 12 digits of the other account. Its owner chooses the virtual gateway when accepting, within 7 days.".into(), "type=\"text\" inputmode=\"numeric\" pattern=\"[0-9]{12}\" maxlength=\"12\" autocomplete=\"off\""),
        gateway: around.choice(form.text("gateway"), complaints.on("gateway")),
        steps: around.steps(),
        family: region.ipv6.map(|_| family(form.text("family"), complaints.on("family"))),
        router_address: input("router_address", "Address of the DirectLink router", router_address_hint(region.ipv6), ADDRESS),
        customer_address: input("customer_address", "Address of your router", "In the same subnet, as 172.16.0.2/30.".into(), ADDRESS),
        key: Input { value: String::new(), ..input("key", "BGP key", "Optional. The MD5 key of the session, the same on your router: 1 to 80 printable characters without spaces.".into(), KEY) },
        mtu: or(input("mtu", "MTU", "The largest packet in bytes: 576 to 1500.".into(), "type=\"number\" required min=\"576\" max=\"1500\""), Mtu::MAX.to_string()),
        csrf: &who.signed.csrf,
    };
    Page::new("Create an interface", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .with_status(status, cockpit, &who.signed)
}

async fn taken_vlans(
    cockpit: &Cockpit,
    who: &Customer,
    id: ConnectionId,
) -> Result<BTreeSet<u16>, Trouble> {
    let filter = InterfaceFilter { connections: Some(vec![id]), ..InterfaceFilter::default() };
    let ctx = who.context(cockpit);
    let on = cockpit.app.interfaces(&ctx, &filter).await?;
    let live = on.iter().filter(|view| view.state.is_live());
    let hosted = cockpit.app.hosted_connections(&ctx, id).await?;
    let hosted = hosted.iter().filter(|view| view.connection.deleted_at.is_none());
    let shares = hosted.filter_map(|view| view.connection.hosting.as_ref());
    let shares = shares.map(|hosting| hosting.vlan);
    Ok(live.map(|view| view.interface.vlan).chain(shares).map(Vlan::as_u16).collect())
}

fn free_vlans(taken: &BTreeSet<u16>) -> Vec<u16> {
    (VLAN_FROM..=4094).filter(|vlan| !taken.contains(vlan)).take(VLANS_OFFERED).collect()
}

fn vlan_hint(taken: &BTreeSet<u16>) -> String {
    let own = "2 to 4094; each interface of a connection has its own.";
    match taken.is_empty() {
        true => format!("{own} None is taken yet."),
        false => {
            let taken: Vec<_> = taken.iter().map(u16::to_string).collect();
            format!("{own} Taken: {}.", taken.join(", "))
        }
    }
}

pub(super) fn asn_hint(region: RegionAsn) -> String {
    format!(
        "Your own public number, or a private one: 64512 to 65534, or 4200000000 to 4294967294. The DirectLink router speaks as {}, which is not yours to use.",
        region.0
    )
}

pub(super) fn router_address_hint(ipv6: Option<Ipv6Block>) -> String {
    let own = "With its prefix length, as 172.16.0.1/30. Empty: a free /30 of 169.254.0.0/16 is taken for both sides";
    match ipv6 {
        None => format!("{own}."),
        Some(block) => format!("{own}; for IPv6 a free /125 of {block}."),
    }
}

/// The first is chosen where nothing was.
pub(super) fn options<const N: usize>(given: &str, all: [[&str; 3]; N]) -> Vec<Choosable> {
    let first = all.first().map_or("", |[value, ..]| value);
    let chosen = if given.is_empty() { first } else { given };
    let option = |[value, label, note]: [&str; 3]| Choosable {
        value: value.into(),
        label: label.into(),
        note: note.into(),
        chosen: chosen == value,
        closed: false,
    };
    all.map(option).into()
}

fn family(given: &str, complaint: Option<String>) -> Choice {
    let all = [
        ["ipv4", "IPv4", "The Net's IPv4 range is reached."],
        [
            "ipv6",
            "IPv6 alone",
            "The Net's IPv6 range is reached. A peer of IPv4 can be added to it.",
        ],
    ];
    let options = options(given, all);
    Choice { name: "family", legend: "BGP session", options, hint: String::new(), complaint }
}

fn whose(given: &str) -> Choice {
    let hosted = "A hosted DirectLink interface: its intended owner must accept it before it handles traffic.";
    Choice {
        name: "whose",
        legend: "Who uses it",
        options: options(
            given,
            [
                ["mine", "My account", "It leads to one of your Nets."],
                ["hosted", "Another account", hosted],
            ],
        ),
        hint: String::new(),
        complaint: None,
    }
}

pub(in crate::cockpit) async fn create(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let ctx = who.context(&cockpit);
    let views = cockpit.app.connections(&ctx, None).await?;
    let given = form.text("connection");
    let Some(view) = views.iter().find(|view| view.connection.id.to_string() == given) else {
        let full = full_shares(&cockpit, &who).await?;
        return choose(&cockpit, &who, (&views, &full), given);
    };
    let hosted = form.text("whose") == "hosted";
    let command = match command(view.connection.id, hosted, &form) {
        Ok(command) => command,
        Err(complaints) => return again(&cockpit, &who, (view, &form), complaints).await,
    };
    match cockpit.app.create_interface(&ctx, command).await {
        Ok(made) => {
            let done = if hosted { "hosted" } else { "created" };
            Ok(see_other(&format!("/cockpit/interfaces/{}?done={done}", made.interface.id)))
        }
        Err(Refusal::Fault(fault)) => {
            let complaints = Complaints::one(refusal::field(&fault), fault.to_string());
            again(&cockpit, &who, (view, &form), complaints).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Texts into words; what is none is said beside its field.
fn command(
    connection: ConnectionId,
    hosted: bool,
    form: &Form,
) -> Result<CreateInterface, Complaints> {
    let mut bad = Complaints::none();
    let vlan = bad.take("vlan", number(form.text("vlan"), Vlan::try_from));
    let asn = bad.take("asn", number(form.text("asn"), Asn::try_from));
    let mtu = bad.take("mtu", number(form.text("mtu"), Mtu::try_from));
    let ipv6 = bad.take("family", is_ipv6(form.text("family")));
    let key = optional(form.text("key"), |text| BgpKey::try_from(text));
    let key = bad.take("key", key).flatten();
    let router_address =
        bad.take("router_address", optional(form.text("router_address"), address)).flatten();
    let customer_address =
        bad.take("customer_address", optional(form.text("customer_address"), address)).flatten();
    let (mut owner, mut gateway) = (None, None);
    match hosted {
        true => owner = bad.take("owner", AccountId::from_str(form.text("owner"))),
        false => {
            let chosen = GatewayId::from_str(form.text("gateway"));
            gateway = bad.take("gateway", chosen.map_err(|_| "Choose a virtual gateway"));
        }
    }
    match (vlan, asn, mtu, ipv6) {
        (Some(vlan), Some(asn), Some(mtu), Some(ipv6)) if bad.is_empty() => Ok(CreateInterface {
            trunk: connection.into(),
            owner,
            name: form.text("name").into(),
            vlan,
            asn,
            key,
            ipv6,
            router_address,
            customer_address,
            mtu,
            gateway,
            tags: TagSet::default(),
        }),
        _ => Err(bad),
    }
}

/// # Errors
/// No number, or not one of its kind.
pub(super) fn number<T, E: ToString>(
    text: &str,
    parse: impl Fn(i64) -> Result<T, E>,
) -> Result<T, String> {
    let number: i64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
    parse(number).map_err(|why| why.to_string())
}

/// A Region of IPv4 alone does not ask.
pub(super) fn is_ipv6(family: &str) -> Result<bool, &'static str> {
    match family {
        "" | "ipv4" => Ok(false),
        "ipv6" => Ok(true),
        _ => Err("choose IPv4 or IPv6"),
    }
}

pub(super) fn optional<T, E>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, E> {
    match text.is_empty() {
        true => Ok(None),
        false => parse(text).map(Some),
    }
}

pub(super) fn address(text: &str) -> Result<IpNet, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not an address with its prefix length, as 172.16.0.1/30"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_vlans_are_offered_and_none_that_is_taken() {
        let taken = [101, 103].into();
        assert_eq!(free_vlans(&taken)[..3], [102, 104, 105]);
        assert_eq!(free_vlans(&taken).len(), VLANS_OFFERED);
        assert!(free_vlans(&(2..=4094).collect()).is_empty());
    }
}
