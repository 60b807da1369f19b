//! The looking glass: what the server asks about one interface, answered beside the run loop.
//!
//! ```text
//!   Question ─► run loop: what it knows of the interface (Subject) ─► task ─► Answer
//!                                                    │
//!                kernel thread: rows, sockets, captures ◄┘   blocking threads: echoes
//! ```
//!
//! Nothing here changes what is forwarded. Echoes are frames of our own from the interface's
//! namespace, so that they go its VLAN's way and no other.

mod capture;
mod echoes;
mod icmp;
mod look;
mod pcap_ng;
mod show;

use crate::{
    kernel::KernelThread,
    link::Reply,
    run::mind::Voices as _,
    sessions::Sessions,
    speaker::{LiveSocket, Ribs, SessionRoutes, SessionStatus},
    wanted::Peer,
};
use capture::Hub;
use directlink_channel::Answer as Message;
use directlink_dataplane::InterfaceNumber;
use directlink_model::{
    evidence::Fresh,
    glass::{Answer, Ask, Question, Refused, Which},
    ids::InterfaceId,
    plan::InterfacePlan,
};
use directlink_net::{Mac, Mtu, Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// What outlives a question.
#[derive(Clone, Debug)]
pub(crate) struct Glass {
    hub: Hub,
    looked: mpsc::Sender<Looked>,
    /// What runs, so that of each kind one does on an interface.
    running: Arc<Mutex<BTreeSet<(InterfaceId, &'static str)>>>,
}

/// What the run loop knows of an interface when it is asked.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) id: InterfaceId,
    pub(crate) number: InterfaceNumber,
    pub(crate) vlan: Vlan,
    pub(crate) mtu: Mtu,
    pub(crate) mac: Mac,
    pub(crate) vni: Option<Vni>,
    pub(crate) local_asn: u32,
    pub(crate) peers: Vec<Known>,
    pub(crate) prefixes_max: u32,
    /// Whom the rows of its Net name: each way, in words.
    pub(crate) ways: BTreeMap<InterfaceNumber, String>,
    pub(crate) ribs: Ribs,
}

/// One of its peers.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) peer: Peer,
    pub(crate) way: InterfaceNumber,
    pub(crate) asn: u32,
    pub(crate) has_key: bool,
    pub(crate) status: Option<Arc<SessionStatus>>,
    routes: Option<oneshot::Receiver<SessionRoutes>>,
    /// Where it was asked to say something.
    proof: Option<oneshot::Receiver<Option<LiveSocket>>>,
}

/// A look that is over. The run loop answers, with what it knows beside.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) number: u64,
    pub(crate) id: InterfaceId,
    pub(crate) fresh: Fresh,
    pub(crate) reply: Reply,
}

impl Known {
    /// As the run loop puts it together.
    pub(crate) fn of(
        peer: Peer,
        way: InterfaceNumber,
        plan: &InterfacePlan,
        id: InterfaceId,
        (sessions, proves): (&Sessions, bool),
    ) -> Self {
        let planned = plan.peers(id).find(|(it, _)| *it == peer.id).map(|(_, planned)| planned);
        let heard = sessions.heard().sessions.get(&peer.id);
        Self {
            way,
            asn: planned.as_ref().map_or(0, |planned| planned.customer_asn.as_u32()),
            has_key: planned.is_some_and(|planned| planned.key.is_some()),
            status: heard.and_then(|session| session.status.clone()),
            routes: if proves { None } else { sessions.ask_routes(peer.id) },
            proof: if proves { sessions.prove(peer.id) } else { None },
            peer,
        }
    }

    /// What it has learned, asked once.
    async fn routes(&mut self) -> SessionRoutes {
        match self.routes.take() {
            Some(routes) => routes.await.unwrap_or_default(),
            None => SessionRoutes::default(),
        }
    }
}

/// What a task works with.
struct Task {
    kernel: KernelThread,
    subject: Subject,
    glass: Glass,
}

/// An answer, and a file with it.
pub(crate) type Said = Result<(Answer, Vec<u8>), Refused>;

/// One that runs; another of its kind may when it is gone.
struct Permit {
    glass: Glass,
    what: (InterfaceId, &'static str),
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.glass.running().remove(&self.what);
    }
}

impl Glass {
    /// `looked`: where looks go that are over.
    pub(crate) fn new(looked: mpsc::Sender<Looked>) -> Self {
        Self { hub: Hub::default(), looked, running: Arc::default() }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeSet<(InterfaceId, &'static str)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self, what: (InterfaceId, &'static str)) -> Result<Permit, Refused> {
        match self.running().insert(what) {
            true => Ok(Permit { glass: self.clone(), what }),
            false => Err(Refused::Busy),
        }
    }

    /// Begins to answer. `subject`: `None` where the interface is not (wholly) here.
    pub(crate) fn answer(
        &self,
        (number, ask): (u64, Ask),
        subject: Option<Subject>,
        kernel: KernelThread,
        reply: Reply,
    ) {
        let task = subject.map(|subject| Task { kernel, subject, glass: self.clone() });
        let looked = self.looked.clone();
        tokio::spawn(async move {
            let said = match task {
                Some(task) if ask == Ask::Look => match task.look_alone().await {
                    Ok((id, fresh)) => {
                        // If the loop is gone, so is the router's agent.
                        return drop(looked.send(Looked { number, id, fresh, reply }).await);
                    }
                    Err(refused) => Err(refused),
                },
                Some(task) => task.run(ask).await,
                None => Err(Refused::NotHere),
            };
            reply.say(message(number, said));
        });
    }
}

/// A question that can be read; otherwise the answer to it.
pub(crate) fn read(number: u64, document: &[u8]) -> Result<Question, Message> {
    let refuse = |why: Refused| message(number, Err(why));
    // One of a later server's.
    let question: Question = serde_json::from_slice(document)
        .map_err(|error| refuse(Refused::Failed(error.to_string())))?;
    question.ask.check().map_err(|error| refuse(error.into()))?;
    Ok(question)
}

pub(crate) fn message(number: u64, said: Said) -> Message {
    let (answer, file) = said.unwrap_or_else(|refused| (Answer::Refused(refused), Vec::new()));
    match serde_json::to_vec(&answer) {
        Ok(document) => Message { number, document, file },
        Err(error) => unreachable!("an answer of strings and numbers is JSON: {error}"),
    }
}

impl Task {
    /// One at a time on an interface.
    async fn look_alone(self) -> Result<(InterfaceId, Fresh), Refused> {
        let id = self.subject.id;
        let permit = self.glass.permit((id, Ask::Look.kind()))?;
        let fresh = self.look().await;
        drop(permit);
        Ok((id, fresh?))
    }

    async fn run(self, ask: Ask) -> Said {
        let permit = match ask {
            Ask::Show(_) => None,
            _ => Some(self.glass.permit((self.subject.id, ask.kind()))?),
        };
        let said = match ask {
            Ask::Show(show) => self.show(show).await,
            Ask::Ping(ping) => self.ping(ping).await,
            Ask::Trace(trace) => self.trace(trace).await,
            Ask::Capture(capture) => self.capture(capture).await,
            // Whoever looks does not come by here.
            Ask::Look => Err(Refused::NotHere),
        };
        drop(permit);
        said
    }
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Failed(error.to_string())
}
