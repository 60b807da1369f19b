//! Whoever uses the Region: accounts that order and delete, an operator who approves, a technician who plugs, and the
//! customers' routers. They know what they were answered and what they read, and nothing else.

use crate::{
    region::{Any, Event, Sim},
    template::{LOCATIONS, Template},
};
use directlink_agent::simulated::Customer;
use directlink_model::{
    account::Caller,
    command::{
        ApproveOrder, ChangeInterface, ConfirmInterface, CreateInterface, LinkGateway,
        OrderConnection,
    },
    connection::{Bandwidth, ConnectionState, PortRef},
    ids::{AccountId, ConnectionId, InterfaceId, PortName},
    interface::InterfaceState,
    needs::Needs,
    tag_set::TagSet,
    view::{ConnectionView, InterfaceView},
};
use directlink_net::{Mtu, Vlan};
use directlink_server::{
    app::{App, InterfaceFilter, Refusal},
    store,
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Whoever waits longer for an answer does not know what came of it.
const PATIENCE: Duration = Duration::from_secs(30);
const VLANS: u16 = 6;

pub(crate) struct People {
    pub(crate) operations: Vec<Operation>,
    /// What each of them last read; the operator is the last.
    seen: Vec<Seen>,
    plugged: BTreeMap<PortRef, ConnectionId>,
    /// On customers' routers.
    configured: BTreeMap<(usize, PortName, Vlan), InterfaceId>,
    routers: Vec<directlink_model::ids::RouterName>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    connections: Vec<ConnectionView>,
    interfaces: Vec<InterfaceView>,
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

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Order { name: String, location: &'static str },
    Approve(ApproveOrder),
    Create(CreateInterface),
    Confirm(ConfirmInterface),
    ChangeMtu(InterfaceId, Mtu),
    Link(LinkGateway),
    Unlink(LinkGateway),
    DeleteInterface(InterfaceId),
    DeleteConnection(ConnectionId),
    Read,
}

pub(crate) enum Reply {
    Done(String),
    Seen(Seen),
    Refused(String),
    Unknown,
}

impl People {
    pub(crate) fn new(template: &Template) -> Self {
        Self {
            operations: Vec::new(),
            seen: vec![Seen::default(); template.accounts.len() + 1],
            plugged: BTreeMap::new(),
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

    pub(crate) fn router(&self, port: &PortRef) -> Option<usize> {
        self.routers.iter().position(|name| *name == port.router)
    }
}

impl Sim<'_> {
    fn operator(&self) -> usize {
        self.template.accounts.len()
    }

    /// One of them does something.
    pub(crate) fn act(&mut self, actor: usize) {
        let wait = if self.is_calm { 3000..8000 } else { 300..2500 };
        let wait = self.dice.millis(wait);
        self.after(wait, Event::Act(actor));
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

    fn wish_of_operator(&mut self) -> Option<Command> {
        let seen = &self.people.seen[self.operator()];
        let waiting = seen.connections.iter().filter(|c| c.state == ConnectionState::Requested);
        let waiting: Vec<_> = waiting.map(|c| c.connection.id).collect();
        let connection = *self.dice.pick(&waiting)?;
        let port = self.dice.percent(40).then(|| {
            let router = self.dice.below(self.template.routers.len());
            let place = &self.template.routers[router];
            let port = place.ports[self.dice.below(place.ports.len())].clone();
            PortRef { router: place.name.clone(), port }
        });
        Some(Command::Approve(ApproveOrder { connection, port }))
    }

    fn wish(&mut self, actor: usize) -> Option<Command> {
        let account = self.template.accounts[actor].clone();
        let seen = self.people.seen[actor].clone();
        let is_there =
            |state| !matches!(state, ConnectionState::Deleted | ConnectionState::Rejected);
        let connections: Vec<_> = seen.connections.iter().filter(|c| is_there(c.state)).collect();
        let live: Vec<_> = seen.interfaces.iter().filter(|it| it.state.is_live()).collect();
        let name = format!("operation {}", self.people.operations.len());
        match self.dice.below(100) {
            0..25 if connections.len() < 4 => {
                Some(Command::Order { name, location: LOCATIONS[self.dice.below(2)] })
            }
            25..65 => {
                let open = |c: &&&ConnectionView| c.state == ConnectionState::Available;
                let open: Vec<_> = connections.iter().filter(open).collect();
                let connection = self.dice.pick(&open)?.connection.id;
                Some(Command::Create(self.interface(actor, name, connection)))
            }
            65..75 => {
                let own = |it: &&&InterfaceView| it.interface.owner == account.id;
                let waits =
                    |it: &&&InterfaceView| own(it) && it.state == InterfaceState::Confirming;
                let waiting: Vec<_> = live.iter().filter(waits).collect();
                let id = self.dice.pick(&waiting)?.interface.id;
                let gateway = self.dice.pick(&account.gateways)?.0;
                Some(Command::Confirm(ConfirmInterface { id, gateway }))
            }
            75..82 => {
                let id = self.dice.pick(&live)?.interface.id;
                let mtu = if self.dice.percent(50) { Mtu::MAX } else { Mtu::MIN };
                Some(Command::ChangeMtu(id, mtu))
            }
            82..87 => {
                let &(gateway, net) = self.dice.pick(&account.gateways)?;
                let link = LinkGateway { gateway, net };
                Some(match self.dice.percent(60) {
                    true => Command::Link(link),
                    false => Command::Unlink(link),
                })
            }
            87..96 => Some(Command::DeleteInterface(self.dice.pick(&live)?.interface.id)),
            _ => Some(Command::DeleteConnection(self.dice.pick(&connections)?.connection.id)),
        }
    }

    fn interface(&mut self, actor: usize, name: String, on: ConnectionId) -> CreateInterface {
        let accounts = &self.template.accounts;
        let vlan = 100 + u16::try_from(self.dice.below(usize::from(VLANS))).unwrap_or(0);
        let for_another = self.dice.percent(20);
        let another = accounts[(actor + 1) % accounts.len()].id;
        let gateway = self.dice.pick(&accounts[actor].gateways).map(|(gateway, _)| *gateway);
        CreateInterface {
            trunk: on.into(),
            owner: for_another.then_some(another),
            name,
            vlan: vlan.try_into().unwrap_or_else(|_| unreachable!("a VLAN")),
            asn: 65_000u32.try_into().unwrap_or_else(|_| unreachable!("a private AS number")),
            key: self.dice.percent(50).then(|| {
                "tgyn26example".to_owned().try_into().unwrap_or_else(|_| unreachable!("short"))
            }),
            router_address: None,
            customer_address: None,
            mtu: Mtu::MAX,
            gateway: gateway.filter(|_| !for_another),
            tags: TagSet::default(),
        }
    }

    fn ask(&mut self, actor: usize, command: Command) {
        let operation = self.people.operations.len();
        self.log.note(self.now, format_args!("{operation}: {actor} asks {}", Short(&command)));
        if let Command::DeleteInterface(id) = &command {
            self.firm.remove(id);
        }
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
            Reply::Unknown => Outcome::Unknown,
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
            let Some(approval) = &view.connection.approval else { continue };
            let (port, id) = (&approval.port, view.connection.id);
            let holder = self.people.plugged.get(port).copied();
            let on = match view.state {
                ConnectionState::Pending if holder.is_none() => true,
                ConnectionState::Deleted if holder == Some(id) => false,
                _ => continue,
            };
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
            match is_wanted {
                true => drop(self.people.configured.insert(place, it.id)),
                false => drop(self.people.configured.remove(&place)),
            }
            self.log.note(self.now, format_args!("{actor} configures {}: {is_wanted}", it.id));
            let line = &mut self.lines[router];
            line.router.run(self.now);
            line.router.set_customer((port.port.clone(), it.vlan), customer);
            self.run_router(router)?;
        }
        Ok(())
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

async fn execute(app: &App, account: Option<AccountId>, command: Command) -> Reply {
    let outcome = match account {
        Some(account) => as_customer(app, account, command).await,
        None => as_operator(app, command).await,
    };
    match outcome {
        Ok(reply) => reply,
        Err(Refusal::Fault(fault)) => Reply::Refused(format!("{fault:?}")),
        Err(Refusal::Error(store::Error::Unknown)) => Reply::Unknown,
        // As the dialects have it: it changed nothing.
        Err(Refusal::Error(error)) => Reply::Refused(format!("{error:?}")),
    }
}

async fn as_operator(app: &App, command: Command) -> Result<Reply, Refusal> {
    Ok(match command {
        Command::Approve(c) => {
            let view = app.approve_order(c).await?;
            let port = view.connection.approval.map(|approval| approval.port.to_string());
            Reply::Done(port.unwrap_or_default())
        }
        _ => Reply::Seen(Seen {
            connections: app.all_connections(None).await?,
            interfaces: app.all_interfaces().await?,
        }),
    })
}

async fn as_customer(app: &App, account: AccountId, command: Command) -> Result<Reply, Refusal> {
    let ctx = app.context(Caller { account }, false);
    Ok(Reply::Done(match command {
        Command::Order { name, location } => {
            let order = OrderConnection {
                name,
                location: location.into(),
                bandwidth: Bandwidth::OneGbps,
                lag: None,
                tags: TagSet::default(),
                needs: Needs::default(),
            };
            app.order_connection(&ctx, order).await?.connection.id.to_string()
        }
        Command::Create(c) => app.create_interface(&ctx, c).await?.interface.id.to_string(),
        Command::Confirm(c) => app.confirm_interface(&ctx, c).await?.interface.id.to_string(),
        Command::ChangeMtu(id, mtu) => {
            let change = ChangeInterface { id, mtu: Some(mtu), name: None };
            app.change_interface(&ctx, change).await?.interface.id.to_string()
        }
        Command::Link(c) => {
            app.link_gateway(&ctx, c).await?;
            String::new()
        }
        Command::Unlink(c) => {
            app.unlink_gateway(&ctx, c).await?;
            String::new()
        }
        Command::DeleteInterface(id) => {
            app.delete_interface(&ctx, id).await?.interface.id.to_string()
        }
        Command::DeleteConnection(id) => {
            app.delete_connection(&ctx, id).await?.connection.id.to_string()
        }
        Command::Approve(_) | Command::Read => {
            let connections = app.connections(&ctx, None).await?;
            let interfaces = app.interfaces(&ctx, &InterfaceFilter::default()).await?;
            return Ok(Reply::Seen(Seen { connections, interfaces }));
        }
    }))
}

/// A command in few words.
struct Short<'a>(&'a Command);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::Create(c) => write!(f, "interface '{}' {:?} {}", c.name, c.trunk, c.vlan),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(what) => write!(f, "done {what}"),
            Self::Seen(seen) => {
                write!(f, "{} and {}", seen.connections.len(), seen.interfaces.len())
            }
            Self::Refused(why) => write!(f, "no: {why}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
