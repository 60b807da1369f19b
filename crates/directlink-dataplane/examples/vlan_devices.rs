//! A customer whose router has 802.1Q sub-interfaces of its own kernel, as most have.
//!
//! Not among the tests because it takes a kernel with the `8021q` module: `make kernel-test` runs
//! it on Debian 12's, in a machine of its own (`scripts/kernel-test`). It ends with a line that
//! says what became of the packets, and by panic if anything is not as it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../tests/traffic/topology.rs"]
#[allow(dead_code)]
mod topology;

use directlink_dataplane::{Interface, Protocol, Rate, Verdict};
use topology::{NUMBER, Namespace, Region, Tags, echoes_a_megabyte, rule};

/// So large that a frame with its tag is as long as an interface's MTU lets it be.
const LARGE: &str = "-s 1472";

fn main() {
    let mut region = Region::with(Tags::Devices);
    region.speak_ipv6();
    let all = || ["0.0.0.0/0", "::/0"].map(|range| rule(range, Protocol::Any, None)).to_vec();
    region.admit(1, all(), all());
    // With limits: their code too is what this kernel has to take.
    let rate = Rate::new(1_000_000_000);
    let limited = Interface { rate, ..region.interface() };
    region.dataplane.put_interface(&limited).unwrap();
    region.dataplane.put_port_rate(limited.port_ifindex, rate.unwrap()).unwrap();

    let shown = region.customer.output("ip -d link show vlan100");
    assert!(shown.contains("802.1Q id 100"), "no VLAN device: {shown}");
    for router in ["203.0.113.1", "fd00:ffff::1"] {
        assert!(pings(&region.customer, router, ""), "{router} does not answer");
    }
    for size in ["", LARGE] {
        let seen = || tallies(&region);
        assert!(pings(&region.customer, "10.0.1.10", size), "no answer by the NIC: {}", seen());
        assert!(pings(&region.host, "192.0.2.1", size), "no answer by the customer: {}", seen());
    }
    // Of a flow's packets most take a shortcut, which an echo does not.
    let Region { customer, host, .. } = &region;
    for (nic, office) in [("10.0.1.10", "192.0.2.1"), ("[fd00:10::10]", "[fd00:192::1]")] {
        assert!(echoes_a_megabyte(host, customer, &format!("{nic}:2222")), "{}", tallies(&region));
        assert!(echoes_a_megabyte(customer, host, &format!("{office}:80")), "{}", tallies(&region));
    }
    assert!(!pings(&region.customer, "198.51.100.1", ""), "a VLAN without interface answers");

    let seen = region.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    assert!(seen.of(Verdict::ForwardedToNet).packets >= 4, "{}", tallies(&region));
    assert!(seen.of(Verdict::ForwardedToCustomer).packets >= 4, "{}", tallies(&region));
    assert!(region.count(Verdict::UnknownVlan) > 0, "{}", tallies(&region));
    println!("passed: {}", tallies(&region));
}

/// What became of every packet that the router saw.
fn tallies(region: &Region) -> String {
    let all = region.dataplane.tallies().unwrap();
    let seen: Vec<_> = all.seen().map(|(verdict, t)| format!("{verdict} {}", t.packets)).collect();
    seen.join(", ")
}

/// One echo, answered; a few tries, for neighbours that are being resolved.
fn pings(from: &Namespace, to: &str, size: &str) -> bool {
    let line = format!("ping -c 1 -W 2 {size} {to}");
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (0..3).any(|_| from.output(&words).contains(" 0% packet loss"))
}
