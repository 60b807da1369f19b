//! One port's machines (IEEE 802.1AX-2020 §6.4): receive, periodic transmission, mux and transmit.
//!
//! ```text
//!   receive    no light ──► EXPIRED ──3 s──► DEFAULTED        a PDU leads to CURRENT from anywhere;
//!                              ▲──────3 s── CURRENT           no light back to the start
//!   mux        detached ──carries──► attached ◄──partner in the bundle──► distributing
//! ```
//!
//! The mux is the coupled one. Its wait for others to be selected at the same time (`wait_while`) serves whoever
//! chooses among ports by what their partners say; here the choice is made elsewhere, and comes as a [`Role`].

use super::pdu::{Information, Pdu, States};
use directlink_net::Mac;
use std::{fmt, time::Duration};

/// How often PDUs go to a partner that asks for it, and to one that does not.
const FAST: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(30);
/// Three of the PDUs that we ask for each second.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);
/// In each `FAST`; what is due beyond waits.
const SENT_MAX: usize = 3;

const ALWAYS: States = States::ACTIVITY.with(States::SHORT_TIMEOUT).with(States::AGGREGATION);
const IN_USE: States = States::COLLECTING.with(States::DISTRIBUTING);

/// Whether the port carries what its bundle carries, or stands by for those that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Carries,
    StandsBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    Light(bool),
    Role(Role),
    Heard(&'a Pdu),
    /// The deadline has come, or nothing else.
    Tick,
}

/// The other end, as it last spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partner {
    pub system: Mac,
    pub key: u16,
    pub port: u16,
}

/// What is seen of the protocol on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `None`: nobody speaks LACP at the other end, or not any more.
    pub partner: Option<Partner>,
    /// The partner has it in its bundle.
    pub is_ready: bool,
    /// Both ends use it.
    pub is_in_use: bool,
}

impl Status {
    /// As two ends last spoke: ours, and theirs, all zero if it never did.
    pub fn between(said: Information, heard: Information) -> Self {
        let Information { key, port, .. } = heard;
        let is_there = heard != Information::default();
        Self {
            partner: is_there.then(|| Partner { system: heard.mac(), key, port }),
            is_ready: is_there && heard.states.has(States::SYNCHRONIZATION),
            is_in_use: is_there && said.states.has(IN_USE),
        }
    }
}

/// What is known of the partner, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receive {
    Disabled,
    Expired(Duration),
    Defaulted,
    Current(Duration),
}

#[derive(Clone)]
pub struct Port {
    actor: Information,
    /// All zero: nobody.
    partner: Information,
    receive: Receive,
    role: Role,
    /// When the next PDU goes out unasked; none does without light.
    periodic: Option<Duration>,
    /// Something is to be told.
    need_to_transmit: bool,
    /// The last PDUs, the latest first.
    sent: [Option<Duration>; SENT_MAX],
}

impl Port {
    /// `actor`: who we are; its states are the machine's own. Without light until that is told.
    pub fn new(actor: Information, role: Role) -> Self {
        let states = ALWAYS.with(States::DEFAULTED);
        Self {
            actor: Information { states, ..actor },
            partner: Information::default(),
            receive: Receive::Disabled,
            role,
            periodic: None,
            need_to_transmit: false,
            sent: [None; SENT_MAX],
        }
    }

    /// As it was left: somebody answered in its place meanwhile, with the states of `actor`. The partner has three
    /// seconds to speak again.
    pub fn resume(actor: Information, partner: Information, role: Role, now: Duration) -> Self {
        let receive = Receive::Current(now + SHORT_TIMEOUT);
        Self { partner, receive, actor, ..Self::new(actor, role) }
    }

    /// Acts on it, and gives the PDU that is to be sent now. `now`: since whenever, never back.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Option<Pdu> {
        match input {
            Input::Light(true) if self.receive == Receive::Disabled => self.expire(now),
            Input::Light(true) | Input::Tick => {}
            Input::Light(false) => self.disable(),
            Input::Role(role) => self.role = role,
            // It came by a port that was thought dark: news of the light is on its way.
            Input::Heard(_) if self.receive == Receive::Disabled => {}
            Input::Heard(pdu) => self.hear(pdu, now),
        }
        self.pass_time(now);
        self.choose_mux();
        self.choose_period(now);
        self.transmit(now)
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn deadline(&self) -> Option<Duration> {
        let receive = match self.receive {
            Receive::Expired(until) | Receive::Current(until) => Some(until),
            Receive::Disabled | Receive::Defaulted => None,
        };
        let waiting = self.need_to_transmit.then(|| self.may_send_at()).flatten();
        [receive, self.periodic, waiting].into_iter().flatten().min()
    }

    pub fn status(&self) -> Status {
        let is_there = matches!(self.receive, Receive::Current(_));
        let heard = if is_there { self.partner } else { Information::default() };
        Status::between(self.actor, heard)
    }

    /// What it says of itself.
    pub const fn actor(&self) -> Information {
        self.actor
    }

    /// What it heard of the other end; all zero if nothing.
    pub const fn partner(&self) -> Information {
        self.partner
    }

    fn disable(&mut self) {
        self.receive = Receive::Disabled;
        self.partner.states = self.partner.states.without(States::SYNCHRONIZATION);
        self.periodic = None;
    }

    /// The partner has three seconds to speak, and is told each second that it is missed.
    fn expire(&mut self, now: Duration) {
        self.receive = Receive::Expired(now + SHORT_TIMEOUT);
        self.partner.states =
            self.partner.states.without(States::SYNCHRONIZATION).with(States::SHORT_TIMEOUT);
        self.say(self.actor.states.with(States::EXPIRED));
        self.need_to_transmit = true;
    }

    fn forget(&mut self) {
        self.receive = Receive::Defaulted;
        self.partner = Information::default();
        self.say(self.actor.states.without(States::EXPIRED).with(States::DEFAULTED));
    }

    fn hear(&mut self, pdu: &Pdu, now: Duration) {
        self.receive = Receive::Current(now + SHORT_TIMEOUT);
        self.actor.states = self.actor.states.without(States::EXPIRED).without(States::DEFAULTED);
        // §6.4.9, update_NTT: what it has heard of us is not what we are.
        let told = States::ACTIVITY
            .with(States::SHORT_TIMEOUT)
            .with(States::SYNCHRONIZATION)
            .with(States::AGGREGATION);
        let knows_us = pdu.partner.is_same_port(&self.actor);
        let is_as_told = pdu.partner.states.only(told) == self.actor.states.only(told);
        self.need_to_transmit |= !knows_us || !is_as_told;
        // §6.4.9, recordPDU: its word counts if it means this port, or does not bundle at all.
        let aggregation = |states: States| states.only(States::AGGREGATION);
        let means_us = knows_us
            && aggregation(pdu.partner.states) == aggregation(self.actor.states)
            || !pdu.actor.states.has(States::AGGREGATION);
        let is_in = means_us && pdu.actor.states.has(States::SYNCHRONIZATION);
        self.partner = pdu.actor;
        self.partner.states = self.partner.states.set(States::SYNCHRONIZATION, is_in);
    }

    fn pass_time(&mut self, now: Duration) {
        match self.receive {
            Receive::Current(until) if now >= until => self.expire(now),
            Receive::Expired(until) if now >= until => self.forget(),
            _ => {}
        }
    }

    /// Attached where it carries; in use where the partner has it in the bundle too.
    fn choose_mux(&mut self) {
        let is_lit = self.receive != Receive::Disabled;
        let is_attached = is_lit && self.role == Role::Carries;
        let is_in_use = is_attached && self.partner.states.has(States::SYNCHRONIZATION);
        let states = self.actor.states.set(States::SYNCHRONIZATION, is_attached);
        self.say(states.set(IN_USE, is_in_use));
    }

    /// News goes out at once.
    fn say(&mut self, states: States) {
        self.need_to_transmit |= self.actor.states != states;
        self.actor.states = states;
    }

    fn choose_period(&mut self, now: Duration) {
        if self.receive == Receive::Disabled {
            return;
        }
        let period = if self.partner.states.has(States::SHORT_TIMEOUT) { FAST } else { SLOW };
        // A shorter one holds from now on.
        let due = self.periodic.map_or(now, |due| due.min(now + period));
        self.need_to_transmit |= now >= due;
        self.periodic = Some(if now >= due { now + period } else { due });
    }

    fn transmit(&mut self, now: Duration) -> Option<Pdu> {
        let may = self.may_send_at().is_none_or(|at| now >= at);
        self.need_to_transmit &= self.receive != Receive::Disabled;
        if !self.need_to_transmit || !may {
            return None;
        }
        self.need_to_transmit = false;
        self.sent.rotate_right(1);
        self.sent[0] = Some(now);
        Some(Pdu { actor: self.actor, partner: self.partner })
    }

    /// `None`: at any time.
    fn may_send_at(&self) -> Option<Duration> {
        self.sent[SENT_MAX - 1].map(|oldest| oldest + FAST)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}, says {:?}, hears {:?}",
            self.receive, self.actor.states, self.partner.states
        )
    }
}

#[cfg(test)]
mod tests;
