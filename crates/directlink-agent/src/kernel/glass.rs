//! What the looking glass needs of the kernel: single rows, sockets on a VLAN, copies of frames.

use super::{
    Kernel,
    netstat::{self, SignatureCounts},
    probe,
};
use crate::names;
use directlink_dataplane::{Frames, InterfaceNumber, Leads, TableError, Tallies};
use directlink_model::{diagnosis::ARRIVED, ids::InterfaceId};
use directlink_net::{IpNet, Mac, Mtu, Vni};
use nix::{ifaddrs::getifaddrs, sys::socket::bind};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr},
    os::fd::AsRawFd as _,
    time::Duration,
};

/// Which rows.
#[derive(Clone, Debug)]
pub(crate) struct RowsQuestion {
    pub(crate) number: InterfaceNumber,
    pub(crate) vni: Option<Vni>,
    pub(crate) ways: Vec<InterfaceNumber>,
    pub(crate) prefixes: Vec<IpNet>,
}

/// As they are in the tables now.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowsSeen {
    pub(crate) mtu: Option<Mtu>,
    pub(crate) forwards: bool,
    pub(crate) neighbours: BTreeMap<InterfaceNumber, Mac>,
    pub(crate) prefixes: BTreeMap<IpNet, PrefixSeen>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct PrefixSeen {
    pub(crate) leads: Option<Leads>,
    pub(crate) lets_in: bool,
}

/// Whole frames of one kind, to and from an interface's VLAN.
#[derive(Debug)]
pub(crate) struct VlanSocket(Socket);

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;

impl Kernel {
    pub(crate) fn rows_of(&self, question: &RowsQuestion) -> Result<RowsSeen, TableError> {
        let RowsQuestion { number, vni, ways, prefixes } = question;
        let row = self.dataplane.interface(*number)?;
        let mut seen = RowsSeen {
            mtu: row.as_ref().map(|row| row.mtu),
            forwards: row.is_some_and(|row| row.forwards),
            ..RowsSeen::default()
        };
        for way in ways {
            seen.neighbours.extend(self.dataplane.neighbour(*way)?.map(|mac| (*way, mac)));
        }
        for prefix in prefixes {
            let leads = vni.map(|vni| self.dataplane.lookup(vni, *prefix)).transpose()?.flatten();
            let lets_in = self.dataplane.lets_in(*number, *prefix)?;
            seen.prefixes.insert(*prefix, PrefixSeen { leads, lets_in });
        }
        Ok(seen)
    }

    /// Frames of the interface that arrived so far, and segments that were dropped for their signature.
    pub(crate) fn arrivals(
        &self,
        id: InterfaceId,
        number: InterfaceNumber,
    ) -> Result<(u64, SignatureCounts), TableError> {
        let tallies = self.dataplane.interface_tallies(number)?;
        let arrived = tallies.iter().flat_map(Tallies::seen);
        let arrived = arrived.filter(|(verdict, _)| ARRIVED.contains(&verdict.name()));
        let frames = arrived.map(|(_, tally)| tally.packets).sum();
        Ok((frames, self.inside(id, netstat::signatures).unwrap_or_default()))
    }

    pub(crate) fn neighbour_mac(&self, way: InterfaceNumber) -> io::Result<Option<Mac>> {
        self.dataplane.neighbour(way).map_err(io::Error::other)
    }

    /// For frames of the family of `address`.
    pub(crate) fn vlan_socket(&self, id: InterfaceId, address: IpAddr) -> io::Result<VlanSocket> {
        let kind = if address.is_ipv4() { ETH_P_IP } else { ETH_P_IPV6 };
        self.inside(id, || VlanSocket::open(kind))
    }

    pub(crate) fn vlan_arp_socket(&self, id: InterfaceId) -> io::Result<VlanSocket> {
        self.inside(id, || VlanSocket::open(ETH_P_ARP))
    }

    /// `None`: somebody has it.
    pub(crate) fn frames(&mut self) -> Option<Frames> {
        self.dataplane.frames().ok()
    }

    pub(crate) fn begin_capture(
        &mut self,
        number: InterfaceNumber,
        until: Duration,
        bytes: u32,
    ) -> Result<(), TableError> {
        self.dataplane.begin_capture(number, until, bytes)
    }

    pub(crate) fn end_capture(&mut self, number: InterfaceNumber) -> Result<u64, TableError> {
        self.dataplane.end_capture(number)
    }
}

impl VlanSocket {
    /// In the calling thread's namespace.
    fn open(kind: u16) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(kind.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        let all = getifaddrs().map_err(io::Error::from)?;
        let ours = all.filter(|it| names::vlan_of(&it.interface_name).is_some());
        let link = ours.filter_map(|it| it.address).find_map(|it| it.as_link_addr().copied());
        let link = link.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        bind(socket.as_raw_fd(), &link).map_err(io::Error::from)?;
        Ok(Self(socket))
    }

    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame).map(drop)
    }

    /// The next frame's length; `None` if none comes within that time.
    pub(crate) fn receive(&self, frame: &mut [u8], within: Duration) -> io::Result<Option<usize>> {
        // No time at all would be no limit.
        self.0.set_read_timeout(Some(within.max(Duration::from_millis(1))))?;
        match (&self.0).read(frame) {
            Ok(length) => Ok(Some(length)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// RFC 826: who has `wanted`? Tell `source`.
pub(crate) fn arp_request(own: Mac, source: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    probe::request(own, source, wanted)
}

/// Who sent a message of ARP.
pub(crate) fn arp_sender(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    probe::sender(frame)
}
