//! `directlink what-if`: what would come of a change that nobody makes.

use super::{customer::Either, maintenance::Target};
use crate::output::{self, Column, Format};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use directlink_model::ids::{ConnectionId, InterfaceId, LocationCode, NetId, SecurityGroupId};
use directlink_net::IpNet;
use serde_json::{Map, Value, json};

#[derive(Subcommand)]
pub(crate) enum WhatIfCommand {
    /// As things are: which Nets depend on one location or one router
    Coverage(Either),
    /// If something went dark: a location, a router, a connection, an interface
    Dark {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        either: Either,
    },
    /// If something were drained
    Drain {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        either: Either,
    },
    /// If an interface were deleted
    DeleteInterface {
        interface: InterfaceId,
        #[command(flatten)]
        either: Either,
    },
    /// If a connection were ordered at a location, with an interface to each Net
    Order {
        location: LocationCode,
        #[command(flatten)]
        announced: Announced,
        #[command(flatten)]
        either: Either,
    },
    /// If an interface were created
    Interface {
        connection: ConnectionId,
        net: NetId,
        #[command(flatten)]
        announced: Announced,
        #[command(flatten)]
        either: Either,
    },
    /// If a rule were added to a security group
    AddRule {
        #[command(flatten)]
        rule: Rule,
        #[command(flatten)]
        either: Either,
    },
    /// If a rule of a security group were removed
    RemoveRule {
        #[command(flatten)]
        rule: Rule,
        #[command(flatten)]
        either: Either,
    },
}

#[derive(Args)]
pub(crate) struct Announced {
    /// What your router would announce there, if not what it announces elsewhere; again and again
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<IpNet>,
}

#[derive(Args)]
pub(crate) struct Rule {
    group: SecurityGroupId,
    /// any, tcp, udp, icmp, or a number
    #[arg(long, default_value = "any")]
    protocol: String,
    /// One, or FROM-TO
    #[arg(long, value_parser = ports, value_name = "PORTS")]
    ports: Option<(u16, u16)>,
    /// The other side
    #[arg(long, value_name = "PREFIX")]
    range: IpNet,
    /// Of packets out of the NIC, not into it
    #[arg(long)]
    outbound: bool,
}

const COLUMNS: &[Column] = &[
    ("NET", "net"),
    ("REACHED", "reached"),
    ("ROUTES +", "routes.gained"),
    ("ROUTES -", "routes.lost"),
    ("OPENS", "opens"),
    ("CLOSES", "closes"),
    ("THEN DEPENDS ON", "depends"),
];

pub(crate) async fn run(command: WhatIfCommand) -> Result<()> {
    use WhatIfCommand as W;
    let (asked, either) = match command {
        W::Coverage(either) => (json!({ "change": "nothing" }), either),
        W::Dark { target, either } | W::Drain { target, either } => {
            let target = target.wire();
            (json!({ "change": "gone", "kind": target["kind"], "name": target["name"] }), either)
        }
        W::DeleteInterface { interface, either } => {
            (json!({ "change": "gone", "kind": "interface", "name": interface }), either)
        }
        W::Order { location, announced, either } => {
            (announced.with(json!({ "change": "order", "location": location })), either)
        }
        W::Interface { connection, net, announced, either } => {
            let asked = json!({ "change": "interface", "connection": connection, "net": net });
            (announced.with(asked), either)
        }
        W::AddRule { rule, either } => (rule.wire("add rule"), either),
        W::RemoveRule { rule, either } => (rule.wire("remove rule"), either),
    };
    let is_change = asked["change"] != "nothing";
    let format = either.format();
    let (whole, effects) = match either.operator()? {
        Some(operator) => {
            let whole = operator.add("what-if", &asked).await?;
            let effects = whole["effects"].clone();
            (whole, effects)
        }
        None => {
            let asked = spelled(asked, &pascal);
            let whole = either.identity.ours()?.call("WhatIf", &asked).await?;
            let effects = spelled(whole["Effects"].clone(), &snake);
            (whole, effects)
        }
    };
    let effects = effects.as_array().context("the answer lacks effects")?;
    let rows: Vec<_> = effects.iter().map(row).collect();
    if rows.is_empty() && format == Format::Table {
        let said = if is_change { "no Net would feel it" } else { "there is no Net" };
        return output::print(said);
    }
    output::list(format, COLUMNS, &rows, &whole)
}

impl Announced {
    fn with(&self, mut asked: Value) -> Value {
        if !self.prefixes.is_empty() {
            asked["prefixes"] = json!(self.prefixes);
        }
        asked
    }
}

impl Rule {
    fn wire(&self, change: &str) -> Value {
        let Self { group, protocol, ports, range, outbound } = self;
        let (from, to) = ports.unzip();
        json!({
            "change": change, "group": group, "protocol": protocol, "from_port": from,
            "to_port": to, "range": range, "outbound": outbound,
        })
    }
}

fn ports(text: &str) -> Result<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse()?, to.parse()?);
    if from > to {
        bail!("ports go from the lower to the higher one");
    }
    Ok((from, to))
}

fn row(effect: &Value) -> Value {
    let mut row = effect.clone();
    let word = |member: &str| if effect[member] == true { "yes" } else { "no" };
    let (before, after) = (word("reached_before"), word("reached_after"));
    row["reached"] = match before == after {
        true => before.into(),
        false => format!("{before}, then {after}").into(),
    };
    let list = |way: &str| -> Value {
        let all = effect["reach"][way].as_array().into_iter().flatten();
        let text = |it: &Value, member: &str| it[member].as_str().unwrap_or_default().to_owned();
        let say =
            |it| format!("{} {} to {}", text(it, "from"), text(it, "protocol"), text(it, "nic"));
        all.map(say).collect()
    };
    (row["opens"], row["closes"]) = (list("gained"), list("lost"));
    let places = ["gained", "kept"].map(|way| effect["depends_on"][way].as_array().cloned());
    row["depends"] = places.into_iter().flatten().flatten().collect();
    row
}

/// With every member's name in another spelling.
fn spelled(value: Value, name: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, it)| (name(&key), spelled(it, name)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|item| spelled(item, name)).collect(),
        other => other,
    }
}

/// `from_port` is `FromPort`.
fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}

/// `ReachedAfter` is `reached_after`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (n, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && n > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_the_same() {
        for (ours, theirs) in
            [("from_port", "FromPort"), ("net", "Net"), ("reached_after", "ReachedAfter")]
        {
            assert_eq!((pascal(ours), snake(theirs)), (theirs.to_owned(), ours.to_owned()));
        }
        let told = json!([{ "ReachedBefore": true, "Routes": { "Lost": ["10.0.0.0/8"] } }]);
        let expected = json!([{ "reached_before": true, "routes": { "lost": ["10.0.0.0/8"] } }]);
        assert_eq!(spelled(told, &snake), expected);
    }

    #[test]
    fn a_row_says_what_changes_and_on_what_it_then_depends() {
        let row = row(&json!({
            "net": "vpc-1", "reached_before": true, "reached_after": false,
            "reach": { "gained": [], "lost": [{ "nic": "eni-1", "from": "10.9.0.0/16", "protocol": "tcp 22" }] },
            "depends_on": { "gained": ["location PAR4"], "kept": ["router a"], "lost": [] },
        }));
        assert_eq!(row["reached"], "yes, then no");
        assert_eq!(row["closes"], json!(["10.9.0.0/16 tcp 22 to eni-1"]));
        assert_eq!(row["depends"], json!(["location PAR4", "router a"]));
    }

    #[test]
    fn ports_are_one_or_a_range() {
        for (text, expected) in
            [("22", Some((22, 22))), ("80-443", Some((80, 443))), ("9-8", None), ("x", None)]
        {
            assert_eq!(ports(text).ok(), expected, "{text}");
        }
    }
}
