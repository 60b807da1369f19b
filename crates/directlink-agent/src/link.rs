//! The stream to the server: dialled by us, over mutual TLS, and dialled again when it ends.
//!
//! ```text
//!   run loop ◄── Attached, Plan, Lost ──  link task  ◄── gRPC ──► server
//!            ── Ack, Nack, Report ──────►            Hello{held} first
//! ```
//!
//! What is said while there is no stream, or was said for another, is dropped: whoever is told
//! [`FromServer::Attached`] says everything again, and what it says then may build on that. The control connection stays in the process's own network
//! namespace, whichever is the router's.

use crate::{AgentConfig, backoff::Backoff, clock};
use directlink_channel::{
    Answer, FromRouter, Hello, Plan, Question, ToRouter, agent_client::AgentClient,
    from_router::Message, to_router,
};
use directlink_model::glass::Ask;
use std::{collections::HashMap, fs, io, path::PathBuf, time::Duration};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

/// Scope to generation, as the ledger has it.
pub(crate) type HeldScopes = HashMap<String, u64>;

/// Names a stream: each has the next number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream(u64);

/// What comes of the stream.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// A new stream: the server knows what we hold, and nothing else.
    Attached(Stream),
    Plan(Plan),
    /// Answered on the stream that it came by, or not at all.
    Question(Question),
    Lost,
}

/// The run loop's end.
#[derive(Debug)]
pub(crate) struct Link {
    to_server: mpsc::Sender<(Stream, Message)>,
    /// The one that what is said is for.
    stream: Stream,
    pub(crate) from_server: mpsc::Receiver<FromServer>,
    held: watch::Sender<HeldScopes>,
    task: tokio::task::JoinHandle<()>,
}

/// The way back to whoever asked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    to_server: mpsc::Sender<(Stream, Message)>,
    stream: Stream,
}

impl Reply {
    /// Who asked may be gone, and the stream with them.
    pub(crate) fn say(self, answer: Answer) {
        if self.to_server.try_send((self.stream, Message::Answer(answer))).is_err() {
            tracing::debug!("dropped: an answer that nobody takes");
        }
    }
}

#[derive(Debug, Error)]
enum LinkError {
    #[error("cannot read {path}: {source}")]
    Identity { path: PathBuf, source: io::Error },
    #[error("no connection to {server}: {source}")]
    Connect { server: String, source: tonic::transport::Error },
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
        let task = tokio::spawn(Dialler { config, outbox, inbox, holds, stream, turn }.run());
        Self { to_server, stream: Stream::default(), from_server, held, task }
    }

    /// Tells the server, if it is there. A stream that is stuck is the link's to end.
    /// False: it was not even taken along.
    pub(crate) fn say(&self, message: Message) -> bool {
        let is_taken = self.to_server.try_send((self.stream, message)).is_ok();
        if !is_taken {
            tracing::debug!("dropped: nobody takes what is said to the server");
        }
        is_taken
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
    outbox: mpsc::Receiver<(Stream, Message)>,
    inbox: mpsc::Sender<FromServer>,
    holds: watch::Receiver<HeldScopes>,
    /// The last.
    stream: Stream,
    /// Which server's turn it is.
    turn: usize,
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
            Ok((inbound, outbound)) => self.talk(inbound, outbound).await,
            Err(error) => error,
        }
    }

    async fn open(&mut self) -> Result<(Streaming<ToRouter>, mpsc::Sender<FromRouter>), LinkError> {
        let channel = self.connect().await?;
        let (outbound, messages) = mpsc::channel(QUEUE);
        let hello = Hello {
            router: self.config.router.to_string(),
            build: env!("CARGO_PKG_VERSION").into(),
            held: self.holds.borrow_and_update().clone(),
            answers: Ask::KINDS.map(str::to_owned).to_vec(),
        };
        let hello = FromRouter { message: Some(Message::Hello(hello)) };
        outbound.try_send(hello).map_err(|_| LinkError::Stuck)?;
        let mut client = AgentClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let response = client.attach(ReceiverStream::new(messages)).await;
        Ok((response.map_err(LinkError::Refused)?.into_inner(), outbound))
    }

    /// The identity is read at each dial, so that a renewed one needs no restart.
    async fn connect(&self) -> Result<Channel, LinkError> {
        let read = |name: &str| {
            let path = self.config.identity_dir.join(name);
            fs::read(&path).map_err(|source| LinkError::Identity { path, source })
        };
        let failed = |source| LinkError::Connect { server: self.server().to_owned(), source };
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")?))
            .identity(Identity::from_pem(read("cert.pem")?, read("key.pem")?));
        Endpoint::from_shared(self.server().to_owned())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(failed)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(failed)
    }

    async fn talk(
        &mut self,
        mut inbound: Streaming<ToRouter>,
        outbound: mpsc::Sender<FromRouter>,
    ) -> LinkError {
        tracing::info!(server = self.server(), "attached to the server");
        self.stream.0 += 1;
        if self.inbox.send(FromServer::Attached(self.stream)).await.is_err() {
            return LinkError::Ended;
        }
        loop {
            tokio::select! {
                received = inbound.message() => match received {
                    Ok(Some(ToRouter { message: Some(to_router::Message::Plan(plan)) })) => {
                        if self.inbox.send(FromServer::Plan(plan)).await.is_err() {
                            return LinkError::Ended;
                        }
                    }
                    Ok(Some(ToRouter { message: Some(to_router::Message::Question(it)) })) => {
                        if self.inbox.send(FromServer::Question(it)).await.is_err() {
                            return LinkError::Ended;
                        }
                    }
                    Ok(Some(ToRouter { message: None })) => {
                        tracing::warn!("passed over: a message of a later server's");
                    }
                    Ok(None) => return LinkError::Ended,
                    Err(status) => return LinkError::Broken(status),
                },
                Some((stream, message)) = self.outbox.recv() => {
                    // Said for another: it builds on what this server may not know.
                    if stream != self.stream {
                        continue;
                    }
                    if outbound.try_send(FromRouter { message: Some(message) }).is_err() {
                        return LinkError::Stuck;
                    }
                }
            }
        }
    }

    /// Waits, and lets nobody wait for what cannot be said.
    async fn discard_for(&mut self, wait: Duration) {
        let discard = async { while self.outbox.recv().await.is_some() {} };
        let _ = tokio::time::timeout(wait, discard).await;
    }
}

/// Messages on their way, either way.
const QUEUE: usize = 1024;
/// As the server's: 4,094 interfaces are about 1.5 MB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
