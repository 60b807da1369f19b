//! MikroTik RouterOS 7.

use super::{Language, each, identifier, key, preamble, prefixes, when};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::{At, KeySeen, Neighbour, Reading, at},
    text::slashes::{self, value},
};

pub(super) struct RouterOs;

impl Language for RouterOs {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Paste into a terminal, or import as a script.";
        let policies = each(intent, |s| policy(intent, s));
        let top = preamble("#", "MikroTik RouterOS 7", how, intent)
            + &identifier("#", "router-id=A.B.C.D in the instance", intent);
        let sessions = each(intent, |s| session(intent, s));
        let (asn, name) = (intent.customer_asn, intent.id);
        let bfd = when(
            intent.bfd,
            format!(
                "/routing bfd configuration add interfaces={name} min-rx={BFD}ms min-tx={BFD}ms multiplier={BFD_MULTIPLIER} disabled=no\n"
            ),
        );
        format!(
            "\
{top}#
{}#
{policies}#
{bfd}# RouterOS before 7.20 has no instances: leave the next line out, and write as={asn} instead of
# instance={name}, and address-families instead of afi, in the connection.
/routing bgp instance add name={name} as={asn}
{sessions}",
            interface(intent)
        )
    }

    fn read(&self, text: &str) -> Reading {
        let families_unless_said = vec![Family::V4];
        let mut reading = Reading { families_unless_said, ..Reading::default() };
        for (number, statement) in slashes::statements(text).iter().enumerate() {
            read_statement((number, statement.line), &statement.words(), &mut reading);
        }
        reading
    }

    fn hides_keys(&self) -> bool {
        true
    }
}

fn interface(intent: &Intent) -> String {
    let port = intent.port_or("sfp-sfpplus1");
    let (vlan, mtu, description, name) = (intent.vlan, intent.mtu, intent.description(), intent.id);
    let addresses = each(intent, |s| {
        let own = s.peer.customer();
        match s.family() {
            Family::V4 => format!("/ip address add address={own} interface={name}\n"),
            Family::V6 => {
                format!("/ipv6 address add address={own} interface={name} advertise=no\n")
            }
        }
    });
    format!(
        "\
# CHANGE {port}: the port that holds the cross-connect. Its l2mtu must be 1504 or more.
/interface vlan add name={name} interface={port} vlan-id={vlan} mtu={mtu} comment=\"{description}\"
{addresses}"
    )
}

fn policy(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let menu = match family {
        Family::V4 => "/ip",
        Family::V6 => "/ipv6",
    };
    let networks = prefixes(intent, (Way::Out, family), "#", |_, net| {
        format!("{menu} firewall address-list add list={export} address={net}\n")
    });
    let rules = |way, chain: &str| {
        let rules = prefixes(intent, (way, family), "#", |_, net| {
            let length = net.prefix_len();
            format!(
                "/routing filter rule add chain={chain} rule=\"if (dst in {net} && dst-len=={length}) {{ accept }}\"\n"
            )
        });
        rules + &format!("/routing filter rule add chain={chain} rule=\"reject\"\n")
    };
    format!(
        "\
# A network is announced while its exact route is in the routing table.
{networks}{}{}",
        rules(Way::Out, &export),
        rules(Way::In, &import)
    )
}

fn session(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let (peer, own) = (session.peer.router().addr(), session.peer.customer().addr());
    let (import, export) = (intent.policy(Way::In, family), intent.policy(Way::Out, family));
    let (region, description, instance) = (intent.region_asn.0, intent.description(), intent.id);
    let (afi, limit, name) = match family {
        Family::V4 => ("ip", "limit-process-routes-ipv4", intent.id.to_string()),
        Family::V6 => ("ipv6", "limit-process-routes-ipv6", format!("{}-6", intent.id)),
    };
    let key = key(session).map_or_else(String::new, |k| format!(" tcp-md5-key={}", word(k)));
    let bfd = when(intent.bfd, " use-bfd=yes");
    format!(
        "/routing bgp connection add name={name} instance={instance} comment=\"{description}\" local.role=ebgp local.address={own} remote.address={peer} remote.as={region}{key} hold-time={HOLD}s keepalive-time={KEEPALIVE}s{bfd} afi={afi} input.filter={import} input.{limit}={PREFIXES_MAX} output.filter-chain={export} output.network={export} disabled=no\n"
    )
}

/// RouterOS expands `$` inside quotes and asks for help at `?`.
fn word(text: &str) -> String {
    let mut safe = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '?') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe + "\""
}

fn read_statement((number, line): (usize, usize), words: &[&str], reading: &mut Reading) {
    let disabled = matches!(value(words, "disabled"), Some("yes" | "true"));
    match words {
        ["interface", "vlan", "add", ..] => {
            let Some(name) = value(words, "name") else { return };
            let link = reading.link(name, line);
            link.vlan = value(words, "vlan-id").and_then(|vlan| at(vlan, line));
            link.parent = value(words, "interface").map(str::to_owned);
            link.description = value(words, "comment").unwrap_or_default().to_owned();
            link.shut = Some(At { line, is: disabled });
            if let Some(bytes) = value(words, "mtu") {
                link.mtu(bytes, 0, line);
            }
        }
        ["interface", "ethernet", "set", ..] if disabled => {
            let name = value(words, "name").or_else(|| value(words, "default-name"));
            if let Some(name) = name {
                reading.link(name, line).shut = Some(At { line, is: true });
            }
        }
        ["ip" | "ipv6", "address", "add", ..] if !disabled => {
            if let (Some(name), Some(address)) =
                (value(words, "interface"), value(words, "address"))
            {
                reading.link(name, line).address(address, line);
            }
        }
        ["ip" | "ipv6", "firewall", "address-list", "add", ..] => {
            reading.permit(value(words, "address").unwrap_or_default(), line);
        }
        ["routing", "filter", "rule", "add", ..] => {
            let rule = value(words, "rule").unwrap_or_default();
            rule.split([' ', '(', ')']).for_each(|word| reading.permit(word, line));
        }
        ["routing", "bgp", kind @ ("instance" | "template"), "add" | "set", rest @ ..] => {
            let name = value(words, "name").or_else(|| rest.first().copied()).unwrap_or_default();
            read_session(line, words, reading.neighbour(&format!("{kind} {name}"), line));
        }
        ["routing", "bgp", "connection", "add", ..] => {
            let neighbour = reading.neighbour(&format!("connection {number}"), line);
            neighbour.shut = Some(At { line, is: disabled });
            read_session(line, words, neighbour);
        }
        _ => {}
    }
}

fn read_session(line: usize, words: &[&str], n: &mut Neighbour) {
    let said = |name: &str| value(words, name);
    let bare = |address: &str| address.split('/').next().and_then(|a| a.parse().ok());
    n.description = said("comment").unwrap_or_default().to_owned();
    n.address = said("remote.address").and_then(bare).map(|is| At { line, is });
    n.local_address = said("local.address").and_then(bare).map(|is| At { line, is });
    n.remote_asn = said("remote.as").and_then(|asn| at(asn, line));
    n.local_asn = said("as").and_then(|asn| at(asn, line));
    n.key = said("tcp-md5-key")
        .filter(|key| !key.is_empty())
        .map(|key| At { line, is: KeySeen::plain(key) });
    n.bfd = said("use-bfd").map(|word| At { line, is: matches!(word, "yes" | "true") });
    if let Some(seconds) = said("hold-time").and_then(seconds) {
        n.hold_time(&seconds.to_string(), line);
    }
    if let Some(chain) = said("input.filter").or_else(|| said("input.filter-chain")) {
        n.policy(Way::In, chain, line);
    }
    if let Some(chain) = said("output.filter-chain") {
        n.policy(Way::Out, chain, line);
    }
    for family in said("afi").or_else(|| said("address-families")).unwrap_or_default().split(',') {
        match family {
            "ip" => n.family(Family::V4, true, line),
            "ipv6" => n.family(Family::V6, true, line),
            _ => {}
        }
    }
    for (kind, names) in [
        ("instance", said("instance")),
        ("template", said("templates").or_else(|| said("template"))),
    ] {
        let names = names.unwrap_or_default().split(',').filter(|name| !name.is_empty());
        n.inherits.extend(names.map(|name| format!("{kind} {name}")));
    }
}

/// `30s`, `1m30s`, `90`.
fn seconds(text: &str) -> Option<u32> {
    let mut total = 0u32;
    let mut number = 0u32;
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number = number.checked_mul(10)?.checked_add(c.to_digit(10)?)?;
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        number = 0;
    }
    total.checked_add(number)
}
