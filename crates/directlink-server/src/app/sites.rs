//! The operator's side of the places: locations, routers and their identities, ports.

use super::{
    App, CertificateView, Refusal, certificates, check_name,
    inventory::{check_optics, check_position},
    write_tx,
};
use crate::{
    ca::{Certified, Identity},
    reconcile::end_cross_connect,
    store::{
        Tx, certificates as store_certificates, connections, interfaces,
        journal::{self, Actor},
        plans::{self, Steps},
        sites,
    },
};
use directlink_model::{
    Fault,
    command::{AddLocation, AddPort, AddRouter},
    connection::{ConnectionState, PortRef},
    evidence::Transceiver,
    ids::{ConnectionId, RouterName},
    location::{Location, Port, Router},
    plan::Scope,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Debug)]
pub struct NewRouter {
    pub router: Router,
    /// What its agent needs to dial; the key is not kept here.
    pub identity: Identity,
}

#[derive(Clone, Debug)]
pub struct RouterView {
    pub router: Router,
    pub certificate: CertificateView,
    pub ports: Vec<PortView>,
    pub agent: AgentView,
}

/// A router in a list.
#[derive(Clone, Debug)]
pub struct RouterLine {
    pub router: Router,
    pub certificate: CertificateView,
    /// How many, and how many of these carry nothing.
    pub ports: [usize; 2],
    pub steps: Steps,
    pub agent: AgentView,
}

#[derive(Clone, Debug)]
pub struct PortView {
    pub port: Port,
    /// The connection that holds it; also a deleted one whose fibre is still lit.
    pub connection: Option<ConnectionId>,
    /// As last reported since this server started.
    pub light: Option<bool>,
    pub transceiver: Option<Transceiver>,
}

/// What is known of a router's agent.
#[derive(Clone, Debug, Default)]
pub struct AgentView {
    pub connected: bool,
    pub build: Option<String>,
    pub last_seen_at: Option<Timestamp>,
    pub scopes: Vec<ScopeView>,
}

/// One document of a router: what is wanted, and what its agent has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeView {
    pub scope: Scope,
    pub wanted_generation: u64,
    /// `None`: never answered for.
    pub acknowledged_generation: Option<u64>,
    /// Why it could not be (wholly) applied.
    pub failure: Option<String>,
}

impl App {
    /// A site. One a Subregion.
    pub async fn add_location(&self, c: AddLocation) -> Result<Location, Refusal> {
        check_name("name", &c.name)?;
        let now = self.now();
        let location = Location { code: c.code, name: c.name, subregion: c.subregion };
        write_tx!(self, false, |tx| {
            for other in sites::locations(tx).await? {
                if other.code == location.code {
                    return Err(Fault::AlreadyExists(other.code.to_string()).into());
                }
                if other.subregion == location.subregion {
                    return Err(Fault::SubregionHasLocation(other.subregion).into());
                }
            }
            sites::insert_location(tx, &location).await?;
            record(tx, &location.code, "location added", now).await?;
            Ok(location.clone())
        })
    }

    /// A router, with the identity that its agent shows. The key is given this once. Its fabric
    /// address is its BGP identifier too: unique, and not zero.
    pub async fn add_router(&self, c: AddRouter) -> Result<NewRouter, Refusal> {
        let (identity, certified) = self.new_identity(&c.name)?;
        let router = self.insert_router(c, Some(&certified)).await?;
        Ok(NewRouter { router, identity })
    }

    /// A router that makes its key itself: it comes to its certificate by a token.
    pub async fn add_router_to_enrol(&self, c: AddRouter) -> Result<Router, Refusal> {
        self.insert_router(c, None).await
    }

    async fn insert_router(
        &self,
        c: AddRouter,
        certified: Option<&Certified>,
    ) -> Result<Router, Refusal> {
        check_vtep(&c)?;
        let now = self.now();
        let router =
            Router { name: c.name, location: c.location, vtep: c.vtep, bgp_identifier: c.vtep };
        write_tx!(self, false, |tx| {
            let location = sites::location(tx, router.location.as_str()).await?;
            location.ok_or_else(|| Fault::NoSuchLocation(router.location.to_string()))?;
            for other in sites::routers(tx).await? {
                if other.name == router.name {
                    return Err(Fault::AlreadyExists(other.name.to_string()).into());
                }
                if other.vtep == router.vtep {
                    return Err(Fault::AlreadyExists(other.vtep.to_string()).into());
                }
            }
            sites::insert_router(tx, &router).await?;
            if let Some(certified) = certified {
                certificates::keep(tx, &router.name, certified).await?;
            }
            record(tx, &router.name, "router added", now).await?;
            Ok(router.clone())
        })
    }

    /// A new identity for a router whose key is lost; the old one is worth nothing any more.
    pub async fn renew_identity(&self, router: &RouterName) -> Result<Identity, Refusal> {
        let now = self.now();
        let (identity, certified) = self.new_identity(router)?;
        write_tx!(self, false, |tx| {
            let found = sites::router(tx, router).await?;
            found.ok_or_else(|| Fault::NoSuchRouter(router.clone()))?;
            store_certificates::revoke(tx, router, self.machine_now()).await?;
            certificates::keep(tx, router, &certified).await?;
            record(tx, router, "router identity renewed", now).await
        })?;
        self.look_at_stream(router);
        Ok(identity)
    }

    /// A port of a router.
    pub async fn add_port(&self, c: AddPort) -> Result<Port, Refusal> {
        let now = self.now();
        check_optics(c.optics, c.speed)?;
        let port = Port {
            router: c.port.router.clone(),
            name: c.port.port.clone(),
            speed: c.speed,
            optics: c.optics,
            position: c.position,
        };
        write_tx!(self, false, |tx| {
            let router = sites::router(tx, &port.router).await?;
            router.ok_or_else(|| Fault::NoSuchRouter(port.router.clone()))?;
            if sites::port(tx, &c.port).await?.is_some() {
                return Err(Fault::AlreadyExists(c.port.to_string()).into());
            }
            if let Some(position) = &port.position {
                check_position(tx, &c.port, position).await?;
            }
            sites::insert_port(tx, &port).await?;
            plans::mark_port(tx, &c.port).await?;
            record(tx, &c.port, "port added", now).await?;
            Ok(port.clone())
        })
    }

    /// The port of a deleting or deleted connection is free again although its router still sees
    /// light, or no longer speaks. Refused while a living connection has it. Light that is there is meant
    /// to be: who names the port for an order can have it.
    pub async fn release_port(&self, port: PortRef) -> Result<PortView, Refusal> {
        let now = self.now();
        let found = write_tx!(self, false, |tx| {
            let found = sites::port(tx, &port).await?;
            let found = found.ok_or_else(|| Fault::NoSuchPort(port.clone()))?;
            if let Some(mut holder) = connections::holding(tx, &port).await? {
                match holder.state() {
                    ConnectionState::Deleting
                    | ConnectionState::Deleted
                    | ConnectionState::Rejected => {}
                    ConnectionState::Ordering
                    | ConnectionState::Requested
                    | ConnectionState::Pending
                    | ConnectionState::Available
                    | ConnectionState::Down => {
                        return Err(Refusal::from(Fault::PortTaken(port.clone())));
                    }
                }
                for mut interface in interfaces::live_of_connection(tx, holder.id).await? {
                    if interface.see_removed(now) {
                        interfaces::update(tx, &interface).await?;
                    }
                }
                if holder.see_released(now) {
                    connections::update(tx, &holder).await?;
                }
                connections::free_port(tx, holder.id, now).await?;
                end_cross_connect(tx, holder.id, Some("the operator"), now).await?;
                plans::mark_port(tx, &port).await?;
                record(tx, &port, "port released", now).await?;
            }
            if self.folded_report(tx, &port).await?.is_some_and(|report| report.light) {
                sites::mean_light(tx, &port, now).await?;
                record(tx, &port, "light is meant", now).await?;
            }
            Ok(found)
        })?;
        let (light, transceiver) =
            (self.parts().agents.light(&port), self.parts().agents.transceiver(&port));
        Ok(PortView { port: found, connection: None, light, transceiver })
    }

    /// In order of their names, each with its ports and what its agent has said.
    pub async fn routers(&self) -> Result<Vec<RouterView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let routers = sites::routers(&mut db).await?;
        let ports = sites::ports(&mut db).await?;
        let holders: BTreeMap<PortRef, ConnectionId> =
            connections::holders(&mut db).await?.into_iter().collect();
        let mut scopes: BTreeMap<RouterName, Vec<ScopeView>> = BTreeMap::new();
        for row in plans::every_scope(&mut db).await? {
            scopes.entry(row.router.clone()).or_default().push(scope_view(row));
        }
        let mut certificates = self.certificate_views(&mut db).await?;
        let view = |router: Router| {
            let certificate = certificates.remove(&router.name).unwrap_or_default();
            let mut agent = self.parts().agents.view(&router.name);
            agent.scopes = scopes.remove(&router.name).unwrap_or_default();
            let of_it = ports.iter().filter(|p| p.router == router.name);
            let ports = of_it.map(|port| self.port_view(port, &holders)).collect();
            RouterView { router, certificate, ports, agent }
        };
        Ok(routers.into_iter().map(view).collect())
    }

    /// In order of their names, without their ports and documents.
    pub async fn router_lines(&self) -> Result<Vec<RouterLine>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let routers = sites::routers(&mut db).await?;
        let ports: BTreeMap<_, _> = sites::router_counts(&mut db).await?.into_iter().collect();
        let steps: BTreeMap<_, _> = plans::steps(&mut db).await?.into_iter().collect();
        let certificates = self.certificate_views(&mut db).await?;
        let line = |router: Router| RouterLine {
            certificate: certificates.get(&router.name).copied().unwrap_or_default(),
            ports: ports.get(&router.name).copied().unwrap_or_default(),
            steps: steps.get(&router.name).copied().unwrap_or_default(),
            agent: self.parts().agents.view(&router.name),
            router,
        };
        Ok(routers.into_iter().map(line).collect())
    }

    /// One router, with its ports and what its agent has said.
    pub async fn router(&self, name: &RouterName) -> Result<Option<RouterView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let Some(router) = sites::router(&mut db, name).await? else { return Ok(None) };
        let ports = sites::ports_of(&mut db, name).await?;
        let holders = connections::holders_of(&mut db, name).await?.into_iter().collect();
        let scopes = plans::scopes_of(&mut db, name).await?;
        let mut agent = self.parts().agents.view(name);
        agent.scopes = scopes.into_iter().map(scope_view).collect();
        let ports = ports.iter().map(|port| self.port_view(port, &holders)).collect();
        let certificate = self.certificate_views(&mut db).await?.remove(name).unwrap_or_default();
        Ok(Some(RouterView { router, certificate, ports, agent }))
    }

    fn port_view(&self, port: &Port, holders: &BTreeMap<PortRef, ConnectionId>) -> PortView {
        let at = port.at();
        PortView {
            port: port.clone(),
            connection: holders.get(&at).copied(),
            light: self.parts().agents.light(&at),
            transceiver: self.parts().agents.transceiver(&at),
        }
    }

    fn new_identity(&self, router: &RouterName) -> Result<(Identity, Certified), Refusal> {
        let trust = self.parts().authorities.now();
        let made = trust.signer.router_identity(router, self.validity(), trust.pem());
        Ok(made.map_err(crate::store::Error::from)?)
    }
}

fn scope_view(row: plans::ScopeRow) -> ScopeView {
    ScopeView {
        scope: row.scope,
        wanted_generation: row.generation,
        acknowledged_generation: row.answered,
        failure: row.failure,
    }
}

/// A fabric address must be one that a host can have.
fn check_vtep(c: &AddRouter) -> Result<(), Fault> {
    let bad = c.vtep.is_unspecified() || c.vtep.is_multicast() || c.vtep.is_broadcast();
    match bad {
        true => Err(Fault::BadValue {
            parameter: "vtep",
            given: c.vtep.to_string(),
            expected: "give the unicast address of the router on the fabric".into(),
        }),
        false => Ok(()),
    }
}

async fn record(
    tx: &mut Tx,
    subject: impl fmt::Display,
    what: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&Actor::Operator, now), subject, what, "").await?)
}
