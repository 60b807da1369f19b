//! Nets.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, id_of, optional, required},
    refusal::Failure,
    tags,
};
use crate::app::Tagged;
use directlink_model::{command::CreateNet, ids::NetId, net::Net};
use directlink_net::Ipv4Net;
use serde_json::{Value, json};

pub(super) const CREATE: &[Field<'_>] =
    &[required("IpRange", Kind::Text), optional("Tenancy", Kind::Text), DRY_RUN];

pub(super) const DELETE: &[Field<'_>] = &[required("NetId", Kind::Id(id_of::<NetId>)), DRY_RUN];

const AVAILABLE: &str = "available";
/// "The ID of the DHCP options set (or `default`)": there is only the default one.
const DHCP_OPTIONS: &str = "default";

impl Listed for Tagged<Net> {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("DhcpOptionsSetIds", |_| vec![DHCP_OPTIONS.into()]),
        Filter::Texts("IpRanges", |net| vec![net.range.to_string()]),
        Filter::Flag("IsDefault", |_| vec![false]),
        Filter::Texts("NetIds", |net| vec![net.id.to_string()]),
        Filter::Texts("States", |_| vec![AVAILABLE.into()]),
        Filter::Texts("TagKeys", tags::keys),
        Filter::Texts("TagValues", tags::values),
        Filter::Texts("Tags", tags::pairs),
    ];
}

fn wire(net: &Tagged<Net>) -> Value {
    json!({
        "DhcpOptionsSetId": DHCP_OPTIONS,
        "IpRange": net.range,
        "NetId": net.id,
        "State": AVAILABLE,
        "Tags": tags::wire(net),
        "Tenancy": "default",
    })
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    match params.text("Tenancy") {
        None | Some("default") => {}
        Some(other) => return Err(Failure::value("Tenancy", other, "only 'default' is offered")),
    }
    let range = range(params.needed_text("IpRange")?)?;
    let net = call.app.create_net(&call.context()?, CreateNet { range }).await?;
    Ok(member("Net", wire(&tags::untagged(net))))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Tagged<Net>>(&call, &[])?;
    let ids = list.ids("NetIds");
    let ctx = call.context()?;
    let nets = call.app.nets(&ctx, ids.as_deref()).await?;
    let nets = call.app.tagged(&ctx, nets, |net| net.id).await?;
    list.answer("Nets", &nets, wire)
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("NetId")?;
    call.app.delete_net(&call.context()?, id).await?;
    Ok(Members::new())
}

/// A range in CIDR notation, its host bits zero.
pub(super) fn range(text: &str) -> Result<Ipv4Net, Failure> {
    let parsed: Option<Ipv4Net> = text.parse().ok();
    parsed.filter(|range| *range == range.trunc()).ok_or_else(|| {
        Failure::value("IpRange", text, "give a range in CIDR notation, as in 10.0.0.0/16")
    })
}
