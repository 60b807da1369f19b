//! What routers say, folded into facts by the model. Only what changed is written.

use crate::{
    app::{App, write_tx},
    reconcile::{agents::Untold, settle_lag},
    store::{
        Error, Tx, connections, figures, fleet, interfaces, inventory,
        journal::{self, Actor},
        nets, outbox, plans, sites,
    },
};
use directlink_model::{
    connection::{Connection, ConnectionState, Light, PortRef},
    ids::{ConnectionId, InterfaceId, NetId},
    interface::Interface,
    inventory::Act,
    notice::{Notice, Occasion, of_light},
    plan::{Document, PortPlan, Scope},
    report::{InterfaceReport, PortReport},
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error as ThisError;
use tracing::info;

/// Why a report is not taken.
#[derive(Debug, ThisError)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Untold(#[from] Untold),
    #[error("another stream of this router has been opened since, here or at another server")]
    Superseded,
    #[error("a report is longer than any router's can be")]
    TooLong,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Takes a report as it arrives: news is folded at once. If that fails the next one, the same or
/// not, is news again.
///
/// # Errors
/// The store's, or that the agent must tell everything again.
pub(crate) async fn take_report(
    app: &App,
    port: &PortRef,
    report: PortReport,
) -> Result<(), ReportError> {
    let now = app.now();
    let agents = &app.parts().agents;
    let news = agents.keep(port, report, now)?;
    // Figures are of every report, the whole of which is what was kept.
    agents.with_report(port, |kept| app.parts().figures.take(port, kept, now));
    let Some(report) = news else { return Ok(()) };
    // All routers may come back at once.
    let _place = app.parts().store.in_background().await;
    let stream = agents.stream(&port.router);
    let folded = write_tx!(app, false, Error, |tx| {
        if app.parts().store.is_shared() {
            if let Some(stream) = stream
                && !fleet::is_current(tx, (&port.router, stream)).await?
            {
                return Ok(false);
            }
            fleet::put_report(tx, port, &report).await?;
        }
        fold(tx, port, &report, now).await?;
        Ok(true)
    });
    if !matches!(folded, Ok(true)) {
        agents.not_folded(port);
    }
    match folded? {
        true => Ok(()),
        false => Err(ReportError::Superseded),
    }
}

/// Folds what was last said of a port again, against the facts as they are now. If that fails its next report is news.
pub(super) async fn fold_kept(app: &App, port: &PortRef) -> Result<(), Error> {
    let now = app.now();
    let _place = app.parts().store.in_background().await;
    let folded = write_tx!(app, false, Error, |tx| {
        match app.folded_report(tx, port).await? {
            Some(report) => fold(tx, port, &report, now).await,
            None => Ok(()),
        }
    });
    if folded.is_err() {
        app.parts().agents.not_folded(port);
    }
    folded
}

/// Brings the facts of the connection on a port, and of those that it hosts, to what its router says.
async fn fold(
    tx: &mut Tx,
    port: &PortRef,
    report: &PortReport,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(mut connection) = connections::holding(tx, port).await? else {
        return fold_free(tx, port, report.light, now).await;
    };
    let actor = Actor::Router(port.router.clone());
    let plan = stored_plan(tx, port).await?;
    // Only a router that has applied the newest document can say that something is gone for good.
    let caught_up = plan.filter(|(generation, _)| report.applied_generation >= *generation);
    let plan = caught_up.map(|(_, plan)| plan);
    let was = connection.clone();
    if connection.deleted_at.is_none() {
        connection.see_light(report.light, now);
    }
    let is_ready = report.evidence.lacp.as_ref().is_some_and(|lacp| lacp.is_ready);
    connection.is_bundled = connection.lag.is_some() && report.light && is_ready;
    let known = interfaces::reports_on_wire(tx, connection.id).await?;
    let mut fold = InterfaceFold {
        tx,
        report,
        plan: plan.as_ref(),
        connection: &connection,
        known,
        actor: &actor,
        now,
    };
    let mut news = BTreeSet::new();
    for interface in interfaces::live_on_wire(fold.tx, connection.id).await? {
        let gateway = interface.gateway;
        if fold.fold(interface).await? {
            news.extend(gateway);
        }
    }
    if connection.light != was.light {
        tell_other_routers(tx, port).await?;
    } else if !news.is_empty() {
        let mut led_to = nets::on_wire(tx, connection.id).await?;
        led_to.retain(|gateway, _| news.contains(gateway));
        tell_who_carries(tx, led_to.into_values().map(|net| net.id)).await?;
    }
    if plan.as_ref().is_some_and(|plan| plan.connection.is_none()) && report.interfaces.is_empty() {
        connection.see_released(now);
    }
    if was.light.is_none() && connection.light.is_some() {
        see_patched(tx, connection.id, now).await?;
    }
    if connection != was {
        connections::update(tx, &connection).await?;
        if connection.deleted_at.is_some() {
            figures::drop(tx, connection.id).await?;
        }
        tell_connection(tx, &actor, (&was, &connection), now).await?;
    }
    fold_hosted(tx, &actor, &was, (plan.is_some(), now)).await?;
    let has_turned = connection.light != was.light || connection.is_bundled != was.is_bundled;
    if let Some(lag) = connection.lag.filter(|_| has_turned) {
        settle_lag(tx, lag, (&actor, now)).await?;
    }
    free_if_dark(tx, &connection, (port, report.light), now).await
}

/// A port whose connection is deleted is another's once its fibre is out.
async fn free_if_dark(
    tx: &mut Tx,
    connection: &Connection,
    (port, light): (&PortRef, bool),
    now: Timestamp,
) -> Result<(), Error> {
    if connection.state() != ConnectionState::Deleted
        || light
        || !end_cross_connect(tx, connection.id, None, now).await?
    {
        return Ok(());
    }
    connections::free_port(tx, connection.id, now).await?;
    if let Some(last) = connection.light {
        let since = if last.on { now } else { last.since };
        sites::leave_light(tx, port, Light { on: false, since }).await?;
    }
    let actor = Actor::Router(port.router.clone());
    journal::record(tx, (&actor, now), port, "port free", "no light").await?;
    info!(%port, "free: its connection is deleted and there is no light");
    Ok(())
}

/// A port that carries nothing: whoever got it while it is lit would be available by another's fibre.
async fn fold_free(tx: &mut Tx, port: &PortRef, on: bool, now: Timestamp) -> Result<(), Error> {
    if sites::see_unclaimed_light(tx, port, Light { on, since: now }).await? {
        let what = if on { "light on a free port" } else { "no light on a free port" };
        let actor = Actor::Router(port.router.clone());
        journal::record(tx, (&actor, now), port, what, "no connection has it").await?;
    }
    Ok(())
}

/// Light shows that the cross-connect is made.
async fn see_patched(tx: &mut Tx, id: ConnectionId, now: Timestamp) -> Result<(), Error> {
    let Some(mut it) = inventory::of_connection(tx, id).await? else { return Ok(()) };
    if it.see_light(now) {
        inventory::update(tx, &it).await?;
    }
    Ok(())
}

/// The cross-connect of a connection that is gone is taken out: `by` the operator's word, or because
/// its light is. False while somebody who made it has not said so.
pub(crate) async fn end_cross_connect(
    tx: &mut Tx,
    id: ConnectionId,
    by: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(mut it) = inventory::of_connection(tx, id).await? else { return Ok(true) };
    if by.is_none() && !it.ends_with_light() {
        return Ok(false);
    }
    if it.unpatched.is_none() {
        it.unpatched = Some(Act { at: now, by: by.map(Into::into) });
        inventory::update(tx, &it).await?;
    }
    Ok(true)
}

/// What one router leads to is in the plans of the others that carry the same Net.
pub(super) async fn tell_other_routers(tx: &mut Tx, port: &PortRef) -> Result<(), Error> {
    let nets = plans::nets_of_port(tx, port).await?;
    tell_who_carries(tx, nets.into_iter()).await
}

async fn tell_who_carries(tx: &mut Tx, nets: impl Iterator<Item = NetId>) -> Result<(), Error> {
    for net in nets {
        if plans::routers_of_net(tx, net).await?.len() > 1 {
            plans::mark_net(tx, net).await?;
        }
    }
    Ok(())
}

/// The connections on the wire: its light is theirs. One whose deletion is asked has no interface
/// any more, so a router that does as it was told last carries nothing of it.
async fn fold_hosted(
    tx: &mut Tx,
    actor: &Actor,
    wire_was: &Connection,
    (caught_up, now): (bool, Timestamp),
) -> Result<(), Error> {
    for mut hosted in connections::live_on(tx, wire_was.id).await? {
        let was = Connection { light: wire_was.light, ..hosted.clone() };
        if caught_up && hosted.see_released(now) {
            connections::update(tx, &hosted).await?;
            figures::drop(tx, hosted.id).await?;
        }
        tell_connection(tx, actor, (&was, &hosted), now).await?;
    }
    Ok(())
}

/// The interfaces of one report.
struct InterfaceFold<'a> {
    tx: &'a mut Tx,
    report: &'a PortReport,
    /// The newest document, if the router has applied it.
    plan: Option<&'a PortPlan>,
    connection: &'a Connection,
    /// What was last stored of each interface.
    known: BTreeMap<InterfaceId, InterfaceReport>,
    actor: &'a Actor,
    now: Timestamp,
}

impl InterfaceFold<'_> {
    /// Whether that is news.
    async fn fold(&mut self, mut interface: Interface) -> Result<bool, Error> {
        let (was, now) = (interface.clone(), self.now);
        let said = self.report.interfaces.get(&interface.id);
        for peer in was.peers() {
            let seen = said.map(|said| said.seen(was.id, peer.id)).unwrap_or_default();
            interface.see_peer(peer.id, seen, now);
        }
        let planned = self.plan.map(|plan| plan.interfaces.get(&interface.id));
        match (planned, said) {
            (Some(None), None) => {
                if interface.see_removed(now) {
                    figures::drop(self.tx, interface.id).await?;
                }
            }
            // As its plan says, which knows nothing of the peer.
            (Some(Some(planned)), Some(said)) if said.configured => {
                let planned: Vec<_> = planned.peers(was.id).map(|(peer, _)| peer).collect();
                for peer in was.peers().filter(|peer| !planned.contains(&peer.id)) {
                    interface.see_peer_removed(peer.id, now);
                }
            }
            (Some(_) | None, _) => {}
        }
        if interface != was {
            interfaces::update(self.tx, &interface).await?;
            self.tell_peers(&was, &interface).await?;
            self.tell(&was, &interface).await?;
        }
        Ok(self.keep(interface.id, said).await? || interface != was)
    }

    /// Stores what was said, if it says more than what is stored: routes, the session, a failure.
    /// Whether it does.
    async fn keep(
        &mut self,
        id: InterfaceId,
        said: Option<&InterfaceReport>,
    ) -> Result<bool, Error> {
        let said = said.map(without_restless);
        match (self.known.get(&id), said) {
            (None, None) => return Ok(false),
            (Some(_), None) => interfaces::drop_report(self.tx, id).await?,
            (Some(known), Some(said)) if without_restless(known) == said => return Ok(false),
            (_, Some(said)) => interfaces::put_report(self.tx, id, &said, self.now).await?,
        }
        Ok(true)
    }

    async fn tell(&mut self, was: &Interface, is: &Interface) -> Result<(), Error> {
        let wire_on = self.connection.state() == ConnectionState::Available;
        let (before, after) = (was.state(wire_on, self.now), is.state(wire_on, self.now));
        if before == after {
            return Ok(());
        }
        let is_there = self.report.interfaces.contains_key(&is.id);
        let cause = if is_there { cause(is) } else { "gone" };
        info!(interface = %is.id, %before, %after, cause, "state changed");
        let what = format!("interface {after}");
        journal::record(self.tx, (self.actor, self.now), is.id, &what, cause).await
    }

    /// Those that are gone for good.
    async fn tell_peers(&mut self, was: &Interface, is: &Interface) -> Result<(), Error> {
        let (before, after): (BTreeSet<_>, BTreeSet<_>) =
            (was.peers().map(|p| p.id).collect(), is.peers().map(|p| p.id).collect());
        for peer in before.difference(&after) {
            info!(interface = %is.id, %peer, "deleted");
            let what = format!("{peer} deleted");
            journal::record(self.tx, (self.actor, self.now), is.id, &what, "gone").await?;
        }
        Ok(())
    }
}

async fn stored_plan(tx: &mut Tx, port: &PortRef) -> Result<Option<(u64, PortPlan)>, Error> {
    let scope = Scope::Port(port.port.clone());
    let Some(stored) = plans::stored(tx, &port.router, &scope).await? else { return Ok(None) };
    match serde_json::from_str(&stored.document)? {
        Document::Port(plan) => Ok(Some((stored.generation, plan))),
        Document::Net(_) => Ok(None),
    }
}

async fn tell_connection(
    tx: &mut Tx,
    actor: &Actor,
    (was, is): (&Connection, &Connection),
    now: Timestamp,
) -> Result<(), Error> {
    let (before, after) = (was.state(), is.state());
    if before == after {
        return Ok(());
    }
    let cause = match is.light {
        Some(light) if light.on => "light",
        Some(_) | None => "no light",
    };
    info!(connection = %is.id, %before, %after, cause, "state changed");
    let dark = was.light.filter(|light| !light.on).map(|dark| Notice {
        occasion: Occasion::ConnectionDown(was.id),
        to: was.account,
        at: dark.since,
    });
    let knows_of_dark = match dark {
        Some(notice) => outbox::is_told(tx, notice).await?,
        None => false,
    };
    if let Some(notice) = of_light((was, is), knows_of_dark) {
        outbox::post(tx, notice, now).await?;
    }
    journal::record(tx, (actor, now), is.id, &format!("connection {after}"), cause).await
}

/// Without what moves although nothing changed: counters, and a session's tries to come up.
fn without_restless(report: &InterfaceReport) -> InterfaceReport {
    let mut report = report.without_evidence();
    let further = report.further_peers.values_mut().map(|peer| &mut peer.session);
    for session in std::iter::once(&mut report.session).chain(further) {
        if !session.is_established() {
            session.state = "Idle".into();
        }
    }
    report
}

/// Which piece is missing, first things first.
fn cause(interface: &Interface) -> &'static str {
    let seen = interface.overall();
    match (seen.configured, seen.session_up, interface.works()) {
        (false, _, _) => "not configured",
        (true, false, _) => "BGP session not established",
        (true, true, false) => "rows not in the kernel, or the customer's MAC address not known",
        (true, true, true) => "configured, BGP established, forwarding",
    }
}
