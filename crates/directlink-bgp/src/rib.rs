//! Routing information bases (RFC 4271 §3.2).
//!
//! ```text
//!   peer A ─► AdjRibIn ─┐                              ┌─► AdjRibOut ─► peer A
//!                       ├─► LocRib of the Net ─► rows  │   (a list that the plan gives:
//!   peer B ─► AdjRibIn ─┘   (best path)                └─► AdjRibOut ─► peer B  the Net's ranges)
//! ```
//!
//! A Loc-RIB keeps no routes: it asks those whose routes they are ([`PeerOffers`]).
//!
//! A customer's routes are never passed on to another customer, so that the way out does not
//! start at the Loc-RIB.

mod adj_in;
mod adj_out;
mod explain;
mod loc;
mod offers;
mod routes;
mod sets;

pub(crate) use adj_in::AdjRibIn;
pub use adj_in::{LearnedRoute, Retold, RouteChange, RouteCounts};
pub(crate) use adj_out::AdjRibOut;
pub use adj_out::Export;
pub use explain::{Rule, Standing};
pub use loc::{Decision, LocRib, Path};
pub use offers::{Offers, PeerOffers};
