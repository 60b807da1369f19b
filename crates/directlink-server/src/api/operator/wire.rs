//! The operator's JSON: what is asked, and what is shown.

use crate::{app, ca::Identity};
use directlink_model::{
    account::Account,
    connection::Approval as Approved,
    diagnosis::{Carried, ConnectionDiagnosis, Diagnosis, Rung},
    ids::{LocationCode, RouterName, SubregionName},
    inventory::{Act, MeetMeRoom, Optics, Panel, Position},
    location::{Location, Port, Region, Router},
    needs::{Needs, Reach},
    view::{ConnectionView, InterfaceView, QuotaView},
};
use directlink_net::Ipv6Block;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLocation {
    pub(super) code: LocationCode,
    pub(super) name: String,
    pub(super) subregion: SubregionName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRouter {
    pub(super) name: RouterName,
    pub(super) location: LocationCode,
    pub(super) vtep: Ipv4Addr,
    /// False: it makes its key itself, and comes with a token.
    pub(super) identity: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    pub(super) good_for_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPort {
    pub(super) port: String,
    pub(super) speed: String,
    pub(super) optics: Option<String>,
    pub(super) position: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    pub(super) port: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    pub(super) reason: String,
}

/// The member must be there: `{}` would be a place forgotten, not a place withdrawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) vtep: Option<Ipv4Addr>,
}

/// What is left out stays as it is, what is null is taken away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortChange {
    #[serde(default, deserialize_with = "given")]
    pub(super) optics: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) position: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoom {
    pub(super) room: String,
    pub(super) data_centre: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPanel {
    pub(super) panel: String,
    pub(super) positions: u16,
    pub(super) connector: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    pub(super) by: String,
    pub(super) at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendLetter {
    #[serde(default)]
    pub(super) renew: bool,
}

/// The member `limit` must be there, as that of [`Place`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewQuota {
    pub(super) quota: String,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    pub(super) seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) fn region(region: &Region) -> Value {
    json!({ "name": region.name, "asn": region.asn.0, "ipv6": region.ipv6 })
}

pub(super) fn account(account: &Account) -> Value {
    json!({ "id": account.id, "login": account.email, "created_at": account.created_at })
}

pub(super) fn new_account(made: &app::NewAccount) -> Value {
    json!({
        "id": made.account.id,
        "access_key": made.access_key.key.id,
        "secret_key": made.access_key.secret.expose(),
        "login": made.account.email,
        "password": made.password.expose_secret(),
    })
}

pub(super) fn quota(view: &QuotaView) -> Value {
    json!({ "quota": view.quota.as_str(), "limit": view.limit, "used": view.used })
}

pub(super) fn location(location: &Location) -> Value {
    json!({ "code": location.code, "name": location.name, "subregion": location.subregion })
}

pub(super) fn router(router: &Router) -> Value {
    json!({
        "name": router.name,
        "location": router.location,
        "vtep": router.vtep,
        "bgp_identifier": router.bgp_identifier,
    })
}

pub(super) fn new_router(made: &app::NewRouter) -> Value {
    let mut value = router(&made.router);
    value["identity"] = identity(&made.identity);
    value
}

pub(super) fn router_with_agent(view: &app::RouterView) -> Value {
    let scope = |scope: &app::ScopeView| {
        json!({
            "scope": scope.scope,
            "wanted_generation": scope.wanted_generation,
            "acknowledged_generation": scope.acknowledged_generation,
            "failure": scope.failure,
        })
    };
    let mut value = router(&view.router);
    value["agent"] = json!({
        "connected": view.agent.connected,
        "build": view.agent.build,
        "last_seen_at": view.agent.last_seen_at,
        "scopes": view.agent.scopes.iter().map(scope).collect::<Vec<_>>(),
    });
    value["certificate"] = certificate(&view.certificate);
    value
}

pub(super) fn certificate(view: &app::CertificateView) -> Value {
    json!({
        "issued_at": view.issued_at,
        "expires_at": view.expires_at,
        "token_until": view.token_until,
    })
}

pub(super) fn token(made: &app::NewToken) -> Value {
    json!({
        "router": made.token.router,
        "token": made.token.expose_text(),
        "expires_at": made.expires_at,
    })
}

pub(super) fn identity(identity: &Identity) -> Value {
    json!({
        "ca_pem": identity.ca_pem,
        "cert_pem": identity.certificate_pem,
        "key_pem": identity.key_pem.expose_secret(),
    })
}

pub(super) fn new_port(port: &Port) -> Value {
    json!({
        "port": format!("{}/{}", port.router, port.name),
        "router": port.router,
        "name": port.name,
        "speed": port.speed.as_str(),
        "optics": port.optics.map(Optics::as_str),
        "position": port.position.as_ref().map(Position::to_string),
        "connection": null,
        "light": null,
        "transceiver": null,
    })
}

pub(super) fn port(view: &app::PortView) -> Value {
    let mut value = new_port(&view.port);
    value["connection"] = json!(view.connection);
    value["light"] = json!(view.light);
    value["transceiver"] = json!(view.transceiver);
    value
}

pub(super) fn connection(view: &ConnectionView) -> Value {
    let connection = &view.connection;
    let approval = connection.approval.as_ref();
    let hosting = connection.hosting.as_ref();
    // The order that was approved was its parent's.
    let approved = approval.filter(|_| hosting.is_none());
    json!({
        "id": connection.id,
        "account": connection.account,
        "name": connection.name,
        "location": connection.location,
        "bandwidth": connection.capacity_str(),
        "lag": connection.lag,
        "state": view.state.as_str(),
        "requested_at": connection.requested_at,
        "approved_at": approved.map(|a| a.approved_at),
        "port": approval.map(|a| a.port.to_string()),
        "light": connection.light.map(|l| l.on),
        "light_since": connection.light.map(|l| l.since),
        "hosted_on": hosting.map(|h| h.parent),
        "vlan": hosting.map(|h| h.vlan),
        "letter_until": connection.letter().ok().map(Approved::letter_until),
        "refused_at": connection.refused.as_ref().map(|r| r.at),
        "refusal": connection.refused.as_ref().map(|r| r.reason.as_str()),
    })
}

/// Without the key: it is the customer's.
pub(super) fn interface(view: &InterfaceView) -> Value {
    let interface = &view.interface;
    let (peer, seen) = (interface.main_peer(), interface.overall());
    json!({
        "id": interface.id,
        "connection": interface.connection,
        "lag": interface.lag,
        "owner": interface.owner,
        "name": interface.name,
        "vlan": interface.vlan,
        "asn": peer.asn,
        "mtu": interface.mtu,
        "state": view.state.as_str(),
        "gateway": interface.gateway,
        "router_address": peer.addresses.router(),
        "customer_address": peer.addresses.customer(),
        "configured": seen.configured,
        "session_up": seen.session_up,
        "forwarding": seen.forwarding,
    })
}

/// Of IPv6 nothing, where the Region has none.
pub(super) fn nic(placed: &app::PlacedNic, ipv6: Option<Ipv6Block>) -> Value {
    let nic = &placed.nic;
    let (vni, range) = (placed.net.vni, placed.subnet.range);
    json!({
        "ipv6_subnet_range": ipv6.map(|block| block.subnet(vni, range)),
        "ipv6_gateway_address": ipv6.map(|block| block.gateway(vni, range)),
        "ipv6_address": ipv6.map(|block| block.nic(vni, range, nic.address)),
        "id": nic.id,
        "account": nic.account,
        "net": nic.net,
        "vni": placed.net.vni,
        "net_range": placed.net.range,
        "subnet": nic.subnet,
        "subnet_range": placed.subnet.range,
        "gateway_address": placed.subnet.gateway(),
        "address": nic.address,
        "mac": nic.mac,
        "vtep": nic.vtep,
    })
}

pub(super) fn diagnosis(diagnosis: &Diagnosis) -> Value {
    json!({
        "interface": diagnosis.interface.to_string(),
        "at": diagnosis.at,
        "customer_address": diagnosis.customer,
        "first_failed": diagnosis.first_failed().map(rung),
        "rungs": diagnosis.rungs.iter().map(rung).collect::<Vec<_>>(),
    })
}

pub(super) fn connection_diagnosis(diagnosis: &ConnectionDiagnosis) -> Value {
    let carried = |it: &Carried| {
        json!({
            "interface": it.interface,
            "vlan": it.vlan,
            "state": it.state.as_str(),
            "first_failed": it.first_failed.as_ref().map(rung),
        })
    };
    json!({
        "connection": diagnosis.connection,
        "at": diagnosis.at,
        "first_failed": diagnosis.first_failed().map(rung),
        "rungs": diagnosis.rungs.iter().map(rung).collect::<Vec<_>>(),
        "interfaces": diagnosis.interfaces.iter().map(carried).collect::<Vec<_>>(),
    })
}

fn rung(rung: &Rung) -> Value {
    json!({
        "step": rung.step.name(),
        "title": rung.step.title(),
        "outcome": rung.outcome.as_str(),
        "evidence": rung.evidence,
        "seen_at": rung.seen_at,
        "remedy": rung.remedy,
    })
}

pub(super) fn mail(view: &app::MailView) -> Value {
    let (mail, notice) = (&view.mail, view.mail.notice);
    json!({
        "id": mail.id,
        "kind": notice.occasion.kind(),
        "subject": notice.occasion.subject(),
        "account": notice.to,
        "email": view.email,
        "at": notice.at,
        "created_at": mail.created_at,
        "attempts": mail.attempts,
        "next_try_at": mail.next_try_at,
        "failure": mail.failure,
        "sent_at": mail.sent_at,
        "dropped_at": mail.dropped_at,
    })
}

pub(super) fn capacity(view: &app::CapacityView) -> Value {
    let speed = |s: &app::SpeedCapacity| {
        json!({
            "speed": s.speed.as_str(),
            "ports": s.stock.ports,
            "free": s.stock.free,
            "promised": s.stock.promised,
        })
    };
    let mut value = location(&view.location);
    value["orders_beyond_refused"] = json!(view.is_counted);
    value["capacity"] = view.speeds.iter().map(speed).collect();
    value
}

pub(super) fn room(room: &MeetMeRoom) -> Value {
    json!({
        "room": room.at.to_string(),
        "location": room.at.location,
        "name": room.at.room,
        "data_centre": room.data_centre,
    })
}

pub(super) fn panel(panel: &Panel) -> Value {
    json!({
        "panel": panel.at.to_string(),
        "room": panel.at.room.to_string(),
        "name": panel.at.panel,
        "positions": panel.positions,
        "connector": panel.connector.as_str(),
    })
}

/// With what is wired to it.
pub(super) fn panel_view(view: &app::PanelView) -> Value {
    let wired = |(number, wired): (&u16, &app::WiredView)| {
        json!({
            "position": number,
            "port": wired.port.to_string(),
            "connection": wired.connection,
        })
    };
    let mut value = panel(&view.panel);
    value["wired"] = view.wired.iter().map(wired).collect();
    value
}

pub(super) fn cross_connect(view: &app::CrossConnectView) -> Value {
    let it = &view.cross_connect;
    let (patched, unpatched) = (it.patched.as_ref(), it.unpatched.as_ref());
    let by = |act: &Act| act.by.clone();
    json!({
        "connection": it.connection,
        "name": view.name,
        "account": view.account,
        "location": view.location,
        "position": it.position.as_ref().map(Position::to_string),
        "port": it.port.to_string(),
        "state": it.state().as_str(),
        "ordered_at": it.ordered_at,
        "patched_at": patched.map(|act| act.at),
        "patched_by": patched.and_then(by),
        "unpatched_at": unpatched.map(|act| act.at),
        "unpatched_by": unpatched.and_then(by),
    })
}

pub(super) fn letter(view: &app::LetterView) -> Value {
    let connection = &view.connection.connection;
    json!({
        "connection": connection.id,
        "name": connection.name,
        "account": connection.account,
        "location": connection.location,
        "issued_at": view.issued_at,
        "valid_until": view.valid_until,
        "standing": view.standing.as_str(),
        "mailed": view.mailed,
        "last_mailed_at": view.last_mailed_at,
    })
}

/// An order that waits, with what its customer told.
pub(super) fn order(view: &ConnectionView, needs: Option<&Needs>) -> Value {
    let mut value = connection(view);
    value["reach"] = json!(needs.and_then(|needs| needs.reach).map(Reach::as_str));
    value["provider"] = json!(needs.and_then(|needs| needs.provider.clone()));
    value["hosts_equipment"] = json!(needs.is_some_and(|needs| needs.hosts_equipment));
    value
}
