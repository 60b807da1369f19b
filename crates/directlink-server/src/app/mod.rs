//! What a Region does when it is asked: one function per command, one file per resource.
//!
//! ```text
//!   dialect ──Command──► App ── one write transaction ──► View, or Refusal
//!                         │      authorise · load · ask the model · facts, event, dirty marks
//!                         └────► the reconcile loop is woken, without data
//! ```
//!
//! Whose object is it? The caller's own are found; an interface is found by its owner and by the
//! owner of its connection, a hosted connection by its customer and its partner; another's object is "no such", never "denied". With `dry_run` all of
//! the command runs and is then rolled back: the same refusals, and nothing changed.
//! The order of refusals is the real service's: words, existence, state, conflicts, quotas.

mod access_keys;
mod accounts;
pub(crate) mod api_logs;
mod audit;
pub(crate) mod authorities;
mod bgp_peers;
mod capacity;
pub(crate) mod certificates;
mod connections;
mod diagnosis;
mod failover_tests;
pub(crate) mod figures;
mod gateways;
mod glass;
mod history;
mod hosted_connections;
mod interfaces;
mod inventory;
mod lags;
mod letters;
mod looking_glass;
mod mails;
mod maintenance;
mod moves;
mod nets;
mod nics;
pub(crate) mod operator;
mod pages;
mod quotas;
mod regions;
mod route_tables;
mod security_groups;
pub(crate) mod sessions;
mod sites;
mod tag_sets;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod webhooks;
mod what_if;
pub(crate) mod wires;

pub use crate::ca::Identity;
pub use access_keys::NewAccessKey;
pub use accounts::{AddAccount, Credential, NewAccount};
pub use api_logs::{ApiLogs, LogRange};
pub use audit::{AuditPage, AuditWanted, Line as AuditLine};
pub use authorities::{AuthorityRefusal, AuthorityView};
pub use capacity::{CapacityView, SpeedCapacity};
pub use certificates::{CertificateView, NewToken};
pub use diagnosis::Effort;
pub use figures::{Figures, Series};
pub use history::{EVENTS_MAX, Event};
pub use interfaces::InterfaceFilter;
pub use inventory::{CROSS_CONNECTS_MAX, CrossConnectView, PanelView, RoomView, WiredView};
pub(crate) use letters::Verified;
pub use letters::{LETTERS_MAX, LetterView};
pub use mails::{MAILS_MAX, MailView};
pub use maintenance::{MAINTENANCES_MAX, MaintenanceView};
pub use operator::PlacedNic;
pub use pages::{Cursor, Page, Wanted};
pub use regions::SubregionView;
pub use sites::{AgentView, NewRouter, PortView, RouterLine, RouterView, ScopeView};
pub use tag_sets::Tags;
pub use tags::Tagged;
pub use webhooks::{Added, MESSAGES_MAX, WEBHOOKS_MAX};
pub use what_if::Hypothesis;

use crate::{
    ca::Authorities,
    chance::Chance,
    clock::Clock,
    config::{Links, Rules},
    reconcile::Agents,
    store::{self, Store, Tx, journal::Actor},
};
use directlink_model::{Fault, account::Caller, location::Region};
use jiff::Timestamp;
use rand::distr::{Distribution, StandardUniform};
use secrecy::{ExposeSecret, SecretString};
use std::{ops::ControlFlow, sync::Arc};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tracing::{Instrument as _, Span, info_span};
use uuid::Uuid;

/// The Region. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    pub region: Region,
    pub rules: Rules,
    pub clock: Clock,
    /// Where ids come from.
    pub chance: Chance,
    pub store: Store,
    /// Who says who is a router.
    pub authorities: Authorities,
    /// Where customers reach us, for links in letters.
    pub links: Links,
    pub operator_token: SecretString,
    /// What the routers' agents have said since this process started.
    pub agents: Agents,
    /// Calls of customers that are not yet on disk.
    pub api_logs: ApiLogs,
    /// What passed on each port and is not yet on disk.
    pub figures: Figures,
    /// Wakes the reconcile loop. Carries no data: what to do is in the store.
    pub wake: Notify,
    /// Wakes what sends mail. Carries no data, as above.
    pub wake_mail: Notify,
    /// True when the process is about to stop: agents go elsewhere, and load balancers are told so.
    pub drain: watch::Sender<bool>,
    /// True when the process stops: streams that would never end then do.
    pub stop: watch::Sender<bool>,
}

/// Who asks, when, and under which number. Made once a request, at the edge.
#[derive(Clone, Debug)]
pub struct Context {
    pub caller: Caller,
    pub now: Timestamp,
    pub request_id: Uuid,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
}

impl Context {
    fn actor(&self) -> Actor {
        Actor::Account(self.caller.account)
    }
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
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The Region's time: the real one, or the virtual one of a lab.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The machine's own time, which signatures are judged by: a client cannot follow a virtual clock.
    pub fn machine_now(&self) -> Timestamp {
        self.0.clock.machine_now()
    }

    pub fn has_virtual_clock(&self) -> bool {
        self.0.clock.is_virtual()
    }

    /// A context for `caller` now, with a fresh request id.
    pub fn context(&self, caller: Caller, dry_run: bool) -> Context {
        Context { caller, now: self.now(), request_id: Uuid::now_v7(), dry_run }
    }

    /// Compared in constant time.
    pub fn is_operator_token(&self, token: &str) -> bool {
        let right = self.0.operator_token.expose_secret();
        right.as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn chance(&self) -> &Chance {
        &self.0.chance
    }

    fn draw<T>(&self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        self.0.chance.draw()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// For a COMMIT of what is followed.
    fn committing(&self, attempt: u32) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        let system = if self.0.store.is_shared() { "postgresql" } else { "sqlite" };
        info_span!(
            "COMMIT",
            otel.kind = "client",
            db.system.name = system,
            db.operation.name = "COMMIT",
            directlink.attempt = attempt,
        )
    }

    /// Ends one attempt of a write: commits what went well, and says whether to try again.
    pub(crate) async fn settle<T, E: From<store::Error> + Contended>(
        &self,
        mut tx: Tx,
        outcome: Result<T, E>,
        dry_run: bool,
        attempt: u32,
    ) -> ControlFlow<Result<T, E>> {
        const ATTEMPTS: u32 = 8;
        let (marked, posted) = (tx.marked, tx.posted);
        let planned = std::mem::take(&mut tx.planned);
        let ended = match (&outcome, dry_run) {
            (Ok(_), false) => {
                let committed = tx.commit().instrument(self.committing(attempt)).await;
                committed.inspect(|()| {
                    self.0.agents.planned(planned);
                    self.0.store.tell_change();
                })
            }
            (Ok(_), true) | (Err(_), _) => {
                tx.rollback().await;
                Ok(())
            }
        };
        let outcome = match ended {
            Ok(()) => outcome,
            Err(error) => outcome.and(Err(error.into())),
        };
        if outcome.as_ref().is_ok_and(|_| marked && !dry_run) {
            self.0.wake.notify_one();
        }
        if outcome.as_ref().is_ok_and(|_| posted && !dry_run) {
            self.0.wake_mail.notify_one();
        }
        match outcome {
            Err(error) if error.is_contended() && attempt < ATTEMPTS => ControlFlow::Continue(()),
            outcome => ControlFlow::Break(outcome),
        }
    }
}

/// Whether doing it all again may go well.
pub(crate) trait Contended {
    fn is_contended(&self) -> bool;
}

impl Contended for Refusal {
    fn is_contended(&self) -> bool {
        matches!(self, Self::Error(error) if error.is_contended())
    }
}

impl Contended for store::Error {
    fn is_contended(&self) -> bool {
        self.can_be_done_again()
    }
}

/// Runs a block in one write transaction, again if another transaction was quicker, or the database
/// went away before it could keep anything. The block
/// sees the transaction as `$tx: &mut Tx`, ends in a `Result`, and must not consume what it uses.
///
/// A macro and not a function that takes a closure: a future that borrows from a closure's argument
/// cannot promise today that it is `Send`, a plain `async` block can.
macro_rules! write_tx {
    ($app:expr, $dry_run:expr, |$tx:ident| $body:block) => {
        $crate::app::write_tx!($app, $dry_run, $crate::app::Refusal, |$tx| $body)
    };
    ($app:expr, $dry_run:expr, $error:ty, |$tx:ident| $body:block) => {{
        let mut attempt = 1;
        loop {
            let mut tx = match $app.parts().store.begin_again(attempt).await {
                Ok(tx) => tx,
                Err(error) => break Err(<$error>::from(error)),
            };
            let outcome: Result<_, $error> = {
                let $tx = &mut tx;
                $app.parts().store.in_time(async { $body }).await
            };
            match $app.settle(tx, outcome, $dry_run, attempt).await {
                std::ops::ControlFlow::Break(outcome) => break outcome,
                std::ops::ControlFlow::Continue(()) => attempt += 1,
            }
        }
    }};
}
pub(crate) use write_tx;

/// A name is for people: 1 to 255 characters, none of which moves a cursor.
fn check_name(parameter: &'static str, name: &str) -> Result<(), Fault> {
    let good = (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    match good {
        true => Ok(()),
        false => Err(Fault::BadValue {
            parameter,
            given: name.escape_default().to_string(),
            expected: "it has 1 to 255 characters, none of them a control character".into(),
        }),
    }
}

/// Those with one of `ids`, or all.
fn chosen<T, I: PartialEq>(all: Vec<T>, ids: Option<&[I]>, id: impl Fn(&T) -> I) -> Vec<T> {
    match ids {
        None => all,
        Some(ids) => all.into_iter().filter(|one| ids.contains(&id(one))).collect(),
    }
}
