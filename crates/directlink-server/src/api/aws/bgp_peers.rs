//! BGP peers of an interface, one more and one less.

use super::{
    Call, Outcome,
    interfaces::{address, addresses, asn, key},
    refusal::Failure,
};
use directlink_model::{
    command::{AddBgpPeer, ChosenPeer, DeleteBgpPeer},
    ids::{BgpPeerId, InterfaceId},
    view::InterfaceView,
};
use serde_json::{Value, json};

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let interface = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let new = call.given.needed_object("newBGPPeer")?;
    let asn = asn(&new)?;
    let (ipv6, [router_address, customer_address]) = addresses(&new)?;
    let key = key(&new)?;
    let command = AddBgpPeer { interface, asn, key, router_address, customer_address, ipv6 };
    shown(&call, &call.app.add_bgp_peer(&call.context, command).await?).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let interface = given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let peer = match given.id::<BgpPeerId>("bgpPeerId", BgpPeerId::PREFIX)? {
        Some(id) => ChosenPeer::Id(id),
        None => ChosenPeer::Asn(asn(given)?, customer_address(&call)?),
    };
    let command = DeleteBgpPeer { interface, peer };
    shown(&call, &call.app.delete_bgp_peer(&call.context, command).await?).await
}

/// With or without its prefix length.
fn customer_address(call: &Call<'_>) -> Result<Option<std::net::IpAddr>, Failure> {
    let Some(text) = call.given.text("customerAddress")? else { return Ok(None) };
    match text.parse() {
        Ok(bare) => Ok(Some(bare)),
        Err(_) => Ok(address(&call.given, "customerAddress")?.map(|net| net.addr())),
    }
}

/// These two nest what others give flat.
async fn shown(call: &Call<'_>, view: &InterfaceView) -> Outcome {
    let shown: Value = super::interfaces::encode(call, view).await?;
    Ok(json!({ "virtualInterface": shown }))
}
