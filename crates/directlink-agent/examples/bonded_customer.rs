//! A customer who bundles two fibres with Linux's own LACP (bonding, 802.3ad, fast): who is the partner, which ports
//! are used, that traffic goes over all of them both ways, and that neither a change nor a dead agent is a fault to
//! the other end.
//!
//! ```text
//!   vlan100 ─ bond0 ═╦═ trunk0 ══ port0 ═╦═ LACP, and the packet programs ── fab0 ══ host
//!                    ╚═ trunk1 ══ port1 ═╝
//! ```
//!
//! Not among the tests because it takes a kernel with the `bonding` and `8021q` modules: `make kernel-test` runs it
//! on Debian 12's. It ends with a line that says what became of the frames, and by panic if anything is not as it
//! should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../../directlink-dataplane/tests/traffic/topology.rs"]
#[allow(dead_code)]
mod topology;

use directlink_agent::bundles::{Bundles, Member};
use directlink_bgp::lacp::{Information, Role, States, Status};
use directlink_dataplane::{Protocol, Verdict};
use directlink_model::ids::PortName;
use std::{
    collections::BTreeMap,
    fs,
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use topology::{Namespace, Region, Tags, rule};

const SYSTEM: [u8; 6] = [0x06, 0x45, 0, 0, 0, 7];
const PORTS: [&str; 2] = ["port0", "port1"];
const FLOWS: u16 = 64;
/// Collecting and distributing.
const IN_USE: u8 = 0x30;

struct Place {
    region: Region,
    said: Arc<Mutex<BTreeMap<PortName, Status>>>,
}

/// Which ports are to carry.
const FIRST: [bool; 2] = [true, false];
const SECOND: [bool; 2] = [false, true];
const BOTH: [bool; 2] = [true, true];
const NONE: [bool; 2] = [false, false];

fn main() {
    let mut place = Place::new();
    let bundles = place.agent();
    bundles.set(members(FIRST, BOTH));
    place.await_use(FIRST);
    let seen = place.bond();
    assert!(seen.contains("Partner Mac Address: 06:45:00:00:00:07"), "{seen}");
    assert!(seen.contains("Number of ports: 2"), "both are of one bundle: {seen}");
    let partner = place.status(1).partner.expect("the one that stands by knows its partner too");
    assert_eq!(place.status(0).partner.unwrap().system, partner.system);
    assert!(place.status(0).is_in_use && !place.status(1).is_in_use);
    place.await_ready(1);
    place.carries_by(FIRST);

    bundles.set(members(BOTH, BOTH));
    place.await_use(BOTH);
    place.carries_by(BOTH);

    // A cable is pulled; one that is plugged again is in the bond's bundle some seconds later.
    place.region.router.ip("link set port1 down");
    bundles.set(members(FIRST, FIRST));
    place.await_use(FIRST);
    place.carries_by(FIRST);
    place.region.router.ip("link set port1 up");
    bundles.set(members(FIRST, BOTH));
    place.await_ready(1);
    bundles.set(members(SECOND, BOTH));
    place.await_use(SECOND);
    // The interface itself is still on the first.
    place.carries_by(SECOND);
    bundles.set(members(BOTH, BOTH));
    place.await_use(BOTH);

    // The agent is gone for longer than the customer's three seconds, and comes back.
    let answered = place.count(Verdict::LacpAnswered);
    drop(bundles);
    place.stays_in_use(Duration::from_secs(9));
    assert!(place.count(Verdict::LacpAnswered) >= answered + 10, "somebody spoke for it");
    place.carries_by(BOTH);
    let bundles = place.agent();
    bundles.set(members(BOTH, BOTH));
    place.stays_in_use(Duration::from_secs(6));
    assert!(place.status(0).is_in_use && place.status(1).is_in_use, "{:?}", place.said);
    place.carries_by(BOTH);

    // A LAG with too few links is not used.
    bundles.set(members(NONE, BOTH));
    place.await_use(NONE);
    bundles.set(members(FIRST, BOTH));
    place.await_use(FIRST);

    // And a port that is in no LAG any more says nothing.
    bundles.set(BTreeMap::new());
    place.await_use(NONE);
    println!("passed: a bond of two, {}", place.counts());
}

fn members(carry: [bool; 2], lights: [bool; 2]) -> BTreeMap<PortName, Member> {
    let ports = PORTS.map(name);
    let member = |n: usize| {
        let actor = Information {
            system_priority: 0x8000,
            system: SYSTEM,
            key: 1,
            port_priority: 0x8000,
            port: u16::try_from(n + 1).unwrap(),
            states: States::default(),
        };
        let role = if carry[n] { Role::Carries } else { Role::StandsBy };
        let ports = ports.clone().into();
        (name(PORTS[n]), Member { actor, role, light: lights[n], ports })
    };
    [0, 1].map(member).into()
}

fn name(port: &str) -> PortName {
    port.parse().unwrap()
}

impl Place {
    fn new() -> Self {
        let mut region = Region::with(Tags::Bond);
        let all = || vec![rule("0.0.0.0/0", Protocol::Any, None)];
        region.admit(1, all(), all());
        Self { region, said: Arc::default() }
    }

    /// As a new process has it, which knows what is pinned and no more.
    fn agent(&self) -> Bundles {
        let table = self.region.dataplane.bundled_ports().unwrap();
        let said = Arc::clone(&self.said);
        said.lock().unwrap().clear();
        let told = move |port: &PortName, status: Status| {
            said.lock().unwrap().insert(port.clone(), status);
        };
        self.region.router.enter(|| Bundles::start(table, told)).unwrap()
    }

    fn status(&self, n: usize) -> Status {
        self.said.lock().unwrap()[&name(PORTS[n])]
    }

    fn bond(&self) -> String {
        self.region
            .customer
            .enter(|| fs::read_to_string("/proc/thread-self/net/bonding/bond0"))
            .expect("the bond's state")
    }

    /// Whether the bond collects from each and distributes to it.
    fn in_use(&self) -> [bool; 2] {
        let bond = self.bond();
        let slaves: Vec<&str> = bond.split("Slave Interface: ").skip(1).collect();
        [0, 1].map(|n| {
            let slave =
                slaves.iter().find(|it| it.starts_with(&format!("trunk{n}"))).expect("a slave");
            let actor = slave.split("details actor lacp pdu:").nth(1).unwrap_or_default();
            let state = actor.split("port state: ").nth(1).unwrap_or_default();
            let state = state.split_whitespace().next().unwrap_or_default();
            state.parse::<u8>().unwrap_or_default() & IN_USE == IN_USE
        })
    }

    fn await_use(&self, wanted: [bool; 2]) {
        let begun = Instant::now();
        while self.in_use() != wanted {
            let in_time = begun.elapsed() < Duration::from_secs(30);
            assert!(in_time, "{wanted:?}: {}\n{}\n{:?}", self.bond(), self.counts(), self.said);
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{wanted:?} after {:?}", begun.elapsed());
    }

    fn await_ready(&self, n: usize) {
        let (port, begun) = (PORTS[n], Instant::now());
        while !self.status(n).is_ready {
            assert!(begun.elapsed() < Duration::from_secs(30), "{port}: {}", self.bond());
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{port} is ready after {:?}", begun.elapsed());
    }

    fn stays_in_use(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            assert_eq!(self.in_use(), BOTH, "after {:?}", begun.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Flows of both sides reach the other, by these ports and no others.
    fn carries_by(&mut self, ports: [bool; 2]) {
        // As the agent does that is told of another use.
        let vni = self.region.interface().vni;
        self.region.dataplane.bundles_changed(vni).unwrap();
        // The router's address is asked for, the customer's, and the gateway's.
        for to in ["203.0.113.1", "10.0.1.10"] {
            let ping = format!("ping -c 1 -W 2 {to}");
            let answers = |_| self.region.customer.output(&ping).contains(" 0% packet loss");
            assert!((0..5).any(answers), "{to}: {}", self.counts());
        }
        let (customer, host) = (&self.region.customer, &self.region.host);
        self.send((customer, "192.0.2.1"), (host, "10.0.1.10"), ("rx", ports));
        self.send((host, "10.0.1.10"), (customer, "192.0.2.1"), ("tx", ports));
    }

    fn send(
        &self,
        from: (&Namespace, &str),
        to: (&Namespace, &str),
        (way, ports): (&str, [bool; 2]),
    ) {
        let receiver = to.0.enter(|| UdpSocket::bind((to.1, 7000))).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let before = self.frames(way);
        let mut buffer = [0; 2];
        for n in 0..FLOWS {
            let flow = from.0.enter(|| UdpSocket::bind((from.1, 20_000 + n))).unwrap();
            flow.send_to(&n.to_be_bytes(), (to.1, 7000)).unwrap();
            let came = receiver.recv(&mut buffer).is_ok_and(|_| buffer == n.to_be_bytes());
            assert!(came, "flow {n}, {way} {ports:?}: {}", self.counts());
        }
        let after = self.frames(way);
        let by = [0, 1].map(|n| after[n] - before[n]);
        eprintln!("{way} {by:?}");
        for n in 0..2 {
            // LACP is a few frames a second; a port's share of the flows is more.
            assert_eq!(by[n] >= u64::from(FLOWS / 8), ports[n], "{way} {by:?}: {}", self.counts());
        }
    }

    fn frames(&self, way: &str) -> [u64; 2] {
        PORTS.map(|port| {
            let said = self.region.router.output(&format!("ip -s link show {port}"));
            let mut lines =
                said.lines().skip_while(|line| !line.trim().starts_with(&way.to_uppercase()));
            let numbers = lines.nth(1).expect("a line of numbers");
            numbers.split_whitespace().nth(1).unwrap().parse().unwrap()
        })
    }

    /// What became of every frame.
    fn counts(&self) -> String {
        let all = self.region.dataplane.tallies().unwrap();
        all.seen()
            .map(|(verdict, it)| format!("{verdict} {}", it.packets))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn count(&self, verdict: Verdict) -> u64 {
        self.region.dataplane.tallies().unwrap().of(verdict).packets
    }
}
