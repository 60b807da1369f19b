//! The Link Aggregation Control Protocol (IEEE 802.1AX-2020 §6), for ports that carry as one:
//! a customer's router bundles them, and sends by those that carry.
//!
//! ```text
//!            light, PDU, role, tick              at most one PDU
//!   shell ──────────────────────────────► Port ──────────────────► shell
//!   (a packet socket, a clock)             │  Status
//!                                          └──────► whoever reports
//! ```
//!
//! A [`Port`] is a function of its arguments like all of this crate. Which ports of a bundle carry is
//! not its business: it is told, and says so to its partner. One that stands by keeps talking
//! without the Synchronization flag, so that the partner knows it for a part of the same bundle
//! and sends nothing there (§6.4.4, "standby").
//!
//! Always active, and asking for PDUs each second. Not spoken: the Marker protocol, version 2.

mod pdu;
mod port;

pub use pdu::{BadPdu, Information, PDU_BYTES, Pdu, States};
pub use port::{Input, Partner, Port, Role, Status};
