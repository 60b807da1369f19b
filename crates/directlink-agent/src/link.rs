//! The stream to the server: dialled by us, over mutual TLS, and dialled again when it ends.
//!
//! ```text
//!   run loop ◄── Attached, Plan, Lost ──  link task  ◄── gRPC ──► server
//!            ── Ack, Nack, Report ──────►            Hello{held} first, all else when our turn has come
//! ```
//!
//! What is said while there is no stream, or was said for another, is dropped: whoever is told
//! [`FromServer::Attached`] says everything again, and what it says then may build on that. The control connection
//! stays in the process's own network namespace, whichever is the router's.

mod leaving;

use crate::{
    AgentConfig,
    backoff::Backoff,
    clock,
    enrol::{self, EnrolError, Tokens},
    identity::{Identity, IdentityDir, IdentityError, authorities},
};
use directlink_channel::{
    Answer, COMPLETES_REPORTS, FromRouter, GIVES_TURNS, Hello, Plan, Question, ToRouter, Trust,
    Trusted, agent_client::AgentClient, from_router::Message, to_router,
};
use directlink_model::{enrolment::Validity, glass::Ask};
use jiff::Timestamp;
use leaving::{Leaving, PART, Place, Places, parts};
use std::{collections::HashMap, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{
    Streaming,
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Error as TransportError,
        Identity as TlsIdentity,
    },
};

/// Scope to generation, as the ledger has it.
pub(crate) type HeldScopes = HashMap<String, u64>;

/// Names a stream: each has the next number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    number: u64,
    completes_reports: bool,
}

impl Stream {
    /// Whether its server takes reports in parts, and such as leave out what was told before.
    pub(crate) const fn completes_reports(self) -> bool {
        self.completes_reports
    }
}

/// What comes of the stream.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// A new stream, and our turn to speak: the server knows what we hold, and nothing else.
    Attached(Stream),
    Plan(Plan),
    /// Answered on the stream that it came by, or not at all.
    Question(Question),
    Lost,
}

/// The run loop's end.
#[derive(Debug)]
pub(crate) struct Link {
    to_server: mpsc::Sender<(Stream, Leaving)>,
    /// The one that what is said is for.
    stream: Stream,
    pub(crate) from_server: mpsc::Receiver<FromServer>,
    pub(crate) places: Places,
    held: watch::Sender<HeldScopes>,
    task: tokio::task::JoinHandle<()>,
}

/// The way back to whoever asked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    to_server: mpsc::Sender<(Stream, Leaving)>,
    stream: Stream,
}

impl Reply {
    /// Who asked may be gone, and the stream with them.
    pub(crate) fn say(self, answer: Answer) {
        if self.to_server.try_send((self.stream, Message::Answer(answer).into())).is_err() {
            tracing::debug!("dropped: an answer that nobody takes");
        }
    }
}

#[derive(Debug, Error)]
enum LinkError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("this router has no identity: bring it a token (`directlink router enrol`)")]
    Nobody,
    #[error("this router is not enrolled: {0}")]
    Enrol(#[from] EnrolError),
    #[error("no connection to {server}: {source}")]
    Connect { server: String, source: TransportError },
    #[error("the server refuses: {}", .0.message())]
    Refused(tonic::Status),
    #[error("the stream broke: {}", .0.message())]
    Broken(tonic::Status),
    #[error("the server ended the stream")]
    Ended,
    #[error("the server takes nothing that we send")]
    Stuck,
}

impl Link {
    pub(crate) fn start(config: AgentConfig, held: HeldScopes) -> Self {
        let (to_server, outbox) = mpsc::channel(QUEUE);
        let (inbox, from_server) = mpsc::channel(QUEUE);
        let (held, holds) = watch::channel(held);
        // Agents spread over the servers.
        let turn = rand::random_range(0..config.servers.len().max(1));
        let stream = Stream::default();
        let tokens = Tokens::new(&config);
        let dialler = Dialler { config, outbox, inbox, holds, stream, turn, tokens };
        let task = tokio::spawn(dialler.run());
        let places = Places::default();
        Self { to_server, stream, from_server, places, held, task }
    }

    /// Tells the server, if it is there. A stream that is stuck is the link's to end.
    /// False: it was not even taken along.
    pub(crate) fn say(&self, message: Message) -> bool {
        let is_taken = self.to_server.try_send((self.stream, message.into())).is_ok();
        if !is_taken {
            tracing::debug!("dropped: nobody takes what is said to the server");
        }
        is_taken
    }

    /// As [`Self::say`]; in parts, if the server puts them together. All of them or none: what follows half a report would
    /// be taken for the rest of it.
    pub(crate) fn report(&self, document: Vec<u8>, place: &Place) -> bool {
        let longest = if self.stream.completes_reports { PART } else { usize::MAX };
        let parts = parts(document, longest);
        let Ok(room) = self.to_server.try_reserve_many(parts.len()) else {
            tracing::debug!("dropped: a report that nobody takes");
            return false;
        };
        for (permit, part) in room.zip(parts) {
            permit.send((self.stream, Leaving::report(part, place)));
        }
        true
    }

    /// For an answer to what was asked on the stream of now.
    pub(crate) fn reply(&self) -> Reply {
        Reply { to_server: self.to_server.clone(), stream: self.stream }
    }

    /// From now on all is said on this one.
    pub(crate) fn use_stream(&mut self, stream: Stream) {
        self.stream = stream;
    }

    /// What the next Hello says.
    pub(crate) fn holds(&self, held: HeldScopes) {
        self.held.send_replace(held);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Dialler {
    config: AgentConfig,
    outbox: mpsc::Receiver<(Stream, Leaving)>,
    inbox: mpsc::Sender<FromServer>,
    holds: watch::Receiver<HeldScopes>,
    /// The last.
    stream: Stream,
    /// Which server's turn it is.
    turn: usize,
    tokens: Tokens,
}

impl Dialler {
    /// Until the run loop is gone.
    async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        while !self.inbox.is_closed() {
            let began = clock::instant();
            let error = self.attach().await;
            backoff.ended_after(clock::instant().saturating_duration_since(began));
            if self.inbox.send(FromServer::Lost).await.is_err() {
                return;
            }
            let wait = backoff.next(rand::random());
            tracing::info!(server = self.server(), %error, wait_ms = wait.as_millis(),
                "not attached to the server; forwarding goes on");
            self.turn = self.turn.wrapping_add(1);
            self.discard_for(wait).await;
        }
    }

    /// Whose turn it is.
    fn server(&self) -> &str {
        let servers = &self.config.servers;
        servers.get(self.turn % servers.len().max(1)).map_or("", String::as_str)
    }

    /// One stream, from dial to end.
    async fn attach(&mut self) -> LinkError {
        match self.open().await {
            Ok(opened) => {
                let renewal = Renewal::start(&self.config, self.server(), opened.validity);
                self.talk(opened, &renewal).await
            }
            Err(error) => error,
        }
    }

    async fn open(&mut self) -> Result<Opened, LinkError> {
        let identity = self.identity().await?;
        let channel = self.connect(&identity).await?;
        let (outbound, messages) = mpsc::channel(QUEUE);
        let hello = Hello {
            router: self.config.router.to_string(),
            build: env!("CARGO_PKG_VERSION").into(),
            held: self.holds.borrow_and_update().clone(),
            answers: Ask::KINDS.map(str::to_owned).to_vec(),
            trusts: authorities(&identity.ca),
            waits: true,
        };
        outbound.try_send(Message::Hello(hello).into()).map_err(|_| LinkError::Stuck)?;
        let mut client = AgentClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let leave = |Leaving { message, .. }| FromRouter { message: Some(message) };
        let response = client.attach(ReceiverStream::new(messages).map(leave)).await;
        let response = response.map_err(LinkError::Refused)?;
        let is_said = |word| response.metadata().contains_key(word);
        let (gives_turns, completes_reports) = (is_said(GIVES_TURNS), is_said(COMPLETES_REPORTS));
        let (inbound, validity) = (response.into_inner(), identity.validity);
        Ok(Opened { inbound, outbound, gives_turns, completes_reports, validity })
    }

    /// Read at each dial, so that a renewed one needs no restart. If a token is there, it is used first: an operator has
    /// brought it.
    async fn identity(&mut self) -> Result<Identity, LinkError> {
        let dir = IdentityDir::new(&self.config.identity_dir);
        let identity = dir.load()?;
        let token = match self.tokens.next(identity.is_some()) {
            Ok(token) => token,
            Err(error) if identity.is_none() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "a token is passed over");
                None
            }
        };
        let Some(token) = token else { return identity.ok_or(LinkError::Nobody) };
        match enrol::enrol(&self.config, self.server(), &token).await {
            Ok(validity) => {
                tracing::info!(until = %validity.until, "enrolled");
                self.tokens.used(token);
                dir.load()?.ok_or(LinkError::Nobody)
            }
            Err(error) => {
                if error.is_final() {
                    self.tokens.refused(token);
                }
                match identity {
                    Some(identity) => {
                        tracing::warn!(%error, "not enrolled anew");
                        Ok(identity)
                    }
                    None => Err(error.into()),
                }
            }
        }
    }

    async fn connect(&self, identity: &Identity) -> Result<Channel, LinkError> {
        let failed = |source| LinkError::Connect { server: self.server().to_owned(), source };
        endpoint(self.server(), identity).map_err(failed)?.connect().await.map_err(failed)
    }

    async fn talk(&mut self, opened: Opened, renewal: &Renewal) -> LinkError {
        tracing::info!(server = self.server(), "attached to the server");
        let Opened { mut inbound, outbound, gives_turns, completes_reports, .. } = opened;
        self.stream.completes_reports = completes_reports;
        let mut silent = Some(vec![]);
        let patience = if gives_turns { TURN_MAX } else { Duration::ZERO };
        let turn = tokio::time::sleep(patience);
        tokio::pin!(turn);
        loop {
            let done = tokio::select! {
                () = &mut turn, if silent.is_some() => self.speak(&mut silent).await,
                received = inbound.message() => match received {
                    Ok(Some(ToRouter { message })) => {
                        self.received(message, (&outbound, renewal), &mut silent).await
                    }
                    Ok(None) => Err(LinkError::Ended),
                    Err(status) => Err(LinkError::Broken(status)),
                },
                Some((stream, message)) = self.outbox.recv() => {
                    // Said for another: it builds on what this server may not know.
                    if silent.is_some() || stream != self.stream {
                        continue;
                    }
                    outbound.try_send(message).map_err(|_| LinkError::Stuck)
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// `silent`: what waits for our turn, until it has come.
    async fn received(
        &mut self,
        message: Option<to_router::Message>,
        (outbound, renewal): (&mpsc::Sender<Leaving>, &Renewal),
        silent: &mut Silent,
    ) -> Result<(), LinkError> {
        match message {
            Some(to_router::Message::Plan(plan)) => self.tell(FromServer::Plan(plan)).await,
            Some(to_router::Message::Question(question)) => match silent {
                Some(early) => {
                    early.push(question);
                    Ok(())
                }
                None => self.tell(FromServer::Question(question)).await,
            },
            Some(to_router::Message::Turn(_)) => self.speak(silent).await,
            Some(to_router::Message::Trust(trust)) => {
                let is_taken = self.take_trust(&trust, outbound, renewal);
                is_taken.then_some(()).ok_or(LinkError::Stuck)
            }
            None => {
                tracing::warn!("passed over: a message of a later server's");
                Ok(())
            }
        }
    }

    /// Our turn has come: from now on the run loop says all on this stream.
    async fn speak(&mut self, silent: &mut Silent) -> Result<(), LinkError> {
        let Some(early) = silent.take() else { return Ok(()) };
        self.stream.number += 1;
        self.tell(FromServer::Attached(self.stream)).await?;
        for question in early {
            self.tell(FromServer::Question(question)).await?;
        }
        Ok(())
    }

    async fn tell(&self, said: FromServer) -> Result<(), LinkError> {
        self.inbox.send(said).await.map_err(|_| LinkError::Ended)
    }

    /// Trusts others from the next dial on. Whether the server takes that we do.
    fn take_trust(
        &self,
        trust: &Trust,
        outbound: &mpsc::Sender<Leaving>,
        renewal: &Renewal,
    ) -> bool {
        let taken = match IdentityDir::new(&self.config.identity_dir).trust(&trust.ca_pem) {
            Ok(Some(authorities)) => {
                tracing::info!(?authorities, "other authorities are trusted");
                outbound.try_send(Message::Trusted(Trusted { authorities }).into()).is_ok()
            }
            Ok(None) => {
                tracing::warn!("passed over: authorities that cannot be read");
                true
            }
            // Said again on the next stream.
            Err(error) => {
                tracing::error!(%error, "other authorities cannot be kept");
                true
            }
        };
        if trust.renew {
            renewal.now.notify_one();
        }
        taken
    }

    /// Waits, and lets nobody wait for what cannot be said.
    async fn discard_for(&mut self, wait: Duration) {
        let discard = async { while self.outbox.recv().await.is_some() {} };
        let _ = tokio::time::timeout(wait, discard).await;
    }
}

/// A stream, either way.
struct Opened {
    inbound: Streaming<ToRouter>,
    outbound: mpsc::Sender<Leaving>,
    /// The server says when we may speak.
    gives_turns: bool,
    completes_reports: bool,
    /// Of the certificate that it began with.
    validity: Validity,
}

/// Questions that came before our turn to speak; `None`: it has come.
type Silent = Option<Vec<Question>>;

/// As this identity, to a server that it trusts.
pub(crate) fn endpoint(server: &str, identity: &Identity) -> Result<Endpoint, TransportError> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&identity.ca))
        .identity(TlsIdentity::from_pem(&identity.certificate, &identity.key));
    let endpoint = Endpoint::from_shared(server.to_owned())?.tls_config(tls)?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// What renews the certificate, as long as a stream is there.
struct Renewal {
    /// The certificate is good for longer, and yet.
    now: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Renewal {
    fn start(config: &AgentConfig, server: &str, validity: Validity) -> Self {
        let now = Arc::<Notify>::default();
        let keep = keep_renewed(config.clone(), server.to_owned(), validity, Arc::clone(&now));
        Self { now, task: tokio::spawn(keep) }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Gets the next certificate in good time. The stream goes on with the one that it began with; the next begins with the
/// new one.
async fn keep_renewed(
    config: AgentConfig,
    server: String,
    mut validity: Validity,
    asked: Arc<Notify>,
) {
    let mut at = validity.renew_at();
    loop {
        tokio::select! {
            () = until(at) => {}
            () = asked.notified() => {}
        }
        match enrol::renew(&config, &server).await {
            Ok(next) => {
                tracing::info!(until = %next.until, "the certificate is renewed");
                validity = next;
                at = validity.renew_at();
            }
            Err(error) => {
                tracing::error!(%error, until = %validity.until, "the certificate is not renewed");
                let now = clock::now();
                at = now.checked_add(validity.retry_in(now)).unwrap_or(now);
            }
        }
    }
}

/// By the clock on the wall, which may be set while we wait: looked at once an hour at least.
async fn until(at: Timestamp) {
    loop {
        let left = Duration::try_from(at.duration_since(clock::now())).unwrap_or(Duration::ZERO);
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
/// A turn that has not come by then will not: we speak.
const TURN_MAX: Duration = Duration::from_secs(10);
/// Messages on their way, either way.
const QUEUE: usize = 1024;
/// As the server's, for reports that an older one must have whole: 4,094 interfaces with 100 routes each are 33 MB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
