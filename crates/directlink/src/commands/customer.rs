//! What both a Region's operator and its customers type: connections and interfaces.
//!
//! ```text
//!   --state DIR, --url URL   the operator: all that the Region has
//!   otherwise                a customer: what is theirs, with the keys that osc-cli uses
//! ```
//!
//! A hosted interface is accepted here because the OUTSCALE API has no call for it.

use super::operator::{Access, CONNECTIONS, INTERFACES};
use crate::{
    client::{DirectConnect, Operator, Profile, Sources},
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use directlink_model::ids::{ConnectionId, GatewayId, InterfaceId, LocationCode};
use serde_json::Value;
use std::{fs, io::ErrorKind, path::PathBuf};

/// Which customer, and how the answer is shown.
#[derive(Args)]
pub(crate) struct Customer {
    #[command(flatten)]
    identity: Identity,
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Args)]
struct Identity {
    /// A profile of ~/.osc/config.json; otherwise OSC_ACCESS_KEY and its kin, or the file's default
    #[arg(long, env = "OSC_PROFILE", value_name = "NAME", help_heading = "As a customer")]
    profile: Option<String>,
    /// Another file of profiles
    #[arg(long, env = "OSC_CONFIG_FILE", value_name = "FILE", help_heading = "As a customer")]
    config: Option<PathBuf>,
    /// The Region's address, if not the profile's or that of OSC_ENDPOINT_API
    #[arg(long, value_name = "URL", help_heading = "As a customer")]
    endpoint: Option<String>,
}

/// The operator, or a customer.
#[derive(Args)]
pub(crate) struct Either {
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections
    List(Either),
    /// Order a connection
    Order {
        /// What you call it
        name: String,
        /// Code of the site where it shall end, as PAR1
        #[arg(long)]
        location: LocationCode,
        /// 1Gbps or 10Gbps
        #[arg(long, default_value = "1Gbps")]
        bandwidth: String,
        #[command(flatten)]
        customer: Customer,
    },
    /// Give a connection up
    Delete {
        connection: ConnectionId,
        #[command(flatten)]
        customer: Customer,
    },
}

#[derive(Subcommand)]
pub(crate) enum InterfaceCommand {
    /// List the interfaces
    List(Either),
    /// Show one interface
    Show {
        interface: InterfaceId,
        #[command(flatten)]
        either: Either,
    },
    /// Take a hosted interface that somebody made for you
    Accept {
        interface: InterfaceId,
        /// The virtual gateway that it shall lead to
        #[arg(long)]
        gateway: GatewayId,
        #[command(flatten)]
        customer: Customer,
    },
    /// Refuse a hosted interface that somebody made for you
    Reject {
        interface: InterfaceId,
        #[command(flatten)]
        customer: Customer,
    },
}

/// The same columns as the operator's, by this API's names.
const OWN_CONNECTIONS: &[Column] = &[
    ("ID", "connectionId"),
    ("NAME", "connectionName"),
    ("LOCATION", "location"),
    ("BANDWIDTH", "bandwidth"),
    ("STATE", "connectionState"),
    ("ROUTER", "awsDeviceV2"),
];
const OWN_INTERFACES: &[Column] = &[
    ("ID", "virtualInterfaceId"),
    ("CONNECTION", "connectionId"),
    ("OWNER", "ownerAccount"),
    ("NAME", "virtualInterfaceName"),
    ("VLAN", "vlan"),
    ("ASN", "asnLong"),
    ("STATE", "virtualInterfaceState"),
    ("GATEWAY", "virtualGatewayId"),
];

impl Either {
    pub(super) const fn format(&self) -> Format {
        self.access.output
    }

    /// `None`: it is a customer who asks.
    pub(super) fn operator(&self) -> Result<Option<Operator>> {
        self.access.is_given().then(|| self.access.operator()).transpose()
    }

    pub(super) fn customer(&self) -> Result<DirectConnect> {
        self.identity.customer()
    }
}

impl Identity {
    fn customer(&self) -> Result<DirectConnect> {
        let path = match (&self.config, std::env::home_dir()) {
            (Some(path), _) => path.clone(),
            (None, Some(home)) => home.join(".osc/config.json"),
            (None, None) => PathBuf::new(),
        };
        let file = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == ErrorKind::NotFound && self.config.is_none() => None,
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        };
        let profile = Profile::find(&Sources {
            profile: self.profile.as_deref(),
            endpoint: self.endpoint.as_deref(),
            environment: &|name| std::env::var(name).ok(),
            file: file.as_deref(),
        })?;
        Ok(DirectConnect::new(profile))
    }
}

pub(crate) async fn connection(command: ConnectionCommand) -> Result<()> {
    match command {
        ConnectionCommand::List(Either { access, .. }) if access.is_given() => {
            access.list("connections", CONNECTIONS).await
        }
        ConnectionCommand::List(Either { access, identity }) => {
            let answer = identity.customer()?.connections().await?;
            list(access.output, "connections", OWN_CONNECTIONS, &answer)
        }
        ConnectionCommand::Order { name, location, bandwidth, customer } => {
            let caller = customer.identity.customer()?;
            let ordered = caller.order(&name, location.as_str(), &bandwidth).await?;
            output::one(customer.output, OWN_CONNECTIONS, &ordered)
        }
        ConnectionCommand::Delete { connection, customer } => {
            let caller = customer.identity.customer()?;
            let deleted = caller.delete_connection(&connection.to_string()).await?;
            output::one(customer.output, OWN_CONNECTIONS, &deleted)
        }
    }
}

pub(crate) async fn interface(command: InterfaceCommand) -> Result<()> {
    match command {
        InterfaceCommand::List(Either { access, .. }) if access.is_given() => {
            access.list("interfaces", INTERFACES).await
        }
        InterfaceCommand::List(Either { access, identity }) => {
            let answer = identity.customer()?.interfaces().await?;
            list(access.output, "virtualInterfaces", OWN_INTERFACES, &answer)
        }
        InterfaceCommand::Show { interface, either: Either { access, .. } }
            if access.is_given() =>
        {
            let found = access.operator()?.find("interfaces", &interface.to_string()).await?;
            output::one(access.output, INTERFACES, &found)
        }
        InterfaceCommand::Show { interface, either: Either { access, identity } } => {
            let found = identity.customer()?.interface(&interface.to_string()).await?;
            output::one(access.output, OWN_INTERFACES, &found)
        }
        InterfaceCommand::Accept { interface, gateway, customer } => {
            let (caller, id) = (customer.identity.customer()?, interface.to_string());
            caller.confirm(&id, &gateway.to_string()).await?;
            let accepted = caller.interface(&id).await?;
            output::one(customer.output, OWN_INTERFACES, &accepted)
        }
        InterfaceCommand::Reject { interface, customer } => reject(interface, &customer).await,
    }
}

/// To delete an offered interface is to reject it; one that is in use must not go by this word.
async fn reject(interface: InterfaceId, customer: &Customer) -> Result<()> {
    let (caller, id) = (customer.identity.customer()?, interface.to_string());
    let before = caller.interface(&id).await?;
    let state = before["virtualInterfaceState"].as_str().unwrap_or_default();
    ensure!(
        state == "confirming",
        "{id} is {state}: only an interface that waits to be accepted can be rejected"
    );
    caller.delete_interface(&id).await?;
    let rejected = caller.interface(&id).await?;
    output::one(customer.output, OWN_INTERFACES, &rejected)
}

fn list(format: Format, member: &str, columns: &[Column], answer: &Value) -> Result<()> {
    let rows = answer[member].as_array().with_context(|| format!("the answer lacks {member}"))?;
    output::list(format, columns, rows, answer)
}
