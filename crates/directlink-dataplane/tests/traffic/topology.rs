//! A customer, a router, and a host, in network namespaces with real links.
//!
//! ```text
//! customer                      router                               host
//!  vlan100 ═ in100 ─ trunk0 ═══ port0 ── XDP ── fab0 ═══════════════ h0 (VTEP 10.9.0.2)
//!  203.0.113.2   (cable)          │ tc                                └ vx7001 10.0.1.10
//!  lo 192.0.2.1                 slow100 ═ eth0 (interface's namespace)
//!  vlan300 ═ in300 ┘                      203.0.113.1
//! ```
//! With IPv6 ([`Region::speak_ipv6`]) fd00:ffff::2 is the customer, fd00:ffff::1 the router, fd00:192::1 behind
//! the one and fd00:10::10 the NIC.

use directlink_dataplane::{
    Cable, Capacity, Dataplane, Interface, InterfaceNumber, Nic, Peer, Protocol, Route, Rule,
    RuleSet, RuleSetNumber, Source, Subnet, Uplink, Verdict, offload,
};
use directlink_net::{IpNet, Mac, Mtu, Vlan, Vni};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns},
};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};
use tempfile::TempDir;

pub(crate) const NUMBER: InterfaceNumber = InterfaceNumber::new(1).unwrap();
/// Of a second customer.
pub(crate) const ANOTHER: InterfaceNumber = InterfaceNumber::new(2).unwrap();
/// To the customer's router over IPv6.
pub(crate) const WAY6: InterfaceNumber = InterfaceNumber::new(3).unwrap();
pub(crate) const GATEWAY_MAC: Mac = Mac([2, 0, 0, 0, 2, 1]);
const ROUTER_MAC: Mac = Mac([2, 0, 0, 0, 1, 2]);
const NIC_MAC: Mac = Mac([2, 0, 0, 0, 2, 2]);
const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const SMALL: Capacity = Capacity {
    interfaces: 64,
    routes: 1024,
    nics: 64,
    rule_rows: 256,
    flows: 4096,
    flows_per_net: 4096,
};

/// A network namespace that ends with this value.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new(role: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dpt-{}-{number}-{role}", std::process::id());
        run("ip", &format!("netns add {name}"));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `inside` in it.
    pub(crate) fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                inside()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    pub(crate) fn ip(&self, line: &str) {
        run("ip", &format!("-n {} {line}", self.name));
    }

    /// A command's output, whatever its exit.
    pub(crate) fn output(&self, line: &str) -> String {
        let mut words = line.split(' ');
        let output = self.enter(|| Command::new(words.next().unwrap()).args(words).output());
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    }

    pub(crate) fn ifindex(&self, link: &str) -> u32 {
        self.enter(|| if_nametoindex(link)).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A second customer with the same addresses, VLAN 100 of a port of its own.
pub(crate) struct Another {
    pub(crate) customer: Namespace,
    pub(crate) instance: Namespace,
}

pub(crate) struct Region {
    pub(crate) dataplane: Dataplane,
    pub(crate) customer: Namespace,
    pub(crate) router: Namespace,
    pub(crate) host: Namespace,
    pub(crate) instance: Namespace,
    pins: TempDir,
    speaks_ipv6: bool,
}

/// How the customer's side of the fibre tells VLANs apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tags {
    /// By our cable: where the kernel has no 8021q.
    Cable,
    /// By the kernel's own VLAN devices.
    Devices,
    /// By those of a bond over two fibres, `trunk0` ═ `port0` and `trunk1` ═ `port1`.
    Bond,
}

impl Region {
    pub(crate) fn new() -> Self {
        Self::with(Tags::Cable)
    }

    pub(crate) fn with(tags: Tags) -> Self {
        Self::sized(tags, SMALL)
    }

    pub(crate) fn sized(tags: Tags, capacity: Capacity) -> Self {
        let [customer, router, host, instance] =
            ["customer", "router", "host", "interface"].map(Namespace::new);
        connect(&customer, &router, &host, &instance);
        let pins = TempDir::new().unwrap();
        let dataplane = router.enter(|| Dataplane::open_with(pins.path(), capacity).unwrap());
        let mut region =
            Self { dataplane, customer, router, host, instance, pins, speaks_ipv6: false };
        region.attach();
        region.furnish();
        match tags {
            Tags::Cable => region.set_up_cable(),
            Tags::Devices => region.set_up_devices("trunk0"),
            Tags::Bond => region.set_up_bond(),
        }
        region.set_up_customer();
        region.set_up_host();
        region
    }

    /// `trunk1` ═ `port1`, leading to a Net of its own.
    pub(crate) fn plug_another(&mut self) -> Another {
        let [customer, instance] = ["another", "interface2"].map(Namespace::new);
        let router = &self.router;
        router.ip(&format!("link add port1 type veth peer name trunk1 netns {}", customer.name()));
        router.ip(&format!("link add slow101 type veth peer name eth0 netns {}", instance.name()));
        for link in ["port1", "slow101"] {
            router.ip(&format!("link set {link} up"));
        }
        customer.ip("link set trunk1 up");
        address_instance(&instance);
        customer.ip("link add in100 type veth peer name vlan100");
        customer.ip("link set in100 up");
        customer.ip("link set vlan100 up");
        customer.ip("addr add 203.0.113.2/30 dev vlan100");
        let [trunk, inner] = ["trunk1", "in100"].map(|link| customer.ifindex(link));
        customer.enter(|| {
            Cable::new().unwrap().attach(trunk, Vlan::try_from(100i64).unwrap(), inner).unwrap();
        });
        let [port_ifindex, slow_ifindex] = ["port1", "slow101"].map(|link| router.ifindex(link));
        router.enter(|| {
            self.dataplane.attach_port(port_ifindex).unwrap();
            self.dataplane.attach_slow(slow_ifindex).unwrap();
        });
        let usual = self.interface();
        let peers = vec![Peer { way: ANOTHER, ..usual.peers[0] }];
        let vni = Vni::try_from(7002).unwrap();
        let interface =
            Interface { number: ANOTHER, port_ifindex, slow_ifindex, vni, peers, ..usual };
        self.dataplane.put_interface(&interface).unwrap();
        Another { customer, instance }
    }

    /// As a process does that has died and starts again.
    pub(crate) fn restart_agent(&mut self) {
        self.dataplane = Dataplane::open_with(self.pins.path(), SMALL).unwrap();
        self.attach();
    }

    pub(crate) fn interface(&self) -> Interface {
        let mut peers = vec![Peer {
            way: NUMBER,
            router: net("203.0.113.1/30"),
            customer: Ipv4Addr::new(203, 0, 113, 2).into(),
        }];
        if self.speaks_ipv6 {
            let customer = "fd00:ffff::2".parse().unwrap();
            peers.push(Peer { way: WAY6, router: net("fd00:ffff::1/125"), customer });
        }
        Interface {
            number: NUMBER,
            port_ifindex: self.router.ifindex("port0"),
            vlan: Vlan::try_from(100i64).unwrap(),
            vni: vni(),
            mtu: Mtu::MAX,
            slow_ifindex: self.router.ifindex("slow100"),
            peers,
            router_mac: ROUTER_MAC,
            forwards: true,
            rate: None,
        }
    }

    /// IPv6 beside IPv4 from now on, on both sides and in the router.
    pub(crate) fn speak_ipv6(&mut self) {
        self.speaks_ipv6 = true;
        let (interface, prefix) = (self.interface(), net("fd00:192::/64"));
        let dataplane = &mut self.dataplane;
        dataplane.put_interface(&interface).unwrap();
        dataplane.put_source(Source { interface: NUMBER, prefix }).unwrap();
        dataplane.put_route(&Route { vni: vni(), prefix, ways: vec![WAY6] }).unwrap();
        let (range, gateway) = (net("fd00:10::/64"), "fd00:10::1".parse().unwrap());
        dataplane.put_subnet(Subnet { vni: vni(), range, gateway }).unwrap();
        dataplane.put_nic(&nic6(None)).unwrap();
        self.instance.ip("addr add fd00:ffff::1/125 dev eth0 nodad");
        self.customer.ip("addr add fd00:ffff::2/125 dev vlan100 nodad");
        self.customer.ip("addr add fd00:192::1/128 dev lo nodad");
        self.customer.ip("route add fd00:10::/64 via fd00:ffff::1 src fd00:192::1");
        self.host.ip("addr add fd00:10::10/64 dev vx7001 nodad");
        self.host.ip("route add default via fd00:10::1");
    }

    /// The NIC's rules are these from now on.
    pub(crate) fn admit(&mut self, number: u32, inbound: Vec<Rule>, outbound: Vec<Rule>) {
        let number = RuleSetNumber::new(number).unwrap();
        self.dataplane
            .put_rule_set(number, &RuleSet { inbound, outbound, ..RuleSet::default() })
            .unwrap();
        self.dataplane.put_nic(&nic(Some(number))).unwrap();
        if self.speaks_ipv6 {
            self.dataplane.put_nic(&nic6(Some(number))).unwrap();
        }
    }

    pub(crate) fn count(&self, verdict: Verdict) -> u64 {
        self.dataplane.tallies().unwrap().of(verdict).packets
    }

    fn attach(&mut self) {
        let Self { dataplane, router, .. } = self;
        let [port, fabric, slow] = ["port0", "fab0", "slow100"].map(|link| router.ifindex(link));
        let vtep = Ipv4Addr::new(10, 9, 0, 1);
        router.enter(|| {
            dataplane.attach_port(port).unwrap();
            dataplane
                .attach_fabric(&Uplink { ifindex: fabric, vtep, gateway_mac: GATEWAY_MAC })
                .unwrap();
            dataplane.attach_slow(slow).unwrap();
        });
    }

    fn furnish(&mut self) {
        let interface = self.interface();
        let dataplane = &mut self.dataplane;
        dataplane.put_interface(&interface).unwrap();
        let prefix = net("192.0.2.0/24");
        dataplane.put_source(Source { interface: NUMBER, prefix }).unwrap();
        for prefix in [prefix, net("203.0.113.0/30")] {
            dataplane.put_route(&Route { vni: vni(), prefix, ways: vec![NUMBER] }).unwrap();
        }
        let gateway = Ipv4Addr::new(10, 0, 1, 1).into();
        dataplane.put_net(vni()).unwrap();
        dataplane.put_subnet(Subnet { vni: vni(), range: net("10.0.1.0/24"), gateway }).unwrap();
        dataplane.put_nic(&nic(None)).unwrap();
        self.router.ip("neigh add 10.9.0.2 dev fab0 managed");
    }

    fn set_up_devices(&self, trunk: &str) {
        let customer = &self.customer;
        customer.enter(|| {
            offload::finish_frames("trunk0").unwrap();
            offload::poll("trunk0").unwrap();
        });
        for vlan in [100, 300] {
            customer.ip(&format!("link add link {trunk} name vlan{vlan} type vlan id {vlan}"));
            customer.ip(&format!("link set vlan{vlan} up"));
        }
    }

    fn set_up_bond(&mut self) {
        self.plug_second();
        let customer = &self.customer;
        let bond = "mode 802.3ad miimon 20 lacp_rate fast xmit_hash_policy layer3+4";
        customer.ip(&format!("link add bond0 type bond {bond}"));
        for trunk in ["trunk0", "trunk1"] {
            // A fibre has the tag in the frame.
            customer.enter(|| offload::finish_frames(trunk)).unwrap();
            customer.ip(&format!("link set {trunk} down"));
            customer.ip(&format!("link set {trunk} master bond0"));
        }
        customer.ip("link set bond0 up");
        self.set_up_devices("bond0");
    }

    /// `trunk1` ═ `port1`, of the same customer.
    pub(crate) fn plug_second(&mut self) {
        let Self { router, customer, dataplane, .. } = self;
        router.ip(&format!("link add port1 type veth peer name trunk1 netns {}", customer.name()));
        router.ip("link set port1 up");
        customer.ip("link set trunk1 up");
        customer.enter(|| offload::poll("trunk1")).unwrap();
        let port = router.ifindex("port1");
        router.enter(|| dataplane.attach_port(port)).unwrap();
    }

    fn set_up_cable(&self) {
        let customer = &self.customer;
        for vlan in [100, 300] {
            customer.ip(&format!("link add in{vlan} type veth peer name vlan{vlan}"));
            customer.ip(&format!("link set in{vlan} up"));
            customer.ip(&format!("link set vlan{vlan} up"));
        }
        let [trunk, in100, in300] = ["trunk0", "in100", "in300"].map(|l| customer.ifindex(l));
        customer.enter(|| {
            let mut cable = Cable::new().unwrap();
            cable.attach(trunk, Vlan::try_from(100i64).unwrap(), in100).unwrap();
            cable.attach(trunk, Vlan::try_from(300i64).unwrap(), in300).unwrap();
        });
    }

    fn set_up_customer(&self) {
        let customer = &self.customer;
        customer.ip("addr add 203.0.113.2/30 dev vlan100");
        customer.ip("addr add 192.0.2.1/32 dev lo");
        customer.ip("route add 10.0.0.0/8 via 203.0.113.1 src 192.0.2.1");
        customer.ip("addr add 198.51.100.2/30 dev vlan300");
    }

    fn set_up_host(&self) {
        let host = &self.host;
        host.ip(&format!(
            "link add vx7001 address {NIC_MAC} mtu 1500 type vxlan id 7001 dstport 4789 \
             local 10.9.0.2 nolearning"
        ));
        host.ip("link set vx7001 up");
        host.ip("addr add 10.0.1.10/24 dev vx7001");
        host.ip("route add default via 10.0.1.1");
        // Whoever is not known is asked for at the router; so is the gateway reached.
        for mac in ["00:00:00:00:00:00".to_owned(), GATEWAY_MAC.to_string()] {
            host.output(&format!("bridge fdb append {mac} dev vx7001 dst 10.9.0.1"));
        }
        host.enter(|| {
            offload::finish_frames("h0").unwrap();
            offload::poll("h0").unwrap();
        });
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = Dataplane::unpin(self.pins.path());
    }
}

/// The cables between them.
fn connect(customer: &Namespace, router: &Namespace, host: &Namespace, instance: &Namespace) {
    router.ip(&format!("link add port0 type veth peer name trunk0 netns {}", customer.name()));
    router.ip(&format!("link add fab0 mtu 1600 type veth peer name h0 netns {}", host.name()));
    router.ip(&format!("link add slow100 type veth peer name eth0 netns {}", instance.name()));
    for (namespace, link) in
        [(router, "port0"), (router, "fab0"), (router, "slow100"), (customer, "trunk0")]
    {
        namespace.ip(&format!("link set {link} up"));
    }
    host.ip("link set h0 mtu 1600 up");
    host.ip("addr add 10.9.0.2/24 dev h0");
    router.ip("addr add 10.9.0.1/24 dev fab0");
    address_instance(instance);
}

fn address_instance(instance: &Namespace) {
    instance.ip(&format!("link set eth0 address {ROUTER_MAC} up"));
    instance.ip("addr add 203.0.113.1/30 dev eth0");
}

/// Listens in `server`, connects from `client`, sends a megabyte there and back.
pub(crate) fn echoes_a_megabyte(server: &Namespace, client: &Namespace, to: &str) -> bool {
    let address: SocketAddr = to.parse().unwrap();
    let listener = server.enter(|| TcpListener::bind(address)).unwrap();
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let connected = client.enter(|| TcpStream::connect_timeout(&address, PATIENCE));
    let Ok(mut stream) = connected else { return false };
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            let _ = stream.write_all(&received);
        });
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received == sent
    })
}

pub(crate) fn rule(range: &str, protocol: Protocol, port: Option<u16>) -> Rule {
    Rule { range: net(range), protocol, ports: port.map(|port| port..=port) }
}

pub(crate) fn nic(rule_set: Option<RuleSetNumber>) -> Nic {
    Nic {
        vni: vni(),
        address: Ipv4Addr::new(10, 0, 1, 10).into(),
        mac: NIC_MAC,
        vtep: Ipv4Addr::new(10, 9, 0, 2),
        rule_set,
    }
}

fn nic6(rule_set: Option<RuleSetNumber>) -> Nic {
    Nic { address: "fd00:10::10".parse().unwrap(), ..nic(rule_set) }
}

fn vni() -> Vni {
    Vni::try_from(7001).unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn run(program: &str, line: &str) {
    let status = Command::new(program).args(line.split_whitespace()).status().unwrap();
    assert!(status.success(), "{program} {line}");
}
