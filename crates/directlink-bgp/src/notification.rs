//! NOTIFICATION messages (RFC 4271 §4.5) as data that can be kept, compared and shown.
//!
//! Apart from the codec because a reason outlives its session: it stays in the status, in the
//! report to the server, and in front of the customer.

use rustbgpd_wire::notification::{
    self as registry, cease_subcode, encode_shutdown_communication, extract_shutdown_communication,
};
use rustbgpd_wire::{NotificationCode, NotificationMessage};
use std::fmt;

/// Code, subcode and data, as sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Vec<u8>,
}

impl Notification {
    /// The registered name of code and subcode, "Peer De-configured" for 6/3.
    pub fn name(&self) -> &'static str {
        registry::description(NotificationCode::from_u8(self.code), self.subcode)
    }

    /// The shutdown communication (RFC 9003) that the sender's operator wrote, if any.
    pub fn communication(&self) -> Option<String> {
        let message = self.to_wire();
        extract_shutdown_communication(&message).ok().flatten().map(str::to_owned)
    }

    /// Whether the receiver must forget the sender's routes (RFC 8538 §3.1).
    pub const fn is_hard_reset(&self) -> bool {
        self.code == CEASE && self.subcode == cease_subcode::HARD_RESET
    }

    /// What a Hard Reset carries inside; for all others, itself.
    pub fn innermost(&self) -> Self {
        match (self.is_hard_reset(), self.data.as_slice()) {
            (true, [code, subcode, data @ ..]) => {
                Self { code: *code, subcode: *subcode, data: data.to_vec() }
            }
            _ => self.clone(),
        }
    }

    pub(crate) fn cease(subcode: u8) -> Self {
        Self { code: CEASE, subcode, data: Vec::new() }
    }

    pub(crate) fn maximum_prefixes() -> Self {
        Self::cease(cease_subcode::MAX_PREFIXES)
    }

    /// RFC 9384.
    pub(crate) fn bfd_down() -> Self {
        Self::cease(cease_subcode::BFD_DOWN)
    }

    pub(crate) fn administrative_shutdown(communication: &str) -> Self {
        let data = match communication {
            "" => Vec::new(),
            text => encode_shutdown_communication(text).to_vec(),
        };
        Self { data, ..Self::cease(cease_subcode::ADMINISTRATIVE_SHUTDOWN) }
    }

    pub(crate) fn peer_deconfigured() -> Self {
        Self::cease(cease_subcode::PEER_DECONFIGURED)
    }

    pub(crate) fn configuration_changed() -> Self {
        Self::cease(cease_subcode::OTHER_CONFIGURATION_CHANGE)
    }

    pub(crate) fn collision() -> Self {
        Self::cease(cease_subcode::CONNECTION_COLLISION_RESOLUTION)
    }

    pub(crate) fn send_hold_timer_expired() -> Self {
        let code = NotificationCode::SendHoldTimerExpired.as_u8();
        Self { code, subcode: 0, data: Vec::new() }
    }

    /// Wrapped so that the receiver keeps no stale routes. Only for a peer that exchanged the
    /// N bit: another would not understand subcode 9.
    pub(crate) fn as_hard_reset(&self) -> Self {
        let data = [&[self.code, self.subcode], self.data.as_slice()].concat();
        Self { data, ..Self::cease(cease_subcode::HARD_RESET) }
    }

    pub(crate) fn from_wire(message: &NotificationMessage) -> Self {
        let NotificationMessage { code, subcode, data } = message;
        Self { code: code.as_u8(), subcode: *subcode, data: data.to_vec() }
    }

    pub(crate) fn to_wire(&self) -> NotificationMessage {
        let code = NotificationCode::from_u8(self.code);
        NotificationMessage::new(code, self.subcode, self.data.clone().into())
    }
}

impl fmt::Display for Notification {
    /// "Cease: Administrative Shutdown, saying 'maintenance' (6/2)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.innermost();
        let code = NotificationCode::from_u8(inner.code);
        if self.is_hard_reset() {
            f.write_str("Hard Reset: ")?;
        }
        match inner.subcode {
            0 => write!(f, "{code}")?,
            _ => write!(f, "{code}: {}", inner.name())?,
        }
        if let Some(text) = inner.communication().filter(|text| !text.is_empty()) {
            write!(f, ", saying '{text}'")?;
        }
        write!(f, " ({}/{})", inner.code, inner.subcode)
    }
}

const CEASE: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_as_the_registry_names_it() {
        let shutdown = Notification::administrative_shutdown("port maintenance");
        let table = [
            (Notification::maximum_prefixes(), "Cease: Maximum Number of Prefixes Reached (6/1)"),
            (Notification::bfd_down(), "Cease: BFD Down (6/10)"),
            (Notification::peer_deconfigured(), "Cease: Peer De-configured (6/3)"),
            (shutdown.clone(), "Cease: Administrative Shutdown, saying 'port maintenance' (6/2)"),
            (
                shutdown.as_hard_reset(),
                "Hard Reset: Cease: Administrative Shutdown, saying 'port maintenance' (6/2)",
            ),
            (Notification::send_hold_timer_expired(), "Send Hold Timer Expired (8/0)"),
            (
                Notification { code: 2, subcode: 2, data: vec![] },
                "OPEN Message Error: Bad Peer AS (2/2)",
            ),
        ];
        for (notification, text) in table {
            assert_eq!(notification.to_string(), text);
        }
    }

    #[test]
    fn a_hard_reset_gives_back_what_it_wraps() {
        let inner = Notification::administrative_shutdown("bye");
        let wrapped = inner.as_hard_reset();
        assert!(wrapped.is_hard_reset() && !inner.is_hard_reset());
        assert_eq!(wrapped.innermost(), inner);
        assert_eq!(wrapped.communication().as_deref(), Some("bye"));
    }

    #[test]
    fn a_malformed_communication_is_not_shown() {
        let lying_length = Notification { code: 6, subcode: 2, data: vec![9, b'x'] };
        assert_eq!(lying_length.communication(), None);
    }
}
