//! Locations, and the virtual gateways that an interface may lead to: the two without parameters.

use super::{Call, Outcome};
use directlink_model::{connection::Bandwidth, gateway::GatewayState};
use serde_json::json;

pub(super) async fn describe_locations(call: Call<'_>) -> Outcome {
    call.given.expect_none()?;
    let speeds = Bandwidth::ALL.map(Bandwidth::as_str);
    let region = &call.app.region().name;
    let locations = call.app.locations().await?;
    let list: Vec<_> = locations
        .iter()
        .map(|location| {
            json!({
                "availablePortSpeeds": speeds,
                "locationCode": location.code,
                "locationName": location.name,
                "region": region,
            })
        })
        .collect();
    Ok(json!({ "locations": list }))
}

pub(super) async fn describe_virtual_gateways(call: Call<'_>) -> Outcome {
    call.given.expect_none()?;
    let views = call.app.gateways(&call.context, None).await?;
    let list: Vec<_> = views
        .iter()
        .map(|view| {
            json!({
                "virtualGatewayId": view.gateway.id,
                "virtualGatewayState": state(view.gateway.state()),
            })
        })
        .collect();
    Ok(json!({ "virtualGateways": list }))
}

const fn state(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Available => "available",
        GatewayState::Deleted => "deleted",
    }
}
