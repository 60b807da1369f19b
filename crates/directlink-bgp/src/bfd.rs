//! Bidirectional Forwarding Detection (RFC 5880), for one hop (RFC 5881), asynchronous mode:
//! notices within a second that a path is dead, where BGP's hold timer takes a minute.
//!
//! ```text
//!            bytes, tick                  Send(24 octets)
//!   shell ─────────────────► Session ───────────────────────► shell
//!   (UDP 3784, clock,           │       Changed { from, to }
//!    dice)                      └────────────────────────────► the interface's BGP session
//! ```
//!
//! A session is a function of its arguments like all of this crate: `now` is a duration since
//! whenever, and the random number that jitter needs comes with each call. It never knows the
//! socket: TTL, ports and who sent a packet (RFC 5881 §4, §5) are the shell's to check.
//!
//! Not spoken: the echo function (Required Min Echo RX Interval is 0, so nobody sends us any),
//! demand mode on our side (a peer that demands silence gets it, RFC 5880 §6.6), authentication
//! (packets with the A bit are discarded, as §6.8.6 has it), multipoint.

mod packet;
mod session;
mod timing;

pub use packet::{Diagnostic, Discard, PACKET_BYTES, Packet, State};
pub use session::{Input, Kept, Output, Role, Session, Status};
pub use timing::{BadSettings, Settings};
