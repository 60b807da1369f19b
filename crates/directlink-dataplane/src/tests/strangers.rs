//! No packet takes another's shortcut, however many are known.
//!
//! So many flows are under way that nearly each row where a stranger's shortcut could be is a flow's.
//! The strangers are like them in all but one thing, which is refused: whoever does not compare that
//! one thing lets them through.

use super::{
    frame::{ACK, Packet, tcp, udp},
    frame6,
    shortcuts::stay_on_one_processor,
    v6::{self, nic6},
    world::{NUMBER, VNI, World, from_nic, interface, net, nic, on_vlan, vni},
};
use crate::{
    Interface, InterfaceNumber, Nic, Peer, Protocol, Rule, RuleSet, RuleSetNumber, Source, Verdict,
};
use directlink_net::Vlan;

/// In 4,096 rows, of which a flow may have eight. Each has its stranger.
const FLOWS: u16 = 2000;
/// After so many strangers another new flow keeps the end that they share known.
const STRANGERS: u16 = 100;
/// In a frame in a tunnel.
const VNI_AT: usize = 46;
const SECOND: InterfaceNumber = InterfaceNumber::new(6).unwrap();
const OTHER_VLAN: u16 = 200;

/// Frames of the n-th flow and of the n-th stranger, and what becomes of strangers.
type Case = (&'static str, fn(u16) -> Vec<u8>, fn(u16) -> Vec<u8>, Verdict);

/// The n-th of 16 addresses each with so many ports.
fn v4(last: u16, n: u16, to: &str) -> Packet {
    udp(&format!("192.0.2.{}:{}", last + n % 16, 1000 + n / 16), to)
}

fn v6(source: &str, port: u16, to: &str) -> Vec<u8> {
    v6::on_vlan(&frame6::udp(&format!("[{source}]:{port}"), to))
}

const NIC: &str = "10.0.1.10:53";
const NIC6: &str = "[fd02:0:0:1::10]:53";
const FAR6: &str = "2001:db8:9::9";

/// No NICs of the Net, of many kinds, as some of them have their rows beside those of the flow.
fn another(n: u16) -> String {
    format!("10.0.{}.{}:53", 2 + n / 200, n % 200)
}

fn another6(n: u16) -> String {
    format!("[fd02:0:0:1::{:x}]:53", 0x11 + n)
}

fn in_another_network(n: u16) -> String {
    format!("[fd02:0:0:{:x}::10]:53", 2 + n)
}

fn v4_flow(n: u16) -> Vec<u8> {
    on_vlan(&v4(0, n, NIC))
}

fn v6_flow(n: u16) -> Vec<u8> {
    v6(FAR6, 1000 + n, NIC6)
}

fn on_other_vlan(mut frame: Vec<u8>) -> Vec<u8> {
    frame[14..16].copy_from_slice(&OTHER_VLAN.to_be_bytes());
    frame
}

const INTO_THE_NET: [Case; 12] = [
    ("a source", v4_flow, |n| on_vlan(&v4(128, n, NIC)), Verdict::SourceNotAnnounced),
    ("a port", v4_flow, |n| on_vlan(&v4(0, n, "10.0.1.10:54")), Verdict::DeniedBySecurityGroup),
    ("a NIC", v4_flow, |n| on_vlan(&v4(0, n, &another(n))), Verdict::NicUnknown),
    ("a VLAN", v4_flow, |n| on_other_vlan(v4_flow(n)), Verdict::SourceNotAnnounced),
    (
        "a protocol",
        v4_flow,
        |n| on_vlan(&tcp(&format!("192.0.2.{}:{}", n % 16, 1000 + n / 16), NIC, ACK)),
        Verdict::DeniedBySecurityGroup,
    ),
    (
        "a network of IPv6",
        |n| v6(&format!("2001:db8:9:{n:x}::9"), 4000, NIC6),
        |n| v6(&format!("2001:db8:9:9{n:03x}::9"), 4000, NIC6),
        Verdict::SourceNotAnnounced,
    ),
    (
        "a host of IPv6",
        |n| v6(&format!("2001:db8:9:8000::{n:x}"), 4000, NIC6),
        |n| v6(&format!("2001:db8:9:8000::8{n:03x}"), 4000, NIC6),
        Verdict::SourceNotAnnounced,
    ),
    (
        "a port of IPv6",
        v6_flow,
        |n| v6(FAR6, 1000 + n, "[fd02:0:0:1::10]:54"),
        Verdict::DeniedBySecurityGroup,
    ),
    (
        "a NIC's network of IPv6",
        v6_flow,
        |n| v6(FAR6, 1000 + n, &in_another_network(n)),
        Verdict::NicUnknown,
    ),
    ("a NIC of IPv6", v6_flow, |n| v6(FAR6, 1000 + n, &another6(n)), Verdict::NicUnknown),
    ("a VLAN of IPv6", v6_flow, |n| on_other_vlan(v6_flow(n)), Verdict::SourceNotAnnounced),
    (
        "a protocol of IPv6",
        v6_flow,
        |n| v6::on_vlan(&frame6::tcp(&format!("[{FAR6}]:{}", 1000 + n), NIC6, ACK)),
        Verdict::DeniedBySecurityGroup,
    ),
];

fn back(from: &str, last: u16, n: u16) -> Vec<u8> {
    from_nic(&udp(from, &format!("192.0.2.{}:{}", last + n % 16, 1000 + n / 16)))
}

fn back_flow(n: u16) -> Vec<u8> {
    back(NIC, 0, n)
}

fn back6(from: &str, to: &str, port: u16) -> Vec<u8> {
    v6::from_nic(&frame6::udp(from, &format!("[{to}]:{port}")))
}

fn back6_flow(n: u16) -> Vec<u8> {
    back6(NIC6, FAR6, 1000 + n)
}

fn in_another_net(n: u16, mut frame: Vec<u8>) -> Vec<u8> {
    frame[VNI_AT..VNI_AT + 4].copy_from_slice(&((VNI + 1 + u32::from(n)) << 8).to_be_bytes());
    frame
}

const TO_THE_CUSTOMER: [Case; 11] = [
    ("a Net", back_flow, |n| in_another_net(n, back_flow(n)), Verdict::UnknownVni),
    ("a Net of IPv6", back6_flow, |n| in_another_net(n, back6_flow(n)), Verdict::UnknownVni),
    ("a destination", back_flow, |n| back(NIC, 128, n), Verdict::NoRoute),
    ("a NIC", back_flow, |n| back(&another(n), 0, n), Verdict::SpoofedSource),
    (
        "a protocol",
        back_flow,
        |n| from_nic(&tcp(NIC, &format!("192.0.2.{}:{}", n % 16, 1000 + n / 16), ACK)),
        Verdict::DeniedBySecurityGroup,
    ),
    (
        "a network of IPv6",
        |n| back6(NIC6, &format!("2001:db8:9:{n:x}::9"), 4000),
        |n| back6(NIC6, &format!("2001:db8:9:9{n:03x}::9"), 4000),
        Verdict::NoRoute,
    ),
    (
        "a host of IPv6",
        |n| back6(NIC6, &format!("2001:db8:9:8000::{n:x}"), 4000),
        |n| back6(NIC6, &format!("2001:db8:9:8000::8{n:03x}"), 4000),
        Verdict::NoRoute,
    ),
    (
        "a port of IPv6",
        back6_flow,
        |n| back6(NIC6, FAR6, 30_000 + n),
        Verdict::DeniedBySecurityGroup,
    ),
    (
        "a NIC's network of IPv6",
        back6_flow,
        |n| back6(&in_another_network(n), FAR6, 1000 + n),
        Verdict::SpoofedSource,
    ),
    ("a NIC of IPv6", back6_flow, |n| back6(&another6(n), FAR6, 1000 + n), Verdict::SpoofedSource),
    (
        "a protocol of IPv6",
        back6_flow,
        |n| v6::from_nic(&frame6::tcp(NIC6, &format!("[{FAR6}]:{}", 1000 + n), ACK)),
        Verdict::DeniedBySecurityGroup,
    ),
];

/// UDP to some ports is admitted, and half of each network is the customer's. On another VLAN
/// is a customer who has announced nothing.
fn world() -> World {
    let mut world = v6::world();
    let dataplane = &mut world.dataplane;
    let whole = [net("192.0.2.0/24"), net("2001:db8:9::/48")];
    for (prefix, way) in whole.into_iter().zip([NUMBER, v6::WAY]) {
        dataplane.remove_source(Source { interface: NUMBER, prefix }).unwrap();
        dataplane.remove_route(vni(), prefix).unwrap();
        let halves: &[_] = if way == NUMBER {
            &["192.0.2.0/25"]
        } else {
            &["2001:db8:9::/49", "2001:db8:9:8000::/113"]
        };
        for prefix in halves.iter().map(|half| net(half)) {
            dataplane.put_source(Source { interface: NUMBER, prefix }).unwrap();
            let route = crate::Route { vni: vni(), prefix, ways: vec![way] };
            dataplane.put_route(&route).unwrap();
        }
    }
    let rule =
        |range, ports| Rule { range: net(range), protocol: Protocol::UDP, ports: Some(ports) };
    let rules = |ports: std::ops::RangeInclusive<u16>| {
        ["0.0.0.0/0", "::/0"].map(|range| rule(range, ports.clone())).to_vec()
    };
    let number = RuleSetNumber::new(9).unwrap();
    let set =
        RuleSet { inbound: rules(53..=53), outbound: rules(1000..=9999), ..RuleSet::default() };
    dataplane.put_rule_set(number, &set).unwrap();
    for nic in [nic(), nic6()] {
        dataplane.put_nic(&Nic { rule_set: Some(number), ..nic }).unwrap();
    }
    let mut second = Interface { number: SECOND, slow_ifindex: 0, ..interface() };
    second.vlan = Vlan::try_from(OTHER_VLAN).unwrap();
    let way = |number| InterfaceNumber::new(number).unwrap();
    second.peers = vec![
        Peer { way: SECOND, ..interface().peers[0] },
        Peer { way: way(9), router: net("fd03::1/125"), customer: "fd03::2".parse().unwrap() },
    ];
    dataplane.put_interface(&second).unwrap();
    world
}

fn check(cases: &[Case], run: impl Fn(&mut World, &[u8]) -> Verdict, forwarded: Verdict) {
    for &(name, flow, stranger, verdict) in cases {
        let mut world = world();
        (0..FLOWS).for_each(|n| assert_eq!(run(&mut world, &flow(n)), forwarded, "{name}: {n}"));
        for n in 0..FLOWS {
            if n % STRANGERS == 0 {
                let new = flow(FLOWS + n / STRANGERS);
                assert_eq!(run(&mut world, &new), forwarded, "{name}: {n}");
            }
            assert_eq!(run(&mut world, &stranger(n)), verdict, "{name}: stranger {n}");
        }
    }
}

#[test]
fn whoever_is_like_known_flows_in_all_but_one_thing_does_not_get_into_the_net() {
    stay_on_one_processor();
    check(&INTO_THE_NET, |world, frame| world.port(frame).verdict, Verdict::ForwardedToNet);
}

#[test]
fn whoever_is_like_known_flows_in_all_but_one_thing_does_not_get_to_the_customer() {
    stay_on_one_processor();
    check(
        &TO_THE_CUSTOMER,
        |world, frame| world.fabric(frame).verdict,
        Verdict::ForwardedToCustomer,
    );
}
