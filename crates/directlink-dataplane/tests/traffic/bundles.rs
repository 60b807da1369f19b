//! What a Net sends to a customer goes over all ports of a bundle that are in use.

use super::{
    ping_fails, pings,
    topology::{Namespace, Region, rule},
};
use directlink_dataplane::{BundledPort, BundledPorts, Cable, Interface, Protocol, Rule};
use directlink_net::{Mac, Vlan};
use serde_json::Value;
use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

const PORTS: [&str; 2] = ["port0", "port1"];
const FLOWS: usize = 64;
const EACH: usize = 5;
const PAYLOAD: usize = 1000;
const SYNCHRONIZATION: u8 = 0x08;
const IN_USE: u8 = 0x3f;

struct Bundle {
    region: Region,
    table: BundledPorts,
    indices: [u32; 2],
    nic: SocketAddr,
    customer: SocketAddr,
}

fn everything() -> Vec<Rule> {
    ["0.0.0.0/0", "::/0"].map(|range| rule(range, Protocol::Any, None)).into()
}

/// A Net that may send all, to a customer with a second cable.
fn bundle(speaks_ipv6: bool) -> Bundle {
    let mut region = Region::new();
    if speaks_ipv6 {
        region.speak_ipv6();
    }
    region.admit(1, vec![], everything());
    region.plug_second();
    let indices = PORTS.map(|port| region.router.ifindex(port));
    let table = region.dataplane.bundled_ports().unwrap();
    let (nic, customer) = if speaks_ipv6 {
        ("[fd00:10::10]:0", "[fd00:192::1]:9")
    } else {
        ("10.0.1.10:0", "192.0.2.1:9")
    };
    // The router learns the customer's MAC.
    let router = if speaks_ipv6 { "fd00:ffff::1" } else { "203.0.113.1" };
    assert!(pings(&region.customer, router));
    Bundle {
        region,
        table,
        indices,
        nic: nic.parse().unwrap(),
        customer: customer.parse().unwrap(),
    }
}

impl Bundle {
    /// What LACP says on each port: our states, and the customer's.
    fn settle(&mut self, states: [(u8, u8); 2]) {
        let mut ports = [0; BundledPort::PORTS_MAX];
        ports[..2].copy_from_slice(&self.indices);
        for (ifindex, (ours, theirs)) in self.indices.into_iter().zip(states) {
            let row = BundledPort {
                mac: Mac([2, 0, 0, 0, 9, 9]),
                said: with_states(ours),
                heard: with_states(theirs),
                ports,
                alive: Duration::MAX,
            };
            self.table.put(ifindex, &row).unwrap();
        }
        let vni = self.region.interface().vni;
        self.region.dataplane.bundles_changed(vni).unwrap();
    }

    fn sockets(&self) -> Vec<UdpSocket> {
        self.region.host.enter(|| (0..FLOWS).map(|_| UdpSocket::bind(self.nic).unwrap()).collect())
    }

    /// How many packets each port sends, of `EACH` of every flow.
    fn sends(&self, flows: &[UdpSocket]) -> [u64; 2] {
        let before = self.sent();
        for _ in 0..EACH {
            for flow in flows {
                flow.send_to(&[0; PAYLOAD], self.customer).unwrap();
            }
        }
        let after = self.sent();
        let frame =
            PAYLOAD + if self.customer.is_ipv6() { 14 + 4 + 40 + 8 } else { 14 + 4 + 20 + 8 };
        // By their bytes: what the router says for itself is few and short.
        [0, 1].map(|n| (after[n] - before[n]) / frame as u64)
    }

    fn sent(&self) -> [u64; 2] {
        PORTS.map(|port| transmitted(&self.region.router, port))
    }
}

fn with_states(states: u8) -> [u8; BundledPort::SAID] {
    let mut information = [1; BundledPort::SAID];
    information[BundledPort::SAID - 1] = states;
    information
}

fn transmitted(namespace: &Namespace, link: &str) -> u64 {
    let said = namespace.output(&format!("ip -json -statistics link show {link}"));
    let said: Value = serde_json::from_str(&said).unwrap();
    said[0]["stats64"]["tx"]["bytes"].as_u64().unwrap()
}

#[test]
fn flows_are_spread_over_the_ports_in_use_and_go_by_the_others_when_one_leaves() {
    const ALL: u64 = (FLOWS * EACH) as u64;
    for speaks_ipv6 in [false, true] {
        let mut bundle = bundle(speaks_ipv6);
        let flows = bundle.sockets();
        assert_eq!(bundle.sends(&flows), [ALL, 0], "no bundle yet");

        bundle.settle([(IN_USE, IN_USE); 2]);
        let both = bundle.sends(&flows);
        assert_eq!(both[0] + both[1], ALL, "{both:?}");
        assert!(both.iter().all(|&sent| sent > ALL / 5), "{both:?}");
        assert!(
            both.iter().all(|&sent| sent % EACH as u64 == 0),
            "a flow keeps its port: {both:?}"
        );
        assert_eq!(bundle.sends(&flows), both, "and again");

        // Wherever the interface itself is.
        let moved = Interface { port_ifindex: bundle.indices[1], ..bundle.region.interface() };
        bundle.region.dataplane.put_interface(&moved).unwrap();
        assert_eq!(bundle.sends(&flows), both, "the interface is on the other");

        let left = IN_USE & !SYNCHRONIZATION;
        for (states, expected, why) in [
            ([(IN_USE, IN_USE), (0x0f, IN_USE)], [ALL, 0], "we send no more by the second"),
            ([(IN_USE, left), (IN_USE, IN_USE)], [0, ALL], "the customer has left the first"),
            ([(0x0f, left); 2], [0, ALL], "none is in use: that of the interface"),
            ([(IN_USE, IN_USE); 2], both, "both are back"),
        ] {
            bundle.settle(states);
            assert_eq!(bundle.sends(&flows), expected, "{why}");
        }
    }
}

#[test]
fn what_the_customer_sends_by_any_port_that_collects_reaches_the_router_and_the_net() {
    for (speaks_ipv6, router, nic) in
        [(false, "203.0.113.1", "10.0.1.10"), (true, "fd00:ffff::1", "fd00:10::10")]
    {
        let mut bundle = bundle(speaks_ipv6);
        bundle.region.admit(2, everything(), everything());
        // From now on the customer sends by its second cable.
        let customer = &bundle.region.customer;
        let [trunk, inner] = ["trunk1", "in100"].map(|link| customer.ifindex(link));
        customer.enter(|| {
            Cable::new().unwrap().attach(trunk, Vlan::try_from(100i64).unwrap(), inner).unwrap();
        });
        assert!(ping_fails(customer, router), "it is not in use");
        bundle.settle([(IN_USE, IN_USE); 2]);
        let customer = &bundle.region.customer;
        assert!(pings(customer, router));
        assert!(pings(customer, nic));
    }
}
