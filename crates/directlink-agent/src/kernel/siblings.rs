//! Asking the other routers of our Nets whether they live, and speaking to hosts in their place.
//!
//! ICMP echo to their VTEPs: the kernel answers for as long as machine and uplink live, whatever
//! the agent there does; so does the forwarding. A thread of its own, in the router's namespace.

use super::watch::LinkEvent;
use crate::{
    clock,
    siblings::{Announcement, Living},
};
use directlink_bgp::bfd;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    collections::BTreeSet,
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// The way to the thread, which ends with it.
#[derive(Debug)]
pub(super) struct Siblings {
    orders: Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Ask(BTreeSet<Ipv4Addr>),
    Announce(Ipv4Addr, Vec<Announcement>),
}

const VXLAN_PORT: u16 = 4789;
const ECHO_REPLY: u8 = 0;
const ECHO: u8 = 8;
/// Whatever else is read: a reply to us is shorter.
const ROOM: usize = 512;

impl Siblings {
    /// In the calling thread's namespace, which the new thread inherits.
    pub(super) fn start(
        pace: bfd::Settings,
        events: UnboundedSender<LinkEvent>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        let (orders, inbox) = channel();
        let mut asker = Asker {
            socket,
            id: rand::random(),
            sequence: 0,
            living: Living::default(),
            pace: pace.interval(),
            patience: pace.interval() * u32::from(pace.detect_mult()),
            events,
        };
        let body = move || asker.run(&inbox);
        thread::Builder::new().name("siblings".into()).spawn(body)?;
        Ok(Self { orders })
    }

    /// Whom to ask from now on.
    pub(super) fn ask(&self, routers: BTreeSet<Ipv4Addr>) {
        drop(self.orders.send(Order::Ask(routers)));
    }

    /// From our VTEP.
    pub(super) fn announce(&self, own: Ipv4Addr, announcements: Vec<Announcement>) {
        drop(self.orders.send(Order::Announce(own, announcements)));
    }
}

struct Asker {
    socket: Socket,
    id: u16,
    sequence: u16,
    living: Living,
    pace: Duration,
    patience: Duration,
    events: UnboundedSender<LinkEvent>,
}

impl Asker {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut due = clock::instant();
        loop {
            // With nobody to ask there is nothing to do but to wait for orders.
            if self.living.routers().next().is_none() {
                match orders.recv() {
                    Ok(order) => self.obey(order),
                    Err(RecvError) => return,
                }
            }
            loop {
                match orders.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let now = clock::instant();
            if now >= due {
                self.ask();
                due = now + self.pace;
            }
            // Orders do not wait for long either.
            self.listen((due - now).min(ORDERS_WAIT));
            // After listening: what came while this thread was not scheduled has been heard.
            for router in self.living.expire(clock::instant(), self.patience) {
                drop(self.events.send(LinkEvent::Router { vtep: router, lives: false }));
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Ask(routers) => self.living.set(&routers),
            Order::Announce(own, announcements) => {
                if let Err(error) = announce(own, &announcements) {
                    tracing::warn!(%error, "hosts of a dead router cannot be told");
                }
            }
        }
    }

    fn ask(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        let echo = echo(self.id, self.sequence);
        for router in self.living.routers() {
            let to = SockAddr::from(SocketAddr::new(router.into(), 0));
            if let Err(error) = self.socket.send_to(&echo, &to) {
                tracing::trace!(%router, %error, "cannot be asked");
            }
        }
    }

    /// All that is there, and then for as long as this.
    fn listen(&mut self, wait: Duration) {
        let until = clock::instant() + wait.max(Duration::from_millis(1));
        let mut room = [0; ROOM];
        loop {
            let left = until.saturating_duration_since(clock::instant());
            if left.is_zero() || self.socket.set_read_timeout(Some(left)).is_err() {
                return;
            }
            let Ok(length) = self.socket.read(&mut room) else { return };
            if let Some(router) = answer(&room[..length], self.id) {
                self.hear(router, clock::instant());
            }
        }
    }

    fn hear(&mut self, router: Ipv4Addr, now: Instant) {
        if self.living.hear(router, now) {
            drop(self.events.send(LinkEvent::Router { vtep: router, lives: true }));
        }
    }
}

const ORDERS_WAIT: Duration = Duration::from_millis(20);

fn announce(own: Ipv4Addr, announcements: &[Announcement]) -> io::Result<()> {
    let socket = UdpSocket::bind((own, 0))?;
    for Announcement { host, payload } in announcements {
        if let Err(error) = socket.send_to(payload, (*host, VXLAN_PORT)) {
            tracing::debug!(%host, %error, "cannot be told");
        }
    }
    Ok(())
}

/// RFC 792.
fn echo(id: u16, sequence: u16) -> [u8; 8] {
    let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
    let words = [u16::from(ECHO) << 8, id, sequence];
    let sum: u32 = words.iter().map(|word| u32::from(*word)).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let [e, f] = (!(folded as u16)).to_be_bytes();
    [ECHO, 0, e, f, a, b, c, d]
}

/// Who answered us; `None` for whatever else a raw socket is given.
fn answer(packet: &[u8], id: u16) -> Option<Ipv4Addr> {
    let header = usize::from(*packet.first()? & 0xf) * 4;
    let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let message = packet.get(header..)?;
    let is_ours = message.first() == Some(&ECHO_REPLY) && message.get(4..6)? == id.to_be_bytes();
    is_ours.then(|| from.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_summed_and_its_answer_read() {
        let asked = echo(0xfffe, 0xffff);
        let words = asked.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1];
        packet.extend(asked);
        assert_eq!(answer(&packet, 0xfffe), None, "a question");
        packet[20] = ECHO_REPLY;
        assert_eq!(answer(&packet, 0xfffe), Some(Ipv4Addr::new(10, 9, 0, 2)));
        assert_eq!(answer(&packet, 1), None, "somebody else's");
        for length in 0..packet.len() - 2 {
            assert_eq!(answer(&packet[..length], 0xfffe), None, "{length}");
        }
    }
}
