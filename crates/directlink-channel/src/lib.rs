//! The stubs of `proto/agent.proto`, which both ends of the agent channel speak.
//!
//! A crate of its own so that the router does not build the server, nor the server the router.

#![allow(clippy::all, clippy::unwrap_used, unreachable_pub, missing_docs, unused_qualifications)]

tonic::include_proto!("directlink.agent.v1");

/// In the metadata of the answer to `Attach`: this server says to each agent that waits when it may speak.
pub const GIVES_TURNS: &str = "directlink-turns";

/// In the same place: this server puts a report together that comes in parts, and the routes into one that leaves them
/// out as unchanged.
pub const COMPLETES_REPORTS: &str = "directlink-reports";
