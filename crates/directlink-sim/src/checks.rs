//! What must hold: always, at every read, and when all has come to rest.

use crate::{
    bundles,
    commands::Command,
    memory::Place,
    people::{Operation, Outcome},
    region::{Any, Sim},
    template::{self, START},
};
use directlink_agent::simulated::Truth;
use directlink_model::{
    account::Caller,
    connection::{ConnectionState, PortRef},
    ids::{GatewayId, InterfaceId, NetId},
    interface::{Confirmation, InterfaceState},
    view::{ConnectionView, InterfaceView, LagView},
};
use directlink_net::Vni;
use directlink_server::{
    app::{App, RouterView},
    clock::Clock,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// All that the store says.
pub(crate) struct Facts {
    pub(crate) connections: Vec<ConnectionView>,
    pub(crate) interfaces: Vec<InterfaceView>,
    routers: Vec<RouterView>,
    /// The Nets that gateways are linked to.
    nets: BTreeMap<GatewayId, (NetId, Vni)>,
    pub(crate) lags: Vec<LagView>,
}

impl Facts {
    /// The Net that an interface is to lead to.
    fn net(&self, view: &InterfaceView) -> Option<(NetId, Vni)> {
        self.nets.get(&view.interface.gateway?).copied()
    }
}

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
            nets: self.nets(&app).await?,
            lags: self.lags(&app).await?,
        })
    }

    async fn lags(&self, app: &App) -> Result<Vec<LagView>, Any> {
        let mut all = Vec::new();
        for account in &self.template.accounts {
            let ctx = app.context(Caller { account: account.id }, false);
            all.extend(app.lags(&ctx, None).await?);
        }
        Ok(all)
    }

    async fn nets(&self, app: &App) -> Result<BTreeMap<GatewayId, (NetId, Vni)>, Any> {
        let mut linked = BTreeMap::new();
        for account in &self.template.accounts {
            let ctx = app.context(Caller { account: account.id }, false);
            let nets = app.nets(&ctx, None).await?;
            let vnis: BTreeMap<_, _> = nets.into_iter().map(|net| (net.id, net.vni)).collect();
            for gateway in app.gateways(&ctx, None).await? {
                let (id, net) = (gateway.gateway.id, gateway.gateway.net);
                let net = net.and_then(|net| Some((net, *vnis.get(&net)?)));
                linked.extend(net.map(|net| (id, net)));
            }
        }
        Ok(linked)
    }

    /// Where an interface is, if its connection has a port.
    pub(crate) fn place(&self, view: &InterfaceView) -> Option<Place> {
        let port = &view.connection.approval.as_ref()?.port;
        Some((self.people.router(port)?, (port.port.clone(), view.interface.vlan)))
    }

    pub(crate) fn truth(&self, view: &InterfaceView) -> Truth {
        let place = self.place(view);
        place.map_or_else(Truth::default, |(router, place)| {
            self.lines[router].router.truth(view.interface.id, &place)
        })
    }

    /// What must hold always; and what is not as it should be yet.
    pub(crate) async fn check(&mut self) -> Result<Option<String>, Any> {
        let facts = self.facts().await?;
        self.check_always(&facts)?;
        let plans = self.plans(&facts);
        if plans.is_none() {
            self.forget_damage();
        }
        Ok(plans.or_else(|| self.states(&facts)))
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
        let own = facts.connections.iter().filter(|view| view.connection.hosting.is_none());
        for view in own.filter(|view| !gone(view.state)) {
            let it = &view.connection;
            let port = it.approval.as_ref().map(|approval| &approval.port);
            if let Some(other) = port.and_then(|port| ports.insert(port, it.id)) {
                return Err(format!("{other} and {} have one port", it.id).into());
            }
        }
        check_nets(facts)?;
        bundles::check(facts)?;
        self.check_asked(facts)?;
        self.check_light(facts)?;
        self.remember(facts)?;
        let states: Vec<_> = facts.interfaces.iter().map(|view| view.state.as_str()).collect();
        self.log.note(self.now, format_args!("checked: {states:?}"));
        Ok(())
    }

    /// A connection has light by a fibre that was plugged for it; or by one that nobody knew of who
    /// approved it.
    fn check_light(&self, facts: &Facts) -> Result<(), Any> {
        let lit = facts.connections.iter().map(|view| &view.connection);
        for it in lit.filter(|it| it.hosting.is_none() && it.light.is_some()) {
            let port = it.approval.as_ref().map(|approval| &approval.port);
            let place = port.and_then(|port| Some((self.people.router(port)?, port.port.clone())));
            let was_dark = place.is_some_and(|place| self.was_dark_for(it.id, &place));
            if !was_dark && !self.people.was_plugged(it.id) {
                return Err(format!("{} has light, and nobody has plugged it", it.id).into());
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
            let of_lag = facts.lags.iter().find(|lag| it.name.ends_with(&lag.lag.id.to_string()));
            asked(&format!("{} ordered", it.id), &|c| match c {
                Command::Order { name, .. } => *name == it.name,
                Command::Allocate(c) => c.name == it.name && it.hosting.is_some(),
                Command::CreateLag(c) => of_lag.is_some_and(|it| it.lag.name == c.name),
                _ => false,
            })?;
            if it.approval.is_some() && it.hosting.is_none() {
                asked(
                    &format!("{} approved", it.id),
                    &|c| matches!(c, Command::Approve(c) if c.connection == it.id),
                )?;
            }
            if it.refused.is_some() && it.approval.is_some() {
                return Err(format!("{} was refused, and is approved", it.id).into());
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
            let mtu = |view: &InterfaceView| Some(u32::from(view.interface.mtu.as_u16()));
            let wanted: BTreeMap<InterfaceId, _> =
                wanted.map(|view| (view.interface.id, mtu(view))).collect();
            let there = router.interfaces();
            if there != wanted {
                return Some(format!("router {n} has {there:?}, and is to have {wanted:?}"));
            }
        }
        let mut wanted = facts.interfaces.iter().filter(|view| view.state.is_wanted());
        wanted.find_map(|view| {
            let (router, place) = self.place(view)?;
            let (leads, should) = (self.lines[router].router.leads_to(&place), facts.net(view));
            let (id, should) = (view.interface.id, should.map(|(_, vni)| vni));
            (leads != should).then(|| format!("{id} leads to {leads:?}, and is to {should:?}"))
        })
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
        self.followers(facts).or_else(|| self.wishes(facts))
    }

    /// What should work does: its router is lit, its customer has the right configuration.
    fn wishes(&self, facts: &Facts) -> Option<String> {
        for view in facts.interfaces.iter().filter(|view| view.state.is_wanted()) {
            let Some((router, place)) = self.place(view) else { continue };
            let line = &self.lines[router].router;
            let leads_on = facts.net(view).is_some();
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
                Command::Allocate(c) => {
                    let of_it = facts.connections.iter().map(|view| &view.connection);
                    of_it.filter(|it| it.name == c.name).map(|it| it.id.to_string()).collect()
                }
                Command::CreateLag(c) => {
                    let of_it = facts.lags.iter().map(|view| &view.lag);
                    of_it.filter(|it| it.name == c.name).map(|it| it.id.to_string()).collect()
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
            // Of an offer that is a rejection.
            Command::DeleteConnection(id) => connections.any(|view| {
                let it = &view.connection;
                let is_rejected = view.state == ConnectionState::Rejected;
                it.id == *id && (it.delete_asked_at.is_some() || is_rejected)
            }),
            Command::DeleteInterface(id) => {
                interfaces.any(|view| view.interface.id == *id && !view.state.is_wanted())
            }
            Command::DeleteLag(id) => {
                facts.lags.iter().any(|view| view.lag.id == *id && view.lag.deleted_at.is_some())
            }
            Command::Refuse(id) => connections
                .any(|view| view.connection.id == *id && view.connection.refused.is_some()),
            Command::TakeShare(id) => connections.any(|view| {
                let offer = view.connection.hosting.as_ref().map(|share| share.offer);
                view.connection.id == *id && offer == Some(Confirmation::Given)
            }),
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

/// A Net has one gateway, and one interface of a connection leads there.
fn check_nets(facts: &Facts) -> Result<(), Any> {
    let mut gateways = BTreeMap::new();
    for (gateway, (net, _)) in &facts.nets {
        if let Some(other) = gateways.insert(net, gateway) {
            return Err(format!("{other} and {gateway} are both linked to {net}").into());
        }
    }
    let mut reached = BTreeMap::new();
    for view in facts.interfaces.iter().filter(|view| view.state.is_live()) {
        let (id, connection) = (view.interface.id, view.interface.connection);
        let Some((net, _)) = facts.net(view) else { continue };
        if let Some(other) = reached.insert((connection, net), id) {
            return Err(format!("{other} and {id} of {connection} both lead to {net}").into());
        }
    }
    Ok(())
}
