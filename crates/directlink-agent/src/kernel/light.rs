//! Looking at the light of the ports, a hundred times a second.
//!
//! The kernel tells of carriers too, but of a loss up to a second late (linkwatch batches them),
//! and a cable that was pulled is to be seen at once: until it is, packets go into it. So what
//! the kernel tells is taken as it comes (`watch.rs`), and is a reason to look as well. The driver is asked, which costs a
//! microsecond or two for a port. A thread of its own, because a look may wait for whatever else
//! changes links.

use super::{netlink::Netlink, watch::LinkEvent};
use directlink_dataplane::offload::Drivers;
use directlink_model::ids::PortName;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};
use tokio::sync::mpsc::UnboundedSender;

/// The way to the thread, which ends with it.
#[derive(Debug)]
pub(super) struct Lookout {
    orders: Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Ports(BTreeSet<PortName>),
    Look,
}

const PERIOD: Duration = Duration::from_millis(10);

impl Lookout {
    /// In the calling thread's namespace, which the new thread inherits.
    pub(super) fn start(events: UnboundedSender<LinkEvent>) -> io::Result<Self> {
        let eyes = Eyes { drivers: Drivers::open()?, netlink: Netlink::open()? };
        let (orders, inbox) = channel();
        let body = move || look_out(eyes, &inbox, &events);
        thread::Builder::new().name("light".into()).spawn(body)?;
        Ok(Self { orders })
    }

    /// Which to look at from now on.
    pub(super) fn ports(&self, ports: BTreeSet<PortName>) {
        drop(self.orders.send(Order::Ports(ports)));
    }

    /// Tells of all of them, whatever was told before: what the kernel said meanwhile may be older
    /// than what was seen.
    pub(super) fn look(&self) {
        drop(self.orders.send(Order::Look));
    }
}

fn look_out(mut eyes: Eyes, orders: &Receiver<Order>, events: &UnboundedSender<LinkEvent>) {
    let mut lights: BTreeMap<PortName, Option<bool>> = BTreeMap::new();
    loop {
        let mut tells_all = false;
        match orders.recv_timeout(PERIOD) {
            Ok(Order::Ports(ports)) => {
                lights =
                    ports.into_iter().map(|p| (p.clone(), lights.remove(&p).flatten())).collect();
            }
            Ok(Order::Look) => tells_all = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for (port, known) in &mut lights {
            let seen = match eyes.light(port) {
                Ok(light) => Some(light),
                Err(error) => {
                    tracing::warn!(%port, %error, "its light cannot be seen");
                    continue;
                }
            };
            if tells_all || *known != seen {
                *known = seen;
                let light = seen.unwrap_or_default();
                drop(events.send(LinkEvent::Light { port: port.clone(), light }));
            }
        }
    }
}

struct Eyes {
    drivers: Drivers,
    netlink: Netlink,
}

impl Eyes {
    fn light(&mut self, port: &PortName) -> io::Result<bool> {
        match self.drivers.has_light(port.as_str()) {
            // No such link, or a driver that does not say.
            Err(_) => Ok(self.netlink.link(port.as_str())?.is_some_and(|link| link.light)),
            seen => seen,
        }
    }
}
