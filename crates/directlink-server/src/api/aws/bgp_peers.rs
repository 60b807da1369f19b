//! BGP peers beside the one that an interface has: asked for in this dialect's words, and answered
//! by the model's rule.

use super::{
    Call, Outcome,
    interfaces::{address, asn},
    refusal::Failure,
};
use directlink_model::{
    command::{AddBgpPeer, ChosenPeer, DeleteBgpPeer},
    ids::{BgpPeerId, InterfaceId},
};
use serde_json::{Value, json};

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let interface = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let new = call.given.needed_object("newBGPPeer")?;
    asn(&new)?;
    let given = [address(&new, "amazonAddress")?, address(&new, "customerAddress")?];
    let ipv6 = match new.text("addressFamily")? {
        None => given.iter().flatten().any(|side| side.addr().is_ipv6()),
        Some("ipv4") => false,
        Some("ipv6") => true,
        Some(other) => {
            let text = format!("Invalid addressFamily '{other}': give ipv4 or ipv6");
            return Err(Failure::client(text));
        }
    };
    call.app.add_bgp_peer(&call.context, AddBgpPeer { interface, ipv6 }).await?;
    shown(&call, interface).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let interface = given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let peer = match given.id::<BgpPeerId>("bgpPeerId", BgpPeerId::PREFIX)? {
        Some(id) => ChosenPeer::Id(id),
        None => ChosenPeer::Asn(asn(given)?, customer_address(&call)?),
    };
    call.app.delete_bgp_peer(&call.context, DeleteBgpPeer { interface, peer }).await?;
    shown(&call, interface).await
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
async fn shown(call: &Call<'_>, id: InterfaceId) -> Outcome {
    let view = super::interfaces::one(call, id).await?;
    let shown: Value = super::interfaces::encode(call, &view).await?;
    Ok(json!({ "virtualInterface": shown }))
}
