//! Watching the router's links: light on and off, ports that come and go, as it happens; and the
//! other routers.

use super::{light::Lookout, links::Link, netlink::messages, siblings::Siblings};
use crate::{
    bundles::{Bundles, Member},
    siblings::Announcement,
};
use directlink_bgp::{bfd, lacp};
use directlink_dataplane::BundledPorts;
use directlink_model::ids::PortName;
use nix::errno::Errno;
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::RouteNetlinkMessage as Message,
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
};
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
    /// What LACP says on a port that speaks it ([`Watch::bundle`]); each time that it is something else.
    Lacp {
        port: PortName,
        status: lacp::Status,
    },
    /// Whether another router answers ([`Watch::ask`]); first told when it does.
    Router {
        vtep: Ipv4Addr,
        lives: bool,
    },
    /// Too much happened at once, and some of it was lost: look at all links.
    Overrun,
}

/// A subscription, opened in the router's namespace, read anywhere.
#[derive(Debug)]
pub(crate) struct Subscription {
    socket: Socket,
    lookout: Lookout,
    siblings: Siblings,
    bundles: Bundles,
    lights: UnboundedReceiver<LinkEvent>,
}

impl Subscription {
    /// In the calling thread's namespace. `table`: where LACP is written down for the packet programs.
    pub(super) fn open(pace: bfd::Settings, table: BundledPorts) -> io::Result<Self> {
        let socket = subscribe()?;
        let (events, lights) = unbounded_channel();
        let siblings = Siblings::start(pace, events.clone())?;
        let said = events.clone();
        let told = move |port: &PortName, status| {
            drop(said.send(LinkEvent::Lacp { port: port.clone(), status }));
        };
        let bundles = Bundles::start(table, told)?;
        Ok(Self { socket, lookout: Lookout::start(events)?, siblings, bundles, lights })
    }
}

/// Events, as they come.
#[derive(Debug)]
pub(crate) struct Watch {
    socket: AsyncFd<Socket>,
    lookout: Lookout,
    siblings: Siblings,
    bundles: Bundles,
    ports: BTreeSet<PortName>,
    lights: UnboundedReceiver<LinkEvent>,
    buffer: Vec<u8>,
    pending: Vec<LinkEvent>,
}

impl Watch {
    pub(crate) fn new(subscription: Subscription) -> io::Result<Self> {
        let Subscription { socket, lookout, siblings, bundles, lights } = subscription;
        // Deprecated for sources that change their descriptor; a netlink socket keeps its own.
        #[allow(deprecated)]
        let socket = AsyncFd::new(socket)?;
        let (ports, buffer) = (BTreeSet::new(), Vec::with_capacity(DATAGRAM_BYTES));
        let pending = Vec::new();
        Ok(Self { socket, lookout, siblings, bundles, ports, lights, buffer, pending })
    }

    /// The ports whose light is told from now on.
    pub(crate) fn look_at(&mut self, ports: BTreeSet<PortName>) {
        self.ports.clone_from(&ports);
        self.lookout.ports(ports);
    }

    /// The other routers that are asked from now on whether they live.
    pub(crate) fn ask(&self, routers: BTreeSet<Ipv4Addr>) {
        self.siblings.ask(routers);
    }

    /// The ports that speak LACP from now on.
    pub(crate) fn bundle(&self, members: BTreeMap<PortName, Member>) {
        self.bundles.set(members);
    }

    /// Tells hosts, from our VTEP, that gateways are here.
    pub(crate) fn announce(&self, own: Ipv4Addr, announcements: Vec<Announcement>) {
        self.siblings.announce(own, announcements);
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
                    // Its answer comes after these, and is newer.
                    self.lookout.look();
                    let messages = messages(&self.buffer).flatten();
                    let ports = &self.ports;
                    self.pending.extend(
                        messages
                            .flat_map(|message| match message.payload {
                                NetlinkPayload::InnerMessage(message) => events(&message, ports),
                                _ => [None, None],
                            })
                            .flatten(),
                    );
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

/// A socket that hears of every change of a link in the calling thread's namespace; it does not block.
pub(super) fn subscribe() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    let groups = 1 << (MulticastGroup::Link as u32 - 1);
    socket.bind(&SocketAddr::new(0, groups))?;
    socket.set_non_blocking(true)?;
    // Thousands of interfaces may come up at once.
    socket.set_rx_buf_sz(BUFFER_BYTES)?;
    Ok(socket)
}

const BUFFER_BYTES: i32 = 4 << 20;
const DATAGRAM_BYTES: usize = 64 * 1024;

fn events(message: &Message, ports: &BTreeSet<PortName>) -> [Option<LinkEvent>; 2] {
    match message {
        Message::NewLink(link) => {
            let Link { name, ifindex, light, .. } = Link::read(link);
            let port = name.parse().ok().filter(|port| ports.contains(port));
            let light = port.map(|port| LinkEvent::Light { port, light });
            [light, Some(LinkEvent::Changed { name, ifindex })]
        }
        Message::DelLink(link) => [Some(LinkEvent::Gone { name: Link::read(link).name }), None],
        _ => [None, None],
    }
}
