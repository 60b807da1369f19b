//! Adj-RIB-In: what one peer has announced, each prefix with its verdict.
//!
//! Refused prefixes are kept as well: the customer sees them with the reason, and a change of
//! policy takes effect without asking the peer to send again.

use super::Path;
use super::routes::Routes;
use super::sets::{AttributeSets, PackedSetId, SetId};
use crate::wire::{self, Reach, SetKey};
use crate::{Attributes, Family, ImportPolicy, Notification, Preference, Refusal};
use bytes::Bytes;
use ipnet::{IpNet, Ipv4Net};
use rustbgpd_wire::UpdateMessage;
use std::{
    collections::{BTreeMap, BinaryHeap},
    net::Ipv4Addr,
};

/// A prefix that this peer now offers in another way, or (`None`) no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteChange {
    pub prefix: IpNet,
    pub path: Option<Path>,
}

/// One line of a looking glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedRoute {
    pub prefix: IpNet,
    /// `None` where they were malformed.
    pub attributes: Option<Attributes>,
    /// By its communities.
    pub preference: Preference,
    pub refused: Option<Refusal>,
    /// From before the peer's restart, not confirmed since (RFC 4724).
    pub stale: bool,
}

/// How many prefixes, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
    pub received: u32,
    pub accepted: u32,
    pub refused: u32,
    pub stale: u32,
}

/// What an UPDATE did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) changes: Vec<RouteChange>,
    pub(crate) end_of_rib: Option<Family>,
    /// The family whose limit this UPDATE broke; prefixes beyond it were not stored.
    pub(crate) over_limit: Option<Family>,
}

/// UPDATEs that say what is known of some prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retold {
    pub withdrawn: Vec<Bytes>,
    pub announced: Vec<Bytes>,
}

#[derive(Debug)]
pub(crate) struct AdjRibIn {
    policy: ImportPolicy,
    peer_router_id: Ipv4Addr,
    sets: AttributeSets,
    routes: Routes,
    /// Per family: routes that are not stale, which is what the limit counts.
    fresh: [u32; Family::ALL.len()],
    refused: u32,
    /// Announcements that were refused since it began.
    rejected: u32,
    /// Where somebody watches: prefixes of which anything changed, accepted or not.
    touched: Option<Vec<IpNet>>,
}

/// What is known of a prefix. Small on purpose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    set: PackedSetId,
    refused: Option<Refusal>,
    stale: bool,
}

// With its prefix 12 bytes, and no more than a million of them need.
const _: () = assert!(size_of::<(Ipv4Net, Entry)>() == 12);

impl Entry {
    fn set(&self) -> Option<SetId> {
        self.set.get()
    }
}

impl AdjRibIn {
    pub(crate) fn new(policy: ImportPolicy) -> Self {
        let family = Family::of(policy.peer_addr);
        Self {
            policy,
            peer_router_id: Ipv4Addr::UNSPECIFIED,
            sets: AttributeSets::default(),
            routes: Routes::new(family),
            fresh: [0; Family::ALL.len()],
            refused: 0,
            rejected: 0,
            touched: None,
        }
    }

    /// Everything is forgotten, but for whether it is watched.
    pub(crate) fn renew(&mut self, policy: ImportPolicy) {
        let touched = self.touched.take();
        *self = Self { touched, ..Self::new(policy) };
    }

    /// From now on what changes is noted down.
    pub(crate) fn watch(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// What was noted down since the last time; one may be named twice.
    pub(crate) fn take_touched(&mut self) -> Vec<IpNet> {
        self.touched.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A session begins with this peer; its identifier breaks ties between paths.
    pub(crate) fn begin(&mut self, peer_router_id: Ipv4Addr) {
        self.peer_router_id = peer_router_id;
    }

    /// # Errors
    /// The NOTIFICATION to reset the session with.
    pub(crate) fn apply(
        &mut self,
        update: &UpdateMessage,
        four_octet_as: bool,
    ) -> Result<Applied, Notification> {
        let mut applied = Applied::default();
        if four_octet_as
            && let Some(key) = SetKey::of_body(update)
            && let Some(set) = self.sets.find(&key)
        {
            let (withdrawn, announced) = wire::read_body_nlri(update)?;
            self.withdraw(&withdrawn, &mut applied);
            self.announce(&announced, Ok(set), &mut applied);
            return Ok(applied);
        }
        let read = wire::read_update(update, four_octet_as)?;
        applied.end_of_rib = read.end_of_rib.filter(|family| *family == self.family());
        self.withdraw(&read.withdrawn, &mut applied);
        for Reach { prefixes, set } in read.reach {
            let set = set.map(|(key, says)| self.sets.intern(&key, &says, &self.policy));
            self.announce(&prefixes, set, &mut applied);
            if let Ok(set) = set {
                self.sets.drop_unused(set);
            }
        }
        Ok(applied)
    }

    /// Judges everything anew.
    pub(crate) fn set_policy(&mut self, policy: ImportPolicy) -> Vec<RouteChange> {
        if self.policy == policy {
            return Vec::new();
        }
        let reranked = self.policy.last_resort != policy.last_resort;
        self.policy = policy;
        self.sets.apply(&self.policy);
        let mut changes = Vec::new();
        for (prefix, entry) in self.routes.iter_mut() {
            let Some(set) = entry.set() else { continue };
            let refused = self.sets.refused(set).or_else(|| self.policy.check_prefix(&prefix));
            let was = std::mem::replace(&mut entry.refused, refused);
            self.refused += u32::from(refused.is_some());
            self.refused -= u32::from(was.is_some());
            if was.is_none() != refused.is_none() || (reranked && refused.is_none()) {
                changes.push((prefix, *entry));
            }
        }
        if let Some(touched) = &mut self.touched {
            touched.extend(changes.iter().map(|(prefix, _)| *prefix));
        }
        self.in_order(changes)
    }

    /// Everything goes.
    pub(crate) fn flush(&mut self) -> Vec<RouteChange> {
        let gone = self.remove_where(|_, _| true);
        self.routes.shrink();
        gone
    }

    /// The session is lost but the peer may come back with the same routes (RFC 4724 §4.2).
    /// What was stale already goes: a second restart does not prolong the first.
    pub(crate) fn retain_stale(&mut self) -> Vec<RouteChange> {
        let gone = self.remove_where(|_, entry| entry.stale);
        self.mark_stale(|_| true);
        gone
    }

    /// The peer is about to send `family` again (RFC 7313 §4).
    pub(crate) fn begin_refresh(&mut self, family: Family) {
        self.mark_stale(|prefix| Family::of_net(prefix) == family);
    }

    /// What the peer did not send again goes.
    pub(crate) fn sweep_stale(&mut self, family: Family) -> Vec<RouteChange> {
        self.remove_where(|prefix, entry| entry.stale && Family::of_net(prefix) == family)
    }

    /// The family that has more prefixes than the policy in force allows.
    pub(crate) fn over_limit(&self) -> Option<Family> {
        let over = |family: &Family| self.fresh[*family as usize] > self.policy.limits.prefixes_max;
        Family::ALL.into_iter().find(over)
    }

    /// Whether a family has four fifths of its limit: soon it will be too many.
    pub(crate) fn near_limit(&self) -> Option<Family> {
        let max = u64::from(self.policy.limits.prefixes_max);
        let near = |family: &Family| {
            let count = u64::from(self.fresh[*family as usize]);
            count > 0 && count * 5 >= max * 4
        };
        Family::ALL.into_iter().find(near)
    }

    pub(crate) fn counts(&self) -> RouteCounts {
        let (received, refused) = (self.routes.len() as u32, self.refused);
        let fresh: u32 = self.fresh.iter().sum();
        RouteCounts { received, accepted: received - refused, refused, stale: received - fresh }
    }

    /// Accepted routes, in order of prefix.
    pub(crate) fn offered(&self) -> Vec<RouteChange> {
        let accepted = self.routes.iter().filter(|(_, entry)| entry.refused.is_none());
        self.in_order(accepted.collect())
    }

    /// In no order.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.routes.iter().filter(|(_, entry)| entry.refused.is_none()).map(|(prefix, _)| prefix)
    }

    /// How the peer leads there, if it does and may.
    pub(crate) fn path(&self, prefix: &IpNet) -> Option<Path> {
        self.path_of(&self.routes.get(prefix)?)
    }

    /// In no order, refused ones included.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.routes.iter().map(|(prefix, _)| prefix)
    }

    /// How often the policy refused something.
    pub(crate) const fn rejected(&self) -> u32 {
        self.rejected
    }

    /// `prefixes` as they are now, as UPDATEs with 4-octet AS numbers. What RFC 7606 treats as
    /// withdrawn is so here too, before the policy as well.
    pub(crate) fn retold(&self, prefixes: &[IpNet], only_accepted: bool) -> Retold {
        let mut by_set: BTreeMap<SetId, Vec<IpNet>> = BTreeMap::new();
        let mut gone = Vec::new();
        for prefix in prefixes {
            let counts = |entry: &Entry| !only_accepted || entry.refused.is_none();
            let set = self.routes.get(prefix).filter(counts).and_then(|entry| entry.set());
            match set {
                Some(set) => by_set.entry(set).or_default().push(*prefix),
                None => gone.push(*prefix),
            }
        }
        let said = |(set, prefixes): (SetId, Vec<IpNet>)| self.sets.retold(set, &prefixes);
        Retold {
            withdrawn: wire::withdraw(&gone),
            announced: by_set.into_iter().flat_map(said).collect(),
        }
    }

    /// The first so many in order of prefix.
    pub(crate) fn first_routes(&self, most: usize) -> Vec<LearnedRoute> {
        let mut read = None;
        let listed = self.first_entries(most).into_iter();
        listed.map(|(prefix, entry)| self.learned_route(prefix, &entry, &mut read)).collect()
    }

    /// A table of a million is not copied to see some of it.
    fn first_entries(&self, most: usize) -> Vec<(IpNet, Entry)> {
        if self.routes.len() <= most {
            let mut all: Vec<_> = self.routes.iter().collect();
            all.sort_unstable_by_key(|(prefix, _)| *prefix);
            return all;
        }
        let mut first = BinaryHeap::with_capacity(most + 1);
        for (prefix, _) in self.routes.iter() {
            if first.len() < most || first.peek().is_some_and(|last| prefix < *last) {
                first.push(prefix);
                if first.len() > most {
                    first.pop();
                }
            }
        }
        let prefixes = first.into_sorted_vec().into_iter();
        prefixes.filter_map(|prefix| Some((prefix, self.routes.get(&prefix)?))).collect()
    }

    /// `read`: the set of the one before; neighbours often have the same.
    fn learned_route(
        &self,
        prefix: IpNet,
        entry: &Entry,
        read: &mut Option<(SetId, Option<Attributes>)>,
    ) -> LearnedRoute {
        if let Some(set) = entry.set()
            && read.as_ref().is_none_or(|(known, _)| *known != set)
        {
            *read = Some((set, self.sets.attributes(set)));
        }
        let ranking = entry.set().and_then(|set| self.sets.ranking(set));
        LearnedRoute {
            prefix,
            attributes: entry
                .set()
                .and(read.as_ref())
                .and_then(|(_, attributes)| attributes.clone()),
            preference: ranking.map_or_else(Preference::default, |ranking| ranking.preference),
            refused: entry.refused,
            stale: entry.stale,
        }
    }

    #[cfg(test)]
    pub(crate) fn set_count(&self) -> usize {
        self.sets.len()
    }

    /// A session carries the family of its own addresses.
    const fn family(&self) -> Family {
        Family::of(self.policy.peer_addr)
    }

    fn announce(&mut self, prefixes: &[IpNet], set: Result<SetId, Refusal>, applied: &mut Applied) {
        let of_set = match set {
            Ok(set) => self.sets.refused(set),
            Err(refusal) => Some(refusal),
        };
        // Of another family nothing was agreed, and nothing is kept.
        let family = self.family();
        for prefix in prefixes.iter().filter(|prefix| Family::of_net(prefix) == family) {
            let old = self.routes.get(prefix);
            let is_fresh = old.is_some_and(|entry| !entry.stale);
            if !is_fresh {
                if self.fresh[family as usize] >= self.policy.limits.prefixes_max {
                    applied.over_limit = Some(family);
                    return;
                }
                self.fresh[family as usize] += 1;
            }
            let refused = of_set.or_else(|| self.policy.check_prefix(prefix));
            let entry = Entry { set: set.ok().into(), refused, stale: false };
            if let Some(set) = entry.set() {
                self.sets.retain(set);
            }
            self.routes.insert(prefix, entry);
            self.touch(prefix);
            self.refused += u32::from(refused.is_some());
            self.rejected = self.rejected.wrapping_add(refused.is_some().into());
            self.refused -= u32::from(old.is_some_and(|old| old.refused.is_some()));
            let offered = |entry: &Entry| entry.set().filter(|_| entry.refused.is_none());
            // A confirmed stale route may rank otherwise: the peer may have a new identifier.
            let confirmed = old.is_some_and(|old| old.stale) && offered(&entry).is_some();
            if confirmed || old.as_ref().and_then(offered) != offered(&entry) {
                applied.changes.push(self.change(*prefix, &entry));
            }
            if let Some(set) = old.and_then(|entry| entry.set()) {
                self.sets.release(set);
            }
        }
    }

    fn withdraw(&mut self, prefixes: &[IpNet], applied: &mut Applied) {
        for prefix in prefixes {
            applied.changes.extend(self.remove(prefix));
        }
    }

    /// A change is due only if the route was accepted.
    fn remove(&mut self, prefix: &IpNet) -> Option<RouteChange> {
        let entry = self.routes.remove(prefix)?;
        self.touch(prefix);
        self.refused -= u32::from(entry.refused.is_some());
        if !entry.stale {
            self.fresh[Family::of_net(prefix) as usize] -= 1;
        }
        if let Some(set) = entry.set() {
            self.sets.release(set);
        }
        entry.refused.is_none().then_some(RouteChange { prefix: *prefix, path: None })
    }

    fn touch(&mut self, prefix: &IpNet) {
        if let Some(touched) = &mut self.touched {
            touched.push(*prefix);
        }
    }

    fn remove_where(&mut self, goes: impl Fn(&IpNet, &Entry) -> bool) -> Vec<RouteChange> {
        let mut going: Vec<_> =
            self.routes.iter().filter(|(p, entry)| goes(p, entry)).map(|(p, _)| p).collect();
        going.sort_unstable();
        going.iter().filter_map(|prefix| self.remove(prefix)).collect()
    }

    fn mark_stale(&mut self, which: impl Fn(&IpNet) -> bool) {
        for (prefix, entry) in self.routes.iter_mut().filter(|(prefix, _)| which(prefix)) {
            if !std::mem::replace(&mut entry.stale, true) {
                self.fresh[Family::of_net(&prefix) as usize] -= 1;
            }
        }
    }

    fn in_order(&self, mut changed: Vec<(IpNet, Entry)>) -> Vec<RouteChange> {
        changed.sort_unstable_by_key(|(prefix, _)| *prefix);
        changed.into_iter().map(|(prefix, entry)| self.change(prefix, &entry)).collect()
    }

    fn change(&self, prefix: IpNet, entry: &Entry) -> RouteChange {
        RouteChange { prefix, path: self.path_of(entry) }
    }

    fn path_of(&self, entry: &Entry) -> Option<Path> {
        let set = entry.set().filter(|_| entry.refused.is_none());
        set.and_then(|set| self.sets.ranking(set)).map(|ranking| Path {
            local_pref: ranking.preference.local_pref(),
            as_path_length: ranking.as_path_length,
            origin: ranking.origin,
            med: ranking.med,
            neighbor_asn: self.policy.peer_asn,
            router_id: self.peer_router_id,
            peer_addr: self.policy.peer_addr,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PrefixLimits;
    use rustbgpd_wire::{
        AsPath, AsPathSegment, Ipv4NlriEntry, Ipv4Prefix, Ipv4UnicastMode, Origin, PathAttribute,
    };

    fn rib() -> AdjRibIn {
        AdjRibIn::new(ImportPolicy {
            local_asn: 50624u32.try_into().unwrap(),
            peer_asn: 65000u32.try_into().unwrap(),
            peer_addr: "172.16.0.2".parse().unwrap(),
            net_ranges: vec![],
            limits: PrefixLimits::default(),
            last_resort: false,
        })
    }

    fn update(med: u32, announced: &[u8], withdrawn: &[u8]) -> UpdateMessage {
        let entries = |thirds: &[u8]| -> Vec<_> {
            let net = |third| Ipv4Prefix::new([192, 168, third, 0].into(), 24);
            thirds.iter().map(|t| Ipv4NlriEntry { path_id: 0, prefix: net(*t) }).collect()
        };
        let path = AsPath { segments: vec![AsPathSegment::AsSequence(vec![65000])] };
        let attributes = [
            PathAttribute::Origin(Origin::Igp),
            PathAttribute::AsPath(path),
            PathAttribute::NextHop([172, 16, 0, 2].into()),
            PathAttribute::Med(med),
        ];
        let attributes = if announced.is_empty() { &[] } else { &attributes[..] };
        let mode = Ipv4UnicastMode::Body;
        UpdateMessage::build(
            &entries(announced),
            &entries(withdrawn),
            attributes,
            true,
            false,
            mode,
        )
    }

    #[test]
    fn equal_sets_are_stored_once_and_freed_with_their_last_prefix() {
        let mut rib = rib();
        for (med, announced, withdrawn, sets) in [
            (1, &[1, 2][..], &[][..], 1),
            (1, &[3], &[], 1),
            (2, &[4], &[], 2),
            (2, &[1, 2, 3], &[], 1),
            (3, &[1], &[4], 2),
            (0, &[], &[1], 1),
            (0, &[], &[2, 3], 0),
        ] {
            rib.apply(&update(med, announced, withdrawn), true).unwrap();
            assert_eq!(rib.set_count(), sets, "MED {med} {announced:?} {withdrawn:?}");
        }
        assert_eq!(rib.first_routes(9), []);
    }

    #[test]
    fn the_first_routes_are_the_first_in_order_each_with_its_own_set() {
        let mut rib = rib();
        for (med, thirds) in [(1, &[7, 3, 1][..]), (2, &[2, 9]), (1, &[4])] {
            rib.apply(&update(med, thirds, &[]), true).unwrap();
        }
        let listed = |most| {
            let routes = rib.first_routes(most).into_iter();
            let row = |it: LearnedRoute| (it.prefix.to_string(), it.attributes.unwrap().med);
            routes.map(row).collect::<Vec<_>>()
        };
        let row = |third, med| (format!("192.168.{third}.0/24"), Some(med));
        let all = [row(1, 1), row(2, 2), row(3, 1), row(4, 1), row(7, 1), row(9, 2)];
        for most in [0, 1, 3, 5, 6, 7] {
            assert_eq!(listed(most), all[..most.min(all.len())], "{most}");
        }
    }

    #[test]
    fn repeating_a_route_changes_nothing_and_a_new_set_does() {
        let mut rib = rib();
        let mut changes = |med| rib.apply(&update(med, &[1], &[]), true).unwrap().changes.len();
        assert_eq!([1, 1, 2, 2, 1].map(&mut changes), [1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_route_that_is_withdrawn_and_announced_at_once_is_announced() {
        let mut rib = rib();
        rib.apply(&update(1, &[1], &[]), true).unwrap();
        rib.apply(&update(1, &[1], &[1]), true).unwrap();
        assert_eq!(rib.counts().accepted, 1);
    }
}
