//! What a connection leads to, as a customer types it: Nets, Subnets, virtual gateways, route tables and
//! routes, and what may be had of each. Through the OUTSCALE API, in its words: `--output json` is its
//! answer.

use super::customer::Customer;
use crate::{
    client::Customer as Api,
    output::{self, Column},
};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use directlink_model::ids::{GatewayId, NetId, RouteTableId, SubnetId};
use serde_json::{Value, json};

/// A change, which can be tried.
#[derive(Args)]
pub(crate) struct Attempt {
    #[command(flatten)]
    pub(super) customer: Customer,
    /// Say whether it would be done, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Subcommand)]
pub(crate) enum NetCommand {
    /// List the Nets
    List(Customer),
    /// Show one Net
    Show {
        net: NetId,
        #[command(flatten)]
        customer: Customer,
    },
    /// Create a Net
    Create {
        /// Its addresses, as 10.0.0.0/16
        range: String,
        #[command(flatten)]
        change: Attempt,
    },
    /// Delete a Net
    Delete {
        net: NetId,
        #[command(flatten)]
        change: Attempt,
    },
}

#[derive(Subcommand)]
pub(crate) enum SubnetCommand {
    /// List the Subnets
    List(Customer),
    /// Create a Subnet
    Create {
        #[arg(long)]
        net: NetId,
        /// Its addresses, as 10.0.1.0/24
        range: String,
        /// Where it is, as eu-west-2a
        #[arg(long)]
        subregion: Option<String>,
        #[command(flatten)]
        change: Attempt,
    },
    /// Delete a Subnet
    Delete {
        subnet: SubnetId,
        #[command(flatten)]
        change: Attempt,
    },
}

#[derive(Subcommand)]
pub(crate) enum GatewayCommand {
    /// List the virtual gateways
    List(Customer),
    /// Show one virtual gateway
    Show {
        gateway: GatewayId,
        #[command(flatten)]
        customer: Customer,
    },
    /// Create a virtual gateway
    Create {
        /// Link it to this Net at once
        #[arg(long)]
        net: Option<NetId>,
        #[command(flatten)]
        change: Attempt,
    },
    /// Link it to a Net
    Link {
        gateway: GatewayId,
        #[arg(long)]
        net: NetId,
        #[command(flatten)]
        change: Attempt,
    },
    /// Take it from its Net
    Unlink {
        gateway: GatewayId,
        #[arg(long)]
        net: NetId,
        #[command(flatten)]
        change: Attempt,
    },
    /// Delete a virtual gateway
    Delete {
        gateway: GatewayId,
        #[command(flatten)]
        change: Attempt,
    },
}

#[derive(Subcommand)]
pub(crate) enum RouteTableCommand {
    /// List the route tables
    List(Customer),
    /// Create a route table
    Create {
        #[arg(long)]
        net: NetId,
        #[command(flatten)]
        change: Attempt,
    },
    /// Let a gateway's routes in, or keep them out
    Propagate {
        table: RouteTableId,
        #[arg(long)]
        gateway: GatewayId,
        /// Keep them out from now on
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        change: Attempt,
    },
    /// Delete a route table
    Delete {
        table: RouteTableId,
        #[command(flatten)]
        change: Attempt,
    },
}

#[derive(Subcommand)]
pub(crate) enum RouteCommand {
    /// List the routes of every table, also those learned over BGP
    List(Customer),
    /// Create a route
    Create {
        /// Its destination, as 192.168.0.0/16
        destination: String,
        #[arg(long)]
        table: RouteTableId,
        #[arg(long)]
        gateway: GatewayId,
        #[command(flatten)]
        change: Attempt,
    },
    /// Delete a route
    Delete {
        destination: String,
        #[arg(long)]
        table: RouteTableId,
        #[command(flatten)]
        change: Attempt,
    },
}

#[derive(Subcommand)]
pub(crate) enum QuotaCommand {
    /// List what you may have, and have
    List(Customer),
}

const NETS: &[Column] = &[("ID", "NetId"), ("RANGE", "IpRange"), ("STATE", "State")];
const SUBNETS: &[Column] = &[
    ("ID", "SubnetId"),
    ("NET", "NetId"),
    ("RANGE", "IpRange"),
    ("SUBREGION", "SubregionName"),
    ("FREE ADDRESSES", "AvailableIpsCount"),
    ("STATE", "State"),
];
const GATEWAYS: &[Column] =
    &[("ID", "VirtualGatewayId"), ("NET", "NetToVirtualGatewayLinks.0.NetId"), ("STATE", "State")];
const TABLES: &[Column] = &[
    ("ID", "RouteTableId"),
    ("NET", "NetId"),
    ("PROPAGATES", "RoutePropagatingVirtualGateways.0.VirtualGatewayId"),
];
const ROUTES: &[Column] = &[
    ("TABLE", "RouteTableId"),
    ("DESTINATION", "DestinationIpRange"),
    ("TARGET", "GatewayId"),
    ("HOW", "CreationMethod"),
    ("STATE", "State"),
];
const QUOTAS: &[Column] = &[("WHAT", "Name"), ("USED", "UsedValue"), ("MAXIMUM", "MaxValue")];

/// A call of the API, and where in its answer the things are.
struct Ask<'a> {
    action: &'a str,
    member: &'a str,
    columns: &'a [Column],
}

impl Ask<'_> {
    async fn list(&self, customer: &Customer, filters: Value) -> Result<()> {
        let answer = customer.identity.api()?.call(self.action, &filters).await?;
        let rows = answer[self.member].as_array();
        let rows = rows.with_context(|| format!("the answer lacks {}", self.member))?;
        output::list(customer.output, self.columns, rows, &answer)
    }

    /// The one of an id.
    async fn show(&self, customer: &Customer, (filter, id): (&str, String)) -> Result<()> {
        let filters = json!({ "Filters": { filter: [id] } });
        let answer = customer.identity.api()?.call(self.action, &filters).await?;
        let found = answer[self.member].get(0);
        let found = found.with_context(|| format!("there is no {id}, or it is not yours"))?;
        output::one(customer.output, self.columns, found)
    }

    /// What it made, or that it would be made.
    async fn make(&self, change: &Attempt, parameters: Value) -> Result<Value> {
        let answer = change.call(self.action, parameters).await?;
        if !change.dry_run {
            output::one(change.customer.output, self.columns, &answer[self.member])?;
        }
        Ok(answer)
    }
}

impl Attempt {
    /// With `DryRun` where it is asked for, which is said on standard error.
    pub(super) async fn call(&self, action: &str, parameters: Value) -> Result<Value> {
        self.send(&self.customer.identity.api()?, action, parameters).await
    }

    /// One of our own actions.
    pub(super) async fn call_ours(&self, action: &str, parameters: Value) -> Result<Value> {
        self.send(&self.customer.identity.ours()?, action, parameters).await
    }

    async fn send(&self, api: &Api, action: &str, mut parameters: Value) -> Result<Value> {
        if self.dry_run {
            parameters["DryRun"] = true.into();
        }
        let answer = api.call(action, &parameters).await?;
        if self.dry_run {
            eprintln!("{action} would be done");
        }
        Ok(answer)
    }

    /// What has no answer but that it is done.
    async fn act(&self, action: &str, parameters: Value) -> Result<()> {
        self.call(action, parameters).await.map(drop)
    }
}

const READ_NETS: Ask<'_> = Ask { action: "ReadNets", member: "Nets", columns: NETS };
const READ_SUBNETS: Ask<'_> = Ask { action: "ReadSubnets", member: "Subnets", columns: SUBNETS };
const READ_GATEWAYS: Ask<'_> =
    Ask { action: "ReadVirtualGateways", member: "VirtualGateways", columns: GATEWAYS };
const READ_TABLES: Ask<'_> =
    Ask { action: "ReadRouteTables", member: "RouteTables", columns: TABLES };

pub(crate) async fn net(command: NetCommand) -> Result<()> {
    match command {
        NetCommand::List(customer) => READ_NETS.list(&customer, json!({})).await,
        NetCommand::Show { net, customer } => {
            READ_NETS.show(&customer, ("NetIds", net.to_string())).await
        }
        NetCommand::Create { range, change } => {
            let ask = Ask { action: "CreateNet", member: "Net", columns: NETS };
            ask.make(&change, json!({ "IpRange": range })).await.map(drop)
        }
        NetCommand::Delete { net, change } => {
            change.act("DeleteNet", json!({ "NetId": net })).await
        }
    }
}

pub(crate) async fn subnet(command: SubnetCommand) -> Result<()> {
    match command {
        SubnetCommand::List(customer) => READ_SUBNETS.list(&customer, json!({})).await,
        SubnetCommand::Create { net, range, subregion, change } => {
            let mut wish = json!({ "NetId": net, "IpRange": range });
            if let Some(subregion) = subregion {
                wish["SubregionName"] = subregion.into();
            }
            let ask = Ask { action: "CreateSubnet", member: "Subnet", columns: SUBNETS };
            ask.make(&change, wish).await.map(drop)
        }
        SubnetCommand::Delete { subnet, change } => {
            change.act("DeleteSubnet", json!({ "SubnetId": subnet })).await
        }
    }
}

pub(crate) async fn gateway(command: GatewayCommand) -> Result<()> {
    let link = |gateway: &Value, net: NetId| json!({ "VirtualGatewayId": gateway, "NetId": net });
    match command {
        GatewayCommand::List(customer) => READ_GATEWAYS.list(&customer, json!({})).await,
        GatewayCommand::Show { gateway, customer } => {
            READ_GATEWAYS.show(&customer, ("VirtualGatewayIds", gateway.to_string())).await
        }
        GatewayCommand::Create { net, change } => {
            let wish = json!({ "ConnectionType": "ipsec.1" });
            let answer = change.call("CreateVirtualGateway", wish).await?;
            let mut made = answer["VirtualGateway"].clone();
            if let Some(net) = net.filter(|_| !change.dry_run) {
                let id = made["VirtualGatewayId"].clone();
                let linked = change.call("LinkVirtualGateway", link(&id, net)).await?;
                made["NetToVirtualGatewayLinks"] = json!([linked["NetToVirtualGatewayLink"]]);
            }
            match change.dry_run {
                true => Ok(()),
                false => output::one(change.customer.output, GATEWAYS, &made),
            }
        }
        GatewayCommand::Link { gateway, net, change } => {
            change.act("LinkVirtualGateway", link(&json!(gateway), net)).await
        }
        GatewayCommand::Unlink { gateway, net, change } => {
            change.act("UnlinkVirtualGateway", link(&json!(gateway), net)).await
        }
        GatewayCommand::Delete { gateway, change } => {
            change.act("DeleteVirtualGateway", json!({ "VirtualGatewayId": gateway })).await
        }
    }
}

pub(crate) async fn route_table(command: RouteTableCommand) -> Result<()> {
    match command {
        RouteTableCommand::List(customer) => READ_TABLES.list(&customer, json!({})).await,
        RouteTableCommand::Create { net, change } => {
            let ask = Ask { action: "CreateRouteTable", member: "RouteTable", columns: TABLES };
            ask.make(&change, json!({ "NetId": net })).await.map(drop)
        }
        RouteTableCommand::Propagate { table, gateway, off, change } => {
            let wish =
                json!({ "RouteTableId": table, "VirtualGatewayId": gateway, "Enable": !off });
            let (action, member) = ("UpdateRoutePropagation", "RouteTable");
            Ask { action, member, columns: TABLES }.make(&change, wish).await.map(drop)
        }
        RouteTableCommand::Delete { table, change } => {
            change.act("DeleteRouteTable", json!({ "RouteTableId": table })).await
        }
    }
}

pub(crate) async fn route(command: RouteCommand) -> Result<()> {
    match command {
        RouteCommand::List(customer) => {
            let answer = customer.identity.api()?.call("ReadRouteTables", &json!({})).await?;
            output::list(customer.output, ROUTES, &routes_of(&answer), &answer)
        }
        RouteCommand::Create { destination, table, gateway, change } => {
            let wish = json!({
                "DestinationIpRange": destination, "RouteTableId": table, "GatewayId": gateway,
            });
            let ask = Ask { action: "CreateRoute", member: "RouteTable", columns: TABLES };
            ask.make(&change, wish).await.map(drop)
        }
        RouteCommand::Delete { destination, table, change } => {
            let what = json!({ "DestinationIpRange": destination, "RouteTableId": table });
            let ask = Ask { action: "DeleteRoute", member: "RouteTable", columns: TABLES };
            ask.make(&change, what).await.map(drop)
        }
    }
}

/// One row for each, with its table.
fn routes_of(answer: &Value) -> Vec<Value> {
    let tables = answer["RouteTables"].as_array().into_iter().flatten();
    let routes = |table: &Value| {
        let id = table["RouteTableId"].clone();
        let routes = table["Routes"].as_array().cloned().unwrap_or_default().into_iter();
        routes.map(move |mut route| {
            route["RouteTableId"] = id.clone();
            route
        })
    };
    tables.flat_map(routes).collect()
}

pub(crate) async fn quota(QuotaCommand::List(customer): QuotaCommand) -> Result<()> {
    let answer = customer.identity.api()?.call("ReadQuotas", &json!({})).await?;
    let kinds = answer["QuotaTypes"].as_array().into_iter().flatten();
    let rows: Vec<_> =
        kinds.flat_map(|kind| kind["Quotas"].as_array().cloned().unwrap_or_default()).collect();
    output::list(customer.output, QUOTAS, &rows, &answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_stand_with_their_table() {
        let answer = json!({ "RouteTables": [
            { "RouteTableId": "rtb-1", "Routes": [
                { "DestinationIpRange": "10.0.0.0/16" }, { "DestinationIpRange": "10.1.0.0/16" },
            ] },
            { "RouteTableId": "rtb-2" },
        ] });
        let rows = routes_of(&answer);
        let told: Vec<_> =
            rows.iter().map(|r| (&r["RouteTableId"], &r["DestinationIpRange"])).collect();
        let table = json!("rtb-1");
        let expected = [(&table, &json!("10.0.0.0/16")), (&table, &json!("10.1.0.0/16"))];
        assert_eq!(told, expected);
    }
}
