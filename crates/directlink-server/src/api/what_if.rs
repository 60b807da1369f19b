//! "What if" in JSON, for both APIs of ours: the operator's in its spelling, the customers' in theirs.

use crate::app::Hypothesis;
use directlink_model::{
    Fault,
    ids::{ConnectionId, LocationCode, NetId, SecurityGroupId},
    maintenance::Target,
    security_group::{Admission, Flow, OtherSide, PortRange, Protocol},
    what_if::{Change, Difference, Effect, NewWays, Opening},
};
use directlink_net::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What is asked: a change, and what that wants to know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `nothing`, `gone`, `order`, `interface`, `add rule`, `remove rule`.
    #[serde(alias = "Change")]
    change: String,
    /// Of what goes: as of a maintenance.
    #[serde(alias = "Kind")]
    kind: Option<String>,
    #[serde(alias = "Name")]
    name: Option<String>,
    #[serde(alias = "Location")]
    location: Option<LocationCode>,
    #[serde(alias = "Connection")]
    connection: Option<ConnectionId>,
    #[serde(alias = "Net")]
    net: Option<NetId>,
    #[serde(alias = "Prefixes")]
    prefixes: Option<BTreeSet<IpNet>>,
    #[serde(alias = "Group")]
    group: Option<SecurityGroupId>,
    /// `any`, `tcp`, `udp`, `icmp`, or a number.
    #[serde(alias = "Protocol")]
    protocol: Option<String>,
    #[serde(alias = "FromPort")]
    from_port: Option<u16>,
    #[serde(alias = "ToPort")]
    to_port: Option<u16>,
    #[serde(alias = "Range")]
    range: Option<IpNet>,
    #[serde(alias = "Outbound", default)]
    outbound: bool,
}

impl Asked {
    /// # Errors
    /// There is no such change, or it wants to know more.
    pub(super) fn hypothesis(self) -> Result<Hypothesis, Fault> {
        Ok(Hypothesis::Change(match self.change.as_str() {
            "nothing" => Change::Nothing,
            "gone" => {
                let (kind, name) = (needed("kind", self.kind)?, needed("name", self.name)?);
                Change::Gone(Target::read(&kind, &name)?)
            }
            "order" => Change::NewWays(NewWays {
                net: None,
                location: needed("location", self.location)?,
                router: None,
                prefixes: self.prefixes,
            }),
            "interface" => {
                let connection = needed("connection", self.connection)?;
                let (net, prefixes) = (needed("net", self.net)?, self.prefixes);
                return Ok(Hypothesis::Interface { connection, net, prefixes });
            }
            "add rule" => {
                let (group, flow, admission) = self.rule()?;
                Change::AddRule(group, flow, admission)
            }
            "remove rule" => {
                let (group, flow, admission) = self.rule()?;
                Change::RemoveRule(group, flow, admission)
            }
            other => {
                let expected = "it is nothing, gone, order, interface, add rule or remove rule";
                return Err(bad("change", other, expected));
            }
        }))
    }

    fn rule(self) -> Result<(SecurityGroupId, Flow, Admission), Fault> {
        let ports = || match (self.from_port, self.to_port) {
            (None, None) => Ok(PortRange::ALL),
            (Some(from), to) if to.is_none_or(|to| to >= from) => {
                Ok(PortRange { from, to: to.unwrap_or(from) })
            }
            _ => Err(bad("from_port", "", "it is given, and not above to_port")),
        };
        let protocol = match self.protocol.as_deref().unwrap_or("any") {
            "any" | "-1" => Protocol::Any,
            "tcp" => Protocol::Tcp(ports()?),
            "udp" => Protocol::Udp(ports()?),
            "icmp" => Protocol::Icmp { kind: None, code: None },
            other => Protocol::Other(
                other
                    .parse()
                    .map_err(|_| bad("protocol", other, "any, tcp, udp, icmp or a number"))?,
            ),
        };
        let flow = if self.outbound { Flow::Outbound } else { Flow::Inbound };
        let other = OtherSide::Range(needed("range", self.range)?);
        Ok((needed("group", self.group)?, flow, Admission { protocol, other }))
    }
}

fn needed<T>(parameter: &'static str, given: Option<T>) -> Result<T, Fault> {
    given.ok_or(Fault::Missing(parameter))
}

fn bad(parameter: &'static str, given: &str, expected: &str) -> Fault {
    Fault::BadValue {
        parameter,
        given: given.escape_default().to_string(),
        expected: expected.into(),
    }
}

pub(super) fn effects(effects: &[Effect]) -> Value {
    effects.iter().map(effect).collect()
}

fn effect(it: &Effect) -> Value {
    let [before, after] = it.is_reached;
    json!({
        "net": it.net,
        "account": it.owner,
        "reached_before": before,
        "reached_after": after,
        "routes": difference(&it.routes, |prefix: &IpNet| prefix.to_string()),
        "reach": difference(&it.reach, opening),
        "depends_on": difference(&it.weak, |target: &Target| target.to_string()),
    })
}

fn difference<T: Ord, W: Serialize>(it: &Difference<T>, wire: impl Fn(&T) -> W) -> Value {
    let list = |all: &BTreeSet<T>| all.iter().map(&wire).collect::<Vec<_>>();
    json!({ "gained": list(&it.gained), "lost": list(&it.lost), "kept": list(&it.kept) })
}

fn opening(it: &Opening) -> Value {
    json!({ "nic": it.nic, "from": it.from, "protocol": it.protocol.to_string() })
}

/// The same with members as customers' APIs spell them: `reached_before` is `ReachedBefore`.
pub(super) fn in_pascal_case(value: Value) -> Value {
    let name = |name: String| -> String {
        name.split('_')
            .map(|word| {
                let mut letters = word.chars();
                letters
                    .next()
                    .into_iter()
                    .flat_map(char::to_uppercase)
                    .chain(letters)
                    .collect::<String>()
            })
            .collect()
    };
    match value {
        Value::Object(members) => {
            let members =
                members.into_iter().map(|(key, value)| (name(key), in_pascal_case(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(in_pascal_case).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_model::ids::InterfaceId;

    #[test]
    fn each_change_says_what_it_lacks() {
        for (asked, expected) in [
            (json!({ "change": "nothing" }), None),
            (json!({ "Change": "gone", "Kind": "location", "Name": "PAR1" }), None),
            (json!({ "change": "gone", "kind": "location" }), Some("name")),
            (json!({ "change": "gone", "kind": "planet", "name": "x" }), Some("target")),
            (json!({ "change": "order" }), Some("location")),
            (json!({ "change": "order", "location": "PAR4" }), None),
            (json!({ "change": "interface", "net": "vpc-00000001" }), Some("connection")),
            (json!({ "change": "add rule", "group": "sg-00000001", "range": "10.0.0.0/8" }), None),
            (json!({ "change": "add rule", "group": "sg-00000001" }), Some("range")),
            (
                json!({ "change": "remove rule", "range": "10.0.0.0/8", "protocol": "tcp", "from_port": 9, "to_port": 8 }),
                Some("from_port"),
            ),
            (
                json!({ "change": "remove rule", "range": "10.0.0.0/8", "protocol": "tpc" }),
                Some("protocol"),
            ),
            (json!({ "change": "explode" }), Some("change")),
        ] {
            let read: Asked = serde_json::from_value(asked.clone()).unwrap();
            let fault = read.hypothesis().err().map(|fault| fault.to_string());
            assert_eq!(fault.is_some(), expected.is_some(), "{asked} {fault:?}");
            assert!(expected.is_none_or(|word| fault.unwrap().contains(word)), "{asked}");
        }
    }

    #[test]
    fn customers_read_it_in_their_spelling() {
        let id = InterfaceId::from_bits(1);
        let ours = json!([{ "reached_before": true, "routes": { "gained": [id] } }]);
        let theirs = json!([{ "ReachedBefore": true, "Routes": { "Gained": [id] } }]);
        assert_eq!(in_pascal_case(ours), theirs);
    }
}
