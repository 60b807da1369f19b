//! Private virtual interfaces: one's own, and those made for another account.
//!
//! ```text
//!  CreatePrivate…  with a gateway     ─► pending …
//!                  without            ─► confirming, one's own
//!  AllocatePrivate… for ownerAccount  ─► confirming, the other's ─ConfirmPrivate…─► pending …
//! ```

use super::{
    Call, Outcome,
    members::Members,
    paging::{Page, position, with_next},
    refusal::Failure,
    tags::{Tag, given_tags, tags_of},
};
use crate::app::{InterfaceFilter, Refusal, Tags};
use directlink_model::{
    Fault, bgp_peer as model,
    command::{ChangeInterface, ConfirmInterface, CreateInterface},
    ids::{AccountId, BgpPeerId, GatewayId, InterfaceId},
    interface::InterfaceState,
    lag::Trunk,
    location::Region,
    router_config::{Intent, logical_connection},
    tag_set::Tagged,
    view::InterfaceView,
};
use directlink_net::{Asn, BgpKey, IpNet, Mtu, Vlan};
use serde::Serialize;
use serde_json::{Value, json};

/// What `connectionId` may name.
pub(super) const TRUNK: &str = "dxcon- or dxlag";

/// What `asn` can hold; a larger number is in `asnLong` alone, and `asn` is 0.
const ASN_SHORT_MAX: u32 = 0x7fff_fffe;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualInterface<'v> {
    address_family: &'static str,
    amazon_address: IpNet,
    amazon_side_asn: u32,
    asn: u32,
    asn_long: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_device_v2: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_logical_device_id: Option<&'v str>,
    bgp_peers: Vec<BgpPeer<'v>>,
    /// Of the LAG, if it was made on one.
    connection_id: String,
    customer_address: IpNet,
    customer_router_config: String,
    jumbo_frame_capable: bool,
    location: &'v str,
    mtu: Mtu,
    owner_account: String,
    region: &'v str,
    site_link_enabled: bool,
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_gateway_id: Option<GatewayId>,
    virtual_interface_id: InterfaceId,
    virtual_interface_name: &'v str,
    virtual_interface_state: &'static str,
    virtual_interface_type: &'static str,
    vlan: Vlan,
}

/// One session of the interface.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BgpPeer<'v> {
    address_family: &'static str,
    amazon_address: IpNet,
    asn: u32,
    asn_long: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_device_v2: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_logical_device_id: Option<&'v str>,
    bgp_peer_id: BgpPeerId,
    bgp_peer_state: &'static str,
    bgp_status: &'static str,
    customer_address: IpNet,
}

impl<'v> VirtualInterface<'v> {
    fn new(view: &'v InterfaceView, region: &'v Region, reader: AccountId, tags: &Tags) -> Self {
        let interface = &view.interface;
        let peer = BgpPeer::new(view, &interface.main_peer(), reader);
        Self {
            address_family: peer.address_family,
            amazon_address: peer.amazon_address,
            amazon_side_asn: region.asn.0.as_u32(),
            asn: peer.asn,
            asn_long: peer.asn_long,
            auth_key: peer.auth_key,
            aws_device_v2: peer.aws_device_v2,
            aws_logical_device_id: peer.aws_logical_device_id,
            connection_id: interface.trunk().to_string(),
            customer_address: peer.customer_address,
            customer_router_config: logical_connection(&Intent::seen_by(
                reader, interface, region.asn,
            )),
            jumbo_frame_capable: false,
            location: view.connection.location.as_str(),
            mtu: interface.mtu,
            owner_account: interface.owner.to_string(),
            region: region.name.as_str(),
            site_link_enabled: false,
            tags: tags_of(tags, interface.id),
            virtual_gateway_id: interface.gateway,
            virtual_interface_id: interface.id,
            virtual_interface_name: &interface.name,
            virtual_interface_state: state(view),
            virtual_interface_type: "private",
            vlan: interface.vlan,
            bgp_peers: interface.peers().map(|peer| BgpPeer::new(view, &peer, reader)).collect(),
        }
    }
}

impl<'v> BgpPeer<'v> {
    fn new(view: &'v InterfaceView, peer: &model::BgpPeer, reader: AccountId) -> Self {
        let router = view.connection.approval.as_ref().map(|a| a.port.router.as_str());
        let asn = peer.asn.as_u32();
        // The one whose connection it is hosted on carries the frames, not the secret.
        let key = peer.key.as_ref().filter(|_| view.interface.owner == reader);
        Self {
            address_family: match peer.is_ipv6() {
                false => "ipv4",
                true => "ipv6",
            },
            amazon_address: peer.addresses.router(),
            asn: if asn <= ASN_SHORT_MAX { asn } else { 0 },
            asn_long: asn,
            auth_key: key.map(|key| key.expose().to_owned()),
            aws_device_v2: router,
            aws_logical_device_id: router,
            bgp_peer_id: peer.id,
            bgp_peer_state: peer.state(view.state).as_str(),
            bgp_status: peer.status(view.state).as_str(),
            customer_address: peer.addresses.customer(),
        }
    }
}

/// `down` says that the router is ready and the customer's side is missing: clients of this API wait
/// for `available` or `down`, and would wait for ever in `pending`.
pub(super) fn state(view: &InterfaceView) -> &'static str {
    match view.state {
        InterfaceState::Confirming => "confirming",
        InterfaceState::Pending if view.interface.overall().configured => "down",
        InterfaceState::Pending => "pending",
        InterfaceState::Available => "available",
        InterfaceState::Down => "down",
        InterfaceState::Testing => "testing",
        InterfaceState::Deleting => "deleting",
        InterfaceState::Deleted => "deleted",
        InterfaceState::Rejected => "rejected",
        InterfaceState::Expired => "expired",
    }
}

fn wire(call: &Call<'_>, view: &InterfaceView, tags: &Tags) -> Value {
    json!(VirtualInterface::new(view, call.app.region(), call.context.caller.account, tags))
}

pub(super) async fn encode(call: &Call<'_>, view: &InterfaceView) -> Outcome {
    let tags = call.app.line_tags(&call.context, Some(&[view.interface.id.into()])).await?;
    Ok(wire(call, view, &tags))
}

/// One that the caller may see.
pub(super) async fn one(call: &Call<'_>, id: InterfaceId) -> Result<InterfaceView, Failure> {
    let filter = InterfaceFilter { connections: None, interfaces: Some(vec![id]) };
    let views = call.app.interfaces(&call.context, &filter).await?;
    views.into_iter().next().ok_or_else(|| Refusal::from(Fault::NoSuchInterface(id)).into())
}

/// The name and the MTU: what else can be asked for is not here to be had.
pub(super) async fn update(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let id = given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    given.refuse(&[
        "enableSiteLink",
        "rateLimit",
        "prefixPoolAllocatedCountIpv4",
        "prefixPoolAllocatedCountIpv6",
    ])?;
    let name = given.text("virtualInterfaceName")?.map(str::to_owned);
    let mtu = given.integer("mtu")?.map(mtu).transpose()?;
    let command = ChangeInterface { id, mtu, name };
    let view = call.app.change_interface(&call.context, command).await?;
    encode(&call, &view).await
}

fn mtu(given: i64) -> Result<Mtu, Failure> {
    given.try_into().map_err(|bad| Failure::client(format!("Invalid MTU: {bad}")))
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let trunk = call.given.needed_id("connectionId", TRUNK)?;
    let new = call.given.needed_object("newPrivateVirtualInterface")?;
    new.refuse(&["directConnectGatewayId", "enableSiteLink"])?;
    let gateway = new.id("virtualGatewayId", GatewayId::PREFIX)?;
    let command = CreateInterface { gateway, ..command(trunk, None, &new)? };
    let view = call.app.create_interface(&call.context, command).await?;
    encode(&call, &view).await
}

pub(super) async fn allocate(call: Call<'_>) -> Outcome {
    let trunk = call.given.needed_id("connectionId", TRUNK)?;
    let owner = call.given.needed_account("ownerAccount")?;
    let new = call.given.needed_object("newPrivateVirtualInterfaceAllocation")?;
    let command = command(trunk, Some(owner), &new)?;
    let view = call.app.create_interface(&call.context, command).await?;
    encode(&call, &view).await
}

pub(super) async fn confirm(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    call.given.refuse(&["directConnectGatewayId"])?;
    let gateway = call.given.needed_id("virtualGatewayId", GatewayId::PREFIX)?;
    let view = call.app.confirm_interface(&call.context, ConfirmInterface { id, gateway }).await?;
    Ok(json!({ "virtualInterfaceState": state(&view) }))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let view = call.app.delete_interface(&call.context, id).await?;
    Ok(json!({ "virtualInterfaceState": state(&view) }))
}

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    let trunk: Option<Trunk> = call.given.id("connectionId", TRUNK)?;
    let interface = call.given.id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let filter = InterfaceFilter { connections: None, interfaces: interface.map(|id| vec![id]) };
    let mut views = call.app.interfaces(&call.context, &filter).await?;
    views.retain(|view| trunk.is_none_or(|trunk| view.interface.trunk() == trunk));
    if views.is_empty() {
        check_exists(&call, trunk, interface).await?;
    }
    let key = |view: &InterfaceView| position(view.interface.created_at, view.interface.id);
    let (views, next) = page.of(views, key);
    let tagged: Vec<Tagged> = views.iter().map(|view| view.interface.id.into()).collect();
    let tags = call.app.line_tags(&call.context, Some(&tagged)).await?;
    let list: Vec<_> = views.iter().map(|view| wire(&call, view, &tags)).collect();
    Ok(with_next(json!({ "virtualInterfaces": list }), next))
}

/// Nothing found: is that an empty connection or LAG, or none?
async fn check_exists(
    call: &Call<'_>,
    trunk: Option<Trunk>,
    interface: Option<InterfaceId>,
) -> Result<(), Failure> {
    let refuse = |fault: Fault| Err(Refusal::from(fault).into());
    if let Some(id) = interface {
        return refuse(Fault::NoSuchInterface(id));
    }
    match trunk {
        Some(Trunk::Connection(id)) => super::connections::one(call, id).await.map(drop),
        Some(Trunk::Lag(id)) => super::lags::one(call, id).await.map(drop),
        None => Ok(()),
    }
}

/// All but the gateway.
fn command(
    trunk: Trunk,
    owner: Option<AccountId>,
    new: &Members<'_>,
) -> Result<CreateInterface, Failure> {
    let name = new.needed_text("virtualInterfaceName")?.to_owned();
    let vlan = new.needed_integer("vlan")?;
    let asn = asn(new)?;
    new.refuse(&["rateLimit", "prefixPoolAllocatedCountIpv4", "prefixPoolAllocatedCountIpv6"])?;
    let (ipv6, [router_address, customer_address]) = addresses(new)?;
    let mtu = new.integer("mtu")?.map_or(Ok(Mtu::MAX), mtu)?;
    Ok(CreateInterface {
        trunk,
        owner,
        name,
        vlan: vlan.try_into().map_err(|bad| Failure::client(format!("Invalid VLAN: {bad}")))?,
        asn,
        key: key(new)?,
        ipv6,
        router_address,
        customer_address,
        mtu,
        gateway: None,
        tags: given_tags(new)?,
    })
}

/// `asn` or `asnLong`; both only if they agree, or if `asn` is the 0 that stands for a longer one.
pub(super) fn asn(new: &Members<'_>) -> Result<Asn, Failure> {
    let number = match (new.integer("asn")?, new.integer("asnLong")?) {
        (None, None) => return Err(new.missing("asn")),
        (Some(short), None) => short,
        (None | Some(0), Some(long)) => long,
        (Some(short), Some(long)) if short == long => long,
        (Some(short), Some(long)) => {
            let text = format!("asn ({short}) and asnLong ({long}) are not the same number");
            return Err(Failure::client(text));
        }
    };
    number.try_into().map_err(|bad| Failure::client(format!("Invalid ASN: {bad}")))
}

pub(super) fn key(new: &Members<'_>) -> Result<Option<BgpKey>, Failure> {
    let key = new.text("authKey")?.map(BgpKey::try_from).transpose();
    key.map_err(|bad| Failure::client(format!("Invalid authKey: {bad}")))
}

/// Whether they are of IPv6, and the router's and the customer's as far as they are given. Where the
/// family is not, an address says it.
pub(super) fn addresses(new: &Members<'_>) -> Result<(bool, [Option<IpNet>; 2]), Failure> {
    let given = [address(new, "amazonAddress")?, address(new, "customerAddress")?];
    let ipv6 = match new.text("addressFamily")? {
        None => given.iter().flatten().any(|side| side.addr().is_ipv6()),
        Some("ipv4") => false,
        Some("ipv6") => true,
        Some(other) => {
            let text = format!("Invalid addressFamily '{other}': give ipv4 or ipv6");
            return Err(Failure::client(text));
        }
    };
    Ok((ipv6, given))
}

pub(super) fn address(new: &Members<'_>, name: &str) -> Result<Option<IpNet>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            let form = "give an address with its prefix length, as in 172.16.0.1/30";
            Failure::client(format!("Invalid {name} '{text}': {form}"))
        })
    };
    new.text(name)?.map(parse).transpose()
}
