//! NICs: what the hosts of a Net are known by.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed, none},
    member,
    params::{DRY_RUN, Field, Kind, Params, id_of, optional, required},
    refusal::{Code, Failure},
    tags,
};
use crate::app::Tagged;
use directlink_model::{
    command::{ChangeNic, CreateNic},
    ids::{NicId, RegionName, SecurityGroupId, SubnetId},
    view::NicView,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::Ipv4Addr};

const PRIVATE_IP: &[Field<'_>] =
    &[optional("IsPrimary", Kind::Flag), optional("PrivateIp", Kind::Text)];

pub(super) const CREATE: &[Field<'_>] = &[
    optional("Description", Kind::Text),
    optional("PrivateIps", Kind::Objects(PRIVATE_IP)),
    optional("SecurityGroupIds", Kind::Ids(id_of::<SecurityGroupId>)),
    required("SubnetId", Kind::Id(id_of::<SubnetId>)),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] = &[required("NicId", Kind::Id(id_of::<NicId>)), DRY_RUN];

const LINK_NIC: &[Field<'_>] =
    &[optional("DeleteOnVmDeletion", Kind::Flag), optional("LinkNicId", Kind::Text)];

pub(super) const UPDATE: &[Field<'_>] = &[
    optional("Description", Kind::Text),
    optional("LinkNic", Kind::Object(LINK_NIC)),
    required("NicId", Kind::Id(id_of::<NicId>)),
    optional("SecurityGroupIds", Kind::Ids(id_of::<SecurityGroupId>)),
    DRY_RUN,
];

/// A NIC with the names that the API shows beside ids.
pub(super) struct NamedNic {
    view: Tagged<NicView>,
    security_groups: Vec<(SecurityGroupId, String)>,
    dns_name: String,
}

impl NamedNic {
    /// In use as soon as the operator's side has said where it lives.
    fn state(&self) -> &'static str {
        match self.view.nic.vtep {
            Some(_) => "in-use",
            None => "available",
        }
    }
}

impl Listed for NamedNic {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("Descriptions", |n| vec![n.view.nic.description.clone()]),
        Filter::Flag("IsSourceDestCheck", |_| vec![true]),
        Filter::Flag("LinkNicDeleteOnVmDeletion", none),
        Filter::Integers("LinkNicDeviceNumbers", none),
        Filter::Texts("LinkNicLinkNicIds", none),
        Filter::Texts("LinkNicStates", none),
        Filter::Texts("LinkNicVmAccountIds", none),
        Filter::Texts("LinkNicVmIds", none),
        Filter::Texts("LinkPublicIpAccountIds", none),
        Filter::Texts("LinkPublicIpLinkPublicIpIds", none),
        Filter::Texts("LinkPublicIpPublicDnsNames", none),
        Filter::Texts("LinkPublicIpPublicIpIds", none),
        Filter::Texts("LinkPublicIpPublicIps", none),
        Filter::Texts("MacAddresses", |n| vec![n.view.nic.mac.to_string()]),
        Filter::Texts("NetIds", |n| vec![n.view.nic.net.to_string()]),
        Filter::Texts("NicIds", |n| vec![n.view.nic.id.to_string()]),
        Filter::Texts("PrivateDnsNames", |n| vec![n.dns_name.clone()]),
        Filter::Texts("PrivateIpsLinkPublicIpAccountIds", none),
        Filter::Texts("PrivateIpsLinkPublicIpPublicIps", none),
        Filter::Flag("PrivateIpsPrimaryIp", |_| vec![true]),
        Filter::Texts("PrivateIpsPrivateIps", |n| vec![n.view.nic.address.to_string()]),
        Filter::Texts("SecurityGroupIds", |n| {
            n.security_groups.iter().map(|(id, _)| id.to_string()).collect()
        }),
        Filter::Texts("SecurityGroupNames", |n| {
            n.security_groups.iter().map(|(_, name)| name.clone()).collect()
        }),
        Filter::Texts("States", |n| vec![n.state().into()]),
        Filter::Texts("SubnetIds", |n| vec![n.view.nic.subnet.to_string()]),
        Filter::Texts("SubregionNames", |n| vec![n.view.subnet.subregion.to_string()]),
        Filter::Texts("TagKeys", |n| tags::keys(&n.view)),
        Filter::Texts("TagValues", |n| tags::values(&n.view)),
        Filter::Texts("Tags", |n| tags::pairs(&n.view)),
    ];
}

fn wire(named: &NamedNic) -> Value {
    let nic = &named.view.nic;
    let group = |(id, name): &(SecurityGroupId, String)| json!({ "SecurityGroupId": id, "SecurityGroupName": name });
    let address = json!({
        "IsPrimary": true,
        "PrivateDnsName": named.dns_name,
        "PrivateIp": nic.address,
    });
    json!({
        "AccountId": nic.account,
        "Description": nic.description,
        "IsSourceDestChecked": true,
        "MacAddress": nic.mac,
        "NetId": nic.net,
        "NicId": nic.id,
        "PrivateDnsName": named.dns_name,
        "PrivateIps": [address],
        "SecurityGroups": named.security_groups.iter().map(group).collect::<Vec<_>>(),
        "State": named.state(),
        "SubnetId": nic.subnet,
        "SubregionName": named.view.subnet.subregion,
        "Tags": tags::wire(&named.view),
    })
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let groups = params.texts("SecurityGroupIds").unwrap_or_default();
    let command = CreateNic {
        subnet: params.needed_id("SubnetId")?,
        description: params.text("Description").unwrap_or_default().to_owned(),
        address: address(params)?,
        security_groups: groups.into_iter().map(str::parse).collect::<Result<_, _>>()?,
    };
    let view = call.app.create_nic(&call.context()?, command).await?;
    let named = named(&call, vec![view]).await?;
    Ok(member("Nic", named.first().map(wire)))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<NamedNic>(&call, &[])?;
    let ids = list.ids("NicIds");
    let views = call.app.nics(&call.context()?, ids.as_deref()).await?;
    list.answer("Nics", &named(&call, views).await?, wire)
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("NicId")?;
    call.app.delete_nic(&call.context()?, id).await?;
    Ok(Members::new())
}

/// "You can specify only one attribute at a time." There are no VMs, so there is no link to change.
pub(super) async fn update(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE)?;
    if params.has("LinkNic") {
        let text = "This NIC is linked to no VM: this Region has none.";
        return Err(Failure::new(Code::NO_SUCH_ATTACHMENT, text));
    }
    let groups = params.texts("SecurityGroupIds");
    let description = params.text("Description");
    match (&groups, description) {
        (None, None) => return Err(Failure::missing("Description or SecurityGroupIds")),
        (Some(_), Some(_)) => {
            let text = "Give either Description or SecurityGroupIds: one attribute at a time.";
            return Err(Failure::new(Code::PARAMETER_SET, text));
        }
        (Some(groups), None) if groups.is_empty() => {
            return Err(Failure::value("SecurityGroupIds", "[]", "a NIC has one group at least"));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    let parse = |groups: Vec<&str>| groups.into_iter().map(str::parse).collect();
    let command = ChangeNic {
        id: params.needed_id("NicId")?,
        description: description.map(str::to_owned),
        security_groups: groups.map(parse).transpose()?,
    };
    let view = call.app.change_nic(&call.context()?, command).await?;
    let named = named(&call, vec![view]).await?;
    Ok(member("Nic", named.first().map(wire)))
}

/// The primary address: the one marked so, or the only one.
fn address(params: Params<'_>) -> Result<Option<Ipv4Addr>, Failure> {
    let given = params.objects("PrivateIps").unwrap_or_default();
    let [one] = given[..] else {
        return match given.is_empty() {
            true => Ok(None),
            false => Err(Failure::not_offered("PrivateIps", "give one private IP at most")),
        };
    };
    if one.flag("IsPrimary") == Some(false) {
        return Err(Failure::not_offered("PrivateIps", "the only private IP is the primary one"));
    }
    let parse = |text: &str| {
        text.parse().map_err(|_| Failure::value("PrivateIp", text, "give an IPv4 address"))
    };
    one.text("PrivateIp").map(parse).transpose()
}

async fn named(call: &Call<'_>, views: Vec<NicView>) -> Result<Vec<NamedNic>, Failure> {
    let ids: Vec<_> = views.iter().flat_map(|v| v.nic.security_groups.iter().copied()).collect();
    let ctx = call.context()?;
    let groups = call.app.security_groups(&ctx, Some(&ids)).await?;
    let names: BTreeMap<_, _> =
        groups.into_iter().map(|view| (view.group.id, view.group.name)).collect();
    let views = call.app.tagged(&ctx, views, |view| view.nic.id).await?;
    let named = |view: Tagged<NicView>| NamedNic {
        security_groups: view
            .nic
            .security_groups
            .iter()
            .map(|id| (*id, names.get(id).cloned().unwrap_or_default()))
            .collect(),
        dns_name: dns_name(view.nic.address, &call.app.region().name),
        view,
    };
    Ok(views.into_iter().map(named).collect())
}

/// `ip-10-0-0-4.eu-west-2.compute.internal`.
fn dns_name(address: Ipv4Addr, region: &RegionName) -> String {
    let [a, b, c, d] = address.octets();
    format!("ip-{a}-{b}-{c}-{d}.{region}.compute.internal")
}
