//! The operator's side: sites and ports, orders, accounts, where NICs live, the clock.

use super::NewAccessKey;
use super::{App, Refusal};
use crate::store;
use directlink_model::{
    account::Account,
    command::{AddLocation, AddPort, AddRouter, ApproveOrder, PlaceNic},
    connection::PortRef,
    ids::{ConnectionId, RouterName},
    location::{Location, Port, Router},
    net::Nic,
    plan::Scope,
    view::{ConnectionView, InterfaceView},
};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

#[derive(Clone, Debug)]
pub struct AddAccount {
    pub email: String,
    /// `None`: one is made.
    pub password: Option<SecretString>,
}

/// Secrets that are shown this once.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub account: Account,
    pub access_key: NewAccessKey,
    pub password: SecretString,
}

/// What an agent needs to dial: three PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: SecretString,
}

#[derive(Clone, Debug)]
pub struct NewRouter {
    pub router: Router,
    pub identity: Identity,
}

#[derive(Clone, Debug)]
pub struct RouterView {
    pub router: Router,
    pub ports: Vec<PortView>,
    pub agent: AgentView,
}

#[derive(Clone, Debug)]
pub struct PortView {
    pub port: Port,
    /// The connection that holds it; also a deleted one whose fibre is still lit.
    pub connection: Option<ConnectionId>,
    /// As last reported since this server started.
    pub light: Option<bool>,
}

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
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// A router, with the identity that its agent shows. The key is given this once.
    pub async fn add_router(&self, c: AddRouter) -> Result<NewRouter, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// A port of a router.
    pub async fn add_port(&self, c: AddPort) -> Result<Port, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// An account with its first access key.
    pub async fn add_account(&self, c: AddAccount) -> Result<NewAccount, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Takes a port for an order and issues the Letter of Authorization, in one act.
    pub async fn approve_order(&self, c: ApproveOrder) -> Result<ConnectionView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The port is free again although its router still sees light, or no longer speaks.
    pub async fn release_port(&self, port: PortRef) -> Result<PortView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Says behind which fabric address a NIC lives.
    pub async fn place_nic(&self, c: PlaceNic) -> Result<Nic, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Every account's, in order of creation; `ids`: of these only.
    pub async fn all_connections(
        &self,
        ids: Option<&[ConnectionId]>,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Every account's, in order of creation.
    pub async fn all_interfaces(&self) -> Result<Vec<InterfaceView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// In order of their names, each with its ports and what its agent has said.
    pub async fn routers(&self) -> Result<Vec<RouterView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// A new identity for a router whose key is lost.
    pub async fn renew_identity(&self, router: &RouterName) -> Result<Identity, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// In order of creation.
    pub async fn accounts(&self) -> Result<Vec<Account>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Moves a virtual clock on. `Fault::BadValue` where the clock is the real one.
    pub async fn advance_clock(&self, by: SignedDuration) -> Result<Timestamp, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
