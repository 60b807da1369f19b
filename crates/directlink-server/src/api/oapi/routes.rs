//! Routes by hand. Of the API's five kinds of target this Region has two: a virtual gateway and a NIC.

use super::{
    Call, Outcome,
    params::{DRY_RUN, Field, Kind, Params, id_of, optional, required},
    refusal::{Code, Failure},
    route_tables::answer,
};
use directlink_model::{
    command::{DeleteRoute, SetRoute},
    ids::{BadId, GatewayId, NicId, RouteTableId},
    route_table::RouteTarget,
};
use directlink_net::Ipv4Net;

/// Also of `UpdateRoute`.
pub(super) const CREATE: &[Field<'_>] = &[
    required("DestinationIpRange", Kind::Text),
    optional("GatewayId", Kind::Id(gateway_id)),
    optional("NatServiceId", Kind::Text),
    optional("NetPeeringId", Kind::Text),
    optional("NicId", Kind::Id(id_of::<NicId>)),
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    optional("VmId", Kind::Text),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] = &[
    required("DestinationIpRange", Kind::Text),
    required("RouteTableId", Kind::Id(id_of::<RouteTableId>)),
    DRY_RUN,
];

const TARGETS: [&str; 5] = ["GatewayId", "NatServiceId", "NetPeeringId", "NicId", "VmId"];
const INTERNET_SERVICE: &str = "igw";

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let command = command(call.checked(CREATE)?)?;
    let view = call.app.create_route(&call.context()?, command).await?;
    answer(&call, view).await
}

pub(super) async fn update(call: Call<'_>) -> Outcome {
    let command = command(call.checked(CREATE)?)?;
    let view = call.app.change_route(&call.context()?, command).await?;
    answer(&call, view).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let params = call.checked(DELETE)?;
    let command =
        DeleteRoute { table: params.needed_id("RouteTableId")?, destination: destination(params)? };
    let view = call.app.delete_route(&call.context()?, command).await?;
    answer(&call, view).await
}

fn command(params: Params<'_>) -> Result<SetRoute, Failure> {
    Ok(SetRoute {
        table: params.needed_id("RouteTableId")?,
        destination: destination(params)?,
        target: target(params)?,
    })
}

fn destination(params: Params<'_>) -> Result<Ipv4Net, Failure> {
    let text = params.needed_text("DestinationIpRange")?;
    let parsed: Option<Ipv4Net> = text.parse().ok();
    parsed.filter(|range| *range == range.trunc()).ok_or_else(|| {
        let expected = "give a range in CIDR notation, as in 192.168.0.0/24";
        Failure::value("DestinationIpRange", text, expected)
    })
}

/// Of an internet service or of a virtual gateway: this parameter takes both.
fn gateway_id(text: &str) -> Result<(), BadId> {
    match text.strip_prefix(INTERNET_SERVICE) {
        Some(rest) => id_of::<GatewayId>(&format!("{}{rest}", GatewayId::PREFIX)),
        None => id_of::<GatewayId>(text),
    }
}

fn target(params: Params<'_>) -> Result<RouteTarget, Failure> {
    let given: Vec<_> = TARGETS.into_iter().filter(|name| params.has(name)).collect();
    let (name, text) = match given[..] {
        [one] => (one, params.needed_text(one)?),
        [] => return Err(Failure::missing("GatewayId or NicId")),
        _ => {
            let text = format!("Give one target, not {}.", given.join(" and "));
            return Err(Failure::new(Code::PARAMETER_SET, text));
        }
    };
    let missing =
        |code| Err(Failure::new(Code(code), format!("The {name} '{text}' doesn't exist.")));
    match name {
        "GatewayId" if text.starts_with(INTERNET_SERVICE) => missing(5001),
        "GatewayId" => Ok(RouteTarget::Gateway(params.needed_id(name)?)),
        "NicId" => Ok(RouteTarget::Nic(params.needed_id(name)?)),
        "NatServiceId" => missing(5032),
        "NetPeeringId" => missing(5035),
        _ => missing(5063),
    }
}
