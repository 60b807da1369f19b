//! Connections, as their customers type them; the operator lists them with the same words.

use super::{
    customer::{Customer, Either, Identity, list, show_if_there},
    nets::Attempt,
    operator::CONNECTIONS,
    wait::{Thing, Waiting},
};
use crate::output::{self, Column};
use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use directlink_model::{
    ids::{ConnectionId, LocationCode},
    needs::Reach,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections
    List(Either),
    /// Show one connection
    Show {
        connection: ConnectionId,
        #[command(flatten)]
        either: Either,
    },
    /// Order a connection
    Order {
        #[command(flatten)]
        order: NewConnection,
        #[command(flatten)]
        change: Attempt,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Write its Letter of Authorization, a PDF, to a file
    Letter {
        connection: ConnectionId,
        /// The file, which must not be there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        customer: Customer,
    },
    /// Give a connection up
    Delete {
        connection: ConnectionId,
        #[command(flatten)]
        change: Attempt,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Args)]
pub(crate) struct NewConnection {
    /// What you call it
    name: String,
    /// Code of the site where it shall end, as PAR1
    #[arg(long)]
    location: LocationCode,
    /// 1Gbps or 10Gbps
    #[arg(long, default_value = "1Gbps")]
    bandwidth: String,
    /// How your network comes there: your `router` is in the data centre, or a provider's `fibre`
    #[arg(long)]
    reach: Option<Reach>,
    /// Who brings the fibre
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// You wish to host equipment of yours there
    #[arg(long)]
    host_equipment: bool,
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
pub(crate) async fn connection(command: ConnectionCommand) -> Result<()> {
    match command {
        ConnectionCommand::List(Either { access, .. }) if access.is_given() => {
            access.list("connections", CONNECTIONS).await
        }
        ConnectionCommand::List(Either { access, identity }) => {
            let answer = identity.customer()?.connections().await?;
            list(access.output, "connections", OWN_CONNECTIONS, &answer)
        }
        ConnectionCommand::Show { connection, either: Either { access, .. } }
            if access.is_given() =>
        {
            let found = access.operator()?.find("connections", &connection.to_string()).await?;
            output::one(access.output, CONNECTIONS, &found)
        }
        ConnectionCommand::Show { connection, either: Either { access, identity } } => {
            let found = own_connection(&identity, &connection.to_string()).await?;
            output::one(access.output, OWN_CONNECTIONS, &found)
        }
        ConnectionCommand::Order { order, change, waiting } => {
            order_connection(&order, &change, waiting).await
        }
        ConnectionCommand::Letter { connection, to, customer } => {
            letter(&connection.to_string(), &to, &customer).await
        }
        ConnectionCommand::Delete { connection, change, waiting } => {
            let id = connection.to_string();
            change.call("DeleteDirectLink", json!({ "DirectLinkId": id })).await?;
            if change.dry_run {
                return Ok(());
            }
            let Customer { identity, output } = &change.customer;
            let gone = match waiting.is_asked() {
                true => waiting.until(identity, Thing::Connection(&id), "deleted").await?,
                false => identity.customer()?.find_connection(&id).await?,
            };
            show_if_there(*output, OWN_CONNECTIONS, gone.as_ref())
        }
    }
}

async fn own_connection(identity: &Identity, id: &str) -> Result<Value> {
    let found = identity.customer()?.find_connection(id).await?;
    found.with_context(|| format!("there is no connection {id}, or it is not yours"))
}

async fn order_connection(order: &NewConnection, change: &Attempt, waiting: Waiting) -> Result<()> {
    let Customer { identity, output } = &change.customer;
    advise(identity, order.location.as_str()).await?;
    let mut wish = json!({
        "DirectLinkName": order.name, "Location": order.location, "Bandwidth": order.bandwidth,
    });
    if let Some(reach) = order.reach {
        wish["Reach"] = reach.as_str().into();
    }
    if let Some(provider) = &order.provider {
        wish["NetworkProvider"] = provider.as_str().into();
    }
    if order.host_equipment {
        wish["HostsEquipment"] = true.into();
    }
    // What goes beyond the published action is an action of ours.
    let is_published = wish.as_object().is_some_and(|wish| wish.len() == 3);
    let answer = match is_published {
        true => change.call("CreateDirectLink", wish).await?,
        false => change.call_ours("OrderDirectLink", wish).await?,
    };
    if change.dry_run {
        return Ok(());
    }
    let id = answer["DirectLink"]["DirectLinkId"].as_str().context("the answer lacks an id")?;
    let seen = match waiting.is_asked() {
        true => waiting.until(identity, Thing::Connection(id), "available").await?,
        false => Some(own_connection(identity, id).await?),
    };
    show_if_there(*output, OWN_CONNECTIONS, seen.as_ref())
}

/// The guide's advice: where all Subnets are in one Subregion, its location is the nearest.
async fn advise(identity: &Identity, location: &str) -> Result<()> {
    let api = identity.api()?;
    let subnets = api.call("ReadSubnets", &json!({})).await?;
    let subregions = api.call("ReadSubregions", &json!({})).await?;
    if let Some((subregion, nearest)) = nearest(&subnets, &subregions)
        && nearest != location
    {
        eprintln!(
            "advice: all your Subnets are in {subregion}, to which {nearest} is nearer than {location}"
        );
    }
    Ok(())
}

/// The one Subregion, and its location.
fn nearest(subnets: &Value, subregions: &Value) -> Option<(String, String)> {
    let subnets = subnets["Subnets"].as_array()?;
    let used: BTreeSet<_> = subnets.iter().filter_map(|s| s["SubregionName"].as_str()).collect();
    let only = used.first().filter(|_| used.len() == 1)?;
    let all = subregions["Subregions"].as_array()?;
    let found = all.iter().find(|subregion| subregion["SubregionName"] == **only)?;
    Some(((*only).to_owned(), found["LocationCode"].as_str()?.to_owned()))
}

async fn letter(id: &str, to: &Path, customer: &Customer) -> Result<()> {
    let answer = customer.identity.customer()?.letter(id).await?;
    let content = answer["loaContent"].as_str().context("the answer lacks a letter")?;
    let bytes = STANDARD.decode(content).context("the letter is not base64")?;
    let at = || to.display().to_string();
    let mut file = fs::File::create_new(to).with_context(at)?;
    file.write_all(&bytes).with_context(at)?;
    eprintln!("{}: {} bytes", to.display(), bytes.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_location_is_that_of_the_one_subregion_with_subnets() {
        let subregions = json!({ "Subregions": [
            { "SubregionName": "eu-west-2a", "LocationCode": "PAR1" },
            { "SubregionName": "eu-west-2b", "LocationCode": "PAR4" },
        ] });
        let subnets = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|name| json!({ "SubregionName": name })).collect();
            json!({ "Subnets": all })
        };
        for (names, expected) in [
            (&["eu-west-2b", "eu-west-2b"][..], Some("PAR4")),
            (&["eu-west-2a"], Some("PAR1")),
            (&["eu-west-2a", "eu-west-2b"], None),
            (&[], None),
            (&["elsewhere"], None),
        ] {
            let found = nearest(&subnets(names), &subregions);
            assert_eq!(found.map(|(_, code)| code).as_deref(), expected, "{names:?}");
        }
    }
}
