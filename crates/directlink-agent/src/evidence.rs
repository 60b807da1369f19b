//! From counters to evidence: when did each last rise, and who was heard? Pure; the one memory
//! between two looks at the kernel.

use crate::kernel::{Facts, Heard, SignatureCounts};
use directlink_bgp::lacp;
use directlink_dataplane::Verdict;
use directlink_model::{
    evidence::{
        Echoes, InterfaceEvidence, LIST_MAX, Lacp, PortEvidence, Rise, Signatures, Station, Stray,
        Transceiver,
    },
    figures::Traffic,
    ids::{InterfaceId, PortName},
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What is remembered. Nothing of an interface that is gone.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    interfaces: BTreeMap<InterfaceId, Interface>,
    /// By the port's ifindex and the tag.
    strays: BTreeMap<(u32, Option<u16>), Count>,
    broken: BTreeMap<PortName, Count>,
    transceivers: BTreeMap<PortName, Transceiver>,
    traffic: BTreeMap<PortName, Traffic>,
    lacp: BTreeMap<PortName, lacp::Status>,
    /// Counters that were there at the first look rose before it: nobody knows when.
    has_begun: bool,
}

#[derive(Debug, Default)]
struct Interface {
    verdicts: BTreeMap<Verdict, Count>,
    /// Absent, unexpected, wrong.
    signatures: [Count; 3],
    evidence: InterfaceEvidence,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    count: u64,
    rose_at: Option<Timestamp>,
}

impl Count {
    /// True if it rose, and had not before.
    fn see(&mut self, count: u64, rose_at: Option<Timestamp>) -> bool {
        let rises = count > self.count;
        let is_first = rises && self.rose_at.is_none() && rose_at.is_some();
        if rises {
            self.rose_at = rose_at.or(self.rose_at);
        }
        self.count = count;
        is_first
    }

    fn rise(self) -> Option<Rise> {
        self.rose_at.map(|last_at| Rise { count: self.count, last_at })
    }
}

impl Evidence {
    /// A look at the kernel. True if it tells something that was not known: a station, a tag, a
    /// segment that was not rightly signed.
    pub(crate) fn take(&mut self, facts: &Facts, now: Timestamp) -> bool {
        let rose_at = Some(now).filter(|_| self.has_begun);
        self.has_begun = true;
        self.interfaces.retain(|id, _| facts.verdicts.contains_key(id));
        let mut is_news = false;
        for (id, verdicts) in &facts.verdicts {
            let it = self.interfaces.entry(*id).or_default();
            for (verdict, count) in verdicts {
                it.verdicts.entry(*verdict).or_default().see(*count, rose_at);
            }
            if let Some(counts) = facts.signatures.get(id) {
                let SignatureCounts { absent, unexpected, wrong } = *counts;
                for (known, count) in it.signatures.iter_mut().zip([absent, unexpected, wrong]) {
                    is_news |= known.see(count, rose_at);
                }
            }
            if let Some(heard) = facts.heard.get(id) {
                is_news |= it.hear(heard, now);
            }
        }
        self.strays.retain(|key, _| facts.strays.contains_key(key));
        for (key, frames) in &facts.strays {
            is_news |= self.strays.entry(*key).or_default().see(*frames, rose_at);
        }
        for (port, wire) in &facts.wires {
            let broken = self.broken.entry(port.clone()).or_default();
            is_news |= broken.see(wire.receive_errors, rose_at);
            self.traffic.insert(port.clone(), wire.traffic);
        }
        is_news |= self.see(&facts.transceivers);
        is_news
    }

    /// True if another transceiver is plugged; that its light changes is not told at once.
    fn see(&mut self, transceivers: &BTreeMap<PortName, Transceiver>) -> bool {
        let what = |it: &BTreeMap<PortName, Transceiver>| -> Vec<_> {
            it.iter()
                .map(|(port, it)| (port.clone(), it.serial.clone(), it.optics.clone()))
                .collect()
        };
        let is_news = what(&self.transceivers) != what(transceivers);
        self.transceivers.clone_from(transceivers);
        is_news
    }

    /// Whether it is in use now and was not, or the other way round.
    pub(crate) fn hear_lacp(&mut self, port: &PortName, status: lacp::Status) -> bool {
        let before = self.lacp.insert(port.clone(), status);
        before.is_some_and(|before| before.is_in_use) != status.is_in_use
    }

    /// Of each port that speaks it.
    pub(crate) const fn lacp(&self) -> &BTreeMap<PortName, lacp::Status> {
        &self.lacp
    }

    /// Ports that are in no bundle any more have none.
    pub(crate) fn retain_lacp(&mut self, is_bundled: impl Fn(&PortName) -> bool) {
        self.lacp.retain(|port, _| is_bundled(port));
    }

    pub(crate) fn of_interface(&self, id: InterfaceId) -> InterfaceEvidence {
        let Some(it) = self.interfaces.get(&id) else { return InterfaceEvidence::default() };
        let rose =
            it.verdicts.iter().filter_map(|(it, n)| Some((it.name().to_owned(), n.rose_at?)));
        let [absent, unexpected, wrong] = it.signatures.map(Count::rise);
        InterfaceEvidence {
            rose_at: rose.collect(),
            signatures: Signatures { absent, unexpected, wrong },
            ..it.evidence.clone()
        }
    }

    pub(crate) fn of_port(
        &self,
        port: &PortName,
        ifindex: Option<u32>,
        now: Timestamp,
    ) -> PortEvidence {
        let here = self.strays.iter().filter(|((at, _), _)| Some(*at) == ifindex);
        let mut strays: Vec<_> = here
            .filter_map(|(&(_, vlan), n)| {
                Some(Stray { vlan, frames: n.count, last_at: n.rose_at? })
            })
            .collect();
        strays.sort_by_key(|stray| std::cmp::Reverse(stray.last_at));
        strays.truncate(LIST_MAX);
        let receive_errors = self.broken.get(port).copied().and_then(Count::rise);
        let transceiver = self.transceivers.get(port).cloned();
        let lacp = self.lacp.get(port).map(|status| Lacp {
            partner: status.partner.map(|partner| partner.system),
            is_ready: status.is_ready,
            is_in_use: status.is_in_use,
        });
        let traffic = self.traffic.get(port).copied().filter(|_| lacp.is_some());
        PortEvidence { at: Some(now), strays, receive_errors, transceiver, lacp, traffic }
    }
}

impl Interface {
    fn hear(&mut self, heard: &Heard, now: Timestamp) -> bool {
        let stations = &mut self.evidence.stations;
        let mut is_news = false;
        for (address, mac) in &heard.stations {
            let station = Station { address: (*address).into(), mac: *mac, heard_at: now };
            let was = stations.len();
            stations.retain(|it| (it.address, it.mac) != (station.address, station.mac));
            is_news |= stations.len() == was;
            stations.insert(0, station);
        }
        stations.truncate(LIST_MAX);
        for (customer, full_bytes) in &heard.asked {
            let echoes = self.evidence.echoes.entry((*customer).into()).or_default();
            if echoes.full_bytes != *full_bytes {
                *echoes = Echoes { full_bytes: *full_bytes, ..Echoes::default() };
            }
            echoes.full_unanswered = echoes.full_unanswered.saturating_add(1);
        }
        for (customer, bytes) in &heard.echoes {
            let Some(echoes) = self.evidence.echoes.get_mut(&(*customer).into()) else { continue };
            if *bytes >= echoes.full_bytes {
                echoes.full_answered_at = Some(now);
                echoes.full_unanswered = 0;
            } else {
                echoes.small_answered_at = Some(now);
            }
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_net::Mac;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(n).unwrap()
    }

    fn id() -> InterfaceId {
        InterfaceId::from_bits(1)
    }

    fn facts(packets: u64, wrong: u64, heard: Heard) -> Facts {
        let verdicts = [(id(), [(Verdict::ToRouter, packets)].into())].into();
        let signatures = [(id(), SignatureCounts { wrong, ..SignatureCounts::default() })].into();
        Facts { verdicts, signatures, heard: [(id(), heard)].into(), ..Facts::default() }
    }

    #[test]
    fn a_counter_that_rose_before_the_first_look_rose_nobody_knows_when() {
        let mut evidence = Evidence::default();
        evidence.take(&facts(5, 1, Heard::default()), second(1));
        let first = evidence.of_interface(id());
        assert_eq!((first.rose_at.len(), first.signatures.wrong), (0, None));
        evidence.take(&facts(5, 1, Heard::default()), second(2));
        assert!(evidence.take(&facts(6, 3, Heard::default()), second(3)), "a wrong signature");
        assert!(!evidence.take(&facts(6, 4, Heard::default()), second(4)), "one more of these");
        let seen = evidence.of_interface(id());
        assert_eq!(seen.rose_at["to_router"], second(3));
        assert_eq!(seen.signatures.wrong, Some(Rise { count: 4, last_at: second(4) }));
        evidence.take(&Facts::default(), second(5));
        assert_eq!(evidence.of_interface(id()), InterfaceEvidence::default());
    }

    #[test]
    fn stations_are_kept_by_address_and_mac_the_last_heard_first_and_not_too_many() {
        let mut evidence = Evidence::default();
        let from = |last: u8| ([10, 0, 0, 2].into(), Mac([2, 0, 0, 0, 0, last]));
        let heard = |last| Heard { stations: [from(last)].into(), ..Heard::default() };
        for (at, last, news) in [(1, 1, true), (2, 2, true), (3, 1, false)] {
            assert_eq!(evidence.take(&facts(0, 0, heard(last)), second(at)), news, "{at}");
        }
        let stations = evidence.of_interface(id()).stations;
        let seen: Vec<_> = stations.iter().map(|s| (s.mac.0[5], s.heard_at.as_second())).collect();
        assert_eq!(seen, [(1, 3), (2, 2)]);
        for last in 3..=30 {
            evidence.take(&facts(0, 0, heard(last)), second(9));
        }
        assert_eq!(evidence.of_interface(id()).stations.len(), LIST_MAX);
    }

    #[test]
    fn echoes_that_nobody_answers_are_counted_until_one_is() {
        let mut evidence = Evidence::default();
        let customer: std::net::Ipv4Addr = [10, 0, 0, 2].into();
        let heard = |answered: &[u16]| Heard {
            asked: [(customer, 1500)].into(),
            echoes: answered.iter().map(|bytes| (customer, *bytes)).collect(),
            ..Heard::default()
        };
        let mut after = |at, answered: &[u16]| {
            evidence.take(&facts(0, 0, heard(answered)), second(at));
            evidence.of_interface(id()).echoes[&customer.into()].full_unanswered
        };
        assert_eq!([after(1, &[]), after(2, &[64]), after(3, &[64])], [1, 2, 3]);
        assert_eq!(after(4, &[64, 1500]), 0);
    }
}
