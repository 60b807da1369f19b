//! `directlink`: the parts of a Region as subcommands, and the commands of those who run one.
//!
//! ```text
//! serve   agent                 the Region itself: control plane, one agent per router
//! lab …   demo                  a whole Region on this machine, with real customer routers
//! location router port order account nic clock connection interface     its operator, over HTTP
//! ```
//!
//! Only here do all crates meet. What a command prints for people goes to standard output as a
//! table, for programs as JSON (`--output json`); logs and complaints go to standard error.

pub mod client;
mod clock;
mod commands;
mod config_file;
mod demo;
pub mod lab;
mod memory;
mod output;

pub use commands::main;
