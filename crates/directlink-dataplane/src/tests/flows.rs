//! Security groups and the state of flows.

use super::{
    frame::{ACK, FIN, Packet, RST, SYN, echo, echo_reply, icmp_error, other, tcp, udp},
    world::{RULES, World, net, nic, rules},
};
use crate::{Nic, Opened, Protocol, Rule, RuleSet, RuleSetNumber, Verdict};

const ADMITTED: Verdict = Verdict::ForwardedToNet;
const ANSWERED: Verdict = Verdict::ForwardedToCustomer;
const DENIED: Verdict = Verdict::DeniedBySecurityGroup;
const OTHER_RULES: RuleSetNumber = RuleSetNumber::new(2).unwrap();

/// The NIC has these rules from now on.
fn change_rules(world: &mut World, number: RuleSetNumber, set: &RuleSet) {
    world.dataplane.put_rule_set(number, set).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic() }).unwrap();
}

fn rule(range: &str, protocol: Protocol, ports: Option<std::ops::RangeInclusive<u16>>) -> Rule {
    Rule { range: net(range), protocol, ports }
}

fn inbound_only(rules: Vec<Rule>) -> RuleSet {
    RuleSet { inbound: rules, ..RuleSet::default() }
}

#[test]
fn without_rules_everything_is_denied() {
    let mut world = World::new();
    let packet = udp("192.0.2.9:4000", "10.0.1.10:53");
    for rule_set in [None, Some(OTHER_RULES)] {
        world.dataplane.put_nic(&Nic { rule_set, ..nic() }).unwrap();
        assert_eq!(world.send(&packet), DENIED, "{rule_set:?}");
        assert_eq!(world.reply(&udp("10.0.1.10:53", "192.0.2.9:4000")), DENIED, "{rule_set:?}");
    }
    change_rules(&mut world, OTHER_RULES, &RuleSet::default());
    assert_eq!(world.send(&packet), DENIED);
}

#[test]
fn rules_admit_by_range_protocol_and_port() {
    let tcp_syn = |to: &str| tcp("192.0.2.9:4000", to, SYN);
    let range = |from, to| Some(from..=to);
    let rows: Vec<(&str, Rule, Packet, Verdict)> = vec![
        (
            "first port",
            rule("192.0.2.0/24", Protocol::TCP, range(20, 25)),
            tcp_syn("10.0.1.10:20"),
            ADMITTED,
        ),
        (
            "last port",
            rule("192.0.2.0/24", Protocol::TCP, range(20, 25)),
            tcp_syn("10.0.1.10:25"),
            ADMITTED,
        ),
        (
            "below",
            rule("192.0.2.0/24", Protocol::TCP, range(20, 25)),
            tcp_syn("10.0.1.10:19"),
            DENIED,
        ),
        (
            "above",
            rule("192.0.2.0/24", Protocol::TCP, range(20, 25)),
            tcp_syn("10.0.1.10:26"),
            DENIED,
        ),
        (
            "port 65535",
            rule("192.0.2.0/24", Protocol::TCP, range(65535, 65535)),
            tcp_syn("10.0.1.10:65535"),
            ADMITTED,
        ),
        (
            "port 0",
            rule("192.0.2.0/24", Protocol::TCP, range(1, 65535)),
            tcp_syn("10.0.1.10:0"),
            DENIED,
        ),
        (
            "all ports",
            rule("192.0.2.0/24", Protocol::TCP, None),
            tcp_syn("10.0.1.10:9999"),
            ADMITTED,
        ),
        (
            "another protocol",
            rule("192.0.2.0/24", Protocol::UDP, None),
            tcp_syn("10.0.1.10:22"),
            DENIED,
        ),
        (
            "any protocol",
            rule("192.0.2.0/24", Protocol::Any, None),
            tcp_syn("10.0.1.10:22"),
            ADMITTED,
        ),
        (
            "any protocol, one without ports",
            rule("192.0.2.0/24", Protocol::Any, None),
            other("192.0.2.9", "10.0.1.10", 47),
            ADMITTED,
        ),
        (
            "echo, by its type and any code",
            rule("192.0.2.0/24", Protocol::ICMP, range(8 << 8, 8 << 8 | 255)),
            echo("192.0.2.9", "10.0.1.10", 1),
            ADMITTED,
        ),
        (
            "another type",
            rule("192.0.2.0/24", Protocol::ICMP, range(13 << 8, 13 << 8 | 255)),
            echo("192.0.2.9", "10.0.1.10", 1),
            DENIED,
        ),
        (
            "one address",
            rule("192.0.2.9/32", Protocol::Any, None),
            tcp_syn("10.0.1.10:22"),
            ADMITTED,
        ),
        (
            "its neighbour",
            rule("192.0.2.8/32", Protocol::Any, None),
            tcp_syn("10.0.1.10:22"),
            DENIED,
        ),
        ("everywhere", rule("0.0.0.0/0", Protocol::Any, None), tcp_syn("10.0.1.10:22"), ADMITTED),
    ];
    for (name, rule, packet, verdict) in rows {
        let mut world = World::new();
        change_rules(&mut world, OTHER_RULES, &inbound_only(vec![rule]));
        assert_eq!(world.send(&packet), verdict, "{name}");
    }
}

#[test]
fn the_last_of_1024_rules_counts_and_another_is_refused() {
    let mut world = World::new();
    let mut many: Vec<_> =
        (0..1024).map(|port| rule("192.0.2.0/24", Protocol::TCP, Some(port..=port))).collect();
    change_rules(&mut world, OTHER_RULES, &inbound_only(many.clone()));
    assert_eq!(world.send(&tcp("192.0.2.9:1", "10.0.1.10:1023", SYN)), ADMITTED);
    assert_eq!(world.send(&tcp("192.0.2.9:1", "10.0.1.10:1024", SYN)), DENIED);
    many.push(rule("192.0.2.0/24", Protocol::TCP, None));
    assert!(world.dataplane.put_rule_set(RULES, &inbound_only(many)).is_err());
}

#[test]
fn answers_to_an_admitted_flow_pass_without_an_outbound_rule() {
    let flows: [(&str, Packet, Packet); 4] = [
        (
            "TCP",
            tcp("192.0.2.9:4000", "10.0.1.10:22", SYN),
            tcp("10.0.1.10:22", "192.0.2.9:4000", SYN | ACK),
        ),
        ("UDP", udp("192.0.2.9:4000", "10.0.1.10:53"), udp("10.0.1.10:53", "192.0.2.9:4000")),
        ("echo", echo("192.0.2.9", "10.0.1.10", 9), echo_reply("10.0.1.10", "192.0.2.9", 9)),
        ("GRE", other("192.0.2.9", "10.0.1.10", 47), other("10.0.1.10", "192.0.2.9", 47)),
    ];
    let all = inbound_only(vec![rule("0.0.0.0/0", Protocol::Any, None)]);
    for (name, question, answer) in flows {
        let mut world = World::new();
        change_rules(&mut world, OTHER_RULES, &all);
        assert_eq!(world.reply(&answer), DENIED, "{name}: before");
        assert_eq!(world.send(&question), ADMITTED, "{name}");
        assert_eq!(world.reply(&answer), ANSWERED, "{name}: after");
        let [flow] = world.dataplane.flows(9).unwrap()[..] else { panic!("{name}: one flow") };
        assert_eq!((flow.opened, flow.admitted), (Opened::ByCustomer, true), "{name}");
    }
}

#[test]
fn a_nics_own_flow_is_answered_without_an_inbound_rule() {
    let mut world = World::new();
    let answer = tcp("192.0.2.9:443", "10.0.1.10:40000", SYN | ACK);
    assert_eq!(world.send(&answer), DENIED);
    assert_eq!(world.reply(&tcp("10.0.1.10:40000", "192.0.2.9:443", SYN)), ANSWERED);
    assert_eq!(world.send(&answer), ADMITTED);
    assert_eq!(world.send(&tcp("192.0.2.9:443", "10.0.1.10:40001", ACK)), DENIED, "other port");
}

#[test]
fn outbound_rules_are_asked_for_a_nics_own_flow() {
    let mut world = World::new();
    let outbound = vec![rule("192.0.2.0/24", Protocol::TCP, Some(443..=443))];
    change_rules(&mut world, OTHER_RULES, &RuleSet { outbound, ..RuleSet::default() });
    assert_eq!(world.reply(&tcp("10.0.1.10:40000", "192.0.2.9:443", SYN)), ANSWERED);
    assert_eq!(world.reply(&tcp("10.0.1.10:40000", "192.0.2.9:80", SYN)), DENIED);
}

#[test]
fn a_removed_rule_stops_a_flow_both_ways_and_a_returned_one_lets_it_go_on() {
    let mut world = World::new();
    let there = tcp("192.0.2.9:4000", "10.0.1.10:22", ACK);
    let back = tcp("10.0.1.10:22", "192.0.2.9:4000", ACK);
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", SYN)), ADMITTED);
    assert_eq!(world.reply(&back), ANSWERED);

    let without = RuleSet { inbound: vec![], ..rules() };
    change_rules(&mut world, OTHER_RULES, &without);
    // The NIC's answers come first, and outbound rules admit everything: still no.
    assert_eq!(world.reply(&back), DENIED);
    assert_eq!(world.send(&there), DENIED);
    assert_eq!(world.reply(&back), DENIED);
    // A new flow of the NIC's own from the same port is another matter.
    assert_eq!(world.reply(&tcp("10.0.1.10:22", "192.0.2.9:4000", SYN)), ANSWERED);

    let mut world = World::new();
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", SYN)), ADMITTED);
    change_rules(&mut world, OTHER_RULES, &without);
    assert_eq!(world.send(&there), DENIED);
    change_rules(&mut world, RULES, &rules());
    assert_eq!(world.send(&there), ADMITTED);
    assert_eq!(world.reply(&back), ANSWERED);
}

#[test]
fn a_change_of_other_rules_does_not_disturb_a_flow() {
    let mut world = World::new();
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", SYN)), ADMITTED);
    let mut more = rules();
    more.inbound.insert(0, rule("198.51.100.0/24", Protocol::Any, None));
    change_rules(&mut world, OTHER_RULES, &more);
    assert_eq!(world.reply(&tcp("10.0.1.10:22", "192.0.2.9:4000", ACK)), ANSWERED);
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", ACK)), ADMITTED);
}

#[test]
fn a_router_that_took_over_goes_on_with_what_rules_admit() {
    let mut world = World::new();
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", ACK)), ADMITTED);
    assert_eq!(world.reply(&tcp("10.0.1.10:22", "192.0.2.9:4000", ACK)), ANSWERED);
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:23", ACK)), DENIED);
}

#[test]
fn only_what_can_begin_a_flow_leaves_one_behind() {
    let rows = [
        ("SYN", tcp("192.0.2.9:1", "10.0.1.10:22", SYN), 1),
        ("ACK, of a flow from before", tcp("192.0.2.9:1", "10.0.1.10:22", ACK), 1),
        ("FIN", tcp("192.0.2.9:1", "10.0.1.10:22", FIN | ACK), 1),
        ("SYN ACK", tcp("192.0.2.9:1", "10.0.1.10:22", SYN | ACK), 0),
        ("RST", tcp("192.0.2.9:1", "10.0.1.10:22", RST), 0),
        ("echo", echo("192.0.2.9", "10.0.1.10", 1), 1),
        ("echo reply", echo_reply("192.0.2.9", "10.0.1.10", 1), 0),
    ];
    for (name, packet, flows) in rows {
        let mut world = World::new();
        assert_eq!(world.send(&packet), ADMITTED, "{name}");
        assert_eq!(world.dataplane.flows(9).unwrap().len(), flows, "{name}");
    }
}

#[test]
fn an_icmp_error_passes_if_it_quotes_a_flow() {
    let mut world = World::new();
    change_rules(
        &mut world,
        OTHER_RULES,
        &inbound_only(vec![rule("0.0.0.0/0", Protocol::TCP, Some(22..=22))]),
    );
    assert_eq!(world.send(&tcp("192.0.2.9:4000", "10.0.1.10:22", SYN)), ADMITTED);
    let answer = tcp("10.0.1.10:22", "192.0.2.9:4000", ACK);
    assert_eq!(world.send(&icmp_error("192.0.2.254", &answer, 1400)), ADMITTED);
    assert_eq!(world.send(&icmp_error("192.0.2.254", &answer, 0)), ADMITTED);
    let stranger = tcp("10.0.1.10:22", "192.0.2.9:4001", ACK);
    assert_eq!(world.send(&icmp_error("192.0.2.254", &stranger, 1400)), DENIED);
    // The other way: about a packet of the customer's.
    let question = tcp("192.0.2.9:4000", "10.0.1.10:22", ACK);
    assert_eq!(world.reply(&icmp_error("10.0.1.10", &question, 1400)), ANSWERED);
}

#[test]
fn later_fragments_follow_their_first() {
    let mut world = World::new();
    let packet = udp("192.0.2.9:4000", "10.0.1.10:53");
    assert_eq!(world.send(&packet.clone().later_fragment(2)), Verdict::FragmentWithoutFlow);
    assert_eq!(world.send(&packet.clone().first_fragment()), ADMITTED);
    assert_eq!(world.send(&packet.clone().later_fragment(2)), ADMITTED);
    let denied = udp("192.0.2.10:4000", "10.0.1.10:54");
    assert_eq!(world.send(&denied.clone().first_fragment()), DENIED);
    assert_eq!(world.send(&denied.later_fragment(2)), Verdict::FragmentWithoutFlow);
    // The same from the NIC.
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    assert_eq!(world.reply(&answer.clone().later_fragment(2)), Verdict::FragmentWithoutFlow);
    assert_eq!(world.reply(&answer.clone().first_fragment()), ANSWERED);
    assert_eq!(world.reply(&answer.later_fragment(2)), ANSWERED);
}
