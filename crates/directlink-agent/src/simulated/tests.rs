//! A router in memory, by hand: what it takes until packets go, and what goes on without its agent.

use super::*;
use directlink_channel::from_router::Message;
use directlink_model::{
    ids::{LagId, NetId},
    plan::{Document, InterfacePlan, LagPlan, NetRef, PortPlan},
};
use directlink_net::Mtu;
use tempfile::TempDir;

const ID: InterfaceId = InterfaceId::from_bits(1);

fn place() -> (PortName, Vlan) {
    ("p0".parse().unwrap(), 100u16.try_into().unwrap())
}

fn addresses() -> PeerAddresses {
    PeerAddresses::allocated(0).unwrap()
}

fn interface() -> InterfacePlan {
    let vni = 1000u32.try_into().unwrap();
    InterfacePlan {
        vlan: place().1,
        mtu: Mtu::MAX,
        peer: addresses(),
        router_asn: 50_624u32.try_into().unwrap(),
        customer_asn: 65_000u32.try_into().unwrap(),
        bgp_identifier: Ipv4Addr::new(10, 0, 0, 1),
        key: None,
        net: Some(NetRef { id: NetId::from_bits(1), vni, advertised: vec![] }),
        shutdown: None,
        bits_per_second: None,
        drain: None,
        peer_id: None,
        further_peers: BTreeMap::new(),
    }
}

fn plan(generation: u64, interfaces: BTreeMap<InterfaceId, InterfacePlan>) -> Plan {
    let document = Document::Port(PortPlan { connection: None, lag: None, interfaces });
    let document = serde_json::to_vec(&document).unwrap();
    Plan { scope: "port/p0".into(), generation, document, ..Plan::default() }
}

fn router(dir: &TempDir) -> Router {
    let (name, vtep) = ("par1-r1".parse().unwrap(), Ipv4Addr::new(10, 255, 0, 1));
    let ledger = (dir.path().join("state"), Timestamp::UNIX_EPOCH);
    let mut router = Router::new(name, vtep, &[place().0], ledger);
    router.start_agent().unwrap();
    router
}

fn run(router: &mut Router, until: Duration) {
    while let Some(at) = router.next_event().filter(|at| *at <= until) {
        router.run(at);
    }
    router.run(until);
}

fn customer() -> Customer {
    Customer {
        asn: 65_000u32.try_into().unwrap(),
        router_asn: 50_624u32.try_into().unwrap(),
        key: None,
        addresses: addresses(),
        announces: ["192.168.1.0/24".parse().unwrap()].into(),
    }
}

#[test]
fn packets_go_once_plan_light_and_customer_are_there_and_without_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = router(&dir);
    let seconds = Duration::from_secs;
    router.take_plan(plan(1, [(ID, interface())].into()));
    run(&mut router, seconds(10));
    let truth = router.truth(ID, &place());
    assert_eq!(truth, Truth { tag: true, ..Truth::default() });
    router.set_light(&place().0, true);
    router.set_customer(place(), Some(customer()));
    run(&mut router, seconds(60));
    assert!(router.truth(ID, &place()).is_whole(), "{:?}", router.truth(ID, &place()));
    router.kill_agent();
    run(&mut router, seconds(70));
    assert_eq!(router.rows(), [(place(), ID)].into());
    router.start_agent().unwrap();
    run(&mut router, seconds(130));
    assert!(router.truth(ID, &place()).is_whole(), "{:?}", router.truth(ID, &place()));
    router.reboot();
    assert!(router.rows().is_empty());
    router.start_agent().unwrap();
    run(&mut router, seconds(300));
    assert!(router.truth(ID, &place()).is_whole(), "its ledger is enough");
    router.take_plan(plan(2, BTreeMap::new()));
    run(&mut router, seconds(310));
    assert!(router.interfaces().is_empty());
}

#[test]
fn another_key_keeps_the_session_down_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = router(&dir);
    router.take_plan(plan(1, [(ID, interface())].into()));
    router.set_light(&place().0, true);
    let key = Some("another26key".to_owned().try_into().unwrap());
    router.set_customer(place(), Some(Customer { key, ..customer() }));
    run(&mut router, Duration::from_secs(120));
    let truth = Truth { light: true, tag: true, ..Truth::default() };
    assert_eq!((router.truth(ID, &place()), router.is_met(&place())), (truth, false));
}

#[test]
fn a_kernel_that_will_not_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = router(&dir);
    router.vex(2, 1);
    router.take_plan(plan(1, [(ID, interface())].into()));
    run(&mut router, Duration::from_secs(30));
    assert!(router.truth(ID, &place()).tag);
}

#[test]
fn a_pass_that_is_cut_short_while_something_fails_answers_only_for_what_is_done() {
    let scopes = ["p0", "p1"].map(|port| port.parse::<PortName>().unwrap());
    for (failures, at_once) in (1..8).flat_map(|n| (1..8).map(move |many| (n, many))) {
        let dir = tempfile::tempdir().unwrap();
        let (name, vtep) = ("par1-r1".parse().unwrap(), Ipv4Addr::new(10, 255, 0, 1));
        let ledger = (dir.path().join("state"), Timestamp::UNIX_EPOCH);
        let mut router = Router::new(name, vtep, &scopes, ledger);
        router.start_agent().unwrap();
        router.attached();
        router.vex(failures, at_once);
        for (number, port) in (1..).zip(&scopes) {
            let id = InterfaceId::from_bits(number);
            let scope = format!("port/{port}");
            router.take_plan(Plan { scope, ..plan(1, [(id, interface())].into()) });
        }
        let mut done = BTreeSet::new();
        while let Some(at) = router.next_event().filter(|at| at.as_secs() < 60) {
            router.run(at);
            for message in router.take_said() {
                let Some(Message::Ack(ack)) = message.message else { continue };
                let Ok(Scope::Port(port)) = ack.scope.parse() else { continue };
                let case = format!("{port} with {failures} failures, {at_once} at once");
                assert!(router.is_as_planned(&port), "{case}: answered and not done");
                done.insert(port);
            }
        }
        assert_eq!(done, scopes.clone().into(), "{failures} failures, {at_once} at once");
    }
}

/// With all that packets need.
fn working(dir: &TempDir) -> Router {
    let mut router = router(dir);
    router.take_plan(plan(1, [(ID, interface())].into()));
    router.set_light(&place().0, true);
    router.set_customer(place(), Some(customer()));
    run(&mut router, Duration::from_secs(60));
    assert!(router.truth(ID, &place()).is_whole(), "{:?}", router.truth(ID, &place()));
    router
}

#[test]
fn packets_leave_by_the_rows_that_a_new_agent_finds_until_its_sessions_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = working(&dir);
    router.kill_agent();
    run(&mut router, Duration::from_secs(70));
    assert!(router.carries(&place()));
    router.start_agent().unwrap();
    router.run(Duration::from_secs(70));
    assert!(router.carries(&place()) && !router.truth(ID, &place()).session);
    router.reboot();
    assert!(!router.carries(&place()));
}

#[test]
fn a_session_is_shut_by_its_plan_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = working(&dir);
    let shut = InterfacePlan { shutdown: Some("a test".into()), ..interface() };
    router.take_plan(plan(2, [(ID, shut)].into()));
    run(&mut router, Duration::from_secs(120));
    let truth = Truth { light: true, tag: true, ..Truth::default() };
    assert_eq!(router.truth(ID, &place()), truth);
    router.take_plan(plan(3, [(ID, interface())].into()));
    run(&mut router, Duration::from_secs(180));
    assert!(router.truth(ID, &place()).is_whole(), "{:?}", router.truth(ID, &place()));
}

/// A router with two ports of one LAG, whose interface is planned on those.
fn router_with_lag(dir: &TempDir, planned: &[&str]) -> Router {
    let ports: [PortName; 2] = ["p0", "p1"].map(|port| port.parse().unwrap());
    let (name, vtep) = ("par1-r1".parse().unwrap(), Ipv4Addr::new(10, 255, 0, 1));
    let ledger = (dir.path().join("state"), Timestamp::UNIX_EPOCH);
    let mut router = Router::new(name, vtep, &ports, ledger);
    router.start_agent().unwrap();
    let lag = LagPlan { id: LagId::from_bits(1), ports: ports.clone().into(), minimum_links: 1 };
    for port in &ports {
        let has = planned.contains(&port.as_str());
        let interfaces = has.then(|| (ID, interface())).into_iter().collect();
        let plan = PortPlan { connection: None, lag: Some(lag.clone()), interfaces };
        let document = serde_json::to_vec(&Document::Port(plan)).unwrap();
        let scope = format!("port/{port}");
        router.take_plan(Plan { scope, generation: 1, document, ..Plan::default() });
        router.set_light(port, true);
    }
    run(&mut router, Duration::from_secs(10));
    router
}

fn ports_of(router: &Router) -> Vec<String> {
    router.rows().into_keys().map(|(port, _)| port.to_string()).collect()
}

#[test]
fn a_lags_interface_leaves_a_dark_port_at_once_and_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut router = router_with_lag(&dir, &["p0"]);
    let [p0, p1] = ["p0", "p1"].map(|port| port.parse::<PortName>().unwrap());
    assert_eq!(ports_of(&router), ["p0"]);
    let mut now = Duration::from_secs(10);
    for (port, light, carries) in [
        (&p0, false, "p1"),
        // Both dark: as planned.
        (&p1, false, "p0"),
        (&p0, true, "p0"),
        (&p1, true, "p0"),
        (&p0, false, "p1"),
        (&p0, true, "p0"),
    ] {
        router.set_light(port, light);
        now += Duration::from_millis(1);
        run(&mut router, now);
        assert_eq!(ports_of(&router), [carries], "{port} {light}");
    }
    // Also an agent that was not there when it happened.
    router.kill_agent();
    router.set_light(&p0, false);
    router.start_agent().unwrap();
    run(&mut router, now + Duration::from_secs(1));
    assert_eq!(ports_of(&router), ["p1"]);
}

/// A pass that called for the next would never come to an end here: no time goes by between them.
#[test]
fn while_a_move_is_being_told_an_interface_in_two_plans_is_on_one_port_and_at_rest() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ports_of(&router_with_lag(&dir, &["p0", "p1"])), ["p1"]);
}
