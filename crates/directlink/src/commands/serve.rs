//! `directlink serve`: the control plane of a Region.

mod mail;

use super::{LogArguments, unrepeated::Unrepeated};
use crate::{config_file::ConfigArgument, lab::ClockKind};
use anyhow::{Context as _, Result};
use clap::Args;
use directlink_model::{ids::RegionName, location::Region};
use directlink_net::{Asn, IpNet, Ipv6Block, RegionAsn};
use directlink_server::{
    config::{AuthorityFiles, Doors, Listen, ServeConfig},
    store::Address,
    throttle::Limit,
};
use directlink_telemetry::Export;
use jiff::SignedDuration;
use mail::MailArguments;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::pin,
    time::Duration,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Directory of database, certificate authority and secrets
    #[arg(long, env = "DIRECTLINK_SERVER_STATE", value_name = "DIR")]
    state: PathBuf,
    /// Where the facts are: sqlite:PATH, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE, which several servers may
    /// share. Without, a file in the state directory
    #[arg(
        long,
        env = "DIRECTLINK_STORE",
        hide_env_values = true,
        value_parser = Unrepeated::<Address>::PARSER,
        value_name = "ADDRESS"
    )]
    store: Option<Address>,
    /// The Region's name
    #[arg(long, env = "DIRECTLINK_REGION", default_value = "eu-west-2")]
    region: RegionName,
    /// The routers' AS number; the guide's for its Regions
    #[arg(long, env = "DIRECTLINK_ASN", value_name = "ASN")]
    asn: Option<i64>,
    /// The IPv6 range of the Region, a /24, of which each Net has a /48; without, Nets are of IPv4
    /// alone. It is for good: all addresses follow from it.
    #[arg(long, value_name = "RANGE")]
    ipv6: Option<Ipv6Block>,
    /// Customers' APIs: OUTSCALE, and AWS Direct Connect at the same address
    #[arg(
        long,
        env = "DIRECTLINK_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// A second address for the same, for AWS clients that want one of their own
    #[arg(long, env = "DIRECTLINK_LISTEN_AWS", value_name = "ADDRESS")]
    listen_aws: Option<SocketAddr>,
    /// The operator's API, and metrics
    #[arg(
        long,
        env = "DIRECTLINK_LISTEN_OPERATOR",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    listen_operator: SocketAddr,
    /// The routers' agents
    #[arg(
        long,
        env = "DIRECTLINK_LISTEN_AGENTS",
        default_value = "127.0.0.1:8082",
        value_name = "ADDRESS"
    )]
    listen_agents: SocketAddr,
    /// A name or address by which agents dial this server, beside localhost; can be given again
    #[arg(
        long = "server-name",
        env = "DIRECTLINK_SERVER_NAMES",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    server_names: Vec<String>,
    /// Your own certificate authority, which signs what routers and servers show: PEM of a certificate that may sign
    /// others. Without, the Region has one of its own, in the store
    #[arg(long, env = "DIRECTLINK_CA_CERT", value_name = "FILE", requires = "ca_key")]
    ca_cert: Option<PathBuf>,
    /// PEM of its key
    #[arg(long, env = "DIRECTLINK_CA_KEY", value_name = "FILE", requires = "ca_cert")]
    ca_key: Option<PathBuf>,
    /// File with the operator's token; one is made in the state directory if left out
    #[arg(long, env = "DIRECTLINK_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    operator_token_file: Option<PathBuf>,
    /// How fast one account may call: CALLS/UNIT:BURST with a unit of s, m or h, or off
    #[arg(
        long,
        env = "DIRECTLINK_ACCOUNT_RATE",
        default_value_t = Doors::ACCOUNT_RATE,
        value_name = "RATE"
    )]
    account_rate: Limit,
    /// The same for calls from one address that nobody has proved to be behind
    #[arg(
        long,
        env = "DIRECTLINK_ADDRESS_RATE",
        default_value_t = Doors::ADDRESS_RATE,
        value_name = "RATE"
    )]
    address_rate: Limit,
    /// A reverse proxy before the customers' APIs, whose X-Forwarded-For is believed; can be given
    /// again
    #[arg(
        long = "trusted-proxy",
        env = "DIRECTLINK_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    trusted_proxies: Vec<IpAddr>,
    /// A network that webhooks may lead into, beside the public Internet; can be given again
    #[arg(
        long = "webhook-network",
        env = "DIRECTLINK_WEBHOOK_NETWORKS",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    webhook_networks: Vec<IpNet>,
    /// Where customers reach the APIs and Cockpit, as https://directlink.example: letters lead there
    #[arg(long, env = "DIRECTLINK_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Its customer is told of a connection that is down for longer
    #[arg(
        long,
        env = "DIRECTLINK_TELL_DOWN_AFTER_MINUTES",
        default_value = "5",
        value_name = "MINUTES"
    )]
    tell_down_after_minutes: u32,
    /// A router's certificate is good for so long; its agent fetches the next when a third of it is left. Seconds, or a
    /// number with s, m, h or d
    #[arg(
        long,
        env = "DIRECTLINK_ROUTER_CERTIFICATE_LIFE",
        default_value = "30d",
        value_parser = certificate_life,
        value_name = "TIME"
    )]
    router_certificate_life: u32,
    /// Told to stop (SIGTERM), go on for so long, with agents sent elsewhere and /ready at 503: the time that a load
    /// balancer needs to notice
    #[arg(long, env = "DIRECTLINK_DRAIN_SECONDS", default_value = "0", value_name = "SECONDS")]
    drain_seconds: u32,
    /// virtual: the operator can move it on, for labs
    #[arg(long, value_enum, default_value = "real")]
    clock: ClockKind,
    #[command(flatten)]
    _config: ConfigArgument,
    #[command(flatten)]
    mail: MailArguments,
    #[command(flatten)]
    log: LogArguments,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let export = arguments.log.start(WHOSE)?;
    let config = config(arguments)?;
    let ended = super::serve_on(async {
        // From the first moment: whoever tells it to stop while it opens its store is heard as well.
        let mut asked = pin!(super::stop_asked());
        let running = tokio::select! {
            biased;
            stopped = &mut asked => return stopped,
            running = directlink_server::serve::serve(config) => running?,
        };
        asked.await?;
        running.stop().await;
        Ok(())
    });
    export.iter().for_each(Export::end);
    ended
}

/// As traces and logs have it.
const WHOSE: (&str, Option<&str>) = ("directlink-server", None);

/// Long enough to be renewed, and short enough to be called short-lived by somebody.
fn certificate_life(text: &str) -> Result<u32> {
    let seconds = super::operator::seconds(text)?;
    let bounds = 10..=10 * 365 * 86_400;
    u32::try_from(seconds).ok().filter(|it| bounds.contains(it)).context("10 seconds to ten years")
}

pub(super) fn config(a: Arguments) -> Result<ServeConfig> {
    a.log.exported(WHOSE)?;
    let asn = match a.asn {
        Some(number) => Some(Asn::try_from(number)?),
        None => Region::guide_asn(&a.region),
    };
    let asn = asn.with_context(|| {
        format!(
            "'{}' is a Region of your own: say what AS number its routers have (--asn)",
            a.region
        )
    })?;
    let mut config =
        ServeConfig::new(a.state, Region { name: a.region, asn: RegionAsn(asn), ipv6: a.ipv6 });
    config.store = a.store;
    config.virtual_clock = a.clock == ClockKind::Virtual;
    config.listen = Listen {
        api: a.listen,
        aws: a.listen_aws,
        operator: a.listen_operator,
        agents: a.listen_agents,
    };
    config.server_names = a.server_names;
    config.authority =
        a.ca_cert.zip(a.ca_key).map(|(certificate, key)| AuthorityFiles { certificate, key });
    config.doors = Doors {
        account_rate: a.account_rate,
        address_rate: a.address_rate,
        trusted_proxies: a.trusted_proxies.iter().map(IpAddr::to_canonical).collect(),
    };
    config.mail = a.mail.config()?;
    config.drain = Duration::from_secs(a.drain_seconds.into());
    config.webhook_networks = a.webhook_networks;
    config.public_url = a.public_url;
    config.rules.tell_down_after = SignedDuration::from_mins(a.tell_down_after_minutes.into());
    config.rules.router_certificate_life =
        SignedDuration::from_secs(a.router_certificate_life.into());
    if let Some(path) = a.operator_token_file {
        let token = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        config.operator_token = Some(token.trim().to_owned().into());
    }
    Ok(config)
}
