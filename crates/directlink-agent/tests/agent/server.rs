//! The server's end of the channel, as far as an agent sees it: mutual TLS, plans out, the rest
//! in.

use directlink_agent::AgentConfig;
use directlink_channel::{
    COMPLETES_REPORTS, FromRouter, GIVES_TURNS, Plan, ToRouter, Turn,
    agent_server::{Agent, AgentServer},
    from_router::Message,
    to_router,
};
use directlink_model::{ids::PortName, plan::Document, report::PortReport};
use futures::{Stream, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    metadata::MetadataValue,
    transport::{Certificate, Identity, Server as Transport, ServerTlsConfig},
};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    said: mpsc::UnboundedReceiver<Message>,
    streams: Streams,
    task: tokio::task::JoinHandle<()>,
    authority: Arc<Authority>,
    /// Of a report, as far as it has come.
    parts: Vec<u8>,
    /// The last of each port.
    reports: BTreeMap<PortName, PortReport>,
    /// The port that was last reported.
    news: Option<PortName>,
    /// How often routes of an interface were told.
    pub(crate) routes_told: usize,
    /// So long it waits for what the agent says.
    pub(crate) patience: Duration,
}

type Streams = Arc<Mutex<Vec<mpsc::UnboundedSender<Result<ToRouter, Status>>>>>;

pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

struct Service {
    said: mpsc::UnboundedSender<Message>,
    streams: Streams,
    /// Said to whoever attaches: what this server knows to do.
    knows: &'static [&'static str],
}

#[tonic::async_trait]
impl Agent for Service {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<ToRouter, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<FromRouter>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut inbound = request.into_inner();
        let said = self.said.clone();
        let (plans, outbound) = mpsc::unbounded_channel();
        self.streams.lock().unwrap().push(plans);
        tokio::spawn(async move {
            while let Some(Ok(FromRouter { message: Some(message) })) = inbound.next().await {
                if said.send(message).is_err() {
                    return;
                }
            }
        });
        let outbound: Self::AttachStream = Box::pin(UnboundedReceiverStream::new(outbound));
        let mut response = Response::new(outbound);
        for word in self.knows {
            response.metadata_mut().insert(*word, MetadataValue::from_static("yes"));
        }
        Ok(response)
    }
}

impl Server {
    pub(crate) async fn start(authority: Arc<Authority>) -> Self {
        Self::start_at(authority, "127.0.0.1:0".parse().unwrap()).await
    }

    /// At which an agent speaks in its turn.
    pub(crate) async fn start_giving_turns(authority: Arc<Authority>) -> Self {
        let knows = &[GIVES_TURNS, COMPLETES_REPORTS];
        Self::start_as(authority, "127.0.0.1:0".parse().unwrap(), knows).await
    }

    /// From before there were turns, and reports in parts.
    pub(crate) async fn start_old(authority: Arc<Authority>) -> Self {
        Self::start_as(authority, "127.0.0.1:0".parse().unwrap(), &[]).await
    }

    pub(crate) async fn start_at(authority: Arc<Authority>, address: SocketAddr) -> Self {
        Self::start_as(authority, address, &[COMPLETES_REPORTS]).await
    }

    async fn start_as(
        authority: Arc<Authority>,
        address: SocketAddr,
        knows: &'static [&'static str],
    ) -> Self {
        let (certificate, key) = authority.issue(&["127.0.0.1"]);
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(&authority.pem));
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, said) = mpsc::unbounded_channel();
        let streams = Streams::default();
        let service = AgentServer::new(Service { said: sender, streams: streams.clone(), knows });
        let serve = Transport::builder()
            .tls_config(tls)
            .unwrap()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { serve.await.unwrap() });
        let (reports, news, patience) = (BTreeMap::new(), None, PATIENCE);
        let (parts, routes_told) = (vec![], 0);
        Self {
            address,
            said,
            streams,
            task,
            authority,
            parts,
            reports,
            news,
            routes_told,
            patience,
        }
    }

    /// Gone, as if killed; its address is free for the next.
    pub(crate) async fn kill(self) -> (Arc<Authority>, SocketAddr) {
        self.streams.lock().unwrap().clear();
        self.task.abort();
        drop(self.task.await);
        (self.authority, self.address)
    }

    pub(crate) fn send(&self, scope: &str, generation: u64, document: &Document) {
        self.send_bytes(scope, generation, serde_json::to_vec(document).unwrap());
    }

    pub(crate) fn send_bytes(&self, scope: &str, generation: u64, document: Vec<u8>) {
        let plan = Plan { scope: scope.into(), generation, document, ..Plan::default() };
        self.say(to_router::Message::Plan(plan));
    }

    pub(crate) fn give_turn(&self) {
        self.say(to_router::Message::Turn(Turn {}));
    }

    /// What the agent has said that nobody waited for.
    pub(crate) fn unheard(&mut self) -> Option<Message> {
        self.said.try_recv().ok()
    }

    fn say(&self, message: to_router::Message) {
        let message = ToRouter { message: Some(message) };
        let streams = self.streams.lock().unwrap();
        streams.last().expect("an agent is attached").send(Ok(message)).unwrap();
    }

    /// Waits for a message that `take` wants, and passes over others.
    pub(crate) async fn wait<T>(
        &mut self,
        what: &str,
        mut take: impl FnMut(Message) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + self.patience;
        loop {
            let Some(message) = self.next(deadline).await else {
                panic!("not heard from the agent: {what}");
            };
            if let Some(taken) = take(message) {
                return taken;
            }
        }
    }

    /// Of what it says, a report as a complete one.
    async fn next(&mut self, deadline: Instant) -> Option<Message> {
        let left = deadline.saturating_duration_since(Instant::now());
        let message = tokio::time::timeout(left, self.said.recv()).await.ok()??;
        if let Message::Report(report) = &message {
            self.parts.extend(&report.document);
            if report.continues {
                return Some(message);
            }
            let document = std::mem::take(&mut self.parts);
            let report: PortReport = serde_json::from_slice(&document).unwrap();
            let told = report.interfaces.values().filter(|it| !it.learned.is_empty());
            self.routes_told += told.count();
            let before = self.reports.remove(&report.port);
            let report = report.completed(before).expect("nothing is left out untold");
            self.news = Some(report.port.clone());
            self.reports.insert(report.port.clone(), report);
        }
        Some(message)
    }

    /// The agent's next Hello: what it holds.
    pub(crate) async fn hello(&mut self) -> std::collections::HashMap<String, u64> {
        self.wait("Hello", |message| match message {
            Message::Hello(hello) => Some(hello.held),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ack(&mut self, scope: &str, generation: u64) {
        self.wait(&format!("Ack of {scope} {generation}"), |message| match message {
            Message::Ack(ack) => (ack.scope == scope && ack.generation == generation).then_some(()),
            Message::Nack(nack) if nack.generation == generation => panic!("{nack:?}"),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn nack(&mut self, scope: &str, generation: u64) -> String {
        self.wait(&format!("Nack of {scope} {generation}"), |message| match message {
            Message::Nack(nack) if nack.scope == scope && nack.generation == generation => {
                Some(nack.reason)
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn report(
        &mut self,
        what: &str,
        mut fits: impl FnMut(&PortReport) -> bool,
    ) -> PortReport {
        let deadline = Instant::now() + self.patience;
        self.news = None;
        while self.next(deadline).await.is_some() {
            let port = self.news.take();
            if let Some(report) = port.and_then(|port| self.reports.get(&port))
                && fits(report)
            {
                return report.clone();
            }
        }
        panic!("no report of {what}; the last: {:#?}", self.reports);
    }
}

const PATIENCE: Duration = Duration::from_secs(100);

impl Authority {
    pub(crate) fn new() -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::from_ca_cert_pem(&pem, key).unwrap();
        Arc::new(Self { pem, issuer })
    }

    /// What an agent is given: three files.
    pub(crate) fn write_identity(&self, dir: &Path) {
        let (certificate, key) = self.issue(&[]);
        for (name, text) in [("ca.pem", &self.pem), ("cert.pem", &certificate), ("key.pem", &key)] {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    fn issue(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("https://{address}")
}

/// An agent of its own, on a thread of its own: it dies as a process would, all at once.
pub(crate) struct Process {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(config: AgentConfig) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    ended = directlink_agent::run(config) => panic!("the agent ended: {ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        if !std::thread::panicking() {
            ended.into_iter().for_each(|ended| ended.unwrap());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
