//! The difference of Nets: Subnets, NICs, their rules, and the way to their hosts.

use super::Change;
use crate::{
    observed::{NicRow, Observed},
    wanted::{Certainty, Net, Wanted},
};
use directlink_dataplane::{Protocol, RuleSet, RuleSetNumber, Subnet, SubnetRoutes, Toward};
use directlink_net::Vni;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What comes before interfaces lead to it, and what goes after none does.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) first: Vec<Change>,
    pub(super) last: Vec<Change>,
}

pub(super) fn diff(wanted: &Wanted, observed: &Observed) -> Changes {
    let mut changes = Changes::default();
    presence(wanted, observed, &mut changes);
    let mut sets = RuleSets::new(&observed.tables.rule_sets);
    for (&vni, net) in &wanted.nets {
        bring_about(vni, net, observed, &mut sets, &mut changes);
    }
    let gone = unwanted(wanted, observed, &mut changes);
    let staying = observed.tables.nics.iter().filter(|(key, _)| !gone.contains(key));
    sets.remove_unused(staying.map(|(_, row)| row), &mut changes);
    next_hops(wanted, observed, &mut changes);
    changes
}

/// Which VNIs the fabric may send us.
fn presence(wanted: &Wanted, observed: &Observed, changes: &mut Changes) {
    let here = vnis(wanted, observed);
    let there = &observed.tables.nets;
    changes.first.extend(here.difference(there).map(|&vni| Change::PutNet(vni)));
    changes.last.extend(there.difference(&here).map(|&vni| Change::RemoveNet(vni)));
}

/// Those that an interface leads to, wanted, or there on a port that is left alone.
fn vnis(wanted: &Wanted, observed: &Observed) -> BTreeSet<Vni> {
    let on_held_port = |ifindex| {
        let port = observed.port_with(ifindex);
        port.is_some_and(|port| wanted.certainty(&port) == Certainty::Held)
    };
    let rows = observed.tables.interfaces.values();
    let held = rows.filter(|row| row.forwards && on_held_port(row.port_ifindex)).map(|r| r.vni);
    wanted.interfaces.values().filter_map(|interface| interface.vni).chain(held).collect()
}

fn bring_about(
    vni: Vni,
    net: &Net,
    observed: &Observed,
    sets: &mut RuleSets<'_>,
    changes: &mut Changes,
) {
    let tables = &observed.tables;
    let leave = net.certainty == Certainty::Held;
    for (&range, &gateway) in &net.subnets {
        match tables.subnets.get(&(vni, range)) {
            Some(_) if leave => {}
            Some(&seen) if seen == gateway => {}
            _ => changes.first.push(Change::PutSubnet(Subnet { vni, range, gateway })),
        }
    }
    for (&address, nic) in &net.nics {
        let seen = tables.nics.get(&(vni, address));
        if leave && let Some(seen) = seen {
            sets.used.extend(seen.rule_set);
            continue;
        }
        let rule_set = sets.number(vni, &nic.rules, &mut changes.first);
        let row = NicRow { mac: nic.mac, vtep: nic.vtep, rule_set };
        if seen != Some(&row) {
            changes.first.push(Change::PutNic { vni, address, row });
        }
    }
    let missing = net.routers.iter().filter(|&&vtep| !tables.routers.contains(&(vni, vtep)));
    changes.first.extend(missing.map(|&vtep| Change::PutRouter { vni, vtep }));
}

/// Rows that no document has. Returns the NICs that go or are rewritten, whose rule sets
/// [`bring_about`] has counted already.
fn unwanted(
    wanted: &Wanted,
    observed: &Observed,
    changes: &mut Changes,
) -> BTreeSet<(Vni, IpAddr)> {
    let in_use = vnis(wanted, observed);
    let may_go = |vni: Vni| match wanted.nets.get(&vni) {
        Some(net) => net.certainty == Certainty::Current,
        None => !wanted.some_net_unknown && !in_use.contains(&vni),
    };
    let mut judged = BTreeSet::new();
    for &(vni, address) in observed.tables.nics.keys() {
        match wanted.nets.get(&vni) {
            Some(net) if net.nics.contains_key(&address) => drop(judged.insert((vni, address))),
            _ if may_go(vni) => {
                judged.insert((vni, address));
                changes.last.push(Change::RemoveNic { vni, address });
            }
            _ => {}
        }
    }
    for &(vni, range) in observed.tables.subnets.keys() {
        let is_wanted = wanted.nets.get(&vni).is_some_and(|net| net.subnets.contains_key(&range));
        if !is_wanted && may_go(vni) {
            changes.last.push(Change::RemoveSubnet { vni, range });
        }
    }
    for &(vni, vtep) in &observed.tables.routers {
        let is_wanted = wanted.nets.get(&vni).is_some_and(|net| net.routers.contains(&vtep));
        if !is_wanted && may_go(vni) {
            changes.last.push(Change::RemoveRouter { vni, vtep });
        }
    }
    judged
}

fn next_hops(wanted: &Wanted, observed: &Observed, changes: &mut Changes) {
    let vteps = wanted.vteps();
    let hops: BTreeSet<_> =
        vteps.iter().filter_map(|vtep| observed.next_hops.get(vtep).copied()).collect();
    let kept = &observed.kept_next_hops;
    changes.first.extend(hops.difference(kept).map(|&hop| Change::KeepNextHop(hop)));
    let held = |net: &Net| net.certainty == Certainty::Held;
    if !wanted.some_net_unknown && !wanted.nets.values().any(held) {
        changes.last.extend(kept.difference(&hops).map(|&hop| Change::ReleaseNextHop(hop)));
    }
}

/// Sets never change, and are numbered by what they say: equal sets are shared, and a number
/// that comes back admits what it admitted, which the kernel's flows rely on.
struct RuleSets<'a> {
    known: BTreeMap<RuleSetNumber, &'a RuleSet>,
    new: BTreeMap<RuleSetNumber, RuleSet>,
    used: BTreeSet<RuleSetNumber>,
}

impl<'a> RuleSets<'a> {
    fn new(seen: &'a BTreeMap<RuleSetNumber, RuleSet>) -> Self {
        let known = seen.iter().map(|(&number, set)| (number, set)).collect();
        Self { known, new: BTreeMap::new(), used: BTreeSet::new() }
    }

    /// `None` for a NIC whose groups admit nothing.
    fn number(
        &mut self,
        vni: Vni,
        rules: &RuleSet,
        changes: &mut Vec<Change>,
    ) -> Option<RuleSetNumber> {
        if *rules == RuleSet::default() {
            return None;
        }
        // Past a number that has other rules: half written, or (once in 2³²) by chance.
        let number = (0..=u32::MAX)
            .filter_map(|n| RuleSetNumber::new(fingerprint(rules).wrapping_add(n)))
            .find(|number| self.get(*number).is_none_or(|set| set == rules))?;
        if self.get(number).is_none() {
            self.new.insert(number, rules.clone());
            changes.push(Change::PutRuleSet { vni, number, rules: rules.clone() });
        }
        self.used.insert(number);
        Some(number)
    }

    fn get(&self, number: RuleSetNumber) -> Option<&RuleSet> {
        self.known.get(&number).copied().or_else(|| self.new.get(&number))
    }

    fn remove_unused<'n>(
        mut self,
        staying: impl Iterator<Item = &'n NicRow>,
        changes: &mut Changes,
    ) {
        self.used.extend(staying.filter_map(|row| row.rule_set));
        let unused = self.known.keys().filter(|number| !self.used.contains(number));
        changes.last.extend(unused.map(|&number| Change::RemoveRuleSet(number)));
    }
}

fn fingerprint(set: &RuleSet) -> u32 {
    let mut hash = Sha256::new();
    for rules in [&set.inbound, &set.outbound] {
        hash.update(rules.len().to_be_bytes());
        for rule in rules {
            let protocol = match rule.protocol {
                Protocol::Any => 0x100_u16,
                Protocol::Number(number) => number.into(),
            };
            let ports = rule.ports.clone().unwrap_or(0..=u16::MAX);
            match rule.range.network() {
                IpAddr::V4(v4) => hash.update(v4.octets()),
                IpAddr::V6(v6) => hash.update(v6.octets()),
            }
            hash.update([rule.range.prefix_len()]);
            for number in [protocol, *ports.start(), *ports.end()] {
                hash.update(number.to_be_bytes());
            }
        }
    }
    // Sets that say nothing of routes keep the number that they have had.
    if set.routes != SubnetRoutes::default() {
        hash.update([u8::from(set.routes.takes_learned)]);
        for (prefix, toward) in &set.routes.by_hand {
            hash.update(prefix.network().octets());
            hash.update([prefix.prefix_len(), u8::from(*toward == Toward::Gateway)]);
        }
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    u32::from_be_bytes([a, b, c, d])
}
