//! IPv6 packets, built as those of `frame.rs` are; checksums are computed the plain way.

use super::frame::checksum;
use directlink_net::Mac;
use std::net::{Ipv6Addr, SocketAddrV6};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 58;
pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
pub(super) const DESTINATION: u8 = 60;
pub(super) const SOLICITATION: u8 = 135;
pub(super) const ADVERTISEMENT: u8 = 136;

#[derive(Clone, Debug)]
pub(super) struct Packet6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    class_and_label: u32,
    hop_limit: u8,
    /// Extension headers: protocol, and what follows its `next` byte.
    extensions: Vec<(u8, Vec<u8>)>,
    protocol: u8,
    payload: Vec<u8>,
}

pub(super) fn udp(source: &str, destination: &str) -> Packet6 {
    let (source, destination) = ends(source, destination);
    let mut header = ports(source, destination);
    header.extend([0, 12, 0, 0]);
    header.extend(*b"data");
    Packet6::new(*source.ip(), *destination.ip(), UDP, header)
}

/// Of a router to its neighbour, with its checksum.
pub(super) fn to_neighbour(source: &str, destination: &str, payload: &[u8]) -> Packet6 {
    let (source, destination) = ends(source, destination);
    let mut datagram = ports(source, destination);
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let sum = checksum_of(*source.ip(), *destination.ip(), UDP, &datagram);
    datagram[6..8].copy_from_slice(&sum);
    Packet6::new(*source.ip(), *destination.ip(), UDP, datagram).hops(255)
}

pub(super) fn tcp(source: &str, destination: &str, flags: u8) -> Packet6 {
    let (source, destination) = ends(source, destination);
    let mut header = ports(source, destination);
    header.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    Packet6::new(*source.ip(), *destination.ip(), TCP, header)
}

pub(super) fn echo(source: &str, destination: &str, id: u16) -> Packet6 {
    icmp(source, destination, [128, 0], &[&id.to_be_bytes()[..], &[0, 1]].concat())
}

pub(super) fn echo_reply(source: &str, destination: &str, id: u16) -> Packet6 {
    icmp(source, destination, [129, 0], &[&id.to_be_bytes()[..], &[0, 1]].concat())
}

pub(super) fn router_solicitation(source: &str) -> Packet6 {
    Packet6 { hop_limit: 255, ..icmp(source, "ff02::2", [133, 0], &[0; 4]) }
}

/// A solicitation or an advertisement, with its sender's MAC.
pub(super) fn neighbour(kind: u8, source: &str, to: &str, target: &str, mac: Mac) -> Packet6 {
    let flags: u32 = if kind == ADVERTISEMENT { 0xe000_0000 } else { 0 };
    let option = if kind == ADVERTISEMENT { 2 } else { 1 };
    let mut rest = flags.to_be_bytes().to_vec();
    rest.extend(target.parse::<Ipv6Addr>().unwrap().octets());
    rest.extend([option, 1]);
    rest.extend(mac.0);
    Packet6 { hop_limit: 255, ..icmp(source, to, [kind, 0], &rest) }
}

/// Time exceeded, or, with an MTU, packet too big, by the router at `source` about a packet of
/// which it quotes so many bytes.
pub(super) fn error(source: &str, about: &Packet6, mtu: u32, quoted: usize) -> Packet6 {
    let kind = if mtu == 0 { [3, 0] } else { [2, 0] };
    let mut rest = mtu.to_be_bytes().to_vec();
    rest.extend(&about.bytes()[..quoted]);
    icmp(source, &about.source.to_string(), kind, &rest)
}

fn icmp(source: &str, destination: &str, kind: [u8; 2], rest: &[u8]) -> Packet6 {
    let (source, destination): (Ipv6Addr, Ipv6Addr) =
        (source.parse().unwrap(), destination.parse().unwrap());
    let mut message = [&kind[..], &[0, 0], rest].concat();
    let sum = checksum_of(source, destination, ICMP, &message);
    message[2..4].copy_from_slice(&sum);
    Packet6::new(source, destination, ICMP, message)
}

/// RFC 8200 §8.1.
fn checksum_of(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, message: &[u8]) -> [u8; 2] {
    let mut summed = [source.octets(), destination.octets()].concat();
    summed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    summed.extend([0, 0, 0, protocol]);
    summed.extend(message);
    checksum(&summed)
}

impl Packet6 {
    const fn new(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            class_and_label: 0,
            hop_limit: 64,
            extensions: vec![],
            protocol,
            payload,
        }
    }

    pub(super) const fn hops(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// With so many bytes of an extension header before what it has.
    pub(super) fn with(mut self, header: u8, bytes: usize) -> Self {
        let mut rest = vec![u8::try_from(bytes / 8 - 1).unwrap()];
        rest.resize(bytes - 1, 0);
        self.extensions.push((header, rest));
        self
    }

    pub(super) fn first_fragment(mut self) -> Self {
        self.extensions.push((FRAGMENT, vec![0, 0, 1, 0, 0, 0, 7]));
        self
    }

    /// `offset` times 8 bytes on, without its ports.
    pub(super) fn later_fragment(mut self, offset: u16) -> Self {
        let [high, low] = (offset << 3).to_be_bytes();
        self.extensions.push((FRAGMENT, vec![0, high, low, 0, 0, 0, 7]));
        self.payload = vec![0xff; 16];
        self
    }

    /// Of this traffic class and with this flow label, 20 bits (RFC 8200 §3).
    pub(super) const fn of_class(mut self, class: u8, flow_label: u32) -> Self {
        self.class_and_label = (class as u32) << 20 | flow_label;
        self
    }

    /// With so much payload that the packet has this length.
    pub(super) fn of_bytes(mut self, bytes: usize) -> Self {
        self.payload.resize(bytes - 40, 0);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = vec![];
        let nexts = self.extensions.iter().skip(1).map(|(header, _)| *header);
        for ((_, rest), next) in self.extensions.iter().zip(nexts.chain([self.protocol])) {
            body.push(next);
            body.extend(rest);
        }
        body.extend(&self.payload);
        let first = self.extensions.first().map_or(self.protocol, |(header, _)| *header);
        let mut packet = (0x6000_0000 | self.class_and_label).to_be_bytes().to_vec();
        packet.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        packet.extend([first, self.hop_limit]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(body);
        packet
    }
}

fn ends(source: &str, destination: &str) -> (SocketAddrV6, SocketAddrV6) {
    (source.parse().unwrap(), destination.parse().unwrap())
}

fn ports(source: SocketAddrV6, destination: SocketAddrV6) -> Vec<u8> {
    [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat()
}
