//! Bytes as a customer's router may send them, into a peer as the agent drives it.
//!
//! ```text
//!   how │ bytes of one connection
//!    ├ bit 0     the session is established before
//!    ├ bit 1     over IPv6
//!    ├ bit 2     the peer knows two-octet AS numbers only
//!    └ bits 4-7  n: the bytes come in pieces of 7 * n, or (0) at once
//! ```

use directlink_bgp::{ConnId, Input, Output, Peer, PeerConfig};
use std::{net::IpAddr, time::Duration};

const CONN: ConnId = ConnId::Theirs(1);

pub(crate) fn check(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let mut now = Duration::from_secs(1);
    let mut peer = Peer::new(config(how & 2 != 0));
    let mut outputs = Vec::new();
    for input in [Input::Start, Input::Opened(CONN)] {
        step(&mut peer, now, input, &mut outputs);
    }
    if how & 1 != 0 {
        let greeting = [open(how & 2 != 0, how & 4 == 0), keepalive()].concat();
        step(&mut peer, now, Input::Received(CONN, &greeting), &mut outputs);
        assert!(outputs.iter().any(|output| matches!(output, Output::Established(..))));
    }
    let piece = match how >> 4 {
        0 => usize::MAX,
        n => 7 * usize::from(n),
    };
    for bytes in bytes.chunks(piece) {
        now += Duration::from_millis(10);
        step(&mut peer, now, Input::Received(CONN, bytes), &mut outputs);
    }
    step(&mut peer, now, Input::Closed(CONN, "reset".to_owned()), &mut outputs);
    // Beyond any restart time (12 bits of seconds).
    now += Duration::from_secs(5000);
    step(&mut peer, now, Input::Tick, &mut outputs);
    assert_eq!(peer.routes(), [], "nothing outlives its session for ever");
    assert_eq!(left(&outputs), 0, "and whoever only hears of changes knows");
}

/// One input, and what must hold after each.
fn step(peer: &mut Peer, now: Duration, input: Input<'_>, outputs: &mut Vec<Output>) {
    peer.handle(now, input);
    while let Some(output) = peer.poll_output() {
        if let Output::Send(_, message) = &output {
            assert_eq!(message[..16], [0xff; 16]);
            assert_eq!(usize::from(u16::from_be_bytes([message[16], message[17]])), message.len());
        }
        outputs.push(output);
    }
    let (status, routes) = (peer.status(now), peer.routes());
    let refused = routes.iter().filter(|route| route.refused.is_some()).count();
    let counts = status.routes;
    assert_eq!((counts.received as usize, counts.refused as usize), (routes.len(), refused));
    assert_eq!(counts.accepted as usize, peer.offered().len());
    assert_eq!(left(outputs), peer.offered().len());
    // As many again may be stale.
    assert!(counts.received <= 2 * peer.config().limits.prefixes_max);
    peer.next_deadline();
}

/// How many prefixes the told changes leave in place.
fn left(outputs: &[Output]) -> usize {
    let mut present = std::collections::BTreeSet::new();
    for output in outputs {
        let Output::Routes(changes) = output else { continue };
        for change in changes {
            match change.path {
                Some(_) => present.insert(change.prefix),
                None => present.remove(&change.prefix),
            };
        }
    }
    present.len()
}

fn config(ipv6: bool) -> PeerConfig {
    let asn = |n: u32| n.try_into().expect("a good number");
    let addr = |text: &str| text.parse::<IpAddr>().expect("an address");
    let (addrs, ranges) = match ipv6 {
        true => ((addr("fd00::1"), addr("fd00::2")), ["fd00:1::/48"]),
        false => ((addr("172.16.0.1"), addr("172.16.0.2")), ["10.1.0.0/16"]),
    };
    let ranges = ranges.map(|range| range.parse().expect("a range"));
    PeerConfig {
        net_ranges: ranges.to_vec(),
        advertised: ranges.into(),
        ..PeerConfig::new((asn(50624), asn(65000)), [10, 255, 0, 1].into(), addrs)
    }
}

fn open(ipv6: bool, four_octet_as: bool) -> Vec<u8> {
    let afi = if ipv6 { 2 } else { 1 };
    // Multiprotocol, route refresh, enhanced route refresh, graceful restart (N bit, 120 s).
    let mut capabilities = vec![1, 4, 0, afi, 0, 1, 2, 0, 70, 0, 64, 6, 0x40, 120, 0, afi, 1, 0x80];
    if four_octet_as {
        capabilities.extend([65, 4, 0, 0, 0xfd, 0xe8]);
    }
    let length = capabilities.len() as u8;
    let mut body = vec![4, 0xfd, 0xe8, 0, 90, 10, 255, 0, 2, length + 2, 2, length];
    body.extend(capabilities);
    message(1, &body)
}

fn keepalive() -> Vec<u8> {
    message(4, &[])
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend((19 + body.len() as u16).to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}
