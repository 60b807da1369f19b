//! BGP on one VLAN of a port, between our peer and the customer's: two of the real state machines, and a TCP between
//! them that keeps what it was given until the path is there.
//!
//! ```text
//!   ours ═══ path: light, both configured, one key ═══ theirs
//! ```

use directlink_bgp::{ConnId, DialFailure, Input, Output, Peer, PeerConfig, Status, Stop};
use directlink_net::BgpKey;
use std::{collections::BTreeMap, time::Duration};

const LATENCY: Duration = Duration::from_millis(5);
/// Of a connection whose other end is gone.
const NOBODY: ConnId = ConnId::Theirs(u64::MAX);

#[derive(Debug, Default)]
pub(crate) struct Talk {
    ends: [Option<End>; 2],
    is_open: bool,
    packets: BTreeMap<(Duration, u64), Packet>,
    sent: u64,
    accepted: u64,
}

#[derive(Debug)]
struct End {
    peer: Peer,
    /// Our name for a connection → the other end's.
    connections: BTreeMap<ConnId, ConnId>,
    /// What its segments are signed with.
    key: Option<BgpKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

#[derive(Debug)]
struct Packet {
    to: Side,
    what: What,
}

#[derive(Debug)]
enum What {
    Syn(ConnId),
    Opened(ConnId),
    Refused(ConnId),
    Data(ConnId, Vec<u8>),
    Fin(ConnId),
}

impl Talk {
    /// The path is there, or not.
    pub(crate) const fn set_path(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    pub(crate) fn peer(&self, side: Side) -> Option<&Peer> {
        self.ends[side as usize].as_ref().map(|end| &end.peer)
    }

    pub(crate) fn status(&self, side: Side, now: Duration) -> Option<Status> {
        Some(self.peer(side)?.status(now))
    }

    /// A process of that side speaks with this configuration from now on.
    pub(crate) fn set(&mut self, side: Side, config: PeerConfig, now: Duration) {
        match &mut self.ends[side as usize] {
            Some(end) => end.peer.configure(now, config),
            none => {
                let peer = Peer::new(config);
                *none = Some(End { peer, connections: BTreeMap::new(), key: None });
                return self.input(side, now, Input::Start);
            }
        }
        self.carry_out(side, now);
    }

    /// What its segments are signed with from now on.
    pub(crate) fn sign(&mut self, side: Side, key: Option<BgpKey>) {
        self.ends[side as usize].iter_mut().for_each(|end| end.key.clone_from(&key));
    }

    /// Outer `None`: nobody is there.
    pub(crate) fn key(&self, side: Side) -> Option<Option<BgpKey>> {
        self.ends[side as usize].as_ref().map(|end| end.key.clone())
    }

    /// It speaks no more for a while, with words for the other side's log; or again.
    pub(crate) fn open_or_shut(&mut self, side: Side, words: Option<String>, now: Duration) {
        let shut = words.map(|words| Input::Stop(Stop::Shutdown(words)));
        self.input(side, now, shut.unwrap_or(Input::Start));
    }

    /// It says farewell, and is no more.
    pub(crate) fn end(&mut self, side: Side, now: Duration) {
        self.input(side, now, Input::Stop(Stop::Deleted));
        self.die(side, now);
    }

    /// Its process is no more; the kernel resets what it had open.
    pub(crate) fn die(&mut self, side: Side, now: Duration) {
        self.packets.retain(|_, packet| packet.to != side);
        let Some(end) = self.ends[side as usize].take() else { return };
        for far in end.connections.into_values() {
            self.send(now, Packet { to: side.other(), what: What::Fin(far) });
        }
        // The next process has connections of the same numbers, which are not these.
        let far = self.ends[side.other() as usize].iter_mut();
        far.flat_map(|end| end.connections.values_mut()).for_each(|near| *near = NOBODY);
    }

    pub(crate) fn next_event(&self) -> Option<Duration> {
        let packet = self.packets.keys().next().map(|(at, _)| *at).filter(|_| self.is_open);
        let deadlines = self.ends.iter().flatten().filter_map(|end| end.peer.next_deadline());
        deadlines.chain(packet).min()
    }

    /// All that is due by then.
    pub(crate) fn run(&mut self, now: Duration) {
        while let Some(at) = self.next_event().filter(|at| *at <= now) {
            // What waited for the path comes late.
            self.step(at, now);
        }
    }

    fn step(&mut self, at: Duration, now: Duration) {
        let packet = self.packets.first_entry().filter(|it| self.is_open && it.key().0 <= at);
        if let Some(packet) = packet {
            let Packet { to, what } = packet.remove();
            return self.arrive(to, what, now);
        }
        for side in [Side::Ours, Side::Theirs] {
            let deadline = self.peer(side).and_then(Peer::next_deadline);
            if deadline.is_some_and(|due| due <= at) {
                self.input(side, now, Input::Tick);
            }
        }
    }

    fn arrive(&mut self, to: Side, what: What, now: Duration) {
        match what {
            What::Syn(theirs) => self.accept(to, theirs, now),
            What::Opened(conn) => self.input_on(to, conn, now, Input::Opened(conn)),
            What::Refused(conn) => {
                self.input(to, now, Input::ConnectFailed(conn, DialFailure::Refused));
            }
            What::Data(conn, bytes) => {
                self.input_on(to, conn, now, Input::Received(conn, &bytes));
            }
            What::Fin(conn) => {
                let end = self.ends[to as usize].as_mut();
                if end.is_some_and(|end| end.connections.remove(&conn).is_some()) {
                    let words = "connection reset by peer".into();
                    self.input(to, now, Input::Closed(conn, words));
                }
            }
        }
    }

    fn accept(&mut self, to: Side, theirs: ConnId, now: Duration) {
        let from = to.other();
        let [Some(_), Some(_)] = &self.ends else {
            return self.send(now, Packet { to: from, what: What::Refused(theirs) });
        };
        self.accepted += 1;
        let ours = ConnId::Theirs(self.accepted);
        for (side, conn, far) in [(to, ours, theirs), (from, theirs, ours)] {
            let end = self.ends[side as usize].as_mut();
            if let Some(end) = end {
                end.connections.insert(conn, far);
            }
        }
        self.send(now, Packet { to: from, what: What::Opened(theirs) });
        self.input(to, now, Input::Opened(ours));
    }

    /// An input about a connection that this side still has.
    fn input_on(&mut self, side: Side, conn: ConnId, now: Duration, input: Input<'_>) {
        let end = self.ends[side as usize].as_ref();
        if end.is_some_and(|end| end.connections.contains_key(&conn)) {
            self.input(side, now, input);
        }
    }

    fn input(&mut self, side: Side, now: Duration, input: Input<'_>) {
        if let Some(end) = &mut self.ends[side as usize] {
            end.peer.handle(now, input);
            self.carry_out(side, now);
        }
    }

    fn carry_out(&mut self, side: Side, now: Duration) {
        let to = side.other();
        while let Some(end) = &mut self.ends[side as usize]
            && let Some(output) = end.peer.poll_output()
        {
            match output {
                // Where there is no path it is heard of no more.
                Output::Connect(conn) if self.is_open => {
                    self.send(now, Packet { to, what: What::Syn(conn) });
                }
                Output::Send(conn, bytes) => {
                    let Some(&far) = end.connections.get(&conn) else { continue };
                    end.peer.handle(now, Input::Sent(conn, bytes.len()));
                    self.send(now, Packet { to, what: What::Data(far, bytes.to_vec()) });
                }
                Output::Close(conn) => {
                    if let Some(far) = end.connections.remove(&conn) {
                        self.send(now, Packet { to, what: What::Fin(far) });
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, now: Duration, packet: Packet) {
        self.sent += 1;
        self.packets.insert((now + LATENCY, self.sent), packet);
    }
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }
}
