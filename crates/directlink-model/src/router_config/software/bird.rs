//! BIRD 2 on Linux. The kernel has VLAN and addresses; BIRD has policies and sessions.

use super::{Language, each, key, linux, preamble, prefixes, when};
use crate::router_config::{
    intent::{
        BFD_INTERVAL_MILLISECONDS as BFD, BFD_MULTIPLIER, Family, HOLD_TIME_SECONDS as HOLD,
        Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX, Session, Way,
    },
    reading::{At, KeySeen, Neighbour, Reading, at},
    text::{
        braces::{self, Style},
        linux as ip_commands, split_at_word,
    },
};
use std::collections::BTreeMap;

pub(super) struct Bird;

impl Language for Bird {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Put it into /etc/bird/bird.conf, then: birdc configure.";
        let top = preamble("#", "BIRD 2 (Linux)", how, intent);
        let policies = each(intent, |s| policy(intent, s, Way::Out) + &policy(intent, s, Way::In));
        let sessions = each(intent, |s| session(intent, s));
        format!("{top}#\n{}\n{policies}{}{sessions}", linux("#", intent, true), machine(intent))
    }

    fn read(&self, text: &str) -> Reading {
        let mut reading = Reading::default();
        let mut defined: BTreeMap<String, String> = BTreeMap::new();
        for statement in braces::statements(text, Style { by_line: false, escapes: false }) {
            let mut words = statement.words();
            if let ["define", name, "=", value] = words.as_slice() {
                defined.insert((*name).to_owned(), (*value).to_owned());
            }
            for word in words.iter_mut().skip(3) {
                *word = defined.get(*word).map_or(*word, String::as_str);
            }
            words.iter().for_each(|word| reading.permit(word, statement.line));
            read_statement(statement.line, &words, &mut reading);
        }
        ip_commands::read(text, &mut reading);
        reading
    }

    fn links_elsewhere(&self) -> bool {
        true
    }
}

/// A name that BIRD takes: no hyphen.
fn symbol(text: &str) -> String {
    text.replace('-', "_")
}

fn policy(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = symbol(&intent.policy(way, family));
    let last = intent.prefixes(way, family).list.len().saturating_sub(1);
    let list = prefixes(intent, (way, family), "  #", |n, net| {
        format!("  {net}{}\n", if n < last { "," } else { "" })
    });
    let filter = name.to_lowercase();
    format!(
        "\
define {name} = [
{list}];
filter {filter} {{
  if net ~ {name} then accept;
  reject;
}}

"
    )
}

/// What every bird.conf has once.
fn machine(intent: &Intent) -> String {
    let link = format!("{}.{}", intent.port_or("eth0"), intent.vlan);
    let kernels = each(intent, |s| {
        let family = channel(s.family());
        format!(
            "protocol kernel {{ learn; {family} {{ import all; export where source = RTS_BGP; }}; }}\n"
        )
    });
    let families = each(intent, |s| format!(" {};", channel(s.family())));
    let bfd = when(
        intent.bfd,
        format!(
            "\
protocol bfd {{
  interface \"{link}\" {{ interval {BFD} ms; multiplier {BFD_MULTIPLIER}; }};
}}
"
        ),
    );
    let id = match intent.sessions.iter().any(|s| s.family() == Family::V4) {
        true => String::new(),
        false => "# CHANGE: an IPv4 address of this router, or any number unique in your network.\nrouter id 192.0.2.1;\n".to_owned(),
    };
    format!(
        "\
# Leave out what your bird.conf has already. A prefix is announced while its exact route is known.
{id}protocol device {{ }}
protocol direct {{{families} }}
{kernels}{bfd}
"
    )
}

fn session(intent: &Intent, session: &Session) -> String {
    let family = session.family();
    let (peer, own) = (session.peer.router().addr(), session.peer.customer().addr());
    let (asn, region) = (intent.customer_asn, intent.region_asn.0);
    let filter = |way| symbol(&intent.policy(way, family)).to_lowercase();
    let (import, export) = (filter(Way::In), filter(Way::Out));
    let (channel, suffix) = (channel(family), if family == Family::V6 { "_6" } else { "" });
    let (name, description) = (symbol(&intent.id.to_string()), intent.description());
    let key = key(session).map_or_else(String::new, |k| match k.contains('"') {
        true => {
            "  # CHANGE: BIRD cannot hold a key with a quotation mark; order another key.\n".into()
        }
        false => format!("  password \"{k}\";\n"),
    });
    let bfd = when(intent.bfd, "  bfd on;\n");
    format!(
        "\
protocol bgp {name}{suffix} {{
  description \"{description}\";
  local {own} as {asn};
  neighbor {peer} as {region};
  direct;
{key}  hold time {HOLD};
  keepalive time {KEEPALIVE};
{bfd}  {channel} {{
    import table on;
    import filter {import};
    export filter {export};
    import limit {PREFIXES_MAX} action restart;
  }};
}}
"
    )
}

fn channel(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

fn read_statement(line: usize, words: &[&str], reading: &mut Reading) {
    match words {
        ["protocol", "bgp", name, rest @ ..] => {
            read_session(line, rest, reading.neighbour(&format!("protocol {name}"), line));
        }
        ["template", "bgp", name, rest @ ..] => {
            read_session(line, rest, reading.neighbour(&format!("template {name}"), line));
        }
        _ => {}
    }
}

fn read_session(line: usize, words: &[&str], n: &mut Neighbour) {
    let on = |words: &[&str]| !matches!(words, ["off" | "no"]);
    let address =
        |words: &[&str]| words.iter().find_map(|word| word.parse().ok()).map(|is| At { line, is });
    let number = |words: &[&str]| match split_at_word(words, "as") {
        Some((_, [asn, ..])) => at(asn, line),
        _ => None,
    };
    match words {
        ["from", template, rest @ ..] => {
            let template = format!("template {template}");
            if !n.inherits.contains(&template) {
                n.inherits.push(template);
            }
            read_session(line, rest, n);
        }
        ["description", words @ ..] => n.description = words.join(" "),
        ["disabled", rest @ ..] => n.shut = Some(At { line, is: on(rest) }),
        ["local", rest @ ..] => {
            n.local_address = address(rest).or(n.local_address);
            n.local_asn = number(rest).or_else(|| n.local_asn.take());
        }
        ["source", "address", rest @ ..] => n.local_address = address(rest),
        ["neighbor", rest @ ..] => {
            n.address = address(rest).or(n.address);
            n.remote_asn = match rest.contains(&"external") {
                true => at("external", line),
                false => number(rest).or_else(|| n.remote_asn.take()),
            };
        }
        ["password", key, ..] => n.key = Some(At { line, is: KeySeen::plain(key) }),
        ["hold", "time", seconds] => n.hold_time(seconds, line),
        ["bfd", rest @ ..] => n.bfd = Some(At { line, is: on(rest) }),
        ["ipv4", rest @ ..] => read_channel(line, Family::V4, rest, n),
        ["ipv6", rest @ ..] => read_channel(line, Family::V6, rest, n),
        _ => {}
    }
}

fn read_channel(line: usize, family: Family, words: &[&str], n: &mut Neighbour) {
    n.families.entry(family).or_insert(At { line, is: true });
    match words {
        ["import" | "export", "none" | "table" | "limit" | "keep", ..] => {}
        ["import", how, ..] => n.policy(Way::In, how, line),
        ["export", how, ..] => n.policy(Way::Out, how, line),
        _ => {}
    }
}
