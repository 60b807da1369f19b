//! A BGP peer (RFC 4271 §8): sessions, timers, limits and routes of one interface.
//!
//! [`Peer`] is driven in four ways. *Getters* ([`Peer::status`], [`Peer::routes`]) look.
//! [`Peer::handle`] and [`Peer::configure`] tell it what happened or is wanted now.
//! [`Peer::poll_output`] says what to do about it, and must be called until it has nothing more.
//! [`Peer::next_deadline`] is when to come back with [`Input::Tick`] if nothing else happens.
//!
//! ```text
//!             Start            due           opened            OPEN          KEEPALIVE
//!   Idle ───────────► Active ──────► Connect ──────► OpenSent ────► OpenConfirm ────► Established
//!    ▲                  ▲  ◄─ failed ──┘                 │               │                │
//!    │ refuses the peer └────────── connection lost ─────┴───────────────┴────────────────┤
//!    └──────────────────── protocol error, too many prefixes, stopped ◄───────────────────┘
//! ```
//!
//! Up to two sessions exist at a time, one per direction of dialling, until the collision rule
//! ends one of them. Everything that a session causes carries its [`ConnId`], so that the end of
//! the loser cannot be taken for the end of the winner.

mod capabilities;
mod collision;
mod config;
mod dial;
mod ending;
mod events;
mod exchange;
mod restart;
mod session;

pub use capabilities::Capabilities;
pub use config::{BadHoldTime, GracefulRestart, HoldTime, PeerConfig, Timings};
pub use events::{
    ConnId, DialFailure, DownReason, Ended, Input, Negotiated, OpenSaid, Output, PeerRestart,
    State, Status, Stop,
};

use crate::bmp::Opens;
use crate::rib::{AdjRibIn, AdjRibOut, LearnedRoute, PeerOffers, RouteChange};
use bytes::Bytes;
use dial::{Dialer, Due};
use ipnet::IpNet;
use session::{Effect, RestartBits, Session};
use std::{collections::VecDeque, time::Duration};

/// One interface's peer. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Peer {
    config: PeerConfig,
    started: bool,
    sessions: Vec<Session>,
    dialer: Dialer,
    rib_in: PeerOffers,
    rib_out: AdjRibOut,
    restart_bits: RestartBits,
    /// When routes that are still stale go, and a table that never said its end counts as told.
    stale_until: Option<Duration>,
    converged: bool,
    /// Whose dial wins where both dial; known from the peer's first OPEN on.
    outranks_peer: Option<bool>,
    /// A ROUTE-REFRESH waits until the peer has taken what it was sent before.
    refresh_owed: bool,
    near_limit: bool,
    last_down: Option<(Duration, DownReason)>,
    last_failure: Option<(Duration, DownReason)>,
    endings: Vec<Ended>,
    last_open: Option<OpenSaid>,
    outputs: VecDeque<Output>,
}

impl Peer {
    /// Does nothing until [`Input::Start`].
    pub fn new(config: PeerConfig) -> Self {
        let restarting = config.graceful_restart.is_some_and(|gr| gr.restarting);
        let seed =
            u64::from(u32::from(config.router_id)) << 32 | u64::from(config.peer_asn.as_u32());
        Self {
            started: false,
            sessions: Vec::new(),
            dialer: Dialer::new(config.timings, seed),
            rib_in: PeerOffers::new(AdjRibIn::new(config.policy())),
            rib_out: AdjRibOut::new(config.local_asn, config.export(), &config.advertised),
            restart_bits: RestartBits { restarting, forwarding_preserved: restarting },
            stale_until: None,
            converged: false,
            outranks_peer: None,
            refresh_owed: false,
            near_limit: false,
            last_down: None,
            last_failure: None,
            endings: Vec::new(),
            last_open: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    pub const fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// A peer as it is `now`.
    pub fn status(&self, now: Duration) -> Status {
        let furthest = self.sessions.iter().max_by_key(|session| session.state());
        Status {
            state: self.state(now),
            session: furthest.map(|session| session.conn),
            established_at: furthest.and_then(|session| session.established_at),
            negotiated: furthest.and_then(|session| session.negotiated.clone()),
            converged: self.converged,
            last_down: self.last_down.clone(),
            last_failure: self.last_failure.clone(),
            endings: self.endings.clone(),
            last_open: self.last_open,
            retry_at: self.dialer.retry_at().filter(|_| self.started),
            routes: self.rib_in.rib().counts(),
            near_limit: self.near_limit,
            advertised: self.advertised().count() as u32,
        }
    }

    /// What the peer has announced, refused prefixes included, in order of prefix.
    pub fn routes(&self) -> Vec<LearnedRoute> {
        self.first_routes(usize::MAX)
    }

    /// The first so many of them.
    pub fn first_routes(&self, most: usize) -> Vec<LearnedRoute> {
        self.rib_in.rib().first_routes(most)
    }

    /// What of it is accepted, as [`Output::Routes`] told it.
    pub fn offered(&self) -> Vec<RouteChange> {
        self.rib_in.rib().offered()
    }

    /// The same as it is from now on, for a Loc-RIB.
    pub fn offers(&self) -> PeerOffers {
        self.rib_in.clone()
    }

    /// From now on changes of routes are noted down for [`Self::take_touched`] and
    /// [`Self::take_said`], which must be called from time to time.
    pub fn watch_routes(&mut self) {
        self.rib_in.rib().watch();
        self.rib_out.watch();
    }

    /// Prefixes that the peer announced or withdrew, or that are judged otherwise, since the last
    /// time.
    pub fn take_touched(&mut self) -> Vec<IpNet> {
        self.rib_in.rib().take_touched()
    }

    /// UPDATEs that we sent since the last time, with 4-octet AS numbers.
    pub fn take_said(&mut self) -> Vec<Bytes> {
        self.rib_out.take_said()
    }

    /// UPDATEs that say all that the peer has been told in this session.
    pub fn retold(&self) -> Vec<Bytes> {
        self.rib_out.retold()
    }

    /// Both OPENs of the session that is established.
    pub fn opens(&self) -> Option<Opens> {
        self.established().map(Session::opens)
    }

    /// What the peer has been told in this session.
    pub fn advertised(&self) -> impl Iterator<Item = IpNet> {
        self.rib_out.told()
    }

    /// Something happened. Inputs about a connection that is gone are passed over.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Start => self.start(now),
            Input::Hurry => self.dialer.hurry(now),
            Input::Stop(stop) => self.stop(now, stop),
            Input::Opened(conn) => self.opened(now, conn),
            Input::ConnectFailed(conn, detail) => {
                if self.dialer.settle(conn) {
                    self.failed(now, DownReason::ConnectFailed(detail), Duration::ZERO);
                }
            }
            Input::Received(conn, bytes) => self.received(now, conn, bytes),
            Input::Sent(conn, bytes) => self.sent(now, conn, bytes),
            Input::PathFailed => self.path_failed(now),
            Input::Closed(conn, detail) => self.end(now, conn, DownReason::Closed(detail)),
            Input::Tick => {}
        }
        self.tick(now);
    }

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() && self.outputs.capacity() > OUTPUTS_KEPT {
            // Thousands of idle peers must not each hold on to what a whole table took.
            self.outputs = VecDeque::new();
        }
        next
    }

    /// When [`Input::Tick`] is due. In the past if it is overdue.
    pub fn next_deadline(&self) -> Option<Duration> {
        let sessions = self.sessions.iter().filter_map(Session::next_deadline);
        sessions.chain(self.dial_deadline()).chain(self.stale_until).min()
    }

    fn state(&self, now: Duration) -> State {
        match self.sessions.iter().map(Session::state).max() {
            Some(state) => state,
            None if !self.started || self.dialer.refuses(now) => State::Idle,
            None if self.dialer.is_dialling() => State::Connect,
            None => State::Active,
        }
    }

    fn start(&mut self, now: Duration) {
        if !self.started {
            self.started = true;
            self.dialer.forgive(now);
        }
    }

    fn opened(&mut self, now: Duration, conn: ConnId) {
        let expected = match conn {
            ConnId::Ours(_) => self.dialer.settle(conn) && self.established().is_none(),
            ConnId::Theirs(_) => self.started && !self.dialer.refuses(now),
        };
        if !expected {
            return self.outputs.push_back(Output::Close(conn));
        }
        // A peer that dials again has given up what it dialled before.
        let older: Vec<_> = self
            .sessions
            .iter()
            .filter(|session| !session.is_established() && same_side(session.conn, conn))
            .map(|session| session.conn)
            .collect();
        for conn in older {
            self.lose_collision(now, conn);
        }
        let (session, effects) = Session::open(conn, &self.config, self.restart_bits, now);
        // Nearly always the only one: not room for four.
        self.sessions.reserve_exact(1);
        self.sessions.push(session);
        self.carry_out(now, conn, effects);
    }

    fn sent(&mut self, now: Duration, conn: ConnId, bytes: usize) {
        if let Some(session) = self.session_mut(conn) {
            session.sent(now, bytes);
            self.answer_refresh(now);
        }
    }

    fn tick(&mut self, now: Duration) {
        let due: Vec<_> = self
            .sessions
            .iter()
            .filter(|session| session.next_deadline().is_some_and(|at| at <= now))
            .map(|session| session.conn)
            .collect();
        for conn in due {
            if let Some(session) = self.session_mut(conn) {
                let effects = session.tick(now);
                self.carry_out(now, conn, effects);
            }
        }
        if self.stale_until.take_if(|until| *until <= now).is_some() {
            let changes = self.rib_in.rib().sweep_stale(self.config.family());
            self.tell(changes);
            if let Some(conn) = self.established().map(|session| session.conn) {
                self.converge(conn);
            }
        }
        while let Some(due) = self.dial_deadline().and_then(|_| self.dialer.tick(now)) {
            let output = match due {
                Due::Dial(conn) => Output::Connect(conn),
                Due::GiveUp(conn) => {
                    self.note_failure(now, DownReason::ConnectFailed(DialFailure::NoAnswer));
                    Output::Close(conn)
                }
            };
            self.outputs.push_back(output);
        }
    }

    /// `None` while a session is on its way: there is nothing to dial for.
    fn dial_deadline(&self) -> Option<Duration> {
        let wanted = self.started && (self.sessions.is_empty() || self.dialer.is_dialling());
        self.dialer.next_deadline().filter(|_| wanted)
    }

    fn carry_out(&mut self, now: Duration, conn: ConnId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(bytes) => self.outputs.push_back(Output::Send(conn, bytes)),
                Effect::Established => self.become_established(now, conn),
                Effect::Ended(reason) => self.end(now, conn, reason),
            }
        }
    }

    fn session(&self, conn: ConnId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.conn == conn)
    }

    fn session_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.conn == conn)
    }

    fn established(&self) -> Option<&Session> {
        self.sessions.iter().find(|session| session.is_established())
    }

    fn tell(&mut self, changes: Vec<RouteChange>) {
        if !changes.is_empty() {
            self.outputs.push_back(Output::Routes(changes));
        }
    }
}

/// Room for outputs that an idle peer keeps: its KEEPALIVEs shall not allocate.
const OUTPUTS_KEPT: usize = 4;

const fn same_side(a: ConnId, b: ConnId) -> bool {
    matches!((a, b), (ConnId::Ours(_), ConnId::Ours(_)) | (ConnId::Theirs(_), ConnId::Theirs(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_net::Asn;

    #[test]
    fn a_peer_that_is_idle_again_holds_no_queue_of_a_whole_table() {
        let asns = [50624u32, 65001].map(|asn| Asn::try_from(asn).unwrap());
        let addresses = [[169, 254, 0, 1], [169, 254, 0, 2]].map(Into::into);
        let config = PeerConfig::new(asns.into(), [10, 0, 0, 1].into(), addresses.into());
        let mut peer = Peer::new(config);
        peer.outputs.extend((0..100).map(|n| Output::Connect(ConnId::Ours(n))));
        while peer.poll_output().is_some() {}
        assert!(peer.outputs.capacity() <= OUTPUTS_KEPT);
    }
}
