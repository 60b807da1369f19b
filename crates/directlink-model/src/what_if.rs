//! What would come of it? A change that nobody has made, on things as they are: which routes each Net
//! gains and loses, what of it the customer's ranges reach, and what then depends on one place. Pure.
//!
//! ```text
//!   world ──────────────► seen(Net): routes, reach, weak points ─┐
//!     │ change                                                   ├─► effect: what differs
//!     ▼                                                          │
//!   world' ─────────────► seen(Net) ─────────────────────────────┘
//! ```
//!
//! A way that is not there yet is supposed to work, and its customer to announce on it what is
//! announced on the Net's other ways, unless it is said what.

use crate::{
    coverage::{self, Way},
    ids::{
        AccountId, ConnectionId, InterfaceId, LocationCode, NetId, NicId, RouterName,
        SecurityGroupId,
    },
    maintenance::Target,
    net::Nic,
    plan::permissions,
    security_group::{Admission, Flow, Protocol, SecurityGroup, SecurityGroupRule},
};
use directlink_net::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// What there is, as far as the asker may know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    pub ways: Vec<Way>,
    pub nets: BTreeMap<NetId, Place>,
}

/// A Net, and what guards it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub owner: AccountId,
    pub nics: Vec<Nic>,
    pub groups: Vec<SecurityGroup>,
}

/// The hypothetical command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// None: how things are.
    Nothing,
    /// What runs there is lost, drained or deleted: to Nets it is the same.
    Gone(Target),
    /// Further interfaces to these Nets, or to all.
    NewWays(NewWays),
    AddRule(SecurityGroupId, Flow, Admission),
    RemoveRule(SecurityGroupId, Flow, Admission),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWays {
    pub net: Option<NetId>,
    pub location: LocationCode,
    /// `None`: one that has nothing else of it yet.
    pub router: Option<RouterName>,
    /// What the customer would announce, if it is not as elsewhere.
    pub prefixes: Option<BTreeSet<IpNet>>,
}

/// What differs for one Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub net: NetId,
    pub owner: AccountId,
    /// Whether some way leads there: before, after.
    pub is_reached: [bool; 2],
    pub routes: Difference<IpNet>,
    pub reach: Difference<Opening>,
    /// Places whose loss makes it unreachable.
    pub weak: Difference<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<T: Ord> {
    pub gained: BTreeSet<T>,
    pub lost: BTreeSet<T>,
    /// What is the same in both.
    pub kept: BTreeSet<T>,
}

/// A customer's range that a NIC lets in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    pub nic: NicId,
    pub from: IpNet,
    pub protocol: Protocol,
}

impl Effect {
    /// Whether anything differs.
    pub fn is_felt(&self) -> bool {
        let [before, after] = self.is_reached;
        before != after || self.routes.is_felt() || self.reach.is_felt() || self.weak.is_felt()
    }
}

impl<T: Ord + Clone> Difference<T> {
    fn of(before: &BTreeSet<T>, after: &BTreeSet<T>) -> Self {
        Self {
            gained: after.difference(before).cloned().collect(),
            lost: before.difference(after).cloned().collect(),
            kept: before.intersection(after).cloned().collect(),
        }
    }

    pub fn is_felt(&self) -> bool {
        !self.gained.is_empty() || !self.lost.is_empty()
    }
}

/// Of each Net that feels it; of every Net if nothing is changed.
pub fn what_if(world: &World, change: &Change) -> Vec<Effect> {
    let after = world.after(change);
    let effect = |(&net, place): (&NetId, &Place)| {
        let [was, is] = [world.seen(net), after.seen(net)];
        Effect {
            net,
            owner: place.owner,
            is_reached: [was.is_reached, is.is_reached],
            routes: Difference::of(&was.routes, &is.routes),
            reach: Difference::of(&was.reach, &is.reach),
            weak: Difference::of(&was.weak, &is.weak),
        }
    };
    let effects = world.nets.iter().map(effect);
    effects.filter(|effect| *change == Change::Nothing || effect.is_felt()).collect()
}

/// What can be said of one Net.
struct Seen {
    is_reached: bool,
    routes: BTreeSet<IpNet>,
    reach: BTreeSet<Opening>,
    weak: BTreeSet<Target>,
}

impl World {
    fn after(&self, change: &Change) -> Self {
        let mut world = self.clone();
        match change {
            Change::Nothing => {}
            Change::Gone(target) => world.ways.retain(|way| !way.is_on(target)),
            Change::NewWays(new) => {
                let nets = self.nets.iter().filter(|(net, _)| new.net.is_none_or(|it| it == **net));
                world.ways.extend(nets.map(|(net, place)| self.new_way(*net, place.owner, new)));
            }
            Change::AddRule(group, flow, admission) => world.change_group(*group, |rules| {
                let id = crate::ids::SecurityGroupRuleId::from_bits(0);
                rules.push(SecurityGroupRule { id, flow: *flow, admission: *admission });
            }),
            Change::RemoveRule(group, flow, admission) => world.change_group(*group, |rules| {
                rules.retain(|rule| (rule.flow, rule.admission) != (*flow, *admission));
            }),
        }
        world
    }

    fn new_way(&self, net: NetId, owner: AccountId, new: &NewWays) -> Way {
        let elsewhere = || self.open(net).flat_map(|way| way.learned.iter().copied()).collect();
        // One that nothing else depends on: a location's own code is no router's name by custom.
        let unknown = || {
            let name = new.location.as_str().parse();
            name.unwrap_or_else(|_| unreachable!("a location's code is a name"))
        };
        Way {
            interface: InterfaceId::from_bits(0),
            owner,
            connection: ConnectionId::from_bits(0),
            wire: ConnectionId::from_bits(0),
            router: new.router.clone().unwrap_or_else(unknown),
            location: new.location.clone(),
            net,
            is_open: true,
            learned: new.prefixes.clone().unwrap_or_else(elsewhere),
        }
    }

    fn change_group(&mut self, id: SecurityGroupId, change: impl Fn(&mut Vec<SecurityGroupRule>)) {
        let groups = self.nets.values_mut().flat_map(|place| &mut place.groups);
        groups.filter(|group| group.id == id).for_each(|group| change(&mut group.rules));
    }

    fn open(&self, net: NetId) -> impl Iterator<Item = &Way> {
        self.ways.iter().filter(move |way| way.net == net && way.is_open)
    }

    fn seen(&self, net: NetId) -> Seen {
        let routes: BTreeSet<_> = self.open(net).flat_map(|way| way.learned.clone()).collect();
        let ways: Vec<_> = self.open(net).cloned().collect();
        let weak = coverage::weak_points(&ways).into_iter();
        let weak = weak.filter(|(_, shades)| shades.iter().any(|shade| shade.is_dark));
        Seen {
            is_reached: !ways.is_empty(),
            reach: self.nets.get(&net).map(|place| place.reach(&routes)).unwrap_or_default(),
            weak: weak.map(|(target, _)| target).collect(),
            routes,
        }
    }
}

impl Place {
    /// What the rules of its NICs let in from these ranges.
    fn reach(&self, ranges: &BTreeSet<IpNet>) -> BTreeSet<Opening> {
        let mut reach = BTreeSet::new();
        for nic in &self.nics {
            for permission in permissions((nic, Flow::Inbound), &self.groups, &self.nics) {
                let from = ranges.iter().filter_map(|range| both(*range, permission.range));
                let (nic, protocol) = (nic.id, permission.protocol);
                reach.extend(from.map(|from| Opening { nic, from, protocol }));
            }
        }
        reach
    }
}

/// The narrower one of two ranges of which one holds the other.
fn both(one: IpNet, other: IpNet) -> Option<IpNet> {
    match (one.contains(&other), other.contains(&one)) {
        (true, _) => Some(other),
        (false, true) => Some(one),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{SecurityGroupRuleId, SubnetId},
        security_group::{OtherSide, PortRange},
    };
    use directlink_net::Mac;
    use jiff::Timestamp;
    use std::net::Ipv4Addr;

    const NET: NetId = NetId::from_bits(7);
    const GROUP: SecurityGroupId = SecurityGroupId::from_bits(3);
    const A: &str = "10.9.0.0/16";
    const B: &str = "10.8.0.0/16";

    fn prefixes(texts: &[&str]) -> BTreeSet<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn way(n: u32, location: &str, learned: &[&str]) -> Way {
        Way {
            interface: InterfaceId::from_bits(n),
            owner: AccountId::from_number(1),
            connection: ConnectionId::from_bits(n),
            wire: ConnectionId::from_bits(n),
            router: format!("{location}-r1").parse().unwrap(),
            location: location.parse().unwrap(),
            net: NET,
            is_open: true,
            learned: prefixes(learned),
        }
    }

    fn tcp(port: u16, range: &str) -> Admission {
        let protocol = Protocol::Tcp(PortRange { from: port, to: port });
        Admission { protocol, other: OtherSide::Range(range.parse().unwrap()) }
    }

    fn place(rules: &[Admission]) -> Place {
        let rule = |admission: &Admission| SecurityGroupRule {
            id: SecurityGroupRuleId::from_bits(1),
            flow: Flow::Inbound,
            admission: *admission,
        };
        let account = AccountId::from_number(1);
        let group = SecurityGroup {
            id: GROUP,
            account,
            net: NET,
            name: "hosts".into(),
            description: String::new(),
            rules: rules.iter().map(rule).collect(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        let nic = Nic {
            id: NicId::from_bits(4),
            account,
            subnet: SubnetId::from_bits(1),
            net: NET,
            address: Ipv4Addr::new(10, 0, 0, 4),
            mac: Mac([2, 0, 0, 0, 0, 4]),
            description: String::new(),
            security_groups: vec![GROUP],
            vtep: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        Place { owner: account, nics: vec![nic], groups: vec![group] }
    }

    fn world(ways: Vec<Way>, rules: &[Admission]) -> World {
        World { ways, nets: [(NET, place(rules))].into() }
    }

    /// `+route -route +reach …`, in words.
    fn text(effects: &[Effect]) -> String {
        let mut words = vec![];
        for effect in effects {
            let [before, after] = effect.is_reached;
            if before != after {
                words.push(if after { "lit".to_owned() } else { "dark".to_owned() });
            }
            let signed = |sign, it: &dyn ToString| format!("{sign}{}", it.to_string());
            words.extend(effect.routes.gained.iter().map(|it| signed('+', it)));
            words.extend(effect.routes.lost.iter().map(|it| signed('-', it)));
            words.extend(effect.reach.gained.iter().map(|it| format!("opens {}", it.from)));
            words.extend(effect.reach.lost.iter().map(|it| format!("closes {}", it.from)));
            words.extend(effect.weak.gained.iter().map(|it| format!("depends on {it}")));
            words.extend(effect.weak.lost.iter().map(|it| format!("free of {it}")));
        }
        words.join("; ")
    }

    fn location(code: &str) -> Change {
        Change::Gone(Target::read("location", code).unwrap())
    }

    #[test]
    fn each_change_has_its_effect() {
        let lan = [tcp(22, A)];
        let one = world(vec![way(1, "PAR1", &[A])], &lan);
        let two = world(vec![way(1, "PAR1", &[A, B]), way(2, "PAR4", &[A])], &lan);
        let new = |net, prefixes| {
            let location = "PAR4".parse().unwrap();
            Change::NewWays(NewWays { net, location, router: None, prefixes })
        };
        let rows = [
            (
                "the only location",
                &one,
                location("PAR1"),
                "dark; -10.9.0.0/16; closes 10.9.0.0/16; free of location PAR1; free of router PAR1-r1",
            ),
            (
                "one of two",
                &two,
                location("PAR1"),
                "-10.8.0.0/16; depends on location PAR4; depends on router PAR4-r1",
            ),
            ("one that carries nothing", &one, location("PAR4"), ""),
            (
                "an interface",
                &two,
                Change::Gone(Target::Interface(InterfaceId::from_bits(2))),
                "depends on location PAR1; depends on router PAR1-r1",
            ),
            (
                "an order elsewhere",
                &one,
                new(None, None),
                "free of location PAR1; free of router PAR1-r1",
            ),
            (
                "an interface that announces more",
                &one,
                new(Some(NET), Some(prefixes(&[A, B]))),
                "+10.8.0.0/16; free of location PAR1; free of router PAR1-r1",
            ),
            ("an interface to another Net", &one, new(Some(NetId::from_bits(9)), None), ""),
            (
                "a rule for what is announced",
                &one,
                Change::AddRule(GROUP, Flow::Inbound, tcp(80, "10.0.0.0/8")),
                "opens 10.9.0.0/16",
            ),
            (
                "a rule for what nobody announces",
                &one,
                Change::AddRule(GROUP, Flow::Inbound, tcp(80, "172.16.0.0/12")),
                "",
            ),
            (
                "a narrower rule",
                &one,
                Change::AddRule(GROUP, Flow::Inbound, tcp(80, "10.9.7.0/24")),
                "opens 10.9.7.0/24",
            ),
            (
                "a rule goes",
                &one,
                Change::RemoveRule(GROUP, Flow::Inbound, tcp(22, A)),
                "closes 10.9.0.0/16",
            ),
            ("a rule out", &one, Change::AddRule(GROUP, Flow::Outbound, tcp(80, A)), ""),
        ];
        for (what, world, change, expected) in rows {
            assert_eq!(text(&what_if(world, &change)), expected, "{what}");
        }
    }

    #[test]
    fn without_a_change_each_net_is_told_of_as_it_is() {
        let told = what_if(&world(vec![way(1, "PAR1", &[A])], &[tcp(22, A)]), &Change::Nothing);
        assert!(told.len() == 1 && !told[0].is_felt());
        assert_eq!(
            (told[0].routes.kept.len(), told[0].reach.kept.len(), told[0].weak.kept.len()),
            (1, 1, 2)
        );
    }
}
