//! The router's agent: plans against the kernel, BGP sessions, reports.
//!
//! ```text
//!   server ◄── gRPC, mTLS ──► link ──► ledger (disk, first)
//!                              │          │
//!                              │          ▼
//!                              │       wanted ──┐
//!                              │                ├─► diff ─► apply ─► kernel, data plane
//!                              │     observed ──┘                      │
//!                              │         ▲─────────────────────────────┘
//!                              ▼                 light, neighbours, verdicts
//!                            report ◄── sessions and routes ◄── speaker ⇄ customer
//!                                                              └──► bmp ──► stations
//!                       facts ──► sflow ──► collectors
//! ```
//!
//! What decides is pure (`wanted`, `diff`, `routes`, `report`); what acts is a thin shell
//! (`kernel`, `link`, `speaker`), and `run` joins them. The agent needs the server only to learn
//! what is new: it starts from its ledger, and everything that forwards is pinned in the kernel,
//! so it may die and come back without a lost packet.

mod backoff;
mod bmp;
pub mod bundles;
mod clock;
mod config;
mod diff;
mod enrol;
mod evidence;
mod glass;
mod identity;
mod kernel;
mod ledger;
mod link;
mod names;
mod observed;
mod relays;
mod report;
mod routes;
mod run;
mod schedule;
mod sessions;
mod sflow;
mod siblings;
pub mod simulated;
pub mod speaker;
mod transceiver;
mod wanted;

pub use config::{AgentConfig, BmpConfig, KernelConfig, NETNS_DIR, PREFIXES_MAX, SflowConfig};
pub use directlink_bgp::bfd::{BadSettings as BadBfdSettings, Settings as BfdSettings};
pub use kernel::{CleanError, KernelError, clean};
pub use ledger::LedgerError;
pub use run::{AgentError, run};
