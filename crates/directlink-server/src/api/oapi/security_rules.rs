//! Rules of security groups, in the API's two forms: flat, or a list.
//!
//! | `IpProtocol` | `FromPortRange`, `ToPortRange` |
//! |---|---|
//! | `-1` (default) | not looked at |
//! | `tcp`, `6`, `udp`, `17` | ports; both `-1` or both left out: all |
//! | `icmp`, `1` | type and code (RFC 792); `-1`: any |
//! | another number (IANA) | not looked at |

use super::{
    Call, Outcome, member,
    params::{DRY_RUN, Field, Kind, Params, id_of, optional, required},
    refusal::{Code, Failure},
    security_groups,
};
use directlink_model::{
    command::AddSecurityGroupRules,
    ids::SecurityGroupId,
    security_group::{Flow, Permission, PortRange, Protocol, SecurityGroupRule},
};
use directlink_net::IpNet;
use serde_json::{Value, json};

const SECURITY_GROUPS_MEMBER: &[Field<'_>] = &[
    optional("AccountId", Kind::Text),
    optional("SecurityGroupId", Kind::Text),
    optional("SecurityGroupName", Kind::Text),
];

const RULE: &[Field<'_>] = &[
    optional("FromPortRange", Kind::Integer),
    optional("IpProtocol", Kind::Text),
    optional("IpRanges", Kind::Texts),
    optional("SecurityGroupRuleId", Kind::Text),
    optional("SecurityGroupsMembers", Kind::Objects(SECURITY_GROUPS_MEMBER)),
    optional("ServiceIds", Kind::Texts),
    optional("ToPortRange", Kind::Integer),
];

pub(super) const CREATE: &[Field<'_>] = &[
    required("Flow", Kind::Text),
    optional("FromPortRange", Kind::Integer),
    optional("IpProtocol", Kind::Text),
    optional("IpRange", Kind::Text),
    optional("Rules", Kind::Objects(RULE)),
    optional("SecurityGroupAccountIdToLink", Kind::Text),
    required("SecurityGroupId", Kind::Id(id_of::<SecurityGroupId>)),
    optional("SecurityGroupNameToLink", Kind::Text),
    optional("ToPortRange", Kind::Integer),
    DRY_RUN,
];

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let command = AddSecurityGroupRules {
        group: params.needed_id("SecurityGroupId")?,
        flow: flow(params.needed_text("Flow")?)?,
        permissions: permissions(params)?,
    };
    let group = call.app.add_security_group_rules(&call.context()?, command).await?;
    Ok(member("SecurityGroup", security_groups::wire(&group)))
}

pub(super) fn wire(rule: &SecurityGroupRule) -> Value {
    let (protocol, from, to) = outside(rule.permission.protocol);
    json!({
        "FromPortRange": from,
        "IpProtocol": protocol,
        "IpRanges": [rule.permission.range],
        "SecurityGroupRuleId": rule.id,
        "ToPortRange": to,
    })
}

/// A protocol as the API writes it: name, first and last port (or ICMP type and code).
pub(super) fn outside(protocol: Protocol) -> (String, i64, i64) {
    let wide = |value: Option<u8>| value.map_or(-1, i64::from);
    match protocol {
        Protocol::Any => ("-1".into(), -1, -1),
        Protocol::Tcp(ports) => ("tcp".into(), ports.from.into(), ports.to.into()),
        Protocol::Udp(ports) => ("udp".into(), ports.from.into(), ports.to.into()),
        Protocol::Icmp { kind, code } => ("icmp".into(), wide(kind), wide(code)),
        Protocol::Other(number) => (number.to_string(), -1, -1),
    }
}

fn flow(text: &str) -> Result<Flow, Failure> {
    match text {
        "Inbound" => Ok(Flow::Inbound),
        "Outbound" => Ok(Flow::Outbound),
        other => Err(Failure::value("Flow", other, "give Inbound or Outbound")),
    }
}

fn permissions(params: Params<'_>) -> Result<Vec<Permission>, Failure> {
    for name in ["SecurityGroupNameToLink", "SecurityGroupAccountIdToLink"] {
        refuse_groups(params.has(name), name)?;
    }
    let Some(rules) = params.objects("Rules") else {
        let protocol = protocol(params)?;
        return Ok(vec![Permission { protocol, range: range(params.needed_text("IpRange")?)? }]);
    };
    if let Some(name) = ["FromPortRange", "ToPortRange", "IpProtocol", "IpRange"]
        .into_iter()
        .find(|name| params.has(name))
    {
        let text = format!("'{name}' cannot be given together with 'Rules': say it in each rule.");
        return Err(Failure::new(Code::PARAMETER_SET, text));
    }
    let mut permissions = vec![];
    for rule in rules {
        let groups = rule.objects("SecurityGroupsMembers").is_some_and(|list| !list.is_empty());
        refuse_groups(groups, "SecurityGroupsMembers")?;
        if rule.texts("ServiceIds").is_some_and(|list| !list.is_empty()) {
            return Err(Failure::not_offered("ServiceIds", "give IpRanges"));
        }
        let protocol = protocol(rule)?;
        let ranges = rule.texts("IpRanges").filter(|list| !list.is_empty());
        for text in ranges.ok_or_else(|| Failure::missing("IpRanges"))? {
            permissions.push(Permission { protocol, range: range(text)? });
        }
    }
    match permissions.is_empty() {
        true => Err(Failure::missing("Rules")),
        false => Ok(permissions),
    }
}

fn refuse_groups(given: bool, name: &str) -> Result<(), Failure> {
    match given {
        true => Err(Failure::not_offered(name, "name the other side by its IP range")),
        false => Ok(()),
    }
}

fn range(text: &str) -> Result<IpNet, Failure> {
    text.parse::<IpNet>().map(|range| range.trunc()).map_err(|_| {
        Failure::value("IpRange", text, "give a range in CIDR notation, as in 192.168.0.0/24")
    })
}

fn protocol(params: Params<'_>) -> Result<Protocol, Failure> {
    let name = params.text("IpProtocol").unwrap_or("-1");
    match name.to_ascii_lowercase().as_str() {
        "-1" | "all" => Ok(Protocol::Any),
        "tcp" | "6" => ports(params).map(Protocol::Tcp),
        "udp" | "17" => ports(params).map(Protocol::Udp),
        "icmp" | "1" => Ok(Protocol::Icmp {
            kind: octet(params, "FromPortRange")?,
            code: octet(params, "ToPortRange")?,
        }),
        other => other.parse().map(Protocol::Other).map_err(|_| {
            let expected = "give tcp, udp, icmp, -1 for all, or a protocol number from 0 to 255";
            Failure::value("IpProtocol", name, expected)
        }),
    }
}

fn ports(params: Params<'_>) -> Result<PortRange, Failure> {
    match (params.integer("FromPortRange"), params.integer("ToPortRange")) {
        (None | Some(-1), None | Some(-1)) => Ok(PortRange::ALL),
        (None, Some(_)) => Err(Failure::missing("FromPortRange")),
        (Some(_), None) => Err(Failure::missing("ToPortRange")),
        (Some(from), Some(to)) => {
            let port = |name, n: i64| {
                u16::try_from(n).map_err(|_| Failure::value(name, n, "give a port from 0 to 65535"))
            };
            let range =
                PortRange { from: port("FromPortRange", from)?, to: port("ToPortRange", to)? };
            match range.from <= range.to {
                true => Ok(range),
                false => Err(Failure::value("ToPortRange", to, "it is less than FromPortRange")),
            }
        }
    }
}

fn octet(params: Params<'_>, name: &str) -> Result<Option<u8>, Failure> {
    match params.integer(name) {
        None | Some(-1) => Ok(None),
        Some(n) => u8::try_from(n).map(Some).map_err(|_| {
            Failure::value(name, n, "give an ICMP type or code from 0 to 255, or -1 for any")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_every_protocol() {
        let ports = |from, to| PortRange { from, to };
        for (given, expected) in [
            (json!({"IpRange": "10.0.0.0/8"}), Ok(Protocol::Any)),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "-1", "FromPortRange": 5}),
                Ok(Protocol::Any),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "tcp", "FromPortRange": 80, "ToPortRange": 81}),
                Ok(Protocol::Tcp(ports(80, 81))),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "6", "FromPortRange": 80, "ToPortRange": 80}),
                Ok(Protocol::Tcp(ports(80, 80))),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "udp"}),
                Ok(Protocol::Udp(PortRange::ALL)),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "UDP", "FromPortRange": -1, "ToPortRange": -1}),
                Ok(Protocol::Udp(PortRange::ALL)),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "icmp"}),
                Ok(Protocol::Icmp { kind: None, code: None }),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "icmp", "FromPortRange": 8, "ToPortRange": 0}),
                Ok(Protocol::Icmp { kind: Some(8), code: Some(0) }),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "icmp", "FromPortRange": 8, "ToPortRange": -1}),
                Ok(Protocol::Icmp { kind: Some(8), code: None }),
            ),
            (json!({"IpRange": "10.0.0.0/8", "IpProtocol": "50"}), Ok(Protocol::Other(50))),
            (
                json!({"Rules": [{"IpRanges": ["10.0.0.0/8"], "IpProtocol": "tcp", "FromPortRange": 22, "ToPortRange": 22}]}),
                Ok(Protocol::Tcp(ports(22, 22))),
            ),
            (json!({"IpProtocol": "tcp"}), Err(7000)),
            (json!({"IpRange": "10.0.0.0/8", "IpProtocol": "tcp", "FromPortRange": 80}), Err(7000)),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "tcp", "FromPortRange": 81, "ToPortRange": 80}),
                Err(4047),
            ),
            (
                json!({"IpRange": "10.0.0.0/8", "IpProtocol": "tcp", "FromPortRange": 0, "ToPortRange": 65536}),
                Err(4047),
            ),
            (json!({"IpRange": "10.0.0.0/8", "IpProtocol": "256"}), Err(4047)),
            (json!({"IpRange": "10.0.0.0/33"}), Err(4047)),
            (json!({"IpRange": "10.0.0.0/8", "Rules": []}), Err(4046)),
            (json!({"Rules": []}), Err(7000)),
            (json!({"Rules": [{"IpProtocol": "tcp"}]}), Err(7000)),
            (
                json!({"Rules": [{"SecurityGroupsMembers": [{"SecurityGroupName": "a"}]}]}),
                Err(4047),
            ),
            (json!({"SecurityGroupNameToLink": "a"}), Err(4047)),
        ] {
            let got = match permissions(Params(given.as_object().unwrap())) {
                Ok(list) => Ok(list[0].protocol),
                Err(Failure::Refused { code, .. }) => Err(code.0),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(got, expected, "{given}");
        }
    }

    #[test]
    fn what_is_shown_can_be_given_back() {
        for protocol in [
            Protocol::Any,
            Protocol::Tcp(PortRange { from: 80, to: 443 }),
            Protocol::Udp(PortRange::ALL),
            Protocol::Icmp { kind: Some(8), code: None },
            Protocol::Other(47),
        ] {
            let (name, from, to) = outside(protocol);
            let given = json!({"IpProtocol": name, "FromPortRange": from, "ToPortRange": to, "IpRange": "10.0.0.0/8"});
            let list = permissions(Params(given.as_object().unwrap())).unwrap();
            assert_eq!(list[0].protocol, protocol);
        }
    }
}
