//! Ping and traceroute from the router's place on the VLAN.

use super::{Known, Said, Task, failed, icmp::Road};
use crate::{clock, kernel::VlanSocket};
use directlink_model::glass::{
    Answer, ECHO_WAIT, Echo, Hop, OutOfBounds, PING_BYTES, PING_INTERVAL, Ping, Pinged, Refused,
    Reply, Trace, Traced,
};
use directlink_net::Mac;
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

/// The usual first TTL.
const TTL: u8 = 64;
/// Echoes of one TTL.
const PROBES: u16 = 2;
/// Between two of them: routers answer so many errors a second and no more.
const TRACE_INTERVAL: Duration = Duration::from_millis(5);
/// Of the packets of a trace.
const TRACE_BYTES: u32 = 84;

impl Task {
    pub(super) async fn ping(self, ping: Ping) -> Said {
        let mtu = u32::from(self.subject.mtu.as_u16());
        if ping.bytes > mtu {
            let bound = PING_BYTES.start();
            return Err(OutOfBounds {
                what: "bytes".into(),
                given: ping.bytes,
                least: *bound,
                most: mtu,
            }
            .into());
        }
        let (road, socket) = self.road(ping.target).await?;
        let at = clock::now();
        let count = u16::try_from(ping.count).unwrap_or(u16::MAX);
        let sent: Vec<_> = (0..count)
            .map(|n| Sent {
                sequence: n,
                ttl: TTL,
                bytes: ping.bytes,
                after: PING_INTERVAL * n.into(),
            })
            .collect();
        let is_over = move |heard: &BTreeMap<u16, Echo>| heard.len() == usize::from(count);
        let echoes = exchange(road, socket, sent, ECHO_WAIT, is_over).await?;
        let Road { source, target, .. } = road;
        let pinged = Pinged { at, source, target, bytes: ping.bytes, echoes };
        Ok((Answer::Pinged(pinged), Vec::new()))
    }

    pub(super) async fn trace(self, trace: Trace) -> Said {
        let (road, socket) = self.road(trace.target).await?;
        let at = clock::now();
        let hops = u16::try_from(trace.hops).unwrap_or(u16::MAX);
        let sent: Vec<_> = (0..hops * PROBES)
            .map(|n| Sent {
                sequence: n,
                ttl: u8::try_from(n / PROBES + 1).unwrap_or(u8::MAX),
                bytes: TRACE_BYTES,
                after: TRACE_INTERVAL * n.into(),
            })
            .collect();
        let is_over = |heard: &BTreeMap<u16, Echo>| {
            let last = heard.values().find(|echo| is_end(echo)).map(|echo| echo.sequence / PROBES);
            last.is_some_and(|last| (0..(last + 1) * PROBES).all(|n| heard.contains_key(&n)))
        };
        let echoes = exchange(road, socket, sent, ECHO_WAIT, is_over).await?;
        let Road { source, target, .. } = road;
        let traced = Traced { at, source, target, hops: hops_of(&echoes) };
        Ok((Answer::Traced(traced), Vec::new()))
    }

    /// The road to a target that the interface may reach, and a socket on its VLAN.
    async fn road(mut self, target: Option<IpAddr>) -> Result<(Road, VlanSocket), Refused> {
        let first = self.subject.peers.first().ok_or(Refused::NotHere)?;
        let target = target.unwrap_or(first.peer.customer);
        let via = self.via(target).await.ok_or(Refused::Outside(target))?;
        let Known { peer, way, .. } = &self.subject.peers[via];
        let is_on_link = peer.router.contains(&target);
        let next = if is_on_link { target } else { peer.customer };
        let (source, way) = (peer.router.addr(), *way);
        let known = (next == peer.customer).then_some(way);
        let id = self.subject.id;
        let asked = self.kernel.run(move |kernel| {
            let mac = known.map(|way| kernel.neighbour_mac(way)).transpose()?.flatten();
            Ok::<_, io::Error>((mac, kernel.vlan_socket(id, next)?, kernel.vlan_arp_socket(id)?))
        });
        let (mac, socket, arp) = asked.await.map_err(failed)?.map_err(failed)?;
        let own_mac = self.subject.mac;
        let next_mac = match mac {
            Some(mac) => mac,
            None => resolve(arp, own_mac, source, next).await?,
        };
        Ok((Road { source, target, own_mac, next_mac, id: rand::random() }, socket))
    }

    /// The peer by which the target is reached: on its link, or behind it by the longest prefix.
    async fn via(&mut self, target: IpAddr) -> Option<usize> {
        let peers = &mut self.subject.peers;
        let mut best = None;
        for (n, known) in peers.iter_mut().enumerate() {
            let router = known.peer.router;
            if router.contains(&target) && router.addr() != target {
                return Some(n);
            }
            let routes = known.routes().await;
            let accepted = routes.learned.iter().filter(|route| route.refused.is_none());
            let covering = accepted.filter(|route| route.prefix.contains(&target));
            let length = covering.map(|route| route.prefix.prefix_len()).max();
            best = best.max(length.map(|length| (length, std::cmp::Reverse(n))));
        }
        best.map(|(_, std::cmp::Reverse(n))| n)
    }
}

/// One to be sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    sequence: u16,
    ttl: u8,
    bytes: u32,
    /// The first.
    after: Duration,
}

/// Sends all and hears what comes, until enough has or it is too late.
async fn exchange(
    road: Road,
    socket: VlanSocket,
    sent: Vec<Sent>,
    wait: Duration,
    is_over: impl Fn(&BTreeMap<u16, Echo>) -> bool + Send + 'static,
) -> Result<Vec<Echo>, Refused> {
    let talk = move || talk(&road, &socket, &sent, wait, is_over);
    tokio::task::spawn_blocking(talk).await.map_err(failed)?.map_err(failed)
}

fn talk(
    road: &Road,
    socket: &VlanSocket,
    sent: &[Sent],
    wait: Duration,
    is_over: impl Fn(&BTreeMap<u16, Echo>) -> bool,
) -> io::Result<Vec<Echo>> {
    let began = clock::instant();
    let mut times: BTreeMap<u16, Instant> = BTreeMap::new();
    let mut heard: BTreeMap<u16, Echo> = BTreeMap::new();
    let mut frame = vec![0; usize::from(u16::MAX)];
    let mut waiting = sent.iter().peekable();
    let deadline = began + sent.last().map_or(wait, |last| last.after + wait);
    loop {
        let now = clock::instant();
        while let Some(next) = waiting.next_if(|next| began + next.after <= now) {
            times.insert(next.sequence, clock::instant());
            socket.send(&road.echo(next.sequence, next.ttl, next.bytes))?;
        }
        if now >= deadline || (waiting.peek().is_none() && is_over(&heard)) {
            break;
        }
        let until = waiting.peek().map_or(deadline, |next| began + next.after);
        let Some(length) = socket.receive(&mut frame, until.saturating_duration_since(now))? else {
            continue;
        };
        let got = road.hear(frame.get(..length).unwrap_or_default());
        let Some((sequence, from, reply)) = got else { continue };
        let Some(sent_at) = times.get(&sequence) else { continue };
        let micros = clock::instant().saturating_duration_since(*sent_at).as_micros();
        let micros = u64::try_from(micros).ok();
        let echo = Echo { sequence, from: Some(from), micros, reply: Some(reply) };
        heard.entry(sequence).or_insert(echo);
    }
    let none = |sequence| Echo { sequence, from: None, micros: None, reply: None };
    let all = sent.iter().map(|it| heard.get(&it.sequence).copied());
    Ok(all.zip(sent).map(|(echo, it)| echo.unwrap_or_else(|| none(it.sequence))).collect())
}

/// The road goes no further.
fn is_end(echo: &Echo) -> bool {
    matches!(echo.reply, Some(Reply::Echo | Reply::Unreachable(_) | Reply::TooBig { .. }))
}

/// By TTL, up to where the road ends, or to the last of which anything was heard.
fn hops_of(echoes: &[Echo]) -> Vec<Hop> {
    let chunks = echoes.chunks(usize::from(PROBES)).zip(1..);
    let mut hops: Vec<_> =
        chunks.map(|(probes, ttl)| Hop { ttl, probes: probes.to_vec() }).collect();
    let end = hops.iter().position(|hop| hop.probes.iter().any(is_end));
    let last = hops.iter().rposition(|hop| hop.probes.iter().any(|echo| echo.from.is_some()));
    // One silent hop tells as much as all behind it.
    hops.truncate(end.map_or_else(|| last.map_or(1, |last| last + 2), |end| end + 1));
    hops
}

/// Asks the VLAN for a station that the tables do not know.
async fn resolve(arp: VlanSocket, own: Mac, source: IpAddr, next: IpAddr) -> Result<Mac, Refused> {
    let (IpAddr::V4(source), IpAddr::V4(wanted)) = (source, next) else {
        return Err(Refused::NoNeighbour(next));
    };
    let ask = move || -> io::Result<Option<Mac>> {
        let deadline = clock::instant() + ECHO_WAIT;
        arp.send(&crate::kernel::arp_request(own, source, wanted))?;
        let mut frame = vec![0; usize::from(u16::MAX)];
        loop {
            let left = deadline.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return Ok(None);
            }
            let Some(length) = arp.receive(&mut frame, left)? else { continue };
            let heard = crate::kernel::arp_sender(frame.get(..length).unwrap_or_default());
            if let Some((_, mac)) = heard.filter(|(address, _)| *address == wanted) {
                return Ok(Some(mac));
            }
        }
    };
    let asked = tokio::task::spawn_blocking(ask).await.map_err(failed)?.map_err(failed)?;
    asked.ok_or(Refused::NoNeighbour(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_ends_where_the_road_does_or_one_hop_behind_the_last_that_answers() {
        let echo = |n: u16, reply: Option<Reply>| Echo {
            sequence: n,
            from: reply.map(|_| IpAddr::from([10, 0, 0, 1])),
            micros: reply.map(|_| 5),
            reply,
        };
        let of = |replies: [Option<Reply>; 8]| {
            let echoes: Vec<_> = (0..).zip(replies).map(|(n, reply)| echo(n, reply)).collect();
            hops_of(&echoes).iter().map(|hop| hop.ttl).collect::<Vec<_>>()
        };
        let (on, end) = (Some(Reply::TimeExceeded), Some(Reply::Echo));
        assert_eq!(of([on, on, None, None, end, end, end, end]), [1, 2, 3]);
        assert_eq!(of([on, None, None, None, None, None, None, None]), [1, 2]);
        assert_eq!(of([None; 8]), [1]);
        let refused = Some(Reply::Unreachable(13));
        assert_eq!(of([on, on, refused, None, refused, None, None, None]), [1, 2]);
    }
}
