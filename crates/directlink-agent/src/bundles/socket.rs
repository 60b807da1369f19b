//! A packet socket on a port, for the slow protocols (IEEE 802.3 annex 57A).

use directlink_net::Mac;
use nix::{ifaddrs::getifaddrs, sys::socket::bind};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, Read as _},
    os::fd::AsRawFd as _,
};
use tokio::io::unix::AsyncFd;

const ETH_P_SLOW: u16 = 0x8809;
/// No bridge forwards what is sent there.
const SLOW_PROTOCOLS: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0x02]);
const HEADER_BYTES: usize = 14;

pub(super) struct PortSocket {
    socket: AsyncFd<Socket>,
    pub(super) link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) ifindex: u32,
    pub(super) mac: Mac,
}

impl PortSocket {
    /// On the link of that name, in the calling thread's namespace.
    pub(super) fn open(link: &str) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(ETH_P_SLOW.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let all = getifaddrs().map_err(io::Error::from)?;
        let its = all.filter(|it| it.interface_name == link).filter_map(|it| it.address);
        let address = its.into_iter().find_map(|it| it.as_link_addr().copied());
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        bind(socket.as_raw_fd(), &address).map_err(io::Error::from)?;
        let mac =
            address.addr().map(Mac).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let ifindex = u32::try_from(address.ifindex()).map_err(io::Error::other)?;
        // Deprecated for sources that change their descriptor; a socket keeps its own.
        #[allow(deprecated)]
        let socket = AsyncFd::new(socket)?;
        Ok(Self { socket, link: Link { ifindex, mac } })
    }

    /// The next frame without its header; how long it is. May be cancelled.
    pub(super) async fn receive<'f>(&self, frame: &'f mut [u8]) -> io::Result<&'f [u8]> {
        let length = loop {
            let mut ready = self.socket.readable().await?;
            if let Ok(read) = ready.try_io(|socket| socket.get_ref().read(frame)) {
                break read?;
            }
        };
        Ok(frame.get(HEADER_BYTES..length).unwrap_or_default())
    }

    pub(super) fn send(&self, payload: &[u8]) -> io::Result<()> {
        let kind = ETH_P_SLOW.to_be_bytes();
        let frame = [&SLOW_PROTOCOLS.0[..], &self.link.mac.0, &kind, payload].concat();
        self.socket.get_ref().send(&frame).map(drop)
    }
}
