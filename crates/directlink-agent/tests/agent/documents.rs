//! The plans that the tests send.

use directlink_model::{
    ids::{BgpPeerId, InterfaceId, NetId},
    plan::{ConnectionPlan, Document, InterfacePlan, NetPlan, NetRef, NicPlan, PeerPlan, PortPlan},
    security_group::{Permission, Protocol},
};
use directlink_net::{BgpKey, Mac, PeerAddresses};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const NET: &str = "net/vpc-00000001";

pub(crate) fn id() -> InterfaceId {
    InterfaceId::from_bits(0x1a2b_3c4d)
}

pub(crate) fn interface(vlan: u16) -> InterfacePlan {
    InterfacePlan {
        vlan: vlan.try_into().unwrap(),
        mtu: 1500_i64.try_into().unwrap(),
        peer: PeerAddresses::new(
            "172.16.0.1/30".parse().unwrap(),
            "172.16.0.2/30".parse().unwrap(),
        )
        .unwrap(),
        router_asn: 50624_u32.try_into().unwrap(),
        customer_asn: 65001_u32.try_into().unwrap(),
        bgp_identifier: [10, 255, 0, 1].into(),
        key: Some(BgpKey::try_from("tgyn26example").unwrap()),
        net: Some(NetRef {
            id: NetId::from_bits(1),
            vni: 1000_u32.try_into().unwrap(),
            advertised: vec!["10.1.0.0/16".parse().unwrap()],
        }),
        shutdown: None,
        bits_per_second: None,
        drain: None,
        peer_id: None,
        further_peers: [].into(),
    }
}

pub(crate) fn port(interfaces: &[(InterfaceId, InterfacePlan)]) -> Document {
    Document::Port(PortPlan {
        connection: Some(ConnectionPlan {
            id: "dxcon-00000001".parse().unwrap(),
            bits_per_second: 1_000_000_000,
        }),
        lag: None,
        interfaces: interfaces.iter().cloned().collect(),
    })
}

pub(crate) fn one() -> Document {
    port(&[(id(), interface(100))])
}

/// As [`one`], with a second peer beside, of IPv6.
pub(crate) fn of_both_families() -> Document {
    let mut interface = interface(100);
    let second = PeerPlan {
        addresses: PeerAddresses::new(
            "fd01::1/125".parse().unwrap(),
            "fd01::2/125".parse().unwrap(),
        )
        .unwrap(),
        customer_asn: interface.customer_asn,
        key: Some(BgpKey::try_from("six26example").unwrap()),
        shutdown: None,
    };
    interface.further_peers.insert(IPV6_PEER, second);
    interface.net.as_mut().unwrap().advertised.push("fd02::/48".parse().unwrap());
    port(&[(id(), interface)])
}

pub(crate) const IPV6_PEER: BgpPeerId = BgpPeerId::from_bits(6);

/// With one NIC, which admits everything of IPv4 in and out.
pub(crate) fn net() -> Document {
    net_admitting(&["0.0.0.0/0"])
}

/// With one NIC of both families, which admits everything from and to these ranges.
pub(crate) fn net_admitting(ranges: &[&str]) -> Document {
    let all: Vec<_> = ranges
        .iter()
        .map(|range| Permission { protocol: Protocol::Any, range: range.parse().unwrap() })
        .collect();
    let nic = NicPlan {
        mac: Mac([2, 0, 0, 0, 0, 5]),
        vtep: [192, 0, 2, 2].into(),
        ipv6: Some("fd02:0:0:1::5".parse().unwrap()),
        inbound: all.clone(),
        outbound: all,
    };
    Document::Net(Some(NetPlan {
        vni: 1000_u32.try_into().unwrap(),
        range: "10.1.0.0/16".parse().unwrap(),
        subnets: [("10.1.0.0/24".parse().unwrap(), [10, 1, 0, 1].into())].into(),
        ipv6_subnets: [("fd02:0:0:1::/64".parse().unwrap(), "fd02:0:0:1::1".parse().unwrap())]
            .into(),
        nics: [([10, 1, 0, 5].into(), nic)].into(),
        routes: BTreeMap::new(),
        routers: BTreeSet::new(),
        elsewhere: BTreeMap::new(),
        preferred: BTreeMap::new(),
        ipv6_elsewhere: BTreeMap::new(),
        ipv6_preferred: BTreeMap::new(),
    }))
}
