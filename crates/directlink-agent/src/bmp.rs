//! Monitoring stations: to each of them a connection on which BMP (RFC 7854) is spoken.
//!
//! ```text
//!   dial ──► Initiation ──► a Peer Up and the tables of each session ──► what happens, statistics
//!    ▲                                                                      │
//!    └── wait, longer each time ◄── closed, broken, or too slow ◄───────────┘
//! ```
//!
//! A station that is slow or away costs BGP nothing: its feed is bounded, and where it is full the
//! connection is closed and all is told again on the next.

use crate::{
    backoff::Backoff,
    clock,
    config::BmpConfig,
    speaker::{Event, Feed, Monitor, PeerUp, What, moment},
};
use directlink_bgp::bmp::{self, Moment, Statistics, Termination, View};
use directlink_model::ids::RouterName;
use directlink_net::IpNet;
use socket2::{SockRef, TcpKeepalive};
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};

/// Tells the stations, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stations(Vec<JoinHandle<()>>);

impl Stations {
    pub(crate) fn start(config: &BmpConfig, router: &RouterName, monitor: &Arc<Monitor>) -> Self {
        let station = |address: &String| {
            let station = Station {
                address: address.clone(),
                router: router.clone(),
                statistics_period: config.statistics_period,
                monitor: monitor.clone(),
            };
            tokio::spawn(station.run())
        };
        Self(config.stations.iter().map(station).collect())
    }
}

impl Drop for Stations {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

struct Station {
    /// `HOST:PORT`, looked up each time.
    address: String,
    router: RouterName,
    statistics_period: Duration,
    monitor: Arc<Monitor>,
}

/// Why a connection is over.
#[derive(Debug, Error)]
enum Over {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no answer")]
    NoAnswer,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the station closed the connection")]
    Closed,
    #[error("the station takes what it is told more slowly than it happens")]
    Slow,
}

impl Station {
    async fn run(self) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let began = clock::instant();
            let Err(over) = self.attach().await;
            backoff.ended_after(clock::instant().saturating_duration_since(began));
            let wait = backoff.next(rand::random());
            tracing::info!(station = self.address, %over, wait_ms = wait.as_millis(),
                "not attached to the BMP station");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attach(&self) -> Result<std::convert::Infallible, Over> {
        let dial = timeout(DIAL_TIME, TcpStream::connect(&self.address)).await;
        let stream = dial.map_err(|_| Over::NoAnswer)?.map_err(Over::Connect)?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE))?;
        socket.set_tcp_user_timeout(Some(3 * SILENCE))?;
        let (reader, writer) = stream.into_split();
        let (up, feed) = self.monitor.subscribe();
        tracing::info!(station = self.address, peers = up.len(), "attached to the BMP station");
        let line = Line { reader, writer, feed, is_amid: false };
        let mut attached = Attached { line, up: BTreeMap::new() };
        let version = env!("CARGO_PKG_VERSION");
        let description = format!("DirectLink router agent {version}");
        attached.line.send(&bmp::initiation(self.router.as_str(), &description)).await?;
        for peer in up {
            attached.come(peer).await?;
        }
        let mut next_statistics = clock::instant() + self.statistics_period;
        loop {
            tokio::select! {
                event = attached.line.feed.next() => {
                    attached.event(event.ok_or(Over::Slow)?).await?;
                }
                () = tokio::time::sleep_until(next_statistics.into()) => {
                    attached.statistics().await?;
                    next_statistics = later(next_statistics, self.statistics_period);
                }
                over = ended(&attached.line.reader) => return Err(over),
            }
        }
    }
}

/// What a station has been told.
struct Attached {
    line: Line,
    /// By number.
    up: BTreeMap<u64, PeerUp>,
}

impl Attached {
    async fn event(&mut self, Event { number, at, what }: Event) -> Result<(), Over> {
        if let What::Up(peer) = what {
            // One that is known came up between the list and the feed.
            return match self.up.contains_key(&number) {
                true => Ok(()),
                false => self.come(*peer).await,
            };
        }
        let Some(up) = self.up.get_mut(&number) else { return Ok(()) };
        match what {
            What::Up(_) => Ok(()),
            What::Routes(prefixes) => self.line.tables(up, &prefixes, at, Withdrawals::Told).await,
            What::Said(told) => {
                up.told.prefixes = told.prefixes;
                let said = |update| bmp::route_monitoring(&up.peer, View::Out, at, update);
                let messages: Vec<_> = told.updates.iter().map(|update| said(update)).collect();
                self.line.send(&messages.concat()).await
            }
            What::Converged if up.is_converged => Ok(()),
            What::Converged => {
                up.is_converged = true;
                self.line.ends_of_rib(up, at).await
            }
            What::Down(down) => {
                let message = bmp::peer_down(&up.peer, at, &down);
                self.up.remove(&number);
                self.line.send(&message).await
            }
        }
    }

    /// A peer that the station has not heard of, with all that is known of it.
    async fn come(&mut self, up: PeerUp) -> Result<(), Over> {
        self.line.send(&bmp::peer_up(&up.peer, up.since, up.ends, &up.opens)).await?;
        // When these came is not kept.
        let at = Moment::default();
        self.line.tables(&up, &up.offers.all_prefixes(), at, Withdrawals::Known).await?;
        let said = |update| bmp::route_monitoring(&up.peer, View::Out, at, update);
        let messages: Vec<_> = up.told.updates.iter().map(|update| said(update)).collect();
        self.line.send(&messages.concat()).await?;
        if up.is_converged {
            self.line.ends_of_rib(&up, at).await?;
        }
        self.up.insert(up.number, up);
        Ok(())
    }

    async fn statistics(&mut self) -> Result<(), Over> {
        let at = moment(clock::now());
        let report = |up: &PeerUp| {
            let (received, rejected) = up.offers.received_and_rejected();
            let adj_rib_out = up.told.prefixes;
            let counts = Statistics { rejected, adj_rib_in: received.into(), adj_rib_out };
            bmp::statistics(&up.peer, at, &counts)
        };
        let reports: Vec<_> = self.up.values().map(report).collect();
        self.line.send(&reports.concat()).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Withdrawals {
    Told,
    /// The station has no routes yet: there is nothing to withdraw.
    Known,
}

/// A connection, and what is to be told on it.
struct Line {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    feed: Feed,
    /// A message was begun and not ended.
    is_amid: bool,
}

impl Line {
    /// These prefixes as they are now, before and after the policy.
    async fn tables(
        &mut self,
        up: &PeerUp,
        prefixes: &[IpNet],
        at: Moment,
        withdrawals: Withdrawals,
    ) -> Result<(), Over> {
        for chunk in prefixes.chunks(PREFIXES_AT_ONCE) {
            let mut messages = Vec::new();
            for (view, only_accepted) in [(View::InPre, false), (View::InPost, true)] {
                let retold = up.offers.retold(chunk, only_accepted);
                let gone = Some(retold.withdrawn).filter(|_| withdrawals == Withdrawals::Told);
                for update in gone.iter().flatten().chain(&retold.announced) {
                    messages.extend(bmp::route_monitoring(&up.peer, view, at, update));
                }
            }
            self.send(&messages).await?;
        }
        Ok(())
    }

    async fn ends_of_rib(&mut self, up: &PeerUp, at: Moment) -> Result<(), Over> {
        let views = [View::InPre, View::InPost, View::Out];
        let ends = views.map(|view| bmp::end_of_rib(&up.peer, view, at));
        self.send(&ends.concat()).await
    }

    /// Whole messages; gives up when there is no use in waiting for the station.
    async fn send(&mut self, messages: &[u8]) -> Result<(), Over> {
        self.is_amid = true;
        tokio::select! {
            written = self.writer.write_all(messages) => written?,
            () = self.feed.over() => return Err(Over::Slow),
            over = ended(&self.reader) => return Err(over),
        }
        self.is_amid = false;
        Ok(())
    }
}

impl Drop for Line {
    /// Where the last message is whole, there may be one more.
    fn drop(&mut self) {
        if !self.is_amid {
            let goodbye = bmp::termination(Termination::AdministrativelyClosed);
            // A station that is gone does not hear it.
            drop(self.writer.try_write(&goodbye));
        }
    }
}

/// A station has nothing to say: whatever it sends is passed over, until it ends.
async fn ended(reader: &OwnedReadHalf) -> Over {
    let mut passed_over = [0; 512];
    loop {
        if let Err(error) = reader.readable().await {
            return Over::Broken(error);
        }
        match reader.try_read(&mut passed_over) {
            Ok(0) => return Over::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Over::Broken(error),
        }
    }
}

/// The next of a beat, but never a storm of those that were missed.
fn later(last: Instant, period: Duration) -> Instant {
    (last + period).max(clock::instant() + period / 2)
}

const DIAL_TIME: Duration = Duration::from_secs(5);
/// RFC 7854 §3.2 suggests 30 s to 720 s: a station that comes back is told sooner here, for a
/// router has few of them.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After so much of it the kernel asks whether the station still lives.
const SILENCE: Duration = Duration::from_secs(20);
/// A peer's table is held for so many at once.
const PREFIXES_AT_ONCE: usize = 1000;

#[cfg(test)]
mod tests;
