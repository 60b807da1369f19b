//! The router's kernel: one thread that lives in the router's network namespace, and does there
//! what it is given, one job after the other.
//!
//! ```text
//! run loop ── job ──► kernel thread (setns: router)
//!          ◄─ answer ─   ├ netlink, sysctl    router's namespace
//!                        ├ setns ► interface ► back
//!                        └ data plane: programs, tables
//! ```
//!
//! A thread of its own because setns is a thread's, and because all of this blocks. It touches
//! nothing that it did not name (see [`crate::names`]).

mod apply;
mod clean;
mod glass;
mod light;
mod link_table;
mod links;
mod modules;
mod netlink;
mod netns;
mod netstat;
mod observe;
mod open_files;
mod probe;
mod rows;
mod siblings;
mod sysctl;
mod watch;

pub(crate) use apply::{ApplyError, is_between};
pub use clean::{CleanError, clean};
pub(crate) use glass::{RowsQuestion, RowsSeen, VlanSocket, arp_request, arp_sender};
pub(crate) use netns::Netns;
pub(crate) use netstat::SignatureCounts;
pub(crate) use observe::{Insides, Look, ObserveError};
pub(crate) use open_files::raise_open_files;
pub(crate) use probe::Heard;
pub(crate) use rows::{Facts, Question, RowWish};
pub(crate) use watch::{LinkEvent, Subscription, Watch};

use crate::{
    config::{KernelConfig, NETNS_DIR},
    diff::{Change, Subject},
    names::Namespaces,
    observed::Observed,
};
use directlink_bgp::bfd;
use directlink_dataplane::{Dataplane, OpenError, StandIns};
use directlink_model::ids::InterfaceId;
use link_table::LinkTable;
use netlink::Netlink;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};
use sysctl::Switches;
use thiserror::Error;
use tokio::sync::oneshot;

/// Why there is no kernel thread.
#[derive(Debug, Error)]
pub enum KernelError {
    #[error("cannot {doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error(transparent)]
    Dataplane(#[from] OpenError),
    #[error("the kernel thread has ended")]
    Gone,
}

/// What the thread has.
pub(crate) struct Kernel {
    router: Netns,
    netlink: Netlink,
    links: LinkTable,
    dataplane: Dataplane,
    names: Namespaces,
    uplink: String,
    /// Links that this process's programs are on.
    attached: BTreeSet<u32>,
    switches: Switches,
    /// The socket in the interface's namespace that was last worked in: the next change is
    /// mostly there too, and a socket needs no entering.
    inner: Option<(InterfaceId, Netlink)>,
    probes: BTreeMap<InterfaceId, probe::Probe>,
    modules: modules::Modules,
    /// What routes and sources were last made of; `None` while it is not known what is there.
    rows: Option<rows::Written>,
}

/// What a pass is done with.
pub(crate) trait Hands {
    fn observe(&mut self, look: &Look) -> Result<Observed, ObserveError>;

    /// Does what can be done until `deadline`, and at least one change. How many that were,
    /// and what of them could not be done, by subject.
    fn apply(
        &mut self,
        changes: &[Change],
        deadline: Instant,
    ) -> (usize, BTreeMap<Subject, ApplyError>);

    /// What began while programs of another layout still had some of the packets.
    fn take_late_flows(&mut self);

    /// Tables of another build's layout serve nobody once every program is this one's.
    fn forget_former_layouts(&self);
}

type Job = Box<dyn FnOnce(&mut Kernel) + Send>;

/// The way to the thread. It ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub(crate) struct KernelThread {
    jobs: mpsc::Sender<Job>,
    /// After `jobs`, so that the thread has nothing more to wait for.
    _end: Arc<End>,
}

/// Waits for the thread: when the agent is gone, so is whatever still worked in the kernel.
#[derive(Debug)]
struct End(Option<thread::JoinHandle<()>>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.0.take().map(thread::JoinHandle::join) {
            tracing::error!("the kernel thread had died");
        }
    }
}

impl Hands for Kernel {
    fn observe(&mut self, look: &Look) -> Result<Observed, ObserveError> {
        Self::observe(self, look)
    }

    fn apply(
        &mut self,
        changes: &[Change],
        deadline: Instant,
    ) -> (usize, BTreeMap<Subject, ApplyError>) {
        Self::apply(self, changes, deadline)
    }

    fn take_late_flows(&mut self) {
        if let Err(error) = self.dataplane.take_late_flows() {
            tracing::warn!(%error, "flows of another layout are lost");
        }
    }

    fn forget_former_layouts(&self) {
        if let Err(error) = self.dataplane.drop_other_layouts() {
            tracing::warn!(%error, "tables of another layout stay pinned");
        }
    }
}

impl KernelThread {
    /// Starts the thread and waits until it is in its place.
    pub(crate) async fn start(config: KernelConfig) -> Result<Self, KernelError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (ready, started) = oneshot::channel();
        let body = move || match Kernel::open(&config) {
            Ok(mut kernel) => {
                let _ = ready.send(Ok(()));
                for job in queue {
                    job(&mut kernel);
                }
            }
            Err(e) => drop(ready.send(Err(e))),
        };
        let spawned = thread::Builder::new().name("kernel".into()).spawn(body);
        let thread =
            spawned.map_err(|source| KernelError::Io { doing: "start a thread".into(), source })?;
        started.await.unwrap_or(Err(KernelError::Gone))?;
        Ok(Self { jobs, _end: Arc::new(End(Some(thread))) })
    }

    /// Runs a job there.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Kernel) -> T + Send + 'static,
    ) -> Result<T, KernelError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |kernel| drop(answer.send(job(kernel))));
        self.jobs.send(job).map_err(|_| KernelError::Gone)?;
        answered.await.map_err(|_| KernelError::Gone)
    }
}

impl Kernel {
    /// Moves the calling thread into the router's namespace.
    fn open(config: &KernelConfig) -> Result<Self, KernelError> {
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |source| KernelError::Io { doing, source }
        };
        let switches = Switches::default();
        switches.make_room_for_neighbours().map_err(failed("enlarge the neighbour table"))?;
        let router = match &config.netns {
            Some(path) => Netns::open(path)
                .map_err(failed(&format!("open the namespace {}", path.display())))?,
            None => Netns::own().map_err(failed("open the own namespace"))?,
        };
        router.enter().map_err(failed("enter the router's namespace"))?;
        Ok(Self {
            router,
            netlink: Netlink::open().map_err(failed("open a netlink socket"))?,
            links: LinkTable::open().map_err(failed("listen to links"))?,
            dataplane: Dataplane::open(&config.pin_dir)?,
            names: Namespaces::new(Path::new(NETNS_DIR), &config.netns_prefix),
            uplink: config.uplink.clone(),
            attached: BTreeSet::new(),
            switches,
            inner: None,
            probes: BTreeMap::new(),
            modules: modules::Modules::start().map_err(failed("start a thread"))?,
            rows: None,
        })
    }

    /// Listens to the router's links. Before anything is read, so that nothing is missed.
    /// `pace`: how often other routers are asked whether they live, and when they are dead.
    pub(crate) fn subscribe(&mut self, pace: bfd::Settings) -> io::Result<Subscription> {
        let table = self.dataplane.bundled_ports().map_err(io::Error::other)?;
        Subscription::open(pace, table)
    }

    /// Where BFD sessions are written down for the packet programs.
    pub(crate) fn stand_ins(&mut self) -> Result<StandIns, OpenError> {
        self.dataplane.stand_ins()
    }

    /// Works inside an interface's own namespace, and comes back.
    fn inside<T>(&self, id: InterfaceId, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let namespace = Netns::open(&self.names.path(id))?;
        namespace.enter()?;
        let done = work();
        if let Err(e) = self.router.enter() {
            // Whatever came next would be done in a customer's namespace.
            unreachable!("the router's namespace, which is open, cannot be entered: {e}");
        }
        done
    }

    /// Asks or changes what netlink alone can, inside an interface's own namespace.
    fn inner(&mut self, id: InterfaceId) -> io::Result<&mut Netlink> {
        let netlink = match self.inner.take() {
            Some((of, netlink)) if of == id => netlink,
            _ => self.inside(id, Netlink::open)?,
        };
        Ok(&mut self.inner.insert((id, netlink)).1)
    }
}

#[cfg(test)]
mod tests;
