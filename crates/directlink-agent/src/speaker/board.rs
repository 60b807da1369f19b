//! Where the sessions' tasks write and the agent reads: a status per session, a Loc-RIB per Net,
//! and what has changed since somebody looked.

use directlink_bgp::{
    DialFailure, DownReason, Ended, LocRib, Notification, RouteChange, Status, bfd,
};
use directlink_model::{
    evidence::{self, Cause, Ending, Notice, OpenSeen, SessionEvidence},
    ids::BgpPeerId,
};
use directlink_net::{IpNet, Vni};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
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
    /// Per Net, prefixes and the sessions that each is now reached through, best first; none
    /// where it can no longer be reached.
    pub routes: BTreeMap<Vni, BTreeMap<IpNet, Vec<BgpPeerId>>>,
}

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
    nets: BTreeMap<Vni, LocRib<BgpPeerId>>,
    changes: Changes,
}

#[derive(Debug)]
struct Seat {
    number: u64,
    net: Option<Vni>,
    status: Option<SessionStatus>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.routes.is_empty()
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

    fn civil(&self, at: Duration) -> Timestamp {
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
        let status = Some(SessionStatus { epoch: self.epoch, established_since: since, bgp, bfd });
        let mut inner = self.lock();
        let Some(seat) = inner.seat(who).filter(|seat| seat.status != status) else { return };
        seat.status = status;
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
            inner.offer(who.id, net, changes);
        }
        drop(inner);
        self.news.notify_waiters();
    }

    /// The session's routes belong to another Net, or to none; `offered` is all it has.
    pub(super) fn assign(&self, who: Enrolment, net: Option<Vni>, offered: &[RouteChange]) {
        let mut inner = self.lock();
        let Some(seat) = inner.seat(who).filter(|seat| seat.net != net) else { return };
        let old = std::mem::replace(&mut seat.net, net);
        inner.leave(who.id, old);
        if let Some(net) = net {
            inner.offer(who.id, net, offered);
        }
        drop(inner);
        self.news.notify_waiters();
    }

    pub(super) fn status(&self, id: BgpPeerId) -> Option<SessionStatus> {
        self.lock().sessions.get(&id)?.status.clone()
    }

    pub(super) fn snapshot(&self) -> BTreeMap<BgpPeerId, SessionStatus> {
        let inner = self.lock();
        inner.sessions.iter().filter_map(|(id, seat)| Some((*id, seat.status.clone()?))).collect()
    }

    pub(super) fn best(&self, net: Vni) -> BTreeMap<IpNet, Vec<BgpPeerId>> {
        let inner = self.lock();
        let rib = inner.nets.get(&net);
        rib.into_iter().flat_map(LocRib::best).map(|(prefix, ids)| (prefix, ids.to_vec())).collect()
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

    fn offer(&mut self, id: BgpPeerId, net: Vni, changes: &[RouteChange]) {
        let rib = self.nets.entry(net).or_insert_with(|| LocRib::new(WAYS_MAX));
        let best: Vec<_> = changes.iter().filter_map(|change| rib.update(&id, change)).collect();
        if !best.is_empty() {
            let told = best.into_iter().map(|change| (change.prefix, change.best));
            self.changes.routes.entry(net).or_default().extend(told);
        }
    }

    fn leave(&mut self, id: BgpPeerId, net: Option<Vni>) {
        let Some((net, rib)) = net.and_then(|net| Some((net, self.nets.get_mut(&net)?))) else {
            return;
        };
        let best = rib.remove(&id);
        if rib.is_empty() {
            self.nets.remove(&net);
        }
        if !best.is_empty() {
            let told = best.into_iter().map(|change| (change.prefix, change.best));
            self.changes.routes.entry(net).or_default().extend(told);
        }
    }
}

/// As many as a row of the data plane holds.
const WAYS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_bgp::{Origin, Path};

    fn offer(prefix: &str, as_path_length: u16) -> RouteChange {
        let path = Path {
            local_pref: 100,
            as_path_length,
            origin: Origin::Igp,
            med: 0,
            neighbor_asn: 65000u32.try_into().unwrap(),
            router_id: [10, 0, 0, 1].into(),
            peer_addr: [172, 16, 0, 2].into(),
        };
        RouteChange { prefix: prefix.parse().unwrap(), path: Some(path) }
    }

    fn vni(n: u32) -> Vni {
        n.try_into().unwrap()
    }

    #[test]
    fn changes_are_told_once_as_they_are_now() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let [one, two] = [1, 2].map(|n| board.enrol(BgpPeerId::from_bits(n)));
        board.assign(one, Some(vni(7)), &[]);
        board.assign(two, Some(vni(7)), &[]);
        board.update(one, &[offer("192.168.0.0/16", 2), offer("192.168.7.0/24", 1)]);
        board.update(two, &[offer("192.168.0.0/16", 1)]);
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        let routes =
            [(prefix("192.168.0.0/16"), vec![two.id]), (prefix("192.168.7.0/24"), vec![one.id])];
        let changes = board.take_changes();
        assert_eq!(changes.routes, [(vni(7), routes.into())].into());
        assert_eq!(changes.sessions, [one.id, two.id].into());
        assert!(board.take_changes().is_empty());
        board.retire(two.id);
        assert_eq!(
            board.take_changes().routes,
            [(vni(7), [(prefix("192.168.0.0/16"), vec![one.id])].into())].into()
        );
        assert_eq!(board.best(vni(7)).len(), 2);
    }

    #[test]
    fn a_retired_task_cannot_write_any_more() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let old = board.enrol(BgpPeerId::from_bits(1));
        board.assign(old, Some(vni(7)), &[offer("192.168.0.0/16", 1)]);
        board.retire(old.id);
        let new = board.enrol(BgpPeerId::from_bits(1));
        board.assign(new, Some(vni(7)), &[offer("192.168.1.0/24", 1)]);
        board.take_changes();
        let gone = RouteChange { path: None, ..offer("192.168.1.0/24", 1) };
        board.update(old, &[gone, offer("192.168.2.0/24", 1)]);
        assert!(board.take_changes().is_empty());
        assert_eq!(board.best(vni(7)).len(), 1);
    }

    #[test]
    fn routes_follow_their_session_into_another_net() {
        let board = Board::new(Timestamp::UNIX_EPOCH);
        let who = board.enrol(BgpPeerId::from_bits(1));
        let offered = [offer("192.168.0.0/16", 1)];
        board.assign(who, Some(vni(7)), &offered);
        board.assign(who, Some(vni(8)), &offered);
        assert_eq!((board.best(vni(7)).len(), board.best(vni(8)).len()), (0, 1));
        board.assign(who, None, &offered);
        assert_eq!(board.best(vni(8)).len(), 0);
    }
}
