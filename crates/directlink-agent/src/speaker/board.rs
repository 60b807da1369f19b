//! Where the sessions' tasks write and the agent reads: a status per session, a Loc-RIB per Net,
//! and what has changed since somebody looked.

use directlink_bgp::{
    DialFailure, DownReason, Ended, LocRib, Notification, PeerOffers, RouteChange, Status, bfd,
};
use directlink_model::{
    evidence::{self, Cause, Ending, Notice, OpenSeen, SessionEvidence},
    ids::BgpPeerId,
};
use directlink_net::{IpNet, Vni};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// A session as it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    pub bgp: Status,
    /// The civil time of its times' zero.
    pub epoch: Timestamp,
    pub established_since: Option<Timestamp>,
    /// Of its path; `None` where nobody watches it.
    pub bfd: Option<bfd::Status>,
}

/// What is not as it was. Each thing once, however often it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Sessions whose status or routes changed, or that are gone.
    pub sessions: BTreeSet<BgpPeerId>,
    /// Per Net and session, prefixes that it offers in another way than before, or no longer.
    pub touched: Touched,
}

/// Prefixes to ask a Loc-RIB about. One may be named twice.
pub type Touched = BTreeMap<Vni, BTreeMap<BgpPeerId, Vec<IpNet>>>;

/// Who offers what in a Net.
pub type NetRib = LocRib<BgpPeerId, PeerOffers>;

#[derive(Debug)]
pub(super) struct Board {
    /// The civil time of the peers' time zero.
    epoch: Timestamp,
    inner: Mutex<Inner>,
    news: Notify,
}

/// The right to write for a session. A session that is removed and set again has a new one, so
/// that the end of its old task cannot undo what the new one wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enrolment {
    id: BgpPeerId,
    number: u64,
}

#[derive(Debug, Default)]
struct Inner {
    enrolments: u64,
    sessions: BTreeMap<BgpPeerId, Seat>,
    nets: BTreeMap<Vni, NetRib>,
    changes: Changes,
}

#[derive(Debug)]
struct Seat {
    number: u64,
    net: Option<Vni>,
    /// Once, for all who look.
    status: Option<Arc<SessionStatus>>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.touched.is_empty()
    }
}

impl SessionStatus {
    /// How tries and sessions ended, and what the customer's OPEN said.
    pub(crate) fn evidence(&self) -> SessionEvidence {
        let endings = self.bgp.endings.iter();
        let ending = |it: &Ended| {
            let (at, was_established) = (self.civil(it.at), it.was_established);
            Some(Ending { at, cause: cause(&it.reason)?, was_established })
        };
        let open = self.bgp.last_open.as_ref();
        SessionEvidence {
            endings: endings.filter_map(ending).take(evidence::LIST_MAX).collect(),
            open: open.map(|open| OpenSeen {
                at: self.civil(open.at),
                asn: open.asn,
                hold_time_seconds: open.hold_time_seconds,
                bgp_identifier: open.bgp_identifier,
            }),
        }
    }

    /// Of a time of the peers.
    pub(crate) fn civil(&self, at: Duration) -> Timestamp {
        self.epoch.checked_add(at).unwrap_or(self.epoch)
    }

    /// Why it is not up, or why it was last not: in words, with what came of it since.
    pub fn last_error(&self) -> Option<String> {
        match (&self.bgp.last_down, &self.bgp.last_failure) {
            (None, None) => None,
            (Some((_, down)), None) => Some(down.to_string()),
            (None, Some((_, failure))) => Some(failure.to_string()),
            (Some((ended, down)), Some((failed, failure))) => Some(match ended > failed {
                true => down.to_string(),
                false => format!("{down}; since then: {failure}"),
            }),
        }
    }
}

/// `None`: it is no reason why the session is not up.
fn cause(reason: &DownReason) -> Option<Cause> {
    Some(match reason {
        DownReason::ConnectFailed(DialFailure::Refused) => Cause::Refused,
        DownReason::ConnectFailed(DialFailure::NoAnswer) => Cause::NoAnswer,
        DownReason::ConnectFailed(DialFailure::Unreachable) => Cause::Unreachable,
        DownReason::ConnectFailed(DialFailure::Other(words)) => Cause::DialFailed(words.clone()),
        DownReason::Closed(words) => Cause::Closed(words.clone()),
        DownReason::NotificationSent(what) => Cause::NotificationSent(notice(what)),
        DownReason::NotificationReceived(what) => Cause::NotificationReceived(notice(what)),
        DownReason::HoldTimerExpired => Cause::HoldTimerExpired,
        DownReason::SendHoldTimerExpired => Cause::SendHoldTimerExpired,
        DownReason::PathFailed => Cause::PathFailed,
        DownReason::MaximumPrefixes { max, .. } => Cause::MaximumPrefixes { max: *max },
        DownReason::Stopped(stop) => Cause::Stopped(stop.to_string()),
        DownReason::Collision | DownReason::ConfigurationChanged | DownReason::Superseded => {
            return None;
        }
    })
}

fn notice(what: &Notification) -> Notice {
    let inner = what.innermost();
    Notice { code: inner.code, subcode: inner.subcode, words: what.to_string() }
}

impl Board {
    pub(super) fn new(epoch: Timestamp) -> Self {
        Self { epoch, inner: Mutex::default(), news: Notify::new() }
    }

    pub(super) fn enrol(&self, id: BgpPeerId) -> Enrolment {
        let mut inner = self.lock();
        inner.enrolments += 1;
        let number = inner.enrolments;
        inner.sessions.insert(id, Seat { number, net: None, status: None });
        Enrolment { id, number }
    }

    /// Takes away the session and its routes.
    pub(super) fn retire(&self, id: BgpPeerId) {
        let mut inner = self.lock();
        if let Some(seat) = inner.sessions.remove(&id) {
            inner.leave(id, seat.net);
            inner.changes.sessions.insert(id);
            drop(inner);
            self.news.notify_waiters();
        }
    }

    pub(super) fn publish(&self, who: Enrolment, bgp: Status, bfd: Option<bfd::Status>) {
        let since = bgp.established_at.map(|at| self.civil(at));
        let status = SessionStatus { epoch: self.epoch, established_since: since, bgp, bfd };
        let mut inner = self.lock();
        let is_new = |seat: &&mut Seat| seat.status.as_deref() != Some(&status);
        let Some(seat) = inner.seat(who).filter(is_new) else { return };
        seat.status = Some(Arc::new(status));
        inner.changes.sessions.insert(who.id);
        drop(inner);
        self.news.notify_waiters();
    }

    /// What the session's Adj-RIB-In reported.
    pub(super) fn update(&self, who: Enrolment, changes: &[RouteChange]) {
        let mut inner = self.lock();
        let Some(seat) = inner.seat(who) else { return };
        let net = seat.net;
        inner.changes.sessions.insert(who.id);
        if let Some(net) = net {
            inner.touch(who.id, net, changes.iter().map(|change| change.prefix));
        }
        drop(inner);
        self.news.notify_waiters();
    }

    /// The session's routes belong to another Net, or to none.
    pub(super) fn assign(&self, who: Enrolment, net: Option<Vni>, offers: &PeerOffers) {
        let mut inner = self.lock();
        let Some(seat) = inner.seat(who).filter(|seat| seat.net != net) else { return };
        let old = std::mem::replace(&mut seat.net, net);
        inner.leave(who.id, old);
        if let Some(net) = net {
            inner.touch(who.id, net, offers.prefixes().into_iter());
            let rib = inner.nets.entry(net).or_insert_with(|| LocRib::new(WAYS_MAX));
            rib.join(who.id, offers.clone());
        }
        drop(inner);
        self.news.notify_waiters();
    }

    pub(super) fn status(&self, id: BgpPeerId) -> Option<Arc<SessionStatus>> {
        self.lock().sessions.get(&id)?.status.clone()
    }

    pub(super) fn snapshot(&self) -> BTreeMap<BgpPeerId, Arc<SessionStatus>> {
        let inner = self.lock();
        inner.sessions.iter().filter_map(|(id, seat)| Some((*id, seat.status.clone()?))).collect()
    }

    pub(super) fn best(&self, net: Vni) -> BTreeMap<IpNet, Vec<BgpPeerId>> {
        let Some(rib) = self.net(net) else { return BTreeMap::new() };
        let prefixes = rib.sessions().flat_map(|(_, offers)| offers.prefixes());
        let best = |prefix| Some((prefix, rib.decide(&prefix).best)).filter(|(_, b)| !b.is_empty());
        prefixes.filter_map(best).collect()
    }

    /// As it is from now on: whoever holds it sees what the sessions learn.
    pub(super) fn net(&self, net: Vni) -> Option<NetRib> {
        self.lock().nets.get(&net).cloned()
    }

    pub(super) async fn changed(&self) {
        loop {
            // Made before the look, so that what happens between look and wait wakes it.
            let news = self.news.notified();
            if !self.lock().changes.is_empty() {
                return;
            }
            news.await;
        }
    }

    pub(super) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.lock().changes)
    }

    fn civil(&self, at: Duration) -> Timestamp {
        self.epoch.checked_add(at).unwrap_or(self.epoch)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn seat(&mut self, who: Enrolment) -> Option<&mut Seat> {
        self.sessions.get_mut(&who.id).filter(|seat| seat.number == who.number)
    }

    fn touch(&mut self, id: BgpPeerId, net: Vni, prefixes: impl Iterator<Item = IpNet>) {
        let mut prefixes = prefixes.peekable();
        if prefixes.peek().is_none() {
            return;
        }
        let touched = self.changes.touched.entry(net).or_default().entry(id).or_default();
        // A customer who flaps while nobody looks costs no more memory than its table.
        if touched.len() >= CROWDED && touched.len() + prefixes.size_hint().0 > touched.capacity() {
            touched.sort_unstable();
            touched.dedup();
        }
        touched.extend(prefixes);
    }

    fn leave(&mut self, id: BgpPeerId, net: Option<Vni>) {
        let Some((net, rib)) = net.and_then(|net| Some((net, self.nets.get_mut(&net)?))) else {
            return;
        };
        let left = rib.leave(&id);
        if rib.is_empty() {
            self.nets.remove(&net);
        }
        if let Some(left) = left {
            self.touch(id, net, left.prefixes().into_iter());
        }
    }
}

/// Prefixes among which it is worth while to look for those that are there twice.
const CROWDED: usize = 1 << 16;

/// As many as a row of the data plane holds.
const WAYS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::fixture::{Customer, prefix};

    fn vni(n: u32) -> Vni {
        n.try_into().unwrap()
    }

    #[test]
    fn what_was_touched_is_told_once_and_decided_as_it_is_now() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let [one, two] = [1, 2].map(|n| board.enrol(BgpPeerId::from_bits(n)));
        let [mut a, mut b] = [65001, 65002].map(Customer::new);
        board.assign(one, Some(vni(7)), &a.peer.offers());
        board.assign(two, Some(vni(7)), &b.peer.offers());
        board.update(one, &[a.announces(0, 1), a.announces(7, 0)].concat());
        board.update(two, &b.announces(0, 0));
        let changes = board.take_changes();
        let touched = [(one.id, vec![prefix(0), prefix(7)]), (two.id, vec![prefix(0)])];
        assert_eq!(changes.touched, [(vni(7), touched.into())].into());
        assert_eq!(changes.sessions, [one.id, two.id].into());
        assert!(board.take_changes().is_empty());
        let best = [(prefix(0), vec![two.id]), (prefix(7), vec![one.id])];
        assert_eq!(board.best(vni(7)), best.into());
        board.retire(two.id);
        assert_eq!(board.take_changes().touched[&vni(7)][&two.id], [prefix(0)]);
        assert_eq!(board.best(vni(7))[&prefix(0)], [one.id]);
    }

    #[test]
    fn a_retired_task_cannot_write_any_more() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let [mut before, mut after] = [65001, 65001].map(Customer::new);
        before.announces(0, 0);
        let old = board.enrol(BgpPeerId::from_bits(1));
        board.assign(old, Some(vni(7)), &before.peer.offers());
        board.retire(old.id);
        after.announces(1, 0);
        let new = board.enrol(BgpPeerId::from_bits(1));
        board.assign(new, Some(vni(7)), &after.peer.offers());
        board.take_changes();
        board.update(old, &before.announces(2, 0));
        assert!(board.take_changes().is_empty());
        assert_eq!(board.best(vni(7)).into_keys().collect::<Vec<_>>(), [prefix(1)]);
    }

    #[test]
    fn routes_follow_their_session_into_another_net() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let who = board.enrol(BgpPeerId::from_bits(1));
        let mut customer = Customer::new(65001);
        customer.announces(0, 0);
        board.assign(who, Some(vni(7)), &customer.peer.offers());
        board.take_changes();
        board.assign(who, Some(vni(8)), &customer.peer.offers());
        assert_eq!((board.best(vni(7)).len(), board.best(vni(8)).len()), (0, 1));
        let touched = board.take_changes().touched;
        assert_eq!(touched.into_keys().collect::<Vec<_>>(), [vni(7), vni(8)]);
        board.assign(who, None, &customer.peer.offers());
        assert_eq!(board.best(vni(8)).len(), 0);
    }

    #[test]
    fn a_customer_who_flaps_while_nobody_looks_costs_no_more_than_its_table() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let who = board.enrol(BgpPeerId::from_bits(1));
        let mut customer = Customer::new(65001);
        board.assign(who, Some(vni(7)), &customer.peer.offers());
        let flap = vec![customer.announces(0, 0).remove(0); 1000];
        for _ in 0..1000 {
            board.update(who, &flap);
        }
        assert!(board.take_changes().touched[&vni(7)][&who.id].len() <= 2 * CROWDED);
    }
}
