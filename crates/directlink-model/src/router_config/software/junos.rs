//! Juniper Junos, in `set` form; read in that form or in braces.

use super::{Language, each, identifier, key, preamble, prefixes, quoted, when};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::{At, KeySeen, Link, Neighbour, Reading, at},
    text::braces::{self, Style},
};
use directlink_net::Mtu;

/// `mtu` of the port counts the Ethernet header and the tag. Other units may need all of it.
const OVERHEAD: u16 = 18;

pub(super) struct Junos;

impl Language for Junos {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste after: configure, load set terminal. Look at it (show | compare), commit.";
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let top = preamble("#", "Juniper Junos", how, intent)
            + &identifier("#", "set routing-options router-id A.B.C.D", intent);
        let sessions = each(intent, |s| session(intent, s));
        let asn = intent.customer_asn;
        format!(
            "\
{top}#
{}#
{policies}#
# If this router speaks with another AS already: leave the next line out, and set
# local-as {asn} private no-prepend-global-as at the neighbor.
set routing-options autonomous-system {asn}
{} type external
{sessions}",
            interfaces(intent),
            group(intent)
        )
    }

    fn read(&self, text: &str) -> Reading {
        let by_line = text.lines().any(|line| line.trim_start().starts_with("set "));
        let families_unless_said = vec![Family::V4];
        let mut reading = Reading { families_unless_said, ..Reading::default() };
        for statement in braces::statements(text, Style { by_line, escapes: true }) {
            let words = statement.words();
            let words = match words.as_slice() {
                ["routing-instances", _, rest @ ..] => rest,
                all => all,
            };
            read_statement((statement.line, !statement.negated), words, &mut reading);
        }
        reading
    }
}

fn interfaces(intent: &Intent) -> String {
    let port = intent.port_or("ge-0/0/0");
    let (vlan, mtu, description) = (intent.vlan, intent.mtu, intent.description());
    let frame = Mtu::MAX.as_u16() + OVERHEAD;
    let unit = format!("set interfaces {port} unit {vlan}");
    let addresses = each(intent, |s| {
        let family = inet(s.family());
        let own = s.peer.customer();
        format!("{unit} family {family} mtu {mtu}\n{unit} family {family} address {own}\n")
    });
    format!(
        "\
# CHANGE {port}: the port that holds the cross-connect. Leave its mtu out if it is larger already.
set interfaces {port} description \"DirectLink cross-connect\"
set interfaces {port} vlan-tagging
set interfaces {port} mtu {frame}
{unit} description \"{description}\"
{unit} vlan-id {vlan}
{addresses}# SRX only: put {port}.{vlan} into a security zone whose host-inbound-traffic admits the
# protocols bgp and bfd.
"
    )
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let list = prefixes(intent, (way, family), "#", |_, net| {
        format!("set policy-options prefix-list {name} {net}\n")
    });
    let statement = format!("set policy-options policy-statement {name} term");
    format!(
        "\
{list}{statement} listed from prefix-list {name}
{statement} listed then accept
{statement} rest then reject
"
    )
}

fn group(intent: &Intent) -> String {
    format!("set protocols bgp group {}", intent.id)
}

fn session(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let (peer, own) = (session.peer.router().addr(), session.peer.customer().addr());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description, inet) = (intent.region_asn.0, intent.description(), inet(family));
    let at = format!("{} neighbor {peer}", group(intent));
    let key = key(session)
        .map_or_else(String::new, |k| format!("{at} authentication-key {}\n", quoted(k)));
    let bfd = when(
        intent.bfd,
        format!(
            "{at} bfd-liveness-detection minimum-interval {BFD}\n{at} bfd-liveness-detection multiplier {BFD_MULTIPLIER}\n"
        ),
    );
    format!(
        "\
{at} description \"{description}\"
{at} local-address {own}
{at} peer-as {region}
{key}{at} hold-time {HOLD}
{at} import {import}
{at} export {export}
{at} family {inet} unicast prefix-limit maximum {PREFIXES_MAX}
{at} family {inet} unicast prefix-limit teardown 80 idle-timeout 5
{bfd}# The keepalive follows the hold time: {KEEPALIVE} s. A prefix is announced while a route to
# exactly it is active.
"
    )
}

fn inet(family: Family) -> &'static str {
    match family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    }
}

fn read_statement((line, on): (usize, bool), words: &[&str], reading: &mut Reading) {
    match words {
        ["interfaces", port, "unit", unit, rest @ ..] => {
            let link = reading.link(&format!("{port}.{unit}"), line);
            link.parent = Some((*port).to_owned());
            match rest.is_empty() && !on {
                true => link.shut = Some(At { line, is: true }),
                false => read_unit(line, rest, link),
            }
        }
        ["interfaces", port, "disable"] => {
            reading.link(port, line).shut = Some(At { line, is: true });
        }
        ["interfaces", port] if !on => reading.link(port, line).shut = Some(At { line, is: true }),
        ["routing-options", "autonomous-system", asn, ..] => reading.local_asn = at(asn, line),
        ["policy-options", "prefix-list", _, prefix, ..] => reading.permit(prefix, line),
        ["policy-options", "policy-statement", .., "route-filter", prefix, _] => {
            reading.permit(prefix, line);
        }
        ["protocols", "bgp", "group", group, "neighbor", peer, rest @ ..] => {
            let neighbour = reading.neighbour(peer, line);
            let group = format!("group {group}");
            if !neighbour.inherits.contains(&group) {
                neighbour.inherits.push(group);
            }
            read_session((line, on), rest, neighbour);
        }
        ["protocols", "bgp", "group", group, rest @ ..] => {
            read_session((line, on), rest, reading.neighbour(&format!("group {group}"), line));
        }
        ["protocols", "bgp", "local-as", asn, ..] => reading.local_asn = at(asn, line),
        _ => {}
    }
}

fn read_unit(line: usize, words: &[&str], link: &mut Link) {
    match words {
        ["vlan-id", vlan] => link.vlan = at(vlan, line),
        ["description", words @ ..] => link.description = words.join(" "),
        ["disable"] => link.shut = Some(At { line, is: true }),
        ["family", "inet" | "inet6", "address", address, ..] => link.address(address, line),
        ["family", "inet" | "inet6", "mtu", bytes] => link.mtu(bytes, 0, line),
        _ => {}
    }
}

fn read_session((line, on): (usize, bool), words: &[&str], n: &mut Neighbour) {
    match words {
        [] if !on => n.shut = Some(At { line, is: true }),
        ["shutdown", ..] => n.shut = Some(At { line, is: on }),
        _ if !on => {}
        ["description", words @ ..] => n.description = words.join(" "),
        ["peer-as", asn] => n.remote_asn = at(asn, line),
        ["local-as", asn, ..] => n.local_asn = at(asn, line),
        ["local-address", address] => {
            n.local_address = address.parse().ok().map(|is| At { line, is });
        }
        ["authentication-key", key] => n.key = Some(At { line, is: key_seen(key) }),
        ["authentication-key-chain", ..] => n.key = Some(At { line, is: KeySeen::Encrypted }),
        ["hold-time", seconds] => n.hold_time(seconds, line),
        ["import", policy, ..] => n.policy(Way::In, policy, line),
        ["export", policy, ..] => n.policy(Way::Out, policy, line),
        ["family", "inet", "unicast" | "any", ..] => n.family(Family::V4, true, line),
        ["family", "inet6", "unicast" | "any", ..] => n.family(Family::V6, true, line),
        ["family", ..] => {}
        ["bfd-liveness-detection", ..] => n.bfd = Some(At { line, is: true }),
        _ => {}
    }
}

/// `$9$` hides, `$8$` encrypts.
fn key_seen(key: &str) -> KeySeen {
    match key.starts_with("$9$") || key.starts_with("$8$") {
        true => KeySeen::Encrypted,
        false => KeySeen::plain(key),
    }
}
