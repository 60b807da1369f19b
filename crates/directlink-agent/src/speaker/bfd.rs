//! BFD beside BGP (RFC 5882): the shell around `directlink_bgp::bfd`, on a thread of its own, so
//! that a path is not taken for dead because a table of routes is long.
//!
//! ```text
//!   task of a peer ── watch ──► ┌ thread "bfd" ────────────────────────────────┐
//!        ▲                      │ task: Session ◄─► UDP 3784, TTL 255, in netns │
//!        └── View (the latest) ─┴───────────────────────────────────────────────┘
//! ```
//!
//! Whether a path has BFD is the customer's choice: we are silent until it speaks (RFC 5880 §6.1).
//! A session that fails is told to its BGP peer as a number that grew, so that a customer who
//! flaps costs no memory.
//!
//! A session that the forwarding can keep Up is written down for it with each packet
//! ([`keeper`]); such a one just stops when this process does, and goes on with the next (C bit
//! set). Any other is part of the control plane and dies with it: who ends on purpose says AdminDown
//! first, or customers would take the restart for a dead path (RFC 5882 §4.3).

mod keeper;
mod socket;

use super::{Netns, netns::Doorway};
use crate::clock;
use directlink_bgp::bfd::{Input, Output, Role, Session, Settings, Status};
use directlink_dataplane::{InterfaceNumber, StandIns};
use futures::{StreamExt as _, channel::mpsc};
use keeper::Keeper;
use socket::Sockets;
use std::{
    io,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// Where a session's packets go to and fro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) netns: Netns,
    pub(super) local: IpAddr,
    pub(super) peer: IpAddr,
    /// The interface, where the forwarding may speak for us.
    pub(super) forwarding: Option<InterfaceNumber>,
}

/// What a BGP peer knows of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) status: Status,
    /// How often it was Up and then failed.
    pub(super) failures: u64,
}

/// A session. It ends in order when this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    wishes: mpsc::UnboundedSender<Wish>,
    pub(super) view: watch::Receiver<View>,
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    Settings(Settings),
    Enabled(bool),
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Bfd {
    runtime: Handle,
    doorway: Doorway,
    epoch: Instant,
    next_discriminator: AtomicU32,
    stand_ins: Option<Arc<Mutex<StandIns>>>,
    /// True: say goodbye and end.
    leave: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Bfd {
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(
        doorway: Doorway,
        epoch: Instant,
        stand_ins: Option<StandIns>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let leave = watch::Sender::new(false);
        let mut leaving = leave.subscribe();
        let until_left = async move {
            // An error: nobody is left who could want it to go on.
            drop(leaving.wait_for(|leave| *leave).await);
            tokio::time::sleep(GOODBYE_PERIOD * (GOODBYES + 1)).await;
        };
        let thread = thread::Builder::new()
            .name("bfd".into())
            .spawn(move || runtime.block_on(until_left))?;
        Ok(Self {
            runtime: handle,
            doorway,
            epoch,
            next_discriminator: AtomicU32::new(rand::random()),
            stand_ins: stand_ins.map(|table| Arc::new(Mutex::new(table))),
            leave,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn watch(&self, place: Place, settings: Settings) -> Watched {
        let keeper =
            self.stand_ins.as_ref().and_then(|table| Keeper::new(Arc::clone(table), &place));
        let mut sockets = Sockets::new(place, self.doorway.clone());
        let session = self.session(settings, keeper.as_ref(), &mut sockets);
        let (view, seen) = watch::channel(View { status: session.status(), failures: 0 });
        let (wishes, inbox) = mpsc::unbounded();
        let mut runner = Runner {
            session,
            sockets,
            keeper,
            epoch: self.epoch,
            view,
            inbox,
            leave: self.leave.subscribe(),
        };
        // This way the task holds the runner once.
        self.runtime.spawn(async move { runner.run().await });
        Watched { wishes, view: seen }
    }

    /// The one that the forwarding kept, or a new one.
    fn session(
        &self,
        settings: Settings,
        keeper: Option<&Keeper>,
        sockets: &mut Sockets,
    ) -> Session {
        let now = clock::instant().saturating_duration_since(self.epoch);
        let mut session = match keeper.and_then(|keeper| keeper.kept(now)) {
            Some((kept, source_port)) => {
                tracing::info!(heard = ?now.saturating_sub(kept.heard_at),
                    "a BFD session that the forwarding kept goes on");
                sockets.prefer(source_port);
                Session::resume(&kept, Role::Passive, settings)
            }
            None => Session::new(self.discriminator(), Role::Passive, settings),
        };
        if keeper.is_some() {
            session.make_independent();
        }
        session
    }

    /// Every customer whose session nobody keeps is told that this was on purpose; the thread is gone when this returns.
    pub(super) fn leave(&self) {
        self.leave.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the BFD thread had panicked");
        }
    }

    /// Another for each session of this process, and most likely than those before it.
    fn discriminator(&self) -> NonZeroU32 {
        let next = || self.next_discriminator.fetch_add(1, Ordering::Relaxed);
        NonZeroU32::new(next()).or_else(|| NonZeroU32::new(next())).unwrap_or(NonZeroU32::MIN)
    }
}

impl Watched {
    /// For a while there is nothing to watch, or again.
    pub(super) fn enable(&self, enabled: bool) {
        self.wish(Wish::Enabled(enabled));
    }

    pub(super) fn configure(&self, settings: Settings) {
        self.wish(Wish::Settings(settings));
    }

    /// A session that has ended is one whose thread leaves.
    fn wish(&self, wish: Wish) {
        self.wishes.unbounded_send(wish).ok();
    }
}

struct Runner {
    session: Session,
    sockets: Sockets,
    keeper: Option<Keeper>,
    epoch: Instant,
    view: watch::Sender<View>,
    inbox: mpsc::UnboundedReceiver<Wish>,
    leave: watch::Receiver<bool>,
}

impl Runner {
    async fn run(&mut self) {
        let mut buffer = [0; socket::PAYLOAD_MAX];
        let is_over = loop {
            let deadline = self.session.next_deadline().map(|at| self.epoch + at);
            tokio::select! {
                wish = self.inbox.next() => match wish {
                    Some(Wish::Enabled(true)) => self.handle(Input::Enable).await,
                    Some(Wish::Enabled(false)) => self.handle(Input::Disable).await,
                    Some(Wish::Settings(settings)) => self.handle(Input::Configure(settings)).await,
                    None => break true,
                },
                _ = self.leave.changed() => break false,
                length = self.sockets.receive(&mut buffer) => {
                    self.handle(Input::Received(&buffer[..length])).await;
                }
                () = sleep_until(deadline) => {
                    // Whoever was late may have been spoken for.
                    let heard = self.keeper.as_ref().and_then(|keeper| keeper.heard(self.now()));
                    self.handle(heard.map_or(Input::Tick, Input::HeardElsewhere)).await;
                }
            }
        };
        if is_over || self.session.kept().is_none() {
            self.say_goodbye().await;
        }
    }

    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.epoch)
    }

    async fn handle(&mut self, input: Input<'_>) {
        let now = self.now();
        let outputs = self.session.handle(now, input, rand::random());
        let (mut failures, mut has_sent) = (0, false);
        for output in outputs {
            match output {
                Output::Send(packet) => {
                    self.sockets.send(&packet).await;
                    has_sent = true;
                }
                Output::Failed(_) => failures += 1,
                Output::Up | Output::Ended => {}
            }
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(self.session.kept(), has_sent, self.sockets.source_port(), now);
        }
        let status = self.session.status();
        self.view.send_if_modified(|view| {
            let is_news = failures > 0 || !same_to_people(&view.status, &status);
            *view = View { status, failures: view.failures + failures };
            is_news
        });
    }

    /// Some packets, lest one be lost; who waits for the rest of a detection time waits in vain.
    async fn say_goodbye(&mut self) {
        self.handle(Input::Disable).await;
        for _ in 1..GOODBYES {
            tokio::time::sleep(GOODBYE_PERIOD).await;
            if let Some(packet) = self.session.repeat() {
                self.sockets.send(&packet).await;
            }
        }
    }
}

/// All but the counters.
fn same_to_people(a: &Status, b: &Status) -> bool {
    Status { discarded: 0, last_discard: None, ..*a }
        == Status { discarded: 0, last_discard: None, ..*b }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

const GOODBYES: u32 = 3;
const GOODBYE_PERIOD: Duration = Duration::from_millis(10);
