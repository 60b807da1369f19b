//! Which link and which neighbour of a reading are meant: those most like the intent. A router has
//! many, and what is wrong with ours may be the very address that it should be known by.

use super::{
    intent::{Family, Intent, Session},
    reading::{Link, Neighbour, Reading},
};
use directlink_net::Asn;
use std::cmp::Reverse;

pub(super) fn our_link<'r>(reading: &'r Reading, intent: &Intent) -> Option<(&'r str, &'r Link)> {
    let likeness = |link: &Link| {
        let by_address = intent.sessions.iter().flat_map(|session| {
            let (own, theirs) = (session.peer.customer(), session.peer.router());
            link.addresses.iter().map(move |a| match a.is {
                net if net.addr() == own.addr() => 8,
                net if net.addr() == theirs.addr() || own.contains(&net.addr()) => 2,
                _ => 0,
            })
        });
        let same_vlan = link.vlan.as_ref().is_some_and(|v| v.is == intent.vlan.to_string());
        let named = link.description.contains(&intent.id.to_string());
        by_address.max().unwrap_or(0) + 4 * u32::from(same_vlan) + 3 * u32::from(named)
    };
    let tagged = || reading.links.values().filter(|link| link.vlan.is_some()).count();
    let links = reading.links.iter().map(|(name, link)| (likeness(link), name, link));
    let (most, name, link) = links
        .max_by_key(|(likeness, _, link)| (*likeness, link.vlan.is_some(), Reverse(link.line)))?;
    (most > 0 || (tagged() == 1 && link.vlan.is_some())).then_some((name, link))
}

pub(super) fn our_neighbour(
    reading: &Reading,
    intent: &Intent,
    session: &Session,
) -> Option<Neighbour> {
    let (own, theirs) = (session.peer.customer(), session.peer.router().addr());
    let likeness = |n: &Neighbour| {
        let address = n.address.map(|a| a.is);
        let same_asn =
            n.remote_asn.as_ref().is_some_and(|a| asn(&a.is) == Some(intent.region_asn.0));
        let named = n.description.contains(&intent.id.to_string());
        let near = address.is_some_and(|a| own.contains(&a));
        16 * u32::from(address == Some(theirs))
            + 4 * u32::from(named)
            + 3 * u32::from(near)
            + 3 * u32::from(same_asn)
    };
    let of_family = |n: &Neighbour| n.address.is_some_and(|a| Family::of(a.is) == session.family());
    let rated = reading.sessions().filter(of_family).map(|n| (likeness(&n), n));
    let (most, neighbour) = rated.max_by_key(|(likeness, n)| (*likeness, Reverse(n.line)))?;
    (most > 0).then_some(neighbour)
}

/// "asplain" or "asdot" (RFC 5396).
pub(super) fn asn(text: &str) -> Option<Asn> {
    let number = match text.split_once('.') {
        Some((high, low)) => {
            u32::from(high.parse::<u16>().ok()?) << 16 | u32::from(low.parse::<u16>().ok()?)
        }
        None => text.parse().ok()?,
    };
    Asn::try_from(number).ok()
}
