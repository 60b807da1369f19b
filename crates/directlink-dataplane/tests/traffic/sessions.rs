//! BGP with BFD through the slow path, while a customer floods the router's address.

use crate::{
    flood::{Flooder, arp, ip, syn},
    topology::{ANOTHER, Namespace, Region},
};
use directlink_dataplane::Verdict;
use directlink_net::Mac;
use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
/// Of each flood: longer than BFD waits here, which is 2.4 s, so that other tests on the machine are
/// not taken for a flood.
const FLOOD: Duration = Duration::from_secs(4);

/// BIRD in a namespace, with one session.
struct Bird {
    dir: TempDir,
    daemon: Child,
}

impl Bird {
    fn start(namespace: &Namespace, own: &str, other: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let config = format!(
            "router id {own};
            protocol device {{ }}
            protocol bfd {{ interface \"*\" {{ interval 300 ms; multiplier 8; }}; }}
            protocol bgp peer {{
              local {own} as {};
              neighbor {other} as {};
              bfd on;
              hold time 9;
              connect delay time 1;
              connect retry time 1;
              error wait time 1, 2;
              ipv4 {{ import all; export none; }};
            }}",
            asn(own),
            asn(other),
        );
        let path = dir.path().join("bird.conf");
        fs::write(&path, config).unwrap();
        let control = dir.path().join("bird.ctl");
        let daemon = namespace.enter(|| {
            let mut command = Command::new("bird");
            command.arg("-f").arg("-c").arg(&path).arg("-s").arg(&control);
            command.stderr(Stdio::null()).spawn().unwrap()
        });
        Self { dir, daemon }
    }

    fn ask(&self, question: &str) -> String {
        let mut command = Command::new("birdc");
        command.arg("-r").arg("-s").arg(self.dir.path().join("bird.ctl"));
        let output = command.args(question.split(' ')).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// BGP and BFD, since when they are what they are.
    fn sessions(&self) -> String {
        let line = |question: &str, name: &str| {
            let said = self.ask(question);
            said.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
        };
        format!("{}\n{}", line("show protocols peer", "peer"), line("show bfd sessions", "203."))
    }

    fn await_sessions(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.sessions();
            if seen.contains("Established") && seen.contains(" Up ") {
                return seen;
            }
            assert!(Instant::now() < deadline, "no session: {seen}");
            thread::yield_now();
        }
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

fn mac_of(customer: &Namespace) -> [u8; 6] {
    let shown = customer.output("ip -br link show vlan100");
    shown.split_whitespace().find_map(|word| word.parse::<Mac>().ok()).unwrap().0
}

/// Whether nothing ended meanwhile. BIRD's "since" moves by some milliseconds with the machine's clock;
/// with a session that came anew, by more than BFD waits.
fn are_the_same(before: &[String], after: &[String]) -> bool {
    let seconds = |word: &str| {
        let mut parts = word.splitn(3, ':').map(|part| part.parse::<f64>().ok());
        Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
    };
    let is_same = |(before, after): (&str, &str)| match (seconds(before), seconds(after)) {
        (Some(before), Some(after)) => (before - after).abs() < 1.0,
        _ => before == after,
    };
    let words = |all: &[String]| all.concat().split_whitespace().count();
    let pairs = before.iter().zip(after);
    let mut pairs = pairs.flat_map(|(a, b)| a.split_whitespace().zip(b.split_whitespace()));
    words(before) == words(after) && pairs.all(is_same)
}

/// The router's side of a peer subnet has the first address.
fn asn(address: &str) -> u32 {
    if address.ends_with(".1") { 50624 } else { 65001 }
}

#[test]
fn a_flood_at_the_router_takes_no_session_from_anybody_nor_bfd() {
    let mut region = Region::new();
    let another = region.plug_another();
    let birds = [&region.instance, &region.customer, &another.instance, &another.customer]
        .into_iter()
        .zip([["203.0.113.1", "203.0.113.2"], ["203.0.113.2", "203.0.113.1"]].into_iter().cycle())
        .map(|(namespace, [own, other])| Bird::start(namespace, own, other))
        .collect::<Vec<_>>();
    let before: Vec<_> = birds.iter().map(Bird::await_sessions).collect();
    let to = region.interface().router_mac.0;
    let mac = mac_of(&another.customer);
    let mut flooder = Flooder::new();
    for (name, frame, verdict) in [
        ("SYN", syn(to), Verdict::PolicedBgpOpen),
        ("ARP", arp(mac), Verdict::PolicedNeighbour),
        ("ICMP", ip(to, 0, 1), Verdict::PolicedIcmp),
        ("fragments", ip(to, 0x2001, 17), Verdict::PolicedRest),
    ] {
        let (is_on, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let (sent, mpps, after) = thread::scope(|scope| {
            let flooding = scope
                .spawn(|| flooder.flood((&another.customer, "trunk1"), &frame, (&is_on, &is_over)));
            let until = Instant::now() + FLOOD;
            let after = loop {
                let seen: Vec<_> = birds.iter().map(Bird::sessions).collect();
                if !are_the_same(&before, &seen) || Instant::now() > until {
                    break seen;
                }
            };
            is_over.store(true, Ordering::Relaxed);
            let (sent, mpps) = flooding.join().unwrap();
            (sent, mpps, after)
        });
        assert!(are_the_same(&before, &after), "{name}: {before:#?} {after:#?}");
        let tallies = region.dataplane.interface_tallies(ANOTHER).unwrap().unwrap();
        let dropped = tallies.of(verdict).packets;
        println!("{name}: {sent} packets at {mpps:.2} Mpps, {dropped} dropped as {verdict}");
        assert!(dropped > sent / 4, "{name}: {dropped} of {sent}");
    }
}
