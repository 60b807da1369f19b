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
//! This is part of the control plane and dies with it (C bit clear): who ends on purpose says
//! AdminDown first, or customers would take the restart for a dead path (RFC 5882 §4.3).

mod socket;

use super::{Netns, netns::Doorway};
use crate::clock;
use directlink_bgp::bfd::{Input, Output, Role, Session, Settings, Status};
use socket::Sockets;
use std::{
    io,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, watch},
};

/// Where a session's packets go to and fro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) netns: Netns,
    pub(super) local: IpAddr,
    pub(super) peer: IpAddr,
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
    /// True: say goodbye and end.
    leave: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Bfd {
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(doorway: Doorway, epoch: Instant) -> io::Result<Self> {
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
            leave,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn watch(&self, place: Place, settings: Settings) -> Watched {
        let session = Session::new(self.discriminator(), Role::Passive, settings);
        let (view, seen) = watch::channel(View { status: session.status(), failures: 0 });
        let (wishes, inbox) = mpsc::unbounded_channel();
        let runner = Runner {
            session,
            sockets: Sockets::new(place, self.doorway.clone()),
            epoch: self.epoch,
            view,
            inbox,
            leave: self.leave.subscribe(),
        };
        self.runtime.spawn(runner.run());
        Watched { wishes, view: seen }
    }

    /// Every customer is told that this was on purpose; the thread is gone when this returns.
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
        self.wishes.send(wish).ok();
    }
}

struct Runner {
    session: Session,
    sockets: Sockets,
    epoch: Instant,
    view: watch::Sender<View>,
    inbox: mpsc::UnboundedReceiver<Wish>,
    leave: watch::Receiver<bool>,
}

impl Runner {
    async fn run(mut self) {
        let mut buffer = [0; socket::PAYLOAD_MAX];
        loop {
            let deadline = self.session.next_deadline().map(|at| self.epoch + at);
            tokio::select! {
                wish = self.inbox.recv() => match wish {
                    Some(Wish::Enabled(true)) => self.handle(Input::Enable).await,
                    Some(Wish::Enabled(false)) => self.handle(Input::Disable).await,
                    Some(Wish::Settings(settings)) => self.handle(Input::Configure(settings)).await,
                    None => break,
                },
                _ = self.leave.changed() => break,
                length = self.sockets.receive(&mut buffer) => {
                    self.handle(Input::Received(&buffer[..length])).await;
                }
                () = sleep_until(deadline) => self.handle(Input::Tick).await,
            }
        }
        self.say_goodbye().await;
    }

    async fn handle(&mut self, input: Input<'_>) {
        let now = clock::instant().saturating_duration_since(self.epoch);
        let outputs = self.session.handle(now, input, rand::random());
        let mut failures = 0;
        for output in outputs {
            match output {
                Output::Send(packet) => self.sockets.send(&packet).await,
                Output::Failed(_) => failures += 1,
                Output::Up | Output::Ended => {}
            }
        }
        let status = self.session.status();
        self.view.send_if_modified(|view| {
            let is_news = failures > 0 || !same_to_people(&view.status, &status);
            *view = View { status, failures: view.failures + failures };
            is_news
        });
    }

    /// Some packets, lest one be lost; who waits for the rest of a detection time waits in vain.
    async fn say_goodbye(mut self) {
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
