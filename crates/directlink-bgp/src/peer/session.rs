//! One connection's state machine: framing, timers, and `rustbgpd-fsm` behind our own words.
//!
//! A session lives from the opening of its TCP connection to its end, so that it knows only the
//! last three states of RFC 4271. Idle, Connect and Active are the peer's, which may have two
//! sessions at once while both sides dial.
//!
//! ```text
//!  opened ─OPEN►┌──────────┐ OPEN ┌─────────────┐ KEEPALIVE ┌─────────────┐
//!               │ OpenSent ├─────►│ OpenConfirm ├──────────►│ Established │
//!               └────┬─────┘      └──────┬──────┘           └──────┬──────┘
//!                    └───────────────────┴── error, closed, hold ──┴──► Ended
//! ```

use super::{
    Capabilities, ConnId, DownReason, Negotiated, PeerConfig, PeerRestart, State, capabilities,
};
use crate::{Family, Notification, bmp::Opens, wire};
use bytes::{Bytes, BytesMut};
use rustbgpd_fsm::{
    Action, Event, NegotiatedSession, SessionState, TimerType, negotiation::validate_open,
};
use rustbgpd_wire::{
    Capability, DecodeError, EXTENDED_MAX_MESSAGE_LEN, Message, OpenMessage, decode_message,
    peek_message_length,
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: ConnId,
    pub(super) opened_at: Duration,
    pub(super) established_at: Option<Duration>,
    pub(super) negotiated: Option<Negotiated>,
    fsm: rustbgpd_fsm::Session,
    fsm_config: rustbgpd_fsm::PeerConfig,
    /// Bytes of a message that is not complete yet.
    inbox: BytesMut,
    hold: Option<Duration>,
    keepalive: Option<Duration>,
    send_hold: Option<Duration>,
    send_hold_time: Duration,
    /// Bytes that the shell has and the system has not.
    unsent: usize,
    restart_bits: RestartBits,
    /// The capabilities of our OPEN.
    offered: Vec<String>,
    /// As they were on the wire, for whoever monitors the session.
    open_sent: Bytes,
    open_received: Bytes,
    notification_sent: Option<Bytes>,
}

/// R and F of our graceful restart capability.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestartBits {
    pub(super) restarting: bool,
    pub(super) forwarding_preserved: bool,
}

/// What a session wants of its peer.
#[derive(Debug)]
pub(super) enum Effect {
    Send(Bytes),
    Established,
    Ended(DownReason),
}

/// The identity that an OPEN gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) router_id: Ipv4Addr,
    pub(super) asn: u32,
}

impl Session {
    /// A connection that is open. The first effect is our OPEN.
    pub(super) fn open(
        conn: ConnId,
        config: &PeerConfig,
        restart_bits: RestartBits,
        now: Duration,
    ) -> (Self, Vec<Effect>) {
        let fsm_config = fsm_config(config);
        let mut session = Self {
            conn,
            opened_at: now,
            established_at: None,
            negotiated: None,
            fsm: rustbgpd_fsm::Session::new(fsm_config.clone()),
            fsm_config,
            inbox: BytesMut::new(),
            hold: None,
            keepalive: None,
            send_hold: None,
            send_hold_time: config.send_hold(),
            unsent: 0,
            restart_bits,
            offered: Vec::new(),
            open_sent: Bytes::new(),
            open_received: Bytes::new(),
            notification_sent: None,
        };
        // Dialling and waiting is the peer's business: its two actions are passed over.
        session.fsm.handle_event(Event::ManualStart);
        let opened = match conn {
            ConnId::Ours(_) => Event::TcpConnectionConfirmed,
            ConnId::Theirs(_) => Event::TcpConnectionAcknowledged,
        };
        let effects = session.handle(now, opened);
        (session, effects)
    }

    pub(super) fn state(&self) -> State {
        match self.fsm.state() {
            SessionState::Idle => State::Idle,
            SessionState::Connect => State::Connect,
            SessionState::Active => State::Active,
            SessionState::OpenSent => State::OpenSent,
            SessionState::OpenConfirm => State::OpenConfirm,
            SessionState::Established => State::Established,
        }
    }

    pub(super) fn is_established(&self) -> bool {
        self.established_at.is_some()
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// The next complete message, if there is one.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, DecodeError> {
        let limit = EXTENDED_MAX_MESSAGE_LEN;
        let complete = peek_message_length(&self.inbox, limit)?
            .map(usize::from)
            .filter(|length| *length <= self.inbox.len());
        let Some(length) = complete else {
            if self.inbox.is_empty() {
                // Thousands of idle sessions must not each hold on to a buffer.
                self.inbox = BytesMut::new();
            }
            return Ok(None);
        };
        let mut message = self.inbox.split_to(length).freeze();
        if message.get(KIND_AT) == Some(&OPEN) {
            // A copy, which keeps no larger buffer alive.
            self.open_received = Bytes::copy_from_slice(&message);
        }
        decode_message(&mut message, limit).map(Some)
    }

    /// Who the sender of an OPEN is, if this session would accept it.
    pub(super) fn identify(&self, open: &OpenMessage) -> Option<Identity> {
        let negotiated = validate_open(open, &self.fsm_config).ok()?;
        Some(Identity { router_id: negotiated.peer_router_id, asn: negotiated.peer_asn })
    }

    /// Runs the state machine and translates what it wants.
    pub(super) fn handle(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        let mut reason = match &event {
            Event::HoldTimerExpires => Some(DownReason::HoldTimerExpired),
            Event::NotificationReceived(message) => {
                Some(DownReason::NotificationReceived(Notification::from_wire(message)))
            }
            _ => None,
        };
        let mut effects = Vec::new();
        for action in self.fsm.handle_event(event) {
            match action {
                Action::SendOpen(open) => {
                    let open = self.with_restart_bits(open);
                    self.offered = capabilities::words(&open.capabilities);
                    self.send(now, &Message::Open(open), &mut effects);
                }
                Action::SendKeepalive => self.send(now, &Message::Keepalive, &mut effects),
                Action::SendNotification(message) => {
                    let sent = Notification::from_wire(&message);
                    reason.get_or_insert(DownReason::NotificationSent(sent));
                    self.send(now, &Message::Notification(message), &mut effects);
                }
                Action::StartTimer(timer, seconds) => self.start(now, timer, seconds),
                Action::StopTimer(timer) => self.set(timer, None),
                Action::SessionEstablished(agreed) => {
                    self.established_at = Some(now);
                    self.negotiated = negotiated(&agreed, &self.offered);
                    effects.push(Effect::Established);
                }
                _ => {}
            }
        }
        if self.fsm.state() == SessionState::Idle || self.fsm.state() == SessionState::Active {
            let reason = reason.unwrap_or_else(|| DownReason::Closed("ended".to_owned()));
            effects.push(Effect::Ended(reason));
        }
        effects
    }

    /// Counts bytes as given to the shell, and starts the clock that RFC 9687 asks for.
    pub(super) fn queued(&mut self, now: Duration, bytes: usize) {
        if self.unsent == 0 {
            self.send_hold = Some(now + self.send_hold_time);
        }
        self.unsent += bytes;
    }

    pub(super) fn sent(&mut self, now: Duration, bytes: usize) {
        self.unsent = self.unsent.saturating_sub(bytes);
        self.send_hold = (self.unsent > 0).then_some(now + self.send_hold_time);
    }

    /// Whether the peer is slow to take what it is sent.
    pub(super) const fn is_congested(&self) -> bool {
        self.unsent > CONGESTED_BYTES
    }

    /// The effects of every timer that has run out.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let due = |timer: &mut Option<Duration>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut self.send_hold) {
            let notification = Notification::send_hold_timer_expired();
            let mut effects = Vec::new();
            self.send(now, &Message::Notification(notification.to_wire()), &mut effects);
            effects.push(Effect::Ended(DownReason::SendHoldTimerExpired));
            return effects;
        }
        if due(&mut self.hold) {
            return self.handle(now, Event::HoldTimerExpires);
        }
        match due(&mut self.keepalive) {
            true => self.handle(now, Event::KeepaliveTimerExpires),
            false => Vec::new(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        [self.hold, self.keepalive, self.send_hold].into_iter().flatten().min()
    }

    /// A last message, as the peer wants the session to end.
    pub(super) fn farewell(&mut self, notification: &Notification) -> Option<Bytes> {
        let bytes = wire::encode(&Message::Notification(notification.to_wire()));
        self.notification_sent.clone_from(&bytes);
        bytes
    }

    pub(super) fn opens(&self) -> Opens {
        Opens { sent: self.open_sent.clone(), received: self.open_received.clone() }
    }

    /// The NOTIFICATION of ours that ended it.
    pub(super) fn last_words(&self) -> Option<Bytes> {
        self.notification_sent.clone()
    }

    fn send(&mut self, now: Duration, message: &Message, effects: &mut Vec<Effect>) {
        if let Some(bytes) = wire::encode(message) {
            match message {
                Message::Open(_) => self.open_sent = Bytes::copy_from_slice(&bytes),
                Message::Notification(_) => self.notification_sent = Some(bytes.clone()),
                _ => {}
            }
            self.queued(now, bytes.len());
            effects.push(Effect::Send(bytes));
        }
    }

    fn start(&mut self, now: Duration, timer: TimerType, seconds: u32) {
        let after = Duration::from_secs(seconds.into());
        let at = match timer {
            TimerType::Keepalive => {
                let local_id: u32 = self.fsm_config.local_router_id.into();
                keepalive_due(now, after, now.as_nanos() as u64 ^ u64::from(local_id))
            }
            _ => now + after,
        };
        self.set(timer, Some(at));
    }

    /// ConnectRetry is the peer's.
    fn set(&mut self, timer: TimerType, at: Option<Duration>) {
        match timer {
            TimerType::Hold => self.hold = at,
            TimerType::Keepalive => self.keepalive = at,
            _ => {}
        }
    }

    /// The crate always says that nothing was preserved; only we know.
    fn with_restart_bits(&self, mut open: OpenMessage) -> OpenMessage {
        for capability in &mut open.capabilities {
            if let Capability::GracefulRestart { restart_state, families, .. } = capability {
                *restart_state = self.restart_bits.restarting;
                for family in families {
                    family.forwarding_preserved = self.restart_bits.forwarding_preserved;
                }
            }
        }
        open
    }
}

/// 75 to 100 % of `after`, as `seed` has it.
pub(super) fn jittered(after: Duration, seed: u64) -> Duration {
    let thousandths = 750 + (mixed(seed) % 251) as u32;
    after * thousandths / 1000
}

/// 75 to 100 % of `interval` from now (RFC 4271 §10), so that thousands of sessions do not beat as one;
/// and on one of the beats, thirty in an interval, that all sessions of an interval have: those whose
/// turn is the same wake the machine once, and the ways that their messages take are not cold.
fn keepalive_due(now: Duration, interval: Duration, seed: u64) -> Duration {
    const BEATS: u32 = 30;
    /// Whole ones in a quarter of an interval.
    const CHOICE: u64 = 7;
    let nanos = |time: Duration| time.as_nanos() as u64;
    let beat = nanos(interval / BEATS).max(1);
    let first = nanos(now + interval * 3 / 4).div_ceil(beat);
    Duration::from_nanos((first + mixed(seed) % CHOICE) * beat)
}

/// splitmix64: neighbouring seeds give unrelated results. Not random: a peer must do the same twice.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fsm_config(config: &PeerConfig) -> rustbgpd_fsm::PeerConfig {
    let (local, peer) = (config.local_asn.as_u32(), config.peer_asn.as_u32());
    let mut fsm = rustbgpd_fsm::PeerConfig::new(local, peer, config.router_id);
    let family = config.family();
    fsm.hold_time = config.hold_time.as_seconds();
    // Refuses a proposal of 0 as well.
    fsm.min_hold_time = Some(super::HoldTime::MIN.as_seconds());
    fsm.send_hold_time = config.send_hold().as_secs().try_into().unwrap_or(u32::MAX);
    fsm.families = vec![family.wire()];
    fsm.disable_ipv4_unicast = family != Family::Ipv4Unicast;
    fsm.graceful_restart = config.graceful_restart.is_some();
    fsm.gr_restart_time =
        config.graceful_restart.map_or(0, |gr| gr.restart_time_seconds.min(RESTART_TIME_MAX));
    fsm
}

/// `None` cannot be: the FSM has compared the AS number with one that is an [`Asn`].
///
/// [`Asn`]: directlink_net::Asn
fn negotiated(agreed: &NegotiatedSession, offered: &[String]) -> Option<Negotiated> {
    let family = |(afi, safi)| Family::from_wire(afi, safi);
    // The crate calls a peer capable only if it lists families; one that lists none still wants
    // End-of-RIB and helps us (RFC 4724 §3).
    let capable = |c: &Capability| matches!(c, Capability::GracefulRestart { .. });
    let offers_restart = agreed.peer_capabilities.iter().any(capable);
    let restart = || PeerRestart {
        restart_time_seconds: agreed.peer_restart_time,
        restarting: agreed.peer_restart_state,
        notification: agreed.peer_notification_gr,
        families: agreed
            .peer_gr_families
            .iter()
            .filter_map(|f| Some((family((f.afi, f.safi))?, f.forwarding_preserved)))
            .collect(),
    };
    Some(Negotiated {
        peer_asn: agreed.peer_asn.try_into().ok()?,
        peer_router_id: agreed.peer_router_id,
        hold_time_seconds: agreed.hold_time,
        keepalive_seconds: agreed.keepalive_interval,
        families: agreed.negotiated_families.iter().copied().filter_map(family).collect(),
        four_octet_as: agreed.four_octet_as,
        route_refresh: agreed.peer_route_refresh,
        enhanced_route_refresh: agreed.peer_enhanced_route_refresh,
        extended_message: agreed.peer_extended_message,
        graceful_restart: offers_restart.then(restart),
        capabilities: Arc::new(Capabilities {
            ours: offered.to_vec(),
            theirs: capabilities::words(&agreed.peer_capabilities),
        }),
    })
}

/// A ROUTE-REFRESH is answered once the peer has taken all but this of what it was sent.
const CONGESTED_BYTES: usize = 64 * 1024;

/// Where a message says what it is, and that it is an OPEN (RFC 4271 §4.1).
const KIND_AT: usize = 18;
const OPEN: u8 = 1;

/// 12 bits (RFC 4724 §3).
const RESTART_TIME_MAX: u16 = 4095;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_keepalive_is_due_after_75_to_100_percent_of_its_interval_on_a_beat_of_all_sessions() {
        // Hold times of 3 s, of 90 s, and of the most there is.
        for interval in [1, 30, 21_845].map(Duration::from_secs) {
            let mut beats = BTreeSet::new();
            for millis in (0..200_000).step_by(37) {
                let now = Duration::from_millis(millis);
                let due = keepalive_due(now, interval, millis);
                let after = due - now;
                assert!((interval * 3 / 4..=interval).contains(&after), "{now:?}: {after:?}");
                let beat = (interval / 30).as_nanos();
                assert_eq!(due.as_nanos() % beat, 0, "{now:?}");
                beats.insert(after.as_nanos() / beat);
            }
            assert!(beats.len() >= 7, "spread over the quarter: {beats:?}");
        }
    }
}
