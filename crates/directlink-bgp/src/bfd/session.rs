//! One BFD session (RFC 5880 §6.2, §6.8).
//!
//! ```text
//!              Down, AdminDown heard             Init, Up heard
//!            ┌──────────┐                        ┌──────────┐
//!            │          ▼   Down heard           │          ▼
//!  disabled  │   ┌──────────┐ ─────────► ┌───────┴──┐  ┌──────────┐
//!  AdminDown ┼──►│   Down   │            │   Init   │  │    Up    │
//!            │   └──────────┘ ◄───────── └──────────┘  └────┬─────┘
//!            │     ▲   │ Init heard        time expired,    │
//!            │     │   └───────────────────────────────────►│
//!            │     └── Down, AdminDown heard; time expired ─┘
//! ```
//!
//! Nothing here counts down. When a packet is due and when the peer is dead both follow from what
//! was last sent and heard, so that an interval that changes needs no timer to be moved.

use super::packet::{Diagnostic, Discard, PACKET_BYTES, Packet, State};
use super::timing::{Interval, SLOW_MICROS, Settings, duration, jittered};
use std::{
    num::{NonZeroU8, NonZeroU32},
    time::Duration,
};

/// Who speaks first (RFC 5880 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Active,
    /// Silent until the peer is heard: whether a path has BFD is the other side's choice.
    Passive,
}

/// What can happen to a session.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The payload of a packet that the shell found to come from this peer, over one hop.
    Received(&'a [u8]),
    /// When the forwarding last heard the peer in this session's place ([`Kept`]).
    HeardElsewhere(Duration),
    Configure(Settings),
    /// On purpose, for a while or for good: says so, for as long as the peer needs to hear it.
    Disable,
    Enable,
    /// [`Session::next_deadline`] has come.
    Tick,
}

/// What a session wants done, or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Send([u8; PACKET_BYTES]),
    /// Packets go both ways.
    Up,
    /// It was Up, and the path is dead, or the peer says so: those who use it must act.
    Failed(Diagnostic),
    /// It was Up, and one of the sides wants it no more. Nothing is said of the path, and those
    /// who use it go on (RFC 5882 §3.2).
    Ended,
}

/// A session as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    /// Why it last changed.
    pub diagnostic: Diagnostic,
    pub up_since: Option<Duration>,
    /// `None`: nothing was heard for a detection time.
    pub remote: Option<(State, Diagnostic)>,
    /// Ours, as agreed with the peer.
    pub transmit_interval: Duration,
    /// How long the peer may be silent.
    pub detection_time: Option<Duration>,
    pub discarded: u64,
    pub last_discard: Option<Discard>,
}

/// What it takes to keep a session Up where it is not: in the forwarding, while the control plane is
/// away (RFC 5882 §4.3), and to go on with it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub discriminator: NonZeroU32,
    pub detect_mult: NonZeroU8,
    /// As the peer was told.
    pub desired_min_tx_micros: u32,
    pub required_min_rx_micros: u32,
    /// The longest that the peer waits for a packet of ours while all is well.
    pub transmit_interval: Duration,
    /// The peer's last.
    pub remote: Packet,
    pub heard_at: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Session {
    /// Somebody keeps it Up when the control plane does not (RFC 5880 §4.1, C).
    independent: bool,
    discriminator: NonZeroU32,
    role: Role,
    settings: Settings,
    state: State,
    diagnostic: Diagnostic,
    up_since: Option<Duration>,
    desired_tx: Interval,
    required_rx: Interval,
    remote: Option<Remote>,
    poll: Option<Poll>,
    /// Of the last periodic packet; with it the dice that say how long until the next.
    sent: Option<(Duration, u32)>,
    /// When an administratively down session falls silent.
    silent_at: Option<Duration>,
    discarded: u64,
    last_discard: Option<Discard>,
}

/// The peer by its last packet.
#[derive(Clone, Copy, Debug)]
struct Remote {
    heard_at: Duration,
    packet: Packet,
}

/// A Poll Sequence (RFC 5880 §6.5).
#[derive(Clone, Copy, Debug)]
enum Poll {
    Asking,
    /// Something changed again; the answer to come may be to what was before.
    AskingAgain,
}

impl Session {
    /// `discriminator`: unlike that of any other session of this system.
    pub const fn new(discriminator: NonZeroU32, role: Role, settings: Settings) -> Self {
        Self {
            independent: false,
            discriminator,
            role,
            settings,
            state: State::Down,
            diagnostic: Diagnostic::None,
            up_since: None,
            desired_tx: Interval::new(slow(settings)),
            required_rx: Interval::new(settings.interval_micros),
            remote: None,
            poll: None,
            sent: None,
            silent_at: None,
            discarded: 0,
            last_discard: None,
        }
    }

    /// Goes on with a session that was kept Up: the peer has noticed nothing.
    pub fn resume(kept: &Kept, role: Role, settings: Settings) -> Self {
        let Kept { discriminator, heard_at, .. } = *kept;
        let mut session = Self {
            state: State::Up,
            up_since: Some(heard_at),
            desired_tx: Interval::new(kept.desired_min_tx_micros),
            required_rx: Interval::new(kept.required_min_rx_micros),
            remote: Some(Remote { heard_at, packet: kept.remote }),
            ..Self::new(discriminator, role, settings)
        };
        session.configure(settings);
        session
    }

    /// From now on somebody will keep it Up, if it can be kept.
    pub const fn make_independent(&mut self) {
        self.independent = true;
    }

    /// What is to be kept. `None`: it is not Up, nobody keeps it, or it cannot be kept by
    /// answering. Who keeps a session only answers, so the peer has to speak twice at least in the
    /// time that it waits for us.
    pub fn kept(&self) -> Option<Kept> {
        let Remote { heard_at, packet: remote } = self.remote?;
        if !self.independent || (self.state, remote.state) != (State::Up, State::Up) {
            return None;
        }
        let (tx, rx) = (self.desired_tx.told_micros, self.required_rx.told_micros);
        let detect_mult = self.settings.detect_mult;
        let patience = u64::from(tx.min(self.desired_tx.used()).max(remote.required_min_rx_micros))
            * u64::from(detect_mult.get());
        let silence = u64::from(rx.max(self.required_rx.used()).max(remote.desired_min_tx_micros));
        let wants_any = remote.required_min_rx_micros != 0 && !remote.demand;
        (wants_any && silence * 2 <= patience).then_some(Kept {
            discriminator: self.discriminator,
            detect_mult,
            desired_min_tx_micros: tx,
            required_min_rx_micros: rx,
            transmit_interval: self.transmit_interval(),
            remote,
            heard_at,
        })
    }

    pub fn status(&self) -> Status {
        Status {
            state: self.state,
            diagnostic: self.diagnostic,
            up_since: self.up_since,
            remote: self.remote.map(|remote| (remote.packet.state, remote.packet.diagnostic)),
            transmit_interval: self.transmit_interval(),
            detection_time: self.remote.map(|remote| self.detection_time(&remote.packet)),
            discarded: self.discarded,
            last_discard: self.last_discard,
        }
    }

    /// `random`: any number, each time another; it spreads the packets (RFC 5880 §6.8.7).
    pub fn handle(&mut self, now: Duration, input: Input<'_>, random: u32) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Received(payload) => self.received(now, payload, random, &mut outputs),
            Input::HeardElsewhere(at) => self.heard_elsewhere(at.min(now)),
            Input::Configure(settings) => self.configure(settings),
            Input::Disable => self.disable(now, random, &mut outputs),
            Input::Enable => self.enable(),
            Input::Tick => {}
        }
        self.tick(now, random, &mut outputs);
        outputs
    }

    /// What was said last, for who cannot stay until it is due again. `None`: to nobody.
    pub fn repeat(&self) -> Option<[u8; PACKET_BYTES]> {
        self.remote.map(|_| self.packet(false))
    }

    /// When [`Input::Tick`] is due. In the past if it is overdue.
    pub fn next_deadline(&self) -> Option<Duration> {
        [self.expires_at(), self.transmits_at()].into_iter().flatten().min()
    }

    fn received(&mut self, now: Duration, payload: &[u8], random: u32, outputs: &mut Vec<Output>) {
        let packet = match Packet::parse(payload, |theirs| theirs == self.discriminator) {
            Ok(packet) => packet,
            Err(why) => return self.discard(why),
        };
        self.remote = Some(Remote { heard_at: now, packet });
        if packet.r#final {
            self.poll_is_answered();
        }
        if self.state == State::AdminDown {
            return self.discard(Discard::AdminDown);
        }
        let before = self.state;
        let next = next_state(before, packet.state);
        if next == State::Down && before != State::Down {
            self.go_down(Diagnostic::NeighborSignaledSessionDown, packet.state, outputs);
        } else if next != before {
            self.advance(now, next, outputs);
        }
        if packet.poll {
            outputs.push(Output::Send(self.packet(true)));
        } else if next != before {
            self.transmit(now, random, outputs);
        }
    }

    const fn heard_elsewhere(&mut self, at: Duration) {
        if let Some(remote) = &mut self.remote
            && at.as_nanos() > remote.heard_at.as_nanos()
        {
            remote.heard_at = at;
        }
    }

    fn tick(&mut self, now: Duration, random: u32, outputs: &mut Vec<Output>) {
        if self.expires_at().is_some_and(|at| at <= now) {
            if matches!(self.state, State::Init | State::Up) {
                let expired = Diagnostic::ControlDetectionTimeExpired;
                self.go_down(expired, State::Down, outputs);
                // The way there may still work: it is told while we know by which number.
                self.transmit(now, random, outputs);
            }
            self.forget_remote();
        }
        if self.transmits_at().is_some_and(|at| at <= now) {
            self.transmit(now, random, outputs);
        }
    }

    fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        let is_up = self.state == State::Up;
        let interval = settings.interval_micros;
        let tx = if is_up { interval } else { slow(settings) };
        let rarer = self.desired_tx.set(tx, |used, new| is_up && new > used);
        let stricter = self.required_rx.set(interval, |used, new| is_up && new < used);
        if rarer || stricter {
            self.ask();
        }
    }

    fn disable(&mut self, now: Duration, random: u32, outputs: &mut Vec<Output>) {
        if self.state == State::AdminDown {
            return;
        }
        if self.state == State::Up {
            outputs.push(Output::Ended);
        }
        self.leave(State::AdminDown, Diagnostic::AdministrativelyDown);
        if self.remote.is_some() {
            self.transmit(now, random, outputs);
        }
        let heard_by = self.transmit_interval() * u32::from(self.settings.detect_mult());
        self.silent_at = Some(now + heard_by);
    }

    fn enable(&mut self) {
        if self.state == State::AdminDown {
            self.leave(State::Down, Diagnostic::None);
            self.silent_at = None;
        }
    }

    /// To Init or Up.
    fn advance(&mut self, now: Duration, next: State, outputs: &mut Vec<Output>) {
        self.state = next;
        if next == State::Up {
            self.diagnostic = Diagnostic::None;
            self.up_since = Some(now);
            outputs.push(Output::Up);
            if self.desired_tx.set(self.settings.interval_micros, |used, new| new > used) {
                self.ask();
            }
        }
    }

    /// `remote`: what the peer says of itself; Down where it says nothing any more.
    fn go_down(&mut self, diagnostic: Diagnostic, remote: State, outputs: &mut Vec<Output>) {
        if self.state == State::Up {
            outputs.push(match remote {
                State::AdminDown => Output::Ended,
                State::Down | State::Init | State::Up => Output::Failed(diagnostic),
            });
        }
        self.leave(State::Down, diagnostic);
    }

    fn leave(&mut self, state: State, diagnostic: Diagnostic) {
        (self.state, self.diagnostic, self.up_since) = (state, diagnostic, None);
        if self.desired_tx.set(slow(self.settings), |_, _| false) {
            self.ask();
        }
        // Nobody can be confused any more by an interval that is used before it is confirmed.
        self.desired_tx.confirm();
        self.required_rx.confirm();
    }

    fn forget_remote(&mut self) {
        self.remote = None;
        self.poll = None;
    }

    fn ask(&mut self) {
        self.poll = match (self.remote, self.poll) {
            (None, _) => None,
            (Some(_), None) => Some(Poll::Asking),
            (Some(_), Some(Poll::Asking | Poll::AskingAgain)) => Some(Poll::AskingAgain),
        };
    }

    fn poll_is_answered(&mut self) {
        self.poll = match self.poll {
            None => None,
            Some(Poll::AskingAgain) => Some(Poll::Asking),
            Some(Poll::Asking) => {
                self.desired_tx.confirm();
                self.required_rx.confirm();
                None
            }
        };
    }

    fn transmit(&mut self, now: Duration, random: u32, outputs: &mut Vec<Output>) {
        self.sent = Some((now, random));
        outputs.push(Output::Send(self.packet(false)));
    }

    fn packet(&self, r#final: bool) -> [u8; PACKET_BYTES] {
        let packet = Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: !r#final && self.poll.is_some(),
            r#final,
            control_plane_independent: self.kept().is_some(),
            demand: false,
            detect_mult: self.settings.detect_mult,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.map(|remote| remote.packet.my_discriminator),
            desired_min_tx_micros: self.desired_tx.told_micros,
            required_min_rx_micros: self.required_rx.told_micros,
            required_min_echo_rx_micros: 0,
        };
        packet.encode()
    }

    /// When the next periodic packet is due, if there shall be one (RFC 5880 §6.8.7).
    fn transmits_at(&self) -> Option<Duration> {
        let wanted = match self.remote {
            None => self.role == Role::Active && self.state != State::AdminDown,
            Some(Remote { packet, .. }) => {
                let both_up = self.state == State::Up && packet.state == State::Up;
                let hushed = packet.demand && both_up && self.poll.is_none();
                packet.required_min_rx_micros != 0 && !hushed
            }
        };
        let due = match self.sent {
            None => Duration::ZERO,
            Some((at, random)) => at + jittered(self.transmit_interval(), random),
        };
        (wanted && self.silent_at.is_none_or(|silent| due < silent)).then_some(due)
    }

    fn expires_at(&self) -> Option<Duration> {
        let Remote { heard_at, packet } = self.remote?;
        Some(heard_at + self.detection_time(&packet))
    }

    fn transmit_interval(&self) -> Duration {
        let theirs = self.remote.map_or(0, |remote| remote.packet.required_min_rx_micros);
        duration(self.desired_tx.used().max(theirs))
    }

    /// RFC 5880 §6.8.4.
    fn detection_time(&self, remote: &Packet) -> Duration {
        let interval = self.required_rx.used().max(remote.desired_min_tx_micros);
        duration(interval) * u32::from(remote.detect_mult.get())
    }

    const fn discard(&mut self, why: Discard) {
        self.discarded += 1;
        self.last_discard = Some(why);
    }
}

/// RFC 5880 §6.8.6, the table at its end. Never asked of a session that is AdminDown.
const fn next_state(local: State, remote: State) -> State {
    match (local, remote) {
        (State::AdminDown, _) => State::AdminDown,
        (State::Down, State::Down) => State::Init,
        (State::Down, State::Init) | (State::Init, State::Init | State::Up) => State::Up,
        (State::Down, State::AdminDown | State::Up) => State::Down,
        (State::Init, State::Down) => State::Init,
        (State::Init, State::AdminDown) => State::Down,
        (State::Up, State::AdminDown | State::Down) => State::Down,
        (State::Up, State::Init | State::Up) => State::Up,
    }
}

const fn slow(settings: Settings) -> u32 {
    let interval = settings.interval_micros;
    if interval > SLOW_MICROS { interval } else { SLOW_MICROS }
}
