//! A customer who bundles two fibres with Linux's own LACP (bonding, 802.3ad, fast): who is the partner, which port
//! is used, and that neither a change of it nor a dead agent is a fault to the other end.
//!
//! ```text
//!   vlan101 ─ bond0 ═╦═ c0 ══════ p0 ═╦═ LACP, and the packet programs
//!                    ╚═ c1 ══════ p1 ═╝
//! ```
//!
//! Not among the tests because it takes a kernel with the `bonding` and `8021q` modules: `make kernel-test` runs it
//! on Debian 12's. It ends with a line that says what became of the PDUs, and by panic if anything is not as it
//! should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../../directlink-dataplane/tests/traffic/topology.rs"]
#[allow(dead_code)]
mod topology;

use directlink_agent::bundles::{Bundles, Member};
use directlink_bgp::lacp::{Information, Role, States, Status};
use directlink_dataplane::{Dataplane, Verdict, offload};
use directlink_model::ids::PortName;
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use topology::{Namespace, SMALL};

const SYSTEM: [u8; 6] = [0x06, 0x45, 0, 0, 0, 7];
const PORTS: [&str; 2] = ["p0", "p1"];
/// Collecting and distributing.
const IN_USE: u8 = 0x30;

struct Place {
    customer: Namespace,
    router: Namespace,
    dataplane: Dataplane,
    _pins: TempDir,
    said: Arc<Mutex<BTreeMap<PortName, Status>>>,
}

fn main() {
    let place = Place::new();
    let bundles = place.agent();
    bundles.set(members(Some(0), [true, true]));
    place.await_use([true, false]);
    let seen = place.bond();
    assert!(seen.contains("Partner Mac Address: 06:45:00:00:00:07"), "{seen}");
    assert!(seen.contains("Number of ports: 2"), "both are of one bundle: {seen}");
    let partner = place.status("p1").partner.expect("the one that stands by knows its partner too");
    assert_eq!(place.status("p0").partner.unwrap().system, partner.system);
    assert!(place.status("p0").is_in_use && !place.status("p1").is_in_use);
    place.await_ready("p1");
    assert_eq!(place.sends_by(), [true, false], "by the one that carries alone");

    bundles.set(members(Some(1), [true, true]));
    place.await_use([false, true]);
    assert_eq!(place.sends_by(), [false, true]);

    place.router.ip("link set p1 down");
    bundles.set(members(Some(0), [true, false]));
    place.await_use([true, false]);
    place.router.ip("link set p1 up");
    bundles.set(members(Some(0), [true, true]));
    // A cable that is plugged again is in the bond's bundle some seconds later, and then at once in use.
    place.await_ready("p1");
    bundles.set(members(Some(1), [true, true]));
    place.await_use([false, true]);
    bundles.set(members(Some(0), [true, true]));
    place.await_use([true, false]);

    // The agent is gone for longer than the customer's three seconds, and comes back.
    let answered = place.count(Verdict::LacpAnswered);
    drop(bundles);
    place.stays_in_use(Duration::from_secs(9));
    assert!(place.count(Verdict::LacpAnswered) >= answered + 5, "somebody spoke for it");
    let bundles = place.agent();
    bundles.set(members(Some(0), [true, true]));
    place.stays_in_use(Duration::from_secs(6));
    assert!(place.status("p0").is_in_use, "{:?}", place.status("p0"));

    // A LAG with too few links is not used.
    bundles.set(members(None, [true, true]));
    place.await_use([false, false]);
    bundles.set(members(Some(0), [true, true]));
    place.await_use([true, false]);

    // And a port that is in no LAG any more says nothing.
    bundles.set(BTreeMap::new());
    place.await_use([false, false]);
    println!("passed: a bond of two, {}", place.counts());
}

fn members(carries: Option<usize>, lights: [bool; 2]) -> BTreeMap<PortName, Member> {
    let member = |n: usize| {
        let actor = Information {
            system_priority: 0x8000,
            system: SYSTEM,
            key: 1,
            port_priority: 0x8000,
            port: u16::try_from(n + 1).unwrap(),
            states: States::default(),
        };
        let role = if carries == Some(n) { Role::Carries } else { Role::StandsBy };
        (PORTS[n].parse().unwrap(), Member { actor, role, light: lights[n] })
    };
    [0, 1].map(member).into()
}

impl Place {
    fn new() -> Self {
        let [customer, router] = ["customer", "router"].map(Namespace::new);
        customer.ip("link add bond0 type bond mode 802.3ad miimon 20 lacp_rate fast");
        for n in 0..2 {
            let far = format!("peer name p{n} netns {}", router.name());
            customer.ip(&format!("link add c{n} type veth {far}"));
            // A fibre has the tag in the frame.
            customer.enter(|| {
                offload::finish_frames(&format!("c{n}")).unwrap();
                offload::poll(&format!("c{n}")).unwrap();
            });
            customer.ip(&format!("link set c{n} master bond0"));
            router.ip(&format!("link set p{n} up"));
        }
        customer.ip("link set bond0 up");
        customer.ip("link add vlan101 link bond0 type vlan id 101");
        customer.ip("addr add 203.0.113.2/30 dev vlan101");
        customer.ip("link set vlan101 up");
        let pins = TempDir::new().unwrap();
        let mut dataplane = router.enter(|| Dataplane::open_with(pins.path(), SMALL).unwrap());
        for port in PORTS {
            let ifindex = router.ifindex(port);
            router.enter(|| dataplane.attach_port(ifindex)).unwrap();
        }
        Self { customer, router, dataplane, _pins: pins, said: Arc::default() }
    }

    /// As a new process has it, which knows what is pinned and no more.
    fn agent(&self) -> Bundles {
        let table = self.dataplane.bundled_ports().unwrap();
        let said = Arc::clone(&self.said);
        said.lock().unwrap().clear();
        let told = move |port: &PortName, status: Status| {
            said.lock().unwrap().insert(port.clone(), status);
        };
        self.router.enter(|| Bundles::start(table, told)).unwrap()
    }

    fn status(&self, port: &str) -> Status {
        self.said.lock().unwrap()[&port.parse::<PortName>().unwrap()]
    }

    fn bond(&self) -> String {
        self.customer
            .enter(|| fs::read_to_string("/proc/thread-self/net/bonding/bond0"))
            .expect("the bond's state")
    }

    /// Whether the bond collects from each and distributes to it.
    fn in_use(&self) -> [bool; 2] {
        let bond = self.bond();
        let slaves: Vec<&str> = bond.split("Slave Interface: ").skip(1).collect();
        [0, 1].map(|n| {
            let slave = slaves.iter().find(|it| it.starts_with(&format!("c{n}"))).expect("a slave");
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

    fn await_ready(&self, port: &str) {
        let begun = Instant::now();
        while !self.status(port).is_ready {
            assert!(begun.elapsed() < Duration::from_secs(30), "{port}: {}", self.bond());
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{port} is ready after {:?}", begun.elapsed());
    }

    fn stays_in_use(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            assert_eq!(self.in_use(), [true, false], "after {:?}", begun.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// By which ports what the customer sends on its VLAN now comes. No interface has that VLAN, so it is counted
    /// as stray.
    fn sends_by(&self) -> [bool; 2] {
        let strays = || {
            let strays = self.dataplane.strays().unwrap();
            PORTS.map(|port| {
                strays.get(&(self.router.ifindex(port), Some(101))).copied().unwrap_or_default()
            })
        };
        let before = strays();
        self.customer.output("ping -c 3 -W 1 203.0.113.1");
        let after = strays();
        [0, 1].map(|n| after[n] > before[n])
    }

    /// What became of every frame.
    fn counts(&self) -> String {
        let all = self.dataplane.tallies().unwrap();
        all.seen()
            .map(|(verdict, it)| format!("{verdict} {}", it.packets))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn count(&self, verdict: Verdict) -> u64 {
        self.dataplane.tallies().unwrap().of(verdict).packets
    }
}
