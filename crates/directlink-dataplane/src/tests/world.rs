//! A router with one customer, whose programs are run on single packets.
//!
//! ```text
//! customer 203.0.113.2 ── port `lo`, VLAN 100 ── router 203.0.113.1 ── VNI 7001
//!   announces 192.0.2.0/24                        VTEP 10.9.0.1 ── up0 ═ 10.9.0.2 host
//!                                                 Subnet 10.0.1.0/24, NIC 10.0.1.10
//! ```
//! BPF_PROG_TEST_RUN gives every packet the loopback as its ingress, so `lo` is the port.

use super::frame::{self, Outer, Packet, in_tunnel};
use crate::{
    Capacity, Dataplane, Interface, InterfaceNumber, Nic, Peer, Protocol, Route, Rule, RuleSet,
    RuleSetNumber, Source, Subnet, Uplink, Verdict,
};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp};
use directlink_net::{IpNet, Mac, Mtu, Vlan, Vni};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
    time::{ClockId, clock_gettime},
};
use std::{fs, net::Ipv4Addr, process::Command};
use tempfile::TempDir;

pub(super) const CUSTOMER_MAC: Mac = Mac([2, 0, 0, 0, 1, 1]);
pub(super) const ROUTER_MAC: Mac = Mac([2, 0, 0, 0, 1, 2]);
pub(super) const GATEWAY_MAC: Mac = Mac([2, 0, 0, 0, 2, 1]);
pub(super) const NIC_MAC: Mac = Mac([2, 0, 0, 0, 2, 2]);
pub(super) const UPLINK_MAC: Mac = Mac([2, 0, 0, 0, 3, 1]);
pub(super) const HOST_MAC: Mac = Mac([2, 0, 0, 0, 3, 2]);
pub(super) const VTEP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
pub(super) const VLAN: u16 = 100;
pub(super) const VNI: u32 = 7001;
pub(super) const NUMBER: InterfaceNumber = InterfaceNumber::new(5).unwrap();
pub(super) const RULES: RuleSetNumber = RuleSetNumber::new(1).unwrap();
pub(super) const PORT: u32 = 1; // lo

/// What XDP does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Drop = 1,
    Pass = 2,
    Redirect = 4,
}

#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) action: Action,
    pub(super) frame: Vec<u8>,
}

pub(super) struct World {
    pub(super) dataplane: Dataplane,
    pins: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(SMALL)
    }

    pub(super) fn with(capacity: Capacity) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("root is needed to make a network namespace");
        // The kernel's own neighbour discovery would be counted on the uplink.
        let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        for line in [
            "link set lo up",
            "link add up0 address 02:00:00:00:03:01 type veth peer name up1",
            "link set up1 up",
            "link set up0 mtu 1600 up",
            "addr add 10.9.0.1/24 dev up0",
            "neigh add 10.9.0.2 lladdr 02:00:00:00:03:02 dev up0 nud permanent",
        ] {
            ip(line);
        }
        let pins = TempDir::new().unwrap();
        let dataplane =
            Dataplane::open_with(pins.path(), capacity).unwrap_or_else(|e| panic!("{e}"));
        let mut world = Self { dataplane, pins };
        world.furnish();
        world
    }

    fn furnish(&mut self) {
        let dataplane = &mut self.dataplane;
        let ifindex = if_nametoindex("up0").unwrap();
        let uplink = Uplink { ifindex, vtep: VTEP, gateway_mac: GATEWAY_MAC };
        dataplane.attach_fabric(&uplink).unwrap();
        dataplane.put_interface(&interface()).unwrap();
        dataplane.put_neighbour(NUMBER, CUSTOMER_MAC).unwrap();
        dataplane.put_source(Source { interface: NUMBER, prefix: net("192.0.2.0/24") }).unwrap();
        let route = Route { vni: vni(), prefix: net("192.0.2.0/24"), ways: vec![NUMBER] };
        dataplane.put_route(&route).unwrap();
        dataplane.put_net(vni()).unwrap();
        dataplane
            .put_subnet(Subnet {
                vni: vni(),
                range: net("10.0.1.0/24"),
                gateway: Ipv4Addr::new(10, 0, 1, 1).into(),
            })
            .unwrap();
        dataplane.put_rule_set(RULES, &rules()).unwrap();
        dataplane.put_nic(&nic()).unwrap();
    }

    /// Runs a frame that came in on the port.
    pub(super) fn port(&mut self, frame: &[u8]) -> Outcome {
        self.run("directlink_port", frame)
    }

    /// Runs a frame that came in on the uplink.
    pub(super) fn fabric(&mut self, frame: &[u8]) -> Outcome {
        self.run("directlink_fabric", frame)
    }

    /// Runs a frame that XDP has let pass on the port; where it goes on the way up.
    pub(super) fn passed(&mut self, frame: &[u8]) -> u32 {
        let program: &SchedClassifier =
            self.dataplane.programs.program("directlink_port_slow").unwrap().try_into().unwrap();
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::default() };
        program.test_run(options).unwrap().return_value
    }

    /// Runs a frame that the interface's namespace sent.
    pub(super) fn slow(&mut self, frame: &[u8]) -> Verdict {
        let before = self.dataplane.tallies().unwrap();
        let program: &SchedClassifier =
            self.dataplane.programs.program("directlink_slow_port").unwrap().try_into().unwrap();
        program
            .test_run(TestRunOptions { data_in: Some(frame), ..TestRunOptions::default() })
            .unwrap();
        self.only_new(&before)
    }

    /// The customer sends this to the Net.
    pub(super) fn send(&mut self, packet: &Packet) -> Verdict {
        self.port(&on_vlan(packet)).verdict
    }

    /// The NIC sends this to the customer.
    pub(super) fn reply(&mut self, packet: &Packet) -> Verdict {
        self.fabric(&from_nic(packet)).verdict
    }

    pub(super) fn pin_dir(&self) -> &std::path::Path {
        self.pins.path()
    }

    fn run(&mut self, name: &str, frame: &[u8]) -> Outcome {
        let before = self.dataplane.tallies().unwrap();
        let mut out = vec![0; 4096];
        let program: &Xdp = self.dataplane.programs.program(name).unwrap().try_into().unwrap();
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut out),
                ..TestRunOptions::default()
            })
            .unwrap();
        out.truncate(usize::try_from(result.data_size_out).unwrap());
        let action = match result.return_value {
            1 => Action::Drop,
            2 => Action::Pass,
            4 => Action::Redirect,
            other => panic!("XDP action {other}"),
        };
        Outcome { verdict: self.only_new(&before), action, frame: out }
    }

    /// The one verdict that was counted since.
    fn only_new(&self, before: &crate::Tallies) -> Verdict {
        let after = self.dataplane.tallies().unwrap();
        let new: Vec<_> = Verdict::ALL
            .into_iter()
            .filter(|&v| after.of(v).packets != before.of(v).packets)
            .collect();
        let [verdict] = new[..] else { panic!("one packet, verdicts {new:?}") };
        assert_eq!(after.of(verdict).packets, before.of(verdict).packets + 1);
        verdict
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Dataplane::unpin(self.pins.path());
    }
}

pub(super) const SMALL: Capacity = Capacity {
    interfaces: 64,
    routes: 1024,
    nics: 64,
    rule_rows: 256,
    flows: 4096,
    flows_per_net: 4096,
};

pub(super) fn interface() -> Interface {
    Interface {
        number: NUMBER,
        port_ifindex: PORT,
        vlan: Vlan::try_from(VLAN).unwrap(),
        vni: vni(),
        mtu: Mtu::MAX,
        slow_ifindex: PORT,
        peers: vec![peer()],
        router_mac: ROUTER_MAC,
        forwards: true,
        rate: None,
    }
}

pub(super) fn peer() -> Peer {
    Peer {
        way: NUMBER,
        router: net("203.0.113.1/30"),
        customer: Ipv4Addr::new(203, 0, 113, 2).into(),
    }
}

pub(super) fn nic() -> Nic {
    Nic {
        vni: vni(),
        address: Ipv4Addr::new(10, 0, 1, 10).into(),
        mac: NIC_MAC,
        vtep: HOST,
        rule_set: Some(RULES),
    }
}

/// Inbound: UDP 53, TCP 22 and ICMP from 192.0.2.0/24 and the peer. Outbound: all.
pub(super) fn rules() -> RuleSet {
    let rule = |range, protocol, port: Option<u16>| Rule {
        range: net(range),
        protocol,
        ports: port.map(|port| port..=port),
    };
    RuleSet {
        inbound: vec![
            rule("192.0.2.0/24", Protocol::UDP, Some(53)),
            rule("192.0.2.0/24", Protocol::TCP, Some(22)),
            rule("192.0.2.0/24", Protocol::ICMP, None),
            rule("203.0.113.0/30", Protocol::ICMP, None),
        ],
        outbound: vec![rule("0.0.0.0/0", Protocol::Any, None)],
        ..RuleSet::default()
    }
}

pub(super) fn vni() -> Vni {
    Vni::try_from(VNI).unwrap()
}

pub(super) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// As the customer's router sends it.
pub(super) fn on_vlan(packet: &Packet) -> Vec<u8> {
    let tags = [(frame::C_TAG, VLAN)];
    frame::tagged(CUSTOMER_MAC, ROUTER_MAC, &tags, frame::IPV4, &packet.bytes())
}

/// As our router sends it to the customer.
pub(super) fn to_customer(packet: &Packet) -> Vec<u8> {
    let tags = [(frame::C_TAG, VLAN)];
    frame::tagged(ROUTER_MAC, CUSTOMER_MAC, &tags, frame::IPV4, &packet.bytes())
}

/// As the NIC's host sends it to our VTEP.
pub(super) fn from_nic(packet: &Packet) -> Vec<u8> {
    in_tunnel(&FROM_HOST, VNI, &frame::ethernet(NIC_MAC, GATEWAY_MAC, frame::IPV4, &packet.bytes()))
}

/// As our router sends it to the NIC's host.
pub(super) fn to_nic(packet: &Packet, source_port: u16) -> Vec<u8> {
    let inner = frame::ethernet(GATEWAY_MAC, NIC_MAC, frame::IPV4, &packet.bytes());
    in_tunnel(&Outer { source_port, ..TO_HOST }, VNI, &inner)
}

pub(super) const FROM_HOST: Outer =
    Outer { macs: [HOST_MAC, UPLINK_MAC], addresses: [HOST, VTEP], source_port: 50000 };
pub(super) const TO_HOST: Outer =
    Outer { macs: [UPLINK_MAC, HOST_MAC], addresses: [VTEP, HOST], source_port: 50000 };

/// The outer UDP source port of a frame that went into the tunnel.
pub(super) fn source_port(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[34], frame[35]])
}

/// On the clock that the programs read.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    let [seconds, more_ns] = [now.tv_sec(), now.tv_nsec()].map(|part| u64::try_from(part).unwrap());
    seconds * 1_000_000_000 + more_ns
}

pub(super) fn ip(line: &str) {
    let status = Command::new("ip").args(line.split(' ')).status().expect("iproute2 is needed");
    assert!(status.success(), "ip {line}");
}
