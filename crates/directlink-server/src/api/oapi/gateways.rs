//! Virtual gateways.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, Params, id_of, required},
    refusal::Failure,
    tags,
};
use crate::app::Tagged;
use directlink_model::{
    command::LinkGateway,
    gateway::{Gateway, GatewayState},
    ids::{GatewayId, NetId},
    view::GatewayView,
};
use serde_json::{Value, json};

pub(super) const CREATE: &[Field<'_>] = &[required("ConnectionType", Kind::Text), DRY_RUN];

pub(super) const LINK: &[Field<'_>] = &[
    required("NetId", Kind::Id(id_of::<NetId>)),
    required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] =
    &[required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)), DRY_RUN];

/// "Always `ipsec.1`", also for gateways that serve DirectLinks.
const CONNECTION_TYPE: &str = "ipsec.1";
const ATTACHED: &str = "attached";

impl Listed for Tagged<GatewayView> {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("ConnectionTypes", |_| vec![CONNECTION_TYPE.into()]),
        Filter::Texts("LinkNetIds", |view| {
            view.gateway.net.iter().map(ToString::to_string).collect()
        }),
        Filter::Texts("LinkStates", |view| {
            view.gateway.net.iter().map(|_| ATTACHED.into()).collect()
        }),
        Filter::Texts("States", |view| vec![state(view.gateway.state()).into()]),
        Filter::Texts("TagKeys", tags::keys),
        Filter::Texts("TagValues", tags::values),
        Filter::Texts("Tags", tags::pairs),
        Filter::Texts("VirtualGatewayIds", |view| vec![view.gateway.id.to_string()]),
    ];
}

const fn state(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Available => "available",
        GatewayState::Deleted => "deleted",
    }
}

fn link_wire(net: NetId) -> Value {
    json!({ "NetId": net, "State": ATTACHED })
}

fn wire(view: &Tagged<GatewayView>) -> Value {
    let Gateway { id, net, .. } = &view.gateway;
    json!({
        "ConnectionType": CONNECTION_TYPE,
        "NetToVirtualGatewayLinks": net.iter().map(|net| link_wire(*net)).collect::<Vec<_>>(),
        "State": state(view.gateway.state()),
        "Tags": tags::wire(view),
        "VirtualGatewayId": id,
    })
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    match params.needed_text("ConnectionType")? {
        CONNECTION_TYPE => {}
        other => return Err(Failure::value("ConnectionType", other, "give ipsec.1")),
    }
    let view = call.app.create_gateway(&call.context()?).await?;
    Ok(member("VirtualGateway", wire(&tags::untagged(view))))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<Tagged<GatewayView>>(&call, &[])?;
    let ids = list.ids("VirtualGatewayIds");
    let ctx = call.context()?;
    let views = call.app.gateways(&ctx, ids.as_deref()).await?;
    let views = call.app.tagged(&ctx, views, |view| view.gateway.id).await?;
    list.answer("VirtualGateways", &views, wire)
}

pub(super) async fn link(call: Call<'_>) -> Outcome {
    let command = link_command(call.checked(LINK)?)?;
    let net = command.net;
    call.app.link_gateway(&call.context()?, command).await?;
    Ok(member("NetToVirtualGatewayLink", link_wire(net)))
}

pub(super) async fn unlink(call: Call<'_>) -> Outcome {
    let command = link_command(call.checked(LINK)?)?;
    call.app.unlink_gateway(&call.context()?, command).await?;
    Ok(Members::new())
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("VirtualGatewayId")?;
    call.app.delete_gateway(&call.context()?, id).await?;
    Ok(Members::new())
}

fn link_command(params: Params<'_>) -> Result<LinkGateway, Failure> {
    Ok(LinkGateway {
        gateway: params.needed_id("VirtualGatewayId")?,
        net: params.needed_id("NetId")?,
    })
}
