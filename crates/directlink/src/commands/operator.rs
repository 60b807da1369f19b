//! What the operator of a Region types: orders, hosts, mail, the clock; and which command there is for
//! what.

use super::{
    accounts::{self, AccountCommand},
    audit::{self, AuditArguments},
    authorities::{self, AuthorityCommand},
    connections::{self, ConnectionCommand},
    customer::Either,
    diagnose,
    glass::{self, GlassCommand},
    interfaces::{self, InterfaceCommand},
    inventory::{self, CrossConnectCommand, LetterCommand, PanelCommand, RoomCommand},
    maintenance::{self, MaintenanceCommand},
    nets::{
        self, GatewayCommand, NetCommand, QuotaCommand, RouteCommand, RouteTableCommand,
        SubnetCommand,
    },
    sites::{self, LocationCommand, PortCommand, RouterCommand},
    webhooks::{self, WebhookCommand},
    what_if::{self, WhatIfCommand},
};
use crate::{
    client::Operator,
    lab::Lab,
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use directlink_model::ids::{ConnectionId, NicId};
use serde_json::Value;
use std::{net::Ipv4Addr, path::PathBuf};

#[derive(Subcommand)]
pub(crate) enum OperatorCommand {
    /// Physical sites, where routers stand
    #[command(subcommand)]
    Location(LocationCommand),
    /// DirectLink routers
    #[command(subcommand)]
    Router(RouterCommand),
    /// Who signs the certificates of routers and servers
    #[command(subcommand)]
    Authority(AuthorityCommand),
    /// Ports of routers, towards the meet-me room
    #[command(subcommand)]
    Port(PortCommand),
    /// Meet-me rooms of locations
    #[command(subcommand)]
    Room(RoomCommand),
    /// Patch panels of meet-me rooms
    #[command(subcommand)]
    Panel(PanelCommand),
    /// Cross-connects: customers' fibres, from a panel to a port
    #[command(subcommand)]
    CrossConnect(CrossConnectCommand),
    /// Letters of Authorization
    #[command(subcommand)]
    Letter(LetterCommand),
    /// Customers' orders that wait for approval
    #[command(subcommand)]
    Order(OrderCommand),
    /// Connections: a customer's own, to the operator all
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// DirectLink interfaces: a customer's own, to the operator all
    #[command(subcommand)]
    Interface(InterfaceCommand),
    /// Your Nets
    #[command(subcommand)]
    Net(NetCommand),
    /// Your Subnets
    #[command(subcommand)]
    Subnet(SubnetCommand),
    /// Your virtual gateways
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Your route tables
    #[command(subcommand)]
    RouteTable(RouteTableCommand),
    /// The routes in your route tables
    #[command(subcommand)]
    Route(RouteCommand),
    /// What you may have
    #[command(subcommand)]
    Quota(QuotaCommand),
    /// Why an interface (dxvif-…) or a connection (dxcon-…) does not work: what must be in place, rung by rung, and what is missing
    Diagnose {
        what: diagnose::Subject,
        #[command(flatten)]
        either: Either,
    },
    #[command(flatten)]
    Glass(GlassCommand),
    /// What would come of a change: routes, reach and failover coverage; nothing is changed
    #[command(subcommand)]
    WhatIf(WhatIfCommand),
    /// Send traffic away from something before work on it; BGP stays up
    Drain(maintenance::Drain),
    /// Let traffic come back
    Undrain(maintenance::Undrain),
    /// Windows of maintenance, with notices to customers
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
    /// Customers' accounts and their keys
    #[command(subcommand)]
    Account(AccountCommand),
    /// Where the hosts behind NICs live on the fabric
    #[command(subcommand)]
    Nic(NicCommand),
    /// What was mailed to customers, and what waits
    #[command(subcommand)]
    Mail(MailCommand),
    /// Where accounts are told by machine of what happens to their connections
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Who did what, when, from where, and what came of it: a JSON object a line
    Audit(AuditArguments),
    /// The Region's clock; in a lab it can be moved on
    #[command(subcommand)]
    Clock(ClockCommand),
}

/// Which Region, and how the answer is shown.
#[derive(Args)]
pub(crate) struct Access {
    /// Directory of a lab: its address and token are read from there
    #[arg(long, env = "DIRECTLINK_STATE", value_name = "DIR", conflicts_with = "url")]
    state: Option<PathBuf>,
    /// Address of the operator's API
    #[arg(long, env = "DIRECTLINK_OPERATOR_URL", value_name = "URL", requires = "token")]
    url: Option<String>,
    /// The operator's token; best given by the environment
    #[arg(long, env = "DIRECTLINK_OPERATOR_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// List the orders that nobody has approved yet
    List(Access),
    /// Approve an order: a port is taken, and the Letter of Authorization issued
    Approve {
        connection: ConnectionId,
        /// The port to take, as par1-r1/p0; otherwise a free one that fits
        #[arg(long)]
        port: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// List approved orders whose letter has run out before their fibre was plugged
    Overdue(Access),
    /// Refuse an order: its customer is told why
    Refuse {
        connection: ConnectionId,
        /// What the customer reads
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Subcommand)]
pub(crate) enum NicCommand {
    /// Say behind which fabric address a NIC lives
    Place {
        nic: NicId,
        /// The host's VTEP; left out: nowhere
        #[arg(long, value_name = "ADDRESS")]
        vtep: Option<Ipv4Addr>,
        #[command(flatten)]
        access: Access,
    },
    /// List the NICs
    List(Access),
}

#[derive(Subcommand)]
pub(crate) enum MailCommand {
    /// List the mails, the newest first
    List(Access),
}

#[derive(Subcommand)]
pub(crate) enum ClockCommand {
    /// What the Region's clock shows
    Show(Access),
    /// Move a virtual clock on
    Advance {
        /// How far: seconds, or a number with s, m, h or d, as 7d
        #[arg(value_parser = seconds)]
        by: u64,
        #[command(flatten)]
        access: Access,
    },
}

const ORDERS: &[Column] = &[
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("NAME", "name"),
    ("LOCATION", "location"),
    ("BANDWIDTH", "bandwidth"),
    ("REACH", "reach"),
    ("PROVIDER", "provider"),
    ("HOSTS EQUIPMENT", "hosts_equipment"),
    ("ORDERED", "requested_at"),
];
pub(super) const CONNECTIONS: &[Column] = &[
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("NAME", "name"),
    ("LOCATION", "location"),
    ("BANDWIDTH", "bandwidth"),
    ("STATE", "state"),
    ("PORT", "port"),
    ("HOSTED ON", "hosted_on"),
];
pub(super) const INTERFACES: &[Column] = &[
    ("ID", "id"),
    ("CONNECTION", "connection"),
    ("OWNER", "owner"),
    ("NAME", "name"),
    ("VLAN", "vlan"),
    ("ASN", "asn"),
    ("STATE", "state"),
    ("GATEWAY", "gateway"),
    ("SESSION", "session_up"),
];
const OVERDUE: &[Column] = &[
    ("ID", "id"),
    ("ACCOUNT", "account"),
    ("NAME", "name"),
    ("LOCATION", "location"),
    ("PORT", "port"),
    ("LETTER RAN OUT", "letter_until"),
];
const NICS: &[Column] = &[
    ("ID", "id"),
    ("NET", "net"),
    ("VNI", "vni"),
    ("ADDRESS", "address"),
    ("SUBNET", "subnet_range"),
    ("MAC", "mac"),
    ("VTEP", "vtep"),
];
const MAIL: &[Column] = &[
    ("CREATED", "created_at"),
    ("KIND", "kind"),
    ("SUBJECT", "subject"),
    ("TO", "email"),
    ("ATTEMPTS", "attempts"),
    ("SENT", "sent_at"),
    ("DROPPED", "dropped_at"),
    ("FAILURE", "failure"),
];
const CLOCK: &[Column] = &[("NOW", "now"), ("VIRTUAL", "virtual")];

impl OperatorCommand {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        use {ConnectionCommand as C, InterfaceCommand as I};
        if let Self::Maintenance(command) = self {
            return command.only_reads();
        }
        matches!(
            self,
            Self::Location(LocationCommand::List(_) | LocationCommand::Show { .. })
                | Self::Router(RouterCommand::List(_))
                | Self::Authority(AuthorityCommand::List(_))
                | Self::Port(PortCommand::List(_))
                | Self::Room(RoomCommand::List(_))
                | Self::Panel(PanelCommand::List(_) | PanelCommand::Show { .. })
                | Self::CrossConnect(CrossConnectCommand::List(_))
                | Self::Letter(LetterCommand::List(_))
                | Self::Order(OrderCommand::List(_) | OrderCommand::Overdue(_))
                | Self::Connection(C::List(_) | C::Show { .. })
                | Self::Interface(I::List(_) | I::Show { .. })
                | Self::Net(NetCommand::List(_) | NetCommand::Show { .. })
                | Self::Subnet(SubnetCommand::List(_))
                | Self::Gateway(GatewayCommand::List(_) | GatewayCommand::Show { .. })
                | Self::RouteTable(RouteTableCommand::List(_))
                | Self::Route(RouteCommand::List(_))
                | Self::Quota(QuotaCommand::List(_))
                | Self::Diagnose { .. }
                | Self::Glass(GlassCommand::Glass { .. })
                | Self::WhatIf(_)
                | Self::Account(AccountCommand::List(_) | AccountCommand::Quotas { .. })
                | Self::Nic(NicCommand::List(_))
                | Self::Mail(MailCommand::List(_))
                | Self::Audit(_)
                | Self::Webhook(WebhookCommand::List(_) | WebhookCommand::Messages { .. })
                | Self::Clock(ClockCommand::Show(_))
        )
    }
}

impl Access {
    /// Whether somebody asks as the operator.
    pub(super) const fn is_given(&self) -> bool {
        self.state.is_some() || self.url.is_some()
    }

    pub(super) fn operator(&self) -> Result<Operator> {
        match (&self.state, &self.url, &self.token) {
            (Some(state), _, _) => Ok(Lab::open(state)?.operator()),
            (None, Some(url), Some(token)) => Ok(Operator::new(url, token)),
            (None, _, _) => bail!(
                "which Region? --state DIR for a lab, or --url URL with DIRECTLINK_OPERATOR_TOKEN"
            ),
        }
    }

    pub(super) async fn list(&self, what: &str, columns: &[Column]) -> Result<()> {
        let answer = self.operator()?.list(what).await?;
        let rows = answer[what].as_array().with_context(|| format!("the answer lacks {what}"))?;
        output::list(self.output, columns, rows, &answer)
    }

    pub(super) async fn add(
        &self,
        what: &str,
        described: &Value,
        columns: &[Column],
    ) -> Result<()> {
        let answer = self.operator()?.add(what, described).await?;
        output::one(self.output, columns, &answer)
    }
}

pub(crate) fn run(command: OperatorCommand) -> Result<()> {
    super::block_on(async {
        match command {
            OperatorCommand::Location(command) => sites::location(command).await,
            OperatorCommand::Router(command) => sites::router(command).await,
            OperatorCommand::Authority(command) => authorities::authority(command).await,
            OperatorCommand::Port(command) => sites::port(command).await,
            OperatorCommand::Room(command) => inventory::room(command).await,
            OperatorCommand::Panel(command) => inventory::panel(command).await,
            OperatorCommand::CrossConnect(command) => inventory::cross_connect(command).await,
            OperatorCommand::Letter(command) => inventory::letter(command).await,
            OperatorCommand::Net(command) => nets::net(command).await,
            OperatorCommand::Subnet(command) => nets::subnet(command).await,
            OperatorCommand::Gateway(command) => nets::gateway(command).await,
            OperatorCommand::RouteTable(command) => nets::route_table(command).await,
            OperatorCommand::Route(command) => nets::route(command).await,
            OperatorCommand::Quota(command) => nets::quota(command).await,
            OperatorCommand::Order(command) => order(command).await,
            OperatorCommand::Connection(command) => connections::connection(command).await,
            OperatorCommand::Interface(command) => interfaces::interface(command).await,
            OperatorCommand::Diagnose { what, either } => diagnose::run(what, either).await,
            OperatorCommand::Glass(command) => glass::run(command).await,
            OperatorCommand::WhatIf(command) => what_if::run(command).await,
            OperatorCommand::Drain(it) => maintenance::drain(it).await,
            OperatorCommand::Undrain(it) => maintenance::undrain(it).await,
            OperatorCommand::Maintenance(command) => maintenance::maintenance(command).await,
            OperatorCommand::Account(command) => accounts::account(command).await,
            OperatorCommand::Nic(command) => nic(command).await,
            OperatorCommand::Mail(MailCommand::List(access)) => access.list("mail", MAIL).await,
            OperatorCommand::Webhook(command) => webhooks::webhook(command).await,
            OperatorCommand::Audit(arguments) => audit::audit(arguments).await,
            OperatorCommand::Clock(command) => clock(command).await,
        }
    })
}

async fn order(command: OrderCommand) -> Result<()> {
    match command {
        OrderCommand::List(access) => access.list("orders", ORDERS).await,
        OrderCommand::Approve { connection, port, access } => {
            let answer =
                access.operator()?.approve(&connection.to_string(), port.as_deref()).await?;
            output::one(access.output, CONNECTIONS, &answer)
        }
        OrderCommand::Overdue(access) => {
            let answer = access.operator()?.list("orders/overdue").await?;
            let rows = answer["orders"].as_array().context("the answer lacks orders")?;
            output::list(access.output, OVERDUE, rows, &answer)
        }
        OrderCommand::Refuse { connection, reason, access } => {
            let answer = access.operator()?.refuse(&connection.to_string(), &reason).await?;
            output::one(access.output, CONNECTIONS, &answer)
        }
    }
}

async fn nic(command: NicCommand) -> Result<()> {
    match command {
        NicCommand::List(access) => access.list("nics", NICS).await,
        NicCommand::Place { nic, vtep, access } => {
            let vtep = vtep.map(|vtep| vtep.to_string());
            let answer = access.operator()?.place(&nic.to_string(), vtep.as_deref()).await?;
            output::one(access.output, NICS, &answer)
        }
    }
}

async fn clock(command: ClockCommand) -> Result<()> {
    match command {
        ClockCommand::Show(access) => {
            let answer = access.operator()?.list("clock").await?;
            output::one(access.output, CLOCK, &answer)
        }
        ClockCommand::Advance { by, access } => {
            let answer = access.operator()?.advance_clock(by).await?;
            output::one(access.output, CLOCK, &answer)
        }
    }
}

pub(super) fn seconds(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let per_unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        unit => bail!("'{unit}' is no unit of time: s, m, h or d"),
    };
    let count: u64 = digits.parse().with_context(|| format!("'{text}' is no length of time"))?;
    count.checked_mul(per_unit).context("that is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_units() {
        for (text, expected) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("7d", Some(604_800)),
            ("2h", Some(7200)),
            ("7w", None),
            ("d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }
}
