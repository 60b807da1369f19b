//! What documents are made of facts.

use super::*;
use crate::{
    connection::PortRef,
    hosting::{Allocation, Capacity},
    ids::{
        AccountId, NicId, RouteTableId, RouteTableLinkId, SecurityGroupId, SecurityGroupRuleId,
        SubnetId,
    },
    interface::{Proposal, Seen},
    lag::Lag,
    report::{InterfaceReport, LearnedRoute},
    route_table::{RouteTableLink, StaticRoute},
    security_group::{PortRange, Protocol, SecurityGroupRule},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn region() -> RegionAsn {
    RegionAsn(Asn::try_from(50624u32).unwrap())
}

fn net() -> Net {
    Net {
        id: NetId::from_bits(1),
        account: AccountId::from_number(1),
        range: "10.0.0.0/16".parse().unwrap(),
        vni: Vni::try_from(100u32).unwrap(),
        created_at: at(0),
    }
}

fn subnet() -> Subnet {
    Subnet {
        id: SubnetId::from_bits(1),
        account: AccountId::from_number(1),
        net: net().id,
        range: "10.0.0.0/24".parse().unwrap(),
        subregion: "eu-west-2a".parse().unwrap(),
        created_at: at(0),
    }
}

fn connection(lit: bool) -> Connection {
    let mut c = Connection {
        id: ConnectionId::from_bits(1),
        account: AccountId::from_number(1),
        name: "c".into(),
        location: "PAR1".parse().unwrap(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        requested_at: at(0),
        approval: None,
        refused: None,
        light: None,
        is_bundled: false,
        delete_asked_at: None,
        deleted_at: None,
        hosting: None,
    };
    c.approve(PortRef { router: "r".parse().unwrap(), port: "p0".parse().unwrap() }, at(1))
        .unwrap();
    c.see_light(lit, at(2));
    c
}

fn interface(n: u32, gateway: Option<GatewayId>) -> Interface {
    let proposal = Proposal {
        connection: ConnectionId::from_bits(1),
        lag: None,
        owner: AccountId::from_number(1),
        name: "i".into(),
        vlan: Vlan::try_from(100 + i64::from(n)).unwrap(),
        asn: Asn::try_from(65000u32).unwrap(),
        key: None,
        peer: PeerAddresses::allocated(0).unwrap(),
        mtu: Mtu::MAX,
        gateway,
    };
    Interface::propose(InterfaceId::from_bits(n), proposal, region(), &[], at(3)).unwrap()
}

fn snapshot(connection: Option<Connection>, interfaces: Vec<Interface>) -> PortSnapshot {
    PortSnapshot {
        connection,
        hosted: vec![],
        bundle: None,
        interfaces: interfaces.into_iter().map(|i| (i, Some(net()))).collect(),
        region: region(),
        ipv6: None,
        bgp_identifier: Ipv4Addr::new(192, 0, 2, 1),
    }
}

const GATEWAY: Option<GatewayId> = Some(GatewayId::from_bits(1));

#[test]
fn only_wanted_interfaces_are_planned() {
    let waiting = interface(1, None);
    let mut going = interface(2, GATEWAY);
    going.ask_delete(at(4)).unwrap();
    let plan = plan_port(
        &snapshot(Some(connection(true)), vec![waiting, going, interface(3, GATEWAY)]),
        at(5),
    );
    assert_eq!(plan.interfaces.keys().collect::<Vec<_>>(), [&InterfaceId::from_bits(3)]);
}

#[test]
fn a_dark_port_keeps_its_plan_so_that_light_alone_brings_it_back() {
    let plan =
        |lit| plan_port(&snapshot(Some(connection(lit)), vec![interface(1, GATEWAY)]), at(5));
    assert_eq!(plan(true), plan(false));
}

#[test]
fn a_lag_with_too_few_links_is_carried_by_no_port_and_each_port_says_what_it_is_bundled_with() {
    let lag = Lag {
        id: LagId::from_bits(1),
        account: AccountId::from_number(1),
        name: "l".into(),
        location: "PAR1".parse().unwrap(),
        bandwidth: Bandwidth::OneGbps,
        minimum_links: 0,
        requested_at: at(0),
        deleted_at: None,
    };
    let mut bundle = Bundle { lag, members: vec![] };
    let mut first = connection(true);
    bundle.join(&mut first).unwrap();
    let mut second = Connection { id: ConnectionId::from_bits(2), ..connection(false) };
    second.approval.as_mut().unwrap().port.port = "p1".parse().unwrap();
    bundle.join(&mut second).unwrap();
    for (minimum, carried) in [(0, 1), (1, 1), (2, 0)] {
        bundle.lag.minimum_links = minimum;
        let snapshot = PortSnapshot {
            bundle: Some(bundle.clone()),
            ..snapshot(Some(first.clone()), vec![interface(1, GATEWAY)])
        };
        let plan = plan_port(&snapshot, at(5));
        assert_eq!(plan.interfaces.len(), carried, "{minimum}");
        let lag = plan.lag.unwrap();
        assert_eq!((lag.ports.len(), lag.minimum_links), (2, minimum));
    }
    let alone = plan_port(&snapshot(Some(connection(true)), vec![]), at(5));
    let alone = serde_json::to_value(&alone).unwrap();
    assert!(alone.get("lag").is_none(), "older routers read it as ever: {alone}");
}

#[test]
fn a_failover_test_shuts_the_session_and_touches_nothing_else() {
    let mut tested = interface(1, GATEWAY);
    let works = Seen { configured: true, session_up: true, forwarding: true };
    tested.see(works, at(4));
    let plan = |i: &Interface, now| {
        let plan = plan_port(&snapshot(Some(connection(true)), vec![i.clone()]), at(now));
        serde_json::to_value(&plan.interfaces[&i.id]).unwrap()
    };
    let before = plan(&tested, 5);
    assert!(before.get("shutdown").is_none(), "older routers read it as ever: {before}");
    tested.begin_test(BTreeSet::new(), at(10), at(5)).unwrap();
    let mut during = plan(&tested, 9);
    let words = during.as_object_mut().unwrap().remove("shutdown").unwrap();
    assert_eq!(words, "failover test of dxvif-00000001 until 1970-01-01T00:00:10Z");
    assert_eq!(during, before);
    assert_eq!(plan(&tested, 10), before, "over");
}

#[test]
fn a_hosted_connections_interface_is_planned_on_the_parents_port_with_its_share() {
    let allocation = Allocation {
        id: ConnectionId::from_bits(2),
        account: AccountId::from_number(2),
        name: "a share".into(),
        vlan: Vlan::try_from(102u16).unwrap(),
        capacity: Capacity::Mbps200,
    };
    let hosted = Connection::allocate(&connection(true), allocation, &[], None, at(2)).unwrap();
    let theirs = Interface { connection: hosted.id, ..interface(2, GATEWAY) };
    let mut snapshot = snapshot(Some(connection(true)), vec![interface(1, GATEWAY), theirs]);
    snapshot.hosted.push(hosted);
    let plan = plan_port(&snapshot, at(5));
    let shares: Vec<_> = plan.interfaces.values().map(|i| i.bits_per_second).collect();
    assert_eq!(shares, [None, Some(200_000_000)]);
    let own = serde_json::to_value(&plan.interfaces[&InterfaceId::from_bits(1)]).unwrap();
    assert!(own.get("bits_per_second").is_none(), "older routers read it as ever: {own}");
}

#[test]
fn a_second_peer_stands_beside_the_first_and_takes_its_place_when_that_goes() {
    let mut one = interface(1, GATEWAY);
    let plan = |i: &Interface| {
        plan_port(&snapshot(Some(connection(true)), vec![i.clone()]), at(5)).interfaces[&i.id]
            .clone()
    };
    let alone = plan(&one);
    let text = serde_json::to_string(&alone).unwrap();
    assert!(!text.contains("peer_id") && !text.contains("further_peers"), "{text}");
    let id = BgpPeerId::from_bits(0xfeed);
    let proposal = crate::bgp_peer::PeerProposal {
        asn: Asn::try_from(65001u32).unwrap(),
        key: None,
        addresses: PeerAddresses::allocated(1).unwrap(),
    };
    one.add_peer(id, proposal, region(), &[], at(4)).unwrap();
    let two = plan(&one);
    assert_eq!(InterfacePlan { further_peers: BTreeMap::new(), ..two.clone() }, alone);
    let ids: Vec<_> = two.peers(one.id).map(|(id, peer)| (id, peer.addresses)).collect();
    assert_eq!(ids, [(one.bgp_peer(), one.peer), (id, PeerAddresses::allocated(1).unwrap())]);
    one.delete_peer(one.bgp_peer(), at(5)).unwrap();
    let second = plan(&one);
    assert_eq!((second.peer_id, second.customer_asn.as_u32()), (Some(id), 65001));
    assert!(second.further_peers.is_empty());
    let json = serde_json::to_vec(&two).unwrap();
    assert_eq!(serde_json::from_slice::<InterfacePlan>(&json).unwrap(), two);
}

#[test]
fn a_connection_on_its_way_out_and_a_free_port_have_the_empty_plan() {
    let mut going = connection(true);
    going.ask_delete(0, at(4)).unwrap();
    for c in [Some(going), None] {
        assert_eq!(plan_port(&snapshot(c, vec![]), at(5)), PortPlan::default());
    }
}

#[test]
fn a_nic_gets_all_rules_of_its_groups_once_and_none_of_others() {
    let permission = |to| Permission {
        protocol: Protocol::Tcp(PortRange { from: 1, to }),
        range: "192.168.0.0/16".parse().unwrap(),
    };
    let group = |n: u32, ports: &[u16]| SecurityGroup {
        id: SecurityGroupId::from_bits(n),
        account: AccountId::from_number(1),
        net: net().id,
        name: n.to_string(),
        description: String::new(),
        rules: ports
            .iter()
            .map(|to| SecurityGroupRule {
                id: SecurityGroupRuleId::from_bits(n),
                flow: Flow::Inbound,
                admission: Admission {
                    protocol: permission(*to).protocol,
                    other: OtherSide::Range(permission(*to).range),
                },
            })
            .collect(),
        created_at: at(0),
    };
    let nic = |n: u8, vtep| Nic {
        id: NicId::from_bits(n.into()),
        account: AccountId::from_number(1),
        subnet: SubnetId::from_bits(1),
        net: net().id,
        address: Ipv4Addr::new(10, 0, 0, n),
        mac: Mac([2, 0, 0, 0, 0, n]),
        description: String::new(),
        security_groups: vec![SecurityGroupId::from_bits(1), SecurityGroupId::from_bits(2)],
        vtep,
        created_at: at(0),
    };
    let snapshot = NetSnapshot {
        net: net(),
        ipv6: Some("fd44:4c00::/24".parse().unwrap()),
        subnets: vec![subnet()],
        nics: vec![nic(4, Some(Ipv4Addr::new(192, 0, 2, 9))), nic(5, None)],
        security_groups: vec![group(1, &[80, 443]), group(2, &[443]), group(3, &[22])],
        gateway: None,
        route_tables: vec![],
        carriers: vec![],
    };
    let plan = plan_net(&snapshot, Ipv4Addr::new(192, 0, 2, 1));
    let six = &plan.nics[&Ipv4Addr::new(10, 0, 0, 4)].ipv6.unwrap();
    assert!(six.to_string().ends_with("a00:4"), "{six}");
    let (range, gateway) = plan.ipv6_subnets.first_key_value().unwrap();
    assert!(range.contains(six) && range.contains(gateway), "{range}");
    assert_eq!(plan.nics.len(), 1, "a NIC that lives nowhere is not planned");
    assert_eq!(plan.nics[&Ipv4Addr::new(10, 0, 0, 4)].inbound, [permission(80), permission(443)]);
}

#[test]
fn a_subnets_route_table_is_planned_where_it_says_more_than_that_it_takes_what_is_learned() {
    let [attached, other] = [1, 2].map(GatewayId::from_bits);
    let by_hand = |to: &str, target| StaticRoute { destination: to.parse().unwrap(), target };
    let [to_gateway, to_other, to_nic] = [
        by_hand("192.168.0.0/16", RouteTarget::Gateway(attached)),
        by_hand("192.168.1.0/24", RouteTarget::Gateway(other)),
        by_hand("192.168.2.0/24", RouteTarget::Nic(NicId::from_bits(1))),
    ];
    let says = |propagating: &[GatewayId], statics: &[StaticRoute]| {
        let main = RouteTable {
            id: RouteTableId::from_bits(1),
            account: AccountId::from_number(1),
            net: net().id,
            propagating: propagating.to_vec(),
            links: vec![RouteTableLink { id: RouteTableLinkId::from_bits(1), subnet: None }],
            statics: statics.to_vec(),
        };
        let snapshot = NetSnapshot {
            subnets: vec![subnet()],
            gateway: Some(attached),
            route_tables: vec![main],
            ..carried_by(vec![])
        };
        let plan = plan_net(&snapshot, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(
            serde_json::from_value::<NetPlan>(serde_json::to_value(&plan).unwrap()).unwrap(),
            plan
        );
        plan.routes.get(&subnet().range).map(|it| {
            let by_hand = it.by_hand.iter().map(|(to, toward)| format!("{to} {toward:?}"));
            (it.takes_learned, by_hand.collect::<Vec<_>>())
        })
    };
    let words = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(says(&[attached], &[]), None, "older routers read it as ever");
    assert_eq!(says(&[], &[]), Some((false, vec![])));
    assert_eq!(says(&[other], &[]), Some((false, vec![])));
    assert_eq!(
        says(&[attached], &[to_gateway, to_other, to_nic]),
        Some((
            true,
            words(&[
                "192.168.0.0/16 Gateway",
                "192.168.1.0/24 Elsewhere",
                "192.168.2.0/24 Elsewhere"
            ])
        ))
    );
    assert_eq!(says(&[], &[to_gateway]), Some((false, words(&["192.168.0.0/16 Gateway"]))));
}

/// The Net, of which only its routers matter.
fn carried_by(carriers: Vec<Carrier>) -> NetSnapshot {
    NetSnapshot {
        ipv6: None,
        net: net(),
        subnets: vec![],
        nics: vec![],
        security_groups: vec![],
        gateway: None,
        route_tables: vec![],
        carriers,
    }
}

#[test]
fn a_router_is_told_of_the_others_and_of_what_is_available_there() {
    let [one, two, three] = [1, 2, 3].map(|n| Ipv4Addr::new(192, 0, 2, n));
    let learned = |prefixes: &[&str]| InterfaceReport {
        learned: prefixes
            .iter()
            .map(|prefix| LearnedRoute {
                prefix: prefix.parse().unwrap(),
                as_path: vec![65000],
                med: None,
                local_pref: 100,
                best: false,
            })
            .collect(),
        ..InterfaceReport::default()
    };
    let mut works = interface(1, GATEWAY);
    let seen = Seen { configured: true, session_up: true, forwarding: true };
    works.see_peer(works.bgp_peer(), seen, at(4));
    let mut carriers = [one, two, three].map(Carrier::new);
    let old = learned(&["10.9.0.0/16", "2001:db8::/48"]);
    let both = InterfaceReport { takes_relayed_ipv6: true, ..old.clone() };
    carriers[0].learn((&works, true), &both, at(5));
    // A router of before takes relayed packets of IPv4 alone.
    carriers[1].learn((&works, true), &old, at(5));
    carriers[1].learn((&works, true), &learned(&["10.8.0.0/16"]), at(5));
    // Dark, not up, or shut for a test: leads nowhere, and is a router of the Net all the same.
    carriers[2].learn((&works, false), &both, at(5));
    carriers[2].learn((&interface(2, GATEWAY), true), &both, at(5));
    works.begin_test(BTreeSet::new(), at(10), at(5)).unwrap();
    carriers[2].learn((&works, true), &both, at(5));
    let snapshot = carried_by(carriers.into());
    let told = |own| {
        let NetPlan { routers, elsewhere, ipv6_elsewhere, .. } = plan_net(&snapshot, own);
        let v4 = elsewhere.into_iter().map(|(prefix, to)| format!("{prefix} → {to:?}"));
        let v6 = ipv6_elsewhere.into_iter().map(|(prefix, to)| format!("{prefix} → {to:?}"));
        (routers, v4.chain(v6).collect::<Vec<_>>())
    };
    assert_eq!(
        told(one),
        (
            [two, three].into(),
            ["10.8.0.0/16 → {192.0.2.2}", "10.9.0.0/16 → {192.0.2.2}"].map(Into::into).into()
        )
    );
    assert_eq!(
        told(two),
        (
            [one, three].into(),
            ["10.9.0.0/16 → {192.0.2.1}", "2001:db8::/48 → {192.0.2.1}"].map(Into::into).into()
        )
    );
    let alone = NetSnapshot { carriers: vec![Carrier::new(one)], ..snapshot };
    let text = serde_json::to_string(&plan_net(&alone, one)).unwrap();
    assert!(!text.contains("elsewhere") && !text.contains("routers"), "as ever: {text}");
}

#[test]
fn a_better_way_elsewhere_is_told_in_the_field_of_its_family() {
    let [one, two] = [1, 2].map(|n| Ipv4Addr::new(192, 0, 2, n));
    let mut works = interface(1, GATEWAY);
    let seen = Seen { configured: true, session_up: true, forwarding: true };
    works.see_peer(works.bgp_peer(), seen, at(4));
    let mut carriers = [one, two].map(Carrier::new);
    for (carrier, local_pref) in carriers.iter_mut().zip([100, 200]) {
        let route = |prefix: &str| LearnedRoute {
            prefix: prefix.parse().unwrap(),
            as_path: vec![65000],
            med: None,
            local_pref,
            best: true,
        };
        let learned = ["10.9.0.0/16", "2001:db8::/48"].map(route).into();
        let report =
            InterfaceReport { learned, takes_relayed_ipv6: true, ..InterfaceReport::default() };
        carrier.learn((&works, true), &report, at(5));
    }
    let snapshot = carried_by(carriers.into());
    let worse = plan_net(&snapshot, one);
    assert_eq!(worse.preferred, [("10.9.0.0/16".parse().unwrap(), [two].into())].into());
    assert_eq!(worse.ipv6_preferred, [("2001:db8::/48".parse().unwrap(), [two].into())].into());
    let better = plan_net(&snapshot, two);
    assert!(better.preferred.is_empty() && better.ipv6_preferred.is_empty());
}

#[test]
fn a_drained_way_elsewhere_is_a_last_resort_and_never_for_another_drained_one() {
    let [one, two] = [1, 2].map(|n| Ipv4Addr::new(192, 0, 2, n));
    let prefix = "10.9.0.0/16".parse().unwrap();
    let route =
        LearnedRoute { prefix, as_path: vec![65000], med: None, local_pref: 100, best: false };
    let report = InterfaceReport { learned: vec![route], ..InterfaceReport::default() };
    let mut open = interface(1, GATEWAY);
    let seen = Seen { configured: true, session_up: true, forwarding: true };
    open.see_peer(open.bgp_peer(), seen, at(4));
    let drain = Some(Draining::begin(crate::drain::AT_MOST_DEFAULT, at(5)));
    let drained = Interface { drain, ..open.clone() };
    let nothing = InterfaceReport::default();
    for (here, there, expected) in [
        ((&open, &report), (&open, &report), true),
        ((&open, &report), (&drained, &report), true),
        ((&open, &nothing), (&drained, &report), true),
        ((&drained, &report), (&open, &report), true),
        ((&drained, &report), (&drained, &report), false),
    ] {
        let mut carriers = [one, two].map(Carrier::new);
        carriers[0].learn((here.0, true), here.1, at(6));
        carriers[1].learn((there.0, true), there.1, at(6));
        let told = !elsewhere::elsewhere(&carriers, one).is_empty();
        assert_eq!(told, expected, "{:?} {:?}", here.0.drain, there.0.drain);
    }
}

#[test]
fn a_drained_interface_says_less_and_keeps_its_sessions() {
    let mut it = interface(1, GATEWAY);
    let planned = |it: &Interface| {
        let plan = plan_port(&snapshot(Some(connection(true)), vec![it.clone()]), at(500));
        plan.interfaces[&it.id].clone()
    };
    let as_ever = planned(&it);
    assert!(!serde_json::to_string(&as_ever).unwrap().contains("drain"));
    let mut drain = Draining::begin(crate::drain::AT_MOST_DEFAULT, at(5));
    for says in [Drain::Prepend, Drain::Withdraw] {
        it.drain = Some(drain.clone());
        let plan = planned(&it);
        assert_eq!(plan.drain, Some(says));
        assert_eq!(InterfacePlan { drain: None, ..plan }, as_ever, "all else stays");
        drain.step(at(400));
    }
}

#[test]
fn a_group_in_a_rule_is_the_addresses_of_its_nics() {
    let group = SecurityGroupId::from_bits(1);
    let nic = |n: u8, groups: &[SecurityGroupId]| Nic {
        id: NicId::from_bits(n.into()),
        account: AccountId::from_number(1),
        subnet: SubnetId::from_bits(1),
        net: net().id,
        address: Ipv4Addr::new(10, 0, 0, n),
        mac: Mac([2, 0, 0, 0, 0, n]),
        description: String::new(),
        security_groups: groups.to_vec(),
        vtep: None,
        created_at: at(0),
    };
    let admission = Admission { protocol: Protocol::Any, other: OtherSide::Group(group) };
    let nics = [nic(4, &[group]), nic(5, &[]), nic(6, &[group])];
    let ranges: Vec<_> = resolve(admission, &nics).iter().map(|p| p.range.to_string()).collect();
    assert_eq!(ranges, ["10.0.0.4/32", "10.0.0.6/32"]);
}

#[test]
fn scopes_read_as_written() {
    for text in ["port/p0", "net/vpc-0000000a"] {
        assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
    }
    for text in ["port/", "port/../x", "net/p0", "p0", "router/p0"] {
        assert!(text.parse::<Scope>().is_err(), "{text}");
    }
}

proptest! {
    /// Order of rows says nothing; no wanted interface is missing; documents survive their JSON.
    #[test]
    fn planning_is_deterministic_and_complete(mut order in Just((1..40u32).collect::<Vec<_>>()).prop_shuffle()) {
        let plan = |order: &[u32]| {
            plan_port(&snapshot(Some(connection(true)), order.iter().map(|n| interface(*n, GATEWAY)).collect()), at(5))
        };
        let shuffled = plan(&order);
        order.sort_unstable();
        prop_assert_eq!(&shuffled, &plan(&order));
        prop_assert_eq!(shuffled.interfaces.len(), order.len());
        let json = serde_json::to_vec(&Document::Port(shuffled.clone())).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Document>(&json).unwrap(), Document::Port(shuffled));
    }
}
