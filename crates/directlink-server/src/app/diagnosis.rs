//! Why is it down? Gathers what the model's ladder is made of; the ladder is [`diagnose`]'s.

use super::{
    App, Context, Refusal,
    interfaces::{view, visible},
};
use crate::store::{
    AnyConnection, connections, gateways, interfaces, nets, nics, route_tables, security_groups,
};
use directlink_model::{
    Fault,
    connection::Connection,
    diagnosis::{Behind, Diagnosis, Facts, RouterHeard, diagnose},
    evidence::PortEvidence,
    glass::{Answer, Ask, Looked},
    ids::InterfaceId,
    interface::Interface,
    report::InterfaceReport,
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
        self.explain(&mut db, (interface, connection), (behind.as_ref(), looked), ctx.now).await
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
        self.explain(&mut db, (interface, connection), (Some(&behind), looked), self.now()).await
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

    async fn explain(
        &self,
        db: &mut AnyConnection,
        (interface, connection): (Interface, Connection),
        (behind, looked): (Option<&Behind>, Option<Looked>),
        now: Timestamp,
    ) -> Result<Diagnosis, Refusal> {
        let stored = interfaces::report(db, interface.id).await?.unwrap_or_default();
        let (mut router, mut port, mut report) =
            self.heard_of(db, (&interface, &connection), stored).await?;
        let fresh = looked.map(|looked| {
            router = RouterHeard::Connected;
            port = looked.port;
            report = looked.report.with_routes_of(&report);
            looked.fresh
        });
        let view = view(interface, connection, now);
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

    /// What the router says now; what is stored of it, where no server hears it.
    async fn heard_of(
        &self,
        db: &mut AnyConnection,
        (interface, connection): (&Interface, &Connection),
        stored: InterfaceReport,
    ) -> Result<(RouterHeard, PortEvidence, InterfaceReport), Refusal> {
        let agents = &self.parts().agents;
        let Some(port) = connection.approval.as_ref().map(|approval| &approval.port) else {
            return Ok((RouterHeard::Never, PortEvidence::default(), stored));
        };
        let (agent, said) = (agents.view(&port.router), self.last_report(db, port).await?);
        let router = match (agent.connected, agent.last_seen_at, &said) {
            (true, _, _) | (false, None, Some(_)) => RouterHeard::Connected,
            (false, Some(at), _) => RouterHeard::SilentSince(at),
            (false, None, None) => RouterHeard::Never,
        };
        Ok(match said {
            Some(mut said) => {
                let of_it = said.interfaces.remove(&interface.id);
                (router, said.evidence, of_it.unwrap_or(stored))
            }
            None => (router, PortEvidence::default(), stored),
        })
    }
}

async fn behind(db: &mut AnyConnection, interface: &Interface) -> Result<Behind, Refusal> {
    let Some(gateway) = interface.gateway else { return Ok(Behind::default()) };
    let gateway = gateways::by_id(db, gateway).await?;
    let Some(id) = gateway.as_ref().and_then(|gateway| gateway.net) else {
        return Ok(Behind { gateway, ..Behind::default() });
    };
    let mut tables = vec![];
    for table in route_tables::of_net(db, id).await? {
        tables.extend(route_tables::by_id(db, table).await?);
    }
    Ok(Behind {
        gateway,
        net: nets::by_id(db, id).await?,
        subnets: nets::subnets_of_net(db, id).await?,
        nics: nics::of_net(db, id).await?,
        groups: security_groups::of_net(db, id).await?,
        tables,
    })
}
