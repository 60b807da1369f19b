//! What must hold: always, at every read, and when all has come to rest.

use crate::{
    people::{Command, Operation, Outcome},
    region::{Any, Sim},
    template::{self, START},
};
use directlink_agent::simulated::Truth;
use directlink_model::{
    connection::{ConnectionState, PortRef},
    ids::{InterfaceId, PortName},
    interface::InterfaceState,
    view::{ConnectionView, InterfaceView},
};
use directlink_net::Vlan;
use directlink_server::{app::RouterView, clock::Clock};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// All that the store says.
struct Facts {
    connections: Vec<ConnectionView>,
    interfaces: Vec<InterfaceView>,
    routers: Vec<RouterView>,
}

type Place = (usize, (PortName, Vlan));

impl Sim<'_> {
    /// Somebody who looks at the store itself, whatever the weather.
    async fn facts(&mut self) -> Result<Facts, Any> {
        let there = SignedDuration::try_from(self.now)? + self.ahead;
        let (app, clock, moved) = match self.auditor.take() {
            Some(auditor) => auditor,
            None => {
                let clock = Clock::stopped_at(START);
                let with = (clock.clone(), self.chance.clone());
                let app = template::app(self.calm_store.clone(), with)?;
                (app, clock, SignedDuration::ZERO)
            }
        };
        clock.advance(there - moved);
        self.auditor = Some((app.clone(), clock, there));
        Ok(Facts {
            connections: app.all_connections(None).await?,
            interfaces: app.all_interfaces().await?,
            routers: app.routers().await?,
        })
    }

    /// Where an interface is, if its connection has a port.
    fn place(&self, view: &InterfaceView) -> Option<Place> {
        let port = &view.connection.approval.as_ref()?.port;
        Some((self.people.router(port)?, (port.port.clone(), view.interface.vlan)))
    }

    fn truth(&self, view: &InterfaceView) -> Truth {
        let place = self.place(view);
        place.map_or_else(Truth::default, |(router, place)| {
            self.lines[router].router.truth(view.interface.id, &place)
        })
    }

    /// What must hold always; and what is not as it should be yet.
    pub(crate) async fn check(&mut self) -> Result<Option<String>, Any> {
        let facts = self.facts().await?;
        self.check_always(&facts)?;
        Ok(self.plans(&facts).or_else(|| self.states(&facts)))
    }

    /// No VLAN is given twice, no port is, and nothing comes of what nobody asked for.
    fn check_always(&mut self, facts: &Facts) -> Result<(), Any> {
        let mut vlans = BTreeMap::new();
        for view in facts.interfaces.iter().filter(|view| view.state.is_live()) {
            let it = &view.interface;
            if let Some(other) = vlans.insert((it.connection, it.vlan), it.id) {
                return Err(format!("{other} and {} have one VLAN", it.id).into());
            }
        }
        let mut ports: BTreeMap<&PortRef, _> = BTreeMap::new();
        let gone = |state| matches!(state, ConnectionState::Deleted | ConnectionState::Rejected);
        for view in facts.connections.iter().filter(|view| !gone(view.state)) {
            let it = &view.connection;
            let port = it.approval.as_ref().map(|approval| &approval.port);
            if let Some(other) = port.and_then(|port| ports.insert(port, it.id)) {
                return Err(format!("{other} and {} have one port", it.id).into());
            }
        }
        self.check_asked(facts)?;
        for view in &facts.interfaces {
            let is_whole = self.truth(view).is_whole();
            if is_whole && view.state == InterfaceState::Available && !self.is_leaving(view) {
                self.firm.extend(self.place(view).map(|place| (view.interface.id, place)));
            }
        }
        let states: Vec<_> = facts.interfaces.iter().map(|view| view.state.as_str()).collect();
        self.log.note(self.now, format_args!("checked: {states:?}"));
        Ok(())
    }

    /// Somebody has asked to delete it, whatever came of that.
    fn is_leaving(&self, view: &InterfaceView) -> bool {
        let id = view.interface.id;
        let asks =
            |it: &Operation| matches!(it.command, Command::DeleteInterface(its) if its == id);
        self.people.operations.iter().any(asks)
    }

    /// Whatever dies or is cut off, what packets went through stays.
    pub(crate) fn check_firm(&self, router: usize) -> Result<(), Any> {
        let mut firm = self.firm.iter().filter(|(_, (its, _))| *its == router).peekable();
        if firm.peek().is_none() {
            return Ok(());
        }
        let line = &self.lines[router].router;
        // An agent that begins looks at what is there before it says whose programs are on it.
        let tags = line.rows();
        for (id, (_, place)) in firm {
            if tags.get(place) != Some(id) {
                return Err(format!("{id} was forwarded on router {router}, and is not").into());
            }
        }
        Ok(())
    }

    /// What is done was asked for, and what was refused is not done.
    fn check_asked(&self, facts: &Facts) -> Result<(), Any> {
        let asked = |what: &str, is_it: &dyn Fn(&Command) -> bool| {
            let of_it = |it: &&Operation| is_it(&it.command) && it.outcome != Outcome::Refused;
            match self.people.operations.iter().filter(of_it).count() {
                0 => Err(Any::from(format!("nobody asked for: {what}"))),
                _ => Ok(()),
            }
        };
        for view in &facts.connections {
            let it = &view.connection;
            asked(
                &format!("{} ordered", it.id),
                &|c| matches!(c, Command::Order { name, .. } if *name == it.name),
            )?;
            if it.approval.is_some() {
                asked(
                    &format!("{} approved", it.id),
                    &|c| matches!(c, Command::Approve(c) if c.connection == it.id),
                )?;
            }
            if it.delete_asked_at.is_some() {
                asked(
                    &format!("{} deleted", it.id),
                    &|c| matches!(c, Command::DeleteConnection(id) if *id == it.id),
                )?;
            }
        }
        for view in &facts.interfaces {
            let it = &view.interface;
            asked(
                &format!("{} created", it.id),
                &|c| matches!(c, Command::Create(c) if c.name == it.name),
            )?;
            if it.delete_asked_at.is_some() {
                asked(
                    &format!("{} deleted", it.id),
                    &|c| matches!(c, Command::DeleteInterface(id) if *id == it.id),
                )?;
            }
        }
        Ok(())
    }

    /// Every router has what is planned for it, and nothing else.
    fn plans(&self, facts: &Facts) -> Option<String> {
        for (n, view) in facts.routers.iter().enumerate() {
            let router = &self.lines[n].router;
            let held = router.held();
            for scope in &view.agent.scopes {
                let name = (&view.router.name, &scope.scope);
                let wanted = scope.wanted_generation;
                if held.get(&scope.scope) != Some(&wanted) {
                    return Some(format!("{name:?} {wanted} is not held: {held:?}"));
                }
                if scope.acknowledged_generation != Some(wanted) || scope.failure.is_some() {
                    return Some(format!("not applied: {name:?} {scope:?}"));
                }
            }
            let mine = |view: &&InterfaceView| self.place(view).is_some_and(|(its, _)| its == n);
            let wanted = facts.interfaces.iter().filter(mine).filter(|it| it.state.is_wanted());
            let wanted: BTreeSet<InterfaceId> = wanted.map(|view| view.interface.id).collect();
            let there = router.interfaces();
            if there != wanted {
                return Some(format!("router {n} has {there:?}, and is to have {wanted:?}"));
            }
        }
        None
    }

    /// Every state says what is true.
    fn states(&self, facts: &Facts) -> Option<String> {
        for view in &facts.connections {
            let (it, state) = (&view.connection, view.state);
            let port = it.approval.as_ref().map(|approval| &approval.port);
            let lit = port.is_some_and(|port| {
                let router = self.people.router(port);
                router.is_some_and(|router| self.lines[router].router.is_lit(&port.port))
            });
            let is_true = match state {
                ConnectionState::Available => lit,
                ConnectionState::Down | ConnectionState::Pending => !lit,
                ConnectionState::Deleting => false,
                _ => true,
            };
            if !is_true {
                return Some(format!("{} is {state}, and its light is {lit}", it.id));
            }
        }
        for view in &facts.interfaces {
            let (it, state, truth) = (&view.interface, view.state, self.truth(view));
            let is_true = match state {
                InterfaceState::Available => truth.is_whole(),
                InterfaceState::Pending | InterfaceState::Down => !truth.is_whole(),
                InterfaceState::Deleting | InterfaceState::Testing => false,
                InterfaceState::Confirming
                | InterfaceState::Deleted
                | InterfaceState::Rejected
                | InterfaceState::Expired => !truth.tag,
            };
            if !is_true {
                return Some(format!("{} is {state}, and in truth {truth:?}", it.id));
            }
        }
        self.wishes(facts)
    }

    /// What should work does: its router is lit, its customer has the right configuration.
    fn wishes(&self, facts: &Facts) -> Option<String> {
        for view in facts.interfaces.iter().filter(|view| view.state.is_wanted()) {
            let Some((router, place)) = self.place(view) else { continue };
            let line = &self.lines[router].router;
            let leads_on = line.leads_on(&place);
            let should = line.is_lit(&place.0) && leads_on && line.is_met(&place);
            if should && view.state != InterfaceState::Available {
                let truth = self.truth(view);
                return Some(format!("{} should work: {truth:?}", view.interface.id));
            }
        }
        None
    }

    /// Of all that was asked: what was acknowledged is there once, what was refused is not.
    pub(crate) async fn check_history(&mut self) -> Result<(), Any> {
        let facts = self.facts().await?;
        for (n, it) in self.people.operations.iter().enumerate() {
            let names = match &it.command {
                Command::Order { name, .. } => {
                    let of_it = facts.connections.iter().map(|view| &view.connection);
                    let of_it = of_it.filter(|it| it.name == *name);
                    of_it.map(|it| it.id.to_string()).collect::<Vec<_>>()
                }
                Command::Create(c) => {
                    let of_it = facts.interfaces.iter().map(|view| &view.interface);
                    of_it.filter(|it| it.name == c.name).map(|it| it.id.to_string()).collect()
                }
                _ => {
                    self.check_deed(n, it, &facts)?;
                    continue;
                }
            };
            let is_right = match &it.outcome {
                Outcome::Done { what, .. } => names == [what.clone()],
                Outcome::Refused => names.is_empty(),
                Outcome::Asked | Outcome::Unknown => names.len() <= 1,
            };
            if !is_right {
                let outcome = &it.outcome;
                return Err(format!("operation {n}: {outcome:?}, and there is {names:?}").into());
            }
        }
        Ok(())
    }

    fn check_deed(&self, n: usize, it: &Operation, facts: &Facts) -> Result<(), Any> {
        let Outcome::Done { what, .. } = &it.outcome else { return Ok(()) };
        let mut connections = facts.connections.iter();
        let mut interfaces = facts.interfaces.iter();
        let is_right = match &it.command {
            Command::Approve(c) => connections.any(|view| {
                let approval = view.connection.approval.as_ref();
                let port = approval.map(|approval| approval.port.to_string());
                view.connection.id == c.connection && port.as_ref() == Some(what)
            }),
            Command::DeleteConnection(id) => connections
                .any(|view| view.connection.id == *id && view.connection.delete_asked_at.is_some()),
            Command::DeleteInterface(id) => {
                interfaces.any(|view| view.interface.id == *id && !view.state.is_wanted())
            }
            Command::Confirm(c) => interfaces
                .any(|view| view.interface.id == c.id && view.interface.gateway == Some(c.gateway)),
            _ => true,
        };
        match is_right {
            true => Ok(()),
            false => Err(format!("operation {n} was acknowledged, and is lost").into()),
        }
    }
}
