//! What people want next, of what they last read: not always what may be had.

use crate::{
    commands::{Command, Seen},
    dice::Dice,
    region::Sim,
    template::{Account, LOCATIONS},
};
use directlink_model::{
    command::{
        AllocateConnection, ApproveOrder, ConfirmInterface, CreateInterface, CreateLag,
        LinkGateway, MoveInterface, SetMember, StartFailoverTest,
    },
    connection::{Bandwidth, ConnectionState, PortRef},
    hosting::Capacity,
    interface::InterfaceState,
    lag::{LagState, Trunk},
    maintenance::{Target, Wish},
    tag_set::TagSet,
    view::{ConnectionView, InterfaceView},
};
use directlink_net::{Mtu, Vlan};
use jiff::SignedDuration;

const VLANS: u16 = 6;

/// What people of a run do beside orders and interfaces. Not all of it in each, so that acts meet often.
#[derive(Debug)]
pub(crate) struct Habits {
    lags: bool,
    shares: bool,
    moves: bool,
    tests: bool,
    drains: bool,
}

impl Habits {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut has = || dice.percent(30);
        Self { lags: has(), shares: has(), moves: has(), tests: has(), drains: has() }
    }
}

fn is_there(view: &&ConnectionView) -> bool {
    !matches!(view.state, ConnectionState::Deleted | ConnectionState::Rejected)
}

fn is_open(view: &&ConnectionView) -> bool {
    view.state == ConnectionState::Available
}

fn is_live(view: &&InterfaceView) -> bool {
    view.state.is_live()
}

fn vlan(dice: &mut Dice) -> Vlan {
    let vlan = 100 + u16::try_from(dice.below(usize::from(VLANS))).unwrap_or(0);
    vlan.try_into().unwrap_or_else(|_| unreachable!("a VLAN"))
}

impl Sim<'_> {
    pub(crate) fn wish_of_operator(&mut self) -> Option<Command> {
        let seen = self.people.seen[self.operator()].clone();
        if self.habits.drains && self.dice.percent(15) {
            return match self.dice.pick(&seen.maintenances) {
                Some(&id) if self.dice.percent(60) => Some(Command::EndDrain(id)),
                _ => Some(Command::Drain(self.drain(&seen)?)),
            };
        }
        let waiting = seen.connections.iter().filter(|c| c.state == ConnectionState::Requested);
        let waiting: Vec<_> = waiting.map(|c| c.connection.id).collect();
        let connection = *self.dice.pick(&waiting)?;
        if self.dice.percent(5) {
            return Some(Command::Refuse(connection));
        }
        let port = self.dice.percent(40).then(|| {
            let router = self.dice.below(self.template.routers.len());
            let place = &self.template.routers[router];
            let port = place.ports[self.dice.below(place.ports.len())].clone();
            PortRef { router: place.name.clone(), port }
        });
        Some(Command::Approve(ApproveOrder { connection, port }))
    }

    fn drain(&mut self, seen: &Seen) -> Option<Wish> {
        let live: Vec<_> = seen.interfaces.iter().filter(is_live).collect();
        let target = match self.dice.below(3) {
            0 => Target::Router(self.dice.pick(&self.template.routers)?.name.clone()),
            1 => Target::Connection(self.dice.pick(&seen.connections)?.connection.id),
            _ => Target::Interface(self.dice.pick(&live)?.interface.id),
        };
        let (reason, at_most) = ("a line card".into(), SignedDuration::from_secs(10));
        Some(Wish { target, reason, from: None, until: None, at_most })
    }

    pub(crate) fn wish(&mut self, actor: usize) -> Option<Command> {
        let account = self.template.accounts[actor].clone();
        let seen = self.people.seen[actor].clone();
        let connections: Vec<_> = seen.connections.iter().filter(is_there).collect();
        let live: Vec<_> = seen.interfaces.iter().filter(is_live).collect();
        let name = format!("operation {}", self.people.operations.len());
        match self.dice.below(130) {
            0..25 if connections.len() < 4 => {
                Some(Command::Order { name, location: LOCATIONS[self.dice.below(2)] })
            }
            25..65 => Some(Command::Create(self.interface(actor, name, &seen)?)),
            65..75 => self.confirmation(&account, &seen),
            75..82 => {
                let id = self.dice.pick(&live)?.interface.id;
                let mtu = if self.dice.percent(50) { Mtu::MAX } else { Mtu::MIN };
                Some(Command::ChangeMtu(id, mtu))
            }
            82..87 => {
                let &(gateway, _) = self.dice.pick(&account.gateways)?;
                let &(_, net) = self.dice.pick(&account.gateways)?;
                let link = LinkGateway { gateway, net };
                Some(match self.dice.percent(60) {
                    true => Command::Link(link),
                    false => Command::Unlink(link),
                })
            }
            87..96 => Some(Command::DeleteInterface(self.dice.pick(&live)?.interface.id)),
            96..100 => Some(Command::DeleteConnection(self.dice.pick(&connections)?.connection.id)),
            100..110 if self.habits.lags => self.wish_of_lags(name, &seen),
            110..118 if self.habits.shares => self.share(actor, name, &seen),
            118..122 if self.habits.moves => {
                let (id, to) = (self.dice.pick(&live)?.interface.id, self.trunk(&seen)?);
                Some(Command::Move(MoveInterface { id, to }))
            }
            122..130 if self.habits.tests => {
                let own: Vec<_> =
                    live.iter().filter(|it| it.interface.owner == account.id).collect();
                let it = self.dice.pick(&own)?;
                let interface = it.interface.id;
                let start = StartFailoverTest { interface, peers: vec![], minutes: Some(1) };
                Some(match it.state {
                    InterfaceState::Testing => Command::StopTest(interface),
                    _ => Command::StartTest(start),
                })
            }
            _ => None,
        }
    }

    /// Of what others have offered, in time and too late.
    fn confirmation(&mut self, account: &Account, seen: &Seen) -> Option<Command> {
        let waits = |it: &&InterfaceView| {
            let was_offered = matches!(
                it.state,
                InterfaceState::Confirming | InterfaceState::Expired | InterfaceState::Rejected
            );
            it.interface.owner == account.id && was_offered
        };
        let waiting: Vec<_> = seen.interfaces.iter().filter(waits).collect();
        let id = self.dice.pick(&waiting)?.interface.id;
        let gateway = self.dice.pick(&account.gateways)?.0;
        Some(Command::Confirm(ConfirmInterface { id, gateway }))
    }

    /// A connection, or a LAG.
    fn trunk(&mut self, seen: &Seen) -> Option<Trunk> {
        let is_up = |state| matches!(state, LagState::Available | LagState::Down);
        let lags = seen.lags.iter().filter(|it| is_up(it.state)).map(|it| it.lag.id);
        let open = seen.connections.iter().filter(is_open);
        let open = open.filter(|c| c.connection.lag.is_none()).map(|c| c.connection.id.into());
        let trunks: Vec<Trunk> = lags.map(Trunk::from).chain(open).collect();
        self.dice.pick(&trunks).copied()
    }

    fn wish_of_lags(&mut self, name: String, seen: &Seen) -> Option<Command> {
        let there: Vec<_> = seen.lags.iter().filter(|it| it.state != LagState::Deleted).collect();
        let Some(&lag) = self.dice.pick(&there) else {
            return Some(Command::CreateLag(CreateLag {
                name,
                location: LOCATIONS[self.dice.below(2)].into(),
                bandwidth: Bandwidth::OneGbps,
                count: 2,
                connection: None,
                tags: TagSet::default(),
                member_tags: TagSet::default(),
            }));
        };
        let (id, all) = (lag.lag.id, seen.connections.iter().filter(is_there));
        let all: Vec<_> = all.filter(|c| c.connection.hosting.is_none()).collect();
        match self.dice.below(10) {
            0..5 => {
                let connection = self.dice.pick(&all)?.connection.id;
                Some(Command::Join(SetMember { lag: id, connection }))
            }
            5..9 => {
                let connection = self.dice.pick(&lag.members)?.connection.id;
                Some(Command::Leave(SetMember { lag: id, connection }))
            }
            _ => Some(Command::DeleteLag(id)),
        }
    }

    /// Offers a share of a connection to the other account, or takes one.
    fn share(&mut self, actor: usize, name: String, seen: &Seen) -> Option<Command> {
        let is_offered = |c: &&ConnectionView| {
            let waits = matches!(c.state, ConnectionState::Ordering | ConnectionState::Rejected);
            c.connection.hosting.is_some() && waits
        };
        let offered: Vec<_> = seen.connections.iter().filter(is_offered).collect();
        if let Some(it) = self.dice.pick(&offered)
            && self.dice.percent(60)
        {
            return Some(Command::TakeShare(it.connection.id));
        }
        let accounts = &self.template.accounts;
        let owner = accounts[(actor + 1) % accounts.len()].id;
        let open: Vec<_> = seen.connections.iter().filter(is_open).collect();
        let parent = self.dice.pick(&open)?.connection.id;
        Some(Command::Allocate(AllocateConnection {
            parent,
            owner,
            name,
            vlan: vlan(&mut self.dice),
            capacity: *self.dice.pick(&[Capacity::Mbps200, Capacity::Mbps500])?,
            tags: TagSet::default(),
        }))
    }

    fn interface(&mut self, actor: usize, name: String, seen: &Seen) -> Option<CreateInterface> {
        let trunk = self.trunk(seen)?;
        let on = seen.connections.iter().find(|c| trunk == Trunk::from(c.connection.id));
        let share = on.and_then(|c| c.connection.hosting.as_ref()).map(|share| share.vlan);
        let accounts = &self.template.accounts;
        let vlan = share.unwrap_or_else(|| vlan(&mut self.dice));
        let for_another = self.dice.percent(20);
        let another = accounts[(actor + 1) % accounts.len()].id;
        let gateway = self.dice.pick(&accounts[actor].gateways).map(|(gateway, _)| *gateway);
        Some(CreateInterface {
            trunk,
            owner: for_another.then_some(another),
            name,
            vlan,
            asn: 65_000u32.try_into().unwrap_or_else(|_| unreachable!("a private AS number")),
            key: self.dice.percent(50).then(|| {
                "tgyn26example".to_owned().try_into().unwrap_or_else(|_| unreachable!("short"))
            }),
            ipv6: false,
            router_address: None,
            customer_address: None,
            mtu: Mtu::MAX,
            gateway: gateway.filter(|_| !for_another),
            tags: TagSet::default(),
        })
    }
}
