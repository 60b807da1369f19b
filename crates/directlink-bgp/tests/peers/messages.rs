//! Messages as the customer's router would send them, and as it should not.

use rustbgpd_wire::{
    Afi, Capability, GracefulRestartFamily, Message, OpenMessage, RouteRefreshMessage,
    RouteRefreshSubtype, Safi, encode_message,
};

pub(crate) fn open_message() -> OpenMessage {
    OpenMessage {
        version: 4,
        my_as: 65000,
        hold_time: 90,
        bgp_identifier: [10, 255, 0, 2].into(),
        capabilities: vec![
            Capability::MultiProtocol { afi: Afi::Ipv4, safi: Safi::Unicast },
            Capability::FourOctetAs { asn: 65000 },
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
        ],
    }
}

pub(crate) fn graceful_restart(notification: bool, forwarding_preserved: bool) -> Capability {
    let family =
        GracefulRestartFamily { afi: Afi::Ipv4, safi: Safi::Unicast, forwarding_preserved };
    Capability::GracefulRestart {
        restart_state: false,
        notification,
        restart_time: 120,
        families: vec![family],
    }
}

pub(crate) fn encoded(message: &Message) -> Vec<u8> {
    encode_message(message).unwrap().to_vec()
}

pub(crate) fn open() -> Vec<u8> {
    encoded(&Message::Open(open_message()))
}

pub(crate) fn keepalive() -> Vec<u8> {
    encoded(&Message::Keepalive)
}

pub(crate) fn route_refresh(subtype: RouteRefreshSubtype) -> Vec<u8> {
    let message = RouteRefreshMessage::new_with_subtype(Afi::Ipv4, Safi::Unicast, subtype);
    encoded(&Message::RouteRefresh(message))
}

pub(crate) fn end_of_rib() -> Vec<u8> {
    update(&[], &[], &[])
}

/// An UPDATE from its three fields, each with whatever bytes.
pub(crate) fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = 23 + withdrawn.len() + attributes.len() + nlri.len();
    let mut bytes = vec![0xff; 16];
    bytes.extend((length as u16).to_be_bytes());
    bytes.push(2);
    for field in [withdrawn, attributes] {
        bytes.extend((field.len() as u16).to_be_bytes());
        bytes.extend(field);
    }
    bytes.extend(nlri);
    bytes
}

/// ORIGIN, AS_PATH 65000 and NEXT_HOP 172.16.0.2, then `more`.
pub(crate) fn attributes(more: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x40, 1, 1, 0];
    bytes.extend(as_path(&[65000]));
    bytes.extend(NEXT_HOP);
    bytes.extend(more);
    bytes
}

pub(crate) fn as_path(asns: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0x40, 2, 2 + 4 * asns.len() as u8, 2, asns.len() as u8];
    bytes.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
    bytes
}

/// NLRI of /24s under 192.168: `[7]` is 192.168.7.0/24.
pub(crate) fn nlri(thirds: impl IntoIterator<Item = u8>) -> Vec<u8> {
    thirds.into_iter().flat_map(|third| [24, 192, 168, third]).collect()
}

pub(crate) const NEXT_HOP: [u8; 7] = [0x40, 3, 4, 172, 16, 0, 2];
