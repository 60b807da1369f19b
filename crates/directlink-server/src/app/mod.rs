//! What a Region does when it is asked: one function per command, one file per resource.
//!
//! ```text
//!   dialect ──Command──► App ── one write transaction ──► View, or Refusal
//!                         │      authorise · load · ask the model · facts, event, dirty marks
//!                         └────► the reconcile loop is woken, without data
//! ```
//!
//! Whose object is it? The caller's own are found; an interface is found by its owner and by the
//! owner of its connection; another's object is "no such", never "denied". With `dry_run` all of
//! the command runs and is then rolled back: the same refusals, and nothing changed.

mod accounts;
mod connections;
mod gateways;
mod interfaces;
mod nets;
mod nics;
mod operator;
mod regions;
mod route_tables;
mod security_groups;

pub use accounts::{Credential, NewAccessKey};
pub use interfaces::InterfaceFilter;
pub use operator::{
    AddAccount, AgentView, Identity, NewAccount, NewRouter, PortView, RouterView, ScopeView,
};
pub use regions::SubregionView;

use crate::store;
use directlink_model::{Fault, account::Caller};
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

/// The Region. Cheap to clone.
#[derive(Clone)]
pub struct App {}

/// Who asks, when, and under which number. Made once a request, at the edge.
#[derive(Clone, Debug)]
pub struct Context {
    pub caller: Caller,
    pub now: Timestamp,
    pub request_id: Uuid,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
}

/// Why a command did not happen: the customer's to mend, or ours.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Error(#[from] store::Error),
}

impl App {
    /// The Region's time: the real one, or the virtual one of a lab.
    pub fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    /// The machine's own time, which signatures are judged by: a client cannot follow a virtual clock.
    pub fn machine_now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    /// A context for `caller` now, with a fresh request id.
    pub fn context(&self, caller: Caller, dry_run: bool) -> Context {
        Context { caller, now: self.now(), request_id: Uuid::new_v4(), dry_run }
    }
}
