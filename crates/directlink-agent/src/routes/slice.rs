//! A part of the rows, made anew by itself: what a customer's router said a moment ago, or all of one
//! Net. A router with a million routes writes what changed, and remembers none of them: they are in
//! the sessions' own tables, and in the kernel's.

use super::{FIRST_PREFIX, RouteChanges, RouteRows, Via, drained};
use crate::{relays::Elsewhere, speaker::NetRib};
use directlink_dataplane::Source;
use directlink_model::ids::BgpPeerId;
use directlink_net::{IpNet, Vni};
use std::collections::{BTreeMap, BTreeSet};

/// The rows that are looked at, whether they are there or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) prefixes: BTreeSet<IpNet>,
    pub(crate) sources: BTreeSet<Source>,
}

/// What decides about the rows of a Net.
pub(crate) struct Net<'a> {
    pub(crate) vni: Vni,
    /// All that lead to it, with nothing learned yet.
    pub(crate) vias: Vec<&'a Via>,
    pub(crate) rib: Option<NetRib>,
    pub(crate) elsewhere: &'a Elsewhere,
    /// Rows from before a restart that nobody has confirmed or taken back.
    pub(crate) remembered: &'a RouteRows,
}

impl Slice {
    /// These prefixes, as this peer leads to them or did.
    pub(crate) fn add(&mut self, prefixes: &[IpNet], via: Option<&Via>) {
        // A whole set at once is built, not searched.
        self.prefixes.append(&mut prefixes.iter().copied().collect());
        if let Some(interface) = via.map(|via| via.interface) {
            let sources = prefixes.iter().map(|&prefix| Source { interface, prefix });
            self.sources.append(&mut sources.collect());
        }
    }
}

impl Net<'_> {
    /// All that can be said of it.
    pub(crate) fn whole(&self, before: &[&Via]) -> Slice {
        let mut slice = Slice::default();
        for via in &self.vias {
            slice.add(&self.offered_by(via), Some(via));
        }
        slice.prefixes.extend(self.vias.iter().chain(before).map(|via| IpNet::from(via.customer)));
        slice.prefixes.extend(self.elsewhere.prefixes(self.vni));
        let remembered = self.remembered;
        let (first, vni) = ((self.vni, FIRST_PREFIX), self.vni);
        let routes = remembered.routes.range(first..).map(|(key, _)| *key);
        slice.prefixes.extend(routes.take_while(|(of, _)| *of == vni).map(|(_, prefix)| prefix));
        let relays = remembered.relays.range(first..).map(|(key, _)| *key);
        slice.prefixes.extend(relays.take_while(|(of, _)| *of == vni).map(|(_, prefix)| prefix));
        for interface in self.vias.iter().map(|via| via.interface) {
            let sources = remembered.sources.range(Source { interface, prefix: FIRST_PREFIX }..);
            slice.sources.extend(sources.take_while(|source| source.interface == interface));
        }
        slice
    }

    /// What leads from whatever is there to what shall be there, within the slice.
    pub(crate) fn changes(&self, slice: &Slice) -> RouteChanges {
        let vias = self.learned(slice.prefixes.iter());
        let remembered = self.remembered.within(self.vni, slice);
        let elsewhere = self.elsewhere.within(self.vni, &slice.prefixes);
        let rows = RouteRows::wanted(&vias, &remembered);
        let rows = rows.with_relays(&elsewhere, &remembered, &drained(&vias)).only(slice);
        let is_gone = |prefix: &&IpNet| {
            let key = (self.vni, **prefix);
            !rows.routes.contains_key(&key) && !rows.relays.contains_key(&key)
        };
        // Mostly none is, and that can be counted.
        let are_gone = rows.routes.len() + rows.relays.len() < slice.prefixes.len();
        let gone = slice.prefixes.iter().filter(|_| are_gone).filter(is_gone);
        RouteChanges {
            remove_routes: gone.map(|prefix| (self.vni, *prefix)).collect(),
            remove_sources: slice.sources.difference(&rows.sources).copied().collect(),
            put_routes: rows.routes.into_iter().collect(),
            put_relays: rows.relays.into_iter().collect(),
            put_sources: rows.sources.into_iter().collect(),
        }
    }

    /// Its vias, with all that they lead to.
    pub(crate) fn learned_in_all(&self) -> Vec<Via> {
        let all: BTreeSet<_> = self.vias.iter().flat_map(|via| self.offered_by(via)).collect();
        self.learned(all.iter())
    }

    fn learned<'b>(&self, prefixes: impl Iterator<Item = &'b IpNet>) -> Vec<Via> {
        let mut vias: Vec<Via> = self.vias.iter().copied().cloned().collect();
        let Some(rib) = &self.rib else { return vias };
        let at: BTreeMap<BgpPeerId, usize> =
            vias.iter().enumerate().filter_map(|(n, via)| Some((via.peer?, n))).collect();
        for prefix in prefixes {
            let decision = rib.decide(prefix);
            let best = decision.best.iter().map(|id| (id, true));
            for (id, is_best) in best.chain(decision.others.iter().map(|id| (id, false))) {
                if let Some(&n) = at.get(id) {
                    vias[n].learned.push((*prefix, is_best));
                }
            }
        }
        vias
    }

    fn offered_by(&self, via: &Via) -> Vec<IpNet> {
        let offers = |(id, rib): (BgpPeerId, &NetRib)| {
            rib.sessions().find(|(session, _)| **session == id).map(|(_, offers)| offers.prefixes())
        };
        via.peer.zip(self.rib.as_ref()).and_then(offers).unwrap_or_default()
    }
}

impl RouteRows {
    /// Of rows of one Net those of a slice.
    fn only(mut self, slice: &Slice) -> Self {
        let mut routes = within(&slice.prefixes);
        self.routes.retain(|(_, prefix), _| routes(prefix));
        let mut relays = within(&slice.prefixes);
        self.relays.retain(|(_, prefix), _| relays(prefix));
        let mut sources = within(&slice.sources);
        self.sources.retain(|source| sources(source));
        self
    }

    /// Those of a slice of this Net.
    fn within(&self, vni: Vni, slice: &Slice) -> Self {
        let mut rows = Self::default();
        if self.routes.is_empty() && self.relays.is_empty() && self.sources.is_empty() {
            return rows;
        }
        for &prefix in &slice.prefixes {
            let key = (vni, prefix);
            rows.routes.extend(self.routes.get(&key).map(|ways| (key, ways.clone())));
            rows.relays.extend(self.relays.get(&key).map(|to| (key, to.clone())));
        }
        rows.sources = self.sources.intersection(&slice.sources).copied().collect();
        rows
    }
}

/// Whether each of some, which come in order, is in the set: one walk along both.
fn within<T: Ord>(set: &BTreeSet<T>) -> impl FnMut(&T) -> bool {
    let mut ahead = set.iter().peekable();
    move |it| {
        while ahead.next_if(|next| *next < it).is_some() {}
        ahead.peek() == Some(&it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::fixture::{Customers, prefix};
    use directlink_dataplane::InterfaceNumber;

    fn vni() -> Vni {
        Vni::try_from(1000).unwrap()
    }

    fn number(n: u16) -> InterfaceNumber {
        InterfaceNumber::new(n).unwrap()
    }

    fn via(n: u16) -> Via {
        Via {
            peer: Some(BgpPeerId::from_bits(n.into())),
            number: number(n),
            interface: number(n),
            vni: vni(),
            customer: [172, 16, 0, u8::try_from(4 * n + 2).unwrap()].into(),
            light: true,
            is_established: true,
            is_settled: true,
            has_routes: true,
            is_drained: false,
            learned: Vec::new(),
        }
    }

    /// What is written, in words.
    fn text(changes: &RouteChanges) -> Vec<String> {
        let put =
            changes.put_routes.iter().map(|((_, prefix), ways)| format!("{prefix} → {ways:?}"));
        let gone = changes.remove_routes.iter().map(|(_, prefix)| format!("{prefix} gone"));
        let sources = changes.put_sources.iter().map(|s| format!("{} ← {}", s.interface, s.prefix));
        let closed = changes.remove_sources.iter();
        let closed = closed.map(|s| format!("{} no longer ← {}", s.interface, s.prefix));
        put.chain(gone).chain(sources).chain(closed).collect()
    }

    /// Of two customers: what was touched, or all.
    fn changes(
        customers: &Customers,
        vias: [&Via; 2],
        remembered: &RouteRows,
    ) -> [RouteChanges; 2] {
        let elsewhere = Elsewhere::default();
        let rib = customers.ribs().net(vni());
        let net = Net { vni: vni(), vias: vias.into(), rib, elsewhere: &elsewhere, remembered };
        let mut touched = Slice::default();
        for (peer, prefixes) in customers.touched().remove(&vni()).unwrap_or_default() {
            touched.add(&prefixes, vias.into_iter().find(|via| via.peer == Some(peer)));
        }
        [net.changes(&touched), net.changes(&net.whole(&[]))]
    }

    #[test]
    fn what_was_touched_is_decided_among_all_and_nothing_else_is_written() {
        let mut customers = Customers::new(vni(), &[65001, 65002]);
        let (one, two) = (via(1), via(2));
        let none = RouteRows::default();
        let touched = |customers: &Customers| text(&changes(customers, [&one, &two], &none)[0]);
        customers.announces(1, 0, 1);
        customers.announces(1, 7, 0);
        let both = ["192.168.0.0/24 → [1]", "192.168.7.0/24 → [1]"];
        let sources = ["1 ← 192.168.0.0/24", "1 ← 192.168.7.0/24"];
        assert_eq!(touched(&customers), [both, sources].concat());
        customers.announces(2, 0, 0);
        let better = ["192.168.0.0/24 → [2]", "2 ← 192.168.0.0/24"];
        assert_eq!(touched(&customers), better);
        customers.withdraws(2, 0);
        let back = ["192.168.0.0/24 → [1]", "2 no longer ← 192.168.0.0/24"];
        assert_eq!(touched(&customers), back);
        customers.withdraws(1, 0);
        assert_eq!(touched(&customers), ["192.168.0.0/24 gone", "1 no longer ← 192.168.0.0/24"]);
        assert_eq!(touched(&customers), [""; 0], "once");
    }

    #[test]
    fn a_whole_net_is_what_all_of_it_says_and_light_decides() {
        let mut customers = Customers::new(vni(), &[65001, 65002]);
        customers.announces(1, 0, 0);
        customers.announces(2, 0, 1);
        let dark = Via { light: false, ..via(1) };
        let [_, whole] = changes(&customers, [&dark, &via(2)], &RouteRows::default());
        let rows = [
            "172.16.0.10/32 → [2]",
            "192.168.0.0/24 → [2]",
            "172.16.0.6/32 gone",
            "1 ← 192.168.0.0/24",
            "2 ← 192.168.0.0/24",
        ];
        assert_eq!(text(&whole), rows);
    }

    #[test]
    fn rows_from_before_a_restart_stay_until_their_customer_has_told_its_table() {
        let mut customers = Customers::new(vni(), &[65001, 65002]);
        let ways = |third| ((vni(), prefix(third)), vec![number(1)]);
        let source = |third| Source { interface: number(1), prefix: prefix(third) };
        let remembered = RouteRows {
            routes: [ways(0), ways(1)].into(),
            sources: [source(0), source(1)].into(),
            ..RouteRows::default()
        };
        customers.announces(1, 0, 0);
        let unsettled = Via { is_settled: false, ..via(1) };
        let [_, whole] = changes(&customers, [&unsettled, &via(2)], &remembered);
        assert!(whole.remove_routes.is_empty() && whole.remove_sources.is_empty(), "{whole:?}");
        let [_, whole] = changes(&customers, [&via(1), &via(2)], &remembered);
        assert_eq!(whole.remove_routes, [(vni(), prefix(1))]);
        assert_eq!(whole.remove_sources, [source(1)]);
    }
}
