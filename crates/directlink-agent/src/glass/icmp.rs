//! Echoes as whole Ethernet frames, and what comes back. Pure.
//!
//! ```text
//!   │ MACs 12 │ type 2 │ IP, TTL as wanted │ ICMP echo: identifier, sequence │ filler │
//! ```
//!
//! Frames and not sockets' messages: the interface's namespace has no routes to what the customer
//! announces (the packet programs have), and its own stack would answer or drop what is for us.

use directlink_model::glass::Reply;
use directlink_net::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where echoes go, and who sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Road {
    pub(super) source: IpAddr,
    pub(super) target: IpAddr,
    pub(super) own_mac: Mac,
    pub(super) next_mac: Mac,
    /// Of our echoes.
    pub(super) id: u16,
}

const ETHERNET: usize = 14;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const ECHO_HEADER: usize = 8;
const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

impl Road {
    /// An echo whose IP packet has so many bytes, or as many as it needs.
    pub(super) fn echo(&self, sequence: u16, ttl: u8, bytes: u32) -> Vec<u8> {
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let mut frame = [self.next_mac.0, self.own_mac.0].concat();
        match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                frame.extend(TYPE_IPV4);
                let mut message = self.message(8, sequence, bytes.saturating_sub(IPV4_HEADER));
                let sum = checksum(&[&message]);
                message[2..4].copy_from_slice(&sum);
                frame.extend(ipv4(source, target, ttl, message.len()));
                frame.extend(message);
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                frame.extend(TYPE_IPV6);
                let mut message = self.message(128, sequence, bytes.saturating_sub(IPV6_HEADER));
                let sum = checksum(&[&pseudo_header(source, target, message.len()), &message]);
                message[2..4].copy_from_slice(&sum);
                frame.extend(ipv6(source, target, ttl, message.len()));
                frame.extend(message);
            }
            // Nobody makes such a road.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
        frame
    }

    fn message(&self, kind: u8, sequence: u16, length: usize) -> Vec<u8> {
        let mut message = vec![kind, 0, 0, 0];
        message.extend(self.id.to_be_bytes());
        message.extend(sequence.to_be_bytes());
        // As ping's: bytes that count up.
        let filler = (0..length.saturating_sub(ECHO_HEADER)).map(|n| (n & 0xff) as u8);
        message.extend(filler);
        message
    }

    /// What a frame says of an echo of ours: which, who says it, and what.
    pub(super) fn hear(&self, frame: &[u8]) -> Option<(u16, IpAddr, Reply)> {
        match frame.get(12..ETHERNET)? {
            kind if *kind == TYPE_IPV4 => self.hear_v4(frame.get(ETHERNET..)?),
            kind if *kind == TYPE_IPV6 => self.hear_v6(frame.get(ETHERNET..)?),
            _ => None,
        }
    }

    fn hear_v4(&self, packet: &[u8]) -> Option<(u16, IpAddr, Reply)> {
        let (from, to, protocol, message) = open_v4(packet)?;
        if protocol != ICMP || IpAddr::V4(to) != self.source {
            return None;
        }
        let (kind, code) = (*message.first()?, *message.get(1)?);
        let reply = match (kind, code) {
            (0, _) => {
                let is_from_there = IpAddr::V4(from) == self.target;
                return is_from_there.then_some((self.ours(message)?, from.into(), Reply::Echo));
            }
            (3, 4) => Reply::TooBig { mtu: be16(message, 6)? },
            (3, code) => Reply::Unreachable(code),
            (11, _) => Reply::TimeExceeded,
            _ => return None,
        };
        let (_, quoted_to, quoted_protocol, quoted) = open_v4(message.get(ECHO_HEADER..)?)?;
        let is_ours = quoted_protocol == ICMP && IpAddr::V4(quoted_to) == self.target;
        is_ours.then_some((self.ours(quoted)?, from.into(), reply))
    }

    fn hear_v6(&self, packet: &[u8]) -> Option<(u16, IpAddr, Reply)> {
        let (from, to, protocol, message) = open_v6(packet)?;
        if protocol != ICMPV6 || IpAddr::V6(to) != self.source {
            return None;
        }
        let reply = match *message.first()? {
            129 => {
                let is_from_there = IpAddr::V6(from) == self.target;
                return is_from_there.then_some((self.ours(message)?, from.into(), Reply::Echo));
            }
            2 => Reply::TooBig { mtu: be16(message, 6)? },
            1 => Reply::Unreachable(*message.get(1)?),
            3 => Reply::TimeExceeded,
            _ => return None,
        };
        let (_, quoted_to, quoted_protocol, quoted) = open_v6(message.get(ECHO_HEADER..)?)?;
        let is_ours = quoted_protocol == ICMPV6 && IpAddr::V6(quoted_to) == self.target;
        is_ours.then_some((self.ours(quoted)?, from.into(), reply))
    }

    /// The sequence of an echo that has our identifier.
    fn ours(&self, message: &[u8]) -> Option<u16> {
        (be16(message, 4)? == self.id).then_some(be16(message, 6)?)
    }
}

/// RFC 4861 §4.3: who has `wanted`?
pub(super) fn solicitation(own: Mac, source: Ipv6Addr, wanted: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = wanted.octets();
    let group =
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(wanted.octets());
    // Where the answer goes.
    message.extend([1, 1]);
    message.extend(own.0);
    let sum = checksum(&[&pseudo_header(source, group, message.len()), &message]);
    message[2..4].copy_from_slice(&sum);
    let mut frame = vec![0x33, 0x33, 0xff, a, b, c];
    frame.extend(own.0);
    frame.extend(TYPE_IPV6);
    frame.extend(ipv6(source, group, ND_HOP_LIMIT, message.len()));
    frame.extend(message);
    frame
}

/// Who says, and from where, that an address is theirs (RFC 4861 §4.4).
pub(super) fn advertiser(frame: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    if frame.get(12..ETHERNET)? != TYPE_IPV6 {
        return None;
    }
    let (_, _, protocol, message) = open_v6(frame.get(ETHERNET..)?)?;
    if protocol != ICMPV6 || *message.first()? != ADVERTISEMENT {
        return None;
    }
    let target: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let option = message.get(24..32)?;
    let mac: [u8; 6] = option.get(2..)?.try_into().ok()?;
    (option[..2] == [2, 1]).then_some((target.into(), Mac(mac)))
}

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const ND_HOP_LIMIT: u8 = 255;

/// Source, destination, protocol, payload.
fn open_v4(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, u8, &[u8])> {
    let first = *packet.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < IPV4_HEADER {
        return None;
    }
    let address =
        |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    Some((address(12)?, address(16)?, *packet.get(9)?, packet.get(header..)?))
}

/// Without extension headers: who answers an echo sends none.
fn open_v6(packet: &[u8]) -> Option<(Ipv6Addr, Ipv6Addr, u8, &[u8])> {
    if packet.first()? >> 4 != 6 {
        return None;
    }
    let address =
        |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    Some((address(8)?, address(24)?, *packet.get(6)?, packet.get(IPV6_HEADER..)?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn ipv4(source: Ipv4Addr, target: Ipv4Addr, ttl: u8, payload: usize) -> [u8; IPV4_HEADER] {
    let length = u16::try_from(IPV4_HEADER + payload).unwrap_or(u16::MAX).to_be_bytes();
    let mut header = [0; IPV4_HEADER];
    // Version 4, five words; "don't fragment".
    header[0] = 0x45;
    header[2..4].copy_from_slice(&length);
    header[6] = 0x40;
    header[8] = ttl;
    header[9] = ICMP;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&target.octets());
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum);
    header
}

fn ipv6(source: Ipv6Addr, target: Ipv6Addr, hops: u8, payload: usize) -> [u8; IPV6_HEADER] {
    let mut header = [0; IPV6_HEADER];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&u16::try_from(payload).unwrap_or(u16::MAX).to_be_bytes());
    header[6] = ICMPV6;
    header[7] = hops;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&target.octets());
    header
}

/// RFC 8200 §8.1.
fn pseudo_header(source: Ipv6Addr, target: Ipv6Addr, length: usize) -> Vec<u8> {
    let mut header = [source.octets(), target.octets()].concat();
    header.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    header.extend([0, 0, 0, ICMPV6]);
    header
}

/// RFC 1071. All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum = words.fold(0u32, |sum, word| {
        let word = [word[0], word.get(1).copied().unwrap_or_default()];
        sum + u32::from(u16::from_be_bytes(word))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!(folded as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn road(source: &str, target: &str) -> Road {
        let mac = |n| Mac([2, 0, 0, 0, 0, n]);
        let [source, target] = [source, target].map(|text| text.parse().unwrap());
        Road { source, target, own_mac: mac(1), next_mac: mac(2), id: 0x1234 }
    }

    fn both() -> [Road; 2] {
        [road("10.0.0.1", "192.168.1.9"), road("2001:db8::1", "2001:db8:9::9")]
    }

    /// As a router between would answer, quoting so much of the echo.
    fn exceeded(road: &Road, echo: &[u8], quoted: usize) -> Vec<u8> {
        let quoted = &echo[ETHERNET..ETHERNET + quoted];
        let kind = if road.source.is_ipv4() { 11 } else { 3 };
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], quoted].concat();
        let mut frame = echo[..ETHERNET].to_vec();
        match (road.source, "10.9.9.9".parse().unwrap(), "2001:db8:5::5".parse().unwrap()) {
            (IpAddr::V4(to), from, _) => frame.extend(ipv4(from, to, 64, message.len())),
            (IpAddr::V6(to), _, from) => frame.extend(ipv6(from, to, 64, message.len())),
        }
        frame.extend(message);
        frame
    }

    #[test]
    fn an_echo_has_its_size_and_right_checksums() {
        for (road, header) in both().into_iter().zip([IPV4_HEADER, IPV6_HEADER]) {
            for bytes in [64, 1500, 1501, 9001] {
                let frame = road.echo(7, 3, bytes);
                assert_eq!(frame.len(), ETHERNET + bytes as usize);
                let packet = &frame[ETHERNET..];
                let message = &packet[header..];
                let sum = match (road.source, road.target) {
                    (IpAddr::V4(_), _) => {
                        assert_eq!(checksum(&[&packet[..header]]), [0, 0]);
                        checksum(&[message])
                    }
                    (IpAddr::V6(source), IpAddr::V6(target)) => {
                        checksum(&[&pseudo_header(source, target, message.len()), message])
                    }
                    _ => unreachable!("one family"),
                };
                assert_eq!(sum, [0, 0], "{bytes}");
            }
        }
    }

    #[test]
    fn a_neighbour_is_asked_by_its_group_and_tells_its_mac() {
        let [router, customer] = ["2001:db8::1", "2001:db8::1:2:3"].map(|it| it.parse().unwrap());
        let asked = solicitation(Mac([6; 6]), router, customer);
        assert_eq!(asked[..6], [0x33, 0x33, 0xff, 2, 0, 3]);
        assert_eq!(asked.len(), ETHERNET + IPV6_HEADER + 32);
        assert_eq!(advertiser(&asked), None, "a question");
        let mut told = asked;
        (told[54], told[78]) = (ADVERTISEMENT, 2);
        assert_eq!(advertiser(&told), Some((customer, Mac([6; 6]))));
        for cut in 0..told.len() {
            assert_eq!(advertiser(&told[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn an_answer_counts_only_if_it_is_to_an_echo_of_ours() {
        for road in both() {
            let echo = road.echo(7, 3, 84);
            assert_eq!(road.hear(&echo), None, "an echo of ours");
            let back = Road { source: road.target, target: road.source, ..road };
            let mut reply = back.echo(7, 64, 84);
            let kind = ETHERNET + if road.source.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
            reply[kind] = if road.source.is_ipv4() { 0 } else { 129 };
            assert_eq!(road.hear(&reply), Some((7, road.target, Reply::Echo)));
            let other = Road { id: 9, ..road };
            assert_eq!(other.hear(&reply), None, "another's");
            // RFC 792: the header and eight bytes of what was sent.
            let quoted = kind - ETHERNET + ECHO_HEADER;
            let (sequence, _, reply) = road.hear(&exceeded(&road, &echo, quoted)).unwrap();
            assert_eq!((sequence, reply), (7, Reply::TimeExceeded));
            assert_eq!(other.hear(&exceeded(&road, &echo, quoted)), None);
            for cut in 0..echo.len() {
                assert_eq!(road.hear(&echo[..cut]), None);
                let error = exceeded(&road, &echo, quoted);
                assert_eq!(road.hear(&error[..cut.min(error.len() - 1)]), None, "{cut}");
            }
        }
    }
}
