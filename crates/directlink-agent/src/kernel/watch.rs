//! Watching the router's links: light on and off, ports that come and go, as it happens.

use super::{light::Lookout, links::Link, netlink::messages};
use directlink_model::ids::PortName;
use nix::errno::Errno;
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::RouteNetlinkMessage as Message,
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use std::{collections::BTreeSet, io};
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

/// What happened to a link of the router's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkEvent {
    /// It is there, and something of it is new.
    Changed {
        name: String,
        ifindex: u32,
    },
    Gone {
        name: String,
    },
    /// Of one of the ports that are looked at ([`Watch::look_at`]); none without a link.
    Light {
        port: PortName,
        light: bool,
    },
    /// Too much happened at once, and some of it was lost: look at everything.
    Overrun,
}

/// A subscription, opened in the router's namespace, read anywhere.
#[derive(Debug)]
pub(crate) struct Subscription {
    socket: Socket,
    lookout: Lookout,
    lights: UnboundedReceiver<LinkEvent>,
}

impl Subscription {
    /// In the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let groups = 1 << (MulticastGroup::Link as u32 - 1);
        socket.bind(&SocketAddr::new(0, groups))?;
        socket.set_non_blocking(true)?;
        // Thousands of interfaces may come up at once.
        socket.set_rx_buf_sz(BUFFER_BYTES)?;
        let (events, lights) = unbounded_channel();
        Ok(Self { socket, lookout: Lookout::start(events)?, lights })
    }
}

/// Events, as they come.
#[derive(Debug)]
pub(crate) struct Watch {
    socket: AsyncFd<Socket>,
    lookout: Lookout,
    lights: UnboundedReceiver<LinkEvent>,
    buffer: Vec<u8>,
    pending: Vec<LinkEvent>,
}

impl Watch {
    pub(crate) fn new(subscription: Subscription) -> io::Result<Self> {
        let Subscription { socket, lookout, lights } = subscription;
        // Deprecated for sources that change their descriptor; a netlink socket keeps its own.
        #[allow(deprecated)]
        let socket = AsyncFd::new(socket)?;
        let buffer = Vec::with_capacity(DATAGRAM_BYTES);
        Ok(Self { socket, lookout, lights, buffer, pending: Vec::new() })
    }

    /// The ports whose light is told from now on.
    pub(crate) fn look_at(&self, ports: BTreeSet<PortName>) {
        self.lookout.ports(ports);
    }

    /// Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<LinkEvent> {
        loop {
            if let Some(event) = self.pending.pop() {
                return Ok(event);
            }
            let mut ready = tokio::select! {
                ready = self.socket.readable() => ready?,
                Some(light) = self.lights.recv() => return Ok(light),
            };
            self.buffer.clear();
            match ready.try_io(|socket| socket.get_ref().recv(&mut self.buffer, 0)) {
                Ok(Ok(_)) => {
                    self.lookout.look();
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
            let Link { name, ifindex, .. } = Link::read(link);
            Some(LinkEvent::Changed { name, ifindex })
        }
        Message::DelLink(link) => Some(LinkEvent::Gone { name: Link::read(link).name }),
        _ => None,
    }
}
