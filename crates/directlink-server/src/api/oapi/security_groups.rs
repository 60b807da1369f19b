//! Security groups; their rules are in [`super::security_rules`].

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
    refusal::{Code, Failure},
    security_rules as rules, tags,
};
use crate::app::Tagged;
use directlink_model::{
    command::CreateSecurityGroup,
    ids::{NetId, SecurityGroupId},
    security_group::{Flow, SecurityGroupRule},
    view::SecurityGroupView,
};
use serde_json::{Value, json};

pub(super) const CREATE: &[Field<'_>] = &[
    required("Description", Kind::Text),
    optional("NetId", Kind::Id(id_of::<NetId>)),
    required("SecurityGroupName", Kind::Text),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] = &[
    optional("SecurityGroupId", Kind::Id(id_of::<SecurityGroupId>)),
    optional("SecurityGroupName", Kind::Text),
    DRY_RUN,
];

/// What is shown.
pub(super) type Shown = Tagged<SecurityGroupView>;

fn of(shown: &Shown, flow: Flow) -> impl Iterator<Item = &SecurityGroupRule> {
    shown.group.rules.iter().filter(move |rule| rule.flow == flow)
}

fn ranges(shown: &Shown, flow: Flow) -> Vec<String> {
    of(shown, flow).filter_map(|r| r.admission.other.range()).map(|r| r.to_string()).collect()
}

fn members(shown: &Shown, flow: Flow) -> impl Iterator<Item = SecurityGroupId> {
    of(shown, flow).filter_map(|rule| rule.admission.other.group())
}

fn member_ids(shown: &Shown, flow: Flow) -> Vec<String> {
    members(shown, flow).map(|id| id.to_string()).collect()
}

fn member_names(shown: &Shown, flow: Flow) -> Vec<String> {
    members(shown, flow).filter_map(|id| shown.names.get(&id).cloned()).collect()
}

/// A group of a rule is always of the same account.
fn member_accounts(shown: &Shown, flow: Flow) -> Vec<String> {
    members(shown, flow).map(|_| shown.group.account.to_string()).collect()
}

fn protocols(shown: &Shown, flow: Flow) -> Vec<String> {
    of(shown, flow).map(|rule| rules::outside(rule.admission.protocol).0).collect()
}

fn from_ports(shown: &Shown, flow: Flow) -> Vec<i64> {
    of(shown, flow).map(|rule| rules::outside(rule.admission.protocol).1).collect()
}

fn to_ports(shown: &Shown, flow: Flow) -> Vec<i64> {
    of(shown, flow).map(|rule| rules::outside(rule.admission.protocol).2).collect()
}

impl Listed for Shown {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("Descriptions", |g| vec![g.group.description.clone()]),
        Filter::Texts("InboundRuleAccountIds", |g| member_accounts(g, Flow::Inbound)),
        Filter::Integers("InboundRuleFromPortRanges", |g| from_ports(g, Flow::Inbound)),
        Filter::Texts("InboundRuleIpRanges", |g| ranges(g, Flow::Inbound)),
        Filter::Texts("InboundRuleProtocols", |g| protocols(g, Flow::Inbound)),
        Filter::Texts("InboundRuleSecurityGroupIds", |g| member_ids(g, Flow::Inbound)),
        Filter::Texts("InboundRuleSecurityGroupNames", |g| member_names(g, Flow::Inbound)),
        Filter::Integers("InboundRuleToPortRanges", |g| to_ports(g, Flow::Inbound)),
        Filter::Texts("NetIds", |g| vec![g.group.net.to_string()]),
        Filter::Texts("OutboundRuleAccountIds", |g| member_accounts(g, Flow::Outbound)),
        Filter::Integers("OutboundRuleFromPortRanges", |g| from_ports(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleIpRanges", |g| ranges(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleProtocols", |g| protocols(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleSecurityGroupIds", |g| member_ids(g, Flow::Outbound)),
        Filter::Texts("OutboundRuleSecurityGroupNames", |g| member_names(g, Flow::Outbound)),
        Filter::Integers("OutboundRuleToPortRanges", |g| to_ports(g, Flow::Outbound)),
        Filter::Texts("SecurityGroupIds", |g| vec![g.group.id.to_string()]),
        Filter::Texts("SecurityGroupNames", |g| vec![g.group.name.clone()]),
        Filter::Texts("TagKeys", tags::keys),
        Filter::Texts("TagValues", tags::values),
        Filter::Texts("Tags", tags::pairs),
    ];
}

fn wire(shown: &Shown) -> Value {
    let group = &shown.group;
    let wire = |rule| rules::wire(rule, &shown.names, group.account);
    let list = |flow| of(shown, flow).map(wire).collect::<Vec<_>>();
    json!({
        "AccountId": group.account,
        "Description": group.description,
        "InboundRules": list(Flow::Inbound),
        "NetId": group.net,
        "OutboundRules": list(Flow::Outbound),
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Tags": tags::wire(shown),
    })
}

/// The group of an answer that changed one.
pub(super) async fn answer(call: &Call<'_>, view: SecurityGroupView) -> Outcome {
    let tagged = call.app.tagged(&call.context()?, vec![view], |view| view.group.id).await?;
    Ok(member("SecurityGroup", tagged.first().map(wire)))
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
    answer(&call, group).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let params = call.checked(DELETE)?;
    let ctx = call.context()?;
    let id = match (params.id("SecurityGroupId")?, params.text("SecurityGroupName")) {
        (Some(id), None) => id,
        (None, Some(name)) => call.app.security_group_named(&ctx, name).await?,
        (None, None) => return Err(Failure::missing("SecurityGroupId")),
        (Some(_), Some(_)) => {
            let text = "Give either SecurityGroupId or SecurityGroupName.";
            return Err(Failure::new(Code::PARAMETER_SET, text));
        }
    };
    call.app.delete_security_group(&ctx, id).await?;
    Ok(Members::new())
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Shown>(&call, &[])?;
    let ids = list.ids("SecurityGroupIds");
    let ctx = call.context()?;
    let groups = call.app.security_groups(&ctx, ids.as_deref()).await?;
    let groups = call.app.tagged(&ctx, groups, |view| view.group.id).await?;
    list.answer("SecurityGroups", &groups, wire)
}
