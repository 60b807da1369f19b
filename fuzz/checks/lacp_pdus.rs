//! Frames to the slow protocols' address, as anybody may send them to a bundled port, over time.
//!
//! ```text
//!   ( what │ wait │ length │ payload … )*
//!     │      └ times 20 ms
//!     └ bit 0  the light turns     bit 1  the role turns     bit 2  its partner is made us
//! ```

use directlink_bgp::lacp::{Information, Input, Pdu, Port, Role, States};
use std::{collections::VecDeque, time::Duration};

const US: Information = Information {
    system_priority: 0x8000,
    system: [2, 0, 0, 0, 0, 1],
    key: 1,
    port_priority: 0x8000,
    port: 7,
    states: States(0),
};
const SECOND: Duration = Duration::from_secs(1);
/// Where a PDU has its partner, behind type and length.
const PARTNER: std::ops::Range<usize> = 24..39;

struct Stage {
    port: Port,
    role: Role,
    is_lit: bool,
    now: Duration,
    /// Of the last second.
    sent: VecDeque<Duration>,
}

pub(crate) fn check(data: &[u8]) {
    let role = Role::StandsBy;
    let port = Port::new(US, role);
    let (now, sent) = (SECOND, VecDeque::new());
    let mut stage = Stage { port, role, is_lit: false, now, sent };
    let mut rest = data;
    while let [what, wait, length, more @ ..] = rest {
        let (payload, left) = more.split_at(usize::from(*length).min(more.len()));
        rest = left;
        stage.wait(Duration::from_millis(20 * u64::from(*wait)));
        if what & 1 != 0 {
            stage.is_lit = !stage.is_lit;
            stage.step(Input::Light(stage.is_lit));
        }
        if what & 2 != 0 {
            stage.role = if stage.role == Role::Carries { Role::StandsBy } else { Role::Carries };
            stage.step(Input::Role(stage.role));
        }
        let mut payload = payload.to_vec();
        if what & 4 != 0
            && let Some(partner) = payload.get_mut(PARTNER)
        {
            partner.copy_from_slice(&stage.port.actor().bytes());
        }
        if let Ok(pdu) = Pdu::parse(&payload) {
            assert_eq!(Pdu::parse(&pdu.bytes()), Ok(pdu));
            stage.step(Input::Heard(&pdu));
        }
    }
}

impl Stage {
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        // Once a second, three times at most, and what runs out between.
        for _ in 0..64 {
            let Some(next) = self.port.deadline().filter(|next| *next <= until) else { break };
            self.now = next;
            self.step(Input::Tick);
        }
        self.now = until;
    }

    fn step(&mut self, input: Input<'_>) {
        let now = self.now;
        if let Some(pdu) = self.port.handle(input, now) {
            assert!(self.is_lit, "it speaks in the dark");
            assert_eq!(pdu.actor, self.port.actor());
            self.sent.push_back(now);
        }
        while self.sent.front().is_some_and(|at| *at + SECOND <= now) {
            self.sent.pop_front();
        }
        assert!(self.sent.len() <= 3, "more than three a second");
        let states = self.port.actor().states;
        let carries = self.is_lit && self.role == Role::Carries;
        assert_eq!(states.has(States::SYNCHRONIZATION), carries);
        assert!(carries || !self.port.status().is_in_use);
        assert!(self.port.status().partner.is_some() || !self.port.status().is_in_use);
        // A deadline that stays due would be a busy loop.
        assert!(self.port.deadline().is_none_or(|next| self.is_lit && next > now));
    }
}
