//! From the order to the light: what all interfaces of a connection stand on.

use super::{Judgement, OURS, RouterHeard, Sign, bad, good, open, sign};
use crate::{
    connection::{Connection, ConnectionState},
    evidence::{Lacp, PortEvidence, Rise},
};
use jiff::{SignedDuration, Timestamp};

/// A connection's fibre, and who looks after its port.
#[derive(Clone, Copy, Debug)]
pub struct Fibre<'a> {
    pub connection: &'a Connection,
    pub router: RouterHeard,
    pub port: &'a PortEvidence,
}

/// The same at a time.
pub(super) struct Seen<'a> {
    pub(super) connection: &'a Connection,
    pub(super) router: RouterHeard,
    pub(super) port: &'a PortEvidence,
    pub(super) now: Timestamp,
}

/// What happened so long ago, or less, is still so: a little more than the time between two looks at
/// everything (an echo and an ARP request every ten seconds, a report every five).
const RECENT: SignedDuration = SignedDuration::from_secs(30);

impl Seen<'_> {
    pub(super) fn order(&self) -> Judgement {
        let connection = self.connection;
        let state = connection.state();
        let says = format!("connection {} is {state}", connection.id);
        match state {
            ConnectionState::Ordering => {
                bad(sign(says), "Confirm the connection: it is offered to you.")
            }
            ConnectionState::Requested => bad(
                sign(says).at(connection.requested_at),
                "Wait for the operator's approval, which follows the order.",
            ),
            ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => {
                bad(sign(says), "Order another connection: this one is given up.")
            }
            ConnectionState::Pending | ConnectionState::Available | ConnectionState::Down => {
                let at = connection.approval.as_ref().map(|approval| approval.approved_at);
                Judgement::Good(sign(says).at(at))
            }
        }
    }

    /// It is issued with the approval; what can be wrong with it is its age.
    pub(super) fn letter(&self) -> Judgement {
        let connection = self.connection;
        let Some(approval) = &connection.approval else { return open("no port is taken yet") };
        let issued = sign(format!("for port {}", approval.port)).at(approval.letter_at);
        let is_over = self.now > approval.letter_until();
        match connection.light.is_none() && is_over {
            true => bad(
                Sign { says: format!("{}; it was good for 90 days", issued.says), ..issued },
                "Ask the operator for a new letter: no meet-me room works by one that has expired.",
            ),
            false => Judgement::Good(issued),
        }
    }

    pub(super) fn light(&self) -> Judgement {
        let Some(light) = self.connection.light else {
            return bad(
                sign("the port has had no light yet"),
                "Have the cross-connect made and checked: both ends plugged, transmit and receive not swapped, the optics of your port those of the letter.",
            );
        };
        match light.on {
            true => {
                Judgement::Good(sign(format!("light at both ends{}", self.lacp())).at(light.since))
            }
            false => bad(
                sign("the light went out").at(light.since),
                "Check your port (is it shut?) and its optic, then have the cross-connect checked.",
            ),
        }
    }

    /// Of a LAG's member, and no fault by itself: a bridge or a bond of another kind has none.
    fn lacp(&self) -> String {
        match &self.port.lacp {
            None => String::new(),
            Some(Lacp { partner: None, .. }) => "; nobody speaks LACP there".into(),
            Some(Lacp { partner: Some(partner), is_in_use, is_ready }) => {
                let does = match (is_in_use, is_ready) {
                    (true, _) => "sends by it",
                    (false, true) => "has it stand by",
                    (false, false) => "has it in no bundle yet",
                };
                format!("; LACP: {partner} {does}")
            }
        }
    }

    pub(super) fn port_errors(&self) -> Judgement {
        match self.port.receive_errors {
            Some(Rise { count, last_at }) if self.is_recent(last_at) => bad(
                sign(format!("{count} frames arrived broken")).at(last_at),
                "Clean the connectors and have the fibre measured; then change the optics, one end after the other.",
            ),
            Some(Rise { count, last_at }) => {
                Judgement::Good(sign(format!("{count} broken frames, none of late")).at(last_at))
            }
            None => good("no broken frame"),
        }
    }

    /// The router as far as no interface is asked about.
    pub(super) fn heard(&self) -> Judgement {
        self.silence().unwrap_or_else(|| good("the router's agent is heard"))
    }

    pub(super) fn silence(&self) -> Option<Judgement> {
        match self.router {
            RouterHeard::SilentSince(at) => {
                Some(bad(sign("the router's agent is not heard").at(at), OURS))
            }
            RouterHeard::Never => Some(bad(sign("the router's agent was never heard"), OURS)),
            RouterHeard::Connected => None,
        }
    }

    /// Seen not long before the router last spoke. By the router's clock alone.
    pub(super) fn is_recent(&self, at: Timestamp) -> bool {
        self.is_within(at, RECENT)
    }

    pub(super) fn is_within(&self, at: Timestamp, time: SignedDuration) -> bool {
        self.port.at.is_some_and(|said| said.duration_since(at) <= time)
    }
}
