//! The kernel thread against the real kernel, in namespaces of the test's own (root).

use super::*;
use crate::{
    diff::{Difference, Subject, diff},
    names,
    relays::Elsewhere,
    routes::{Neighbour, Via},
    speaker::fixture::{Customers, prefix},
    wanted::{Certainty, Interface, Net, Nic, Peer, Wanted},
};
use aya::maps::{Array, Map, MapData};
use directlink_bgp::bfd;
use directlink_dataplane::RuleSet;
use directlink_model::ids::{BgpPeerId, PortName};
use directlink_net::{Mac, Mtu, Vlan};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A router with port p0 and an uplink, each with its far end in a namespace.
struct Bench {
    name: String,
    config: KernelConfig,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Bench {
    fn new() -> Self {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dlak{}x{n}", std::process::id());
        let config = KernelConfig {
            netns: Some(PathBuf::from(format!("{NETNS_DIR}/{name}-r"))),
            netns_prefix: format!("{name}-"),
            pin_dir: PathBuf::from(format!("/run/{name}")),
            uplink: "uplink0".into(),
        };
        let bench = Self { name, config };
        let (router, far) = (bench.router(), bench.far());
        for command in [
            format!("ip netns add {router}"),
            format!("ip netns add {far}"),
            format!("ip -n {router} link add p0 type veth peer name cable netns {far}"),
            format!("ip -n {router} link add uplink0 type veth peer name fabric netns {far}"),
            format!("ip -n {router} link add dummy-of-others type veth peer name x netns {far}"),
            format!("ip -n {router} addr add 192.0.2.1/24 dev uplink0"),
            format!("ip -n {far} addr add 192.0.2.2/24 dev fabric"),
            format!("ip -n {router} link set p0 up"),
            format!("ip -n {router} link set uplink0 up"),
            format!("ip -n {far} link set cable up"),
            format!("ip -n {far} link set fabric up"),
        ] {
            run(&command);
        }
        bench
    }

    fn router(&self) -> String {
        format!("{}-r", self.name)
    }

    fn far(&self) -> String {
        format!("{}-f", self.name)
    }

    fn in_router(&self, command: &str) -> String {
        run(&format!("ip netns exec {} {command}", self.router()))
    }

    fn in_interface(&self, command: &str) -> String {
        run(&format!("ip netns exec {}-{} {command}", self.name, id()))
    }

    async fn kernel(&self) -> KernelThread {
        KernelThread::start(self.config.clone()).await.expect("the tests need root")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let cleaned = clean(&self.config);
        for name in [self.router(), self.far()] {
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
        if !thread::panicking() {
            cleaned.unwrap();
        }
    }
}

fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn id() -> InterfaceId {
    InterfaceId::from_bits(0x1a2b_3c4d)
}

fn port() -> PortName {
    "p0".parse().unwrap()
}

fn wanted() -> Wanted {
    let interface = Interface {
        port: port(),
        vlan: Vlan::try_from(100_u16).unwrap(),
        mtu: Mtu::try_from(1400_i64).unwrap(),
        mac: names::mac(id()),
        peers: vec![Peer {
            id: BgpPeerId::from_bits(id().bits()),
            router: "172.16.0.1/30".parse().unwrap(),
            customer: "172.16.0.2".parse().unwrap(),
        }],
        vni: Some(1000_u32.try_into().unwrap()),
        rate: directlink_dataplane::Rate::new(50_000_000),
    };
    let nic = Nic {
        mac: Mac([2, 0, 0, 0, 0, 5]),
        vtep: "192.0.2.2".parse().unwrap(),
        rules: RuleSet {
            inbound: vec![directlink_dataplane::Rule {
                range: "10.0.0.0/8".parse().unwrap(),
                protocol: directlink_dataplane::Protocol::TCP,
                ports: Some(22..=22),
            }],
            outbound: vec![],
            routes: directlink_dataplane::SubnetRoutes {
                takes_learned: false,
                by_hand: [("10.0.0.0/8".parse().unwrap(), directlink_dataplane::Toward::Gateway)]
                    .into(),
            },
        },
    };
    let net = Net {
        certainty: Certainty::Current,
        subnets: [("10.1.0.0/24".parse().unwrap(), "10.1.0.1".parse().unwrap())].into(),
        nics: [("10.1.0.5".parse().unwrap(), nic)].into(),
        routers: ["192.0.2.9".parse().unwrap()].into(),
        elsewhere: BTreeMap::new(),
        preferred: BTreeMap::new(),
    };
    Wanted {
        ports: [(port(), Certainty::Current)].into(),
        interfaces: [(id(), interface)].into(),
        nets: [(1000_u32.try_into().unwrap(), net)].into(),
        ..Wanted::default()
    }
}

fn look(wanted: &Wanted) -> Look {
    Look {
        ports: wanted.ports.keys().cloned().collect(),
        vteps: wanted.vteps(),
        insides: Insides::All,
    }
}

async fn difference(kernel: &KernelThread, wanted: &Wanted) -> Difference {
    let wanted = wanted.clone();
    let seen = kernel.run(move |k| (k.observe(&look(&wanted)), wanted)).await.unwrap();
    diff(&seen.1, &seen.0.unwrap())
}

fn in_a_minute() -> Instant {
    crate::clock::instant() + std::time::Duration::from_secs(60)
}

/// Rounds until nothing is left to do.
async fn settle(kernel: &KernelThread, wanted: &Wanted) -> usize {
    for round in 0..=3 {
        let Difference { changes, blocked, .. } = difference(kernel, wanted).await;
        assert!(blocked.is_empty(), "{blocked:?}");
        if changes.is_empty() {
            return round;
        }
        let (_, failures) = kernel.run(move |k| k.apply(&changes, in_a_minute())).await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
    }
    panic!("still to do: {:?}", difference(kernel, wanted).await);
}

#[tokio::test]
async fn an_interface_is_made_and_a_second_pass_changes_nothing() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    assert!(settle(&kernel, &wanted()).await <= 2);
    assert_eq!(settle(&kernel, &wanted()).await, 0);
    // As another tool sees it.
    let link = bench.in_interface("ip -d link show vlan100");
    assert!(link.contains("06:44:1a:2b:3c:4d") && link.contains("mtu 1400"), "{link}");
    let outer = bench.in_router(&format!("ip link show {}", id()));
    assert!(outer.contains("state UP") && outer.contains("alias directlink port p0"), "{outer}");
    assert!(bench.in_interface("ip -4 addr").contains("172.16.0.1/30"));
    assert!(!bench.in_interface("ip addr show vlan100").contains("inet6"));
    assert_eq!(bench.in_interface("cat /proc/sys/net/ipv4/conf/all/arp_ignore").trim(), "1");
    assert_eq!(bench.in_interface("cat /proc/sys/net/ipv4/ip_forward").trim(), "0");
    let neighbour = bench.in_interface("ip neigh");
    assert!(neighbour.contains("172.16.0.2") && neighbour.contains("managed"), "{neighbour}");
    let next_hop = bench.in_router("ip neigh");
    assert!(next_hop.contains("192.0.2.2") && next_hop.contains("managed"), "{next_hop}");
}

#[tokio::test]
async fn a_later_process_finds_everything_right_but_for_its_programs() {
    let bench = Bench::new();
    {
        let kernel = bench.kernel().await;
        settle(&kernel, &wanted()).await;
    }
    let kernel = bench.kernel().await;
    let changes = difference(&kernel, &wanted()).await.changes;
    assert!(
        matches!(
            changes.as_slice(),
            [Change::AttachSlow(_), Change::AttachUplink(_), Change::AttachPort { .. }]
        ),
        "{changes:?}"
    );
    assert_eq!(settle(&kernel, &wanted()).await, 1);
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_put_right() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    settle(&kernel, &wanted()).await;
    for meddling in [
        "ip addr add 10.66.0.1/24 dev vlan100",
        "ip addr del 172.16.0.1/30 dev vlan100",
        "ip link set vlan100 mtu 1300",
        "ip link set vlan100 down",
        "sysctl -q net.ipv4.ip_forward=1",
        "ip neigh del 172.16.0.2 dev vlan100",
    ] {
        bench.in_interface(meddling);
        assert!(settle(&kernel, &wanted()).await >= 1, "{meddling}");
        assert_eq!(settle(&kernel, &wanted()).await, 0, "{meddling}");
    }
    bench.in_router(&format!("ip link del {}", id()));
    assert!(settle(&kernel, &wanted()).await >= 1);
}

#[tokio::test]
async fn what_is_not_wanted_goes_and_nothing_of_others() {
    let bench = Bench::new();
    let foreign = bench.far();
    let kernel = bench.kernel().await;
    settle(&kernel, &wanted()).await;
    let empty = Wanted { ports: wanted().ports, ..Wanted::default() };
    settle(&kernel, &empty).await;
    let names = run("ip netns");
    assert!(!names.contains(&format!("{}-dxvif-", bench.name)), "{names}");
    assert!(names.contains(&foreign));
    let links = bench.in_router("ip -br link");
    assert!(!links.contains("dxvif-") && links.contains("dummy-of-others"), "{links}");
    let seen = kernel.run(move |k| k.observe(&look(&empty))).await.unwrap().unwrap();
    assert!(seen.interfaces.is_empty() && seen.tables.interfaces.is_empty());
    assert!(seen.tables.nics.is_empty() && seen.tables.rule_sets.is_empty());
    assert!(seen.kept_next_hops.is_empty());
}

#[tokio::test]
async fn the_customer_in_a_net_of_any_size_is_kept_and_the_one_before_released() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    for (router, customer) in [
        ("172.16.0.1/30", "172.16.0.2"),
        ("172.16.2.0/31", "172.16.2.1"),
        ("172.16.1.1/24", "172.16.1.9"),
        ("fd00::1/125", "fd00::2"),
        ("fd00:2::/127", "fd00:2::1"),
        ("fd00:1::1/64", "fd00:1::9"),
        ("172.16.0.1/30", "172.16.0.2"),
    ] {
        let mut wanted = wanted();
        let peer = &mut wanted.interfaces.get_mut(&id()).unwrap().peers[0];
        (peer.router, peer.customer) = (router.parse().unwrap(), customer.parse().unwrap());
        assert!(settle(&kernel, &wanted).await >= 1, "{router}");
        assert_eq!(settle(&kernel, &wanted).await, 0, "{router}");
        let neighbours = bench.in_interface("ip neigh show dev vlan100");
        let kept = neighbours.lines().filter(|line| line.contains("managed"));
        let kept: Vec<_> = kept.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(kept, [customer], "{neighbours}");
    }
}

#[tokio::test]
async fn one_interface_that_fails_does_not_hinder_another() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    let mut wanted = wanted();
    let other = InterfaceId::from_bits(7);
    let interface =
        Interface { vlan: 200_u16.try_into().unwrap(), ..wanted.interfaces[&id()].clone() };
    wanted.interfaces.insert(other, interface);
    // Somebody else's file is where the namespace should be named.
    let path = PathBuf::from(format!("{NETNS_DIR}/{}-{other}", bench.name));
    std::fs::create_dir(&path).unwrap();
    let changes = difference(&kernel, &wanted).await.changes;
    let (_, failures) = kernel.run(move |k| k.apply(&changes, in_a_minute())).await.unwrap();
    assert_eq!(failures.keys().collect::<Vec<_>>(), [&Subject::Interface(other)]);
    let left = difference(&kernel, &wanted).await;
    assert!(!left.is_about(&Subject::Interface(id())), "{left:?}");
    assert!(left.is_about(&Subject::Interface(other)));
    std::fs::remove_dir(&path).unwrap();
}

#[tokio::test]
async fn routes_are_seen_in_the_tables_and_go() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    settle(&kernel, &wanted()).await;
    let vni = vni();
    let mut customers = Customers::new(vni, &[65001]);
    let vias = vias();
    let listed = |k: &mut Kernel| {
        let rows = k.listed().unwrap();
        let routes = rows.routes.into_keys().map(|(_, prefix)| prefix.to_string());
        (routes.collect::<Vec<_>>(), rows.sources.len())
    };
    let (host, [a, b]) = ("172.16.0.2/32".to_owned(), [0, 1].map(|n| prefix(n).to_string()));
    // Everything, at first.
    customers.announces(1, 0, 0);
    kernel.run(wish(&customers, &vias)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![host.clone(), a.clone()], 1));
    // What was touched: one comes, and one goes.
    customers.announces(1, 1, 0);
    kernel.run(wish(&customers, &vias)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![host.clone(), a.clone(), b.clone()], 2));
    customers.withdraws(1, 0);
    kernel.run(wish(&customers, &vias)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![host.clone(), b.clone()], 1));
    // A Net whose way has no light any more, and has it again.
    let mut dark = vias.clone();
    dark.values_mut().for_each(|via| via.light = false);
    kernel.run(wish(&customers, &dark)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![], 1));
    kernel.run(wish(&customers, &vias)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![host.clone(), b.clone()], 1));
    // Somebody else took a row away: whoever doubts finds out.
    let prefix = prefix(1);
    kernel.run(move |k| k.dataplane.remove_route(vni, prefix).unwrap()).await.unwrap();
    kernel.run(Kernel::doubt).await.unwrap();
    kernel.run(wish(&customers, &vias)).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![host, b], 1));
    kernel.run(wish(&customers, &BTreeMap::new())).await.unwrap();
    kernel.run(Kernel::doubt).await.unwrap();
    kernel.run(wish(&customers, &BTreeMap::new())).await.unwrap();
    assert_eq!(kernel.run(listed).await.unwrap(), (vec![], 0));
}

fn vni() -> directlink_net::Vni {
    1000_u32.try_into().unwrap()
}

/// The one customer, who works.
fn vias() -> BTreeMap<Neighbour, Via> {
    let number = directlink_dataplane::InterfaceNumber::new(1).unwrap();
    let via = Via {
        peer: Some(BgpPeerId::from_bits(1)),
        number,
        interface: number,
        vni: vni(),
        customer: "172.16.0.2".parse().unwrap(),
        light: true,
        is_established: true,
        is_settled: true,
        has_routes: true,
        is_drained: false,
        learned: vec![],
    };
    [((id(), via.customer), via)].into()
}

/// How often shortcuts of the Net were made void.
fn changes(bench: &Bench) -> u64 {
    let mut pins = std::fs::read_dir(&bench.config.pin_dir).unwrap().map(|pin| pin.unwrap().path());
    let is_ours =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("tables-");
    let table = pins.find(is_ours).unwrap().join("changes");
    let table = Map::Array(MapData::from_pin(table).unwrap());
    let counts: Array<_, u64> = table.try_into().unwrap();
    counts.get(&(1 + vni().as_u32()), 0).unwrap()
}

#[tokio::test]
async fn flows_choose_anew_when_other_ports_of_a_bundle_are_in_use_and_only_then() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    settle(&kernel, &wanted()).await;
    let mut customers = Customers::new(vni(), &[65001]);
    customers.announces(1, 0, 0);
    let vias = vias();
    kernel.run(wish(&customers, &vias)).await.unwrap();
    for (in_use, is_news) in [
        (&[][..], false),
        (&["p0", "p1"], true),
        (&["p0", "p1"], false),
        (&["p1"], true),
        (&[], true),
        (&[], false),
    ] {
        let before = changes(&bench);
        let ports: BTreeSet<_> = in_use.iter().map(|port| port.parse().unwrap()).collect();
        let in_use = Some(ports).filter(|ports| !ports.is_empty()).map(|ports| (vni(), ports));
        let wish =
            RowWish { in_use: in_use.clone().into_iter().collect(), ..now(&customers, &vias) };
        kernel.run(move |kernel| kernel.sync_rows(&wish).unwrap()).await.unwrap();
        assert_eq!(changes(&bench) > before, is_news, "{in_use:?}");
    }
}

/// Rows as these customers have them now.
fn wish(
    customers: &Customers,
    vias: &BTreeMap<Neighbour, Via>,
) -> impl FnOnce(&mut Kernel) + use<> {
    let wish = now(customers, vias);
    move |kernel| kernel.sync_rows(&wish).unwrap()
}

fn now(customers: &Customers, vias: &BTreeMap<Neighbour, Via>) -> RowWish {
    RowWish {
        vias: vias.clone(),
        elsewhere: Elsewhere::default(),
        ribs: customers.ribs(),
        touched: customers.touched(),
        in_use: BTreeMap::new(),
    }
}

#[tokio::test]
async fn light_is_seen_as_it_comes_and_goes() {
    let bench = Bench::new();
    let kernel = bench.kernel().await;
    let mut watch = Watch::new(
        kernel.run(|kernel| kernel.subscribe(bfd::Settings::default())).await.unwrap().unwrap(),
    )
    .unwrap();
    let lights = kernel.run(Kernel::lights).await.unwrap().unwrap();
    assert!(lights[&port()]);
    watch.look_at([port()].into());
    for (pull, expected) in [("up", true), ("down", false), ("up", true)] {
        run(&format!("ip -n {} link set cable {pull}", bench.far()));
        let seen = async {
            loop {
                match watch.next().await.unwrap() {
                    LinkEvent::Light { light, .. } if light == expected => break,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(1), seen).await.expect("within 1 s");
    }
    bench.in_router("ip link del p0");
    let gone =
        async { while watch.next().await.unwrap() != (LinkEvent::Gone { name: "p0".into() }) {} };
    tokio::time::timeout(std::time::Duration::from_secs(1), gone).await.expect("within 1 s");
}

#[test]
fn cleaning_leaves_nothing_and_may_be_repeated() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let kernel = bench.kernel().await;
        settle(&kernel, &wanted()).await;
    });
    clean(&bench.config).unwrap();
    assert!(!run("ip netns").contains(&format!("{}-dxvif-", bench.name)));
    assert!(!bench.in_router("ip -d link show p0").contains("prog/xdp"));
    assert!(!bench.config.pin_dir.exists());
    clean(&bench.config).unwrap();
}
