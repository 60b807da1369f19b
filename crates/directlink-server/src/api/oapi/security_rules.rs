//! Rules of security groups, in the API's two forms: flat, or a list.
//!
//! | `IpProtocol` | `FromPortRange`, `ToPortRange` |
//! |---|---|
//! | `-1` (default) | not looked at |
//! | `tcp`, `6`, `udp`, `17` | ports; both `-1` or both left out: all |
//! | `icmp`, `1` | type and code (RFC 792); `-1`: any |
//! | another number (IANA) | not looked at |

use super::{
    Call, Outcome,
    params::{DRY_RUN, Field, Kind, Params, id_of, optional, required},
    refusal::{Code, Failure},
    security_groups,
};
use directlink_model::{
    Fault,
    command::{AddSecurityGroupRules, RemoveSecurityGroupRules},
    fault::GroupFault,
    ids::{AccountId, SecurityGroupId, SecurityGroupRuleId},
    security_group::{
        Admission, Flow, OtherSide, PortRange, Protocol, RuleName, SecurityGroupRule,
    },
};
use directlink_net::IpNet;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SECURITY_GROUPS_MEMBER: &[Field<'_>] = &[
    optional("AccountId", Kind::Text),
    optional("SecurityGroupId", Kind::Text),
    optional("SecurityGroupName", Kind::Text),
];

const RULE: &[Field<'_>] = &[
    optional("FromPortRange", Kind::Integer),
    optional("IpProtocol", Kind::Text),
    optional("IpRanges", Kind::Texts),
    optional("SecurityGroupRuleId", Kind::Id(id_of::<SecurityGroupRuleId>)),
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

pub(super) const DELETE: &[Field<'_>] = &[
    required("Flow", Kind::Text),
    optional("FromPortRange", Kind::Integer),
    optional("IpProtocol", Kind::Text),
    optional("IpRange", Kind::Text),
    optional("Rules", Kind::Objects(RULE)),
    optional("SecurityGroupAccountIdToUnlink", Kind::Text),
    required("SecurityGroupId", Kind::Id(id_of::<SecurityGroupId>)),
    optional("SecurityGroupNameToUnlink", Kind::Text),
    optional("ToPortRange", Kind::Integer),
    DRY_RUN,
];

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let command = AddSecurityGroupRules {
        group: params.needed_id("SecurityGroupId")?,
        flow: flow(params.needed_text("Flow")?)?,
        admissions: admissions(&call, params, &TO_LINK).await?,
    };
    let group = call.app.add_security_group_rules(&call.context()?, command).await?;
    security_groups::answer(&call, group).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let params = call.checked(DELETE)?;
    let by_id = |rule: Params<'_>| rule.id("SecurityGroupRuleId").map(|id| id.map(RuleName::Id));
    let named: Vec<_> = params
        .objects("Rules")
        .unwrap_or_default()
        .into_iter()
        .map(by_id)
        .collect::<Result<_, _>>()?;
    let rules = match named.into_iter().collect::<Option<Vec<_>>>() {
        Some(ids) if !ids.is_empty() => ids,
        _ => {
            let admissions = admissions(&call, params, &TO_UNLINK).await?;
            admissions.into_iter().map(RuleName::Admission).collect()
        }
    };
    let command = RemoveSecurityGroupRules {
        group: params.needed_id("SecurityGroupId")?,
        flow: flow(params.needed_text("Flow")?)?,
        rules,
    };
    let group = call.app.remove_security_group_rules(&call.context()?, command).await?;
    security_groups::answer(&call, group).await
}

/// `names`: of the groups in it.
pub(super) fn wire(
    rule: &SecurityGroupRule,
    names: &BTreeMap<SecurityGroupId, String>,
    account: AccountId,
) -> Value {
    let (protocol, from, to) = outside(rule.admission.protocol);
    let mut wire = json!({
        "FromPortRange": from,
        "IpProtocol": protocol,
        "SecurityGroupRuleId": rule.id,
        "ToPortRange": to,
    });
    match rule.admission.other {
        OtherSide::Range(range) => wire["IpRanges"] = json!([range]),
        OtherSide::Group(id) => {
            let mut one = json!({ "AccountId": account, "SecurityGroupId": id });
            if let Some(name) = names.get(&id) {
                one["SecurityGroupName"] = json!(name);
            }
            wire["SecurityGroupsMembers"] = json!([one]);
        }
    }
    wire
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

/// Rules as asked for, groups still as they were named.
async fn admissions(
    call: &Call<'_>,
    params: Params<'_>,
    flat: &FlatGroup,
) -> Result<Vec<Admission>, Failure> {
    let mut admissions = vec![];
    for (protocol, other) in asked(params, flat)? {
        let other = match other {
            Asked::Range(range) => OtherSide::Range(range),
            Asked::Group(name) => OtherSide::Group(group(call, name).await?),
        };
        admissions.push(Admission { protocol, other });
    }
    Ok(admissions)
}

/// The other side of a rule, as it was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked<'p> {
    Range(IpNet),
    Group(GroupName<'p>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GroupName<'p> {
    /// An id, or a name.
    text: &'p str,
    account: Option<&'p str>,
}

/// What the flat form calls the group on the other side, and its account.
struct FlatGroup {
    name: &'static str,
    account: &'static str,
}

const TO_LINK: FlatGroup =
    FlatGroup { name: "SecurityGroupNameToLink", account: "SecurityGroupAccountIdToLink" };
const TO_UNLINK: FlatGroup =
    FlatGroup { name: "SecurityGroupNameToUnlink", account: "SecurityGroupAccountIdToUnlink" };

fn asked<'p>(params: Params<'p>, flat: &FlatGroup) -> Result<Vec<(Protocol, Asked<'p>)>, Failure> {
    let alone = ["FromPortRange", "ToPortRange", "IpProtocol", "IpRange", flat.name, flat.account];
    let Some(rules) = params.objects("Rules") else {
        let protocol = protocol(params)?;
        let group = params
            .text(flat.name)
            .map(|text| GroupName { text, account: params.text(flat.account) });
        let other = match (group, params.has("IpRange")) {
            (Some(_), true) => {
                let text = format!("Give either IpRange or {}.", flat.name);
                return Err(Failure::new(Code::PARAMETER_SET, text));
            }
            (Some(group), false) => Asked::Group(group),
            (None, _) => Asked::Range(range(params.needed_text("IpRange")?)?),
        };
        return Ok(vec![(protocol, other)]);
    };
    if let Some(name) = alone.into_iter().find(|name| params.has(name)) {
        let text = format!("'{name}' cannot be given together with 'Rules': say it in each rule.");
        return Err(Failure::new(Code::PARAMETER_SET, text));
    }
    let mut all = vec![];
    for rule in rules {
        all.extend(asked_in(rule)?);
    }
    match all.is_empty() {
        true => Err(Failure::missing("Rules")),
        false => Ok(all),
    }
}

/// Of one rule of the list: a rule of ours for each range and each group.
fn asked_in(rule: Params<'_>) -> Result<Vec<(Protocol, Asked<'_>)>, Failure> {
    if rule.texts("ServiceIds").is_some_and(|list| !list.is_empty()) {
        return Err(Failure::not_offered("ServiceIds", "give IpRanges"));
    }
    let protocol = protocol(rule)?;
    let mut all = vec![];
    for text in rule.texts("IpRanges").unwrap_or_default() {
        all.push((protocol, Asked::Range(range(text)?)));
    }
    for member in rule.objects("SecurityGroupsMembers").unwrap_or_default() {
        let text = member.text("SecurityGroupId").or_else(|| member.text("SecurityGroupName"));
        let text = text.ok_or_else(|| Failure::missing("SecurityGroupId"))?;
        let account = member.text("AccountId");
        all.push((protocol, Asked::Group(GroupName { text, account })));
    }
    match all.is_empty() {
        true => Err(Failure::missing("IpRanges")),
        false => Ok(all),
    }
}

/// The parameters called "name" take an id as well; in a Net they should. Another account's group
/// is as good as none.
async fn group(call: &Call<'_>, name: GroupName<'_>) -> Result<SecurityGroupId, Failure> {
    let ctx = call.context()?;
    if name.account.is_some_and(|account| account != ctx.caller.account.to_string()) {
        return Err(Fault::Group(GroupFault::NoSuchName(name.text.to_owned())).into());
    }
    match name.text.starts_with("sg-") {
        true => Ok(name.text.parse()?),
        false => Ok(call.app.security_group_named(&ctx, name.text).await?),
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
                Ok(Protocol::Any),
            ),
            (json!({"Rules": [{"SecurityGroupsMembers": [{"AccountId": "1"}]}]}), Err(7000)),
            (json!({"SecurityGroupNameToLink": "a", "IpProtocol": "47"}), Ok(Protocol::Other(47))),
            (json!({"SecurityGroupNameToLink": "a", "IpRange": "10.0.0.0/8"}), Err(4046)),
            (json!({"SecurityGroupNameToLink": "a", "Rules": []}), Err(4046)),
        ] {
            let got = match asked(Params(given.as_object().unwrap()), &TO_LINK) {
                Ok(list) => Ok(list[0].0),
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
            let list = asked(Params(given.as_object().unwrap()), &TO_LINK).unwrap();
            assert_eq!(list[0].0, protocol);
        }
    }
}
