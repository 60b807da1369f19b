//! BFD sessions against typed packets, and against each other over a link that loses them, on a
//! clock that is a number.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used)]

mod link;
mod reception;
mod timers;

use directlink_bgp::bfd::{Diagnostic, Input, Output, Packet, Role, Session, Settings, State};
use std::{num::NonZeroU32, time::Duration};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn settings(interval_ms: u64, detect_mult: u8) -> Settings {
    Settings::new(ms(interval_ms), detect_mult).unwrap()
}

fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

const OURS: u32 = 0x0a0a_0a0a;
const THEIRS: u32 = 0x0b0b_0b0b;

/// A packet of the customer's, at 300 ms x 3.
fn packet(state: State, your_discriminator: u32) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        r#final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3.try_into().unwrap(),
        my_discriminator: number(THEIRS),
        your_discriminator: NonZeroU32::new(your_discriminator),
        desired_min_tx_micros: 300_000,
        required_min_rx_micros: 300_000,
        required_min_echo_rx_micros: 0,
    }
}

/// Our session, and a hand that types the customer's packets. No jitter: the dice say 0.
struct Typed {
    session: Session,
    now: Duration,
}

impl Typed {
    fn new(role: Role) -> Self {
        Self { session: Session::new(number(OURS), role, Settings::default()), now: ms(10_000) }
    }

    /// In `state`, entered a moment ago.
    fn in_state(state: State) -> Self {
        let mut typed = Self::new(Role::Passive);
        match state {
            State::Down => {}
            State::AdminDown => drop(typed.input(Input::Disable)),
            State::Init => drop(typed.hear(packet(State::Down, 0))),
            State::Up => {
                typed.hear(packet(State::Down, 0));
                typed.hear(packet(State::Init, OURS));
                // Our Poll Sequence of the way up is answered.
                typed.hear(Packet { r#final: true, ..packet(State::Up, OURS) });
            }
        }
        assert_eq!(typed.session.status().state, state);
        typed
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.session.handle(self.now, input, 0)
    }

    fn hear(&mut self, packet: Packet) -> Vec<Output> {
        self.input(Input::Received(&packet.encode()))
    }

    fn wait(&mut self, time: Duration) -> Vec<Output> {
        let until = self.now + time;
        let mut said = Vec::new();
        while let Some(next) = self.session.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            said.extend(self.input(Input::Tick));
        }
        self.now = until;
        said
    }
}

/// What was sent, read as the peer would.
fn sent(outputs: &[Output]) -> Vec<Packet> {
    let read = |output: &Output| match output {
        Output::Send(bytes) => Some(Packet::parse(bytes, |_| true).unwrap()),
        Output::Up | Output::Failed(_) | Output::Ended => None,
    };
    outputs.iter().filter_map(read).collect()
}

fn told(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().copied().filter(|output| !matches!(output, Output::Send(_))).collect()
}
