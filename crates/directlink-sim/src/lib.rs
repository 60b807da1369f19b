//! A Region on virtual time and a simulated network, with faults from a seed.
//!
//! ```text
//!   people ── requests, answers: lost, late ──► servers ── acts ──► store under a weather
//!                                                 │ ▲
//!                        plans, in order, held,   │ │ reports
//!                        broken at one end first  ▼ │
//!                                               routers: agent · kernel · BGP ⇄ customers
//!
//!   one queue of events, one source of chance, one thread, one act at a time
//! ```
//!
//! What runs is the product: the application and its SQL on a real SQLite, the reconcile loop's passes, the agent
//! channel's sessions, the agent's mind, ledger and schedule, the BGP peers. What is simulated is what lies between:
//! time, the network, the store's weather, the kernel, light, and everybody who uses a Region.
//!
//! After the storm nothing fails any more, and within a bounded time all must be as the facts want it. The same seed
//! makes the same run to the byte of its log: a failure is replayed by its seed.

mod bundles;
mod checks;
mod commands;
mod dice;
mod faults;
mod lines;
mod log;
mod memory;
mod people;
mod region;
mod servers;
mod sky;
mod template;
mod wishes;

pub use template::Template;

use region::Sim;
use std::{fmt, time::Duration};

/// What a run was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Of its whole log.
    pub digest: String,
    pub events: u64,
    /// When all was as it should be.
    pub settled_at: Duration,
    pub operations: usize,
    pub acknowledged: usize,
    /// Strokes of the store's weather that hit an act.
    pub strokes: u64,
    /// Interfaces that packets went through.
    pub forwarded: usize,
}

/// What went wrong in a run, with the end of its log.
pub struct Failure {
    pub seed: u64,
    pub what: String,
    pub log: String,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nseed {}: {}", self.log, self.seed, self.what)
    }
}

/// One run.
///
/// # Errors
/// Something does not hold.
pub async fn run(template: &Template, seed: u64) -> Result<Run, Failure> {
    let failed = |what: String, log: String| Failure { seed, what, log };
    let sim = Sim::new(template, seed).await;
    let mut sim = sim.map_err(|error| failed(error.to_string(), String::new()))?;
    let outcome = sim.run().await;
    let run = sim.told();
    sim.end().await;
    match outcome {
        Ok(()) => Ok(run),
        Err(error) => Err(failed(error.to_string(), sim.log.last())),
    }
}
