//! Route tables: the Net's own range, and where propagation is on what the customers' routers announce.

use super::{
    Call, Outcome,
    list::{Filter, List, Listed, none},
    member,
    params::{DRY_RUN, Field, Kind, id_of, required},
    refusal::Failure,
};
use directlink_model::{
    command::SetPropagation,
    ids::{GatewayId, RouteTableId},
    route_table::{Route, RouteOrigin, RouteTableLink},
    view::RouteTableView,
};
use serde_json::{Value, json};

pub(super) const UPDATE_PROPAGATION: &[Field<'_>] = &[
    required("Enable", Kind::Flag),
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)),
    DRY_RUN,
];

const ACTIVE: &str = "active";

impl Listed for RouteTableView {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("LinkRouteTableIds", |view| {
            view.table.links.iter().map(|_| view.table.id.to_string()).collect()
        }),
        Filter::Texts("LinkRouteTableLinkRouteTableIds", |view| {
            view.table.links.iter().map(|link| link.id.to_string()).collect()
        }),
        Filter::Flag("LinkRouteTableMain", |view| {
            view.table.links.iter().map(|link| link.subnet.is_none()).collect()
        }),
        Filter::Texts("LinkSubnetIds", |view| {
            view.table.links.iter().filter_map(|l| l.subnet).map(|s| s.to_string()).collect()
        }),
        Filter::Texts("NetIds", |view| vec![view.table.net.to_string()]),
        Filter::Texts("RouteCreationMethods", |view| {
            view.routes.iter().map(|route| creation_method(route).into()).collect()
        }),
        Filter::Texts("RouteDestinationIpRanges", |view| {
            view.routes.iter().map(|route| route.destination.to_string()).collect()
        }),
        Filter::Texts("RouteDestinationServiceIds", none),
        Filter::Texts("RouteGatewayIds", |view| view.routes.iter().map(gateway_of).collect()),
        Filter::Texts("RouteNatServiceIds", none),
        Filter::Texts("RouteNetPeeringIds", none),
        Filter::Texts("RouteStates", |view| view.routes.iter().map(|_| ACTIVE.into()).collect()),
        Filter::Texts("RouteTableIds", |view| vec![view.table.id.to_string()]),
        Filter::Texts("RouteVmIds", none),
        Filter::Texts("TagKeys", none),
        Filter::Texts("TagValues", none),
        Filter::Texts("Tags", none),
    ];
}

const fn creation_method(route: &Route) -> &'static str {
    match route.origin {
        RouteOrigin::Local => "CreateRouteTable",
        // AWS's word (EC2 `Route.Origin`); what the OUTSCALE API says for it is not documented.
        RouteOrigin::Learned(_) => "EnableVgwRoutePropagation",
    }
}

fn gateway_of(route: &Route) -> String {
    match route.origin {
        RouteOrigin::Local => "local".into(),
        RouteOrigin::Learned(gateway) => gateway.to_string(),
    }
}

fn route_wire(route: &Route) -> Value {
    json!({
        "CreationMethod": creation_method(route),
        "DestinationIpRange": route.destination,
        "GatewayId": gateway_of(route),
        "State": ACTIVE,
    })
}

fn wire(view: &RouteTableView) -> Value {
    let table = &view.table;
    let link = |link: &RouteTableLink| {
        let (name, id) = match link.subnet {
            Some(subnet) => ("SubnetId", subnet.to_string()),
            None => ("NetId", table.net.to_string()),
        };
        json!({
            "LinkRouteTableId": link.id,
            "Main": link.subnet.is_none(),
            "RouteTableId": table.id,
            name: id,
        })
    };
    let gateway = |id: &GatewayId| json!({ "VirtualGatewayId": id });
    json!({
        "LinkRouteTables": table.links.iter().map(link).collect::<Vec<_>>(),
        "NetId": table.net,
        "RoutePropagatingVirtualGateways": table.propagating.iter().map(gateway).collect::<Vec<_>>(),
        "RouteTableId": table.id,
        "Routes": view.routes.iter().map(route_wire).collect::<Vec<_>>(),
        "Tags": [],
    })
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<RouteTableView>(&call, &[])?;
    let ids = list.ids("RouteTableIds");
    let views = call.app.route_tables(&call.context()?, ids.as_deref()).await?;
    list.answer("RouteTables", &views, wire)
}

pub(super) async fn update_propagation(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE_PROPAGATION)?;
    let command = SetPropagation {
        table: params.needed_id("RouteTableId")?,
        gateway: params.needed_id("VirtualGatewayId")?,
        enabled: params.flag("Enable").ok_or_else(|| Failure::missing("Enable"))?,
    };
    let view = call.app.set_propagation(&call.context()?, command).await?;
    Ok(member("RouteTable", wire(&view)))
}
