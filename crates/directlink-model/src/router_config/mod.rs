//! The customer's router, the far end of the fibre: its configuration written, and a pasted one
//! checked.
//!
//! ```text
//!              ┌─► software/ios_xe … go_bgp ─► a configuration to paste     configuration
//!   Intent ────┼─► aws_xml                  ─► <logical_connection>         logical_connection
//!              └─► compare ◄── Reading ◄── text/ + software/ ◄── pasted     check
//! ```
//!
//! Pure: text in, text out. A key stands in the written text alone, never in a finding or a `Debug`.
//! Every written configuration reads back without a finding: writer and reader keep each other right.

mod aws_xml;
mod compare;
mod finding;
mod intent;
mod likeness;
mod model;
mod reading;
mod router_types;
mod software;
mod text;

pub use aws_xml::{logical_connection, logical_connection_for};
pub use finding::{Aspect, Finding, Weight};
pub use intent::{
    BFD_INTERVAL_MILLISECONDS, BFD_MULTIPLIER, BadPhysicalPort, Family, HOLD_TIME_SECONDS, Intent,
    KEEPALIVE_SECONDS, PREFIXES_MAX, PhysicalPort, Session,
};
pub use router_types::{ROUTER_TYPES, RouterType, router_type};
pub use software::Software;

/// What to paste into the customer's router.
pub fn configuration(software: Software, intent: &Intent) -> String {
    software.language().configuration(intent)
}

/// Where a pasted running configuration is unlike what the interface needs, in the order in
/// which a session comes up.
pub fn check(software: Software, pasted: &str, intent: &Intent) -> Vec<Finding> {
    compare::compare(software.language(), pasted, intent)
}
