//! What a customer who floods the router's own address costs the forwarding of another.
//!
//! ```text
//! processor 0   the road into the Net, as in `forwarding.rs`: port0 ─► VXLAN
//! processor 1   nothing, or frames that no router sees, or a flood into port1, VLAN 100
//! ```
//! The first line is what two busy processors of one machine cost each other anyway (they share
//! caches, perhaps a core); what a flood costs beyond that is the router's.

use crate::{
    Road, percentile,
    topology::{ANOTHER, Another, Namespace, Region},
    traffic_flood::{Flooder, GENERATOR, arp, ip, syn},
};
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use directlink_dataplane::Verdict;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

const ROUNDS: usize = 15;
const TARGET: f64 = 0.8;

struct Flood {
    name: &'static str,
    link: &'static str,
    frame: Vec<u8>,
    /// Of the other's forwarding, as a share of what it was beside nobody.
    left: Vec<f64>,
    mpps: Vec<f64>,
}

pub(crate) fn measure(road: &mut Road, region: &mut Region) {
    if processors() < 2 {
        println!("what a flood costs is not measured: it takes two processors");
        return;
    }
    let another = region.plug_another();
    let _nowhere = lead_nowhere(&another);
    let mut flooder = Flooder::new();
    let to = region.interface().router_mac.0;
    let flood = |name, link, frame| Flood { name, link, frame, left: vec![], mpps: vec![] };
    let mut floods = [
        flood("frames that no router sees", "bare0", syn(to)),
        flood("SYN to port 179", "trunk1", syn(to)),
        flood("ARP for the router", "trunk1", arp([2, 0, 0, 0, 7, 1])),
        flood("ICMP to the router", "trunk1", ip(to, 0, 1)),
        flood("fragments to the router", "trunk1", ip(to, 0x2001, 17)),
    ];
    road.warm_up();
    for _ in 0..ROUNDS {
        let alone = road.run();
        for flood in &mut floods {
            let (mpps, beside) = during(&mut flooder, &another, flood, || road.run());
            flood.mpps.push(mpps);
            flood.left.extend(alone.zip(beside).map(|(alone, beside)| beside / alone));
        }
    }
    report(&floods, region);
}

fn report(floods: &[Flood], region: &Region) {
    println!("what is left of one customer's forwarding, beside another on a second processor");
    let left = |flood: &Flood| percentile(&flood.left, 50);
    let bare = floods.first().map_or(1.0, left);
    for flood in floods {
        let (mpps, alone, beside) = (percentile(&flood.mpps, 50), left(flood), left(flood) / bare);
        let word = if beside >= TARGET { "reached" } else { "missed" };
        println!(
            "{:<27}{mpps:>5.2} Mpps  {:>4.0} % of alone  {:>4.0} % of the first  (target {:.0} %: {word})",
            flood.name,
            alone * 100.0,
            beside * 100.0,
            TARGET * 100.0,
        );
    }
    let tallies = region.dataplane.interface_tallies(ANOTHER).unwrap().unwrap();
    let up = tallies.of(Verdict::ToRouter).packets;
    let all: u64 = tallies.seen().map(|(_, tally)| tally.packets).sum();
    println!("{up} of {all} packets that arrived went up");
}

/// The flood's own Mpps, and what `work` said meanwhile.
fn during<T>(
    flooder: &mut Flooder,
    another: &Another,
    flood: &Flood,
    work: impl FnOnce() -> T,
) -> (f64, T) {
    let (is_on, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            // What the thread starts inherits it.
            pin_to(1);
            flooder.flood((&another.customer, flood.link), &flood.frame, (&is_on, &is_over))
        });
        while !is_on.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let (_, mpps) = flooding.join().unwrap();
        (mpps, done)
    })
}

/// A veth of the flooder that ends in a drop.
fn lead_nowhere(another: &Another) -> (Namespace, Ebpf) {
    let sink = Namespace::new("nowhere");
    let source = &another.customer;
    sink.ip(&format!("link add bare1 type veth peer name bare0 netns {}", source.name()));
    sink.ip("link set bare1 up");
    source.ip("link set bare0 up");
    let mut bpf = Ebpf::load(GENERATOR).unwrap();
    let drop: &mut Xdp = bpf.program_mut("sink_frame").unwrap().try_into().unwrap();
    drop.load().unwrap();
    let ifindex = sink.ifindex("bare1");
    sink.enter(|| drop.attach_to_if_index(ifindex, XdpMode::Driver)).unwrap();
    (sink, bpf)
}

fn pin_to(processor: usize) {
    let mut one = CpuSet::new();
    one.set(processor).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

/// Of the machine; this process is pinned to one.
fn processors() -> usize {
    std::fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t:").count()
}
