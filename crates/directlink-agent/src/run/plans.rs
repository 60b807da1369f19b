//! Documents, from the ledger at start and from the server later.

use super::{Agent, COLLECT, applying, jobs::generations, mind::Weighed};
use crate::{
    clock,
    ledger::{Found, Held, Ledger, LedgerError},
    link::HeldScopes,
    schedule::Chore,
    wanted::Known,
};
use directlink_channel::Plan;
use directlink_model::plan::Scope;
use std::collections::BTreeMap;
use tracing::Instrument as _;

/// What the disk has.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) scopes: BTreeMap<Scope, Known>,
    /// Those whose document cannot be read, and why.
    pub(crate) unreadable: BTreeMap<Scope, String>,
}

pub(crate) fn read(ledger: &Ledger) -> Result<Read, LedgerError> {
    let mut read = Read::default();
    for (scope, found) in ledger.read()? {
        let known = match found {
            Found::Current(Held { generation, document }) => {
                Known::Current { generation, document }
            }
            Found::Unreadable { reason, previous } => {
                tracing::error!(%scope, %reason, has_previous = previous.is_some(),
                    "a plan cannot be read; what is in the kernel stays until the server sends it");
                read.unreadable.insert(scope.clone(), reason.to_string());
                Known::Former(previous.map(|held| held.document))
            }
        };
        read.scopes.insert(scope, known);
    }
    Ok(read)
}

/// What the server need not send: not what cannot be read.
pub(super) fn held(scopes: &BTreeMap<Scope, Known>) -> HeldScopes {
    let current = generations(scopes).into_iter();
    current.map(|(scope, generation)| (scope.to_string(), generation)).collect()
}

impl Agent {
    /// A plan from the server: on the disk first, in the kernel after.
    pub(super) async fn take_plan(&mut self, plan: Plan) {
        let now = clock::instant();
        let scope = match self.mind.weigh(&plan) {
            Weighed::Refused => return,
            Weighed::Held => return self.schedule.at(Chore::Pass, now),
            Weighed::New(scope) => scope,
        };
        let span = self.applying.begin(&plan);
        self.take_new_plan(scope, plan).instrument(span).await;
    }

    async fn take_new_plan(&mut self, scope: Scope, plan: Plan) {
        let Plan { scope: name, generation, document, .. } = plan;
        match self.keep(&scope, generation, document).await {
            Ok(held) => {
                tracing::info!(%scope, generation, "a new plan");
                self.mind.take(scope, held);
                self.link.holds(self.mind.held());
                // Several come together when a stream begins.
                self.schedule.after(Chore::Pass, clock::instant(), COLLECT / 4);
            }
            Err(error) => {
                tracing::error!(%scope, generation, %error, "a plan is not taken");
                self.mind.refuse(name, generation, error.to_string());
            }
        }
    }

    /// Beside the loop: a slow disk holds up no session.
    async fn keep(
        &self,
        scope: &Scope,
        generation: u64,
        document: Vec<u8>,
    ) -> Result<Held, LedgerError> {
        let (ledger, scope) = (self.ledger.clone(), scope.clone());
        let span = applying::ledger();
        let keep = move || span.in_scope(|| ledger.keep(&scope, generation, &document));
        match tokio::task::spawn_blocking(keep).await {
            Ok(kept) => kept,
            Err(error) => unreachable!("keeping a plan neither panics nor is aborted: {error}"),
        }
    }
}
