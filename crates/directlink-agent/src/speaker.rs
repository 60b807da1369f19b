//! The BGP speaker's shell: sockets, clock and tasks around the pure peers of `directlink-bgp`.
//!
//! ```text
//!                      set, remove                 ┌ task of a BGP peer ───────────────────┐
//!   agent ──► Speaker ─────────────► (one watch) ──► Peer ◄─► listener :179, dial, ≤ 3 TCP  │
//!     ▲          │                                 │   one sleep, until Peer::next_deadline │
//!     │          ▼ snapshot, changes               └───────────────┬───────────────────────┘
//!     └───── Board: status per session, Loc-RIB per Net ◄──────────┘
//! ```
//!
//! Every session lives in the network namespace of its interface, which may have several, so that thousands of peers
//! with the same address never meet. One thread enters namespaces and opens sockets there; a
//! socket stays in its namespace wherever it is used, so that all else runs on the agent's runtime,
//! but for BFD, which must not wait for anything.
//!
//! What has changed is told without content ([`Speaker::changed`]), and taken as a whole
//! ([`Speaker::take_changes`]): a slow reader costs no memory and misses nothing that still holds.

mod bfd;
mod board;
mod connection;
#[cfg(test)]
pub(crate) mod fixture;
mod monitor;
mod netns;
mod path;
mod session;
mod socket;
mod sockopt;
mod task;

pub use board::{Changes, NetRib, SessionStatus, Touched};
pub use monitor::Monitor;
pub(crate) use monitor::{Event, Feed, PeerUp, What, moment};
pub use netns::Netns;
pub(crate) use session::DRAIN_PREPEND;
pub use session::{SessionConfig, SessionRoutes};

use crate::clock;
use bfd::Bfd;
use board::Board;
use directlink_bgp::Stop;
use directlink_dataplane::StandIns;
use directlink_model::ids::BgpPeerId;
use directlink_net::{IpNet, Vni};
use futures::channel::mpsc;
use netns::Doorway;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

/// All BGP sessions of a router. Dropping it closes them without a word, as a crash would: the
/// customers keep our routes for the restart time (RFC 4724). So is BFD closed where the forwarding
/// speaks it in the meantime; where not, it says that it goes, lest customers take that for a dead
/// path.
#[derive(Debug)]
pub struct Speaker {
    runtime: Handle,
    shared: Shared,
    tasks: Mutex<BTreeMap<BgpPeerId, Running>>,
}

/// The Loc-RIBs, from wherever they are asked.
#[derive(Clone, Debug)]
pub(crate) struct Ribs(Arc<Board>);

impl Ribs {
    pub(crate) fn net(&self, net: Vni) -> Option<NetRib> {
        self.0.net(net)
    }

    pub(crate) fn status(&self, id: BgpPeerId) -> Option<Arc<SessionStatus>> {
        self.0.status(id)
    }
}

/// A session's socket, to be looked at.
#[derive(Debug)]
pub(crate) struct LiveSocket(OwnedFd);

impl LiveSocket {
    /// Segments that nobody has acknowledged, and how often the first of them was sent again.
    pub(crate) fn unheard(&self) -> io::Result<(u32, u32)> {
        sockopt::unacknowledged(&self.0)
    }
}

/// What every task needs.
#[derive(Clone, Debug)]
struct Shared {
    board: Arc<Board>,
    doorway: Doorway,
    bfd: Arc<Bfd>,
    epoch: Instant,
    monitor: Option<Arc<Monitor>>,
}

#[derive(Debug)]
struct Running {
    /// Of the kind that takes memory by the message: tokio's has room for thirty-two from the start.
    commands: mpsc::UnboundedSender<Command>,
    wanted: SessionConfig,
    task: JoinHandle<()>,
}

/// What a task is told.
#[derive(Debug)]
enum Command {
    Configure(Box<SessionConfig>),
    End(Stop),
    Routes(oneshot::Sender<SessionRoutes>),
    Prove(oneshot::Sender<Option<LiveSocket>>),
}

impl Speaker {
    /// Sessions run as tasks of `runtime`, which must have I/O and time.
    ///
    /// # Errors
    /// The thread that enters namespaces, or BFD's, cannot be started.
    pub fn new(runtime: Handle) -> io::Result<Self> {
        Self::with_stand_ins(runtime, None)
    }

    /// As [`Speaker::new`]; where there are stand-ins, BFD outlives this process for a while.
    ///
    /// # Errors
    /// As [`Speaker::new`].
    pub fn with_stand_ins(runtime: Handle, stand_ins: Option<StandIns>) -> io::Result<Self> {
        let epoch = clock::instant();
        let board = Arc::new(Board::new(clock::now()));
        let doorway = Doorway::open()?;
        let bfd = Arc::new(Bfd::start(doorway.clone(), epoch, stand_ins)?);
        let shared = Shared { board, doorway, bfd, epoch, monitor: None };
        Ok(Self { runtime, shared, tasks: Mutex::default() })
    }

    /// Sessions that are set from now on tell it what happens to them.
    #[must_use]
    pub fn monitored_by(mut self, monitor: Arc<Monitor>) -> Self {
        self.shared.monitor = Some(monitor);
        self
    }

    /// Starts a session, or changes it. The same again changes nothing; a new key or a new list of
    /// advertised prefixes leaves the session up, and no other session notices anything.
    pub fn set(&self, config: SessionConfig) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        match tasks.entry(config.id) {
            Entry::Occupied(mut running) if !running.get().task.is_finished() => {
                let running = running.get_mut();
                if running.wanted != config {
                    running.wanted = config.clone();
                    running.tell(Command::Configure(Box::new(config)));
                }
            }
            Entry::Occupied(mut ended) => {
                ended.insert(self.start(config));
            }
            Entry::Vacant(place) => {
                place.insert(self.start(config));
            }
        }
    }

    /// The peer was deleted: its customer is told to keep nothing, and its routes go.
    pub fn remove(&self, id: BgpPeerId) {
        let running = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(running) = running {
            // Here, not in the task: from now on nothing that it does can show.
            self.shared.board.retire(id);
            running.tell(Command::End(Stop::Deleted));
        }
    }

    /// Sessions that were set and not removed.
    pub fn ids(&self) -> Vec<BgpPeerId> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    pub fn status(&self, id: BgpPeerId) -> Option<Arc<SessionStatus>> {
        self.shared.board.status(id)
    }

    pub fn snapshot(&self) -> BTreeMap<BgpPeerId, Arc<SessionStatus>> {
        self.shared.board.snapshot()
    }

    /// Learned, refused and advertised prefixes; `None` if there is no such session.
    pub async fn routes(&self, id: BgpPeerId) -> Option<SessionRoutes> {
        self.ask_routes(id)?.await.ok()
    }

    /// The same, for whoever waits elsewhere.
    pub(crate) fn ask_routes(&self, id: BgpPeerId) -> Option<oneshot::Receiver<SessionRoutes>> {
        let (answer, answered) = oneshot::channel();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.get(&id)?.tell(Command::Routes(answer));
        Some(answered)
    }

    /// Has a session that is up say something, and hands out its socket to see whether that is heard;
    /// has one that is not dial.
    pub(crate) fn prove(&self, id: BgpPeerId) -> Option<oneshot::Receiver<Option<LiveSocket>>> {
        let (answer, answered) = oneshot::channel();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.get(&id)?.tell(Command::Prove(answer));
        Some(answered)
    }

    /// The sessions that each prefix of a Net is reached through, best first.
    pub fn best(&self, net: Vni) -> BTreeMap<IpNet, Vec<BgpPeerId>> {
        self.shared.board.best(net)
    }

    /// Who offers what in which Net, for another thread.
    pub(crate) fn ribs(&self) -> Ribs {
        Ribs(self.shared.board.clone())
    }

    /// Waits until [`Self::take_changes`] has something. A change during the wait is not missed.
    pub async fn changed(&self) {
        self.shared.board.changed().await;
    }

    /// All that changed since the last time, each thing once and as it is now.
    pub fn take_changes(&self) -> Changes {
        self.shared.board.take_changes()
    }

    fn start(&self, config: SessionConfig) -> Running {
        let (commands, inbox) = mpsc::unbounded();
        let wanted = config.clone();
        let enrolment = self.shared.board.enrol(config.id);
        let _timers = self.runtime.enter();
        let task = self.runtime.spawn(task::run(config, enrolment, self.shared.clone(), inbox));
        Running { commands, wanted, task }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        for running in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            running.task.abort();
        }
        self.shared.bfd.leave();
    }
}

impl Shared {
    /// The peers' time: since the speaker began.
    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.epoch)
    }
}

impl Running {
    /// A task that has ended (it cannot but by a bug) is replaced by the next `set`.
    fn tell(&self, command: Command) {
        drop(self.commands.unbounded_send(command));
    }
}
