//! Whoever uses the Region: accounts that order and delete, an operator who approves, a technician who plugs, and the
//! customers' routers. They know what they were answered and what they read, and nothing else.

use crate::{
    commands::{Command, Reply, Seen, Short, execute},
    region::{Any, Event, Sim},
    template::Template,
};
use directlink_agent::simulated::Customer;
use directlink_model::{
    connection::{ConnectionState, PortRef},
    ids::{ConnectionId, InterfaceId, PortName},
    view::InterfaceView,
};
use directlink_net::Vlan;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Whoever waits longer for an answer does not know what came of it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct People {
    pub(crate) operations: Vec<Operation>,
    /// What each of them last read; the operator is the last.
    pub(crate) seen: Vec<Seen>,
    plugged: BTreeMap<PortRef, ConnectionId>,
    ever_plugged: BTreeSet<ConnectionId>,
    /// On customers' routers.
    configured: BTreeMap<(usize, PortName, Vlan), InterfaceId>,
    routers: Vec<directlink_model::ids::RouterName>,
}

pub(crate) struct Operation {
    /// The operator is the last.
    pub(crate) actor: usize,
    pub(crate) command: Command,
    pub(crate) asked_at: Duration,
    pub(crate) outcome: Outcome,
}

/// As the one who asked knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Asked,
    /// What was made, or changed.
    Done {
        what: String,
        at: Duration,
    },
    Refused,
    Unknown,
}

impl People {
    pub(crate) fn new(template: &Template) -> Self {
        Self {
            operations: Vec::new(),
            seen: vec![Seen::default(); template.accounts.len() + 1],
            plugged: BTreeMap::new(),
            ever_plugged: BTreeSet::new(),
            configured: BTreeMap::new(),
            routers: template.routers.iter().map(|place| place.name.clone()).collect(),
        }
    }

    /// Ports with a fibre.
    pub(crate) fn plugged(&self) -> Vec<(usize, PortName)> {
        let place = |port: &PortRef| Some((self.router(port)?, port.port.clone()));
        self.plugged.keys().filter_map(place).collect()
    }

    pub(crate) fn is_plugged(&self, router: usize, port: &PortName) -> bool {
        self.plugged().iter().any(|(its, name)| *its == router && name == port)
    }

    /// The technician has plugged a fibre for it once.
    pub(crate) fn was_plugged(&self, id: ConnectionId) -> bool {
        self.ever_plugged.contains(&id)
    }

    pub(crate) fn router(&self, port: &PortRef) -> Option<usize> {
        self.routers.iter().position(|name| *name == port.router)
    }
}

impl Sim<'_> {
    pub(crate) fn operator(&self) -> usize {
        self.template.accounts.len()
    }

    /// One of them does something.
    pub(crate) fn act(&mut self, actor: usize) {
        let wait = if self.is_calm { 3000..8000 } else { 300..2500 };
        let wait = self.dice.millis(wait);
        self.after(wait, Event::Act(actor));
        let works = self.people.seen[actor].maintenances.first().copied();
        if let (true, Some(id)) = (self.is_calm, works) {
            // Nothing is worked on any more, as far as the operator knows.
            self.people.seen[actor].maintenances.remove(0);
            return self.ask(actor, Command::EndDrain(id));
        }
        if self.is_calm || self.dice.percent(35) {
            return self.ask(actor, Command::Read);
        }
        let wish = match actor == self.operator() {
            true => self.wish_of_operator(),
            false => self.wish(actor),
        };
        if let Some(command) = wish {
            self.ask(actor, command);
        }
    }

    /// Whoever approved it could not know that there is light at its port.
    pub(crate) fn was_dark_for(&self, id: ConnectionId, place: &(usize, PortName)) -> bool {
        let Some(&told) = self.memory.told_lit.get(place) else { return true };
        let approves =
            |it: &&Operation| matches!(&it.command, Command::Approve(c) if c.connection == id);
        self.people.operations.iter().filter(approves).any(|it| it.asked_at <= told)
    }

    fn ask(&mut self, actor: usize, command: Command) {
        let operation = self.people.operations.len();
        self.log.note(self.now, format_args!("{operation}: {actor} asks {}", Short(&command)));
        self.let_go(&command);
        let (asked_at, outcome) = (self.now, Outcome::Asked);
        let asked = Operation { actor, command: command.clone(), asked_at, outcome };
        self.people.operations.push(asked);
        let server = self.dice.below(self.servers.len());
        if self.is_calm || !self.dice.percent(self.faults.loss) {
            let wait = self.delay();
            self.after(wait, Event::Request { server, operation, command });
        }
        self.after(PATIENCE, Event::GiveUp { operation });
    }

    /// A request arrives at a server.
    pub(crate) async fn serve(
        &mut self,
        server: usize,
        operation: usize,
        command: Command,
    ) -> Result<(), Any> {
        let actor = self.people.operations[operation].actor;
        let account = self.template.accounts.get(actor).map(|account| account.id);
        let Some(app) = self.app(server) else {
            // Nobody listens, which whoever asked is told.
            let (wait, reply) = (self.delay(), Reply::Refused("no connection".into()));
            self.after(wait, Event::Answer { operation, reply });
            return Ok(());
        };
        let Some(reply) = self.alive(execute(&app, account, command)).await else {
            return self.kill_server(server).await;
        };
        self.log.note(self.now, format_args!("{operation}: server {server} says {reply}"));
        if let Reply::Wrong(what) = reply {
            return Err(format!("operation {operation}: {what}").into());
        }
        self.pass_soon(server);
        if self.is_calm || !self.dice.percent(self.faults.loss) {
            let wait = self.delay();
            self.after(wait, Event::Answer { operation, reply });
        }
        Ok(())
    }

    /// An answer arrives.
    pub(crate) fn hear(&mut self, operation: usize, reply: Reply) -> Result<(), Any> {
        let now = self.now;
        let it = &mut self.people.operations[operation];
        if it.outcome != Outcome::Asked {
            return Ok(());
        }
        let (actor, asked_at) = (it.actor, it.asked_at);
        it.outcome = match &reply {
            Reply::Done(what) => Outcome::Done { what: what.clone(), at: now },
            Reply::Seen(_) => Outcome::Done { what: String::new(), at: now },
            Reply::Refused(_) => Outcome::Refused,
            Reply::Unknown | Reply::Wrong(_) => Outcome::Unknown,
        };
        let Reply::Seen(seen) = reply else { return Ok(()) };
        self.check_read(actor, asked_at, &seen)?;
        if actor == self.operator() {
            self.plug(&seen);
        } else {
            self.configure(actor, &seen)?;
        }
        self.people.seen[actor] = seen;
        Ok(())
    }

    pub(crate) fn give_up(&mut self, operation: usize) {
        let it = &mut self.people.operations[operation];
        if it.outcome == Outcome::Asked {
            it.outcome = Outcome::Unknown;
        }
    }

    /// The technician plugs what is approved, and unplugs what is deleted.
    fn plug(&mut self, seen: &Seen) {
        for view in &seen.connections {
            let own = view.connection.approval.as_ref();
            let Some(approval) = own.filter(|_| view.connection.hosting.is_none()) else {
                continue;
            };
            let (port, id) = (&approval.port, view.connection.id);
            let holder = self.people.plugged.get(port).copied();
            let on = match view.state {
                ConnectionState::Pending if holder.is_none() => true,
                ConnectionState::Deleted if holder == Some(id) => false,
                _ => continue,
            };
            self.people.ever_plugged.insert(id);
            match on {
                true => drop(self.people.plugged.insert(port.clone(), id)),
                false => drop(self.people.plugged.remove(port)),
            }
            if let Some(router) = self.people.router(port) {
                let (wait, port) = (self.dice.millis(100..2000), port.port.clone());
                self.after(wait, Event::Light { router, port, on });
            }
        }
    }

    /// An account's network people do as they read.
    fn configure(&mut self, actor: usize, seen: &Seen) -> Result<(), Any> {
        let account = self.template.accounts[actor].id;
        for view in seen.interfaces.iter().filter(|view| view.interface.owner == account) {
            let (it, approval) = (&view.interface, &view.connection.approval);
            let Some(port) = approval.as_ref().map(|approval| &approval.port) else { continue };
            let Some(router) = self.people.router(port) else { continue };
            let place = (router, port.port.clone(), it.vlan);
            let is_wanted = view.state.is_wanted();
            let customer = match (is_wanted, self.people.configured.get(&place)) {
                (true, other) if other != Some(&it.id) => Some(self.customer(view)?),
                (false, Some(other)) if *other == it.id => None,
                _ => continue,
            };
            if is_wanted {
                self.leave_former_place(it.id)?;
                self.people.configured.insert(place, it.id);
            } else {
                self.people.configured.remove(&place);
            }
            self.log.note(self.now, format_args!("{actor} configures {}: {is_wanted}", it.id));
            let line = &mut self.lines[router];
            line.router.run(self.now);
            line.router.set_customer((port.port.clone(), it.vlan), customer);
            self.run_router(router)?;
        }
        Ok(())
    }

    /// A customer's router is on one VLAN at a time.
    fn leave_former_place(&mut self, id: InterfaceId) -> Result<(), Any> {
        let mut all = self.people.configured.iter();
        let Some((place, _)) = all.find(|(_, its)| **its == id) else { return Ok(()) };
        let (router, port, vlan) = place.clone();
        self.people.configured.remove(&(router, port.clone(), vlan));
        let line = &mut self.lines[router];
        line.router.run(self.now);
        line.router.set_customer((port, vlan), None);
        self.run_router(router)
    }

    /// As it should be, or with the wrong key.
    fn customer(&mut self, view: &InterfaceView) -> Result<Customer, Any> {
        let it = &view.interface;
        let is_wrong = self.dice.percent(5);
        let third = it.id.bits() % 200;
        Ok(Customer {
            asn: it.asn,
            router_asn: 50_624u32.try_into()?,
            key: match is_wrong {
                true => Some("another26key".to_owned().try_into()?),
                false => it.key.clone(),
            },
            addresses: it.peer,
            announces: [format!("192.168.{third}.0/24").parse()?].into(),
        })
    }

    /// Whoever it was offered to has moved it to a connection of theirs, which is nobody else's to see.
    fn was_taken_away(&self, from: usize, id: &str) -> bool {
        self.people.operations.iter().any(|it| {
            let Command::Move(c) = &it.command else { return false };
            it.actor != from && it.outcome != Outcome::Refused && c.id.to_string() == id
        })
    }

    /// What was acknowledged before somebody asked is in what they read, whichever server they asked.
    fn check_read(&self, actor: usize, asked_at: Duration, seen: &Seen) -> Result<(), Any> {
        for (n, it) in self.people.operations.iter().enumerate() {
            let Outcome::Done { what, at } = &it.outcome else { continue };
            if it.actor != actor || *at >= asked_at {
                continue;
            }
            let is_there = match &it.command {
                Command::Order { .. } => {
                    seen.connections.iter().any(|view| view.connection.id.to_string() == *what)
                }
                Command::Create(_) => {
                    seen.interfaces.iter().any(|view| view.interface.id.to_string() == *what)
                        || self.was_taken_away(actor, what)
                }
                _ => true,
            };
            if !is_there {
                return Err(format!("{what}, acknowledged to operation {n}, is not read").into());
            }
        }
        Ok(())
    }
}
