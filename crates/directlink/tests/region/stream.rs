//! Numbered packets, both ways of one established UDP flow, while something happens.
//!
//! ```text
//!   end ── 1, 2, 3 … ──► other end        each notes which came, and when
//!       ◄── 1, 2, 3 … ──
//! ```
//!
//! A ping that is lost does not say in which direction, and one that is late says nothing of what
//! was in between. These count what each side did not hear.

use anyhow::{Context as _, Result, anyhow, ensure};
use directlink_lab::{clock::Stopwatch, netns};
use nix::sys::socket::{setsockopt, sockopt};
use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Where a side of the flow lives.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) netns: String,
    pub(crate) address: IpAddr,
}

/// What became of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) sent: u32,
    /// When each came, by number.
    pub(crate) at: Vec<Option<Duration>>,
}

/// Both directions, under way.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<Result<()>>>,
    receivers: Vec<JoinHandle<Result<Vec<Option<Duration>>>>>,
}

struct Shared {
    watch: Stopwatch,
    each: Duration,
    /// The first end was heard: from now on the flow is an established one, and the other answers.
    established: AtomicBool,
    enough: AtomicBool,
    /// By direction.
    sent: [AtomicU32; 2],
    /// Of the first direction.
    heard: AtomicU32,
    silent: AtomicBool,
}

const PORT: u16 = 7007;
const PACKETS_MAX: u32 = 1 << 20;
/// The kernel's usual room is a quarter of a second; a test that is not scheduled loses nothing.
const ROOM_BYTES: usize = 16 << 20;
/// After a sender was not scheduled it makes up for no more than this at once: a burst would be
/// lost in a queue, and not on the road.
const BURST: u32 = 16;
const LAST_WORDS: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_millis(20);

impl Stream {
    /// Sends a packet every `each`, until [`Stream::finish`]: the first end, and once that was
    /// heard, the second as well.
    pub(crate) fn start(ends: [&End; 2], each: Duration) -> Result<Self> {
        let shared = Arc::new(Shared {
            watch: Stopwatch::start(),
            each,
            established: AtomicBool::new(false),
            enough: AtomicBool::new(false),
            sent: [AtomicU32::new(0), AtomicU32::new(0)],
            heard: AtomicU32::new(0),
            silent: AtomicBool::new(false),
        });
        let sockets = [open(ends[0], ends[1])?, open(ends[1], ends[0])?];
        let mut stream = Self { shared, senders: vec![], receivers: vec![] };
        for (direction, socket) in sockets.iter().enumerate() {
            let (from, to) = (socket.try_clone()?, sockets[1 - direction].try_clone()?);
            let shared = Arc::clone(&stream.shared);
            stream.senders.push(thread::spawn(move || shared.send(direction, &from)));
            let shared = Arc::clone(&stream.shared);
            stream.receivers.push(thread::spawn(move || shared.receive(direction, &to)));
        }
        Ok(stream)
    }

    /// How many packets have been sent in the direction that is behind.
    pub(crate) fn sent(&self) -> u32 {
        let sent = self.shared.sent.iter().map(|sent| sent.load(Ordering::Relaxed));
        sent.min().unwrap_or_default()
    }

    /// How many packets of the first end have come.
    pub(crate) fn heard(&self) -> u32 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.shared.watch.elapsed()
    }

    /// Once at least `packets` went each way; what each side heard, of who began first.
    pub(crate) fn finish(self, packets: u32) -> Result<[Heard; 2]> {
        while self.sent() < packets {
            ensure!(!self.senders.iter().any(JoinHandle::is_finished), "a sender has given up");
            pause(LOOK);
        }
        self.shared.enough.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        pause(LAST_WORDS);
        self.shared.silent.store(true, Ordering::Relaxed);
        let mut heard = self
            .receivers
            .into_iter()
            .map(|receiver| receiver.join().map_err(|_| anyhow!("a receiver panicked"))?);
        let [first, second] =
            [heard.next().context("a direction")??, heard.next().context("the other")??];
        let [there, back] = &self.shared.sent;
        let of = |sent: &AtomicU32, at| Heard { sent: sent.load(Ordering::Relaxed), at };
        Ok([of(there, first), of(back, second)])
    }
}

impl Heard {
    pub(crate) fn lost(&self) -> u32 {
        let came = self.at.iter().filter(|at| at.is_some()).count();
        self.sent - u32::try_from(came).unwrap_or(u32::MAX).min(self.sent)
    }

    /// From the last packet before the longest silence to the first one after it.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut times: Vec<_> = self.at.iter().flatten().collect();
        times.sort_unstable();
        let gaps = times.windows(2).map(|two| *two[1] - *two[0]);
        gaps.max().unwrap_or(Duration::MAX)
    }
}

impl Shared {
    fn send(&self, direction: usize, socket: &UdpSocket) -> Result<()> {
        while direction == 1 && !self.established.load(Ordering::Relaxed) {
            pause(self.each);
        }
        let mut due = self.watch.elapsed();
        for number in 0..PACKETS_MAX {
            if self.enough.load(Ordering::Relaxed) {
                return Ok(());
            }
            // An error is what a router said of an earlier one; that is lost, this one is not.
            while socket.send(&number.to_be_bytes()).is_err() {}
            self.sent[direction].store(number + 1, Ordering::Relaxed);
            due = (due + self.each).max(self.watch.elapsed().saturating_sub(self.each * BURST));
            pause(due.saturating_sub(self.watch.elapsed()));
        }
        Err(anyhow!("nobody said that it was enough"))
    }

    fn receive(&self, direction: usize, socket: &UdpSocket) -> Result<Vec<Option<Duration>>> {
        let mut at = vec![];
        let mut buffer = [0; 4];
        while !self.silent.load(Ordering::Relaxed) {
            let Ok(4) = socket.recv(&mut buffer) else { continue };
            let number = u32::from_be_bytes(buffer).min(PACKETS_MAX) as usize;
            if at.len() <= number {
                at.resize(number + 1, None);
            }
            at[number] = Some(self.watch.elapsed());
            if direction == 0 {
                self.heard.fetch_add(1, Ordering::Relaxed);
            }
            // Either direction: who hears the second has had the first heard.
            self.established.store(true, Ordering::Relaxed);
        }
        Ok(at)
    }
}

fn open(from: &End, to: &End) -> Result<UdpSocket> {
    netns::within(&from.netns, || {
        let socket = UdpSocket::bind((from.address, PORT))?;
        socket.connect((to.address, PORT))?;
        socket.set_read_timeout(Some(LOOK))?;
        setsockopt(&socket, sockopt::RcvBufForce, &ROOM_BYTES)?;
        Ok(socket)
    })
}

#[allow(clippy::disallowed_methods)] // the pace of packets
fn pause(period: Duration) {
    thread::sleep(period);
}
