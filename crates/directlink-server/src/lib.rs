//! The control plane of a Region: two wire APIs, the operator's API, the console, the store, the
//! reconcile loop and the agent channel.
//!
//! ```text
//!  api/oapi  api/aws  api/operator      dialects: pure translation, each its own wire twins
//!        └──────┼──────────┴ cockpit    pages
//!              app                      authorise, load, ask the model, store facts: one file a resource
//!          ┌────┴─────┐
//!        store ◄── reconcile            facts and plans; only `store` knows SQL
//!                     ▲ │
//!          reports    │ ▼  documents
//!                  api/agent            one stream per router, mutual TLS
//! ```
//!
//! `serve` is the shell that starts all of it; `clock` is the only place that asks the machine's time.

pub mod api;
pub mod app;
mod audit;
pub mod auth;
pub mod ca;
pub mod chance;
pub mod clock;
mod cockpit;
pub mod config;
mod loa;
pub mod mail;
pub mod metrics;
pub mod reconcile;
pub mod serve;
pub mod store;
pub mod throttle;
pub mod webhooks;
