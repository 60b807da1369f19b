//! Route tables; making routes by hand is in [`super::routes`].

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed, none},
    member,
    params::{DRY_RUN, Field, Kind, id_of, required},
    refusal::Failure,
    tags,
};
use crate::app::Tagged;
use directlink_model::{
    command::{LinkRouteTable, ReplaceRouteTable, SetPropagation},
    ids::{GatewayId, NetId, RouteTableId, RouteTableLinkId, SubnetId},
    route_table::{Route, RouteOrigin, RouteTableLink, RouteTarget},
    view::RouteTableView,
};
use serde_json::{Value, json};

pub(super) const UPDATE_PROPAGATION: &[Field<'_>] = &[
    required("Enable", Kind::Flag),
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)),
    DRY_RUN,
];

pub(super) const CREATE: &[Field<'_>] = &[required("NetId", Kind::Id(id_of::<NetId>)), DRY_RUN];

pub(super) const DELETE: &[Field<'_>] =
    &[required("RouteTableId", Kind::Id(id_of::<RouteTableId>)), DRY_RUN];

pub(super) const LINK: &[Field<'_>] = &[
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    required("SubnetId", Kind::Id(id_of::<SubnetId>)),
    DRY_RUN,
];

pub(super) const UNLINK: &[Field<'_>] =
    &[required("LinkRouteTableId", Kind::Id(id_of::<RouteTableLinkId>)), DRY_RUN];

pub(super) const UPDATE_LINK: &[Field<'_>] = &[
    required("LinkRouteTableId", Kind::Id(id_of::<RouteTableLinkId>)),
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    DRY_RUN,
];

const ACTIVE: &str = "active";

impl Listed for Tagged<RouteTableView> {
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
        Filter::Texts("RouteGatewayIds", |view| {
            view.routes.iter().filter_map(gateway_of).collect()
        }),
        Filter::Texts("RouteNatServiceIds", none),
        Filter::Texts("RouteNetPeeringIds", none),
        Filter::Texts("RouteStates", |view| view.routes.iter().map(|_| ACTIVE.into()).collect()),
        Filter::Texts("RouteTableIds", |view| vec![view.table.id.to_string()]),
        Filter::Texts("RouteVmIds", none),
        Filter::Texts("TagKeys", tags::keys),
        Filter::Texts("TagValues", tags::values),
        Filter::Texts("Tags", tags::pairs),
    ];
}

const fn creation_method(route: &Route) -> &'static str {
    match route.origin {
        RouteOrigin::Local => "CreateRouteTable",
        RouteOrigin::Static(_) => "CreateRoute",
        // AWS's word (EC2 `Route.Origin`); what the OUTSCALE API says for it is not documented.
        RouteOrigin::Learned(_) => "EnableVgwRoutePropagation",
    }
}

fn gateway_of(route: &Route) -> Option<String> {
    match route.origin {
        RouteOrigin::Local => Some("local".into()),
        RouteOrigin::Static(RouteTarget::Gateway(gateway)) | RouteOrigin::Learned(gateway) => {
            Some(gateway.to_string())
        }
        RouteOrigin::Static(RouteTarget::Nic(_)) => None,
    }
}

fn route_wire(route: &Route) -> Value {
    let (target, id) = match route.origin {
        RouteOrigin::Static(RouteTarget::Nic(nic)) => ("NicId", nic.to_string()),
        RouteOrigin::Local | RouteOrigin::Static(_) | RouteOrigin::Learned(_) => {
            ("GatewayId", gateway_of(route).unwrap_or_default())
        }
    };
    json!({
        "CreationMethod": creation_method(route),
        "DestinationIpRange": route.destination,
        "State": ACTIVE,
        target: id,
    })
}

/// The table of an answer that changed one.
pub(super) async fn answer(call: &Call<'_>, view: RouteTableView) -> Outcome {
    let tagged = call.app.tagged(&call.context()?, vec![view], |view| view.table.id).await?;
    Ok(member("RouteTable", tagged.first().map(wire)))
}

fn wire(view: &Tagged<RouteTableView>) -> Value {
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
        "Tags": tags::wire(view),
    })
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Tagged<RouteTableView>>(&call, &[])?;
    let ids = list.ids("RouteTableIds");
    let ctx = call.context()?;
    let views = call.app.route_tables(&ctx, ids.as_deref()).await?;
    let views = call.app.tagged(&ctx, views, |view| view.table.id).await?;
    list.answer("RouteTables", &views, wire)
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let net = call.checked(CREATE)?.needed_id("NetId")?;
    let view = call.app.create_route_table(&call.context()?, net).await?;
    answer(&call, view).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("RouteTableId")?;
    call.app.delete_route_table(&call.context()?, id).await?;
    Ok(Members::new())
}

pub(super) async fn link(call: Call<'_>) -> Outcome {
    let params = call.checked(LINK)?;
    let command = LinkRouteTable {
        table: params.needed_id("RouteTableId")?,
        subnet: params.needed_id("SubnetId")?,
    };
    let id = call.app.link_route_table(&call.context()?, command).await?;
    Ok(member("LinkRouteTableId", id))
}

pub(super) async fn unlink(call: Call<'_>) -> Outcome {
    let id = call.checked(UNLINK)?.needed_id("LinkRouteTableId")?;
    call.app.unlink_route_table(&call.context()?, id).await?;
    Ok(Members::new())
}

pub(super) async fn update_link(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE_LINK)?;
    let command = ReplaceRouteTable {
        link: params.needed_id("LinkRouteTableId")?,
        table: params.needed_id("RouteTableId")?,
    };
    let id = call.app.replace_route_table(&call.context()?, command).await?;
    Ok(member("LinkRouteTableId", id))
}

pub(super) async fn update_propagation(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE_PROPAGATION)?;
    let command = SetPropagation {
        table: params.needed_id("RouteTableId")?,
        gateway: params.needed_id("VirtualGatewayId")?,
        enabled: params.flag("Enable").ok_or_else(|| Failure::missing("Enable"))?,
    };
    let view = call.app.set_propagation(&call.context()?, command).await?;
    answer(&call, view).await
}
