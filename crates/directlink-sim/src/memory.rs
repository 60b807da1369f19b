//! What a watcher remembers of a run: what was so once, and must be so after whatever dies.

use crate::{
    checks::Facts,
    commands::Command,
    people::Operation,
    region::{Any, Event, Sim},
};
use directlink_channel::{FromRouter, from_router::Message};
use directlink_model::{
    connection::ConnectionState,
    ids::{ConnectionId, InterfaceId, PortName},
    interface::InterfaceState,
    plan::Scope,
    view::InterfaceView,
};
use directlink_net::{Vlan, Vni};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A VLAN of a port of a router.
pub(crate) type Place = (usize, (PortName, Vlan));

/// An agent that starts has looked at its kernel and written its rows by then.
const STARTED: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Memory {
    /// Interfaces that packets went through and that nobody asked to delete: where they are.
    pub(crate) firm: BTreeMap<InterfaceId, Place>,
    /// What they are on.
    connections: BTreeMap<InterfaceId, ConnectionId>,
    /// What was deleted, rejected, or over.
    over: BTreeSet<String>,
    /// The documents that a dead agent held, unless its disk was damaged.
    held: BTreeMap<usize, BTreeMap<Scope, u64>>,
    /// Routers on which an agent began with a damaged disk, until all is as planned again.
    damaged: BTreeSet<usize>,
    /// What packets left by when an agent started, and to which Net; which of its starts it was.
    carried: BTreeMap<usize, (u64, BTreeMap<InterfaceId, Option<Vni>>)>,
    starts: u64,
    /// Of ports that servers say have light: since when one does.
    pub(crate) told_lit: BTreeMap<(usize, PortName), Duration>,
    /// When a port was last dark.
    pub(crate) dark: BTreeMap<(usize, PortName), Duration>,
}

impl Sim<'_> {
    /// What must be so from now on, and what was to be so until now.
    pub(crate) fn remember(&mut self, facts: &Facts) -> Result<(), Any> {
        for view in &facts.interfaces {
            let (id, state) = (view.interface.id, view.state);
            let is_over = matches!(
                state,
                InterfaceState::Deleted | InterfaceState::Rejected | InterfaceState::Expired
            );
            self.keep_over(id.to_string(), is_over)?;
            let truth = self.truth(view);
            // A router whose newest plan was damaged on its disk goes by the one before it until it hears a server.
            let at = self.place(view).map(|(router, _)| router);
            let is_excused = at.is_some_and(|router| self.memory.damaged.contains(&router));
            if state == InterfaceState::Deleted && truth.tag && !is_excused {
                return Err(format!("{id} is {state}, and its router has not let go of it").into());
            }
            let is_firm = truth.is_whole() && state == InterfaceState::Available;
            if is_firm && !self.is_leaving(view) {
                self.memory.firm.extend(self.place(view).map(|place| (id, place)));
                self.memory.connections.insert(id, view.interface.connection);
            }
        }
        for view in &facts.connections {
            let is_over =
                matches!(view.state, ConnectionState::Deleted | ConnectionState::Rejected);
            self.keep_over(view.connection.id.to_string(), is_over)?;
        }
        Ok(())
    }

    fn keep_over(&mut self, id: String, is_over: bool) -> Result<(), Any> {
        match (is_over, self.memory.over.contains(&id)) {
            (true, false) => drop(self.memory.over.insert(id)),
            (false, true) => return Err(format!("{id} was over, and is not any more").into()),
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    /// Somebody has asked for it to go, from where it is at least, whatever came of that.
    fn is_leaving(&self, view: &InterfaceView) -> bool {
        let (id, on) = (view.interface.id, view.interface.connection);
        let asks = |it: &Operation| match &it.command {
            Command::DeleteInterface(its) => *its == id,
            Command::Move(it) => it.id == id,
            Command::Join(it) => it.connection == on,
            _ => false,
        };
        view.interface.lag.is_some() || self.people.operations.iter().any(asks)
    }

    /// What somebody asks to go need not stay.
    pub(crate) fn let_go(&mut self, command: &Command) {
        match command {
            Command::DeleteInterface(id) => drop(self.memory.firm.remove(id)),
            Command::Move(it) => drop(self.memory.firm.remove(&it.id)),
            Command::Join(it) => {
                let on = &self.memory.connections;
                let is_on = |id: &InterfaceId| on.get(id) == Some(&it.connection);
                self.memory.firm.retain(|id, _| !is_on(id));
            }
            _ => {}
        }
    }

    /// Its owner has asked for its sessions to be shut once.
    fn was_tested(&self, id: InterfaceId) -> bool {
        let asks =
            |it: &Operation| matches!(&it.command, Command::StartTest(it) if it.interface == id);
        self.people.operations.iter().any(asks)
    }

    /// Whatever dies or is cut off, what packets went through stays.
    pub(crate) fn check_firm(&self, router: usize) -> Result<(), Any> {
        let mut firm = self.memory.firm.iter().filter(|(_, (its, _))| *its == router).peekable();
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

    /// What an agent calls done is done.
    pub(crate) fn check_said(&self, router: usize, said: &[FromRouter]) -> Result<(), Any> {
        let line = &self.lines[router].router;
        for message in said {
            let Some(Message::Ack(ack)) = &message.message else { continue };
            let Ok(scope) = ack.scope.parse::<Scope>() else { continue };
            let Scope::Port(port) = &scope else { continue };
            let is_newest = line.held().get(&scope) == Some(&ack.generation);
            if is_newest && !line.is_as_planned(port) {
                let generation = ack.generation;
                return Err(format!(
                    "router {router} says that it has applied {scope} {generation}, and has not"
                )
                .into());
            }
        }
        Ok(())
    }

    /// An agent is about to die.
    pub(crate) fn remember_held(&mut self, router: usize) {
        let line = &self.lines[router].router;
        if line.is_agent_alive() {
            self.memory.held.insert(router, line.held());
        }
    }

    pub(crate) fn forget_held(&mut self, router: usize) {
        self.memory.held.remove(&router);
        self.memory.damaged.insert(router);
    }

    /// Every router is as its plans say.
    pub(crate) fn forget_damage(&mut self) {
        self.memory.damaged.clear();
    }

    /// An agent is about to start.
    pub(crate) fn remember_carried(&mut self, router: usize) {
        let line = &self.lines[router].router;
        let firm = self.memory.firm.iter().filter(|(_, (its, _))| *its == router);
        let carried = firm.filter(|(_, (_, place))| line.carries(place));
        let carried = carried.map(|(id, (_, place))| (*id, line.leads_to(place))).collect();
        self.memory.starts += 1;
        let start = self.memory.starts;
        self.memory.carried.insert(router, (start, carried));
        self.after(STARTED, Event::Started { router, start });
    }

    /// An agent that starts holds what it held.
    pub(crate) fn check_held(&mut self, router: usize) -> Result<(), Any> {
        let Some(before) = self.memory.held.remove(&router) else { return Ok(()) };
        let held = self.lines[router].router.held();
        match held == before {
            true => Ok(()),
            false => {
                Err(format!("router {router} held {before:?}, and starts with {held:?}").into())
            }
        }
    }

    /// What packets left by when the agent started they leave by still, whether its sessions are there again or not.
    pub(crate) fn check_carried(&mut self, router: usize, start: u64) -> Result<(), Any> {
        let line = &self.lines[router].router;
        let Some((_, carried)) =
            self.memory.carried.remove(&router).filter(|(its, _)| *its == start)
        else {
            return Ok(());
        };
        if !line.is_agent_alive() {
            return Ok(());
        }
        let since = self.now.saturating_sub(STARTED);
        for (id, net) in carried {
            let Some((_, place)) = self.memory.firm.get(&id) else { continue };
            let was_dark = self.memory.dark.get(&(router, place.0.clone()));
            let is_lit = line.is_lit(&place.0) && was_dark.is_none_or(|dark| *dark < since);
            if is_lit && !self.was_tested(id) && line.leads_to(place) == net && !line.carries(place)
            {
                return Err(format!("packets left by {id} when the agent of router {router} started, and do not any more").into());
            }
        }
        Ok(())
    }
}
