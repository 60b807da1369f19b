//! Asking a customer's VLAN who is there: ARP requests to everybody, and echoes of two sizes.
//!
//! ```text
//!   every 10 s   who has CUSTOMER?   ► broadcast    two answers: the address is there twice
//!                echo, 64 bytes      ► CUSTOMER     answered, and
//!                echo, MTU, whole    ► CUSTOMER     this not: something between is narrower
//! ```
//!
//! The kernel resolves a neighbour too, but asks only the one that it knows, so a second station
//! with the same address stays unseen. Nothing here waits: what is asked in one round is heard in
//! a later one.

use super::Kernel;
use crate::{clock, names, routes::Neighbour, run::Placed};
use directlink_model::ids::InterfaceId;
use directlink_net::Mac;
use nix::{ifaddrs::getifaddrs, sys::socket::bind};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

/// What came of it in one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Senders of ARP.
    pub(crate) stations: BTreeSet<(Ipv4Addr, Mac)>,
    /// Who answered an echo of so many bytes.
    pub(crate) echoes: BTreeSet<(Ipv4Addr, u16)>,
    /// Who was sent one of the full size.
    pub(crate) asked: BTreeMap<Ipv4Addr, u16>,
}

/// The sockets in one interface's namespace.
#[derive(Debug)]
pub(super) struct Probe {
    arp: Socket,
    icmp: Socket,
    asked_at: Option<Instant>,
}

const PERIOD: Duration = Duration::from_secs(10);
/// So many interfaces are asked, or entered for the first time, in one round.
const ROUND: usize = 64;
/// So many frames of one interface are read in one round: nobody keeps us busy.
const FRAMES: usize = 64;
const ETH_P_ARP: u16 = 0x0806;
const SMALL_BYTES: u16 = 64;
const IP_BYTES: u16 = 20;
/// Of our echoes: "DL".
const ECHO_ID: u16 = 0x444c;

impl Kernel {
    /// Hears what came since the last round, and asks again whoever's turn it is. `resolved`: whose
    /// MAC address is known.
    pub(super) fn probe(
        &mut self,
        peers: &[Placed],
        resolved: &BTreeSet<Neighbour>,
    ) -> BTreeMap<InterfaceId, Heard> {
        let ids: BTreeSet<_> = peers.iter().map(|peer| peer.interface).collect();
        // A socket keeps its namespace alive.
        self.probes.retain(|id, _| ids.contains(id));
        let (mut all, now) = (BTreeMap::new(), clock::instant());
        let asked_at = |id: InterfaceId| Some((self.probes.get(&id)?.asked_at, id));
        for id in turn(ids.iter().map(|&id| asked_at(id).unwrap_or((None, id))), now) {
            let its = peers.iter().filter(|peer| peer.interface == id);
            if let Err(error) = self.ask(id, its, resolved, now, &mut all) {
                // Its link is another now, or about to go: opened anew in a later round.
                tracing::debug!(%id, %error, "its VLAN cannot be asked");
                self.probes.remove(&id);
            }
        }
        let mut frame = vec![0; usize::from(u16::MAX)];
        for (&id, probe) in &mut self.probes {
            probe.hear(&mut frame, all.entry(id).or_default());
        }
        all
    }

    fn ask<'a>(
        &mut self,
        id: InterfaceId,
        peers: impl Iterator<Item = &'a Placed>,
        resolved: &BTreeSet<Neighbour>,
        now: Instant,
        all: &mut BTreeMap<InterfaceId, Heard>,
    ) -> io::Result<()> {
        if !self.probes.contains_key(&id) {
            let probe = self.inside(id, Probe::open)?;
            self.probes.insert(id, probe);
        }
        let Some(probe) = self.probes.get_mut(&id) else { return Ok(()) };
        probe.asked_at = Some(now);
        for peer in peers {
            // Of an IPv6 peer there is what the kernel knows of its neighbour.
            let (IpAddr::V4(router), IpAddr::V4(customer)) =
                (peer.cell.router.addr(), peer.cell.customer)
            else {
                continue;
            };
            probe.arp.send(&request(names::mac(id), router, customer))?;
            if !resolved.contains(&(id, customer.into())) {
                continue;
            }
            let full = peer.mtu.as_u16();
            let to: SockAddr = SocketAddrV4::new(customer, 0).into();
            for bytes in [SMALL_BYTES, full] {
                // One that the system does not take is one that is not answered.
                let _ = probe.icmp.send_to(&echo(bytes), &to);
            }
            all.entry(id).or_default().asked.insert(customer, full);
        }
        Ok(())
    }
}

/// Who is asked now, of interfaces and when each was last asked: those never asked first, and then those
/// whose last time was the longest ago, lest the first ones be asked for ever.
fn turn(
    interfaces: impl Iterator<Item = (Option<Instant>, InterfaceId)>,
    now: Instant,
) -> Vec<InterfaceId> {
    let is_due = |asked: Instant| now.saturating_duration_since(asked) >= PERIOD;
    let mut due: Vec<_> = interfaces.filter(|(asked, _)| asked.is_none_or(is_due)).collect();
    due.sort_unstable();
    due.into_iter().take(ROUND).map(|(_, id)| id).collect()
}

impl Probe {
    /// In the calling thread's namespace.
    fn open() -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(ETH_P_ARP.to_be()));
        let arp = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        arp.set_nonblocking(true)?;
        let all = getifaddrs().map_err(io::Error::from)?;
        let ours = all.filter(|it| names::vlan_of(&it.interface_name).is_some());
        let link = ours.filter_map(|it| it.address).find_map(|it| it.as_link_addr().copied());
        let link = link.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        bind(arp.as_raw_fd(), &link).map_err(io::Error::from)?;
        let icmp = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        icmp.set_nonblocking(true)?;
        Ok(Self { arp, icmp, asked_at: None })
    }

    /// `frame`: room for one.
    fn hear(&mut self, frame: &mut [u8], heard: &mut Heard) {
        for _ in 0..FRAMES {
            let Ok(length) = self.arp.read(frame) else { break };
            heard.stations.extend(sender(frame.get(..length).unwrap_or_default()));
        }
        for _ in 0..FRAMES {
            let Ok(length) = self.icmp.read(frame) else { break };
            heard.echoes.extend(echo_reply(frame.get(..length).unwrap_or_default()));
        }
    }
}

/// RFC 826: who has `customer`? Tell `router`.
pub(super) fn request(mac: Mac, router: Ipv4Addr, customer: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(mac.0);
    frame.extend(ETH_P_ARP.to_be_bytes());
    // Ethernet, IPv4, their lengths, a request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac.0);
    frame.extend(router.octets());
    frame.extend([0; 6]);
    frame.extend(customer.octets());
    frame
}

/// The sender of an ARP message, of whatever kind. One without an address asks whether it is free
/// (RFC 5227), and claims nothing.
pub(super) fn sender(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let arp = frame.get(14..)?;
    let is_ipv4 = arp.get(..6)? == [0, 1, 8, 0, 6, 4];
    let mac: [u8; 6] = arp.get(8..14)?.try_into().ok()?;
    let address: [u8; 4] = arp.get(14..18)?.try_into().ok()?;
    let address = Ipv4Addr::from(address);
    (is_ipv4 && !address.is_unspecified()).then_some((address, Mac(mac)))
}

/// An ICMP echo (RFC 792) that makes an IP packet of so many bytes.
fn echo(bytes: u16) -> Vec<u8> {
    let mut message = vec![0; usize::from(bytes.saturating_sub(IP_BYTES)).max(8)];
    message[0] = ECHO;
    message[4..6].copy_from_slice(&ECHO_ID.to_be_bytes());
    let sum = message.chunks(2).fold(0u32, |sum, word| {
        let word = [word[0], word.get(1).copied().unwrap_or_default()];
        sum + u32::from(u16::from_be_bytes(word))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !(folded as u16);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// Who answered one of ours, and with how large a packet.
fn echo_reply(packet: &[u8]) -> Option<(Ipv4Addr, u16)> {
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let icmp = packet.get(header..)?;
    let is_ours = *icmp.first()? == ECHO_REPLY && icmp.get(4..6)? == ECHO_ID.to_be_bytes();
    let bytes = u16::try_from(icmp.len()).ok()?.checked_add(IP_BYTES)?;
    is_ours.then_some((source.into(), bytes))
}

const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_its_turn_however_many_there_are_and_however_seldom_rounds_are() {
        let mut asked: BTreeMap<InterfaceId, Option<Instant>> =
            (1..=1000).map(|n| (InterfaceId::from_bits(n), None)).collect();
        let mut now = clock::instant();
        let rounds = asked.len().div_ceil(ROUND);
        for round in 0..2 * rounds {
            let who = turn(asked.iter().map(|(id, at)| (*at, *id)), now);
            assert_eq!(who.len(), ROUND, "round {round}");
            asked.extend(who.into_iter().map(|id| (id, Some(now))));
            if round + 1 == rounds {
                assert!(asked.values().all(Option::is_some), "all were asked");
            }
            now += PERIOD * 2;
        }
    }

    #[test]
    fn nobody_is_asked_more_often_than_each_ten_seconds() {
        let now = clock::instant();
        let asked = |id, ago| (Some(now.checked_sub(ago).unwrap()), InterfaceId::from_bits(id));
        let almost = PERIOD - Duration::from_millis(1);
        assert_eq!(
            turn([asked(1, almost), asked(2, PERIOD)].into_iter(), now),
            [InterfaceId::from_bits(2)]
        );
    }

    #[test]
    fn what_is_asked_is_what_a_station_would_answer() {
        let (router, customer) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let asked = request(Mac([6; 6]), router, customer);
        assert_eq!((asked.len(), sender(&asked)), (42, Some((router, Mac([6; 6])))));
        for cut in 0..32 {
            assert_eq!(sender(&asked[..cut]), None, "{cut} bytes");
        }
        let mut probe = asked;
        probe[28..32].fill(0);
        assert_eq!(sender(&probe), None, "RFC 5227");
    }

    #[test]
    fn an_echo_has_its_size_and_checksum_and_only_answers_of_ours_count() {
        for bytes in [SMALL_BYTES, 1500, 1501, 9000] {
            let message = echo(bytes);
            let sum = message.chunks(2).fold(0u32, |sum, word| {
                sum + (u32::from(word[0]) << 8) + u32::from(word.get(1).copied().unwrap_or(0))
            });
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{bytes}");
            let mut packet = vec![0x45; usize::from(IP_BYTES)];
            packet[12..16].copy_from_slice(&[10, 0, 0, 2]);
            packet.extend(message);
            assert_eq!(echo_reply(&packet), None, "a request");
            packet[20] = ECHO_REPLY;
            assert_eq!(echo_reply(&packet), Some(([10, 0, 0, 2].into(), bytes)));
            for cut in 0..26 {
                assert_eq!(echo_reply(&packet[..cut]), None, "{cut} bytes");
            }
            packet[24] ^= 1;
            assert_eq!(echo_reply(&packet), None, "somebody else's");
        }
    }
}
