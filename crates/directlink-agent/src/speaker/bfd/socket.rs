//! The two sockets of a BFD session (RFC 5881 §4, §5), opened inside its namespace.
//!
//! ```text
//!   in    router:3784         ◄── customer:any      TTL 255 or it is no neighbour's
//!   out   router:49152..65535 ──► customer:3784     TTL 255
//! ```
//!
//! The second one is opened when there is first something to say: most customers have no BFD.

use super::{Doorway, Place};
use crate::speaker::socket::CS6;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};
use tokio::io::Interest;

pub(super) struct Sockets {
    place: Place,
    doorway: Doorway,
    inward: Option<tokio::net::UdpSocket>,
    outward: Option<UdpSocket>,
    /// All packets of a session come from one port (RFC 5881 §4).
    preferred: Option<u16>,
}

impl Sockets {
    pub(super) const fn new(place: Place, doorway: Doorway) -> Self {
        Self { place, doorway, inward: None, outward: None, preferred: None }
    }

    /// The port that an earlier process spoke from.
    pub(super) const fn prefer(&mut self, port: u16) {
        self.preferred = Some(port);
    }

    /// `None` while nothing was said.
    pub(super) fn source_port(&self) -> Option<u16> {
        self.outward.as_ref()?.local_addr().ok().map(|address| address.port())
    }

    /// Waits for a payload that came from the peer over one hop, for as long as it takes: an
    /// address may come later, and a socket that broke is opened anew. May be cancelled.
    pub(super) async fn receive(&mut self, buffer: &mut [u8; PAYLOAD_MAX]) -> usize {
        loop {
            match self.receive_once(buffer).await {
                Ok(Some(length)) => return length,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(peer = %self.place.peer, %error, "BFD cannot listen yet");
                    self.inward = None;
                    tokio::time::sleep(OPEN_RETRY).await;
                }
            }
        }
    }

    /// To the peer, if it can be: a packet that is lost here is lost as on the way.
    pub(super) async fn send(&mut self, payload: &[u8]) {
        if self.outward.is_none() {
            let (place, first) = (self.place.clone(), self.preferred);
            let netns = place.netns.clone();
            let opened = self.doorway.within(netns, move || open_outward(&place, first));
            match opened.await {
                Ok(socket) => self.outward = Some(socket),
                Err(error) => {
                    tracing::debug!(peer = %self.place.peer, %error, "BFD cannot send yet");
                }
            }
        }
        if let Some(socket) = &self.outward
            && let Err(error) = socket.send_to(payload, (self.place.peer, PORT))
        {
            tracing::debug!(peer = %self.place.peer, %error, "a BFD packet was not sent");
        }
    }

    /// `None`: something that is none of this session's.
    async fn receive_once(&mut self, buffer: &mut [u8; PAYLOAD_MAX]) -> io::Result<Option<usize>> {
        let socket = match &mut self.inward {
            Some(socket) => socket,
            closed => {
                let place = self.place.clone();
                let netns = place.netns.clone();
                let socket = self.doorway.within(netns, move || open_inward(&place)).await?;
                closed.insert(tokio::net::UdpSocket::from_std(socket)?)
            }
        };
        let peer = self.place.peer;
        socket.async_io(Interest::READABLE, || take(socket, peer, buffer)).await
    }
}

fn take(
    socket: &impl AsRawFd,
    peer: IpAddr,
    buffer: &mut [u8; PAYLOAD_MAX],
) -> io::Result<Option<usize>> {
    let mut payload = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(nix::libc::c_int);
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut payload,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let hops = message.cmsgs()?.find_map(|said| match said {
        ControlMessageOwned::Ipv4Ttl(ttl) => Some(ttl),
        ControlMessageOwned::Ipv6HopLimit(limit) => Some(limit),
        _ => None,
    });
    let from = message.address.as_ref().and_then(address);
    let is_neighbours = hops == Some(TTL.into()) && from == Some(peer);
    Ok(is_neighbours.then_some(message.bytes))
}

fn address(from: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = from.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| from.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn open_inward(place: &Place) -> io::Result<UdpSocket> {
    let socket = open(place)?;
    match place.local {
        IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?,
        IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?,
    }
    socket.bind(&SockAddr::from(SocketAddr::new(place.local, PORT)))?;
    Ok(socket.into())
}

fn open_outward(place: &Place, first: Option<u16>) -> io::Result<UdpSocket> {
    let socket = open(place)?;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    let others = (0..SOURCE_PORT_TRIES).map(|_| rand::random_range(SOURCE_PORT_MIN..=u16::MAX));
    for port in first.into_iter().chain(others) {
        match socket.bind(&SockAddr::from(SocketAddr::new(place.local, port))) {
            Ok(()) => return Ok(socket.into()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open(place: &Place) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(place.local, 0));
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    match place.local {
        IpAddr::V4(_) => {
            socket.set_ttl_v4(TTL.into())?;
            socket.set_tos_v4(CS6)?;
        }
        IpAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_unicast_hops_v6(TTL.into())?;
            socket.set_tclass_v6(CS6)?;
        }
    }
    Ok(socket)
}

/// A control packet takes 24; with authentication, which we discard, no more than 52.
pub(super) const PAYLOAD_MAX: usize = 64;

/// RFC 5881 §4.
const PORT: u16 = 3784;
const SOURCE_PORT_MIN: u16 = 49152;
const SOURCE_PORT_TRIES: usize = 16;

/// RFC 5881 §5: what comes with less has crossed a router, and could be anybody's.
const TTL: u8 = u8::MAX;

/// The address of a new interface comes a moment after its namespace.
const OPEN_RETRY: Duration = Duration::from_secs(1);
