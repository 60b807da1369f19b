//! Two peers and the network between them, in memory.
//!
//! ```text
//!   Side::A  Ours(1) ═══ latency ═══ Theirs(1)  Side::B
//!            Theirs(1) ═══════════════ Ours(1)
//! ```
//!
//! Time jumps to the next thing that happens. A pulled cable swallows what is sent, as a dead
//! link does; nobody is told.

use directlink_bgp::{ConnId, DialFailure, Input, Output, Peer, PeerConfig, Status, Stop};
use std::{collections::BTreeMap, time::Duration};

pub(crate) struct Pair {
    pub(crate) now: Duration,
    pub(crate) latency: Duration,
    pub(crate) cable: bool,
    /// Whether B's port is listening.
    pub(crate) b_listens: bool,
    pub(crate) a: End,
    pub(crate) b: End,
    network: BTreeMap<(Duration, u64), Packet>,
    sent: u64,
    accepted: u64,
}

pub(crate) struct End {
    pub(crate) peer: Peer,
    /// Everything it said, in order.
    pub(crate) said: Vec<Output>,
    /// Our name for a connection → the other end's.
    connections: BTreeMap<ConnId, ConnId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}

enum Packet {
    Syn { to: Side, theirs: ConnId },
    Opened { at: Side, conn: ConnId },
    Refused { at: Side, conn: ConnId },
    Data { at: Side, conn: ConnId, bytes: Vec<u8> },
    Fin { at: Side, conn: ConnId },
}

impl Pair {
    pub(crate) fn new(a: PeerConfig, b: PeerConfig) -> Self {
        Self {
            now: Duration::ZERO,
            latency: Duration::from_millis(5),
            cable: true,
            b_listens: true,
            a: End::new(a),
            b: End::new(b),
            network: BTreeMap::new(),
            sent: 0,
            accepted: 0,
        }
    }

    /// Both started at once, and run until both are up.
    pub(crate) fn up(a: PeerConfig, b: PeerConfig) -> Self {
        let mut pair = Self::new(a, b);
        pair.start(Side::A);
        pair.start(Side::B);
        pair.run(Duration::from_secs(5));
        assert!(pair.both_up(), "{:?} {:?}", pair.status(Side::A), pair.status(Side::B));
        pair
    }

    pub(crate) fn start(&mut self, side: Side) {
        self.input(side, Input::Start);
    }

    pub(crate) fn stop(&mut self, side: Side, stop: Stop) {
        self.input(side, Input::Stop(stop));
    }

    pub(crate) fn configure(&mut self, side: Side, config: PeerConfig) {
        let now = self.now;
        self.end(side).peer.configure(now, config);
        self.carry_out(side);
    }

    /// The process behind `side` dies and another takes its place; the kernel resets its
    /// connections if it still runs (`resets`).
    pub(crate) fn replace(&mut self, side: Side, config: PeerConfig, resets: bool) {
        let old = std::mem::replace(self.end(side), End::new(config));
        for far in old.connections.into_values() {
            if resets {
                self.send_in(self.latency, Packet::Fin { at: side.other(), conn: far });
            }
            // The new process has connections of the same numbers, which are not these.
            self.end(side.other()).connections.insert(far, NOBODY);
        }
        self.start(side);
    }

    /// Lets `time` pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    pub(crate) fn both_up(&self) -> bool {
        [Side::A, Side::B].into_iter().all(|side| self.status(side).established_at.is_some())
    }

    pub(crate) fn status(&self, side: Side) -> Status {
        let end = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        end.peer.status(self.now)
    }

    pub(crate) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    fn next_event(&self) -> Option<Duration> {
        let packet = self.network.keys().next().map(|(at, _)| *at);
        let deadlines = [&self.a, &self.b].map(|end| end.peer.next_deadline());
        packet.into_iter().chain(deadlines.into_iter().flatten()).min()
    }

    fn step(&mut self) {
        let due = self.network.first_entry().filter(|entry| entry.key().0 <= self.now);
        if let Some(packet) = due {
            return match packet.remove() {
                Packet::Syn { to, theirs } => self.accept(to, theirs),
                Packet::Opened { at, conn } => self.input_on(at, conn, Input::Opened(conn)),
                Packet::Refused { at, conn } => {
                    self.input(at, Input::ConnectFailed(conn, DialFailure::Refused));
                }
                Packet::Data { at, conn, bytes } => {
                    self.input_on(at, conn, Input::Received(conn, &bytes));
                }
                Packet::Fin { at, conn } => {
                    if self.end(at).connections.remove(&conn).is_some() {
                        self.input(at, Input::Closed(conn, "connection reset by peer".into()));
                    }
                }
            };
        }
        for side in [Side::A, Side::B] {
            let now = self.now;
            if self.end(side).peer.next_deadline().is_some_and(|at| at <= now) {
                self.input(side, Input::Tick);
            }
        }
    }

    fn accept(&mut self, to: Side, theirs: ConnId) {
        let from = to.other();
        if to == Side::B && !self.b_listens {
            return self.send_in(self.latency, Packet::Refused { at: from, conn: theirs });
        }
        self.accepted += 1;
        let ours = ConnId::Theirs(self.accepted);
        self.end(to).connections.insert(ours, theirs);
        self.end(from).connections.insert(theirs, ours);
        self.send_in(self.latency, Packet::Opened { at: from, conn: theirs });
        self.input(to, Input::Opened(ours));
    }

    /// An input about a connection that this side still has.
    fn input_on(&mut self, side: Side, conn: ConnId, input: Input<'_>) {
        if self.end(side).connections.contains_key(&conn) {
            self.input(side, input);
        }
    }

    pub(crate) fn input(&mut self, side: Side, input: Input<'_>) {
        let now = self.now;
        self.end(side).peer.handle(now, input);
        self.carry_out(side);
    }

    fn carry_out(&mut self, side: Side) {
        while let Some(output) = self.end(side).peer.poll_output() {
            self.end(side).said.push(output.clone());
            match output {
                Output::Connect(conn) => {
                    self.send_in(self.latency, Packet::Syn { to: side.other(), theirs: conn });
                }
                Output::Send(conn, bytes) => {
                    let now = self.now;
                    let Some(far) = self.end(side).connections.get(&conn).copied() else {
                        continue;
                    };
                    if self.cable {
                        self.end(side).peer.handle(now, Input::Sent(conn, bytes.len()));
                    }
                    let data = Packet::Data { at: side.other(), conn: far, bytes: bytes.to_vec() };
                    self.send_in(self.latency, data);
                }
                Output::Close(conn) => {
                    if let Some(far) = self.end(side).connections.remove(&conn) {
                        self.send_in(self.latency, Packet::Fin { at: side.other(), conn: far });
                    }
                }
                _ => {}
            }
        }
    }

    fn send_in(&mut self, after: Duration, packet: Packet) {
        if self.cable {
            self.sent += 1;
            self.network.insert((self.now + after, self.sent), packet);
        }
    }
}

impl End {
    fn new(config: PeerConfig) -> Self {
        Self { peer: Peer::new(config), said: Vec::new(), connections: BTreeMap::new() }
    }

    pub(crate) fn accepted(&self) -> Vec<ipnet::IpNet> {
        let routes = self.peer.routes().into_iter();
        routes.filter(|route| route.refused.is_none()).map(|route| route.prefix).collect()
    }

    /// Forgets what was said until now.
    pub(crate) fn hush(&mut self) {
        self.said.clear();
    }
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

const NOBODY: ConnId = ConnId::Theirs(u64::MAX);
