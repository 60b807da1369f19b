//! What the server is owed about each plan: Ack once it is in the kernel, Nack with the reason
//! where it is not.

use super::mind::Mind;
use crate::{
    diff::Subject,
    report::Outcome,
    wanted::{Known, Wanted},
};
use directlink_channel::{Ack, Nack, from_router::Message};
use directlink_model::{
    ids::InterfaceId,
    plan::{Document, Scope},
};
use std::collections::BTreeMap;

/// Owed, and given already in case it is asked again.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Scopes whose document on the disk cannot be read. Told at each new stream, until
    /// the server has sent it.
    unreadable: BTreeMap<Scope, String>,
    /// Plans taken whose answer is not given, or was a Nack, with its reason.
    owed: BTreeMap<Scope, (u64, Option<String>)>,
    /// The last Ack of each scope: a server that died with it must hear it again.
    given: BTreeMap<Scope, u64>,
    /// To be said now.
    ready: Vec<Message>,
}

impl Answers {
    pub(super) fn new(unreadable: BTreeMap<Scope, String>) -> Self {
        Self { unreadable, ..Self::default() }
    }

    /// A plan was taken; its answer comes with the next pass.
    pub(super) fn owe(&mut self, scope: Scope, generation: u64) {
        self.unreadable.remove(&scope);
        self.given.remove(&scope);
        self.owed.insert(scope, (generation, None));
    }

    /// A plan was not taken.
    pub(crate) fn refuse(&mut self, scope: String, generation: u64, reason: String) {
        self.ready.push(Message::Nack(Nack { scope, generation, reason }));
    }

    /// What is to be said now.
    pub(crate) fn take_ready(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.ready)
    }

    /// A new stream: what went into an old one may never have arrived.
    pub(super) fn repeat(&mut self) {
        for (scope, reason) in &self.unreadable {
            let scope = scope.to_string();
            self.ready.push(Message::Nack(Nack { scope, generation: 0, reason: reason.clone() }));
        }
        for (scope, &generation) in &self.given {
            self.ready.push(Message::Ack(Ack { scope: scope.to_string(), generation }));
        }
        for (scope, (generation, told)) in &self.owed {
            if let Some(reason) = told {
                let (scope, reason) = (scope.to_string(), reason.clone());
                self.ready.push(Message::Nack(Nack { scope, generation: *generation, reason }));
            }
        }
    }

    /// What a pass over these generations left undone, by scope: `None` for what is done.
    fn judge(
        &mut self,
        generations: &BTreeMap<Scope, u64>,
        judge: impl Fn(&Scope) -> Option<String>,
    ) {
        let Self { owed, given, ready, .. } = self;
        owed.retain(|scope, (generation, told)| {
            let (name, generation) = (scope.to_string(), *generation);
            if generations.get(scope) != Some(&generation) {
                // Taken since that pass began.
                return true;
            }
            let Some(reason) = judge(scope) else {
                ready.push(Message::Ack(Ack { scope: name, generation }));
                given.insert(scope.clone(), generation);
                return false;
            };
            if told.as_ref() != Some(&reason) {
                let nack = Nack { scope: name, generation, reason: reason.clone() };
                ready.push(Message::Nack(nack));
                *told = Some(reason);
            }
            true
        });
    }
}

impl Mind {
    /// After a pass that did all that it could.
    pub(super) fn judge(&mut self, generations: &BTreeMap<Scope, u64>) {
        let (wanted, outcome, scopes) = (&self.wanted, &self.seen.outcome, &self.scopes);
        let judge = |scope: &Scope| failures(scope, scopes.get(scope), wanted, outcome);
        self.answers.judge(generations, judge);
    }
}

/// Why a scope is not as its plan says, per interface.
fn failures(
    scope: &Scope,
    known: Option<&Known>,
    wanted: &Wanted,
    outcome: &Outcome,
) -> Option<String> {
    let reasons: Vec<String> = match (scope, known) {
        (Scope::Port(port), _) => {
            let here =
                |id: &InterfaceId| wanted.interfaces.get(id).is_some_and(|it| it.port == *port);
            let refused = wanted.refused.iter().filter(|(_, (p, _))| p == port).map(|(id, _)| *id);
            let ids = wanted.interfaces.keys().copied().filter(here).chain(refused);
            ids.filter_map(|id| Some(format!("{id}: {}", outcome.failure(wanted, id)?))).collect()
        }
        (_, Some(Known::Current { document: Document::Net(Some(net)), .. })) => {
            let failed = outcome.failures.get(&Subject::Net(net.vni));
            failed.into_iter().chain(wanted.net_problems.get(&net.vni)).cloned().collect()
        }
        _ => Vec::new(),
    };
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answers: &mut Answers) -> Vec<String> {
        let text = |message| match message {
            Message::Ack(ack) => format!("ack {} {}", ack.scope, ack.generation),
            Message::Nack(nack) => {
                format!("nack {} {}: {}", nack.scope, nack.generation, nack.reason)
            }
            other => format!("{other:?}"),
        };
        answers.ready.drain(..).map(text).collect()
    }

    #[test]
    fn a_failure_is_told_once_and_its_end_too() {
        let scope: Scope = "port/p0".parse().unwrap();
        let mut answers = Answers::default();
        answers.owe(scope.clone(), 7);
        let at = |n| BTreeMap::from([(scope.clone(), n)]);
        answers.judge(&at(6), |_| None);
        assert!(said(&mut answers).is_empty());
        answers.judge(&at(7), |_| Some("no link".into()));
        answers.judge(&at(7), |_| Some("no link".into()));
        assert_eq!(said(&mut answers), ["nack port/p0 7: no link"]);
        answers.repeat();
        assert_eq!(said(&mut answers), ["nack port/p0 7: no link"]);
        answers.judge(&at(7), |_| None);
        answers.judge(&at(7), |_| None);
        assert_eq!(said(&mut answers), ["ack port/p0 7"]);
    }

    #[test]
    fn an_ack_is_told_at_each_stream_until_a_later_plan_comes() {
        let scope: Scope = "port/p0".parse().unwrap();
        let mut answers = Answers::default();
        answers.owe(scope.clone(), 7);
        answers.judge(&BTreeMap::from([(scope.clone(), 7)]), |_| None);
        assert_eq!(said(&mut answers), ["ack port/p0 7"]);
        answers.repeat();
        assert_eq!(said(&mut answers), ["ack port/p0 7"]);
        answers.owe(scope, 8);
        answers.repeat();
        assert!(said(&mut answers).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_at_each_stream_until_it_came() {
        let scope: Scope = "port/p0".parse().unwrap();
        let mut answers = Answers::new([(scope.clone(), "damaged".into())].into());
        for _ in 0..2 {
            answers.repeat();
            assert_eq!(said(&mut answers), ["nack port/p0 0: damaged"]);
        }
        answers.owe(scope, 7);
        answers.repeat();
        assert!(said(&mut answers).is_empty());
    }
}
