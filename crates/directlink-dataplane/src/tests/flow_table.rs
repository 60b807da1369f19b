//! Room for flows: a full table, a Net's share of it, and who leaves with time.

use super::{
    frame::{ACK, C_TAG, FIN, IPV4, Packet, SYN, echo, echo_reply, other, tagged, tcp, udp},
    world::{CUSTOMER_MAC, NUMBER, ROUTER_MAC, SMALL, World, interface, net, nic, now_ns, peer},
};
use crate::{
    Capacity, Interface, InterfaceNumber, Nic, Peer, Protocol, Rule, RuleSet, RuleSetNumber,
    Source, Verdict,
};
use aya::{
    Pod,
    maps::{Array, Map, MapData},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use directlink_net::{Vlan, Vni};
use std::time::Duration;

const ADMITTED: Verdict = Verdict::ForwardedToNet;
const FULL: Verdict = Verdict::FlowsFull;
/// A row of `flow_places` and one of `flow6_places`, in words; the first is when it was taken.
type Place = [u64; 4];
type Place6 = [u64; 7];

fn world(flows: u32, flows_per_net: u32) -> World {
    let mut world = World::with(Capacity { flows, flows_per_net, ..SMALL });
    let any = Rule { range: net("0.0.0.0/0"), protocol: Protocol::Any, ports: None };
    let number = RuleSetNumber::new(2).unwrap();
    // Nothing outbound: what goes back is an answer.
    let rules = RuleSet { inbound: vec![any], ..RuleSet::default() };
    world.dataplane.put_rule_set(number, &rules).unwrap();
    world.dataplane.put_nic(&Nic { rule_set: Some(number), ..nic() }).unwrap();
    world
}

fn question(n: u16) -> Packet {
    udp(&format!("192.0.2.9:{}", 1000 + n), "10.0.1.10:53")
}

fn answer(n: u16) -> Packet {
    udp("10.0.1.10:53", &format!("192.0.2.9:{}", 1000 + n))
}

impl World {
    /// All flows and places are so much older, and the shortcuts too old.
    fn pass(&mut self, time: Duration) {
        self.dataplane.put_interface(&interface()).unwrap();
        let ns = u64::try_from(time.as_nanos()).unwrap();
        let rows: Vec<_> = self.dataplane.tables.flows.iter().map(Result::unwrap).collect();
        for (key, row) in rows {
            self.dataplane.tables.flows.insert(key, row.older(ns), 0).unwrap();
        }
        self.age_places::<Place>("flow_places", |place| &mut place[0], ns);
        self.age_places::<Place6>("flow6_places", |place| &mut place[0], ns);
    }

    fn age_places<T: Pod>(&self, table: &str, taken: fn(&mut T) -> &mut u64, ns: u64) {
        let pinned = std::fs::read_dir(self.pin_dir()).unwrap();
        let mut tables = pinned.map(|entry| entry.unwrap().path());
        let dir = tables.find(|path| path.join(table).exists()).unwrap();
        let map = Map::from_map_data(MapData::from_pin(dir.join(table)).unwrap()).unwrap();
        let mut places = Array::<_, T>::try_from(map).unwrap();
        for n in 0..places.len() {
            let mut place = places.get(&n, 0).unwrap();
            if *taken(&mut place) != 0 {
                *taken(&mut place) = taken(&mut place).wrapping_sub(ns);
                places.set(n, place, 0).unwrap();
            }
        }
    }

    /// The clock's hand goes on by a step, now.
    fn tick(&self) {
        let program = self.dataplane.programs.program("directlink_clock").unwrap();
        let program: &Xdp = program.try_into().unwrap();
        let frame = [0; 64];
        let options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::default() };
        program.test_run(options).unwrap();
    }

    fn flows(&self) -> usize {
        self.dataplane.flows(100_000).unwrap().len()
    }

    /// The kernel's timer runs a moment after it is due.
    fn turns_until(&self, flows: usize) {
        let deadline = now_ns() + 10_000_000_000;
        while self.flows() != flows {
            assert!(now_ns() < deadline, "{} flows are left", self.flows());
            self.tick();
        }
    }
}

#[test]
fn a_full_table_refuses_new_flows_counts_them_and_keeps_those_that_stand() {
    let mut world = world(64, 1000);
    for n in 0..64 {
        assert_eq!(world.send(&question(n)), ADMITTED, "{n}");
    }
    for n in 64..70 {
        assert_eq!(world.send(&question(n)), FULL, "{n}");
    }
    for n in 0..64 {
        assert_eq!(world.reply(&answer(n)), Verdict::ForwardedToCustomer, "{n}");
        assert_eq!(world.send(&question(n)), ADMITTED, "{n}");
    }
    let counted = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    assert_eq!(counted.of(FULL).packets, 6);
}

#[test]
fn one_net_does_not_take_the_room_of_another() {
    let mut world = world(64, 40);
    let number = InterfaceNumber::new(6).unwrap();
    let vni = Vni::try_from(7002).unwrap();
    let peers = vec![Peer { way: number, ..peer() }];
    let vlan = Vlan::try_from(200i64).unwrap();
    let another = Interface { number, vlan, vni, slow_ifindex: 0, peers, ..interface() };
    world.dataplane.put_interface(&another).unwrap();
    let prefix = net("192.0.2.0/24");
    world.dataplane.put_source(Source { interface: number, prefix }).unwrap();
    world.dataplane.put_net(vni).unwrap();
    world.dataplane.put_nic(&Nic { vni, rule_set: RuleSetNumber::new(2), ..nic() }).unwrap();
    for n in 0..45 {
        let verdict = if n < 40 { ADMITTED } else { FULL };
        assert_eq!(world.send(&question(n)), verdict, "{n}");
    }
    let tags = [(C_TAG, 200)];
    for n in 0..30 {
        let frame = tagged(CUSTOMER_MAC, ROUTER_MAC, &tags, IPV4, &question(n).bytes());
        let verdict = if n < 24 { ADMITTED } else { FULL };
        assert_eq!(world.port(&frame).verdict, verdict, "the other Net, {n}");
    }
}

#[test]
fn those_silent_for_long_leave_their_places_to_others() {
    let mut world = world(64, 48);
    for round in 0..3 {
        for n in 0..48 {
            assert_eq!(world.send(&question(100 * round + n)), ADMITTED, "{round}, {n}");
        }
        assert_eq!(world.send(&question(100 * round + 99)), FULL, "{round}");
        world.pass(Duration::from_secs(31));
        world.turns_until(0);
    }
}

#[test]
fn the_clock_passes_by_who_is_not_silent() {
    let mut world = world(64, 64);
    for n in 0..20 {
        assert_eq!(world.send(&question(n)), ADMITTED);
    }
    world.pass(Duration::from_secs(20));
    for n in 0..5 {
        assert_eq!(world.send(&question(n)), ADMITTED);
    }
    world.pass(Duration::from_secs(20));
    world.turns_until(5);
    for _ in 0..100 {
        world.tick();
    }
    assert_eq!(world.flows(), 5);
}

#[test]
fn an_answer_comes_in_time_or_too_late() {
    let syn_ack = || tcp("10.0.1.10:22", "192.0.2.9:4000", SYN | ACK);
    let there = |flags| tcp("192.0.2.9:4000", "10.0.1.10:22", flags);
    let back = || tcp("10.0.1.10:22", "192.0.2.9:4000", ACK);
    let gre = |from, to| other(from, to, 47);
    // What the customer sends, what the NIC answers, and what it sends after some seconds.
    type Row = (&'static str, Vec<Packet>, Vec<Packet>, Packet, u64);
    let rows: [Row; 8] = [
        ("UDP, not answered", vec![question(0)], vec![], answer(0), 30),
        ("UDP", vec![question(0)], vec![answer(0)], answer(0), 180),
        ("TCP, not answered", vec![there(SYN)], vec![], syn_ack(), 30),
        ("TCP", vec![there(SYN)], vec![syn_ack()], back(), 86400),
        ("TCP that closes", vec![there(SYN), there(FIN | ACK)], vec![back()], back(), 120),
        (
            "echo, not answered",
            vec![echo("192.0.2.9", "10.0.1.10", 9)],
            vec![],
            echo_reply("10.0.1.10", "192.0.2.9", 9),
            30,
        ),
        (
            "echo",
            vec![echo("192.0.2.9", "10.0.1.10", 9)],
            vec![echo_reply("10.0.1.10", "192.0.2.9", 9)],
            echo_reply("10.0.1.10", "192.0.2.9", 9),
            60,
        ),
        (
            "GRE",
            vec![gre("192.0.2.9", "10.0.1.10")],
            vec![gre("10.0.1.10", "192.0.2.9")],
            gre("10.0.1.10", "192.0.2.9"),
            600,
        ),
    ];
    for (name, questions, answers, late, limit) in rows {
        for (seconds, verdict) in
            [(limit - 2, Verdict::ForwardedToCustomer), (limit + 1, Verdict::DeniedBySecurityGroup)]
        {
            let mut world = world(64, 64);
            for packet in &questions {
                assert_eq!(world.send(packet), ADMITTED, "{name}");
            }
            for packet in &answers {
                assert_eq!(world.reply(packet), Verdict::ForwardedToCustomer, "{name}");
            }
            world.pass(Duration::from_secs(seconds));
            assert_eq!(world.reply(&late), verdict, "{name} after {seconds} s");
        }
    }
}
