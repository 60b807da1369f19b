//! Ports that a customer's router bundles: the shell around `directlink_bgp::lacp`, on a thread of its
//! own.
//!
//! ```text
//!   plan, light ──► members ──► ┌ thread "lacp" ───────────────────────────────┐
//!   told(port, Status) ◄─────── │ a task each: Port ◄─► packet socket on the port │
//!                               └──────────┬───────────────────────────────────┘
//!                                          └─► `bundled_ports`: for whom the forwarding speaks
//! ```
//!
//! Each second a task writes down what it says of itself, and that it lives. When this process dies
//! the forwarding answers with that (`ebpf/lacp.h`), and the next one goes on. So the
//! rows of ports that stay are left, and those of others go with the first order.

mod members;
mod socket;
mod speaker;

use directlink_bgp::lacp::{Information, Role, Status};
use directlink_dataplane::{BundledPorts, TableError};
use directlink_model::ids::PortName;
use futures::{StreamExt as _, channel::mpsc};
pub(crate) use members::{InUse, Sight, follow, in_use, is_overtaken, members};
use nix::net::if_::if_nametoindex;
use speaker::Speaker;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, spawn},
};

/// A port of a bundle, as it shall speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is; its states are the protocol's.
    pub actor: Information,
    pub role: Role,
    pub light: bool,
    /// All of the bundle: what one of them has, those in use carry.
    pub ports: BTreeSet<PortName>,
}

type Members = BTreeMap<PortName, Member>;

/// The thread, which ends with this.
#[derive(Debug)]
pub struct Bundles {
    orders: mpsc::UnboundedSender<Members>,
}

impl Bundles {
    /// In the calling thread's namespace, which the new thread inherits. `told`: what is seen of a port,
    /// each time that it is something else.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        table: BundledPorts,
        told: impl Fn(&PortName, Status) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (orders, inbox) = mpsc::unbounded();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let table = Arc::new(Mutex::new(table));
        let speakers = Speakers { table, told: Arc::new(told), tasks: BTreeMap::new() };
        thread::Builder::new()
            .name("lacp".into())
            .spawn(move || runtime.block_on(speakers.obey(inbox)))?;
        Ok(Self { orders })
    }

    /// Which ports speak from now on.
    pub fn set(&self, members: Members) {
        // An error: the thread has gone, and has said why.
        self.orders.unbounded_send(members).ok();
    }
}

type Table = Arc<Mutex<BundledPorts>>;
type Told = Arc<dyn Fn(&PortName, Status) + Send + Sync>;

struct Speakers {
    table: Table,
    told: Told,
    tasks: BTreeMap<PortName, Task>,
}

struct Task {
    actor: Information,
    wishes: mpsc::UnboundedSender<Member>,
    handle: JoinHandle<()>,
}

impl Speakers {
    async fn obey(mut self, mut inbox: mpsc::UnboundedReceiver<Members>) {
        while let Some(members) = inbox.next().await {
            let is_same = |port: &PortName, task: &Task| {
                members.get(port).is_some_and(|member| member.actor == task.actor)
            };
            for (port, task) in self.tasks.extract_if(.., |port, task| !is_same(port, task)) {
                task.handle.abort();
                tracing::info!(%port, "speaks LACP no more");
            }
            for (port, member) in &members {
                let task = self.tasks.entry(port.clone()).or_insert_with(|| {
                    tracing::info!(%port, "speaks LACP");
                    start(port, member.clone(), &self.table, &self.told)
                });
                task.wishes.unbounded_send(member.clone()).ok();
            }
            if let Err(error) = remove_others(&self.table, &members) {
                tracing::warn!(%error, "ports that are in no bundle may be spoken for");
            }
        }
    }
}

/// Also what an earlier process left.
fn remove_others(table: &Table, members: &Members) -> Result<(), TableError> {
    let index = |port: &PortName| if_nametoindex(port.as_str()).ok();
    let ours: BTreeSet<u32> = members.keys().filter_map(index).collect();
    let mut table = lock(table);
    let others: Vec<u32> =
        table.list()?.into_keys().filter(|ifindex| !ours.contains(ifindex)).collect();
    others.into_iter().try_for_each(|ifindex| table.remove(ifindex))
}

fn start(port: &PortName, member: Member, table: &Table, told: &Told) -> Task {
    let (wishes, inbox) = mpsc::unbounded();
    let actor = member.actor;
    let speaker = Speaker::new(port.clone(), member, (Arc::clone(table), Arc::clone(told)));
    // This way the task holds the speaker once.
    Task { actor, wishes, handle: spawn(async move { speaker.run(inbox).await }) }
}

fn lock(table: &Table) -> MutexGuard<'_, BundledPorts> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
