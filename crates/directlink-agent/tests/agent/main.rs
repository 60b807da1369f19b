//! The whole agent, against the real kernel and a server's end of the channel (root).

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod bench;
mod bmp;
mod customer;
mod documents;
mod server;
mod sflow;

use bench::Bench;
use customer::Bird;
use directlink_model::{
    bgp_peer::first_peer,
    interface::Seen,
    plan::Document,
    report::{InterfaceReport, PortReport},
};
use documents::{IPV6_PEER, NET, id, interface, net, net_admitting, of_both_families, one, port};
use server::{Authority, Process, Server};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// A bench with an agent whose server is there, and has its Hello.
async fn attached() -> (Bench, Server, Process) {
    let bench = Bench::new();
    let authority = Authority::new();
    authority.write_identity(bench.dir.path());
    let mut server = Server::start(authority).await;
    let agent = Process::start(bench.config(server.address));
    assert!(server.hello().await.is_empty());
    (bench, server, agent)
}

/// Of its first peer.
fn seen(report: &InterfaceReport) -> Seen {
    report.seen(id(), first_peer(id()))
}

fn configured(report: &PortReport) -> bool {
    report.interfaces.get(&id()).is_some_and(|interface| interface.configured)
}

/// Of the interface's link: another number is another link.
fn ifindex(bench: &Bench) -> String {
    bench.within("r", &format!("cat /sys/class/net/{}/ifindex", id()))
}

#[tokio::test]
async fn a_plan_goes_into_the_kernel_and_out_again() {
    let (bench, mut server, _agent) = attached().await;
    server.send(NET, 3, &net());
    server.ack(NET, 3).await;
    server.send("port/p0", 42, &one());
    server.ack("port/p0", 42).await;
    let report = server.report("the interface", configured).await;
    assert_eq!((report.applied_generation, report.light), (42, true));
    assert!(bench.within(&id().to_string(), "ip -4 addr").contains("172.16.0.1/30"));
    // Taken away, and nothing is left.
    server.send("port/p0", 43, &port(&[]));
    server.ack("port/p0", 43).await;
    let gone = |report: &PortReport| report.interfaces.is_empty();
    let report = server.report("nothing", gone).await;
    assert_eq!(report.applied_generation, 43);
    assert!(!bench::run("ip netns").contains(&format!("{}-{}", bench.name, id())));
    assert!(!bench.within("r", "ip link").contains("dxvif-"));
    server.send(NET, 4, &Document::Net(None));
    server.ack(NET, 4).await;
}

#[tokio::test]
async fn it_does_as_planned_before_its_turn_and_says_so_when_that_has_come() {
    let bench = Bench::new();
    let authority = Authority::new();
    authority.write_identity(bench.dir.path());
    let mut server = Server::start_giving_turns(authority).await;
    let _agent = Process::start(bench.config(server.address));
    server.hello().await;
    server.send(NET, 3, &net());
    server.send("port/p0", 42, &one());
    let namespace = format!("{}-{}", bench.name, id());
    let is_there = |_: &Bench| bench::run("ip netns").contains(&namespace);
    bench.eventually("the interface's namespace", is_there).await;
    assert_eq!(server.unheard(), None);
    server.give_turn();
    server.ack("port/p0", 42).await;
    server.report("the interface", configured).await;
}

#[tokio::test]
async fn an_older_plan_and_one_that_is_none_are_refused() {
    let (bench, mut server, _agent) = attached().await;
    server.send("port/p0", 42, &one());
    server.ack("port/p0", 42).await;
    let before = ifindex(&bench);
    server.send("port/p0", 41, &port(&[]));
    assert!(server.nack("port/p0", 41).await.contains("older than generation 42"));
    server.send_bytes("port/p0", 43, b"{\"port\": 7}".to_vec());
    assert!(server.nack("port/p0", 43).await.contains("cannot be read"));
    server.send("port/p0", 44, &net());
    assert!(server.nack("port/p0", 44).await.contains("not one about port/p0"));
    server.send_bytes("ship/p0", 1, b"{}".to_vec());
    assert!(server.nack("ship/p0", 1).await.contains("not a plan's scope"));
    // The same again is only acknowledged.
    server.send("port/p0", 42, &one());
    server.ack("port/p0", 42).await;
    assert_eq!(ifindex(&bench), before);
}

#[tokio::test]
async fn a_port_that_is_not_there_is_told_and_heals_when_it_comes() {
    let (bench, mut server, _agent) = attached().await;
    let mut plan = interface(200);
    plan.net = None;
    server.send("port/p7", 1, &port(&[(id(), plan)]));
    let reason = server.nack("port/p7", 1).await;
    assert_eq!(reason, format!("{}: port p7 has no link in the router's namespace", id()));
    bench.within("r", "ip link add p7 type veth peer name p7-far");
    server.ack("port/p7", 1).await;
}

#[tokio::test]
async fn it_starts_without_a_server_and_changes_nothing_that_is_right() {
    let (bench, mut server, agent) = attached().await;
    server.send(NET, 3, &net());
    server.send("port/p0", 42, &one());
    server.report("the interface", configured).await;
    let (before, config) = (ifindex(&bench), bench.config(server.address));
    let (authority, address) = server.kill().await;
    agent.kill();
    assert_eq!(ifindex(&bench), before, "a killed agent leaves everything");
    // What was meddled with while nobody looked is put right, by the ledger alone.
    let inside = id().to_string();
    bench.within(&inside, "ip addr del 172.16.0.1/30 dev vlan100");
    let _agent = Process::start(config);
    bench
        .eventually("the address", |b| b.within(&inside, "ip -4 addr").contains("172.16.0.1/30"))
        .await;
    assert_eq!(ifindex(&bench), before);
    let mut server = Server::start_at(authority, address).await;
    let held = server.hello().await;
    assert_eq!((held[NET], held["port/p0"]), (3, 42));
    server.report("the interface", configured).await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_left_for_the_next_and_plans_go_on() {
    let bench = Bench::new();
    let authority = Authority::new();
    authority.write_identity(bench.dir.path());
    let mut one = Server::start(authority.clone()).await;
    let mut other = Server::start(authority).await;
    let mut config = bench.config(one.address);
    config.servers.push(server::url(other.address));
    let _agent = Process::start(config);
    // Whichever it has dialled dies; it comes to the one that is left, and says what it holds.
    let (first, mut left) = tokio::select! {
        _ = one.hello() => (one, other),
        _ = other.hello() => (other, one),
    };
    let mut first = first;
    first.send("port/p0", 42, &port(&[]));
    first.ack("port/p0", 42).await;
    first.kill().await;
    assert_eq!(left.hello().await.get("port/p0"), Some(&42));
    left.send("port/p0", 43, &port(&[]));
    left.ack("port/p0", 43).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_leaves_the_kernel_as_it_is() {
    let (bench, mut server, agent) = attached().await;
    server.send(NET, 3, &net());
    server.send("port/p0", 42, &port(&[]));
    server.ack("port/p0", 42).await;
    server.send("port/p0", 43, &one());
    server.report("the interface", configured).await;
    let before = ifindex(&bench);
    agent.kill();
    let ledger = bench.dir.path().join("state/plans/port/p0");
    fs::write(&ledger, "not what was written").unwrap();
    let agent = Process::start(bench.config(server.address));
    let held = server.hello().await;
    assert_eq!(held.get("port/p0"), None, "it is asked for again");
    assert!(server.nack("port/p0", 0).await.contains("damaged"));
    // The previous document, 42, has no interface; the kernel's stays all the same.
    let there = |report: &PortReport| report.interfaces.contains_key(&id());
    server.report("what is there", there).await;
    assert_eq!(ifindex(&bench), before);
    agent.kill();
    // Not even the previous one.
    fs::write(bench.dir.path().join("state/previous/port/p0"), "").unwrap();
    let _agent = Process::start(bench.config(server.address));
    server.report("what is there", there).await;
    assert_eq!(ifindex(&bench), before);
    server.send("port/p0", 43, &one());
    server.ack("port/p0", 43).await;
    assert_eq!(ifindex(&bench), before);
    server.send("port/p0", 44, &port(&[]));
    server.report("nothing", |report| report.interfaces.is_empty()).await;
}

#[tokio::test]
async fn a_strangers_identity_is_not_spoken_with_and_a_renewed_one_is_at_once() {
    let bench = Bench::new();
    let authority = Authority::new();
    Authority::new().write_identity(bench.dir.path());
    let mut server = Server::start(authority.clone()).await;
    let _agent = Process::start(bench.config(server.address));
    assert!(timeout(Duration::from_millis(700), server.hello()).await.is_err());
    authority.write_identity(bench.dir.path());
    server.hello().await;
}

#[tokio::test]
async fn light_off_and_on_is_reported_within_a_second() {
    let (bench, mut server, _agent) = attached().await;
    server.send("port/p0", 1, &port(&[]));
    server.report("light", |report| report.light).await;
    for (state, light) in [("down", false), ("up", true)] {
        let began = Instant::now();
        bench.within("c", &format!("ip link set cable {state}"));
        server.report("a change of light", |report| report.light == light).await;
        let took = began.elapsed();
        assert!(took.as_millis() < 1000, "{took:?}");
        println!("light {state}: reported after {took:?}");
    }
}

#[tokio::test]
async fn a_customers_router_reaches_a_host_and_survives_the_agent() {
    let (bench, mut server, agent) = attached().await;
    bench.plug_vlan();
    bench.plug_host();
    server.send(NET, 1, &net());
    server.send("port/p0", 1, &one());
    let bird = Bird::start(&bench);
    let report = server
        .report("forwarding", |report| {
            report.interfaces.get(&id()).is_some_and(|i| seen(i).forwarding && seen(i).session_up)
        })
        .await;
    let interface = &report.interfaces[&id()];
    assert!(interface.learned.iter().any(|r| r.best && r.prefix.to_string() == "192.168.0.0/16"));
    assert!(!interface.refused.is_empty(), "{interface:#?}");
    assert_eq!(interface.advertised.len(), 1);
    bench.eventually("ping", Bench::pings).await;
    assert!(bird.log_of_session().contains("Established"));
    // Nobody speaks for it, and packets go on.
    agent.kill();
    for _ in 0..3 {
        assert!(bench.pings());
    }
    let began = Instant::now();
    let agent = Process::start(bench.config(server.address));
    server
        .report("the session again", |report| {
            report.interfaces.get(&id()).is_some_and(|i| seen(i).forwarding && seen(i).session_up)
        })
        .await;
    println!("session again after {:?}", began.elapsed());
    assert!(bench.pings());
    assert!(!bird.lost_our_routes(), "the customer kept our routes over the restart");
    // The cable is pulled and plugged.
    bench.within("c", "ip link set cable down");
    let dark = server.report("light off", |report| !report.light).await;
    assert!(!dark.interfaces[&id()].rows_in_kernel || dark.interfaces.contains_key(&id()));
    server.report("rows gone", |report| !report.interfaces[&id()].rows_in_kernel).await;
    bench.within("c", "ip link set cable up");
    server
        .report("forwarding again", |report| {
            report.light && seen(&report.interfaces[&id()]).forwarding
        })
        .await;
    bench.eventually("ping again", Bench::pings).await;
    // Deleted: the customer is told, and nothing is reached.
    server.send("port/p0", 2, &port(&[]));
    server.report("nothing", |report| report.interfaces.is_empty()).await;
    bench.eventually("the routes gone", |_| bird.lost_our_routes()).await;
    assert!(!bench.pings());
    drop(agent);
}

#[tokio::test]
async fn routes_are_told_once_to_a_server_that_keeps_them_and_each_time_to_one_from_before() {
    for knows in [true, false] {
        let bench = Bench::new();
        let authority = Authority::new();
        authority.write_identity(bench.dir.path());
        let mut server = match knows {
            true => Server::start(authority).await,
            false => Server::start_old(authority).await,
        };
        let _agent = Process::start(bench.config(server.address));
        server.hello().await;
        bench.plug_vlan();
        bench.plug_host();
        server.send(NET, 1, &net());
        server.send("port/p0", 1, &one());
        let _bird = Bird::start(&bench);
        let packets = |report: &PortReport| {
            let interface = report.interfaces.get(&id()).filter(|it| !it.learned.is_empty());
            interface.map_or(0, |it| it.verdicts.get("forwarded_to_net").copied().unwrap_or(0))
        };
        bench.eventually("ping", Bench::pings).await;
        let before = packets(&server.report("the first packets", |it| packets(it) > 0).await);
        server.routes_told = 0;
        assert!(bench.pings());
        server.report("more packets, and the routes", |it| packets(it) > before).await;
        assert_eq!(server.routes_told > 0, !knows);
    }
}

#[tokio::test]
async fn a_customers_router_reaches_a_host_over_ipv6_beside_ipv4_once_rules_admit_it() {
    let (bench, mut server, _agent) = attached().await;
    bench.plug_vlan();
    bench.plug_host();
    bench.plug_ipv6();
    server.send(NET, 1, &net());
    server.send("port/p0", 1, &of_both_families());
    let bird = Bird::start_with_ipv6(&bench);
    let works = |seen: Seen| seen.forwarding && seen.session_up;
    let report = server
        .report("forwarding of both", |report| {
            let both = [first_peer(id()), IPV6_PEER];
            let interface = report.interfaces.get(&id());
            interface.is_some_and(|i| both.into_iter().all(|peer| works(i.seen(id(), peer))))
        })
        .await;
    let interface = &report.interfaces[&id()];
    let six = interface.peers(id()).find(|(peer, _)| *peer == IPV6_PEER).unwrap().1;
    let learned: Vec<_> = six.learned.iter().map(|route| route.prefix.to_string()).collect();
    assert_eq!(learned, ["2001:db8:9::/48"]);
    assert_eq!(six.refused.len(), 1, "a /80 is too long: {six:#?}");
    assert!(bird.ipv6_routes().contains("fd02::/48"), "{}", bird.ipv6_routes());
    bench.eventually("ping", Bench::pings).await;
    assert!(!bench.pings_ipv6(), "the rules speak of IPv4 alone");
    server.send(NET, 2, &net_admitting(&["0.0.0.0/0", "2001:db8:9::/48"]));
    bench.eventually("ping over IPv6", Bench::pings_ipv6).await;
    assert!(bench.pings());
    // The peer goes: so does its road, and the other stays.
    server.send("port/p0", 2, &one());
    bench.eventually("nothing over IPv6", |bench| !bench.pings_ipv6()).await;
    assert!(bench.pings());
}
