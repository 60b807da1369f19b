//! Packets per second: our road into a Net against the kernel's own routing, in one run.
//!
//! ```text
//! BPF_PROG_TEST_RUN, live frames ─► veth ═► the road under test ─► veth ═► count and drop
//!
//!  wire           nothing between                      what generator and veth cost alone
//!  directlink     VLAN, source check, security group, route, TTL, VXLAN     (this crate)
//!  directlink back   VXLAN, NIC check, security group, route, TTL, VLAN     (this crate)
//!  kernel plain   route, TTL                                               (ip_forward)
//!  kernel vxlan   route, TTL, VXLAN                       (ip_forward, the vxlan device)
//!  kernel whole   security group, route, TTL, VXLAN  (and nftables with connection tracking)
//! ```
//! Frames of 1,024 UDP flows, of 64 bytes in IPv4 and of 72 in IPv6, on one processor: generator, road
//! and drop share it.
//! Rounds take a second, of which a run's beginning and end are 20 ms, and are interleaved; medians are
//! printed, of the Mpps and of each round's ratio, as other load comes and goes.
//!
//! `cargo bench -p directlink-dataplane --bench forwarding` as root; with `-- NAME`, only the
//! roads with that in their name (for a profiler), or one part: `-- roads` the above, `-- flood` what a flood costs
//! (`flood/`), `-- matrix` how the speed changes from a small router to a full one (`matrix/`),
//! `-- latency` a question and its answer (`latency/`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../tests/traffic/topology.rs"]
#[allow(dead_code)]
mod topology;

#[path = "flood/mod.rs"]
mod flood;
#[path = "latency/mod.rs"]
mod latency;
#[path = "matrix/mod.rs"]
mod matrix;
#[path = "../tests/traffic/flood.rs"]
mod traffic_flood;

use aya::{
    Ebpf,
    maps::{Array, PerCpuArray},
    programs::{
        SchedClassifier, TcAttachType, TestRun as _, TestRunOptions, Xdp, XdpMode,
        tc::{self, NlOptions, TcAttachOptions},
    },
};
use directlink_dataplane::{Protocol, Rate, offload};
use directlink_net::Mac;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{net::Ipv6Addr, time::Instant};
use topology::{GATEWAY_MAC, NUMBER, Namespace, Region, Tags, WAY6, rule};
use traffic_flood::{GENERATOR, Template};

const ROUNDS: usize = 15;
/// Of a round, by what the first gave. Shorter ones measured how long a run takes to begin.
const SECONDS: f64 = 1.0;
const FIRST_PACKETS: u32 = 300_000;
/// So many flows must be under way before they are measured.
const MANY_FLOWS: u32 = 15_000;
const TRIES: usize = 10;
/// What VXLAN over IPv4 and Ethernet adds.
const TUNNEL_BYTES: usize = 14 + 20 + 8 + 8;
const CUSTOMER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];
const NIC_MAC: &str = "02:00:00:00:02:02";
const TARGET: f64 = 3.0;
/// Every connection has a bandwidth; this one is not reached.
const BANDWIDTH: Rate = Rate::new(100_000_000_000).unwrap();

/// How large a router is, and how many flows go through it.
#[derive(Clone, Copy)]
struct Setup {
    name: &'static str,
    interfaces: u16,
    /// Of each interface.
    prefixes: u16,
    rules: u16,
    flows: u32,
}

impl Setup {
    const USUAL: Self = Self { name: "usual", interfaces: 1, prefixes: 1, rules: 1, flows: 1024 };
}

/// Of the packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    /// Of a frame before it is in a tunnel: `FRAME_BYTES` and `FRAME6_BYTES` of generator.bpf.c.
    const fn frame_bytes(self) -> usize {
        match self {
            Self::Ipv4 => 64,
            Self::Ipv6 => 72,
        }
    }

    /// The generator's program for such frames.
    const fn generator(self, is_tunnelled: bool) -> &'static str {
        match (self, is_tunnelled) {
            (Self::Ipv4, false) => "generate",
            (Self::Ipv4, true) => "generate_tunnelled",
            (Self::Ipv6, false) => "generate6",
            (Self::Ipv6, true) => "generate6_tunnelled",
        }
    }
}

/// Something that frames go through, from `source` to a sink of its own.
struct Road {
    name: &'static str,
    does: &'static str,
    bpf: Ebpf,
    /// The program that makes the frames, and how long they are.
    generator: (&'static str, usize),
    flows: u32,
    /// Of a round.
    packets: u32,
    mpps: Vec<f64>,
    /// Where the generator runs.
    source: Namespace,
    /// What must live as long as the road.
    _rest: Vec<Namespace>,
}

fn main() {
    // `cargo test --benches` and the like call this with other arguments: nothing to do then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    pin_to_one_processor();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    match only.as_deref() {
        Some("roads") => measure_roads(|_| true),
        Some("flood") => measure_flood(),
        Some("matrix") => matrix::measure(),
        Some("latency") => latency::measure(),
        Some(name) => measure_roads(|road| road.name.contains(name)),
        None => {
            measure_roads(|_| true);
            matrix::measure();
            latency::measure();
            measure_flood();
        }
    }
}

fn measure_flood() {
    let (mut directlink, mut region) = directlink(Family::Ipv4);
    flood::measure(&mut directlink, &mut region);
}

fn measure_roads(is_wanted: impl Fn(&Road) -> bool) {
    for family in [Family::Ipv4, Family::Ipv6] {
        let (directlink, _region) = directlink(family);
        let (back, _other_region) = directlink_back(family);
        let mut roads = vec![wire(family), directlink, back];
        let jobs = [Kernel::Plain, Kernel::Vxlan, Kernel::Whole];
        roads.extend(jobs.map(|job| kernel(family, job, &Setup::USUAL)));
        roads.retain(&is_wanted);
        measure_rounds(&mut roads, ROUNDS);
        report(family, &roads);
    }
}

/// Interleaved, after one of each to warm up.
fn measure_rounds(roads: &mut [Road], rounds: usize) {
    roads.iter_mut().for_each(Road::warm_up);
    for _ in 0..rounds {
        roads.iter_mut().for_each(Road::round);
    }
}

fn report(family: Family, roads: &[Road]) {
    let (name, bytes) = (family.name(), family.frame_bytes());
    println!(
        "{name}: frames of {bytes} bytes, 1,024 flows, one processor, median of {ROUNDS} rounds"
    );
    for road in roads {
        let [low, median, high] = [0, 50, 100].map(|p| percentile(&road.mpps, p));
        println!("{:<16}{median:>5.2} Mpps  ({low:.2} to {high:.2})  {}", road.name, road.does);
    }
    let [_, there, back, kernels @ ..] = roads else { return };
    // The kernel's VXLAN roads go into the tunnel: only plain routing has no direction.
    let into_tunnel = kernels.iter().map(|kernel| (there, kernel));
    let out_of_it = kernels.first().map(|plain| (back, plain));
    for (ours, kernel) in into_tunnel.chain(out_of_it) {
        let ratios: Vec<_> = ours.mpps.iter().zip(&kernel.mpps).map(|(a, b)| a / b).collect();
        let ratio = percentile(&ratios, 50);
        let word = if ratio >= TARGET { "reached" } else { "missed" };
        let Road { name, .. } = ours;
        println!("{name:<14} / {:<12}{ratio:>5.1}×  (target {TARGET}×: {word})", kernel.name);
    }
}

fn percentile(rounds: &[f64], percent: usize) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * percent / 100]
}

impl Road {
    /// The generator redirects into `link`, a veth end of the namespace `source`.
    fn new(
        (name, does): (&'static str, &'static str),
        family: Family,
        (source, link): (Namespace, &str),
        frame: &[u8],
        setup: &Setup,
    ) -> Self {
        let mut bpf = Ebpf::load(GENERATOR).unwrap();
        let generate = family.generator(frame.len() > family.frame_bytes());
        for program in [generate, "sink_frame"] {
            let program: &mut Xdp = bpf.program_mut(program).unwrap().try_into().unwrap();
            program.load().unwrap();
        }
        let ifindex = source.ifindex(link);
        let mut templates = Array::try_from(bpf.map_mut("templates").unwrap()).unwrap();
        let Setup { flows, interfaces, .. } = *setup;
        let template = Template::with(frame, ifindex, flows, interfaces.into());
        templates.set(0, template, 0).unwrap();
        let generator = (generate, frame.len());
        let (packets, mpps, _rest) = (FIRST_PACKETS, vec![], vec![]);
        Self { name, does, bpf, generator, flows, packets, mpps, source, _rest }
    }

    /// Drops what XDP sends out at `link` of `namespace`.
    fn sink_frames(&mut self, namespace: &Namespace, link: &str) {
        let program: &mut Xdp = self.bpf.program_mut("sink_frame").unwrap().try_into().unwrap();
        let ifindex = namespace.ifindex(link);
        namespace.enter(|| program.attach_to_if_index(ifindex, XdpMode::Driver)).unwrap();
    }

    /// Drops what the kernel's stack sends out at `link` of `namespace`.
    fn sink_packets(&mut self, namespace: &Namespace, link: &str) {
        let program: &mut SchedClassifier =
            self.bpf.program_mut("sink_packet").unwrap().try_into().unwrap();
        program.load().unwrap();
        namespace.enter(|| {
            tc::qdisc_add_clsact(link).unwrap();
            let options = TcAttachOptions::Netlink(NlOptions::default());
            program.attach_with_options(link, TcAttachType::Ingress, options).unwrap();
        });
    }

    fn warm_up(&mut self) {
        self.round();
        let mpps = self.mpps.drain(..).next_back().unwrap();
        self.packets = (mpps * 1e6 * SECONDS) as u32;
    }

    /// A round in which others held the processor, so that many frames found a full queue, says
    /// nothing about the road: it is run again.
    fn round(&mut self) {
        let mpps = (0..TRIES).find_map(|_| self.run());
        self.mpps
            .push(mpps.unwrap_or_else(|| panic!("{}: a quarter of the frames is lost", self.name)));
    }

    fn run(&mut self) -> Option<f64> {
        // One of each flow, as every road keeps something of flows that are under way.
        if self.flows > MANY_FLOWS {
            self.send(self.flows);
        }
        let before = arrived(&self.bpf);
        let seconds = self.send(self.packets);
        let packets = arrived(&self.bpf) - before;
        let is_whole = packets > u64::from(self.packets) / 4 * 3;
        is_whole.then(|| packets as f64 / seconds / 1e6)
    }

    fn send(&self, packets: u32) -> f64 {
        let (generate, bytes) = self.generator;
        let program: &Xdp = self.bpf.program(generate).unwrap().try_into().unwrap();
        self.source.enter(|| {
            let start = Instant::now();
            program
                .test_run(TestRunOptions {
                    data_in: Some(&vec![0; bytes]),
                    repeat: packets,
                    attrs: aya::programs::TestRunAttrs::new().xdp_live_frames(64),
                    ..TestRunOptions::default()
                })
                .unwrap();
            start.elapsed().as_secs_f64()
        })
    }
}

fn wire(family: Family) -> Road {
    let [source, sink] = ["source", "sink"].map(Namespace::new);
    source.ip(&format!("link add g0 type veth peer name s0 netns {}", sink.name()));
    source.ip("link set g0 up");
    sink.ip("link set s0 up");
    let told = ("wire", "generator and drop alone");
    let frame = frame(family, None, ROUTER_MAC);
    let mut road = Road::new(told, family, (source, "g0"), &frame, &Setup::USUAL);
    road.sink_frames(&sink, "s0");
    road._rest = vec![sink];
    road
}

fn directlink(family: Family) -> (Road, Region) {
    let mut region = furnished(family);
    // So that the kernel has resolved the VTEP before h0 stops listening.
    region.router.output("ping -c 1 -W 1 10.9.0.2");
    let customer = std::mem::replace(&mut region.customer, Namespace::new("spare"));
    let told = ("directlink", "VLAN, source check, security group, route, TTL, VXLAN");
    let frame = frame(family, Some(100), ROUTER_MAC);
    let mut road = Road::new(told, family, (customer, "trunk0"), &frame, &Setup::USUAL);
    road.sink_frames(&region.host, "h0");
    // The sink answers no ARP: what was resolved stays.
    region.router.ip(&format!(
        "neigh replace 10.9.0.2 lladdr {} dev fab0 nud permanent",
        mac(&region.host, "h0")
    ));
    (road, region)
}

/// The other way: from a NIC onto the customer's VLAN.
fn directlink_back(family: Family) -> (Road, Region) {
    let mut region = furnished(family);
    let way = if family == Family::Ipv4 { NUMBER } else { WAY6 };
    region.dataplane.put_neighbour(way, Mac(CUSTOMER_MAC)).unwrap();
    let host = std::mem::replace(&mut region.host, Namespace::new("spare"));
    let told = ("directlink back", "VXLAN, NIC check, security group, route, TTL, VLAN");
    let frame = tunnelled(family);
    let mut road = Road::new(told, family, (host, "h0"), &frame, &Setup::USUAL);
    road.sink_frames(&region.customer, "trunk0");
    (road, region)
}

/// With one rule each way.
fn furnished(family: Family) -> Region {
    let mut region = Region::sized(Tags::Cable, matrix::FULL);
    if family == Family::Ipv6 {
        region.speak_ipv6();
    }
    let rules = || vec![rule(customer_prefix(family), Protocol::UDP, Some(53))];
    region.admit(1, rules(), rules());
    region.dataplane.put_port_rate(region.interface().port_ifindex, BANDWIDTH).unwrap();
    region
}

/// How much of our job the kernel does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Plain,
    Vxlan,
    Whole,
}

fn kernel(family: Family, job: Kernel, setup: &Setup) -> Road {
    let [source, router, sink] = ["source", "kernel", "sink"].map(Namespace::new);
    router.ip(&format!("link add k0 type veth peer name g0 netns {}", source.name()));
    router.ip(&format!("link add k1 mtu 1600 type veth peer name s0 netns {}", sink.name()));
    for (namespace, link) in [(&source, "g0"), (&router, "k0"), (&router, "k1"), (&sink, "s0")] {
        namespace.ip(&format!("link set {link} up"));
    }
    router.ip("addr add 203.0.113.1/30 dev k0");
    router.ip("addr add 10.9.0.1/24 dev k1");
    router.ip("addr add fd00:9::1/64 dev k1 nodad");
    router.ip("route add 192.0.2.0/24 via 203.0.113.2");
    for host in ["10.9.0.2", "fd00:9::2"] {
        router.ip(&format!("neigh add {host} lladdr {} dev k1 nud permanent", mac(&sink, "s0")));
    }
    if job != Kernel::Plain {
        router.ip("link add vx type vxlan id 7001 dstport 4789 local 10.9.0.1 nolearning");
        router.ip("link set vx up");
        router.ip("addr add 10.0.1.1/24 dev vx");
        router.ip("addr add fd00:10::1/64 dev vx nodad");
        for nic in ["10.0.1.10", "fd00:10::10"] {
            router.ip(&format!("neigh add {nic} lladdr {NIC_MAC} dev vx nud permanent"));
        }
        router.output(&format!("bridge fdb add {NIC_MAC} dev vx dst 10.9.0.2"));
    } else {
        router.ip("route add 10.0.1.0/24 via 10.9.0.2");
        router.ip("route add fd00:10::/64 via fd00:9::2");
    }
    for n in 1..setup.prefixes {
        router.ip(&format!("route add {} via 203.0.113.2", prefix(n)));
    }
    router.enter(|| {
        for family in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{family}"), "1").unwrap();
        }
        offload::poll("k0").unwrap();
    });
    let to = mac(&router, "k0").parse::<Mac>().unwrap().0;
    if job == Kernel::Whole {
        admit_with_nftables(&router, family, setup.rules);
    }
    let told = match job {
        Kernel::Plain => ("kernel plain", "ip_forward: route, TTL"),
        Kernel::Vxlan => ("kernel vxlan", "the same, and the vxlan device"),
        Kernel::Whole => ("kernel whole", "the same, and nftables with connection tracking"),
    };
    // The kernel has no VLAN devices here: one interface.
    let setup = Setup { interfaces: 1, ..*setup };
    let frame = frame(family, None, to);
    let mut road = Road::new(told, family, (source, "g0"), &frame, &setup);
    road.sink_packets(&sink, "s0");
    road._rest = vec![router, sink];
    road
}

/// The security group of our road, as the kernel's own filter has it: the last rule is the one. What it
/// admitted is marked, as conntrack calls no flow established that nobody answers.
fn admit_with_nftables(router: &Namespace, family: Family, rules: u16) {
    let table = if family == Family::Ipv4 { "ip" } else { "ip6" };
    let source = format!("{table} saddr {}", customer_prefix(family));
    let mut script = format!("table {table} group {{\n chain forward {{\n")
        + "  type filter hook forward priority 0; policy drop;\n  ct mark 1 accept\n";
    for port in others(rules) {
        script += &format!("  {source} tcp dport {port} accept\n");
    }
    script += &format!("  {source} udp dport 53 ct mark set 1 accept\n }}\n}}\n");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    router.output(&format!("nft -f {}", file.path().display()));
    assert!(router.output("nft list ruleset").contains("dport 53"), "nftables is needed");
    // The generator's frames have no checksum of UDP, without which conntrack knows no IPv6.
    let checks = "/proc/sys/net/netfilter/nf_conntrack_checksum";
    router.enter(|| std::fs::write(checks, "0")).unwrap();
}

/// Ports of rules that do not match, before the one that does.
fn others(rules: u16) -> impl Iterator<Item = u16> {
    1000..1000 + rules - 1
}

/// The n-th of a customer's prefixes; the 0th is that of its packets.
fn prefix(n: u16) -> String {
    match n {
        0 => "192.0.2.0/24".to_owned(),
        n => format!("172.{}.{}.0/24", 16 + n / 256, n % 256),
    }
}

const CUSTOMER: [u8; 4] = [192, 0, 2, 9];
const NIC: [u8; 4] = [10, 0, 1, 10];
const CUSTOMER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x192, 0, 0, 0, 0, 0, 9);
const NIC6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x10);
const VLAN_TYPE: [u8; 2] = [0x81, 0x00];

const fn customer_prefix(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "192.0.2.0/24",
        Family::Ipv6 => "fd00:192::/64",
    }
}

/// UDP from the customer to port 53 of the NIC, padded.
fn frame(family: Family, vlan: Option<u16>, to: [u8; 6]) -> Vec<u8> {
    let tag = vlan.map(|vlan| [VLAN_TYPE, vlan.to_be_bytes()].concat()).unwrap_or_default();
    let mut bytes = [&to, &CUSTOMER_MAC, &tag[..]].concat();
    let room = family.frame_bytes() - bytes.len() - 2;
    bytes.extend(match family {
        Family::Ipv4 => [vec![0x08, 0x00], udp([CUSTOMER, NIC], 53, room)].concat(),
        Family::Ipv6 => [vec![0x86, 0xdd], udp6([CUSTOMER6, NIC6], 53, room)].concat(),
    });
    bytes.resize(family.frame_bytes(), 0);
    bytes
}

/// UDP from the NIC to port 53 of the customer in such a frame, in VXLAN from the host.
fn tunnelled(family: Family) -> Vec<u8> {
    const HOSTS: [[u8; 4]; 2] = [[10, 9, 0, 2], [10, 9, 0, 1]];
    const VNI: [u8; 3] = [0, 0x1b, 0x59];
    let whole = TUNNEL_BYTES + family.frame_bytes();
    let room = family.frame_bytes() - 14;
    let mut bytes = [ROUTER_MAC, CUSTOMER_MAC].concat();
    bytes.extend([0x08, 0x00]);
    bytes.extend(udp(HOSTS, 4789, whole - 14));
    bytes.extend([0, 0, 0x08, 0, 0, 0, VNI[0], VNI[1], VNI[2], 0]);
    bytes.extend(GATEWAY_MAC.0);
    bytes.extend(NIC_MAC.parse::<Mac>().unwrap().0);
    bytes.extend(match family {
        Family::Ipv4 => [vec![0x08, 0x00], udp([NIC, CUSTOMER], 53, room)].concat(),
        Family::Ipv6 => [vec![0x86, 0xdd], udp6([NIC6, CUSTOMER6], 53, room)].concat(),
    });
    bytes.resize(whole, 0);
    bytes
}

/// The headers of IPv6 and UDP, up to the UDP length, of a packet of `length` bytes.
fn udp6([from, to]: [Ipv6Addr; 2], port: u16, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap() - 40;
    let mut bytes = [&[0x60, 0, 0, 0], &length.to_be_bytes()[..], &[17, 64]].concat();
    bytes.extend([from.octets(), to.octets()].concat());
    bytes.extend([0, 0]);
    bytes.extend(port.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes
}

/// The headers of IPv4 and UDP, up to the UDP length, of a packet of `length` bytes.
fn udp([from, to]: [[u8; 4]; 2], port: u16, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap();
    let mut bytes = vec![0x45, 0, 0, 0, 0, 7, 0, 0, 64, 17, 0, 0];
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes.extend([from, to].concat());
    let sum = bytes.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum::<u32>();
    let folded = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    bytes[10..12].copy_from_slice(&folded.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(port.to_be_bytes());
    bytes.extend((length - 20).to_be_bytes());
    bytes
}

fn arrived(bpf: &Ebpf) -> u64 {
    let counts = PerCpuArray::<_, u64>::try_from(bpf.map("arrived").unwrap()).unwrap();
    counts.get(&0, 0).unwrap().iter().sum()
}

fn mac(namespace: &Namespace, link: &str) -> String {
    let shown = namespace.output(&format!("ip -br link show {link}"));
    let found = shown.split_whitespace().find(|word| word.matches(':').count() == 5);
    found.unwrap_or_else(|| panic!("no MAC in {shown}")).to_owned()
}

fn pin_to_one_processor() {
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}
