//! The customer's router as its engineer sees it: written configurations kept as golden files and
//! given to the real daemons, typical mistakes found in pasted ones, and no text that panics.

#![allow(clippy::unwrap_used)] // a test that panics has failed: that is its job

mod daemons;
mod golden;
mod mistakes;
mod printed;
mod robust;

use directlink_model::{
    ids::{ConnectionId, GatewayId, InterfaceId},
    interface::{Interface, Proposal},
    router_config::{Intent, Session},
};
use directlink_net::{Asn, BgpKey, Mtu, PeerAddresses, RegionAsn, Vlan};
use jiff::Timestamp;

fn peer(router: &str, customer: &str) -> PeerAddresses {
    PeerAddresses::new(router.parse().unwrap(), customer.parse().unwrap()).unwrap()
}

fn key(text: &str) -> Option<BgpKey> {
    Some(BgpKey::try_from(text).unwrap())
}

fn region() -> RegionAsn {
    RegionAsn(Asn::try_from(50624u32).unwrap())
}

fn interface() -> Interface {
    let proposal = Proposal {
        connection: ConnectionId::from_bits(1),
        lag: None,
        owner: directlink_model::ids::AccountId::from_number(1),
        name: "evil\nname".into(),
        vlan: Vlan::try_from(101u16).unwrap(),
        asn: Asn::try_from(65000u32).unwrap(),
        key: None,
        peer: peer("172.16.0.1/30", "172.16.0.2/30"),
        mtu: Mtu::MAX,
        gateway: Some(GatewayId::from_bits(1)),
    };
    let id = InterfaceId::from_bits(0x1a2b_3c4d);
    let now = Timestamp::from_second(0).unwrap();
    Interface::propose(id, proposal, region(), &[], now).unwrap()
}

/// What the interface alone says: no key, no prefixes, no BFD.
fn plain() -> Intent {
    Intent::of(&interface(), region())
}

/// A key, BFD, prefixes both ways, IPv4.
fn full() -> Intent {
    let mut intent = plain();
    intent.sessions[0].key = key("tgyn26example");
    intent.announce = ["192.168.0.0/16", "10.20.0.0/24"].map(|p| p.parse().unwrap()).to_vec();
    intent.accept = vec!["10.0.0.0/16".parse().unwrap()];
    intent.bfd = true;
    intent
}

/// Both families, a smaller MTU, a four-byte AS.
fn dual() -> Intent {
    let mut intent = full();
    intent.sessions.push(Session {
        peer: peer("2001:db8:0:1::1/126", "2001:db8:0:1::2/126"),
        key: key("other-key"),
    });
    intent.customer_asn = Asn::try_from(4_200_000_001u32).unwrap();
    intent.announce.push("2001:db8:100::/40".parse().unwrap());
    intent.accept.push("2001:db8:200::/56".parse().unwrap());
    intent.mtu = Mtu::try_from(1400u16).unwrap();
    intent
}

/// IPv6 alone.
fn six() -> Intent {
    let mut intent = dual();
    intent.sessions.remove(0);
    intent
}

fn all() -> [(&'static str, Intent); 4] {
    [("plain", plain()), ("full", full()), ("dual", dual()), ("six", six())]
}
