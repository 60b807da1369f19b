//! DirectLink interfaces: an interface in this dialect.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, Params, id_of, optional, required},
    refusal::{Code, Failure},
};
use crate::app::InterfaceFilter;
use directlink_model::{
    command::{ChangeInterface, CreateInterface},
    ids::{AccountId, ConnectionId, GatewayId, InterfaceId},
    interface::InterfaceState,
    lag::Trunk,
    tag_set::TagSet,
    view::InterfaceView,
};
use directlink_net::{BadAsn, BadBgpKey, BgpKey, IpNet, Mtu, Vlan};
use serde::Serialize;

const INTERFACE: &[Field<'_>] = &[
    required("BgpAsn", Kind::Integer),
    optional("BgpKey", Kind::Text),
    optional("ClientPrivateIp", Kind::Text),
    required("DirectLinkInterfaceName", Kind::Text),
    optional("OutscalePrivateIp", Kind::Text),
    required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)),
    required("Vlan", Kind::Integer),
];

pub(super) const CREATE: &[Field<'_>] = &[
    required("DirectLinkId", Kind::Id(id_of::<ConnectionId>)),
    required("DirectLinkInterface", Kind::Object(INTERFACE)),
    DRY_RUN,
];

pub(super) const UPDATE: &[Field<'_>] = &[
    required("DirectLinkInterfaceId", Kind::Id(id_of::<InterfaceId>)),
    required("Mtu", Kind::Integer),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] =
    &[required("DirectLinkInterfaceId", Kind::Id(id_of::<InterfaceId>)), DRY_RUN];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DirectLinkInterface<'v> {
    account_id: String,
    bgp_asn: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bgp_key: Option<String>,
    client_private_ip: IpNet,
    direct_link_id: ConnectionId,
    direct_link_interface_id: InterfaceId,
    direct_link_interface_name: &'v str,
    interface_type: &'static str,
    location: &'v str,
    mtu: Mtu,
    outscale_private_ip: IpNet,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_gateway_id: Option<GatewayId>,
    vlan: Vlan,
}

impl<'v> DirectLinkInterface<'v> {
    fn new(view: &'v InterfaceView, reader: AccountId) -> Self {
        let interface = &view.interface;
        // Of several this dialect knows one.
        let peer = interface.main_peer();
        // The one whose connection it is hosted on carries the frames, not the secret.
        let key = peer.key.as_ref().filter(|_| interface.owner == reader);
        Self {
            account_id: interface.owner.to_string(),
            bgp_asn: peer.asn.as_u32(),
            bgp_key: key.map(|key| key.expose().to_owned()),
            client_private_ip: peer.addresses.customer(),
            direct_link_id: interface.connection,
            direct_link_interface_id: interface.id,
            direct_link_interface_name: &interface.name,
            interface_type: "private",
            location: view.connection.location.as_str(),
            mtu: interface.mtu,
            outscale_private_ip: peer.addresses.router(),
            state: state(view.state),
            virtual_gateway_id: interface.gateway,
            vlan: interface.vlan,
        }
    }
}

/// This dialect has no `down`: what does not forward traffic waits, as the guide says, "until both
/// routers are configured".
pub(super) const fn state(state: InterfaceState) -> &'static str {
    match state {
        InterfaceState::Confirming => "confirming",
        InterfaceState::Pending | InterfaceState::Down | InterfaceState::Testing => "pending",
        InterfaceState::Available => "available",
        InterfaceState::Deleting => "deleting",
        InterfaceState::Deleted => "deleted",
        InterfaceState::Rejected => "rejected",
        InterfaceState::Expired => "expired",
    }
}

impl Listed for InterfaceView {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("DirectLinkIds", |view| vec![view.interface.connection.to_string()]),
        Filter::Texts("DirectLinkInterfaceIds", |view| vec![view.interface.id.to_string()]),
    ];
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let inner = params
        .object("DirectLinkInterface")
        .ok_or_else(|| Failure::missing("DirectLinkInterface"))?;
    let command = CreateInterface {
        trunk: Trunk::Connection(params.needed_id("DirectLinkId")?),
        owner: None,
        name: inner.needed_text("DirectLinkInterfaceName")?.to_owned(),
        vlan: vlan(inner.needed_integer("Vlan")?)?,
        asn: inner.needed_integer("BgpAsn")?.try_into().map_err(bad_asn)?,
        key: inner.text("BgpKey").map(BgpKey::try_from).transpose().map_err(bad_key)?,
        ipv6: false,
        router_address: address(inner, "OutscalePrivateIp")?,
        customer_address: address(inner, "ClientPrivateIp")?,
        mtu: Mtu::MAX,
        gateway: Some(inner.needed_id("VirtualGatewayId")?),
        tags: TagSet::default(),
    };
    let context = call.context()?;
    let view = call.app.create_interface(&context, command).await?;
    Ok(member("DirectLinkInterface", DirectLinkInterface::new(&view, context.caller.account)))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<InterfaceView>(&call, &[])?;
    let filter = InterfaceFilter {
        connections: list.ids("DirectLinkIds"),
        interfaces: list.ids("DirectLinkInterfaceIds"),
    };
    let context = call.context()?;
    let views = call.app.interfaces(&context, &filter).await?;
    let wire = |view: &InterfaceView| {
        serde_json::json!(DirectLinkInterface::new(view, context.caller.account))
    };
    list.answer("DirectLinkInterfaces", &views, wire)
}

pub(super) async fn update(call: Call<'_>) -> Outcome {
    let params = call.checked(UPDATE)?;
    let wanted = params.needed_integer("Mtu")?;
    let mtu = wanted.try_into().map_err(|_| {
        Failure::value(
            "Mtu",
            wanted,
            "an interface carries packets of at most 1500 bytes (576 to 1500)",
        )
    })?;
    let id = params.needed_id("DirectLinkInterfaceId")?;
    let command = ChangeInterface { id, mtu: Some(mtu), name: None };
    let context = call.context()?;
    let view = call.app.change_interface(&context, command).await?;
    Ok(member("DirectLinkInterface", DirectLinkInterface::new(&view, context.caller.account)))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("DirectLinkInterfaceId")?;
    call.app.delete_interface(&call.context()?, id).await?;
    Ok(Members::new())
}

fn vlan(wanted: i64) -> Result<Vlan, Failure> {
    wanted.try_into().map_err(|_| Failure::value("Vlan", wanted, "give a number from 2 to 4094"))
}

fn bad_asn(BadAsn(asn): BadAsn) -> Failure {
    let text = format!(
        "The provided value ('{asn}') for the parameter 'BgpAsn' is not in a valid range. Give 1 to 4294967294 (not 23456, 50624, 53306 or 132418); private numbers are 64512-65534 and 4200000000-4294967294."
    );
    Failure::new(Code::ASN, text)
}

/// The key itself is not repeated: it is a secret, and errors are logged by clients.
fn bad_key(BadBgpKey: BadBgpKey) -> Failure {
    Failure::value("BgpKey", "…", "give 1 to 80 printable ASCII characters without spaces")
}

fn address(params: Params<'_>, name: &str) -> Result<Option<IpNet>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            Failure::value(
                name,
                text,
                "give an address with its prefix length, as in 172.16.0.5/30",
            )
        })
    };
    params.text(name).map(parse).transpose()
}
