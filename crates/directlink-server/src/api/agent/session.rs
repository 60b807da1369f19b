//! One agent's stream, from its Hello to its end: two halves that never wait for each other.

use super::listener::{FirstWords, Listener};
use crate::{
    app::{App, write_tx},
    ca::Trust,
    reconcile::{self, Attachment, Generations},
    store::{AnyConnection, Error, certificates, plans, plans::Changes},
};
use directlink_channel::{FromRouter, Hello, Plan, Question, ToRouter, to_router};
use directlink_model::{ids::RouterName, plan::Scope};
use directlink_telemetry::Origin;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use tonic::Streaming;
use tracing::{Instrument as _, error, warn};
use uuid::Uuid;

/// Driven whole by [`Session::run`], or a message at a time by whoever has a network of their own.
pub struct Session {
    listener: Listener,
    teller: Teller,
    _attached: Attached,
}

/// Counts the stream as open for as long as it is.
struct Attached {
    app: App,
    router: RouterName,
    stream: Uuid,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.app.parts().agents.detach(&self.router, self.stream);
        let (app, router, stream) = (self.app.clone(), self.router.clone(), self.stream);
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = app.detached(&router, stream).await {
                // Others see it in a moment, as nothing is heard of it any more.
                warn!(%router, error = &error as &dyn std::error::Error, "cannot say that its agent left");
            }
        });
    }
}

impl Session {
    /// `None`: its certificate has been revoked meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        app: App,
        (router, shown): (RouterName, Shown),
        hello: Hello,
        outbound: mpsc::Sender<ToRouter>,
    ) -> Result<Option<Self>, Error> {
        let read = |(scope, generation): (&String, &u64)| Some((scope.parse().ok()?, *generation));
        let held: BTreeMap<Scope, u64> = hello.held.iter().filter_map(read).collect();
        let now = app.now();
        let agents = app.parts().agents.clone();
        let _turn = agents.turn_to_open().await;
        let stream = Uuid::now_v7();
        if !app.attached((&router, &shown.fingerprint), stream, &hello.build).await? {
            return Ok(None);
        }
        let agent = (hello.build.as_str(), hello.answers.as_slice());
        let Attachment { changed, questions } = agents.attach((&router, stream), agent, now);
        let attached = Attached { app: app.clone(), router: router.clone(), stream };
        // From here on what changes wakes us.
        let mut ours = documents(&app, &router).await?;
        if held.iter().any(|(scope, generation)| ours.1.get(scope) < Some(generation)) {
            warn!(%router, "its agent holds later plans than ours: ours are numbered above them");
            write_tx!(app, false, Error, |tx| { reconcile::adopt(tx, &router, &held, now).await })?;
            ours = documents(&app, &router).await?;
        }
        let drain = app.parts().drain.subscribe();
        if !hello.trusts.is_empty() {
            app.router_trusts(&router, &hello.trusts).await?;
        }
        let trust = app.parts().authorities.subscribe();
        let told = Told { trusts: hello.trusts, asked_to_renew_by: shown.authority };
        let first_words = FirstWords {
            outbound: hello.waits.then(|| outbound.clone()),
            ports: held.keys().filter(|scope| matches!(scope, Scope::Port(_))).count(),
        };
        let teller = Teller {
            app: app.clone(),
            router: router.clone(),
            fingerprint: shown.fingerprint,
            held,
            sent: ours.0,
            first: Some(ours),
            outbound,
            changed,
            questions,
            drain,
            trust,
            told,
        };
        Ok(Some(Self {
            listener: Listener::new(app, (router, stream), first_words),
            teller,
            _attached: attached,
        }))
    }

    /// Takes a message of the agent's. `Some`: the stream ends, and why.
    ///
    /// # Errors
    /// The store's, with which the stream ends too.
    pub async fn hear(&mut self, message: FromRouter) -> Result<Option<String>, Error> {
        self.listener.hear(message).await
    }

    /// Sends what the agent does not hold. False: it is gone.
    ///
    /// # Errors
    /// The store's, with which the stream ends.
    pub async fn tell(&mut self) -> Result<bool, Error> {
        self.teller.send_what_differs().await
    }

    /// Whether there may be something to tell.
    pub fn is_woken(&self) -> bool {
        self.teller.changed.has_changed().unwrap_or(true)
    }

    /// Until the agent leaves or the server stops. Why it ended, in words.
    pub(super) async fn run(self, inbound: Streaming<FromRouter>) -> String {
        let Self { listener, teller, _attached } = self;
        let router = listener.router.clone();
        let end = tokio::select! {
            end = listener.run(inbound) => end,
            end = teller.run() => end,
        };
        end.unwrap_or_else(|error| {
            error!(%router, error = &error as &dyn std::error::Error, "its stream failed here");
            error.to_string()
        })
    }
}

/// Sends what the agent does not hold.
struct Teller {
    app: App,
    router: RouterName,
    /// Of the certificate that the stream began with.
    fingerprint: String,
    /// Scope to generation: what the agent holds, or will when what was sent arrives.
    held: BTreeMap<Scope, u64>,
    /// All is sent that was there then.
    sent: Changes,
    /// What was there when the stream was opened, until it is looked at.
    first: Option<Documents>,
    outbound: mpsc::Sender<ToRouter>,
    changed: watch::Receiver<()>,
    questions: mpsc::Receiver<Question>,
    drain: watch::Receiver<bool>,
    trust: watch::Receiver<Arc<Trust>>,
    told: Told,
}

/// What a router has shown: a certificate, by whom it is signed.
pub struct Shown {
    pub fingerprint: String,
    pub authority: Option<String>,
}

/// Of authorities.
struct Told {
    /// Empty: it is an agent that cannot be told.
    trusts: Vec<String>,
    /// Whose certificate it has, or was told to fetch.
    asked_to_renew_by: Option<String>,
}

impl Teller {
    async fn run(mut self) -> Result<String, Error> {
        let mut asked = None;
        loop {
            let is_there = match asked.take() {
                Some(question) => self.send(to_router::Message::Question(question)).await,
                None => {
                    if self.is_revoked().await? {
                        return Ok("its identity was revoked".into());
                    }
                    self.send_trust().await && self.send_what_differs().await?
                }
            };
            if !is_there {
                return Ok("the agent is gone".into());
            }
            tokio::select! {
                _ = self.changed.changed() => {}
                Ok(()) = self.trust.changed() => {}
                Some(question) = self.questions.recv() => asked = Some(question),
                _ = self.drain.wait_for(|drain| *drain) => return Ok("the server stops".into()),
                () = self.outbound.closed() => return Ok("the agent is gone".into()),
            }
        }
    }

    /// Whether the agent is still there.
    async fn send(&self, message: to_router::Message) -> bool {
        self.outbound.send(ToRouter { message: Some(message) }).await.is_ok()
    }

    /// Whether the agent is still there.
    async fn send_trust(&mut self) -> bool {
        let trust = Arc::clone(&self.trust.borrow_and_update());
        let (ids, signer) = (trust.ids(), trust.signer.id.as_str());
        let is_by = self.told.asked_to_renew_by.as_deref();
        let renew = is_by.is_some_and(|by| by != signer);
        if self.told.trusts.is_empty() || (self.told.trusts == ids && !renew) {
            return true;
        }
        self.told.trusts = ids.into_iter().map(str::to_owned).collect();
        self.told.asked_to_renew_by = Some(signer.to_owned());
        let ca_pem = trust.pem();
        self.send(to_router::Message::Trust(directlink_channel::Trust { ca_pem, renew })).await
    }

    async fn is_revoked(&self) -> Result<bool, Error> {
        let store = &self.app.parts().store;
        let look = async {
            certificates::is_revoked(&mut *store.reader().await?, &self.fingerprint).await
        };
        store.in_time(look).await
    }

    /// How far the documents are, and the generations of all that may be new. `None`: nothing is.
    async fn news(&mut self) -> Result<Option<Documents>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        // Marked first: what changes while we look wakes us again.
        self.changed.borrow_and_update();
        let before = self.sent;
        let (there, new) = {
            // Of one moment, or what is counted would not be what is read.
            let mut db = self.app.parts().store.snapshot().await?;
            let there = plans::changes(&mut db, &self.router).await?;
            if there == before {
                return Ok(None);
            }
            (there, plans::generations_since(&mut db, &self.router, before).await?)
        };
        let mut then = self.held.clone();
        then.extend(new.clone());
        if !there.are(&then) {
            // Clocks of servers differ.
            return Ok(Some(documents(&self.app, &self.router).await?));
        }
        self.app.parts().agents.keep_documents(&self.router, there, Arc::new(then));
        Ok(Some((there, Arc::new(new))))
    }

    /// Whether the agent is still there.
    async fn send_what_differs(&mut self) -> Result<bool, Error> {
        let app = self.app.clone();
        let store = &app.parts().store;
        let Some((there, wanted)) = store.in_time(self.news()).await? else { return Ok(true) };
        for (scope, generation) in &*wanted {
            if self.held.get(scope) == Some(generation) {
                continue;
            }
            let stored = store.in_time(async {
                plans::stored(&mut *store.reader().await?, &self.router, scope).await
            });
            let stored: Result<_, Error> = stored.await;
            let Some(stored) = stored? else { continue };
            let agents = &self.app.parts().agents;
            let origin = agents.cause(&self.router, scope, stored.generation);
            let span = reconcile::sending(origin.as_ref(), &self.router, scope);
            let traceparent = span.in_scope(Origin::of_current);
            let plan = Plan {
                scope: scope.to_string(),
                generation: stored.generation,
                document: stored.document.into_bytes(),
                traceparent: traceparent.map(|it| it.to_string()).unwrap_or_default(),
            };
            if !self.send(to_router::Message::Plan(plan)).instrument(span).await {
                return Ok(false);
            }
            self.held.insert(scope.clone(), stored.generation);
        }
        self.sent = there;
        Ok(true)
    }
}

/// How far a router's documents are, and the generation of each.
pub(super) type Documents = (Changes, Arc<Generations>);

async fn documents(app: &App, router: &RouterName) -> Result<Documents, Error> {
    let there = plans::changes(&mut *app.parts().store.reader().await?, router).await?;
    match app.parts().agents.documents(router, there) {
        Some(known) => Ok((there, known)),
        None => documents_as_of(&mut *app.parts().store.snapshot().await?, app, router).await,
    }
}

pub(super) async fn documents_as_of(
    db: &mut AnyConnection,
    app: &App,
    router: &RouterName,
) -> Result<Documents, Error> {
    let there = plans::changes(db, router).await?;
    if let Some(known) = app.parts().agents.documents(router, there) {
        return Ok((there, known));
    }
    let read = Arc::new(plans::generations(db, router).await?);
    app.parts().agents.keep_documents(router, there, Arc::clone(&read));
    Ok((there, read))
}
