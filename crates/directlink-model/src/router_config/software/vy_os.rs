//! VyOS: `set` lines; read in that form or in braces.

use super::{Language, each, identifier, key, preamble, prefixes, when};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::{At, KeySeen, Link, Neighbour, Reading, at},
    text::braces::{self, Style},
};

pub(super) struct VyOs;

impl Language for VyOs {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste in configuration mode, look at it (compare), commit, save.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("#", "VyOS 1.4", how, intent)
            + &identifier("#", "set protocols bgp parameters router-id 'A.B.C.D'", intent);
        let sessions = each(intent, |s| session(intent, s));
        let asn = intent.customer_asn;
        format!(
            "\
{top}#
{}#
{policies}#
# If this router speaks with another AS already: leave the next line out, and set
# local-as {asn} no-prepend replace-as at the neighbor.
set protocols bgp system-as '{asn}'
{sessions}",
            interface(intent)
        )
    }

    fn read(&self, text: &str) -> Reading {
        let mut reading = Reading::default();
        for statement in braces::statements(text, Style { by_line: true, escapes: false }) {
            let words = statement.words();
            match words.as_slice() {
                // VyOS 1.3 has the number in the path.
                ["protocols", "bgp", asn, rest @ ..] if asn.parse::<u32>().is_ok() => {
                    reading.local_asn = at(asn, statement.line);
                    read_bgp(statement.line, rest, &mut reading);
                }
                ["protocols", "bgp", rest @ ..] => read_bgp(statement.line, rest, &mut reading),
                words => read_statement(statement.line, words, &mut reading),
            }
        }
        reading
    }
}

fn interface(intent: &Intent) -> String {
    let port = intent.port_or("eth0");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let at = format!("set interfaces ethernet {port} vif {vlan}");
    let addresses = each(intent, |s| format!("{at} address '{}'\n", s.peer.customer()));
    format!(
        "\
# CHANGE {port}: the port that holds the cross-connect.
set interfaces ethernet {port} description 'DirectLink cross-connect'
{at} description '{description}'
{at} mtu '{mtu}'
{addresses}"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let (kind, ip) = match family {
        Family::V4 => ("prefix-list", "ip"),
        Family::V6 => ("prefix-list6", "ipv6"),
    };
    let list = prefixes(intent, (way, family), "#", |n, net| {
        let rule = format!("set policy {kind} {name} rule {}", 10 * (n + 1));
        format!("{rule} action 'permit'\n{rule} prefix '{net}'\n")
    });
    let rule = format!("set policy route-map {name} rule 10");
    format!("{list}{rule} action 'permit'\n{rule} match {ip} address prefix-list '{name}'\n")
}

fn session(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let peer = session.peer.router().addr();
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description) = (intent.region_asn.0, intent.description());
    let unicast = match family {
        Family::V4 => "address-family ipv4-unicast",
        Family::V6 => "address-family ipv6-unicast",
    };
    let at = format!("set protocols bgp neighbor {peer}");
    let key = key(session).map_or_else(String::new, |k| format!("{at} password {}\n", word(k)));
    let interval = format!("set protocols bfd peer {peer} interval");
    let bfd = when(
        intent.bfd,
        format!(
            "\
{at} bfd
{interval} multiplier '{BFD_MULTIPLIER}'
{interval} receive '{BFD}'
{interval} transmit '{BFD}'
"
        ),
    );
    let networks = prefixes(intent, (Way::Out, family), "#", |_, net| {
        format!("set protocols bgp {unicast} network {net}\n")
    });
    format!(
        "\
# A network is announced while its exact route is in the routing table.
{networks}{at} remote-as '{region}'
{at} description '{description}'
{key}{at} timers holdtime '{HOLD}'
{at} timers keepalive '{KEEPALIVE}'
{bfd}{at} {unicast} maximum-prefix '{PREFIXES_MAX}'
{at} {unicast} route-map import '{import}'
{at} {unicast} route-map export '{export}'
{at} {unicast} soft-reconfiguration inbound
"
    )
}

/// In the quotes that the word does not have; VyOS knows no escape.
fn word(text: &str) -> String {
    match text.contains('\'') {
        true => format!("\"{text}\""),
        false => format!("'{text}'"),
    }
}

fn read_statement(line: usize, words: &[&str], reading: &mut Reading) {
    match words {
        ["interfaces", _, port, "vif", vlan, rest @ ..] => {
            let link = reading.link(&format!("{port}.{vlan}"), line);
            link.parent = Some((*port).to_owned());
            link.vlan = link.vlan.take().or_else(|| at(vlan, line));
            read_vif(line, rest, link);
        }
        ["interfaces", _, port, "disable"] => {
            reading.link(port, line).shut = Some(At { line, is: true });
        }
        ["policy", "prefix-list" | "prefix-list6", _, "rule", _, "prefix", prefix] => {
            reading.permit(prefix, line);
        }
        _ => {}
    }
}

fn read_vif(line: usize, words: &[&str], link: &mut Link) {
    match words {
        ["address", address] => link.address(address, line),
        ["description", words @ ..] => link.description = words.join(" "),
        ["disable"] => link.shut = Some(At { line, is: true }),
        ["mtu", bytes] => link.mtu(bytes, 0, line),
        _ => {}
    }
}

fn read_bgp(line: usize, words: &[&str], reading: &mut Reading) {
    match words {
        ["system-as" | "local-as", asn] => reading.local_asn = at(asn, line),
        ["neighbor", peer, rest @ ..] => read_session(line, rest, reading.neighbour(peer, line)),
        ["peer-group", group, rest @ ..] => {
            read_session(line, rest, reading.neighbour(&format!("group {group}"), line));
        }
        _ => {}
    }
}

fn read_session(line: usize, words: &[&str], n: &mut Neighbour) {
    match words {
        ["remote-as", asn] => n.remote_asn = at(asn, line),
        ["local-as", asn, ..] => n.local_asn = at(asn, line),
        ["description", words @ ..] => n.description = words.join(" "),
        ["password", key] => n.key = Some(At { line, is: KeySeen::plain(key) }),
        ["peer-group", group] => n.inherits.push(format!("group {group}")),
        ["timers", "holdtime", seconds] => n.hold_time(seconds, line),
        ["bfd", ..] => n.bfd = Some(At { line, is: true }),
        ["shutdown", ..] => n.shut = Some(At { line, is: true }),
        ["update-source", address] => {
            n.local_address = address.parse().ok().map(|is| At { line, is });
        }
        ["address-family", "ipv4-unicast", rest @ ..] => {
            n.family(Family::V4, true, line);
            read_policy(line, rest, n);
        }
        ["address-family", "ipv6-unicast", rest @ ..] => {
            n.family(Family::V6, true, line);
            read_policy(line, rest, n);
        }
        _ => {}
    }
}

fn read_policy(line: usize, words: &[&str], n: &mut Neighbour) {
    match words {
        ["route-map" | "prefix-list" | "filter-list", "import", name] => {
            n.policy(Way::In, name, line);
        }
        ["route-map" | "prefix-list" | "filter-list", "export", name] => {
            n.policy(Way::Out, name, line);
        }
        _ => {}
    }
}
