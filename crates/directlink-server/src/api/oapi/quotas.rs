//! Quotas. The two names of the collection "Direct Link" are the service's own; of the others only
//! the sense is.

use super::{
    Call, Outcome,
    list::{Filter, List, Listed},
};
use directlink_model::{quota::Quota, view::QuotaView};
use serde_json::json;

/// All of ours count what an account has, none what one resource has.
const GLOBAL: &str = "global";

/// Every quota of one type: a type without one that the filters want is left out.
pub(super) struct QuotaType(Vec<QuotaView>);

struct Words {
    name: &'static str,
    collection: &'static str,
    short: &'static str,
    long: &'static str,
}

const fn words(quota: Quota) -> Words {
    let (name, collection, short, long) = match quota {
        Quota::Connections => (
            "dl_connection_limit",
            "Direct Link",
            "Direct Link Connection Limit",
            "Maximum number of DirectLinks per account",
        ),
        Quota::Lags => (
            "dl_lag_limit",
            "Other",
            "Direct Link LAG Limit",
            "Maximum number of link aggregation groups of DirectLinks per account",
        ),
        Quota::InterfacesPerConnection => (
            "dl_interface_limit",
            "Direct Link",
            "Direct Link Interface Limit",
            "Maximum number of DirectLink interfaces per DirectLink",
        ),
        Quota::Gateways => (
            "vpn_gateway_limit",
            "VPC",
            "Virtual Gateway Limit",
            "Maximum number of virtual gateways per account",
        ),
        Quota::Nets => ("vpc_limit", "VPC", "Net Limit", "Maximum number of Nets per account"),
        Quota::Nics => ("nic_limit", "VPC", "NIC Limit", "Maximum number of NICs per account"),
        Quota::RouteTables => (
            "route_table_limit",
            "VPC",
            "Route Table Limit",
            "Maximum number of route tables per account",
        ),
        Quota::RoutesPerTable => (
            "static_route_limit",
            "VPC",
            "Route Limit",
            "Maximum number of routes created by hand per route table",
        ),
        Quota::SecurityGroups => (
            "sg_limit",
            "Security Groups",
            "Security Group Limit",
            "Maximum number of security groups per account",
        ),
        Quota::RulesPerGroup => (
            "sg_rule_limit",
            "Security Groups",
            "Security Group Rule Limit",
            "Maximum number of rules per security group",
        ),
        Quota::TagsPerResource => {
            ("tag_limit", "Other", "Tag Limit", "Maximum number of tags per resource")
        }
        Quota::AccessKeys => (
            "accesskey_limit",
            "Other",
            "Access Key Limit",
            "Maximum number of access keys per account",
        ),
    };
    Words { name, collection, short, long }
}

impl Listed for QuotaView {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("Collections", |view| vec![words(view.quota).collection.into()]),
        Filter::Texts("QuotaNames", |view| vec![words(view.quota).name.into()]),
        Filter::Texts("QuotaTypes", |_| vec![GLOBAL.into()]),
        Filter::Texts("ShortDescriptions", |view| vec![words(view.quota).short.into()]),
    ];
}

impl Listed for QuotaType {
    const FILTERS: &'static [Filter<Self>] = &[];
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<QuotaView>(&call, &[])?;
    let ctx = call.context()?;
    let views = call.app.quotas(&ctx).await?;
    let wanted: Vec<QuotaView> = views.into_iter().filter(|view| list.admits(view)).collect();
    let quota = |view: &QuotaView| {
        let Words { name, collection, short, long } = words(view.quota);
        json!({
            "AccountId": ctx.caller.account,
            "Description": long,
            "MaxValue": view.limit,
            "Name": name,
            "QuotaCollection": collection,
            "ShortDescription": short,
            "UsedValue": view.used,
        })
    };
    let kinds = if wanted.is_empty() { vec![] } else { vec![QuotaType(wanted)] };
    list.answer("QuotaTypes", &kinds, |QuotaType(quotas)| {
        json!({ "QuotaType": GLOBAL, "Quotas": quotas.iter().map(quota).collect::<Vec<_>>() })
    })
}
