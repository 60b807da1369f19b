//! Questions to routers, on their way: by which stream they go, and who waits for which answer.
//!
//! ```text
//!   App ─ ask ─► Asking ─► the router's stream ─► agent
//!      ◄─ Asked ──┘ by number ◄──────────────────┘
//! ```

use directlink_channel::{Answer, Question};
use directlink_model::fault::GlassFault;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Of one router.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// The latest stream, and its way in.
    stream: Option<(Uuid, mpsc::Sender<Question>)>,
    /// What its agent answers.
    kinds: BTreeSet<String>,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    numbers: u64,
}

/// Why nothing was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    Unheard,
    TooOld,
    Crowded,
}

/// So many questions of one router are on their way at once.
const WAITING_MAX: usize = 64;
/// Those that its stream has not taken yet.
const QUEUE: usize = 16;

impl Asking {
    /// From now on questions go by this stream.
    pub(super) fn attach(&mut self, stream: Uuid, kinds: &[String]) -> mpsc::Receiver<Question> {
        let (ask, questions) = mpsc::channel(QUEUE);
        self.stream = Some((stream, ask));
        self.kinds = kinds.iter().cloned().collect();
        questions
    }

    /// What went by an older stream is answered by a newer one, if at all.
    pub(super) fn detach(&mut self, stream: Uuid) {
        if self.stream.take_if(|(latest, _)| *latest == stream).is_some() {
            self.waiting.clear();
        }
    }

    pub(super) fn ask(
        &mut self,
        kind: &str,
        document: Vec<u8>,
    ) -> Result<(u64, oneshot::Receiver<Answer>), Unasked> {
        let (_, stream) = self.stream.as_ref().ok_or(Unasked::Unheard)?;
        if !self.kinds.contains(kind) {
            return Err(Unasked::TooOld);
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(Unasked::Crowded);
        }
        self.numbers += 1;
        let question = Question { number: self.numbers, document };
        stream.try_send(question).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unasked::Crowded,
            mpsc::error::TrySendError::Closed(_) => Unasked::Unheard,
        })?;
        let (tell, told) = oneshot::channel();
        self.waiting.insert(self.numbers, tell);
        Ok((self.numbers, told))
    }

    /// An answer to no question, or to one that nobody waits for any more, is dropped.
    pub(super) fn answered(&mut self, answer: Answer) {
        if let Some(tell) = self.waiting.remove(&answer.number) {
            drop(tell.send(answer));
        }
    }

    pub(super) fn forget(&mut self, number: u64) {
        self.waiting.remove(&number);
    }
}

impl Unasked {
    pub(crate) fn fault(
        self,
        router: directlink_model::ids::RouterName,
        what: &'static str,
    ) -> GlassFault {
        match self {
            Self::Unheard => GlassFault::Unheard(router),
            Self::TooOld => GlassFault::TooOld { router, what },
            Self::Crowded => GlassFault::Crowded(router),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u64) -> Answer {
        Answer { number, ..Answer::default() }
    }

    #[test]
    fn an_answer_finds_who_asked_and_what_nobody_asked_is_dropped() {
        let mut asking = Asking::default();
        assert_eq!(asking.ask("show", vec![]).unwrap_err(), Unasked::Unheard);
        let mut questions = asking.attach(Uuid::from_u128(1), &["show".into()]);
        assert_eq!(asking.ask("ping", vec![]).unwrap_err(), Unasked::TooOld);
        let (first, mut told) = asking.ask("show", vec![7]).unwrap();
        let (second, mut other) = asking.ask("show", vec![]).unwrap();
        assert_eq!(questions.try_recv().unwrap().document, [7]);
        asking.answered(answer(99));
        asking.answered(answer(first));
        asking.answered(answer(first));
        assert_eq!(told.try_recv().unwrap().number, first);
        assert!(other.try_recv().is_err());
        asking.forget(second);
        asking.answered(answer(second));
        assert!(other.try_recv().is_err());
    }

    #[test]
    fn a_stream_that_ends_takes_its_questions_along_unless_a_newer_one_is_there() {
        let mut asking = Asking::default();
        let _old = asking.attach(Uuid::from_u128(1), &["show".into()]);
        let (_, mut told) = asking.ask("show", vec![]).unwrap();
        let _new = asking.attach(Uuid::from_u128(2), &["show".into()]);
        asking.detach(Uuid::from_u128(1));
        assert!(matches!(told.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        asking.detach(Uuid::from_u128(2));
        assert!(matches!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert_eq!(asking.ask("show", vec![]).unwrap_err(), Unasked::Unheard);
    }

    #[test]
    fn who_asks_too_much_at_once_is_told_so() {
        let mut asking = Asking::default();
        let mut questions = asking.attach(Uuid::from_u128(1), &["show".into()]);
        let asked: Vec<_> = std::iter::repeat_with(|| {
            let asked = asking.ask("show", vec![]);
            let _ = questions.try_recv();
            asked
        })
        .take_while(Result::is_ok)
        .take(1000)
        .collect();
        assert_eq!(asked.len(), WAITING_MAX);
        assert_eq!(asking.ask("show", vec![]).unwrap_err(), Unasked::Crowded);
    }
}
