//! What customers announce → rows of the data plane: where a Net's packets go, and where a
//! customer's packets may come from. Pure; the kernel thread writes the difference.
//!
//! ```text
//! learned on dxvif-…1 (Net 1000): 192.168.0.0/16 best   ─► route  (1000, 192.168.0.0/16) → 1
//!                                                       ─► source (1, 192.168.0.0/16)
//! learned on dxvif-…2 (Net 1000): 192.168.0.0/16 second ─► source (2, 192.168.0.0/16)
//! ```
//!
//! After a restart of the agent the rows are older than the sessions. Those of an interface
//! stay until its customer has told its table again (RFC 4724 §4.1), or took too long.

mod slice;

pub(crate) use slice::{Net, Slice};

use directlink_dataplane::{InterfaceNumber, Source};
use directlink_model::ids::{BgpPeerId, InterfaceId};
use directlink_net::{IpNet, Ipv4Net, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

/// Rows, wanted or in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteRows {
    /// To 1 to 4 ways, in order.
    pub(crate) routes: BTreeMap<(Vni, IpNet), Vec<InterfaceNumber>>,
    /// To other routers; no prefix is here and in `routes`.
    pub(crate) relays: BTreeMap<(Vni, IpNet), Relayed>,
    pub(crate) sources: BTreeSet<Source>,
}

/// Where other routers lead, instead of us or better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// One at least, in order.
    pub(crate) routers: Vec<Ipv4Addr>,
    /// Our own ways, for what is relayed to us. Four with the routers.
    pub(crate) own: Vec<InterfaceNumber>,
}

/// A peer of an interface that leads to a Net, and what is known of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Via {
    /// Who speaks for it, if a plan says.
    pub(crate) peer: Option<BgpPeerId>,
    /// The peer's, in routes.
    pub(crate) number: InterfaceNumber,
    /// Its interface's, in sources: what one peer of a VLAN announces may come from the other.
    pub(crate) interface: InterfaceNumber,
    pub(crate) vni: Vni,
    pub(crate) customer: IpAddr,
    /// On its port, or on another of the LAG that carries for it.
    pub(crate) light: bool,
    pub(crate) is_established: bool,
    /// The customer has told its whole table since we began.
    pub(crate) is_settled: bool,
    /// Something was accepted of what it announces.
    pub(crate) has_routes: bool,
    /// Any other way is better, also another router's.
    pub(crate) is_drained: bool,
    /// All that was accepted, or as much of it as is looked at, and whether it is forwarded on.
    pub(crate) learned: Vec<(IpNet, bool)>,
}

/// A customer's router: its interface, and its address there.
pub(crate) type Neighbour = (InterfaceId, IpAddr);

/// What to do to the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteChanges {
    pub(crate) put_routes: Vec<((Vni, IpNet), Vec<InterfaceNumber>)>,
    pub(crate) put_relays: Vec<((Vni, IpNet), Relayed)>,
    /// Those to other routers as well.
    pub(crate) remove_routes: Vec<(Vni, IpNet)>,
    pub(crate) put_sources: Vec<Source>,
    pub(crate) remove_sources: Vec<Source>,
}

/// None is before it.
pub(crate) const FIRST_PREFIX: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));

/// As many equal ways as a row holds.
pub(crate) const WAYS_MAX: usize = 4;

impl Via {
    /// Whether packets are forwarded as its customer announced, once its rows are written.
    pub(crate) const fn forwards(&self) -> bool {
        self.light && self.has_routes
    }
}

impl RouteRows {
    /// What the tables shall hold, given what they do.
    pub(crate) fn wanted(vias: &[Via], there: &Self) -> Self {
        let mut rows = Self::default();
        for via in vias {
            rows.learn(via);
        }
        rows.fall_back(vias);
        rows.keep_unsettled(vias, there);
        rows.reach_customers(vias);
        for ways in rows.routes.values_mut() {
            ways.sort_unstable();
            ways.dedup();
            ways.truncate(WAYS_MAX);
        }
        rows
    }

    /// From what is there to this. What is put comes first: a prefix that moves is never
    /// without a way.
    pub(crate) fn changes_from(&self, there: &Self) -> RouteChanges {
        let stays = |key: &&_| self.routes.contains_key(*key) || self.relays.contains_key(*key);
        let gone = there.routes.keys().chain(there.relays.keys()).filter(|key| !stays(key));
        RouteChanges {
            put_routes: unlike(&self.routes, &there.routes),
            put_relays: unlike(&self.relays, &there.relays),
            remove_routes: gone.copied().collect(),
            put_sources: self.sources.difference(&there.sources).copied().collect(),
            remove_sources: there.sources.difference(&self.sources).copied().collect(),
        }
    }

    /// The numbers that some row names.
    pub(crate) fn numbers(&self) -> BTreeSet<InterfaceNumber> {
        let sources = self.sources.iter().map(|source| source.interface);
        let own = self.relays.values().flat_map(|relayed| &relayed.own);
        self.routes.values().flatten().chain(own).copied().chain(sources).collect()
    }

    fn learn(&mut self, via: &Via) {
        let interface = via.interface;
        let sources = via.learned.iter().map(|&(prefix, _)| Source { interface, prefix });
        // A whole set at once is built, not searched.
        self.sources.append(&mut sources.collect());
        let best = via.learned.iter().filter(|(_, best)| *best && via.light);
        let best = best.map(|(prefix, _)| (via.vni, *prefix));
        if self.routes.is_empty() {
            self.routes = best.map(|key| (key, vec![via.number])).collect();
        } else {
            best.for_each(|key| self.routes.entry(key).or_default().push(via.number));
        }
    }

    /// Where the best have no light, the others do; the sessions notice it later, by their
    /// hold times.
    fn fall_back(&mut self, vias: &[Via]) {
        let mut others: BTreeMap<(Vni, IpNet), Vec<InterfaceNumber>> = BTreeMap::new();
        for via in vias.iter().filter(|via| via.light) {
            for &(prefix, _) in via.learned.iter().filter(|(_, best)| !best) {
                if !self.routes.contains_key(&(via.vni, prefix)) {
                    others.entry((via.vni, prefix)).or_default().push(via.number);
                }
            }
        }
        self.routes.extend(others);
    }

    fn keep_unsettled(&mut self, vias: &[Via], there: &Self) {
        let unsettled: BTreeMap<InterfaceNumber, &Via> =
            vias.iter().filter(|via| !via.is_settled).map(|via| (via.number, via)).collect();
        let interfaces: BTreeSet<_> = unsettled.values().map(|via| via.interface).collect();
        let kept = there.sources.iter().filter(|source| interfaces.contains(&source.interface));
        self.sources.extend(kept);
        let relays = there.relays.iter().map(|(key, relayed)| (key, &relayed.own));
        for (&(vni, prefix), ways) in there.routes.iter().chain(relays) {
            let still = |number: &&InterfaceNumber| {
                unsettled.get(number).is_some_and(|via| via.light && via.vni == vni)
            };
            let ways: Vec<_> = ways.iter().filter(still).copied().collect();
            // What was learned anew is better than what is remembered.
            if !ways.is_empty() {
                self.routes.entry((vni, prefix)).or_insert(ways);
            }
        }
    }

    /// A customer's router itself can be answered, where no other of the Net has its address.
    fn reach_customers(&mut self, vias: &[Via]) {
        let mut owners: BTreeMap<(Vni, IpAddr), Vec<&Via>> = BTreeMap::new();
        for via in vias {
            owners.entry((via.vni, via.customer)).or_default().push(via);
        }
        for ((vni, customer), owners) in owners {
            if let [via] = owners.as_slice()
                && via.light
                && (via.is_established || !via.is_settled)
            {
                let host = IpNet::from(customer);
                self.routes.entry((vni, host)).or_insert_with(|| vec![via.number]);
            }
        }
    }
}

/// The ways of those that are drained.
pub(crate) fn drained(vias: &[Via]) -> BTreeSet<InterfaceNumber> {
    vias.iter().filter(|via| via.is_drained).map(|via| via.number).collect()
}

/// What is not there, or otherwise.
fn unlike<K: Ord + Copy, V: PartialEq + Clone>(
    wanted: &BTreeMap<K, V>,
    there: &BTreeMap<K, V>,
) -> Vec<(K, V)> {
    let differs = |(key, value): &(&K, &V)| there.get(*key) != Some(*value);
    wanted.iter().filter(differs).map(|(key, value)| (*key, value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u16) -> InterfaceNumber {
        InterfaceNumber::new(n).unwrap()
    }

    fn via(n: u16, learned: &[(&str, bool)]) -> Via {
        Via {
            peer: Some(BgpPeerId::from_bits(n.into())),
            number: number(n),
            interface: number(n),
            vni: Vni::try_from(1000).unwrap(),
            customer: IpAddr::from([169, 254, 1, 2]),
            light: true,
            is_established: true,
            is_settled: true,
            has_routes: !learned.is_empty(),
            is_drained: false,
            learned: learned.iter().map(|&(p, best)| (p.parse().unwrap(), best)).collect(),
        }
    }

    fn text(rows: &RouteRows) -> Vec<String> {
        let routes = rows.routes.iter().map(|((_, prefix), ways)| format!("{prefix} → {ways:?}"));
        let sources = rows.sources.iter().map(|s| format!("{} ← {}", s.interface, s.prefix));
        routes.chain(sources).collect()
    }

    fn wanted(vias: &[Via]) -> RouteRows {
        RouteRows::wanted(vias, &RouteRows::default())
    }

    #[test]
    fn the_best_is_forwarded_on_and_all_are_sources() {
        let two = [via(1, &[("10.9.0.0/16", true)]), via(2, &[("10.9.0.0/16", false)])];
        assert_eq!(
            text(&wanted(&two)),
            ["10.9.0.0/16 → [1]", "1 ← 10.9.0.0/16", "2 ← 10.9.0.0/16"],
        );
    }

    #[test]
    fn light_off_takes_the_way_away_and_equal_ways_share() {
        let mut two = [via(1, &[("10.9.0.0/16", true)]), via(2, &[("10.9.0.0/16", true)])];
        two[1].customer = IpAddr::from([169, 254, 1, 6]);
        assert_eq!(text(&wanted(&two))[0], "10.9.0.0/16 → [1, 2]");
        two[0].light = false;
        let rows = wanted(&two);
        assert_eq!(text(&rows)[0], "10.9.0.0/16 → [2]");
        assert!(!two[0].forwards() && two[1].forwards());
    }

    #[test]
    fn the_second_best_takes_over_while_the_best_has_no_light() {
        let mut two = [via(1, &[("10.9.0.0/16", true)]), via(2, &[("10.9.0.0/16", false)])];
        two[0].light = false;
        assert_eq!(text(&wanted(&two))[0], "10.9.0.0/16 → [2]");
    }

    #[test]
    fn a_customers_router_is_reached_unless_its_address_is_ambiguous() {
        let [one, other] = [via(1, &[]), via(2, &[])];
        assert_eq!(text(&wanted(std::slice::from_ref(&one))), ["169.254.1.2/32 → [1]"]);
        assert!(text(&wanted(&[one.clone(), other])).is_empty());
        assert!(text(&wanted(&[Via { is_established: false, ..one }])).is_empty());
    }

    #[test]
    fn rows_outlive_a_restart_until_the_customer_has_spoken() {
        let there = wanted(&[via(1, &[("10.8.0.0/16", true), ("10.9.0.0/16", true)])]);
        let restarted = Via { is_settled: false, is_established: false, ..via(1, &[]) };
        let rows = RouteRows::wanted(std::slice::from_ref(&restarted), &there);
        assert_eq!(rows, there);
        let spoken = via(1, &[("10.9.0.0/16", true)]);
        let rows = RouteRows::wanted(std::slice::from_ref(&spoken), &there);
        let changes = rows.changes_from(&there);
        assert_eq!(changes.remove_routes.len(), 1);
        assert_eq!(changes.remove_sources.len(), 1);
        assert!(changes.put_routes.is_empty() && changes.put_sources.is_empty());
        assert_eq!(rows.changes_from(&rows), RouteChanges::default());
    }

    #[test]
    fn two_peers_of_an_interface_are_two_ways_and_one_source() {
        let prefix = [("10.9.0.0/16", true)];
        let first = via(1, &prefix);
        let customer = IpAddr::from([169, 254, 1, 6]);
        let second = Via { interface: number(1), customer, ..via(2, &prefix) };
        assert_eq!(
            text(&wanted(&[first, second.clone()])),
            [
                "10.9.0.0/16 → [1, 2]",
                "169.254.1.2/32 → [1]",
                "169.254.1.6/32 → [2]",
                "1 ← 10.9.0.0/16"
            ],
        );
        let rows = wanted(std::slice::from_ref(&second));
        assert_eq!(text(&rows)[2], "1 ← 10.9.0.0/16", "the interface's number, not the peer's");
    }

    #[test]
    fn rows_of_an_interface_that_is_gone_go() {
        let there = wanted(&[via(1, &[("10.9.0.0/16", true)])]);
        let changes = RouteRows::wanted(&[], &there).changes_from(&there);
        assert_eq!((changes.remove_routes.len(), changes.remove_sources.len()), (2, 1));
    }
}
