//! Real traffic through real links: the kernel's stacks of a customer and of a host talk
//! through a router's programs. Root is needed.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bundles;
mod flood;
mod sessions;
// The example and the bench use what the tests do not.
#[allow(dead_code)]
mod topology;

use directlink_dataplane::{Interface, Protocol, Rate, Rule, Verdict};
use directlink_net::Mtu;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use topology::{GATEWAY_MAC, NUMBER, Namespace, Region, echoes_a_megabyte, rule};

fn all() -> Vec<Rule> {
    vec![rule("0.0.0.0/0", Protocol::Any, None)]
}

/// One echo, answered within a second; a few tries, for neighbours that are being resolved.
fn pings(from: &Namespace, to: &str) -> bool {
    (0..5).any(|_| from.output(&format!("ping -c 1 -W 1 {to}")).contains(" 0% packet loss"))
}

fn ping_fails(from: &Namespace, to: &str) -> bool {
    from.output(&format!("ping -c 2 -i 0.2 -W 1 {to}")).contains("100% packet loss")
}

fn refused(client: &Namespace, to: &str) -> bool {
    let address: SocketAddr = to.parse().unwrap();
    let wait = Duration::from_millis(500);
    client.enter(|| TcpStream::connect_timeout(&address, wait)).is_err()
}

#[test]
fn the_router_answers_arp_and_ping_on_its_vlan_only_and_learns_the_customer() {
    let region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    assert!(region.count(Verdict::ToRouter) >= 2);
    assert!(region.count(Verdict::FromRouter) >= 2);
    let learned = region.dataplane.neighbours().unwrap()[&NUMBER];
    let link = region.customer.output("ip link show vlan100");
    assert!(link.contains(&learned.to_string()), "{learned} is not in {link}");

    assert!(ping_fails(&region.customer, "198.51.100.1"), "a VLAN without interface");
    assert!(region.count(Verdict::UnknownVlan) > 0);
}

#[test]
fn a_nic_is_reached_only_if_a_rule_admits_it_and_answers_come_back() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    assert!(ping_fails(&region.customer, "10.0.1.10"), "denied by default");
    assert!(region.count(Verdict::DeniedBySecurityGroup) > 0);

    region.admit(1, vec![rule("192.0.2.0/24", Protocol::ICMP, None)], vec![]);
    assert!(pings(&region.customer, "10.0.1.10"));
    assert!(refused(&region.customer, "10.0.1.10:2222"));

    region.admit(2, vec![rule("192.0.2.1/32", Protocol::TCP, Some(2222))], vec![]);
    assert!(echoes_a_megabyte(&region.host, &region.customer, "10.0.1.10:2222"));
    assert!(refused(&region.customer, "10.0.1.10:2223"));
    assert!(ping_fails(&region.customer, "10.0.1.10"), "its rule is gone");
    let neighbours = region.host.output("ip neigh show 10.0.1.1");
    assert!(neighbours.contains(&GATEWAY_MAC.to_string()), "{neighbours}");
}

#[test]
fn a_nic_reaches_the_customers_network_and_gets_answers() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    region.admit(1, vec![], all());
    assert!(pings(&region.host, "192.0.2.1"));
    assert!(echoes_a_megabyte(&region.customer, &region.host, "192.0.2.1:8080"));
    assert!(ping_fails(&region.host, "198.51.100.2"), "no route");
    assert!(region.count(Verdict::NoRoute) > 0);
}

#[test]
fn both_sides_reach_each_other_over_ipv6_and_find_a_smaller_mtu() {
    let mut region = Region::new();
    region.speak_ipv6();
    assert!(pings(&region.customer, "fd00:ffff::1"));
    let everything = || vec![rule("::/0", Protocol::Any, None)];
    region.admit(1, everything(), everything());
    assert!(echoes_a_megabyte(&region.host, &region.customer, "[fd00:10::10]:2222"));
    assert!(echoes_a_megabyte(&region.customer, &region.host, "[fd00:192::1]:8080"));
    assert_eq!(region.count(Verdict::TooBig), 0);
    let interface = Interface { mtu: Mtu::try_from(1300i64).unwrap(), ..region.interface() };
    region.dataplane.put_interface(&interface).unwrap();
    assert!(echoes_a_megabyte(&region.host, &region.customer, "[fd00:10::10]:2223"));
    for (side, to) in [(&region.customer, "fd00:10::10"), (&region.host, "fd00:192::1")] {
        let route = side.output(&format!("ip route get {to}"));
        assert!(route.contains("mtu 1300"), "{route}");
    }
    region.admit(2, vec![], vec![]);
    assert!(refused(&region.customer, "[fd00:10::10]:2222"));
}

#[test]
fn the_router_is_a_hop_for_both_sides() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    region.admit(1, all(), all());
    let there = region.customer.output("ping -c 1 -W 1 -t 1 10.0.1.10");
    assert!(
        there.contains("From 203.0.113.1") && there.contains("Time to live exceeded"),
        "{there}"
    );
    assert!(pings(&region.host, "192.0.2.1"));
    let back = region.host.output("ping -c 1 -W 1 -t 1 192.0.2.1");
    assert!(back.contains("From 10.0.1.1") && back.contains("Time to live exceeded"), "{back}");
}

#[test]
fn the_interfaces_mtu_is_discovered_from_both_sides() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    region.admit(1, all(), all());
    let mtu = Mtu::try_from(1000i64).unwrap();
    let interface = Interface { mtu, ..region.interface() };
    region.dataplane.put_interface(&interface).unwrap();
    assert!(echoes_a_megabyte(&region.host, &region.customer, "10.0.1.10:2222"));
    assert!(region.count(Verdict::TooBig) >= 2);
    for (side, to) in [(&region.customer, "10.0.1.10"), (&region.host, "192.0.2.1")] {
        let route = side.output(&format!("ip route get {to}"));
        assert!(route.contains("mtu 1000"), "{route}");
    }
}

#[test]
fn a_restarted_agent_loses_no_packet() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    region.admit(1, all(), all());
    assert!(pings(&region.customer, "10.0.1.10"));
    let before = region.count(Verdict::ForwardedToNet);
    let flood = region.customer.enter(|| {
        let echoes = ["-q", "-i", "0.002", "-c", "4000", "10.0.1.10"];
        Command::new("ping").args(echoes).stdout(Stdio::piped()).spawn().unwrap()
    });
    while region.count(Verdict::ForwardedToNet) < before + 20 {}
    for _ in 0..3 {
        region.restart_agent();
    }
    assert!(region.count(Verdict::ForwardedToNet) < before + 4000, "restarted under traffic");
    let output = flood.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("4000 received, 0% packet loss"), "{text}");
}

/// What arrives of three times the rate, for some seconds, as bits per second on the customer's
/// wire. `way`: by iperf3's own words.
fn arrives(region: &Region, rate: Rate, way: &str) -> f64 {
    const PAYLOAD: f64 = 1400.0;
    const FRAME: f64 = PAYLOAD + 8.0 + 20.0 + 18.0;
    let mut server = region.host.enter(|| {
        let words = ["-s", "-1", "-B", "10.0.1.10", "--forceflush"];
        Command::new("iperf3").args(words).stdout(Stdio::piped()).spawn().unwrap()
    });
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("listening")));
    let reader = thread::spawn(move || said.for_each(drop));
    let offered = 3 * rate.bits_per_second();
    let line = format!("iperf3 -c 10.0.1.10 -B 192.0.2.1 -u -b {offered} -l 1400 -t 4 -J {way}");
    let output = region.customer.output(line.trim());
    server.wait().unwrap();
    reader.join().unwrap();
    let report: Value = serde_json::from_str(&output).unwrap();
    let sum = &report["end"]["sum"];
    let [packets, lost, seconds] =
        ["packets", "lost_packets", "seconds"].map(|member| sum[member].as_f64().unwrap());
    (packets - lost) * FRAME * 8.0 / seconds
}

#[test]
fn a_flow_is_held_to_its_rate_both_ways() {
    let mut region = Region::new();
    assert!(pings(&region.customer, "203.0.113.1"));
    region.admit(1, all(), all());
    let rate = Rate::new(8_000_000).unwrap();
    let limited = Interface { rate: Some(rate), ..region.interface() };
    region.dataplane.put_interface(&limited).unwrap();
    for (way, over) in
        [("", Verdict::OverInterfaceRateToNet), ("-R", Verdict::OverInterfaceRateToCustomer)]
    {
        let arrived = arrives(&region, rate, way) / rate.bits_per_second() as f64;
        println!("{arrived:.3} of the rate {way}");
        assert!((0.9..1.1).contains(&arrived), "{arrived} of the rate {way}");
        assert!(region.count(over) > 0);
    }
}

#[test]
fn an_interface_without_its_namespace_is_counted() {
    let mut region = Region::new();
    let interface = Interface { slow_ifindex: 0, ..region.interface() };
    region.dataplane.put_interface(&interface).unwrap();
    assert!(ping_fails(&region.customer, "203.0.113.1"));
    assert!(region.count(Verdict::SlowLinkGone) > 0);
}
