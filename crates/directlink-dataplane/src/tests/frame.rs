//! Frames, built from the inside out: `udp(a, b).ttl(1).on_vlan(100)`.
//!
//! The checksums here are computed the plain way, over the whole header, and so check those
//! that the programs compute by difference.

use directlink_net::Mac;
use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const C_TAG: u16 = 0x8100;
pub(super) const S_TAG: u16 = 0x88a8;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ttl: u8,
    id: u16,
    /// Flags and offset.
    fragment: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

pub(super) fn udp(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let mut header = ports(source, destination);
    header.extend([0, 12, 0, 0]);
    header.extend(*b"data");
    Packet::new(*source.ip(), *destination.ip(), UDP, header)
}

/// A datagram with this payload, as a router sends it to its neighbour.
pub(super) fn to_neighbour(source: &str, destination: &str, payload: &[u8]) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let mut datagram = ports(source, destination);
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    Packet::new(*source.ip(), *destination.ip(), UDP, datagram).ttl(255)
}

/// Flags as in the header's 14th byte: [`SYN`], [`ACK`], ….
pub(super) fn tcp(source: &str, destination: &str, flags: u8) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let mut header = ports(source, destination);
    header.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    Packet::new(*source.ip(), *destination.ip(), TCP, header)
}

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

pub(super) fn echo(source: &str, destination: &str, id: u16) -> Packet {
    icmp(source, destination, [8, 0], id.to_be_bytes(), [0, 1], b"")
}

pub(super) fn echo_reply(source: &str, destination: &str, id: u16) -> Packet {
    icmp(source, destination, [0, 0], id.to_be_bytes(), [0, 1], b"")
}

/// The error that a router at `source` sends about `quoted`: time exceeded, or, with an
/// MTU, fragmentation needed.
pub(super) fn icmp_error(source: &str, quoted: &Packet, mtu: u16) -> Packet {
    let kind = if mtu == 0 { [11, 0] } else { [3, 4] };
    let to = quoted.source.to_string();
    let error = icmp(source, &to, kind, [0, 0], mtu.to_be_bytes(), &quoted.bytes()[..28]);
    Packet { id: 0, ..error }
}

fn icmp(from: &str, to: &str, kind: [u8; 2], id: [u8; 2], data: [u8; 2], rest: &[u8]) -> Packet {
    let mut message = [kind, [0, 0], id, data].concat();
    message.extend(rest);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    Packet::new(from.parse().unwrap(), to.parse().unwrap(), ICMP, message)
}

/// Of a protocol without ports.
pub(super) fn other(source: &str, destination: &str, protocol: u8) -> Packet {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    Packet::new(source, destination, protocol, vec![0; 8])
}

impl Packet {
    const fn new(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            protocol,
            ttl: 64,
            id: 7,
            fragment: 0,
            options: vec![],
            payload,
        }
    }

    pub(super) const fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub(super) fn with_options(mut self) -> Self {
        self.options = vec![7, 4, 4, 0];
        self
    }

    /// Its first fragment: more will follow.
    pub(super) const fn first_fragment(mut self) -> Self {
        self.fragment = 0x2000;
        self
    }

    /// A later fragment of it, `offset` times 8 bytes on, without its ports.
    pub(super) fn later_fragment(mut self, offset: u16) -> Self {
        self.fragment = offset;
        self.payload = vec![0xff; 16];
        self
    }

    /// With so much payload that the packet has this length.
    pub(super) fn of_bytes(mut self, bytes: usize) -> Self {
        self.payload.resize(bytes - 20 - self.options.len(), 0);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let header_bytes = 20 + self.options.len();
        let total = u16::try_from(header_bytes + self.payload.len()).unwrap();
        let mut header = vec![0x40 | u8::try_from(header_bytes / 4).unwrap(), 0];
        header.extend(total.to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(self.source.octets());
        header.extend(self.destination.octets());
        header.extend(&self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum);
        header.extend(&self.payload);
        header
    }
}

/// An ARP request (1) or reply (2).
pub(super) fn arp(operation: u8, sender: (Mac, &str), target: (Mac, &str)) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(sender.0.0);
    message.extend(address(sender.1));
    message.extend(target.0.0);
    message.extend(address(target.1));
    message
}

pub(super) fn ethernet(from: Mac, to: Mac, protocol: u16, payload: &[u8]) -> Vec<u8> {
    tagged(from, to, &[], protocol, payload)
}

/// With these tags, outermost first: (tag protocol, VLAN).
pub(super) fn tagged(
    from: Mac,
    to: Mac,
    tags: &[(u16, u16)],
    protocol: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = [to.0, from.0].concat();
    for (tag, vlan) in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(protocol.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Where a tunnel's packet goes: Ethernet and IP addresses, sender first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer {
    pub(super) macs: [Mac; 2],
    pub(super) addresses: [Ipv4Addr; 2],
    pub(super) source_port: u16,
}

/// `frame` in VXLAN.
pub(super) fn in_tunnel(outer: &Outer, vni: u32, frame: &[u8]) -> Vec<u8> {
    let mut datagram = outer.source_port.to_be_bytes().to_vec();
    datagram.extend(4789u16.to_be_bytes());
    datagram.extend(u16::try_from(16 + frame.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0, 8, 0, 0, 0]);
    datagram.extend((vni << 8).to_be_bytes());
    datagram.extend(frame);
    let [from, to] = outer.addresses;
    let mut packet = Packet::new(from, to, UDP, datagram);
    packet.id = 0;
    packet.fragment = 0x4000;
    ethernet(outer.macs[0], outer.macs[1], IPV4, &packet.bytes())
}

fn endpoints(source: &str, destination: &str) -> (SocketAddrV4, SocketAddrV4) {
    (source.parse().unwrap(), destination.parse().unwrap())
}

fn ports(source: SocketAddrV4, destination: SocketAddrV4) -> Vec<u8> {
    [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat()
}

/// RFC 1071.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}
