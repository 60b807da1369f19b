//! Why is it down? Gathers what the model's ladder is made of; the ladder is [`diagnose`]'s.

use super::{
    App, Context, Refusal,
    connections::own,
    interfaces::{view, visible},
};
use crate::store::{
    AnyConnection, connections, gateways, interfaces, nets, nics, route_tables, security_groups,
};
use directlink_model::{
    Fault,
    connection::Connection,
    diagnosis::{
        Behind, Carried, ConnectionDiagnosis, Diagnosis, Facts, Fibre, RouterHeard, diagnose,
        diagnose_fibre,
    },
    evidence::PortEvidence,
    glass::{Answer, Ask, Looked},
    ids::{AccountId, ConnectionId, InterfaceId},
    interface::{Interface, InterfaceState},
    report::PortReport,
    view::InterfaceView,
};
use jiff::Timestamp;

/// How far a diagnosis goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// What was reported: for whoever looks again and again.
    Read,
    /// The router asks the VLAN and the session at once, which takes a second or two.
    Ask,
}

impl App {
    /// For whoever may read the interface. What is behind its gateway is told to its owner only.
    pub async fn diagnosis(
        &self,
        ctx: &Context,
        id: InterfaceId,
        effort: Effort,
    ) -> Result<Diagnosis, Refusal> {
        let mut db = self.store().snapshot().await?;
        let (_, connection) = visible(&mut db, ctx, id).await?;
        drop(db);
        let looked = self.look_now(id, &connection, effort).await;
        let mut db = self.store().snapshot().await?;
        let (interface, connection) = visible(&mut db, ctx, id).await?;
        let behind = match interface.owner == ctx.caller.account {
            true => Some(behind(&mut db, &interface).await?),
            false => None,
        };
        let heard = Heard { looked, ..self.heard_of(&mut db, &connection).await? };
        let view = view(interface, connection, ctx.now);
        self.explain(&mut db, &view, (behind.as_ref(), &heard), ctx.now).await
    }

    /// For the operator: of any account's, with everything.
    pub async fn any_diagnosis(&self, id: InterfaceId) -> Result<Diagnosis, Refusal> {
        let none = || Refusal::from(Fault::NoSuchInterface(id));
        let mut db = self.store().snapshot().await?;
        let interface = interfaces::by_id(&mut db, id).await?.ok_or_else(none)?;
        let connection = connections::by_id(&mut db, interface.connection).await?;
        let connection = connection.ok_or_else(none)?;
        drop(db);
        let looked = self.look_now(id, &connection, Effort::Ask).await;
        let mut db = self.store().snapshot().await?;
        let behind = behind(&mut db, &interface).await?;
        let heard = Heard { looked, ..self.heard_of(&mut db, &connection).await? };
        let (now, behind) = (self.now(), Some(&behind));
        self.explain(&mut db, &view(interface, connection, now), (behind, &heard), now).await
    }

    /// `None`: nobody can be asked, or nobody answers in time; what was reported must do.
    async fn look_now(
        &self,
        id: InterfaceId,
        connection: &Connection,
        effort: Effort,
    ) -> Option<Looked> {
        let port = connection.approval.as_ref().map(|approval| &approval.port)?;
        match effort {
            Effort::Read => None,
            Effort::Ask => match self.ask_router(&port.router, id, Ask::Look).await {
                Ok((Answer::Looked(looked), _)) => Some(*looked),
                Ok(_) => None,
                Err(why) => {
                    tracing::debug!(%id, %why, "not asked for a diagnosis");
                    None
                }
            },
        }
    }

    /// A connection of the caller's, and every interface on it.
    pub async fn connection_diagnosis(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<ConnectionDiagnosis, Refusal> {
        let mut db = self.store().snapshot().await?;
        let connection = own(&mut db, ctx, id).await?;
        let on_it = interfaces::live_of_connection(&mut db, id).await?;
        let may = |owner| owner == ctx.caller.account;
        self.explain_all(&mut db, (connection, on_it), may, ctx.now).await
    }

    /// For the operator: any account's, with what is hosted on it.
    pub async fn any_connection_diagnosis(
        &self,
        id: ConnectionId,
    ) -> Result<ConnectionDiagnosis, Refusal> {
        let (mut db, now) = (self.store().snapshot().await?, self.now());
        let connection = connections::by_id(&mut db, id).await?;
        let connection = connection.ok_or(Fault::NoSuchConnection(id))?.as_of(now);
        let on_it = interfaces::live_on_wire(&mut db, id).await?;
        self.explain_all(&mut db, (connection, on_it), |_| true, now).await
    }

    /// `may`: whose Nets are told of.
    async fn explain_all(
        &self,
        db: &mut AnyConnection,
        (connection, on_it): (Connection, Vec<Interface>),
        may: impl Fn(AccountId) -> bool,
        now: Timestamp,
    ) -> Result<ConnectionDiagnosis, Refusal> {
        let heard = self.heard_of(db, &connection).await?;
        let (port, router) = (heard.port(), heard.router);
        let fibre = Fibre { connection: &connection, router, port: &port };
        let rungs = diagnose_fibre(&fibre, now);
        let mut views: Vec<_> =
            on_it.into_iter().map(|it| view(it, connection.clone(), now)).collect();
        views.sort_by_key(|it| (it.state == InterfaceState::Available, it.interface.vlan));
        let mut interfaces = Vec::with_capacity(views.len());
        for (n, view) in views.into_iter().enumerate() {
            let (interface, vlan, state) = (view.interface.id, view.interface.vlan, view.state);
            let first_failed = match n < LOOKED_AT_MAX {
                true => {
                    let behind = match may(view.interface.owner) {
                        true => Some(behind(db, &view.interface).await?),
                        false => None,
                    };
                    let told = self.explain(db, &view, (behind.as_ref(), &heard), now).await?;
                    told.first_failed().cloned()
                }
                false => None,
            };
            interfaces.push(Carried { interface, vlan, state, first_failed });
        }
        Ok(ConnectionDiagnosis { connection: connection.id, at: now, rungs, interfaces })
    }

    async fn explain(
        &self,
        db: &mut AnyConnection,
        view: &InterfaceView,
        (behind, heard): (Option<&Behind>, &Heard),
        now: Timestamp,
    ) -> Result<Diagnosis, Refusal> {
        let (id, mut router, mut port) = (view.interface.id, heard.router, heard.port());
        let said = heard.said.as_ref().and_then(|said| said.interfaces.get(&id)).cloned();
        let mut report = match said {
            Some(said) => said,
            None => interfaces::report(db, id).await?.unwrap_or_default(),
        };
        let fresh = heard.looked.clone().map(|looked| {
            router = RouterHeard::Connected;
            port = looked.port;
            report = looked.report.with_routes_of(&report);
            looked.fresh
        });
        let facts = Facts {
            interface: &view.interface,
            state: view.state,
            connection: &view.connection,
            region: self.region().asn,
            router,
            port: &port,
            report: &report,
            fresh: fresh.as_ref(),
            behind,
        };
        Ok(diagnose(&facts, now))
    }

    /// What the router says now.
    async fn heard_of(
        &self,
        db: &mut AnyConnection,
        connection: &Connection,
    ) -> Result<Heard, Refusal> {
        let agents = &self.parts().agents;
        let Some(port) = connection.approval.as_ref().map(|approval| &approval.port) else {
            return Ok(Heard { router: RouterHeard::Never, said: None, looked: None });
        };
        let (agent, said) = (agents.view(&port.router), self.last_report(db, port).await?);
        let router = match (agent.connected, agent.last_seen_at, &said) {
            (true, _, _) | (false, None, Some(_)) => RouterHeard::Connected,
            (false, Some(at), _) => RouterHeard::SilentSince(at),
            (false, None, None) => RouterHeard::Never,
        };
        Ok(Heard { router, said, looked: None })
    }
}

/// What a connection's router says, of all that is on its port.
struct Heard {
    router: RouterHeard,
    /// `None`: no server hears it, and what is stored must do.
    said: Option<PortReport>,
    /// Of one interface, now.
    looked: Option<Looked>,
}

impl Heard {
    fn port(&self) -> PortEvidence {
        self.said.as_ref().map(|said| said.evidence.clone()).unwrap_or_default()
    }
}

/// A connection with more interfaces has each diagnosed by its own.
const LOOKED_AT_MAX: usize = 100;

async fn behind(db: &mut AnyConnection, interface: &Interface) -> Result<Behind, Refusal> {
    let Some(gateway) = interface.gateway else { return Ok(Behind::default()) };
    let gateway = gateways::by_id(db, gateway).await?;
    let Some(id) = gateway.as_ref().and_then(|gateway| gateway.net) else {
        return Ok(Behind { gateway, ..Behind::default() });
    };
    Ok(Behind {
        gateway,
        net: nets::by_id(db, id).await?,
        subnets: nets::subnets_of_net(db, id).await?,
        nics: nics::of_net(db, id).await?,
        groups: security_groups::of_net(db, id).await?,
        tables: route_tables::of_net(db, id).await?,
    })
}
