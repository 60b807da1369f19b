//! What a monitoring station may see of the sessions: who is up, and a feed of what happens.
//!
//! ```text
//!   task ──up, routes, told, down──► Monitor ──► feed of station 1 (bounded)
//!                                      │    └──► feed of station 2
//!                                      └ who is up, for a station that comes later
//! ```
//!
//! A task only puts down what happened, and never waits. A feed names prefixes, not routes: they
//! are read from the peer's own table when the station has room for them, so that a route that
//! changes ten times meanwhile is told once. A feed that is full is over: its station has to begin
//! anew, with the tables as they are then.

use directlink_bgp::{
    Negotiated, PeerOffers,
    bmp::{Moment, MonitoredPeer, Opens, PeerDown, RouteDistinguisher},
};
use directlink_model::ids::BgpPeerId;
use directlink_net::{Asn, IpNet};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::Notify;

/// Sessions, as far as stations see them.
#[derive(Debug, Default)]
pub struct Monitor(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sessions: u64,
    up: BTreeMap<BgpPeerId, PeerUp>,
    feeds: Vec<Weak<Shared>>,
}

/// A session that is established. Each has a number of its own.
#[derive(Clone, Debug)]
pub(crate) struct PeerUp {
    pub(crate) number: u64,
    pub(crate) peer: MonitoredPeer,
    pub(crate) since: Moment,
    /// Ours, the customer's.
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) opens: Opens,
    pub(crate) offers: PeerOffers,
    pub(crate) told: Told,
    /// The customer has told its whole table.
    pub(crate) is_converged: bool,
}

/// What its customer has been told: how many prefixes, in which UPDATEs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) prefixes: u64,
    pub(crate) updates: Arc<[bytes::Bytes]>,
}

/// Of the session with that number.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) at: Moment,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Up(Box<PeerUp>),
    /// Something of these is new.
    Routes(Arc<[IpNet]>),
    /// The customer was told these UPDATEs, and has so many prefixes now.
    Said(Told),
    Converged,
    Down(PeerDown),
}

/// One station's.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    news: Notify,
    over: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    weight: usize,
    is_over: bool,
}

/// What a session's task knows when it comes up.
pub(super) struct Came {
    pub(super) id: BgpPeerId,
    pub(super) local_asn: Asn,
    pub(super) address: IpAddr,
    pub(super) agreed: Negotiated,
    pub(super) ends: [SocketAddr; 2],
    pub(super) opens: Opens,
    pub(super) offers: PeerOffers,
}

impl Monitor {
    pub(super) fn up(&self, at: Timestamp, came: Came) {
        let mut inner = self.lock();
        inner.sessions += 1;
        let number = inner.sessions;
        let up = PeerUp {
            number,
            peer: MonitoredPeer {
                // The peer's own number: no two peers of a router have the same.
                distinguisher: RouteDistinguisher::new(came.local_asn, came.id.bits()),
                address: came.address,
                asn: came.agreed.peer_asn.as_u32(),
                bgp_identifier: came.agreed.peer_router_id,
            },
            since: moment(at),
            ends: came.ends,
            opens: came.opens,
            offers: came.offers,
            told: Told::default(),
            is_converged: false,
        };
        inner.up.insert(came.id, up.clone());
        inner.tell(number, at, What::Up(Box::new(up)));
    }

    pub(super) fn routes(&self, at: Timestamp, id: BgpPeerId, touched: Vec<IpNet>) {
        let inner = self.lock();
        // Of a session that is down nothing is told.
        if let Some(number) = inner.up.get(&id).map(|up| up.number) {
            inner.tell(number, at, What::Routes(touched.into()));
        }
    }

    /// `said` just now; `all` that is said by now.
    pub(super) fn said(&self, at: Timestamp, id: BgpPeerId, said: Vec<bytes::Bytes>, all: Told) {
        let mut inner = self.lock();
        let Some(up) = inner.up.get_mut(&id) else { return };
        let (number, prefixes) = (up.number, all.prefixes);
        up.told = all;
        inner.tell(number, at, What::Said(Told { prefixes, updates: said.into() }));
    }

    pub(super) fn converged(&self, at: Timestamp, id: BgpPeerId) {
        let mut inner = self.lock();
        let Some(up) = inner.up.get_mut(&id) else { return };
        up.is_converged = true;
        let number = up.number;
        inner.tell(number, at, What::Converged);
    }

    pub(super) fn down(&self, at: Timestamp, id: BgpPeerId, down: PeerDown) {
        let mut inner = self.lock();
        if let Some(up) = inner.up.remove(&id) {
            inner.tell(up.number, at, What::Down(down));
        }
    }

    /// Who is up, and what happens from then on.
    pub(crate) fn subscribe(&self) -> (Vec<PeerUp>, Feed) {
        let mut inner = self.lock();
        let shared = Arc::new(Shared::default());
        inner.feeds.retain(|feed| feed.strong_count() > 0);
        inner.feeds.push(Arc::downgrade(&shared));
        (inner.up.values().cloned().collect(), Feed(shared))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tell(&self, number: u64, at: Timestamp, what: What) {
        let event = Event { number, at: moment(at), what };
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            feed.put(event.clone());
        }
    }
}

impl Shared {
    fn put(&self, event: Event) {
        let mut queue = self.queue();
        if queue.is_over {
            return;
        }
        queue.weight += event.weight();
        if queue.weight > WEIGHT_MAX {
            *queue = Queue { is_over: true, ..Queue::default() };
            drop(queue);
            self.over.notify_one();
        } else {
            queue.events.push_back(event);
        }
        self.news.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// The next event; `None` once more happened than a feed holds. Cancelling it loses nothing.
    pub(crate) async fn next(&self) -> Option<Event> {
        loop {
            {
                let mut queue = self.0.queue();
                if queue.is_over {
                    return None;
                }
                if let Some(event) = queue.events.pop_front() {
                    queue.weight -= event.weight();
                    return Some(event);
                }
            }
            self.0.news.notified().await;
        }
    }

    /// Waits until it is over.
    pub(crate) async fn over(&self) {
        while !self.0.queue().is_over {
            self.0.over.notified().await;
        }
    }
}

impl Event {
    fn weight(&self) -> usize {
        let prefixes = match &self.what {
            What::Routes(prefixes) => prefixes.len(),
            What::Said(told) => told.updates.iter().map(bytes::Bytes::len).sum(),
            What::Up(_) | What::Converged | What::Down(_) => 0,
        };
        EVENT_WEIGHT + prefixes
    }
}

pub(crate) fn moment(at: Timestamp) -> Moment {
    Moment {
        seconds: u32::try_from(at.as_second()).unwrap_or_default(),
        micros: u32::try_from(at.subsec_microsecond()).unwrap_or_default(),
    }
}

/// So many prefixes wait for a station at most: some ten megabytes.
const WEIGHT_MAX: usize = 1 << 19;
/// What an event takes beside its prefixes, in prefixes.
const EVENT_WEIGHT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::fixture::{Monitored, prefix};
    use futures::FutureExt as _;

    #[test]
    fn a_station_that_comes_late_sees_who_is_up_and_then_what_happens() {
        let mut session = Monitored::new();
        let (up, feed) = session.monitor.subscribe();
        let asn = 50624u32.try_into().unwrap();
        let distinguisher = RouteDistinguisher::new(asn, 0x00c0_ffee);
        assert_eq!(up[0].peer.distinguisher, distinguisher);
        assert!(up[0].is_converged && !up[0].opens.received.is_empty());
        session.announces(1, 1);
        session.ends();
        // Nobody is up any more, so that nothing is told.
        session.announces(2, 1);
        let events = std::iter::from_fn(|| feed.next().now_or_never().flatten());
        let whats: Vec<_> =
            events.map(|event| (event.number, format!("{:?}", event.what))).collect();
        let number = up[0].number;
        let (routes, down) = ("Routes([192.168.1.0/24])", "Down(RemoteSilent)");
        assert_eq!(whats, [(number, routes.to_owned()), (number, down.to_owned())]);
        assert!(session.monitor.subscribe().0.is_empty());
    }

    #[test]
    fn a_station_that_does_not_take_its_feed_loses_it_and_no_other_does() {
        let mut session = Monitored::new();
        let ((_, slow), (_, quick)) = (session.monitor.subscribe(), session.monitor.subscribe());
        for _ in 0..8 {
            session.announces(1, WEIGHT_MAX / 4);
            assert!(quick.next().now_or_never().flatten().is_some());
        }
        assert!(slow.over().now_or_never().is_some());
        assert!(slow.next().now_or_never().unwrap().is_none());
        assert_eq!(slow.0.queue().events.len(), 0, "it holds nothing any more");
        assert!(quick.over().now_or_never().is_none());
    }

    #[test]
    fn what_is_read_of_a_route_is_what_it_is_when_it_is_read() {
        let mut session = Monitored::new();
        let (up, feed) = session.monitor.subscribe();
        session.announces(1, 1);
        session.withdraws(1);
        for _ in 0..2 {
            let event = feed.next().now_or_never().flatten().unwrap();
            assert!(matches!(event.what, What::Routes(prefixes) if *prefixes == [prefix(1)]));
            let retold = up[0].offers.retold(&[prefix(1)], false);
            assert_eq!((retold.withdrawn.len(), retold.announced.len()), (1, 0));
        }
    }
}
