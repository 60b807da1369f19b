//! How sessions end, and what is left of them.

use super::{ConnId, DownReason, Ended, Output, Peer, PeerConfig, Stop, restart, session::Session};
use crate::rib::AdjRibOut;
use crate::{Family, Notification};
use std::time::Duration;

impl Peer {
    /// A new wish. What an open session can take over without being noticed it does; what was said
    /// in the OPEN needs a new session. The same wish twice changes nothing.
    pub fn configure(&mut self, now: Duration, config: PeerConfig) {
        if config == self.config {
            return;
        }
        let same_session = self.config.same_session(&config);
        let new_limits = self.config.limits != config.limits;
        self.config = config;
        self.dialer.set_timings(self.config.timings);
        if same_session {
            self.take_over(now, new_limits);
        } else {
            self.begin_anew(now);
        }
        self.tick(now);
    }

    pub(super) fn stop(&mut self, now: Duration, stop: Stop) {
        self.started = false;
        if let Some(dialled) = self.dialer.quiet() {
            self.outputs.push_back(Output::Close(dialled));
        }
        let farewell = match &stop {
            Stop::Deleted => Some(Notification::peer_deconfigured()),
            Stop::Restart => None,
            Stop::Shutdown(text) => Some(Notification::administrative_shutdown(text)),
        };
        self.end_all(now, farewell.as_ref(), &DownReason::Stopped(stop.clone()));
        if stop != Stop::Restart {
            self.forget_routes();
        }
        self.stale_until = None;
    }

    /// The customer is told at once, over whatever of the path still works.
    pub(super) fn path_failed(&mut self, now: Duration) {
        self.end_all(now, Some(&Notification::bfd_down()), &DownReason::PathFailed);
        self.forget_routes();
    }

    pub(super) fn exceed_limit(&mut self, now: Duration, conn: ConnId, family: Family) {
        let max = self.config.limits.prefixes_max;
        self.say_goodbye(conn, &self.for_good(conn, Notification::maximum_prefixes()));
        self.end(now, conn, DownReason::MaximumPrefixes { family, max });
    }

    /// The end of `conn`, whoever wanted it. Nothing if it is over already.
    pub(super) fn end(&mut self, now: Duration, conn: ConnId, reason: DownReason) {
        let Some(index) = self.sessions.iter().position(|session| session.conn == conn) else {
            return;
        };
        let session = self.sessions.remove(index);
        self.outputs.push_back(Output::Close(conn));
        let lasted = session.established_at.map(|at| now.saturating_sub(at));
        if lasted.is_some() {
            self.go_down(now, &session, &reason);
        }
        match (lasted, reason) {
            (None, DownReason::Collision) => {
                self.redial(now, &DownReason::Collision, Duration::ZERO);
            }
            (None, reason) => self.failed(now, reason, Duration::ZERO),
            (Some(lasted), reason) => {
                self.redial(now, &reason, lasted);
                self.remember(now, &reason, true);
                self.last_down = Some((now, reason));
            }
        }
    }

    /// An attempt that was no session yet.
    pub(super) fn failed(&mut self, now: Duration, reason: DownReason, lasted: Duration) {
        self.redial(now, &reason, lasted);
        self.note_failure(now, reason.clone());
        self.outputs.push_back(Output::Failed(reason));
    }

    pub(super) fn note_failure(&mut self, now: Duration, reason: DownReason) {
        self.remember(now, &reason, false);
        self.last_failure = Some((now, reason));
    }

    /// In place of the former one of its kind: a peer that fails for ever fills nothing.
    /// Two dials that crossed are no failure.
    fn remember(&mut self, at: Duration, reason: &DownReason, was_established: bool) {
        if is_collision(reason) {
            return;
        }
        let ended = Ended { at, reason: reason.clone(), was_established };
        self.endings.retain(|known| !known.is_kin(&ended));
        self.endings.insert(0, ended);
    }

    pub(super) fn say_goodbye(&mut self, conn: ConnId, notification: &Notification) {
        let session = self.session_mut(conn);
        if let Some(bytes) = session.and_then(|session| session.farewell(notification)) {
            self.outputs.push_back(Output::Send(conn, bytes));
        }
    }

    /// An established session is over.
    fn go_down(&mut self, now: Duration, session: &Session, reason: &DownReason) {
        self.rib_out.forget();
        self.near_limit = false;
        self.converged = false;
        self.refresh_owed = false;
        let (conn, family) = (session.conn, self.config.family());
        let agreed = session.negotiated.as_ref().filter(|_| self.config.graceful_restart.is_some());
        let kept = agreed.and_then(|agreed| restart::keeps_routes(reason, agreed, family));
        self.stale_until = kept.map(|time| now + time);
        // Whatever this customer's router can do, forwarding goes on through our own restart.
        let leaving = *reason == DownReason::Stopped(Stop::Restart);
        let routes_kept = leaving || kept.is_some();
        let gone = match (leaving, kept) {
            (true, _) => Vec::new(),
            (false, Some(_)) => self.rib_in.rib().retain_stale(),
            (false, None) => self.rib_in.rib().flush(),
        };
        let (reason, notification) = (reason.clone(), session.last_words());
        self.outputs.push_back(Output::Down { conn, reason, routes_kept, notification });
        self.tell(gone);
    }

    fn redial(&mut self, now: Duration, reason: &DownReason, lasted: Duration) {
        if self.started && self.sessions.is_empty() && !self.dialer.is_dialling() {
            self.dialer.wait_after(now, reason, lasted);
            // Dials that crossed and took each other down must not cross again.
            if self.outranks_peer == Some(false) && is_collision(reason) {
                self.dialer.give_way(now);
            }
        }
    }

    fn take_over(&mut self, now: Duration, new_limits: bool) {
        let changes = self.rib_in.rib().set_policy(self.config.policy());
        self.tell(changes);
        let new =
            AdjRibOut::new(self.config.local_asn, self.config.export(), &self.config.advertised);
        let resend = self.rib_out.replace(new);
        let established =
            self.established().and_then(|s| Some((s.conn, s.negotiated.as_ref()?.four_octet_as)));
        if let Some((conn, four_octet_as)) = established {
            let messages = match resend {
                true => self.rib_out.resend(four_octet_as),
                false => self.rib_out.advance(four_octet_as),
            };
            self.send_all(now, conn, messages);
            let over_limit = self.rib_in.rib().over_limit();
            if let Some(family) = over_limit {
                return self.exceed_limit(now, conn, family);
            }
            self.watch_limit();
        } else if self.started && new_limits && self.sessions.is_empty() {
            // Whoever raises a limit wants to see it tried.
            self.dialer.forgive(now);
        }
    }

    fn begin_anew(&mut self, now: Duration) {
        let farewell = Notification::configuration_changed();
        self.end_all(now, Some(&farewell), &DownReason::ConfigurationChanged);
        self.forget_routes();
        self.rib_in.rib().renew(self.config.policy());
        self.rib_out.forget();
        self.rib_out.replace(AdjRibOut::new(
            self.config.local_asn,
            self.config.export(),
            &self.config.advertised,
        ));
        if let Some(dialled) = self.dialer.quiet() {
            self.outputs.push_back(Output::Close(dialled));
        }
        if self.started {
            self.dialer.forgive(now);
        }
    }

    fn end_all(&mut self, now: Duration, farewell: Option<&Notification>, reason: &DownReason) {
        for conn in self.sessions.iter().map(|session| session.conn).collect::<Vec<_>>() {
            if let Some(farewell) = farewell {
                self.say_goodbye(conn, &self.for_good(conn, farewell.clone()));
            }
            self.end(now, conn, reason.clone());
        }
    }

    fn forget_routes(&mut self) {
        self.stale_until = None;
        let gone = self.rib_in.rib().flush();
        self.tell(gone);
    }

    /// In the form after which the peer keeps no stale routes (RFC 8538 §3).
    fn for_good(&self, conn: ConnId, notification: Notification) -> Notification {
        let agreed = self.session(conn).and_then(|session| session.negotiated.as_ref());
        let restart = agreed.and_then(|agreed| agreed.graceful_restart.as_ref());
        match restart.is_some_and(|restart| restart.notification) {
            true => notification.as_hard_reset(),
            false => notification,
        }
    }
}

fn is_collision(reason: &DownReason) -> bool {
    match reason {
        DownReason::Collision => true,
        DownReason::NotificationReceived(what) => *what == Notification::collision(),
        _ => false,
    }
}
