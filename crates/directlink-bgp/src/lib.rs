//! A BGP speaker without I/O: one [`Peer`] per interface, the routes it learned, and the policy
//! that let them in.
//!
//! ```text
//!            bytes, opened, closed, tick              Connect, Send, Close
//!   shell ───────────────────────────────► Peer ─────────────────────────────► shell
//!   (sockets, clock)                        │ ▲                               (sockets)
//!                            UPDATE ► rib::AdjRibIn ◄ policy::ImportPolicy
//!                                           │
//!                                           ▼ RouteChange
//!                                     rib::LocRib, one per Net ──► best session per prefix
//! ```
//!
//! The whole crate is a function of its arguments: `now` is a [`std::time::Duration`] since
//! whatever moment the shell likes, bytes come in as slices and leave as [`Output`]s. Nothing here
//! opens a socket, reads a clock or spawns a task, so a hold timer of 90 s is tested in a
//! microsecond, and a recorded list of [`Input`]s replays a fault from the field.
//!
//! The message codec and the per-connection state machine are the crates `rustbgpd-wire` and
//! `rustbgpd-fsm`, pinned exactly. Only `wire`, `peer::session` and `peer::capabilities` name them; no type of theirs
//! is in this crate's interface, so that either can be replaced or vendored.
//!
//! Standards: RFC 4271 (BGP-4), 4760 (MP-BGP), 6793 (4-octet AS), 7606 (revised errors), 4724 and
//! 8538 (graceful restart), 8212 (default deny), 9003 (shutdown communication), 9687 (send hold);
//! beside it, in [`bfd`], RFC 5880 and 5881 (bidirectional forwarding detection), and in [`bmp`] what
//! a monitoring station is told (RFC 7854, 8671), and in [`lacp`] IEEE 802.1AX (link aggregation).

mod attributes;
pub mod bfd;
pub mod bmp;
mod family;
pub mod lacp;
mod notification;
pub mod peer;
pub mod policy;
pub mod rib;
mod wire;

pub use attributes::{Attributes, Origin};
pub use family::Family;
pub use notification::Notification;
pub use peer::{
    BadHoldTime, Capabilities, ConnId, DialFailure, DownReason, Ended, GracefulRestart, HoldTime,
    Input, Negotiated, OpenSaid, Output, Peer, PeerConfig, PeerRestart, State, Status, Stop,
    Timings,
};
pub use policy::{ImportPolicy, Preference, PrefixLimits, Refusal};
pub use rib::{
    Decision, Export, LearnedRoute, LocRib, Offers, Path, PeerOffers, Retold, RouteChange,
    RouteCounts, Rule, Standing,
};
