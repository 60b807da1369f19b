//! What we take and answer, held against `spec/outscale-oapi.yaml`.

use super::*;
use crate::api::{
    oapi::{list::Listed, params::Kind},
    testing::{OAPI, code_types},
};
use crate::app::{Tagged, api_logs::ApiLog};
use directlink_model::{
    account::AccessKey,
    net::Net,
    view::{ConnectionView, GatewayView, InterfaceView, QuotaView, RouteTableView, SubnetView},
};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_published_action_is_served_or_refused_as_an_unknown_one() {
    let region = TestRegion::new().await;
    let published: BTreeSet<_> = OAPI.actions().collect();
    assert_eq!(published.len(), 236);
    for action in ACTIONS {
        assert!(published.contains(action.name), "{} is not published", action.name);
    }
    for name in published {
        let answer = region.oapi(&region.owner, name, json!({})).await;
        let served = ACTIONS.iter().any(|action| action.name == name);
        assert_eq!(answer.code() != 12000, served, "{name}: {}", answer.body);
        assert_eq!(answer.status == StatusCode::NOT_FOUND, !served, "{name}");
    }
}

#[test]
fn parameters_are_the_published_ones() {
    for (action, fields) in [
        ("CreateAccessKey", access_keys::CREATE),
        ("CreateDirectLink", connections::CREATE),
        ("CreateDirectLinkInterface", interfaces::CREATE),
        ("CreateNet", nets::CREATE),
        ("CreateNic", nics::CREATE),
        ("CreateRoute", routes::CREATE),
        ("CreateRouteTable", route_tables::CREATE),
        ("CreateSecurityGroup", security_groups::CREATE),
        ("CreateSecurityGroupRule", security_rules::CREATE),
        ("CreateSubnet", subnets::CREATE),
        ("CreateTags", tags::CREATE),
        ("CreateVirtualGateway", gateways::CREATE),
        ("DeleteAccessKey", access_keys::DELETE),
        ("DeleteDirectLink", connections::DELETE),
        ("DeleteDirectLinkInterface", interfaces::DELETE),
        ("DeleteNet", nets::DELETE),
        ("DeleteNic", nics::DELETE),
        ("DeleteRoute", routes::DELETE),
        ("DeleteRouteTable", route_tables::DELETE),
        ("DeleteSecurityGroup", security_groups::DELETE),
        ("DeleteSecurityGroupRule", security_rules::DELETE),
        ("DeleteSubnet", subnets::DELETE),
        ("DeleteTags", tags::CREATE),
        ("DeleteVirtualGateway", gateways::DELETE),
        ("LinkRouteTable", route_tables::LINK),
        ("LinkVirtualGateway", gateways::LINK),
        ("UnlinkRouteTable", route_tables::UNLINK),
        ("UnlinkVirtualGateway", gateways::LINK),
        ("UpdateAccessKey", access_keys::UPDATE),
        ("UpdateDirectLinkInterface", interfaces::UPDATE),
        ("UpdateNic", nics::UPDATE),
        ("UpdateRoute", routes::CREATE),
        ("UpdateRoutePropagation", route_tables::UPDATE_PROPAGATION),
        ("UpdateRouteTableLink", route_tables::UPDATE_LINK),
    ] {
        compare(OAPI.schema(&format!("{action}Request")), fields, action);
    }
}

#[test]
fn filters_are_the_published_ones() {
    filters::<AccessKey>("FiltersAccessKeys");
    filters::<ConnectionView>("FiltersDirectLink");
    filters::<Tagged<GatewayView>>("FiltersVirtualGateway");
    filters::<InterfaceView>("FiltersDirectLinkInterface");
    filters::<Tagged<Net>>("FiltersNet");
    filters::<nics::NamedNic>("FiltersNic");
    filters::<ApiLog>("FiltersApiLog");
    filters::<QuotaView>("FiltersQuota");
    filters::<Tagged<RouteTableView>>("FiltersRouteTable");
    filters::<security_groups::Shown>("FiltersSecurityGroup");
    filters::<tags::Stuck>("FiltersTag");
    filters::<Tagged<SubnetView>>("FiltersSubnet");
    filters::<regions::Subregion>("FiltersSubregion");
}

#[test]
fn what_a_log_can_show_is_what_is_published() {
    compare(OAPI.schema("With"), api_logs::WITH, "With");
}

fn filters<T: Listed>(schema: &str) {
    let fields: Vec<_> = T::FILTERS.iter().map(list::Filter::field).collect();
    compare(OAPI.schema(schema), &fields, schema);
}

fn compare(schema: &Value, fields: &[Field<'_>], at: &str) {
    let published = schema["properties"].as_object().unwrap();
    let names: BTreeSet<_> = published.keys().map(String::as_str).collect();
    assert_eq!(fields.iter().map(|f| f.name).collect::<BTreeSet<_>>(), names, "{at}");
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let ours = fields.iter().filter(|f| f.required).map(|f| f.name);
    assert_eq!(ours.collect::<BTreeSet<_>>(), needed.collect(), "{at}");
    for field in fields {
        let at = format!("{at}.{}", field.name);
        let member = OAPI.resolved(&published[field.name]);
        let item = OAPI.resolved(&member["items"]);
        let kind = match field.kind {
            Kind::Text | Kind::Id(_) => ["string", ""],
            Kind::Integer => ["integer", ""],
            Kind::Flag => ["boolean", ""],
            Kind::Texts | Kind::Ids(_) => ["array", "string"],
            Kind::Integers => ["array", "integer"],
            Kind::Object(inner) => {
                compare(member, inner, &at);
                ["object", ""]
            }
            Kind::Objects(inner) => {
                compare(item, inner, &at);
                ["array", "object"]
            }
        };
        let published = [member, item].map(|s| s["type"].as_str().unwrap_or_default());
        // A date may be written in two forms; the description gives both as alternatives.
        let date = field.name.contains("Date");
        assert!(published == kind || date, "{at}: {published:?}, ours {kind:?}");
    }
}

#[test]
fn a_codes_type_is_the_published_one() {
    for (code, kind) in code_types() {
        assert_eq!(Code(code).kind(), kind, "{code}");
    }
}
