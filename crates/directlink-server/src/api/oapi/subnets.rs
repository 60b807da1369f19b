//! Subnets of a Net.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member, nets,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
    tags,
};
use crate::app::Tagged;
use directlink_model::{
    Fault,
    command::CreateSubnet,
    ids::{NetId, SubnetId, SubregionName},
    view::SubnetView,
};
use serde_json::{Value, json};

pub(super) const CREATE: &[Field<'_>] = &[
    required("IpRange", Kind::Text),
    required("NetId", Kind::Id(id_of::<NetId>)),
    optional("SubregionName", Kind::Text),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] =
    &[required("SubnetId", Kind::Id(id_of::<SubnetId>)), DRY_RUN];

const AVAILABLE: &str = "available";

impl Listed for Tagged<SubnetView> {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Integers("AvailableIpsCounts", |s| vec![s.available_addresses.into()]),
        Filter::Texts("IpRanges", |s| vec![s.subnet.range.to_string()]),
        Filter::Texts("NetIds", |s| vec![s.subnet.net.to_string()]),
        Filter::Texts("States", |_| vec![AVAILABLE.into()]),
        Filter::Texts("SubnetIds", |s| vec![s.subnet.id.to_string()]),
        Filter::Texts("SubregionNames", |s| vec![s.subnet.subregion.to_string()]),
        Filter::Texts("TagKeys", tags::keys),
        Filter::Texts("TagValues", tags::values),
        Filter::Texts("Tags", tags::pairs),
    ];
}

fn wire(view: &Tagged<SubnetView>) -> Value {
    let subnet = &view.subnet;
    json!({
        "AvailableIpsCount": view.available_addresses,
        "IpRange": subnet.range,
        "MapPublicIpOnLaunch": false,
        "NetId": subnet.net,
        "State": AVAILABLE,
        "SubnetId": subnet.id,
        "SubregionName": subnet.subregion,
        "Tags": tags::wire(view),
    })
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let subregion: Option<SubregionName> = params
        .text("SubregionName")
        .map(|text| text.parse().map_err(|_| Fault::NoSuchSubregion(text.to_owned())))
        .transpose()?;
    let command = CreateSubnet {
        net: params.needed_id("NetId")?,
        range: nets::range(params.needed_text("IpRange")?)?,
        subregion,
    };
    let view = call.app.create_subnet(&call.context()?, command).await?;
    Ok(member("Subnet", wire(&tags::untagged(view))))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Tagged<SubnetView>>(&call, &[])?;
    let ids = list.ids("SubnetIds");
    let ctx = call.context()?;
    let views = call.app.subnets(&ctx, ids.as_deref()).await?;
    let views = call.app.tagged(&ctx, views, |view| view.subnet.id).await?;
    list.answer("Subnets", &views, wire)
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("SubnetId")?;
    call.app.delete_subnet(&call.context()?, id).await?;
    Ok(Members::new())
}
