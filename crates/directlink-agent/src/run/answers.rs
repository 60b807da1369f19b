//! What the server is owed about each plan: Ack once it is in the kernel, Nack with the reason
//! where it is not.

use super::{Memory, mind::Mind};
use crate::{
    diff::Subject,
    wanted::{Known, Wanted},
};
use directlink_channel::{Ack, Nack, from_router::Message};
use directlink_model::{
    ids::{InterfaceId, PortName},
    plan::{Document, Scope},
};
use std::collections::{BTreeMap, BTreeSet};

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

    /// What a pass over these generations made of each scope.
    fn judge(&mut self, generations: &BTreeMap<Scope, u64>, judge: impl Fn(&Scope) -> Standing) {
        let Self { owed, given, ready, .. } = self;
        owed.retain(|scope, (generation, told)| {
            let (name, generation) = (scope.to_string(), *generation);
            if generations.get(scope) != Some(&generation) {
                // Taken since that pass began.
                return true;
            }
            let reason = match judge(scope) {
                Standing::Done => {
                    ready.push(Message::Ack(Ack { scope: name, generation }));
                    given.insert(scope.clone(), generation);
                    return false;
                }
                Standing::Begun => return true,
                Standing::Failed(reason) => reason,
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

/// What became of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Done,
    /// The pass ended before all of it was tried.
    Begun,
    /// Why, per interface.
    Failed(String),
}

impl Mind {
    /// After a pass that did all that it could, or of which something failed.
    pub(super) fn judge(&mut self, generations: &BTreeMap<Scope, u64>) {
        let (wanted, seen, scopes) = (&self.wanted, &self.seen, &self.scopes);
        self.answers.judge(generations, |scope| match scope {
            Scope::Port(name) => port(name, wanted, seen),
            Scope::Net(_) => net(scopes.get(scope), wanted, seen),
        });
    }
}

fn standing(reasons: &[String], is_begun: bool) -> Standing {
    match (reasons, is_begun) {
        ([], false) => Standing::Done,
        ([], true) => Standing::Begun,
        (reasons, _) => Standing::Failed(reasons.join("; ")),
    }
}

/// Interfaces that are wanted on the port, that are refused there, and that are still there.
fn port(port: &PortName, wanted: &Wanted, seen: &Memory) -> Standing {
    let (difference, outcome) = (&seen.outcome.difference, &seen.outcome);
    let is_here = |id: &&InterfaceId| wanted.interfaces.get(id).is_some_and(|it| it.port == *port);
    let refused = wanted.refused.iter().filter(|(_, (its, _))| its == port).map(|(id, _)| id);
    let there = seen.ports.iter().filter(|(_, its)| *its == port).map(|(id, _)| id);
    let ids: BTreeSet<InterfaceId> =
        wanted.interfaces.keys().filter(is_here).chain(refused).chain(there).copied().collect();
    let reason = |id: &InterfaceId| Some(format!("{id}: {}", outcome.failure(wanted, *id)?));
    let reasons: Vec<String> = ids.iter().filter_map(reason).collect();
    let subjects = ids.into_iter().map(Subject::Interface).chain([Subject::Port(port.clone())]);
    standing(&reasons, subjects.into_iter().any(|subject| difference.is_about(&subject)))
}

fn net(known: Option<&Known>, wanted: &Wanted, seen: &Memory) -> Standing {
    let Some(Known::Current { document: Document::Net(Some(net)), .. }) = known else {
        return Standing::Done;
    };
    let (subject, outcome) = (Subject::Net(net.vni), &seen.outcome);
    let failed = outcome.failures.get(&subject).into_iter();
    let reasons: Vec<String> = failed.chain(wanted.net_problems.get(&net.vni)).cloned().collect();
    standing(&reasons, outcome.difference.is_about(&subject))
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
        answers.judge(&at(6), |_| Standing::Done);
        assert!(said(&mut answers).is_empty());
        answers.judge(&at(7), |_| Standing::Failed("no link".into()));
        answers.judge(&at(7), |_| Standing::Failed("no link".into()));
        assert_eq!(said(&mut answers), ["nack port/p0 7: no link"]);
        answers.repeat();
        assert_eq!(said(&mut answers), ["nack port/p0 7: no link"]);
        answers.judge(&at(7), |_| Standing::Done);
        answers.judge(&at(7), |_| Standing::Done);
        assert_eq!(said(&mut answers), ["ack port/p0 7"]);
    }

    #[test]
    fn an_ack_is_told_at_each_stream_until_a_later_plan_comes() {
        let scope: Scope = "port/p0".parse().unwrap();
        let mut answers = Answers::default();
        answers.owe(scope.clone(), 7);
        answers.judge(&BTreeMap::from([(scope.clone(), 7)]), |_| Standing::Done);
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
