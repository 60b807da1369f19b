//! Interfaces, as their customers type them; the operator lists them with the same words.
//!
//! A hosted interface is accepted by the AWS face, because the OUTSCALE API has no call for it; both are
//! shown as that face has them.

use super::{
    customer::{Customer, Either, list, show_if_there},
    nets::Attempt,
    operator::INTERFACES,
    wait::{Thing, Waiting},
};
use crate::output::{self, Column};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use directlink_model::ids::{ConnectionId, GatewayId, InterfaceId};
use serde_json::json;
use std::{fs, path::PathBuf};

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
    /// Create an interface on a connection
    Create {
        #[command(flatten)]
        wish: NewInterface,
        #[command(flatten)]
        change: Attempt,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Change the MTU of an interface
    Change {
        interface: InterfaceId,
        /// At most 1500
        #[arg(long)]
        mtu: u16,
        #[command(flatten)]
        change: Attempt,
    },
    /// Take a hosted interface that somebody made for you
    Accept {
        interface: InterfaceId,
        /// The virtual gateway that it shall lead to
        #[arg(long)]
        gateway: GatewayId,
        #[command(flatten)]
        customer: Customer,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Refuse a hosted interface that somebody made for you
    Reject {
        interface: InterfaceId,
        #[command(flatten)]
        customer: Customer,
    },
    /// Delete an interface
    Delete {
        interface: InterfaceId,
        #[command(flatten)]
        change: Attempt,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Args)]
pub(crate) struct NewInterface {
    /// What you call it
    name: String,
    #[arg(long)]
    connection: ConnectionId,
    /// 1 to 4094, once on a connection
    #[arg(long)]
    vlan: u16,
    /// The AS number of your router
    #[arg(long)]
    asn: u32,
    /// The virtual gateway that it leads to
    #[arg(long)]
    gateway: GatewayId,
    /// The file that holds the BGP key, if there shall be one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The DirectLink router's address, as 172.16.0.5/30; allocated if left out
    #[arg(long, value_name = "ADDRESS")]
    router_address: Option<String>,
    /// Your router's address, as 172.16.0.6/30; allocated if left out
    #[arg(long, value_name = "ADDRESS")]
    customer_address: Option<String>,
}

/// The same columns as the operator's, by this API's names.
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
        InterfaceCommand::Create { wish, change, waiting } => create(&wish, &change, waiting).await,
        InterfaceCommand::Change { interface, mtu, change } => {
            let id = interface.to_string();
            let wish = json!({ "DirectLinkInterfaceId": id, "Mtu": mtu });
            change.call("UpdateDirectLinkInterface", wish).await?;
            match change.dry_run {
                true => Ok(()),
                false => show_interface(&change.customer, &id, (Waiting::NOT, "")).await,
            }
        }
        InterfaceCommand::Accept { interface, gateway, customer, waiting } => {
            let (caller, id) = (customer.identity.customer()?, interface.to_string());
            caller.confirm(&id, &gateway.to_string()).await?;
            show_interface(&customer, &id, (waiting, "available")).await
        }
        InterfaceCommand::Reject { interface, customer } => reject(interface, &customer).await,
        InterfaceCommand::Delete { interface, change, waiting } => {
            let id = interface.to_string();
            let what = json!({ "DirectLinkInterfaceId": id });
            change.call("DeleteDirectLinkInterface", what).await?;
            match change.dry_run {
                true => Ok(()),
                false => show_interface(&change.customer, &id, (waiting, "deleted")).await,
            }
        }
    }
}

/// As it is, or as it is when it is what was wanted.
async fn show_interface(
    customer: &Customer,
    id: &str,
    (waiting, wanted): (Waiting, &str),
) -> Result<()> {
    let Customer { identity, output } = customer;
    let seen = match waiting.is_asked() {
        true => waiting.until(identity, Thing::Interface(id), wanted).await?,
        false => identity.customer()?.find_interface(id).await?,
    };
    show_if_there(*output, OWN_INTERFACES, seen.as_ref())
}

async fn create(wish: &NewInterface, change: &Attempt, waiting: Waiting) -> Result<()> {
    let mut interface = json!({
        "DirectLinkInterfaceName": wish.name,
        "Vlan": wish.vlan,
        "BgpAsn": wish.asn,
        "VirtualGatewayId": wish.gateway,
    });
    if let Some(path) = &wish.key_file {
        let key = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        interface["BgpKey"] = key.trim_end_matches(['\r', '\n']).into();
    }
    let addresses =
        [("OutscalePrivateIp", &wish.router_address), ("ClientPrivateIp", &wish.customer_address)];
    for (member, address) in addresses {
        if let Some(address) = address {
            interface[member] = address.as_str().into();
        }
    }
    let wish = json!({ "DirectLinkId": wish.connection, "DirectLinkInterface": interface });
    let answer = change.call("CreateDirectLinkInterface", wish).await?;
    if change.dry_run {
        return Ok(());
    }
    let id = answer["DirectLinkInterface"]["DirectLinkInterfaceId"].as_str();
    let id = id.context("the answer lacks an id")?;
    show_interface(&change.customer, id, (waiting, "available")).await
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
