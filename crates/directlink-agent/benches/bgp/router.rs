//! Our own router as it runs in a Region: `directlink agent` over a port with so many VLANs, a
//! namespace for each; every customer has its own Net, and announces the same prefixes.
//!
//! ```text
//!  NAME-c: v1 ═ t1 ─ tag 1 ─┐                  ┌─ namespace of VLAN 1
//!          v2 ═ t2 ─ tag 2 ─┴─ cable ═══ p0 ───┼─ namespace of VLAN 2     :NAME-r: uplink0 ══ NAME-h
//!          172.16.0.2, .6, …                   └─ … 172.16.0.1, .5, …
//! ```

use super::{
    feed::{self, CUSTOMER_ASN, Customer, ROUTER_ASN, prefix},
    place::{Place, run},
    server::{Authority, Server, url},
};
use aya::maps::{LpmTrie, Map, MapData, lpm_trie::Key};
use directlink_agent::{KernelConfig, clean};
use directlink_dataplane::{Cable, offload};
use directlink_model::{
    ids::{InterfaceId, NetId},
    plan::{ConnectionPlan, Document, InterfacePlan, NetPlan, NetRef, NicPlan, PortPlan},
    security_group::{Permission, Protocol},
};
use directlink_net::{Mac, PeerAddresses, Vni};
use std::{
    fmt::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) struct Router {
    // In this order: the process first, its namespaces last.
    agent: Child,
    _cleaning: Cleaning,
    pub(crate) place: Place,
    pub(crate) server: Server,
    pub(crate) vlans: u16,
    /// From the plan's sending until everything was made.
    pub(crate) made_in: Duration,
    _dir: TempDir,
    pin_dir: PathBuf,
}

struct Cleaning(KernelConfig);

/// Which session is that of the VLAN.
const fn nth(vlan: u16) -> u16 {
    vlan - FIRST_VLAN
}

pub(crate) fn router(vlan: u16) -> Ipv4Addr {
    feed::router(nth(vlan))
}

impl Router {
    /// Returns when every VLAN is as its plan says.
    pub(crate) async fn start(directlink: &Path, vlans: u16, prefixes_max: u32) -> Self {
        let place = Place::new("o");
        place.ip(
            "r",
            &format!(
                "link set lo up\nlink add p0 type veth peer name cable netns {}\n\
                 link add uplink0 type veth peer name fabric netns {}\n\
                 addr add 192.0.2.1/24 dev uplink0\nlink set p0 up\nlink set uplink0 up\n",
                place.netns("c"),
                place.netns("h"),
            ),
        );
        place.ip("h", "addr add 192.0.2.2/24 dev fabric\nlink set fabric up\n");
        // Frames that a program redirects reach those alone who poll.
        place.within("h", || {
            offload::finish_frames("fabric").unwrap();
            offload::poll("fabric").unwrap();
        });
        // What thousands of customers have in one namespace would be looked through for each packet of one.
        place.within("c", || {
            run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        });
        plug(&place, vlans);
        let dir = TempDir::new().unwrap();
        let authority = Authority::new();
        authority.write_identity(dir.path());
        let mut server = Server::start(authority).await;
        // Thousands of namespaces, of which the kernel makes so many a second as it likes.
        server.patience = Duration::from_secs(600);
        let pin_dir = PathBuf::from(format!("/run/{}", place.name));
        let kernel = KernelConfig {
            netns: Some(format!("/run/netns/{}", place.netns("r")).into()),
            netns_prefix: format!("{}-", place.name),
            pin_dir: pin_dir.clone(),
            uplink: "uplink0".into(),
        };
        let agent = Command::new(directlink)
            .args(["agent", "--router", "par1-r1", "--server", &url(server.address)])
            .arg("--identity")
            .arg(dir.path())
            .arg("--state")
            .arg(dir.path().join("state"))
            .args(["--netns", &place.netns("r"), "--netns-prefix", &kernel.netns_prefix])
            .arg("--pins")
            .arg(&pin_dir)
            .args(["--prefixes-max", &prefixes_max.to_string(), "--log", "error"])
            .spawn()
            .unwrap();
        server.hello().await;
        let began = Instant::now();
        server.send("port/p0", 1, &plan(vlans, None));
        server.ack("port/p0", 1).await;
        let made_in = began.elapsed();
        let cleaning = Cleaning(kernel);
        Self { agent, _cleaning: cleaning, place, server, vlans, made_in, _dir: dir, pin_dir }
    }

    /// How long it takes until the MTU of one VLAN is another, beside all the others of its port.
    pub(crate) async fn change(&mut self, generation: u64, vlan: u16) -> Duration {
        let plan = plan(self.vlans, Some(vlan));
        let began = Instant::now();
        self.server.send("port/p0", generation, &plan);
        self.server.ack("port/p0", generation).await;
        began.elapsed()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.agent.id()
    }

    pub(crate) fn customers(&self) -> Vec<Customer> {
        let customer = |vlan| Customer {
            link: Some(format!("v{vlan}")),
            own: feed::own(nth(vlan)),
            router: router(vlan),
        };
        vlans(self.vlans).map(customer).collect()
    }

    /// The rows of these prefixes as the packets find them.
    pub(crate) fn rows(&self) -> Rows {
        let mut pins = std::fs::read_dir(&self.pin_dir).unwrap().map(|entry| entry.unwrap().path());
        let tables = pins.find(|path| path.to_string_lossy().contains("tables-")).unwrap();
        let open = |name| Map::LpmTrie(MapData::from_pin(tables.join(name)).unwrap());
        Rows {
            routes: open("routes").try_into().unwrap(),
            sources: open("sources").try_into().unwrap(),
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        drop(self.agent.kill());
        drop(self.agent.wait());
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        if let Err(error) = clean(&self.0) {
            eprintln!("not cleaned up: {error}");
        }
    }
}

/// The tables `routes` and `sources`, beside the agent that writes them.
pub(crate) struct Rows {
    routes: LpmTrie<MapData, [u8; 8], [u8; 20]>,
    sources: LpmTrie<MapData, [u8; 8], [u8; 4]>,
}

impl Rows {
    /// Whether the n-th prefix of the Net of this VLAN has its way.
    pub(crate) fn leads(&self, vlan: u16, n: u32) -> bool {
        let found = self.routes.get(&key(vni(vlan).as_u32(), n), 0);
        // Longest match: another row would do as an answer. There are only /24 and hosts.
        found.is_ok_and(|row| row[0] > 0)
    }

    pub(crate) fn admits(&self, number: u32, n: u32) -> bool {
        self.sources.get(&key(number, n), 0).is_ok()
    }

    /// One row in so many: by its number among all. Begins with the first that was missing before.
    pub(crate) fn are_there(&self, from: &mut u64, step: u64, vlans: u16, prefixes: u32) -> bool {
        let all = u64::from(vlans) * u64::from(prefixes);
        while *from < all {
            let nth = u16::try_from(*from / u64::from(prefixes)).unwrap();
            let (vlan, number) = (FIRST_VLAN + nth, 1 + u32::from(nth));
            let n = u32::try_from(*from % u64::from(prefixes)).unwrap();
            if !self.leads(vlan, n) || !self.admits(number, n) {
                return false;
            }
            *from += step;
        }
        true
    }
}

fn key(scope: u32, n: u32) -> Key<[u8; 8]> {
    let [a, b, c, d] = scope.to_be_bytes();
    let [e, f, g, h] = prefix(n).octets();
    Key::new(32 + 24, [a, b, c, d, e, f, g, h])
}

pub(crate) fn interface_id(vlan: u16) -> InterfaceId {
    InterfaceId::from_bits(0x1000_0000 + u32::from(vlan))
}

pub(crate) fn vni(vlan: u16) -> Vni {
    (10_000 + u32::from(vlan)).try_into().unwrap()
}

/// 1 is nobody's (`Vlan`).
pub(crate) const FIRST_VLAN: u16 = 2;

/// So many.
fn vlans(count: u16) -> std::ops::Range<u16> {
    FIRST_VLAN..FIRST_VLAN + count
}

/// `narrow`: the VLAN whose MTU is smaller.
fn plan(count: u16, narrow: Option<u16>) -> Document {
    let interface = |vlan: u16| InterfacePlan {
        vlan: vlan.try_into().unwrap(),
        mtu: if narrow == Some(vlan) { 1400_i64 } else { 1500 }.try_into().unwrap(),
        peer: PeerAddresses::new(
            format!("{}/30", router(vlan)).parse().unwrap(),
            format!("{}/30", feed::own(nth(vlan))).parse().unwrap(),
        )
        .unwrap(),
        router_asn: u32::from(ROUTER_ASN).try_into().unwrap(),
        customer_asn: u32::from(CUSTOMER_ASN).try_into().unwrap(),
        bgp_identifier: [10, 255, 0, 1].into(),
        key: None,
        net: Some(NetRef {
            id: NetId::from_bits(u32::from(vlan)),
            vni: vni(vlan),
            advertised: vec!["10.1.0.0/16".parse().unwrap()],
        }),
        shutdown: None,
        bits_per_second: None,
        drain: None,
        peer_id: None,
        further_peers: [].into(),
    };
    Document::Port(PortPlan {
        connection: Some(ConnectionPlan {
            id: "dxcon-00000001".parse().unwrap(),
            bits_per_second: 100_000_000_000,
        }),
        lag: None,
        interfaces: vlans(count).map(|vlan| (interface_id(vlan), interface(vlan))).collect(),
    })
}

/// The Net of a VLAN, with one NIC, which admits everything.
pub(crate) fn net_plan(vlan: u16) -> Document {
    let all = vec![Permission { protocol: Protocol::Any, range: "0.0.0.0/0".parse().unwrap() }];
    let nic = NicPlan {
        mac: Mac([2, 0, 0, 0, 0, 5]),
        vtep: [192, 0, 2, 2].into(),
        ipv6: None,
        inbound: all.clone(),
        outbound: all,
    };
    Document::Net(Some(NetPlan {
        vni: vni(vlan),
        range: "10.1.0.0/16".parse().unwrap(),
        subnets: [("10.1.0.0/24".parse().unwrap(), [10, 1, 0, 1].into())].into(),
        ipv6_subnets: [].into(),
        nics: [([10, 1, 0, 5].into(), nic)].into(),
        routes: [].into(),
        routers: [].into(),
        elsewhere: [].into(),
        preferred: [].into(),
        ipv6_elsewhere: [].into(),
        ipv6_preferred: [].into(),
    }))
}

/// The customers' VLANs, each as a link without tag. A kernel's thread of its own receives there: else whoever sends
/// would do the receiving in the same breath, and the customers' share would count as the router's.
fn plug(place: &Place, count: u16) {
    let mut links = String::from("link set lo up\nlink set cable up\n");
    for vlan in vlans(count) {
        writeln!(links, "link add v{vlan} type veth peer name t{vlan}").unwrap();
        writeln!(links, "addr add {}/30 dev v{vlan}", feed::own(nth(vlan))).unwrap();
        writeln!(links, "link set v{vlan} up\nlink set t{vlan} up").unwrap();
    }
    place.ip("c", &links);
    place.within("c", move || {
        run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        let index = |name: &str| nix::net::if_::if_nametoindex(name).unwrap();
        let mut cable = Cable::new().unwrap();
        for vlan in vlans(count) {
            let inner = index(&format!("t{vlan}"));
            cable.attach(index("cable"), vlan.try_into().unwrap(), inner).unwrap();
        }
    });
    let by_itself = "echo 1 > /sys/class/net/cable/threaded";
    let shell = ["netns", "exec", &place.netns("c"), "sh", "-c", by_itself];
    assert!(Command::new("ip").args(shell).status().unwrap().success(), "{by_itself}");
}
