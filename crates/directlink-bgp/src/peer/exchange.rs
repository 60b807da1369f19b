//! What a peer does with messages, while a session comes up and once it is.

use super::session::Session;
use super::{ConnId, DownReason, Negotiated, OpenSaid, Output, Peer, collision, restart};
use crate::{Family, Notification, wire};
use bytes::Bytes;
use rustbgpd_fsm::Event;
use rustbgpd_wire::{
    Message, OpenMessage, RouteRefreshMessage, RouteRefreshSubtype, UpdateMessage,
};
use std::time::Duration;

impl Peer {
    pub(super) fn received(&mut self, now: Duration, conn: ConnId, bytes: &[u8]) {
        if let Some(session) = self.session_mut(conn) {
            session.feed(bytes);
        }
        // A message may end the session, which ends the loop.
        while let Some(session) = self.session_mut(conn) {
            match session.next_message() {
                Ok(Some(message)) => self.message(now, conn, message),
                Ok(None) => return,
                Err(error) => self.drive(now, conn, Event::DecodeError(error)),
            }
        }
    }

    /// The session is up: the table goes out, and what is stale is judged.
    pub(super) fn become_established(&mut self, now: Duration, conn: ConnId) {
        let others = self.sessions.iter().map(|session| session.conn);
        for other in others.filter(|other| *other != conn).collect::<Vec<_>>() {
            self.lose_collision(now, other);
        }
        if let Some(dialled) = self.dialer.quiet() {
            self.outputs.push_back(Output::Close(dialled));
        }
        let Some(agreed) = self.session(conn).and_then(|session| session.negotiated.clone()) else {
            return;
        };
        let family = self.config.family();
        self.outputs.push_back(Output::Established(conn, Box::new(agreed.clone())));
        self.converged = false;
        self.refresh_owed = false;
        self.rib_in.rib().begin(agreed.peer_router_id);
        // From here on forwarding state outlives a lost session, and nothing restarts.
        self.restart_bits.restarting = false;
        self.restart_bits.forwarding_preserved = true;
        if !restart::still_good(&agreed, family) {
            let changes = self.rib_in.rib().sweep_stale(family);
            self.tell(changes);
        }
        self.stale_until = Some(now + self.config.timings.stale_path);
        self.rib_out.forget();
        let table = self.rib_out.advance(agreed.four_octet_as);
        self.send_all(now, conn, table);
        if agreed.graceful_restart.is_some() {
            self.send_all(now, conn, wire::end_of_rib_marker(family));
        }
    }

    /// Answers an owed ROUTE-REFRESH as soon as the peer keeps up.
    pub(super) fn answer_refresh(&mut self, now: Duration) {
        let ready = |session: &&Session| session.is_established() && !session.is_congested();
        let Some((conn, agreed)) = self
            .sessions
            .iter()
            .find(ready)
            .filter(|_| self.refresh_owed)
            .and_then(|session| Some((session.conn, session.negotiated.clone()?)))
        else {
            return;
        };
        self.refresh_owed = false;
        let bracket = |subtype| {
            let enhanced = agreed.enhanced_route_refresh;
            enhanced.then(|| wire::route_refresh(self.config.family(), subtype)).flatten()
        };
        let (begin, end) = (bracket(RouteRefreshSubtype::BoRR), bracket(RouteRefreshSubtype::EoRR));
        let table = self.rib_out.resend(agreed.four_octet_as);
        self.send_all(now, conn, begin.into_iter().chain(table).chain(end));
    }

    pub(super) fn send_all(
        &mut self,
        now: Duration,
        conn: ConnId,
        messages: impl IntoIterator<Item = Bytes>,
    ) {
        for bytes in messages {
            if let Some(session) = self.session_mut(conn) {
                session.queued(now, bytes.len());
                self.outputs.push_back(Output::Send(conn, bytes));
            }
        }
    }

    /// Ends `conn` in favour of another; no error, and nobody's routes are touched.
    pub(super) fn lose_collision(&mut self, now: Duration, conn: ConnId) {
        self.say_goodbye(conn, &Notification::collision());
        self.end(now, conn, DownReason::Collision);
    }

    fn message(&mut self, now: Duration, conn: ConnId, message: Message) {
        if let Message::Open(open) = &message {
            self.last_open = Some(OpenSaid {
                at: now,
                asn: open.four_byte_as(),
                hold_time_seconds: open.hold_time,
                bgp_identifier: open.bgp_identifier,
            });
        }
        match message {
            Message::Open(open) if self.survives_collision(now, conn, &open) => {
                self.drive(now, conn, Event::OpenReceived(open));
            }
            Message::Keepalive => {
                // A peer without End-of-RIB has told all it knows when it next says only this.
                let told_all = self.agreed(conn).is_some_and(|a| a.graceful_restart.is_none());
                self.drive(now, conn, Event::KeepaliveReceived);
                if told_all {
                    self.converge(conn);
                }
            }
            Message::Notification(message) => {
                self.drive(now, conn, Event::NotificationReceived(message));
            }
            Message::Update(update) => self.update(now, conn, &update),
            Message::RouteRefresh(message) => self.route_refresh(now, conn, &message),
            // An OPEN that lost; the codec refuses types that it does not know.
            _ => {}
        }
    }

    fn update(&mut self, now: Duration, conn: ConnId, update: &UpdateMessage) {
        self.drive(now, conn, Event::UpdateReceived);
        let Some(four_octet_as) = self.agreed(conn).map(|agreed| agreed.four_octet_as) else {
            return;
        };
        let applied = self.rib_in.rib().apply(update, four_octet_as);
        let applied = match applied {
            Ok(applied) => applied,
            Err(reset) => {
                return self.drive(now, conn, Event::UpdateValidationError(reset.to_wire()));
            }
        };
        self.tell(applied.changes);
        if let Some(family) = applied.over_limit {
            return self.exceed_limit(now, conn, family);
        }
        self.watch_limit();
        if let Some(family) = applied.end_of_rib {
            if !self.converged {
                self.end_stale(family);
            }
            self.converge(conn);
        }
    }

    fn route_refresh(&mut self, now: Duration, conn: ConnId, message: &RouteRefreshMessage) {
        // For the state machine it is as good a sign of life as an UPDATE.
        self.drive(now, conn, Event::UpdateReceived);
        let family = message.afi().zip(message.safi()).and_then(|(a, s)| Family::from_wire(a, s));
        let Some(family) =
            family.filter(|f| self.agreed(conn).is_some_and(|a| a.families.contains(f)))
        else {
            return;
        };
        let enhanced = self.agreed(conn).is_some_and(|agreed| agreed.enhanced_route_refresh);
        match RouteRefreshSubtype::from_u8(message.subtype_raw) {
            RouteRefreshSubtype::Normal => {
                self.refresh_owed = true;
                self.answer_refresh(now);
            }
            // RFC 7313 §4.2: before the initial End-of-RIB it means nothing.
            RouteRefreshSubtype::BoRR if enhanced && self.converged => {
                self.end_stale(family);
                self.rib_in.rib().begin_refresh(family);
                self.stale_until = Some(now + self.config.timings.stale_path);
            }
            RouteRefreshSubtype::EoRR if enhanced && self.converged => self.end_stale(family),
            _ => {}
        }
    }

    /// Says once that the limit is near.
    pub(super) fn watch_limit(&mut self) {
        let near = self.rib_in.rib().near_limit();
        if let (Some(family), false) = (near, self.near_limit) {
            let max = self.config.limits.prefixes_max;
            self.outputs.push_back(Output::NearLimit { family, max });
        }
        self.near_limit = near.is_some();
    }

    /// What was not sent again is gone.
    fn end_stale(&mut self, family: Family) {
        self.stale_until = None;
        let changes = self.rib_in.rib().sweep_stale(family);
        self.tell(changes);
    }

    pub(super) fn converge(&mut self, conn: ConnId) {
        if !std::mem::replace(&mut self.converged, true) {
            self.outputs.push_back(Output::Converged(conn));
        }
    }

    /// RFC 4271 §6.8, on an OPEN: whether `conn` goes on. An OPEN that would be refused anyway
    /// contests nothing.
    fn survives_collision(&mut self, now: Duration, conn: ConnId, open: &OpenMessage) -> bool {
        let Some(newcomer) = self.session(conn) else { return false };
        let Some(remote) = newcomer.identify(open) else { return true };
        let opened_at = newcomer.opened_at;
        self.outranks_peer = Some(self.rank() > remote.into());
        let Some(rival) = self.rival(now, conn) else { return true };
        let (present, established_at) = (rival.conn, rival.established_at);
        let stays = match established_at {
            Some(at) => self.is_revival(conn, opened_at, present, at),
            None => collision::newcomer_stays(conn, present, self.rank(), remote.into()),
        };
        match (stays, established_at) {
            (true, Some(_)) => self.end(now, present, DownReason::Superseded),
            (true, None) => self.lose_collision(now, present),
            (false, _) => self.lose_collision(now, conn),
        }
        stays
    }

    /// The session that an OPEN on `conn` contests. One that has not heard an OPEN itself does
    /// count while it is young: the other side, which may have, then comes to the same end (the
    /// RFC's MAY). An old one of that kind is likely dead, and must not keep out the living.
    fn rival(&self, now: Duration, conn: ConnId) -> Option<&Session> {
        let counts = |session: &&Session| {
            session.conn != conn
                && (session.state() >= super::State::OpenConfirm
                    || now < session.opened_at + CROSSING)
        };
        self.sessions.iter().filter(counts).max_by_key(|session| session.state())
    }

    /// RFC 4724 §5: a peer that restarts gracefully and dials anew has lost the old connection.
    /// One whose dial crossed ours was merely slow.
    fn is_revival(&self, conn: ConnId, opened_at: Duration, old: ConnId, at: Duration) -> bool {
        let restarts = self.agreed(old).is_some_and(|agreed| {
            agreed.graceful_restart.as_ref().is_some_and(|gr| !gr.families.is_empty())
        });
        restarts && matches!(conn, ConnId::Theirs(_)) && opened_at > at + CROSSING
    }

    fn rank(&self) -> collision::Rank {
        collision::Rank::new(self.config.router_id, self.config.local_asn.as_u32())
    }

    fn drive(&mut self, now: Duration, conn: ConnId, event: Event) {
        if let Some(session) = self.session_mut(conn) {
            let effects = session.handle(now, event);
            self.carry_out(now, conn, effects);
        }
    }

    /// `None` unless `conn` is established.
    fn agreed(&self, conn: ConnId) -> Option<&Negotiated> {
        self.session(conn)?.negotiated.as_ref()
    }
}

/// How far apart two dials may be that cross: beyond it they have nothing to do with each other.
const CROSSING: Duration = Duration::from_secs(5);
