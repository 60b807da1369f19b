//! Watching the router's links: light on and off, ports that come and go, as it happens.

use super::{links::Link, netlink::messages};
use nix::errno::Errno;
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::RouteNetlinkMessage as Message,
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use std::io;
use tokio::io::unix::AsyncFd;

/// What happened to a link of the router's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkEvent {
    /// It is there now, or something of it changed.
    Seen {
        name: String,
        ifindex: u32,
        light: bool,
    },
    Gone {
        name: String,
    },
    /// Too much happened at once, and some of it was lost: look at everything.
    Overrun,
}

/// A subscription, opened in the router's namespace, read anywhere.
#[derive(Debug)]
pub(crate) struct Subscription(Socket);

impl Subscription {
    /// In the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let groups = 1 << (MulticastGroup::Link as u32 - 1);
        socket.bind(&SocketAddr::new(0, groups))?;
        socket.set_non_blocking(true)?;
        // Thousands of interfaces may come up at once.
        socket.set_rx_buf_sz(BUFFER_BYTES)?;
        Ok(Self(socket))
    }
}

/// Events, as they come.
#[derive(Debug)]
pub(crate) struct Watch {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
    pending: Vec<LinkEvent>,
}

impl Watch {
    pub(crate) fn new(subscription: Subscription) -> io::Result<Self> {
        // Deprecated for sources that change their descriptor; a netlink socket keeps its own.
        #[allow(deprecated)]
        let socket = AsyncFd::new(subscription.0)?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM_BYTES), pending: Vec::new() })
    }

    /// Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<LinkEvent> {
        loop {
            if let Some(event) = self.pending.pop() {
                return Ok(event);
            }
            let mut ready = self.socket.readable().await?;
            self.buffer.clear();
            match ready.try_io(|socket| socket.get_ref().recv(&mut self.buffer, 0)) {
                Ok(Ok(_)) => {
                    self.pending.extend(messages(&self.buffer).flatten().filter_map(|message| {
                        match message.payload {
                            NetlinkPayload::InnerMessage(message) => event(&message),
                            _ => None,
                        }
                    }));
                    self.pending.reverse();
                }
                Ok(Err(e)) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    return Ok(LinkEvent::Overrun);
                }
                Ok(Err(e)) => return Err(e),
                Err(_would_block) => {}
            }
        }
    }
}

const BUFFER_BYTES: i32 = 4 << 20;
const DATAGRAM_BYTES: usize = 64 * 1024;

fn event(message: &Message) -> Option<LinkEvent> {
    match message {
        Message::NewLink(link) => {
            let Link { name, ifindex, light, .. } = Link::read(link);
            Some(LinkEvent::Seen { name, ifindex, light })
        }
        Message::DelLink(link) => Some(LinkEvent::Gone { name: Link::read(link).name }),
        _ => None,
    }
}
