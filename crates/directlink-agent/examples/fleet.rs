//! Many routers' agents in one process and without routers, for `benches/fleet`: what they say on the real protocol,
//! over mutual TLS, each with an identity of its own.
//!
//! ```text
//!   identities ──► a stream each: Hello, Acks at once, reports as of a router whose sessions are all up
//!   stdin    "watch"  from now on each interface that is new in a plan is told
//!            "burst"  all streams end at once, and are dialled again as agents do
//!   stdout   {"at_ns", "attached", "plans", "interfaces"}   when it has changed
//!            {"at_ns", "interface"}                         the plan with it has come
//! ```
//!
//! Times are the clock's on the wall: the bench, on the same machine, has the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout
)]

use directlink_channel::{
    Ack, FromRouter, Hello, Plan, Report, agent_client::AgentClient, from_router::Message,
    to_router,
};
use directlink_model::{
    evidence::PortEvidence,
    ids::{InterfaceId, PortName},
    plan::{Document, Scope},
    report::{InterfaceReport, LearnedRoute, PortReport, SessionReport, USUAL_PREFERENCE},
};
use directlink_net::Mac;
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::BufRead as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

/// As agents have them.
const REPORT_PERIOD: Duration = Duration::from_secs(5);
const COLLECT: Duration = Duration::from_millis(20);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const TURN_MAX: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(10);
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const TELL_EVERY: Duration = Duration::from_millis(50);

/// What the operator's API gave.
#[derive(Deserialize)]
struct Router {
    name: String,
    ca_pem: String,
    cert_pem: String,
    key_pem: String,
}

/// What the bench asks of all.
#[derive(Default)]
struct Fleet {
    attached: AtomicUsize,
    plans: AtomicUsize,
    interfaces: AtomicUsize,
    is_watched: AtomicBool,
}

/// One router's.
struct Agent {
    router: Router,
    server: String,
    fleet: Arc<Fleet>,
    held: HashMap<String, u64>,
    ports: BTreeMap<PortName, Port>,
    bursts: watch::Receiver<u64>,
}

#[derive(Default)]
struct Port {
    generation: u64,
    interfaces: BTreeSet<InterfaceId>,
    /// Of which the server knows all, on this stream.
    told: BTreeSet<InterfaceId>,
    /// What is said first on a stream, and of which generation: made while there is time, as hundreds of routers
    /// would each make their own.
    whole: (u64, Vec<u8>),
}

#[tokio::main]
async fn main() {
    let [_, server, identities] = &std::env::args().collect::<Vec<_>>()[..] else {
        panic!("fleet https://HOST:PORT IDENTITIES.json");
    };
    let routers: Vec<Router> =
        serde_json::from_str(&std::fs::read_to_string(identities).expect("identities")).unwrap();
    let fleet = Arc::<Fleet>::default();
    let (burst, bursts) = watch::channel(0);
    for router in routers {
        let agent = Agent {
            router,
            server: server.clone(),
            fleet: Arc::clone(&fleet),
            held: HashMap::new(),
            ports: BTreeMap::new(),
            bursts: bursts.clone(),
        };
        tokio::spawn(agent.run());
    }
    let asked = Arc::clone(&fleet);
    let stdin = std::thread::spawn(move || obey(&asked, &burst));
    let mut before = [usize::MAX; 3];
    while !stdin.is_finished() {
        let now =
            [&fleet.attached, &fleet.plans, &fleet.interfaces].map(|count| count.load(Relaxed));
        if now != before {
            let [attached, plans, interfaces] = now;
            println!(
                r#"{{"at_ns":{},"attached":{attached},"plans":{plans},"interfaces":{interfaces}}}"#,
                now_ns()
            );
        }
        before = now;
        sleep(TELL_EVERY).await;
    }
}

/// Until the bench closes its end.
fn obey(fleet: &Fleet, burst: &watch::Sender<u64>) {
    for line in std::io::stdin().lock().lines() {
        match line.unwrap().as_str() {
            "watch" => fleet.is_watched.store(true, Relaxed),
            "burst" => burst.send_modify(|bursts| *bursts += 1),
            other => panic!("'{other}'?"),
        }
    }
}

impl Agent {
    async fn run(mut self) {
        // As if each had been started by itself.
        let mut wait = FIRST_WAIT;
        loop {
            self.bursts.borrow_and_update();
            let began = Instant::now();
            let end = self.attach().await;
            if began.elapsed() > LONGEST_WAIT {
                wait = FIRST_WAIT;
            }
            if let Err(status) = end {
                eprintln!("{}: {status}", self.router.name);
            }
            sleep(wait.mul_f64(rand::random())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// One stream, until it breaks or all shall.
    async fn attach(&mut self) -> Result<(), tonic::Status> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.router.ca_pem))
            .identity(Identity::from_pem(&self.router.cert_pem, &self.router.key_pem));
        let channel = Endpoint::from_shared(self.server.clone())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .unwrap()
            .connect_timeout(LONGEST_WAIT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
        // What is said never keeps a plan from being received.
        let (outbound, messages) = mpsc::unbounded_channel();
        let hello = Hello {
            router: self.router.name.clone(),
            build: "fleet".into(),
            held: self.held.clone(),
            answers: vec![],
            trusts: vec![],
            waits: true,
        };
        say(&outbound, Message::Hello(hello));
        let mut client = AgentClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let mut inbound = client.attach(UnboundedReceiverStream::new(messages)).await?.into_inner();
        self.fleet.attached.fetch_add(1, Relaxed);
        let end = self.talk(&mut inbound, &outbound).await;
        self.fleet.attached.fetch_sub(1, Relaxed);
        end
    }

    async fn talk(
        &mut self,
        inbound: &mut tonic::Streaming<directlink_channel::ToRouter>,
        outbound: &mpsc::UnboundedSender<FromRouter>,
    ) -> Result<(), tonic::Status> {
        self.ports.values_mut().for_each(|port| port.told.clear());
        let mut is_silent = true;
        let mut report_at = Instant::now() + TURN_MAX;
        loop {
            tokio::select! {
                message = inbound.message() => {
                    let Some(message) = message? else { return Ok(()) };
                    let plan = match message.message {
                        Some(to_router::Message::Plan(plan)) => plan,
                        Some(to_router::Message::Turn(_)) => {
                            report_at = Instant::now();
                            continue;
                        }
                        _ => continue,
                    };
                    let (scope, generation) = (plan.scope.clone(), plan.generation);
                    if self.take(plan) && !is_silent {
                        report_at = report_at.min(Instant::now() + COLLECT);
                    }
                    if !is_silent {
                        say(outbound, Message::Ack(Ack { scope, generation }));
                    }
                }
                () = sleep_until(report_at) => {
                    if std::mem::take(&mut is_silent) {
                        for (scope, &generation) in &self.held {
                            say(outbound, Message::Ack(Ack { scope: scope.clone(), generation }));
                        }
                    }
                    for (name, port) in &mut self.ports {
                        let document = port.says(name);
                        say(outbound, Message::Report(Report { document, continues: false }));
                    }
                    report_at = Instant::now() + REPORT_PERIOD.mul_f64(0.5 + rand::random::<f64>());
                }
                _ = self.bursts.changed() => return Ok(()),
            }
        }
    }

    /// Whether a port is another.
    fn take(&mut self, plan: Plan) -> bool {
        if self.held.insert(plan.scope.clone(), plan.generation).is_none() {
            self.fleet.plans.fetch_add(1, Relaxed);
        }
        let Ok(Scope::Port(name)) = plan.scope.parse() else { return false };
        let at_ns = now_ns();
        let Document::Port(document) = serde_json::from_slice(&plan.document).unwrap() else {
            panic!("{name}: no port's document");
        };
        let port = self.ports.entry(name).or_default();
        let ids: BTreeSet<_> = document.interfaces.keys().copied().collect();
        if self.fleet.is_watched.load(Relaxed) {
            for id in ids.difference(&port.interfaces) {
                println!(r#"{{"at_ns":{at_ns},"interface":"{id}"}}"#);
            }
        }
        self.fleet.interfaces.fetch_add(ids.len(), Relaxed);
        self.fleet.interfaces.fetch_sub(port.interfaces.len(), Relaxed);
        port.told.retain(|id| ids.contains(id));
        (port.generation, port.interfaces) = (plan.generation, ids);
        true
    }
}

impl Port {
    fn says(&mut self, name: &PortName) -> Vec<u8> {
        let is_first = self.told.is_empty();
        if is_first && self.whole.0 == self.generation {
            self.told.clone_from(&self.interfaces);
            return self.whole.1.clone();
        }
        let document = serde_json::to_vec(&self.report(name)).unwrap();
        if !is_first && self.whole.0 != self.generation {
            self.told.clear();
            self.whole = (self.generation, serde_json::to_vec(&self.report(name)).unwrap());
        }
        document
    }

    fn report(&mut self, name: &PortName) -> PortReport {
        let unchanged = self.told.clone();
        let news = self.interfaces.difference(&self.told);
        let interfaces = news.map(|&id| (id, interface_report())).collect();
        self.told.clone_from(&self.interfaces);
        PortReport {
            port: name.clone(),
            applied_generation: self.generation,
            light: true,
            interfaces,
            unchanged,
            evidence: PortEvidence::default(),
        }
    }
}

/// Its session is up, and two prefixes came.
fn interface_report() -> InterfaceReport {
    let route = |prefix: &str| LearnedRoute {
        prefix: prefix.parse().unwrap(),
        as_path: vec![65010],
        med: None,
        local_pref: USUAL_PREFERENCE,
        best: true,
    };
    InterfaceReport {
        configured: true,
        session: SessionReport {
            state: SessionReport::ESTABLISHED.into(),
            established_since: Some(Timestamp::UNIX_EPOCH),
            ..SessionReport::default()
        },
        neighbour: Some(Mac([0x02, 0, 0, 0, 0, 1])),
        rows_in_kernel: true,
        learned: vec![route("192.168.0.0/24"), route("192.168.1.0/24")],
        advertised: vec!["10.0.0.0/16".parse().unwrap()],
        ..InterfaceReport::default()
    }
}

/// The server may be gone; the stream's end says so.
fn say(outbound: &mpsc::UnboundedSender<FromRouter>, message: Message) {
    let _ = outbound.send(FromRouter { message: Some(message) });
}

fn now_ns() -> i128 {
    Timestamp::now().as_nanosecond()
}
