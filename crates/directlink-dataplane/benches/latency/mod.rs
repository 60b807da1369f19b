//! A question and its answer: how long a small UDP packet takes into the Net and back.
//!
//! ```text
//! this thread ─ socket in the customer's namespace ─► router ─► the host's vxlan ─ socket ─┐
//!             ◄────────────────────────────────────────────────────────────────── answer ◄─┘
//! ```
//! One thread has both sockets and asks them in turn, so nobody waits for the scheduler: what is
//! measured is the kernel's and the router's work, both ways, with both ends' own.

use crate::{
    Family, admit_with_nftables, percentile,
    topology::{Namespace, Region, rule},
};
use directlink_dataplane::{Protocol, offload};
use std::{
    io::ErrorKind,
    net::UdpSocket,
    time::{Duration, Instant},
};

const QUESTIONS: usize = 20_000;
const ROUNDS: usize = 5;

struct Pair {
    name: &'static str,
    customer: UdpSocket,
    host: UdpSocket,
    microseconds: Vec<f64>,
    _places: Vec<Namespace>,
    _region: Option<Region>,
}

pub(crate) fn measure() {
    let mut pairs = [directlink(), kernel()];
    for pair in &mut pairs {
        pair.ask(1000);
        pair.microseconds.clear();
    }
    for _ in 0..ROUNDS {
        pairs.iter_mut().for_each(|pair| pair.ask(QUESTIONS / ROUNDS));
    }
    println!("\na question and its answer, both ends included, {QUESTIONS} of them");
    for pair in &pairs {
        let [median, most, last] = [50, 99, 100].map(|p| percentile(&pair.microseconds, p));
        println!("{:<14}{median:>7.1} µs  99 %: {most:.1}  most: {last:.0}", pair.name);
    }
    let [ours, theirs] = &pairs;
    let [ours, theirs] = [ours, theirs].map(|pair| percentile(&pair.microseconds, 50));
    println!("directlink / kernel whole: {:.2} of the time", ours / theirs);
}

impl Pair {
    fn new(name: &'static str, customer: &Namespace, host: &Namespace) -> Self {
        let bound = |namespace: &Namespace, address: &str| {
            let socket = namespace.enter(|| UdpSocket::bind(address)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (customer, host) = (bound(customer, "192.0.2.1:4000"), bound(host, "10.0.1.10:53"));
        customer.connect("10.0.1.10:53").unwrap();
        Self { name, customer, host, microseconds: vec![], _places: vec![], _region: None }
    }

    fn ask(&mut self, questions: usize) {
        let mut buffer = [0; 64];
        for _ in 0..questions {
            let start = Instant::now();
            self.customer.send(&[7; 18]).unwrap();
            let (bytes, from) = await_packet(|| self.host.recv_from(&mut buffer));
            self.host.send_to(&buffer[..bytes], from).unwrap();
            await_packet(|| self.customer.recv(&mut buffer));
            self.microseconds.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
}

fn await_packet<T>(mut receive: impl FnMut() -> std::io::Result<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match receive() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                assert!(Instant::now() < deadline, "a packet is lost");
            }
            got => return got.unwrap(),
        }
    }
}

fn directlink() -> Pair {
    let mut region = Region::new();
    region.admit(1, vec![rule("192.0.2.0/24", Protocol::UDP, Some(53))], vec![]);
    // So that everybody knows everybody's MAC: the slow path learns the customer's.
    region.instance.output("ping -c 1 -W 1 203.0.113.2");
    region.router.output("ping -c 1 -W 1 10.9.0.2");
    let pair = Pair::new("directlink", &region.customer, &region.host);
    Pair { _region: Some(region), ..pair }
}

/// The same with what the kernel has: routes, nftables with connection tracking, a vxlan device.
fn kernel() -> Pair {
    let [customer, router, host] = ["asker", "kernel", "teller"].map(Namespace::new);
    router.ip(&format!("link add k0 type veth peer name c0 netns {}", customer.name()));
    router.ip(&format!("link add k1 mtu 1600 type veth peer name h0 netns {}", host.name()));
    for (namespace, link, address) in [
        (&customer, "c0", "203.0.113.2/30"),
        (&router, "k0", "203.0.113.1/30"),
        (&router, "k1", "10.9.0.1/24"),
        (&host, "h0", "10.9.0.2/24"),
    ] {
        namespace.ip(&format!("link set {link} up"));
        namespace.ip(&format!("addr add {address} dev {link}"));
        namespace.enter(|| offload::poll(link)).unwrap();
    }
    host.ip("link set h0 mtu 1600");
    for (namespace, own, far, address) in
        [(&router, 1, 2, "10.0.1.1/24"), (&host, 2, 1, "10.0.1.10/24")]
    {
        namespace.ip(&format!(
            "link add vx type vxlan id 7001 dstport 4789 local 10.9.0.{own} remote 10.9.0.{far}"
        ));
        namespace.ip("link set vx up");
        namespace.ip(&format!("addr add {address} dev vx"));
    }
    customer.ip("addr add 192.0.2.1/32 dev lo");
    customer.ip("route add 10.0.0.0/8 via 203.0.113.1 src 192.0.2.1");
    router.ip("route add 192.0.2.0/24 via 203.0.113.2");
    host.ip("route add default via 10.0.1.1");
    router.enter(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")).unwrap();
    admit_with_nftables(&router, Family::Ipv4, 1);
    customer.output("ping -c 1 -W 1 203.0.113.1");
    host.output("ping -c 1 -W 1 10.0.1.1");
    let pair = Pair::new("kernel whole", &customer, &host);
    Pair { _places: vec![customer, router, host], ..pair }
}
