//! What an agent says: answers to its documents, reports of its ports.

use super::session::documents_as_of;
use crate::{
    app::{App, write_tx},
    reconcile::{self, Generations, ReportError},
    store::{Error, plans, plans::Answer},
};
use directlink_channel::{FromRouter, Report, ToRouter, Turn, from_router::Message, to_router};
use directlink_model::{connection::PortRef, ids::RouterName, plan::Scope, report::PortReport};
use futures::FutureExt as _;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};
use tracing::warn;
use uuid::Uuid;

/// Whose turn it is to speak, and says nothing for so long, may do so later.
const SILENCE: Duration = Duration::from_millis(100);

/// Of a report, with all its parts: 4,094 interfaces, each with two peers that announce as many prefixes of each family as
/// they may unless the operator allows more, are about 150 MB.
const REPORT_MAX: usize = 512 << 20;

/// Takes what the agent says.
pub(super) struct Listener {
    app: App,
    pub(super) router: RouterName,
    stream: Uuid,
    first_words: FirstWords,
    parts: Parts,
    /// Read when the first answer comes: opening a stream does not wait for it.
    known: Option<Known>,
}

/// What an agent says when it comes.
pub(super) struct FirstWords {
    /// To tell an agent that it may speak. `None`: it does not wait for that.
    pub(super) outbound: Option<mpsc::Sender<ToRouter>>,
    /// Of each there will be a report.
    pub(super) ports: usize,
}

/// What a router has answered. On a new stream all answers are said again, and nearly all are known.
struct Known {
    documents: Arc<Generations>,
    /// As stored, where it is not just the Ack of the above.
    answers: BTreeMap<Scope, Option<Answer>>,
}

impl Known {
    async fn read(app: &App, router: &RouterName) -> Result<Self, Error> {
        // Of one moment: what is not amiss is the Ack of these documents.
        let mut db = app.parts().store.snapshot().await?;
        let (_, documents) = documents_as_of(&mut db, app, router).await?;
        let answers = plans::amiss(&mut db, router).await?;
        Ok(Self { documents, answers })
    }

    fn has(&self, scope: &Scope, answer: &Answer) -> bool {
        match self.answers.get(scope) {
            Some(known) => known.as_ref() == Some(answer),
            None => {
                let acknowledged = self.documents.get(scope) == Some(&answer.generation);
                acknowledged && answer.failure.is_none()
            }
        }
    }
}

/// Of a report, as far as it has come.
#[derive(Debug, Default)]
struct Parts(Vec<u8>);

impl Parts {
    /// `Some`: that was the last, and this is the whole.
    fn take(
        &mut self,
        Report { document, continues }: Report,
        longest: usize,
    ) -> Result<Option<Vec<u8>>, ReportError> {
        let mut all = std::mem::take(&mut self.0);
        if all.len() + document.len() > longest {
            return Err(ReportError::TooLong);
        }
        // Most come whole, and nothing is copied.
        match all.is_empty() {
            true => all = document,
            false => all.extend(document),
        }
        if continues {
            self.0 = all;
            return Ok(None);
        }
        Ok(Some(all))
    }
}

impl Listener {
    pub(super) fn new(
        app: App,
        (router, stream): (RouterName, Uuid),
        first_words: FirstWords,
    ) -> Self {
        Self { app, router, stream, first_words, parts: Parts::default(), known: None }
    }

    pub(super) async fn run(mut self, mut inbound: Streaming<FromRouter>) -> Result<String, Error> {
        if let Some(end) = self.catch_up(&mut inbound).await? {
            return Ok(end);
        }
        loop {
            if let Some(end) = self.received(inbound.message().await).await? {
                return Ok(end);
            }
        }
    }

    /// Hears what an agent has to say when it comes: all its answers, and all of its ports.
    async fn catch_up(
        &mut self,
        inbound: &mut Streaming<FromRouter>,
    ) -> Result<Option<String>, Error> {
        let agents = self.app.parts().agents.clone();
        let place = agents.turn_to_catch_up().await;
        let mut expected = self.first_words.ports;
        let waits = self.first_words.outbound.take();
        if let Some(outbound) = &waits {
            let turn = || ToRouter { message: Some(to_router::Message::Turn(Turn {})) };
            if timeout(SILENCE, outbound.send(turn())).await.is_err() {
                // It is slow to take its documents: others need not wait for that.
                drop(place);
                // Whether it is still there, its own messages say.
                let _ = outbound.send(turn()).await;
                return Ok(None);
            }
        }
        loop {
            let next = match waits.is_some() && expected > 0 {
                true => timeout(SILENCE, inbound.message()).await.ok(),
                // What has come by now.
                false => inbound.message().now_or_never(),
            };
            let Some(message) = next else { return Ok(None) };
            expected = expected.saturating_sub(usize::from(ends_report(&message)));
            if let Some(end) = self.received(message).await? {
                return Ok(Some(end));
            }
        }
    }

    /// `Some`: the stream ends.
    async fn received(
        &mut self,
        message: Result<Option<FromRouter>, Status>,
    ) -> Result<Option<String>, Error> {
        match message {
            Ok(Some(message)) => self.hear(message).await,
            Ok(None) => Ok(Some("the agent closed it".into())),
            Err(status) => Ok(Some(status.to_string())),
        }
    }

    /// `Some`: the stream ends.
    pub(super) async fn hear(&mut self, message: FromRouter) -> Result<Option<String>, Error> {
        match self.take(message).await {
            Ok(()) => Ok(None),
            // On its next stream the agent tells everything.
            Err(
                why @ (ReportError::Untold(_) | ReportError::Superseded | ReportError::TooLong),
            ) => Ok(Some(why.to_string())),
            Err(ReportError::Store(error)) => Err(error),
        }
    }

    async fn take(&mut self, message: FromRouter) -> Result<(), ReportError> {
        self.check_newest()?;
        self.app.parts().agents.see(&self.router, self.app.now());
        match message.message {
            Some(Message::Trusted(trusted)) => {
                Ok(self.app.router_trusts(&self.router, &trusted.authorities).await?)
            }
            Some(Message::Ack(ack)) => self.answered(&ack.scope, ack.generation, None).await,
            Some(Message::Nack(nack)) => {
                warn!(router = %self.router, scope = nack.scope, generation = nack.generation,
                      reason = nack.reason, "a plan is not applied");
                self.answered(&nack.scope, nack.generation, Some(nack.reason)).await
            }
            Some(Message::Report(part)) => match self.parts.take(part, REPORT_MAX)? {
                Some(document) => self.reported(&document).await,
                None => Ok(()),
            },
            Some(Message::Answer(answer)) => {
                self.app.parts().agents.answered(&self.router, answer);
                Ok(())
            }
            Some(Message::Hello(_)) | None => {
                warn!(router = %self.router, "passed over: a message that has no place here");
                Ok(())
            }
        }
    }

    /// What lay in an older stream was said before.
    fn check_newest(&self) -> Result<(), ReportError> {
        match self.app.parts().agents.stream(&self.router) == Some(self.stream) {
            true => Ok(()),
            false => Err(ReportError::Superseded),
        }
    }

    async fn answered(
        &mut self,
        scope: &str,
        generation: u64,
        failure: Option<String>,
    ) -> Result<(), ReportError> {
        let Ok(scope) = scope.parse::<Scope>() else {
            warn!(router = %self.router, scope, "passed over: an answer to no scope of ours");
            return Ok(());
        };
        let answer = Answer { generation, failure };
        let known = match &mut self.known {
            Some(known) => known,
            none => none.insert(Known::read(&self.app, &self.router).await?),
        };
        if known.has(&scope, &answer) {
            return Ok(());
        }
        let now = self.app.now();
        let of_stream = (&self.router, self.stream);
        let is_taken = write_tx!(self.app, false, Error, |tx| {
            if !self.app.is_current(tx, of_stream).await? {
                return Ok(false);
            }
            plans::put_answer(tx, &self.router, &scope, &answer, now).await?;
            Ok(true)
        })?;
        if !is_taken {
            return Err(ReportError::Superseded);
        }
        known.answers.insert(scope, Some(answer));
        Ok(())
    }

    async fn reported(&self, document: &[u8]) -> Result<(), ReportError> {
        let _turn = self.app.parts().agents.turn_to_report().await;
        self.check_newest()?;
        let report: PortReport = match serde_json::from_slice(document) {
            Ok(report) => report,
            Err(error) => {
                warn!(router = %self.router, %error, "passed over: a report that cannot be read");
                return Ok(());
            }
        };
        let port = PortRef { router: self.router.clone(), port: report.port.clone() };
        reconcile::take_report(&self.app, &port, report).await
    }
}

/// Whether it is the last part of one.
fn ends_report(message: &Result<Option<FromRouter>, Status>) -> bool {
    let Ok(Some(FromRouter { message: Some(Message::Report(report)) })) = message else {
        return false;
    };
    !report.continues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_in_parts_is_one_and_one_without_end_is_refused() {
        let part = |document: &[u8], continues| Report { document: document.into(), continues };
        let mut parts = Parts::default();
        for _ in 0..2 {
            assert_eq!(parts.take(part(b"ab", true), 5).unwrap(), None);
            assert_eq!(parts.take(part(b"cd", true), 5).unwrap(), None);
            assert_eq!(parts.take(part(b"e", false), 5).unwrap().unwrap(), b"abcde");
        }
        assert_eq!(parts.take(part(b"whole", false), 5).unwrap().unwrap(), b"whole");
        assert_eq!(parts.take(part(b"abc", true), 5).unwrap(), None);
        assert!(matches!(parts.take(part(b"def", true), 5), Err(ReportError::TooLong)));
    }
}
