//! The peer's whole conversation with its shell: what can happen to it, what it wants done, and
//! what it says of itself.

use super::Capabilities;
use crate::{Family, Notification, RouteChange, rib::RouteCounts};
use bytes::Bytes;
use directlink_net::Asn;
use std::{fmt, net::Ipv4Addr, sync::Arc, time::Duration};

/// A TCP connection, named by the side that opened it. A number is used once: whatever is tagged
/// with it belongs to that session and no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnId {
    /// Dialled; numbered by the peer in [`Output::Connect`].
    Ours(u64),
    /// Accepted; numbered by the shell.
    Theirs(u64),
}

/// What can happen to a peer. In brackets: the event of RFC 4271 §8.1.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Dial and accept from now on (ManualStart).
    Start,
    /// Dial now, if a dial is waited for: somebody looks.
    Hurry,
    /// Close and stay closed until the next start (ManualStop).
    Stop(Stop),
    /// A dial succeeded, or the peer's was accepted (TcpConnectionConfirmed / Acked).
    Opened(ConnId),
    /// A dial failed (TcpConnectionFails).
    ConnectFailed(ConnId, DialFailure),
    Received(ConnId, &'a [u8]),
    /// So many of the bytes of [`Output::Send`] are with the system now.
    Sent(ConnId, usize),
    /// Closed by the other side, or broken (TcpConnectionFails), with the system's words.
    Closed(ConnId, String),
    /// BFD found the path dead (RFC 5882 §4): no session goes on over it.
    PathFailed,
    /// [`super::Peer::next_deadline`] has come.
    Tick,
}

/// Why we stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The interface is gone: the customer must keep nothing of ours.
    Deleted,
    /// This process restarts and forwarding goes on: the connection ends without a word, and the
    /// customer keeps our routes (RFC 4724).
    Restart,
    /// For a while, with words for the customer's log (RFC 9003).
    Shutdown(String),
}

/// What a peer wants done, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection and answer with [`Input::Opened`] or [`Input::ConnectFailed`].
    Connect(ConnId),
    /// Queue these bytes.
    Send(ConnId, Bytes),
    /// Close once everything queued is written; give up a dial. Nothing more is heard of it.
    Close(ConnId),
    Established(ConnId, Box<Negotiated>),
    /// The session is over. If the peer may come back with the same routes they are kept, and
    /// their end is told by [`Output::Routes`].
    Down {
        conn: ConnId,
        reason: DownReason,
        routes_kept: bool,
        /// What we said at the end, if we did.
        notification: Option<Bytes>,
    },
    /// An attempt ended before it was a session.
    Failed(DownReason),
    Routes(Vec<RouteChange>),
    /// The peer has told its whole table once in this session; what a restarted router kept
    /// from before and has not heard again can go.
    Converged(ConnId),
    /// It has four fifths of the prefixes that it may have. Told once each time it comes to that.
    NearLimit {
        family: Family,
        max: u32,
    },
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    pub peer_asn: Asn,
    pub peer_router_id: Ipv4Addr,
    pub hold_time_seconds: u16,
    pub keepalive_seconds: u16,
    pub families: Vec<Family>,
    pub four_octet_as: bool,
    pub route_refresh: bool,
    pub enhanced_route_refresh: bool,
    pub extended_message: bool,
    pub graceful_restart: Option<PeerRestart>,
    /// As both OPENs offered them.
    pub capabilities: Arc<Capabilities>,
}

/// The peer's graceful restart capability (RFC 4724 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRestart {
    pub restart_time_seconds: u16,
    /// R bit: it has just restarted.
    pub restarting: bool,
    /// N bit on both sides: a NOTIFICATION does not end it, a Hard Reset does (RFC 8538).
    pub notification: bool,
    /// The families it restarts gracefully, each with its F bit (forwarding was preserved).
    pub families: Vec<(Family, bool)>,
}

/// Why a session or an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The connection broke or was closed without a NOTIFICATION.
    Closed(String),
    /// Both sides had dialled, and the other connection was kept (RFC 4271 §6.8).
    Collision,
    /// BFD found the path dead.
    PathFailed,
    ConfigurationChanged,
    ConnectFailed(DialFailure),
    HoldTimerExpired,
    MaximumPrefixes {
        family: Family,
        max: u32,
    },
    NotificationReceived(Notification),
    /// We found an error in what the peer sent.
    NotificationSent(Notification),
    SendHoldTimerExpired,
    Stopped(Stop),
    /// The peer came back on a new connection before the old one was seen to be dead (RFC 4724 §5).
    Superseded,
}

/// Why there is no connection, as TCP sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialFailure {
    /// RST: nobody listens.
    Refused,
    /// Nothing came back in time.
    NoAnswer,
    /// The neighbour is not found, or some router said so.
    Unreachable,
    /// In the system's words.
    Other(String),
}

/// How a session or an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub at: Duration,
    pub reason: DownReason,
    /// It was a session.
    pub was_established: bool,
}

/// What an OPEN said, accepted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSaid {
    pub at: Duration,
    /// As of the four-octet capability, where it is there.
    pub asn: u32,
    pub hold_time_seconds: u16,
    pub bgp_identifier: Ipv4Addr,
}

/// RFC 4271 §8.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}

/// A peer as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub session: Option<ConnId>,
    pub established_at: Option<Duration>,
    pub negotiated: Option<Negotiated>,
    pub converged: bool,
    /// How the last session ended, and when.
    pub last_down: Option<(Duration, DownReason)>,
    /// How the last attempt failed that was no session yet, and when.
    pub last_failure: Option<(Duration, DownReason)>,
    /// How sessions and attempts ended: of each kind the last, the last of all first.
    pub endings: Vec<Ended>,
    /// The peer's last OPEN.
    pub last_open: Option<OpenSaid>,
    /// When we try again, where we wait.
    pub retry_at: Option<Duration>,
    pub routes: RouteCounts,
    /// It has four fifths of the prefixes that it may have, or more.
    pub near_limit: bool,
    pub advertised: u32,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::NoAnswer => "no answer",
            Self::Unreachable => "unreachable",
            Self::Other(words) => words,
        })
    }
}

impl Ended {
    /// Of the same kind, whatever it says.
    pub(super) fn is_kin(&self, other: &Self) -> bool {
        let is_same = match (&self.reason, &other.reason) {
            (DownReason::ConnectFailed(a), DownReason::ConnectFailed(b)) => {
                std::mem::discriminant(a) == std::mem::discriminant(b)
            }
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        is_same && self.was_established == other.was_established
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("the interface was deleted"),
            Self::Restart => f.write_str("the router's control plane restarts"),
            Self::Shutdown(text) if text.is_empty() => f.write_str("shut down"),
            Self::Shutdown(text) => write!(f, "shut down: {text}"),
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(detail) => write!(f, "the connection was closed: {detail}"),
            Self::Collision => f.write_str("another connection with this peer was kept"),
            Self::PathFailed => f.write_str("BFD found the path dead"),
            Self::ConfigurationChanged => f.write_str("the session's configuration changed"),
            Self::ConnectFailed(detail) => write!(f, "no connection: {detail}"),
            Self::HoldTimerExpired => f.write_str("nothing was heard within the hold time"),
            Self::MaximumPrefixes { family, max } => {
                write!(f, "more than {max} {family} prefixes were received")
            }
            Self::NotificationReceived(what) => write!(f, "the peer sent {what}"),
            Self::NotificationSent(what) => write!(f, "we sent {what}"),
            Self::SendHoldTimerExpired => {
                f.write_str("the peer took nothing of what we sent within the send hold time")
            }
            Self::Stopped(stop) => stop.fmt(f),
            Self::Superseded => f.write_str("the peer opened a new connection"),
        }
    }
}
