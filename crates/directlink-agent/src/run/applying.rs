//! Plans on their way into the kernel, for whoever follows the call that they came of: a span from a plan's arrival to
//! its answer.
//!
//! ```text
//!   Plan{traceparent} ──► apply ─────────────────────────────► Ack | Nack
//!                           ├ ledger     on the disk
//!                           └ pass       wanted against the kernel, perhaps several
//! ```
//!
//! A plan that says nothing of where it came from has no span: most come of nobody's call.

use directlink_channel::{Ack, Nack, Plan, from_router::Message};
use directlink_telemetry::Origin;
use std::collections::BTreeMap;
use tracing::{Span, field::Empty, info_span};

/// Of each scope the last plan that was taken and not answered.
#[derive(Debug, Default)]
pub(super) struct Applying(BTreeMap<String, (u64, Span)>);

impl Applying {
    pub(super) fn begin(&mut self, plan: &Plan) -> Span {
        let Ok(origin) = plan.traceparent.parse::<Origin>() else {
            // What it takes the place of is answered no more.
            self.0.remove(&plan.scope);
            return Span::none();
        };
        let span = info_span!(
            "apply",
            otel.kind = "consumer",
            otel.status_description = Empty,
            directlink.scope = plan.scope,
            directlink.generation = plan.generation,
        );
        origin.leads_to(&span);
        if !span.is_disabled() {
            self.0.insert(plan.scope.clone(), (plan.generation, span.clone()));
        }
        span
    }

    /// For a pass over the kernel, which is of all plans that wait: in the trace of one, with links to the others.
    pub(super) fn pass(&self) -> Span {
        let mut waiting = self.0.values().map(|(_, span)| span);
        let Some(first) = waiting.next() else { return Span::none() };
        let span = first.in_scope(|| info_span!("pass", directlink.plans = self.0.len()));
        for other in waiting.filter_map(|other| other.in_scope(Origin::of_current)) {
            other.is_linked_to(&span);
        }
        span
    }

    /// The server is told what became of one.
    pub(super) fn answered(&mut self, message: &Message) {
        let (scope, generation, reason) = match message {
            Message::Ack(Ack { scope, generation }) => (scope, generation, None),
            Message::Nack(Nack { scope, generation, reason }) => (scope, generation, Some(reason)),
            _ => return,
        };
        if self.0.get(scope).is_none_or(|(begun, _)| begun != generation) {
            return;
        }
        let Some((_, span)) = self.0.remove(scope) else { return };
        // It ends when it is left for the last time.
        let _entered = span.enter();
        if let Some(reason) = reason {
            span.record("otel.status_description", reason);
        }
    }
}

/// While the disk is written.
pub(super) fn ledger() -> Span {
    match Span::current().is_none() {
        true => Span::none(),
        false => info_span!("ledger"),
    }
}
