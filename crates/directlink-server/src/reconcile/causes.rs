//! Which call a document came of, from its planning to its sending: for those who follow calls, and for nothing else.
//!
//! ```text
//!   call ──► mark with its origin ──► plan ──► Planned, after the COMMIT ──► send plan ──► the agent
//!            (a row)                           (memory)                      (traceparent)
//! ```
//!
//! Memory is enough: what is lost with it is the end of a trace. Where another server plans than the one that the
//! router's agent is attached to, that is lost as well.

use crate::store::Planned;
use directlink_model::{ids::RouterName, plan::Scope};
use directlink_telemetry::Origin;
use std::collections::BTreeMap;
use tracing::{Span, field::Empty, info_span};

/// Documents that wait for agents, which may be away for days.
const WAITING_MAX: usize = 4096;

/// Of each document the generation that came of a call, until it is sent.
#[derive(Default)]
pub(super) struct Causes(BTreeMap<(RouterName, Scope), (u64, Origin)>);

impl Causes {
    pub(super) fn add(&mut self, planned: Vec<Planned>) {
        for Planned { router, scope, generation, origin } in planned {
            let document = (router, scope);
            if self.0.len() < WAITING_MAX || self.0.contains_key(&document) {
                self.0.insert(document, (generation, origin));
            }
        }
    }

    /// That of the very generation. Another one's is of no use any more, if this is the later.
    pub(super) fn take(
        &mut self,
        router: &RouterName,
        scope: &Scope,
        generation: u64,
    ) -> Option<Origin> {
        let document = (router.clone(), scope.clone());
        let (of, _) = self.0.get(&document)?;
        if *of > generation {
            return None;
        }
        let (of, origin) = self.0.remove(&document)?;
        (of == generation).then_some(origin)
    }
}

/// For the planning of what was marked: in the trace of the first call that marked it, with links to the others.
pub(super) fn planning(origins: &[Origin], scope: &Scope) -> Span {
    let Some((first, others)) = origins.split_first() else { return Span::none() };
    let span = info_span!("plan", directlink.scope = %scope, directlink.router = Empty);
    first.leads_to(&span);
    for other in others {
        other.is_linked_to(&span);
    }
    span
}

/// For the sending of a document that came of a call.
pub(crate) fn sending(origin: Option<&Origin>, router: &RouterName, scope: &Scope) -> Span {
    let Some(origin) = origin else { return Span::none() };
    let span = info_span!(
        "send plan",
        otel.kind = "producer",
        directlink.router = %router,
        directlink.scope = %scope,
    );
    origin.leads_to(&span);
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(port: &str, generation: u64) -> Planned {
        let origin = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", generation);
        Planned {
            router: "par1-a".parse().unwrap(),
            scope: format!("port/{port}").parse().unwrap(),
            generation,
            origin: origin.parse().unwrap(),
        }
    }

    #[test]
    fn the_cause_of_a_generation_is_that_ones_and_told_once() {
        let Planned { router, scope, origin, .. } = planned("p0", 2);
        let mut causes = Causes::default();
        causes.add(vec![planned("p0", 1), planned("p0", 2), planned("p1", 1)]);
        assert_eq!(causes.take(&router, &scope, 1), None, "that was taken over by the next");
        assert_eq!(causes.take(&router, &scope, 2), Some(origin));
        assert_eq!(causes.take(&router, &scope, 2), None);
        let Planned { router, scope, .. } = planned("p1", 1);
        assert_eq!(causes.take(&router, &scope, 2), None, "a later one came of no call");
        assert!(causes.0.is_empty());
    }

    #[test]
    fn routers_that_are_away_do_not_fill_the_memory() {
        let mut causes = Causes::default();
        for n in 0..=WAITING_MAX {
            causes.add(vec![planned(&format!("p{n}"), 1)]);
        }
        assert_eq!(causes.0.len(), WAITING_MAX);
    }
}
