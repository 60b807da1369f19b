//! One port with as many VLANs as there can be, a session on each: do they all come up, do their
//! packets find their way, and what does it cost to do nothing?

use super::{
    Asked,
    feed::prefix,
    gauge::Gauge,
    measure,
    place::Place,
    router::{FIRST_VLAN, Router, interface_id, net_plan, router, vni},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// From 2 to 4094.
pub(crate) const VLANS: u16 = 4093;
const PREFIXES: u32 = 100;
/// Looks and reports come each half minute, an audit each minute.
const IDLE: Duration = Duration::from_secs(60);
const CHANGES: usize = 11;
/// Of a processor.
const IDLE_TARGET: f64 = 0.02;

pub(crate) async fn full(asked: &Asked) {
    let vlans = asked.vlans;
    println!("\n{vlans} interfaces on one port, a session on each x {PREFIXES} prefixes");
    let mut router = Router::start(&asked.directlink, vlans, PREFIXES).await;
    println!("made in {:.1} s", router.made_in.as_secs_f64());
    let gauge = Gauge(router.pid());
    let (sample, feed) = measure(&router, PREFIXES);
    println!(
        "{} routes and as many sources in the kernel's tables after {:.2} s, {:.2} CPU-s; {:.0} MB",
        u32::from(vlans) * PREFIXES,
        sample.wall.as_secs_f64(),
        sample.cpu.as_secs_f64(),
        sample.rss_mb,
    );
    let is_whole = |report: &directlink_model::report::PortReport| {
        report.interfaces.len() == usize::from(vlans)
            && report.interfaces.values().all(|it| {
                it.session.is_established()
                    && it.learned.len() == PREFIXES as usize
                    && it.rows_in_kernel
            })
    };
    router.server.report("all sessions with all routes", is_whole).await;
    println!(
        "reported to the server: {vlans} Established, each with {PREFIXES} routes in the kernel"
    );
    let some = [FIRST_VLAN, vlans / 2, FIRST_VLAN + vlans - 1];
    for vlan in some {
        let name = format!("net/vpc-{vlan:08x}");
        router.server.send(&name, 1, &net_plan(vlan));
        router.server.ack(&name, 1).await;
    }
    for vlan in some {
        echo(&router.place, vlan);
        let forwarded = |report: &directlink_model::report::PortReport| {
            let verdicts = &report.interfaces[&interface_id(vlan)].verdicts;
            ["forwarded_to_net", "forwarded_to_customer"]
                .iter()
                .all(|it| verdicts.contains_key(*it))
        };
        router.server.report("the verdicts of its packets", forwarded).await;
        println!("a packet of VLAN {vlan} went to its Net and back");
    }
    let mut changes = Vec::new();
    for (vlan, generation) in (FIRST_VLAN..).zip(2..).take(CHANGES) {
        changes.push(router.change(generation, vlan).await);
    }
    changes.sort_unstable();
    let [median, longest] = [changes[CHANGES / 2], changes[CHANGES - 1]];
    println!(
        "{CHANGES} times another VLAN has a smaller MTU: median {median:.0?}, longest {longest:.0?}"
    );
    gauge.until_quiet(Instant::now(), Duration::ZERO);
    let used = gauge.cpu();
    std::thread::sleep(IDLE);
    let idle = (gauge.cpu() - used).as_secs_f64() / IDLE.as_secs_f64();
    let verdict = if idle < IDLE_TARGET { "met" } else { "missed" };
    println!("idle: {:.2} % of a processor over {IDLE:?} (target < 2 %: {verdict})", 100.0 * idle);
    feed.end();
}

/// A datagram from the customer's network to a NIC of its Net, and the answer.
fn echo(place: &Place, vlan: u16) {
    let source = Ipv4Addr::from_bits(prefix(0).to_bits() + 9);
    let router = router(vlan);
    place.ip("c", &format!("addr replace {source}/32 dev lo\nroute replace 10.1.0.0/16 via {router} dev v{vlan} metric {vlan}\n"));
    let nic = place.within("h", || UdpSocket::bind("192.0.2.2:4789").unwrap());
    let customer = place.within("c", move || {
        let socket = UdpSocket::bind((source, 0)).unwrap();
        socket2::SockRef::from(&socket).bind_device(Some(format!("v{vlan}").as_bytes())).unwrap();
        socket
    });
    for socket in [&nic, &customer] {
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    }
    let said = vlan.to_be_bytes();
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut buffer = [0; 2048];
    // The first ones find neighbours that are not known yet.
    loop {
        assert!(Instant::now() < deadline, "no packet of VLAN {vlan} came through");
        customer.send_to(&said, (Ipv4Addr::new(10, 1, 0, 5), 7)).unwrap();
        let Ok((length, router)) = nic.recv_from(&mut buffer) else { continue };
        let frame = &mut buffer[..length];
        // VXLAN, Ethernet, IPv4, UDP
        let seen = u32::from_be_bytes([0, frame[4], frame[5], frame[6]]);
        assert_eq!(seen, vni(vlan).as_u32(), "the wrong Net");
        assert_eq!(frame[8 + 14 + 20 + 8..], said);
        for (a, b, length) in [(8, 14, 6), (34, 38, 4), (42, 44, 2)] {
            (0..length).for_each(|n| frame.swap(a + n, b + n));
        }
        let to = SocketAddr::new(router.ip(), 4789);
        assert_eq!(router.ip(), IpAddr::from([192, 0, 2, 1]));
        nic.send_to(frame, to).unwrap();
        if let Ok(length) = customer.recv(&mut buffer) {
            return assert_eq!(buffer[..length], said);
        }
    }
}
