//! A lab: a whole Region on this machine, each part a process or a namespace of its own.
//!
//! ```text
//! DIR/lab.json              what `lab up` printed, and what it needs to start a part again
//!     operator.token        the operator's secret
//!     server/               the server's state: database, certificate authority
//!     routers/NAME/         an agent's identity, ledger and pins
//!     customer/NAME/        a customer's router, where the lab runs one
//!     log/ run/             what each process says; its number
//! ```
//!
//! Links and namespaces are the crate directlink-lab's; here they meet the control plane.

mod attach;
mod inventory;
mod record;
mod region;
mod status;
mod up;

pub use attach::{Placed, host, jack, session_of};
pub use record::{Account, Lab, RouterRecord};
pub use status::status;
pub use up::{ClockKind, Wish, keep_identity, keep_token, up};
