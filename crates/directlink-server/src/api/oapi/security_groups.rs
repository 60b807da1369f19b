//! Security groups; their rules are in [`super::security_rules`].

use super::{
    Call, Outcome,
    list::{Filter, List, Listed, none},
    member,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
    refusal::Failure,
    security_rules as rules,
};
use directlink_model::{
    command::CreateSecurityGroup,
    ids::NetId,
    security_group::{Flow, SecurityGroup, SecurityGroupRule},
};
use serde_json::{Value, json};

pub(super) const CREATE: &[Field<'_>] = &[
    required("Description", Kind::Text),
    optional("NetId", Kind::Id(id_of::<NetId>)),
    required("SecurityGroupName", Kind::Text),
    DRY_RUN,
];

fn of(group: &SecurityGroup, flow: Flow) -> impl Iterator<Item = &SecurityGroupRule> {
    group.rules.iter().filter(move |rule| rule.flow == flow)
}

fn ranges(group: &SecurityGroup, flow: Flow) -> Vec<String> {
    of(group, flow).map(|rule| rule.permission.range.to_string()).collect()
}

fn protocols(group: &SecurityGroup, flow: Flow) -> Vec<String> {
    of(group, flow).map(|rule| rules::outside(rule.permission.protocol).0).collect()
}

fn from_ports(group: &SecurityGroup, flow: Flow) -> Vec<i64> {
    of(group, flow).map(|rule| rules::outside(rule.permission.protocol).1).collect()
}

fn to_ports(group: &SecurityGroup, flow: Flow) -> Vec<i64> {
    of(group, flow).map(|rule| rules::outside(rule.permission.protocol).2).collect()
}

impl Listed for SecurityGroup {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("Descriptions", |g| vec![g.description.clone()]),
        Filter::Texts("InboundRuleAccountIds", none),
        Filter::Integers("InboundRuleFromPortRanges", |g| from_ports(g, Flow::Inbound)),
        Filter::Texts("InboundRuleIpRanges", |g| ranges(g, Flow::Inbound)),
        Filter::Texts("InboundRuleProtocols", |g| protocols(g, Flow::Inbound)),
        Filter::Texts("InboundRuleSecurityGroupIds", none),
        Filter::Texts("InboundRuleSecurityGroupNames", none),
        Filter::Integers("InboundRuleToPortRanges", |g| to_ports(g, Flow::Inbound)),
        Filter::Texts("NetIds", |g| vec![g.net.to_string()]),
        Filter::Texts("OutboundRuleAccountIds", none),
        Filter::Integers("OutboundRuleFromPortRanges", |g| from_ports(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleIpRanges", |g| ranges(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleProtocols", |g| protocols(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleSecurityGroupIds", none),
        Filter::Texts("OutboundRuleSecurityGroupNames", none),
        Filter::Integers("OutboundRuleToPortRanges", |g| to_ports(g, Flow::Outbound)),
        Filter::Texts("SecurityGroupIds", |g| vec![g.id.to_string()]),
        Filter::Texts("SecurityGroupNames", |g| vec![g.name.clone()]),
        Filter::Texts("TagKeys", none),
        Filter::Texts("TagValues", none),
        Filter::Texts("Tags", none),
    ];
}

pub(super) fn wire(group: &SecurityGroup) -> Value {
    let list = |flow| of(group, flow).map(rules::wire).collect::<Vec<_>>();
    json!({
        "AccountId": group.account,
        "Description": group.description,
        "InboundRules": list(Flow::Inbound),
        "NetId": group.net,
        "OutboundRules": list(Flow::Outbound),
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Tags": [],
    })
}

/// Without a Net a group would belong to the public cloud, which this Region is not.
pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let name = params.needed_text("SecurityGroupName")?;
    if name.is_empty() || name.chars().count() > 255 || name.starts_with("sg-") {
        let expected = "give 1 to 255 characters that do not start with 'sg-'";
        return Err(Failure::value("SecurityGroupName", name, expected));
    }
    let command = CreateSecurityGroup {
        net: params.needed_id("NetId")?,
        name: name.to_owned(),
        description: params.needed_text("Description")?.to_owned(),
    };
    let group = call.app.create_security_group(&call.context()?, command).await?;
    Ok(member("SecurityGroup", wire(&group)))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<SecurityGroup>(&call, &[])?;
    let ids = list.ids("SecurityGroupIds");
    let groups = call.app.security_groups(&call.context()?, ids.as_deref()).await?;
    list.answer("SecurityGroups", &groups, wire)
}
