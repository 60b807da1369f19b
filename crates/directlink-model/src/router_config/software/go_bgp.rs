//! GoBGP 3 on Linux: TOML; read as TOML or YAML. It has no BFD and no links.

use super::{Language, each, key, linux, preamble, prefixes, quoted};
use crate::router_config::{
    intent::{
        Family, HOLD_TIME_SECONDS as HOLD, Intent, KEEPALIVE_SECONDS as KEEPALIVE, PREFIXES_MAX,
        Session, Way,
    },
    reading::{At, KeySeen, Neighbour, Reading, at},
    text::{linux as ip_commands, tables},
};
use std::collections::BTreeMap;

pub(super) struct GoBgp;

impl Language for GoBgp {
    fn configuration(&self, intent: &Intent) -> String {
        let how = "Start with: gobgpd -f FILE.";
        let top = preamble("#", "GoBGP 3 (Linux)", how, intent);
        let sessions = each(intent, |s| session(intent, s));
        let sets = each(intent, |s| set(intent, s, Way::Out) + &set(intent, s, Way::In));
        format!("{top}#\n{}{}\n{sessions}{sets}{}", link(intent), global(intent), policies(intent))
    }

    fn read(&self, text: &str) -> Reading {
        let families_unless_said = vec![Family::V4, Family::V6];
        let mut reading = Reading { families_unless_said, ..Reading::default() };
        let statements = tables::statements(text);
        let groups: BTreeMap<String, String> = statements
            .iter()
            .filter_map(|s| match s.words().as_slice() {
                ["peer-groups", n, "config", "peer-group-name", name] => {
                    Some(((*n).to_owned(), format!("group {name}")))
                }
                _ => None,
            })
            .collect();
        for statement in &statements {
            read_statement(statement.line, &statement.words(), &groups, &mut reading);
        }
        ip_commands::read(text, &mut reading);
        reading
    }

    fn links_elsewhere(&self) -> bool {
        true
    }

    fn has_bfd(&self) -> bool {
        false
    }
}

fn link(intent: &Intent) -> String {
    let bfd = match intent.bfd {
        true => "# GoBGP has no BFD: the hold time below notices a dead peer.\n",
        false => "",
    };
    let announce = each(intent, |session| {
        let family = session.family();
        let ip = match family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        prefixes(intent, (Way::Out, family), "#", |_, net| {
            format!("# gobgp global rib add -a {ip} {net}\n")
        })
    });
    let link = linux("#", intent, true);
    format!(
        "\
{link}{bfd}# To use learned routes in the kernel, run FRR's zebra beside it. What you announce, say once it runs:
{announce}
"
    )
}

fn global(intent: &Intent) -> String {
    let asn = intent.customer_asn;
    let v4 = intent.sessions.iter().find(|s| s.family() == Family::V4);
    let id = v4.map_or_else(
        || "# CHANGE: an IPv4 address of this router, or any number unique in your network.\n  router-id = \"192.0.2.1\"".to_owned(),
        |s| format!("router-id = \"{}\"", s.peer.customer().addr()),
    );
    let name = intent.id;
    format!(
        "\
[global.config]
  as = {asn}
  {id}
[global.apply-policy.config]
  import-policy-list = [\"{name}-in\"]
  default-import-policy = \"reject-route\"
  export-policy-list = [\"{name}-out\"]
  default-export-policy = \"reject-route\"
"
    )
}

fn session(intent: &Intent, session: &Session) -> String {
    let (peer, own) = (session.peer.router().addr(), session.peer.customer().addr());
    let (region, description) = (intent.region_asn.0, intent.description());
    let key =
        key(session).map_or_else(String::new, |k| format!("    auth-password = {}\n", quoted(k)));
    let family = match session.family() {
        Family::V4 => "ipv4-unicast",
        Family::V6 => "ipv6-unicast",
    };
    format!(
        "\
[[neighbors]]
  [neighbors.config]
    neighbor-address = \"{peer}\"
    peer-as = {region}
    description = \"{description}\"
{key}  [neighbors.transport.config]
    local-address = \"{own}\"
  [neighbors.timers.config]
    hold-time = {HOLD}
    keepalive-interval = {KEEPALIVE}
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = \"{family}\"
    [neighbors.afi-safis.prefix-limit.config]
      max-prefixes = {PREFIXES_MAX}
      shutdown-threshold-pct = 80

"
    )
}

fn set(intent: &Intent, session: &Session, way: Way) -> String {
    let family = session.family();
    let name = intent.policy(way, family);
    let list = prefixes(intent, (way, family), "  #", |_, net| {
        format!("  [[defined-sets.prefix-sets.prefix-list]]\n    ip-prefix = \"{net}\"\n")
    });
    format!("[[defined-sets.prefix-sets]]\n  prefix-set-name = \"{name}\"\n{list}\n")
}

/// GoBGP applies policies to its one table: what this router itself originates passes both.
fn policies(intent: &Intent) -> String {
    let name = intent.id;
    let statement = |way| {
        each(intent, |s| {
            let set = intent.policy(way, s.family());
            format!(
                "  [[policy-definitions.statements]]
    name = \"{set}\"
    [policy-definitions.statements.conditions.match-prefix-set]
      prefix-set = \"{set}\"
      match-set-options = \"any\"
    [policy-definitions.statements.actions]
      route-disposition = \"accept-route\"
"
            )
        })
    };
    let (import, export) = (statement(Way::In), statement(Way::Out));
    format!(
        "\
[[policy-definitions]]
  name = \"{name}-in\"
{import}  [[policy-definitions.statements]]
    name = \"{name}-own\"
    [policy-definitions.statements.conditions.bgp-conditions]
      route-type = \"local\"
    [policy-definitions.statements.actions]
      route-disposition = \"accept-route\"

[[policy-definitions]]
  name = \"{name}-out\"
{export}"
    )
}

/// Policies of the whole speaker, which every neighbour has.
const GLOBAL: &str = "global";

fn read_statement(
    line: usize,
    words: &[&str],
    groups: &BTreeMap<String, String>,
    reading: &mut Reading,
) {
    match words {
        ["global", "config", "as", asn] => reading.local_asn = at(asn, line),
        ["global", rest @ ..] => read_session(line, rest, reading.neighbour(GLOBAL, line)),
        ["neighbors", n, rest @ ..] => {
            let neighbour = reading.neighbour(&format!("neighbor {n}"), line);
            if neighbour.inherits.is_empty() {
                neighbour.inherits.push(GLOBAL.to_owned());
            }
            read_session(line, rest, neighbour);
        }
        ["peer-groups", n, rest @ ..] => {
            if let Some(name) = groups.get(*n) {
                read_session(line, rest, reading.neighbour(name, line));
            }
        }
        ["defined-sets", "prefix-sets", .., "ip-prefix", prefix] => reading.permit(prefix, line),
        _ => {}
    }
}

fn read_session(line: usize, words: &[&str], n: &mut Neighbour) {
    let parsed = |text: &str| text.parse().ok().map(|is| At { line, is });
    match words {
        ["config", "neighbor-address", address] => n.address = parsed(address),
        ["config", "peer-as", asn] => n.remote_asn = at(asn, line),
        ["config", "local-as", asn] => n.local_asn = at(asn, line),
        ["config", "description", text] => n.description = (*text).to_owned(),
        ["config", "peer-group", group] => n.inherits.insert(0, format!("group {group}")),
        ["config", "auth-password", key] if !key.is_empty() => {
            n.key = Some(At { line, is: KeySeen::plain(key) });
        }
        ["config", "admin-down", word] => n.shut = Some(At { line, is: *word == "true" }),
        ["transport", "config", "local-address", address] => n.local_address = parsed(address),
        ["timers", "config", "hold-time", seconds] => n.hold_time(seconds, line),
        ["afi-safis", _, "config", "afi-safi-name", "ipv4-unicast"] => {
            n.family(Family::V4, true, line);
        }
        ["afi-safis", _, "config", "afi-safi-name", "ipv6-unicast"] => {
            n.family(Family::V6, true, line);
        }
        ["apply-policy", "config", "import-policy-list", policy] => n.policy(Way::In, policy, line),
        ["apply-policy", "config", "export-policy-list", policy] => {
            n.policy(Way::Out, policy, line);
        }
        _ => {}
    }
}
