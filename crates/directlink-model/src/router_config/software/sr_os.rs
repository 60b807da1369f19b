//! Nokia SR OS, model-driven CLI: flat lines; read flat or in braces.

use super::{Language, each, key, preamble, prefixes, quoted, when};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::{At, KeySeen, Link, Neighbour, Reading, at},
    text::braces::{self, Style},
};
use std::collections::BTreeMap;

pub(super) struct SrOs;

impl Language for SrOs {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste after: edit-config private. Look at it (compare), commit, save.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("#", "Nokia SR OS (MD-CLI)", how, intent);
        let sessions = each(intent, |s| session(intent, s));
        let (asn, group) = (intent.customer_asn, intent.id);
        format!(
            "\
{top}#
{}#
{policies}#
# If this router speaks with another AS already: leave the next line out, and configure
# local-as as-number {asn} at the neighbor.
/configure router \"Base\" autonomous-system {asn}
/configure router \"Base\" bgp admin-state enable
/configure router \"Base\" bgp ebgp-default-reject-policy import true
/configure router \"Base\" bgp ebgp-default-reject-policy export true
/configure router \"Base\" bgp group \"{group}\" admin-state enable
{sessions}",
            interface(intent)
        )
    }

    fn read(&self, text: &str) -> Reading {
        let families_unless_said = vec![Family::V4];
        let mut reading = Reading { families_unless_said, ..Reading::default() };
        let mut halves = Halves::default();
        for statement in braces::statements(text, Style { by_line: true, escapes: true }) {
            let words = statement.words();
            let words = match words.as_slice() {
                ["configure" | "/configure", rest @ ..] => rest,
                all => all,
            };
            let words = match words {
                ["router", _, rest @ ..] | ["service", "vprn" | "ies", _, rest @ ..] => rest,
                all => all,
            };
            read_statement(statement.line, words, &mut reading, &mut halves);
        }
        for (name, half) in halves {
            let (Some(address), Some(length)) = (half.address, half.length) else { continue };
            let link = reading.link(&name, address.line);
            link.address(&format!("{}/{}", address.is, length.is), address.line);
            if let Ok(address) = address.is.parse() {
                link.lengths.insert(address, length.line);
            }
        }
        reading
    }
}

fn interface(intent: &Intent) -> String {
    let port = intent.port_or("1/1/c1/1");
    let (vlan, mtu, description, name) = (intent.vlan, intent.mtu, intent.description(), intent.id);
    let at = format!("/configure router \"Base\" interface \"{name}\"");
    let addresses = each(intent, |s| {
        let own = s.peer.customer();
        let (address, length) = (own.addr(), own.prefix_len());
        let (family, lines) = match s.family() {
            Family::V4 => (
                "ipv4",
                format!(
                    "{at} ipv4 primary address {address}\n{at} ipv4 primary prefix-length {length}\n"
                ),
            ),
            Family::V6 => ("ipv6", format!("{at} ipv6 address {address} prefix-length {length}\n")),
        };
        let bfd = format!(
            "\
{at} {family} bfd admin-state enable
{at} {family} bfd transmit-interval {BFD}
{at} {family} bfd receive {BFD}
{at} {family} bfd multiplier {BFD_MULTIPLIER}
"
        );
        lines + &when(intent.bfd, bfd)
    });
    format!(
        "\
# CHANGE {port}: the port that holds the cross-connect. Its ethernet mtu must be 1518 or more.
/configure port {port} description \"DirectLink cross-connect\"
/configure port {port} ethernet mode hybrid
/configure port {port} ethernet encap-type dot1q
/configure port {port} admin-state enable
{at} description \"{description}\"
{at} port {port}:{vlan}
{at} ip-mtu {mtu}
{addresses}{at} admin-state enable
"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let list = prefixes(intent, (way, family), "#", |_, net| {
        format!("/configure policy-options prefix-list \"{name}\" prefix {net} type exact\n")
    });
    let statement = format!("/configure policy-options policy-statement \"{name}\"");
    format!(
        "\
{list}{statement} entry 10 from prefix-list [\"{name}\"]
{statement} entry 10 action action-type accept
{statement} default-action action-type reject
"
    )
}

fn session(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let (peer, own) = (session.peer.router().addr(), session.peer.customer().addr());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description, group) = (intent.region_asn.0, intent.description(), intent.id);
    let at = format!("/configure router \"Base\" bgp neighbor \"{peer}\"");
    let key = key(session)
        .map_or_else(String::new, |k| format!("{at} authentication-key {}\n", quoted(k)));
    let bfd = when(intent.bfd, format!("{at} bfd-liveness true\n"));
    let (name, other) = match family {
        Family::V4 => ("ipv4", String::new()),
        Family::V6 => ("ipv6", format!("{at} family ipv4 false\n")),
    };
    format!(
        "\
{at} description \"{description}\"
{at} group \"{group}\"
{at} local-address {own}
{at} peer-as {region}
{key}{at} keepalive {KEEPALIVE}
{at} hold-time seconds {HOLD}
{bfd}{other}{at} family {name} true
{at} import policy [\"{import}\"]
{at} export policy [\"{export}\"]
{at} prefix-limit {name} maximum {PREFIXES_MAX}
{at} prefix-limit {name} threshold 80
{at} prefix-limit {name} idle-timeout 5
{at} admin-state enable
"
    )
}

/// An address and its length come in two statements.
#[derive(Default)]
struct Half {
    address: Option<At<String>>,
    length: Option<At<String>>,
}

/// By the interface's name.
type Halves = BTreeMap<String, Half>;

fn read_statement(line: usize, words: &[&str], reading: &mut Reading, halves: &mut Halves) {
    let disabled = |state: &str| Some(At { line, is: state == "disable" });
    match words {
        ["port", port, "admin-state", state] => reading.link(port, line).shut = disabled(state),
        ["autonomous-system", asn] => reading.local_asn = at(asn, line),
        ["policy-options", "prefix-list", _, "prefix", prefix, ..] => reading.permit(prefix, line),
        ["interface", name, "ipv4", "primary", "address", address, ..] => {
            halves.entry((*name).to_owned()).or_default().address = at(address, line);
        }
        ["interface", name, "ipv4", "primary", "prefix-length", length, ..] => {
            halves.entry((*name).to_owned()).or_default().length = at(length, line);
        }
        ["interface", name, "ipv6", "address", address, "prefix-length", length, ..] => {
            reading.link(name, line).address(&format!("{address}/{length}"), line);
        }
        ["interface", name, rest @ ..] => read_interface(line, rest, reading.link(name, line)),
        ["bgp", "neighbor", peer, rest @ ..] => {
            read_session(line, rest, reading.neighbour(peer, line));
        }
        ["bgp", "group", group, rest @ ..] => {
            read_session(line, rest, reading.neighbour(&format!("group {group}"), line));
        }
        _ => {}
    }
}

fn read_interface(line: usize, words: &[&str], link: &mut Link) {
    match words {
        ["admin-state", state] => link.shut = Some(At { line, is: *state == "disable" }),
        ["description", words @ ..] => link.description = words.join(" "),
        ["ip-mtu", bytes] => link.mtu(bytes, 0, line),
        // Of a service: `sap 1/1/c1/1:101`. A port alone is its untagged frames.
        ["port" | "sap", port, ..] => {
            let (port, vlan) = port.rsplit_once(':').unwrap_or((port, "no tag"));
            link.parent = Some(port.to_owned());
            link.vlan = at(vlan, line);
        }
        _ => {}
    }
}

fn read_session(line: usize, words: &[&str], n: &mut Neighbour) {
    let yes = |word: &str| Some(At { line, is: word == "true" });
    match words {
        ["admin-state", state] => n.shut = Some(At { line, is: *state == "disable" }),
        ["description", words @ ..] => n.description = words.join(" "),
        ["group", group] => n.inherits.push(format!("group {group}")),
        ["peer-as", asn] => n.remote_asn = at(asn, line),
        ["local-as", "as-number", asn, ..] => n.local_asn = at(asn, line),
        ["local-address", address] => {
            n.local_address = address.parse().ok().map(|is| At { line, is });
        }
        ["authentication-key", key, ..] => {
            let hidden = [" hash", " hash2", " custom"].iter().any(|how| key.ends_with(how));
            let is = if hidden { KeySeen::Encrypted } else { KeySeen::plain(key) };
            n.key = Some(At { line, is });
        }
        ["hold-time", "seconds", seconds, ..] => n.hold_time(seconds, line),
        ["bfd-liveness", on] => n.bfd = yes(on),
        ["family", "ipv4", on] => n.family(Family::V4, *on == "true", line),
        ["family", "ipv6", on] => n.family(Family::V6, *on == "true", line),
        ["import", "policy", policy, ..] => n.policy(Way::In, policy, line),
        ["export", "policy", policy, ..] => n.policy(Way::Out, policy, line),
        _ => {}
    }
}
