//! Asking an interface's VLAN and sessions now, for a diagnosis that waits for no timer.
//!
//! ```text
//!   VLAN      who has CUSTOMER? (and ROUTER: 0.0.0.0 asks, RFC 5227) ─► MACs ─► three echoes of each size
//!   session   up: a KEEPALIVE, and does TCP acknowledge it?    down: dial, and is SYN answered?
//!   counters  before and after: frames with the tag, segments with a bad signature
//! ```
//!
//! A healthy interface answers all of it in some hundred milliseconds; what is silent takes [`LOOK`]. A
//! session that said a KEEPALIVE less than a second ago waits for the next, and then has [`LOOK_AGAIN`].

use super::{
    Known, Task, failed,
    icmp::{Road, advertiser, solicitation},
};
use crate::{
    clock,
    kernel::{SignatureCounts, VlanSocket, arp_request, arp_sender},
    speaker::{LiveSocket, Ribs},
};
use directlink_bgp::State;
use directlink_model::{
    evidence::{Fresh, FreshEchoes, FreshPeer, Rise, SessionNow, Signatures},
    glass::{LOOK, LOOK_AGAIN, Refused, Reply},
    ids::BgpPeerId,
};
use directlink_net::Mac;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

/// Between two looks at a socket.
const TURN: Duration = Duration::from_millis(10);
/// When the VLAN is asked again.
const AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];
/// A second station may be slower than the first.
const TWINS: Duration = Duration::from_millis(250);
/// Of each size.
const ECHOES: u16 = 3;
const ECHO_INTERVAL: Duration = Duration::from_millis(30);
/// After the last.
const ECHO_PATIENCE: Duration = Duration::from_millis(600);
const SMALL_BYTES: u32 = 84;
const TTL: u8 = 64;
/// A segment that was sent again so often is not heard; nor is one that was sent again at all and is so old. Between
/// the two are the times of a session that is young, or whose customer answers late.
const RETRANSMISSIONS: u32 = 2;
const OLD: Duration = Duration::from_millis(1000);
/// A SYN that had no answer for so long has none.
const SYN_PATIENCE: Duration = Duration::from_millis(1000);

impl Task {
    pub(super) async fn look(mut self) -> Result<Fresh, Refused> {
        let (asked_at, began) = (clock::now(), clock::instant());
        let (id, number) = (self.subject.id, self.subject.number);
        let before = self.kernel.run(move |kernel| kernel.arrivals(id, number)).await;
        let (frames, signatures) = before.map_err(failed)?.map_err(failed)?;
        let deadline = began + LOOK;
        let mut asked = Vec::new();
        for known in &mut self.subject.peers {
            let proof = known.proof.take();
            let session = (known.peer.id, self.subject.ribs.clone());
            let session = tokio::spawn(async move {
                match proof {
                    Some(proof) => {
                        let socket = proof.await.ok().flatten();
                        let asked = clock::instant();
                        let deadline = deadline.max(asked + LOOK_AGAIN);
                        prove(socket, session, (asked_at, asked, deadline)).await
                    }
                    None => SessionNow::Unknown,
                }
            });
            asked.push((known.peer.customer, session));
        }
        let mut peers = BTreeMap::new();
        let vlan: Vec<_> =
            self.subject.peers.iter().map(|known| self.ask_vlan(known, deadline)).collect();
        let heard = futures::future::join_all(vlan).await;
        for ((customer, session), heard) in asked.into_iter().zip(heard) {
            let session = session.await.map_err(failed)?;
            peers.insert(customer, FreshPeer { session, ..heard? });
        }
        let after = self.kernel.run(move |kernel| kernel.arrivals(id, number)).await;
        let (frames_after, signatures_after) = after.map_err(failed)?.map_err(failed)?;
        let until = clock::now();
        Ok(Fresh {
            asked_at,
            until,
            frames: frames_after.saturating_sub(frames),
            signatures: risen(signatures, signatures_after, until),
            peers,
        })
    }

    async fn ask_vlan(&self, known: &Known, deadline: Instant) -> Result<FreshPeer, Refused> {
        let id = self.subject.id;
        let (router, customer) = (known.peer.router.addr(), known.peer.customer);
        let sockets = self.kernel.run(move |kernel| {
            let ask = match customer {
                IpAddr::V4(_) => kernel.vlan_arp_socket(id)?,
                IpAddr::V6(_) => kernel.vlan_socket(id, customer)?,
            };
            Ok::<_, io::Error>((ask, kernel.vlan_socket(id, customer)?))
        });
        let (ask, echo) = sockets.await.map_err(failed)?.map_err(failed)?;
        let vlan = Vlan {
            ask,
            echo,
            own: self.subject.mac,
            router,
            customer,
            mtu: self.subject.mtu.as_u16(),
            id: rand::random(),
        };
        let asking = tokio::task::spawn_blocking(move || vlan.ask(deadline));
        asking.await.map_err(failed)?.map_err(failed)
    }
}

/// A peer's VLAN, for as long as it is asked.
struct Vlan {
    ask: VlanSocket,
    echo: VlanSocket,
    own: Mac,
    router: IpAddr,
    customer: IpAddr,
    mtu: u16,
    id: u16,
}

/// What came of it so far.
#[derive(Default)]
struct Heard {
    peer: FreshPeer,
    road: Option<Road>,
    sent: u16,
    last_sent: Option<Instant>,
    small: u32,
    full: u32,
}

impl Vlan {
    fn ask(&self, deadline: Instant) -> io::Result<FreshPeer> {
        let began = clock::instant();
        let (mut heard, mut frame) = (Heard::default(), vec![0; usize::from(u16::MAX)]);
        let mut again = AGAIN.iter().peekable();
        self.question()?;
        loop {
            let now = clock::instant();
            if now >= deadline || self.is_over(&heard, now, began) {
                return Ok(heard.told(self.mtu));
            }
            if heard.road.is_none() && again.next_if(|after| now >= began + **after).is_some() {
                self.question()?;
            }
            self.send_echo(&mut heard, now)?;
            if let Some(length) = self.ask.receive(&mut frame, TURN)? {
                self.note_station(&mut heard, frame.get(..length).unwrap_or_default());
            }
            while let Some(length) = self.echo.receive(&mut frame, Duration::ZERO)? {
                heard.note_echo(frame.get(..length).unwrap_or_default());
            }
        }
    }

    fn question(&self) -> io::Result<()> {
        match (self.router, self.customer) {
            (IpAddr::V4(router), IpAddr::V4(customer)) => {
                self.ask.send(&arp_request(self.own, router, customer))?;
                // Whoever has our address says so to one that has none (RFC 5227).
                self.ask.send(&arp_request(self.own, Ipv4Addr::UNSPECIFIED, router))
            }
            (IpAddr::V6(router), IpAddr::V6(customer)) => {
                self.ask.send(&solicitation(self.own, router, customer))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Ok(()),
        }
    }

    fn note_station(&self, heard: &mut Heard, frame: &[u8]) {
        let said = match self.customer {
            IpAddr::V4(_) => arp_sender(frame).map(|(address, mac)| (IpAddr::V4(address), mac)),
            IpAddr::V6(_) => advertiser(frame).map(|(address, mac)| (IpAddr::V6(address), mac)),
        };
        let Some((address, mac)) = said.filter(|(_, mac)| *mac != self.own) else { return };
        if address == self.customer && !heard.peer.stations.contains(&mac) {
            heard.peer.stations.push(mac);
            let (source, target) = (self.router, self.customer);
            let road = Road { source, target, own_mac: self.own, next_mac: mac, id: self.id };
            heard.road = heard.road.or(Some(road));
        } else if address == self.router && !heard.peer.impostors.contains(&mac) {
            heard.peer.impostors.push(mac);
        }
    }

    /// Small ones and full ones by turns.
    fn send_echo(&self, heard: &mut Heard, now: Instant) -> io::Result<()> {
        let is_due = heard.last_sent.is_none_or(|at| now >= at + ECHO_INTERVAL);
        let Some(road) = heard.road.filter(|_| heard.sent < 2 * ECHOES && is_due) else {
            return Ok(());
        };
        let bytes = match heard.sent % 2 {
            0 => SMALL_BYTES,
            _ => self.mtu.into(),
        };
        self.echo.send(&road.echo(heard.sent, TTL, bytes))?;
        (heard.sent, heard.last_sent) = (heard.sent + 1, Some(now));
        Ok(())
    }

    fn is_over(&self, heard: &Heard, now: Instant, began: Instant) -> bool {
        let all = u32::from(ECHOES);
        let are_answered = heard.small >= all && heard.full >= all;
        let waited = heard.last_sent.is_some_and(|at| now >= at + ECHO_PATIENCE);
        heard.sent >= 2 * ECHOES && now >= began + TWINS && (are_answered || waited)
    }
}

impl Heard {
    fn note_echo(&mut self, frame: &[u8]) {
        let said = self.road.and_then(|road| road.hear(frame));
        if let Some((sequence, _, Reply::Echo)) = said {
            match sequence % 2 {
                0 => self.small += 1,
                _ => self.full += 1,
            }
        }
    }

    fn told(self, mtu: u16) -> FreshPeer {
        let echoes = self.road.map(|_| FreshEchoes {
            small_answered: self.small,
            full_bytes: mtu,
            full_asked: (self.sent / 2).into(),
            full_answered: self.full,
        });
        FreshPeer { echoes, ..self.peer }
    }
}

/// Whether TCP hears the other side.
async fn prove(
    socket: Option<LiveSocket>,
    (id, ribs): (BgpPeerId, Ribs),
    (asked_at, began, deadline): (Timestamp, Instant, Instant),
) -> SessionNow {
    let mut turns = tokio::time::interval(TURN * 2);
    let mut dialled: Option<Instant> = None;
    loop {
        turns.tick().await;
        let now = clock::instant();
        let is_last = now >= deadline;
        let verdict = match &socket {
            Some(socket) => of_socket(socket, now, began),
            None => of_dial(&ribs, (id, asked_at), &mut dialled, now),
        };
        match verdict {
            Some(SessionNow::Unacknowledged { .. } | SessionNow::Unanswered { .. }) | None
                if !is_last => {}
            verdict => return verdict.unwrap_or_default(),
        }
    }
}

fn of_socket(socket: &LiveSocket, now: Instant, began: Instant) -> Option<SessionNow> {
    let age = now.saturating_duration_since(began);
    let is_lost = |again: u32| again >= RETRANSMISSIONS || (again > 0 && age >= OLD);
    match socket.unheard() {
        Ok((0, _)) => Some(SessionNow::Acknowledged),
        Ok((_, retransmissions)) if is_lost(retransmissions) => {
            let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Some(SessionNow::Unacknowledged { retransmissions, millis })
        }
        Ok(_) => None,
        // The session is no more: its ending tells.
        Err(_) => Some(SessionNow::Unknown),
    }
}

/// `None`: nothing is known yet.
fn of_dial(
    ribs: &Ribs,
    (id, asked_at): (BgpPeerId, Timestamp),
    dialled: &mut Option<Instant>,
    now: Instant,
) -> Option<SessionNow> {
    let status = ribs.status(id)?;
    let ended = status.bgp.endings.first().map(|ending| status.civil(ending.at));
    match status.bgp.state {
        State::Connect => {
            let silence = now.saturating_duration_since(*dialled.get_or_insert(now));
            let millis = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
            (silence >= SYN_PATIENCE).then_some(SessionNow::Unanswered { millis })
        }
        State::Established => Some(SessionNow::Unknown),
        State::Idle | State::Active if ended.is_some_and(|at| at >= asked_at) => {
            Some(SessionNow::Unknown)
        }
        // It speaks, or will in a moment.
        State::Idle | State::Active | State::OpenSent | State::OpenConfirm => None,
    }
}

fn risen(before: SignatureCounts, after: SignatureCounts, at: Timestamp) -> Signatures {
    let rise = |before: u64, after: u64| {
        let count = after.saturating_sub(before);
        (count > 0).then_some(Rise { count, last_at: at })
    };
    Signatures {
        absent: rise(before.absent, after.absent),
        unexpected: rise(before.unexpected, after.unexpected),
        wrong: rise(before.wrong, after.wrong),
    }
}
