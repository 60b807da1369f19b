//! The rules of DirectLink. Pure: no clock, no socket, no store, no dialect.
//!
//! ```text
//!   facts (rows) ──► state(now)           connection, interface: what a resource is in
//!   facts + command ──► facts' or Fault   what a customer or operator may do
//!   facts ──► plan                        what a router shall do          plan.rs
//!   report ──► facts'                     what a router says it sees      report.rs
//!   facts, report ──► diagnosis           why it does not work            diagnosis.rs
//!   report, report ──► points             what passed between             figures.rs
//! ```
//!
//! `plan` and `report` are the whole protocol between server and router, which is why
//! they alone derive serde; resources never do: each dialect has its own wire twins.
//! Time is always an argument.

pub mod account;
pub mod authority;
pub mod bgp_peer;
pub mod command;
pub mod connection;
pub mod coverage;
pub mod diagnosis;
pub mod drain;
pub mod elsewhere;
pub mod enrolment;
pub mod evidence;
pub mod failover;
pub mod fault;
pub mod figures;
pub mod gateway;
pub mod glass;
pub mod hosting;
pub mod ids;
pub mod interface;
pub mod inventory;
pub mod lag;
pub mod location;
pub mod maintenance;
pub mod moving;
pub mod needs;
pub mod net;
pub mod notice;
pub mod plan;
pub mod quota;
pub mod report;
pub mod route_table;
pub mod router_config;
pub mod security_group;
pub mod tag;
pub mod tag_set;
pub mod view;
pub mod what_if;

pub use fault::Fault;
