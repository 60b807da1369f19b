//! The other routers of our Nets: who of them lives, and what hosts are told when one does not. Pure.
//!
//! ```text
//!   asked each interval ──► heard ──► lives
//!                           not heard for so many intervals ──► dead: its hosts are called here
//! ```
//!
//! All routers have the gateways' one MAC, and a host sends to the one that it heard last. One that
//! is gone altogether says nothing any more, and hands nothing on; so another one speaks up.

use crate::wanted::Wanted;
use directlink_model::plan::GATEWAY_MAC;
use directlink_net::{IpNet, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

/// When each router was last heard. One that never was is not waited for: it may be of a time
/// before routers were asked, or behind a filter.
#[derive(Debug, Default)]
pub(crate) struct Living {
    heard: BTreeMap<Ipv4Addr, Option<(Instant, bool)>>,
}

impl Living {
    /// Whom to ask from now on.
    pub(crate) fn set(&mut self, routers: &BTreeSet<Ipv4Addr>) {
        self.heard.retain(|router, _| routers.contains(router));
        for &router in routers {
            self.heard.entry(router).or_default();
        }
    }

    pub(crate) fn routers(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.heard.keys().copied()
    }

    /// It answered. True if it was dead, or not known to live.
    pub(crate) fn hear(&mut self, router: Ipv4Addr, now: Instant) -> bool {
        let Some(heard) = self.heard.get_mut(&router) else { return false };
        let before = heard.replace((now, true));
        before.is_none_or(|(_, lives)| !lives)
    }

    /// Those that lived until now, and have not answered for `patience`.
    pub(crate) fn expire(&mut self, now: Instant, patience: Duration) -> Vec<Ipv4Addr> {
        let mut dead = vec![];
        for (router, heard) in &mut self.heard {
            if let Some((at, lives @ true)) = heard
                && now.saturating_duration_since(*at) > patience
            {
                *lives = false;
                dead.push(*router);
            }
        }
        dead
    }
}

/// To a host, in the tunnel of a Net: an ARP announcement of a gateway (RFC 5227 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) host: Ipv4Addr,
    /// VXLAN's payload of UDP (RFC 7348 §5).
    pub(crate) payload: Vec<u8>,
}

/// What to tell the hosts of the Nets that dead routers carried. Of those that are left the one with
/// the lowest VTEP speaks, lest they call hosts to and fro.
pub(crate) fn announcements(
    wanted: &Wanted,
    own: Ipv4Addr,
    dead: &BTreeSet<Ipv4Addr>,
) -> Vec<Announcement> {
    let mut told = vec![];
    for (&vni, net) in &wanted.nets {
        let is_first = net.routers.difference(dead).all(|other| own < *other);
        if net.routers.is_disjoint(dead) || !is_first {
            continue;
        }
        let hosts: BTreeSet<_> = net.nics.values().map(|nic| nic.vtep).collect();
        let of_ipv4 = |(range, gateway): (&IpNet, &IpAddr)| match (range, gateway) {
            (IpNet::V4(_), IpAddr::V4(gateway)) => Some(*gateway),
            _ => None,
        };
        // One is enough for a host to learn the MAC's place, and every Net has one of IPv4.
        let Some(gateway) = net.subnets.iter().find_map(of_ipv4) else { continue };
        told.extend(
            hosts.into_iter().map(|host| Announcement { host, payload: frame(vni, gateway) }),
        );
    }
    told
}

fn frame(vni: Vni, gateway: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![VNI_IS_VALID, 0, 0, 0];
    frame.extend((vni.as_u32() << 8).to_be_bytes());
    frame.extend([0xff; 6]);
    frame.extend(GATEWAY_MAC.0);
    frame.extend([8, 6]);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(GATEWAY_MAC.0);
    frame.extend(gateway.octets());
    frame.extend([0; 6]);
    frame.extend(gateway.octets());
    frame
}

const VNI_IS_VALID: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock,
        wanted::{Certainty, Net, Nic},
    };
    use directlink_dataplane::RuleSet;
    use directlink_net::Mac;

    const SECOND: Duration = Duration::from_secs(1);
    const NOBODY: [Ipv4Addr; 0] = [];

    fn vtep(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, 0, n)
    }

    #[test]
    fn who_was_heard_and_then_is_not_is_dead_once_until_it_is_heard_again() {
        let start = clock::instant();
        let mut living = Living::default();
        living.set(&[vtep(1), vtep(2)].into());
        assert!(living.hear(vtep(1), start), "it lives");
        assert!(!living.hear(vtep(1), start));
        assert!(!living.hear(vtep(9), start), "a stranger");
        assert_eq!(living.expire(start + SECOND, SECOND), NOBODY);
        let later = start + SECOND * 2;
        assert_eq!(living.expire(later, SECOND), [vtep(1)], "who was never heard is not dead");
        assert_eq!(living.expire(later, SECOND), NOBODY);
        assert!(living.hear(vtep(1), later));
        living.set(&[vtep(2)].into());
        assert_eq!(
            living.expire(later + SECOND * 2, SECOND),
            NOBODY,
            "nobody asks for it any more"
        );
    }

    fn wanted(routers: &[u8]) -> Wanted {
        let nic = |host| Nic {
            mac: Mac([2, 0, 0, 0, 0, host]),
            vtep: vtep(host),
            rules: RuleSet::default(),
        };
        let nics = [(20, 101), (21, 101), (22, 102)];
        let net = Net {
            certainty: Certainty::Current,
            subnets: [("10.0.1.0/24".parse().unwrap(), "10.0.1.1".parse().unwrap())].into(),
            nics: nics.map(|(n, host)| (Ipv4Addr::new(10, 0, 1, n).into(), nic(host))).into(),
            routers: routers.iter().map(|&n| vtep(n)).collect(),
            elsewhere: BTreeMap::new(),
            preferred: BTreeMap::new(),
        };
        Wanted { nets: [(7001_u32.try_into().unwrap(), net)].into(), ..Wanted::default() }
    }

    #[test]
    fn of_those_that_are_left_the_first_calls_each_host_once() {
        let hosts = |own, routers: &[u8], dead: &[u8]| {
            let dead = dead.iter().map(|&n| vtep(n)).collect();
            let told = announcements(&wanted(routers), vtep(own), &dead);
            told.iter().map(|told| told.host).collect::<Vec<_>>()
        };
        assert_eq!(hosts(3, &[2], &[2]), [vtep(101), vtep(102)]);
        assert_eq!(hosts(3, &[2, 4], &[2]), [vtep(101), vtep(102)]);
        assert_eq!(hosts(4, &[2, 3], &[2]), NOBODY, "3 does");
        assert_eq!(hosts(4, &[2, 3], &[2, 3]), [vtep(101), vtep(102)]);
        assert_eq!(hosts(3, &[2], &[]), NOBODY);
        assert_eq!(hosts(3, &[2], &[5]), NOBODY, "of another Net");
    }

    #[test]
    fn an_announcement_is_an_arp_message_about_the_gateway_in_the_nets_tunnel() {
        let told = announcements(&wanted(&[2]), vtep(3), &[vtep(2)].into());
        let expected = "0800000000 1b5900 ffffffffffff 02444c000001 0806 0001080006040001 \
                        02444c000001 0a000101 000000000000 0a000101";
        let shown: String = told[0].payload.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(shown, expected.replace(' ', ""));
    }
}
