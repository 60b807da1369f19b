//! Two agents at the ends of a fibre, in a network namespace: LACP as it is on the wire. Root is needed.

use super::*;
use directlink_bgp::lacp::States;
use directlink_dataplane::{Capacity, Dataplane};
use nix::sched::{CloneFlags, unshare};
use std::{
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const SMALL: Capacity =
    Capacity { interfaces: 64, routes: 64, nics: 64, rule_rows: 64, flows: 64, flows_per_net: 64 };

fn ip(line: &str) {
    let status = Command::new("ip").args(line.split(' ')).status().unwrap();
    assert!(status.success(), "ip {line}");
}

fn member(n: u8, role: Role) -> (PortName, Member) {
    let actor = Information {
        system_priority: 0x8000,
        system: [2, 0, 0, 0, 0, n],
        key: 1,
        port_priority: 0x8000,
        port: n.into(),
        states: States::default(),
    };
    let ports = ["p1", "p2"].map(|port| port.parse().unwrap()).into();
    (format!("p{n}").parse().unwrap(), Member { actor, role, light: true, ports })
}

fn agent(dataplane: &Dataplane) -> (Bundles, Receiver<(PortName, Status)>) {
    let (said, heard) = channel();
    let told = move |port: &PortName, status| said.send((port.clone(), status)).unwrap();
    let said = Bundles::start(dataplane.bundled_ports().unwrap(), told).unwrap();
    (said, heard)
}

fn await_use(heard: &Receiver<(PortName, Status)>, wanted: bool) -> Status {
    loop {
        let (_, status) = heard.recv_timeout(PATIENCE).unwrap();
        if status.is_in_use == wanted {
            return status;
        }
    }
}

#[test]
fn two_ends_of_a_fibre_find_each_other_and_one_that_leaves_takes_its_row_along() {
    unshare(CloneFlags::CLONE_NEWNET).expect("root is needed to make a network namespace");
    ip("link add p1 type veth peer name p2");
    ip("link set p1 up");
    ip("link set p2 up");
    // A table for each end: one has no rows of the other's ports.
    let pins = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [one, two] = [0, 1].map(|n| Dataplane::open_with(pins[n].path(), SMALL).unwrap());
    let ((first, first_heard), (second, second_heard)) = (agent(&one), agent(&two));
    first.set([member(1, Role::Carries)].into());
    second.set([member(2, Role::Carries)].into());
    let partner = await_use(&first_heard, true).partner.unwrap();
    assert_eq!(partner.system.0, [2, 0, 0, 0, 0, 2]);
    await_use(&second_heard, true);

    let rows = one.bundled_ports().unwrap().list().unwrap();
    let row = rows[&if_nametoindex("p1").unwrap()];
    let [said, heard] = [row.said, row.heard].map(Information::from_bytes);
    assert_eq!((said.port, heard.port), (1, 2));
    let both = ["p1", "p2"].map(|port| if_nametoindex(port).unwrap());
    assert_eq!(row.ports[..2], both, "what one of them has the other carries");

    first.set([member(1, Role::StandsBy)].into());
    await_use(&second_heard, false);
    first.set(BTreeMap::new());
    let rows = || one.bundled_ports().unwrap().list().unwrap().len();
    let gone = (0..1000).any(|_| {
        thread::yield_now();
        rows() == 0
    });
    assert!(gone, "{}", rows());
    for pins in &pins {
        Dataplane::unpin(pins.path()).unwrap();
    }
}
