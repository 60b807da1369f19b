//! How the road's speed changes from a small router to a full one, and the kernel's with it.
//!
//! Flows are dealt out to the interfaces, and their packets come one after another: the worst for
//! every cache. Each interface leads to a Net of its own, with its own prefixes and its own NIC.

use crate::{
    BANDWIDTH, CUSTOMER_MAC, Family, Kernel, ROUTER_MAC, Road, Setup, frame, kernel, mac,
    measure_rounds, others, percentile, prefix,
    topology::{NUMBER, Namespace, Region, SMALL, Tags, net, nic, rule},
    tunnelled,
};
use directlink_dataplane::{
    Capacity, Interface, InterfaceNumber, Nic, Peer, Protocol, Route, RuleSet, RuleSetNumber,
    Source, Subnet,
};
use directlink_net::{Mac, Vlan, Vni};

const ROUNDS: usize = 9;
const SLOWER_MAX: f64 = 0.15;
const TARGET_WITH_RULES: f64 = 5.0;
/// Of the first interface; the others follow.
const VNI: u32 = 7001;
const RULES: RuleSetNumber = RuleSetNumber::new(9).unwrap();
pub(crate) const FULL: Capacity = Capacity {
    interfaces: 8192,
    routes: 1 << 20,
    nics: 8192,
    flows: 1 << 18,
    flows_per_net: 1 << 18,
    ..SMALL
};

const SMALLEST: Setup = Setup { name: "smallest", interfaces: 1, prefixes: 1, rules: 10, flows: 1 };
const LARGEST: Setup =
    Setup { name: "largest", interfaces: 4093, prefixes: 100, rules: 1000, flows: 100_000 };
const SETUPS: [Setup; 6] = [
    SMALLEST,
    Setup { name: "prefixes", prefixes: 100, ..SMALLEST },
    Setup { name: "rules", rules: 1000, ..SMALLEST },
    Setup { name: "flows", flows: 100_000, ..SMALLEST },
    Setup { name: "interfaces", interfaces: 4093, flows: 4093, ..SMALLEST },
    LARGEST,
];

/// What one set-up gave.
struct Line {
    setup: Setup,
    there: Vec<f64>,
    back: Vec<f64>,
    /// nftables with connection tracking, and VXLAN.
    kernel: Vec<f64>,
}

pub(crate) fn measure() {
    let lines: Vec<_> = SETUPS.into_iter().map(line).collect();
    println!("\nfrom a small router to a full one: Mpps at 64 bytes, median of {ROUNDS} rounds");
    println!(
        "{:<12}{:>6}{:>9}{:>7}{:>9}  {:>13}{:>13}{:>8}{:>8}",
        "", "VLANs", "prefixes", "rules", "flows", "into the Net", "back", "kernel", "ratio"
    );
    lines.iter().for_each(Line::print);
    let [smallest, .., largest] = &lines[..] else { unreachable!("SETUPS has six") };
    for (way, small, large) in
        [("into the Net", &smallest.there, &largest.there), ("back", &smallest.back, &largest.back)]
    {
        let slower = 1.0 - percentile(large, 50) / percentile(small, 50);
        let word = if slower <= SLOWER_MAX { "reached" } else { "missed" };
        println!(
            "largest against smallest, {way}: {:.0} % slower (target {:.0} %: {word})",
            slower * 100.0,
            SLOWER_MAX * 100.0
        );
    }
}

/// All three of a set-up side by side, so that what else the machine does is shared.
fn line(setup: Setup) -> Line {
    let (there, _region) = into_the_net(&setup);
    let (back, _another) = back(&setup);
    let mut roads = [there, back, kernel(Family::Ipv4, Kernel::Whole, &setup)];
    measure_rounds(&mut roads, ROUNDS);
    let [there, back, kernel] = roads.map(|road| road.mpps);
    Line { setup, there, back, kernel }
}

impl Line {
    fn print(&self) {
        let Setup { name, interfaces, prefixes, rules, flows } = self.setup;
        let shown = |mpps: &[f64]| {
            let mpps = percentile(mpps, 50);
            format!("{mpps:.2} {:.0} ns", 1000.0 / mpps)
        };
        let ratios: Vec<_> = self.there.iter().zip(&self.kernel).map(|(a, b)| a / b).collect();
        let ratio = percentile(&ratios, 50);
        let word = if ratio >= TARGET_WITH_RULES { "" } else { " missed" };
        println!(
            "{name:<12}{interfaces:>6}{prefixes:>9}{rules:>7}{flows:>9}  {:>13}{:>13}{:>8.2}{ratio:>7.1}×{word}",
            shown(&self.there),
            shown(&self.back),
            percentile(&self.kernel, 50),
        );
    }
}

fn into_the_net(setup: &Setup) -> (Road, Region) {
    let mut region = furnished(setup);
    // So that the kernel has resolved the VTEP before h0 stops listening.
    region.router.output("ping -c 1 -W 1 10.9.0.2");
    let customer = std::mem::replace(&mut region.customer, Namespace::new("spare"));
    let end = (customer, "trunk0");
    let frame = frame(Family::Ipv4, Some(2), ROUTER_MAC);
    let mut road = Road::new(("there", ""), Family::Ipv4, end, &frame, setup);
    road.sink_frames(&region.host, "h0");
    let host = mac(&region.host, "h0");
    region.router.ip(&format!("neigh replace 10.9.0.2 lladdr {host} dev fab0 nud permanent"));
    (road, region)
}

fn back(setup: &Setup) -> (Road, Region) {
    let mut region = furnished(setup);
    let host = std::mem::replace(&mut region.host, Namespace::new("spare"));
    let frame = tunnelled(Family::Ipv4);
    let mut road = Road::new(("back", ""), Family::Ipv4, (host, "h0"), &frame, setup);
    road.sink_frames(&region.customer, "trunk0");
    (road, region)
}

fn furnished(setup: &Setup) -> Region {
    let mut region = Region::sized(Tags::Cable, FULL);
    let usual = region.interface();
    let dataplane = &mut region.dataplane;
    dataplane.remove_interface(NUMBER).unwrap();
    dataplane.put_port_rate(usual.port_ifindex, BANDWIDTH).unwrap();
    let mut rules: Vec<_> =
        others(setup.rules).map(|port| rule("192.0.2.0/24", Protocol::TCP, Some(port))).collect();
    rules.push(rule("192.0.2.0/24", Protocol::UDP, Some(53)));
    let rules = RuleSet { inbound: rules.clone(), outbound: rules, ..RuleSet::default() };
    dataplane.put_rule_set(RULES, &rules).unwrap();
    for n in 0..setup.interfaces {
        add_interface(&mut region, &usual, n, setup.prefixes);
    }
    region
}

/// On VLAN 2 and up: 4094 is the last.
fn add_interface(region: &mut Region, usual: &Interface, n: u16, prefixes: u16) {
    let number = InterfaceNumber::new(n + 1).unwrap();
    let (vlan, vni) = (Vlan::try_from(n + 2).unwrap(), Vni::try_from(VNI + u32::from(n)).unwrap());
    let peers = vec![Peer { way: number, ..usual.peers[0] }];
    let interface = Interface { number, vlan, vni, peers, slow_ifindex: 0, ..usual.clone() };
    let dataplane = &mut region.dataplane;
    dataplane.put_interface(&interface).unwrap();
    dataplane.put_neighbour(number, Mac(CUSTOMER_MAC)).unwrap();
    dataplane.put_net(vni).unwrap();
    let gateway = [10, 0, 1, 1].into();
    dataplane.put_subnet(Subnet { vni, range: net("10.0.1.0/24"), gateway }).unwrap();
    dataplane.put_nic(&Nic { vni, ..nic(Some(RULES)) }).unwrap();
    for prefix in (0..prefixes).map(|n| net(&prefix(n))) {
        dataplane.put_source(Source { interface: number, prefix }).unwrap();
        dataplane.put_route(&Route { vni, prefix, ways: vec![number] }).unwrap();
    }
}
