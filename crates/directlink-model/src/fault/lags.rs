//! What is refused of link aggregation groups.

use crate::{
    ids::{ConnectionId, LagId, LocationCode},
    lag::LagState,
};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LagFault {
    #[error("The LAG '{0}' doesn't exist.")]
    NoSuchLag(LagId),
    #[error("'{connection}' is not a member of the LAG '{lag}'.")]
    NotMember { lag: LagId, connection: ConnectionId },
    #[error("'{connection}' is a member of the LAG '{lag}' already.")]
    AlreadyMember { lag: LagId, connection: ConnectionId },
    #[error(
        "'{connection}' cannot be a member of the LAG '{lag}': {why}. All members are at one location, of one bandwidth, and end at one router."
    )]
    Apart { lag: LagId, connection: ConnectionId, why: String },
    #[error("The LAG '{lag}' has {limit} members, which is the most. Disassociate one first.")]
    Full { lag: LagId, limit: usize },
    #[error(
        "A LAG is made of 1 to {limit} connections, not {given}. A connection that is there already counts among them."
    )]
    Count { given: i64, limit: usize },
    #[error(
        "Without '{connection}' the LAG '{lag}' would be below its minimum of {minimum} operational connection(s). Lower that first, or add another connection."
    )]
    BelowMinimum { lag: LagId, connection: ConnectionId, minimum: usize },
    #[error(
        "'{connection}' is the last member of the LAG '{lag}', which still has {count} interface(s). Delete them first, or add another connection."
    )]
    LastMember { lag: LagId, connection: ConnectionId, count: usize },
    #[error(
        "The LAG '{lag}' has {members} connection(s): its minimum of operational ones is a number from 0 to {members}, not {given}."
    )]
    MinimumLinks { lag: LagId, given: i64, members: usize },
    #[error("The LAG '{lag}' still has {count} interface(s). Delete them first.")]
    HasInterfaces { lag: LagId, count: usize },
    #[error(
        "The LAG '{lag}' is '{state}': it takes interfaces only while it is 'available', that is, while enough of its connections have light."
    )]
    NotAvailable { lag: LagId, state: LagState },
    #[error(
        "'{connection}' is a member of the LAG '{lag}': interfaces are made on the LAG, not on its members."
    )]
    MemberTakesNone { lag: LagId, connection: ConnectionId },
    #[error(
        "No router at '{location}' has {count} free {speed} port(s) together, and all connections of a LAG end at one. Ask for fewer, or choose another location."
    )]
    NoRoom { location: LocationCode, count: usize, speed: &'static str },
}
