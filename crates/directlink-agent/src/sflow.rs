//! sFlow: what passed on each interface, told from time to time to collectors.
//!
//! The counters are those of the report to the server. They are told as they were last read; nobody
//! waits for a collector, and what one does not hear it hears the next time, for counters only rise.

mod datagram;

use crate::{
    clock,
    config::SflowConfig,
    kernel::Facts,
    wanted::{Interface, Wanted},
};
use datagram::{Agent, Counter, SAMPLES_MAX, Sample};
use directlink_dataplane::Rate;
use directlink_model::{
    figures::Tally,
    ids::{InterfaceId, PortName},
};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    net::{UdpSocket, lookup_host},
    sync::mpsc,
    task::JoinHandle,
};

/// Tells the collectors, until it is dropped.
#[derive(Debug)]
pub(crate) struct Collectors {
    period: Duration,
    began: Instant,
    due: Instant,
    /// So often they were told.
    rounds: u32,
    datagrams: u32,
    tasks: Vec<(mpsc::Sender<Round>, JoinHandle<()>)>,
}

/// All that is told at once, in datagrams.
type Round = Vec<Vec<u8>>;

impl Collectors {
    pub(crate) fn start(config: &SflowConfig) -> Self {
        let task = |address: &String| {
            let (sender, inbox) = mpsc::channel(ROUNDS_WAITING);
            (sender, tokio::spawn(send(address.clone(), inbox)))
        };
        let now = clock::instant();
        Self {
            period: config.period,
            began: now,
            due: now,
            rounds: 0,
            datagrams: 0,
            tasks: config.collectors.iter().map(task).collect(),
        }
    }

    /// Facts were read: tells them, if it is time.
    pub(crate) fn tell(
        &mut self,
        agent: Option<Ipv4Addr>,
        (wanted, facts): (&Wanted, &Facts),
        lights: &BTreeMap<PortName, bool>,
    ) {
        let now = clock::instant();
        let Some(address) = agent.filter(|_| !self.tasks.is_empty() && now >= self.due) else {
            return;
        };
        self.due = now + self.period;
        self.rounds = self.rounds.wrapping_add(1);
        let uptime = now.saturating_duration_since(self.began).as_millis();
        // As the field has it: it goes round after fifty days.
        let uptime_millis = (uptime & u128::from(u32::MAX)) as u32;
        let agent = Agent { address: IpAddr::V4(address), uptime_millis };
        let samples = samples((wanted, facts), lights);
        let mut round = Round::new();
        for some in samples.chunks(SAMPLES_MAX) {
            self.datagrams = self.datagrams.wrapping_add(1);
            round.push(datagram::datagram(agent, self.datagrams, self.rounds, some));
        }
        for (collector, _) in &self.tasks {
            // One that is not found yet misses this round.
            drop(collector.try_send(round.clone()));
        }
    }
}

impl Drop for Collectors {
    fn drop(&mut self) {
        for (_, task) in &self.tasks {
            task.abort();
        }
    }
}

fn samples((wanted, facts): (&Wanted, &Facts), lights: &BTreeMap<PortName, bool>) -> Vec<Sample> {
    let sample = |(id, interface): (&InterfaceId, &Interface)| {
        let traffic = facts.traffic.get(id)?;
        let verdicts = facts.verdicts.get(id).into_iter().flatten();
        Some(Sample {
            index: id.bits(),
            name: id.to_string(),
            vlan: interface.vlan.into(),
            bits_per_second: speed(wanted, interface),
            is_up: lights.get(&interface.port).copied().unwrap_or_default(),
            received: counter(traffic.from_customer),
            sent: counter(traffic.to_customer),
            discarded_packets: verdicts
                .filter(|(verdict, _)| !verdict.went_on())
                .map(|(_, packets)| packets)
                .sum(),
        })
    };
    wanted.interfaces.iter().filter_map(sample).collect()
}

/// Its share, or all that its port has.
fn speed(wanted: &Wanted, interface: &Interface) -> u64 {
    let rate = interface.rate.or_else(|| wanted.rates.get(&interface.port).copied());
    rate.map_or(0, Rate::bits_per_second)
}

const fn counter(Tally { packets, bytes }: Tally) -> Counter {
    Counter { packets, bytes }
}

/// A name may lead elsewhere the next time.
async fn send(collector: String, mut inbox: mpsc::Receiver<Round>) {
    while let Some(round) = inbox.recv().await {
        if let Err(error) = send_round(&collector, &round).await {
            tracing::debug!(collector, %error, "the sFlow collector is not told");
        }
    }
}

async fn send_round(collector: &str, round: &[Vec<u8>]) -> io::Result<()> {
    let address = lookup_host(collector).await?.next();
    let address = address.ok_or_else(|| io::Error::other("it has no address"))?;
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    for datagram in round {
        socket.send_to(datagram, address).await?;
    }
    Ok(())
}

/// Nothing is gained by a collector that hears what was long ago.
const ROUNDS_WAITING: usize = 1;
