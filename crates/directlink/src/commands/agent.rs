//! `directlink agent`: the agent of one DirectLink router.

use super::LogArguments;
use crate::{config_file::ConfigArgument, memory};
use anyhow::Result;
use clap::{Args, value_parser};
use directlink_agent::{
    AgentConfig, BfdSettings, BmpConfig, KernelConfig, NETNS_DIR, PREFIXES_MAX, SflowConfig,
};
use directlink_model::ids::RouterName;
use directlink_telemetry::Export;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The router's name, as its certificate says
    #[arg(long, env = "DIRECTLINK_ROUTER", value_name = "NAME")]
    router: RouterName,
    /// A server's channel for agents; given again, or with commas, the next is dialled where one does not answer
    #[arg(
        long = "server",
        env = "DIRECTLINK_SERVER",
        required = true,
        value_delimiter = ',',
        value_name = "https://HOST:PORT"
    )]
    servers: Vec<String>,
    /// Directory of certificate and key: the agent's own, or brought there (from `directlink router add --identity`)
    #[arg(long, env = "DIRECTLINK_IDENTITY", value_name = "DIR")]
    identity: PathBuf,
    /// A one-time token (from `directlink router enrol`) for a router that has no identity yet. Best given by the
    /// environment, or in a file
    #[arg(long, env = "DIRECTLINK_ENROL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    enrol: Option<String>,
    /// File of a one-time token, read whenever a server is dialled and removed once it is used; enrol-token in the
    /// directory of the identity if left out
    #[arg(long, env = "DIRECTLINK_ENROL_TOKEN_FILE", value_name = "FILE")]
    enrol_token_file: Option<PathBuf>,
    /// Directory of the ledger: what the router shall do, kept over a reboot
    #[arg(long, env = "DIRECTLINK_AGENT_STATE", value_name = "DIR")]
    state: PathBuf,
    /// The network namespace of ports and uplink, by name or path; the agent's own if left out
    #[arg(long, env = "DIRECTLINK_NETNS", value_name = "NS")]
    netns: Option<String>,
    /// Begins the names of the namespaces that it makes, one for each interface
    #[arg(long, env = "DIRECTLINK_NETNS_PREFIX", default_value = "", value_name = "PREFIX")]
    netns_prefix: String,
    /// Where packet programs and tables are pinned
    #[arg(
        long,
        env = "DIRECTLINK_PINS",
        default_value = "/sys/fs/bpf/directlink",
        value_name = "DIR"
    )]
    pins: PathBuf,
    /// The link towards the fabric; its first IPv4 address is the router's VTEP
    #[arg(long, env = "DIRECTLINK_UPLINK", default_value = "uplink0", value_name = "IFNAME")]
    uplink: String,
    /// How often BFD packets go each way where the customer's router has BFD: 50 to 60000
    #[arg(
        long,
        env = "DIRECTLINK_BFD_INTERVAL_MILLISECONDS",
        default_value_t = 300,
        value_name = "MS"
    )]
    bfd_interval_milliseconds: u64,
    /// So many BFD packets missing in a row are a dead path: 3 to 255
    #[arg(long, env = "DIRECTLINK_BFD_MULTIPLIER", default_value_t = 3, value_name = "N")]
    bfd_multiplier: u8,
    /// Prefixes of a family that a BGP peer may announce; at one more its session ends (Cease/1)
    #[arg(long, env = "DIRECTLINK_PREFIXES_MAX", default_value_t = PREFIXES_MAX, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    prefixes_max: u32,
    /// A BMP station (RFC 7854) that is told of each BGP session and its routes; may be given more
    /// than once
    #[arg(long, env = "DIRECTLINK_BMP", value_name = "HOST:PORT", value_delimiter = ',')]
    bmp: Vec<String>,
    /// How often BMP stations are told each session's counts
    #[arg(long, env = "DIRECTLINK_BMP_STATISTICS_SECONDS", default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=86400))]
    bmp_statistics_seconds: u64,
    /// An sFlow collector that is told what passes on each interface; may be given more than once
    #[arg(long, env = "DIRECTLINK_SFLOW", value_name = "HOST:PORT", value_delimiter = ',')]
    sflow: Vec<String>,
    /// How often sFlow collectors are told
    #[arg(long, env = "DIRECTLINK_SFLOW_SECONDS", default_value_t = 20, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=3600))]
    sflow_seconds: u64,
    #[command(flatten)]
    _config: ConfigArgument,
    #[command(flatten)]
    log: LogArguments,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let export = arguments.log.start(whose(&arguments.router))?;
    memory::give_back_at_once();
    let config = config(arguments)?;
    let ended = super::serve_on(async {
        tokio::select! {
            ended = directlink_agent::run(config) => Ok(ended?),
            // The agent is dropped, and tells customers' BFD that this is no dead path.
            asked = super::stop_asked() => asked,
        }
    });
    export.iter().for_each(Export::end);
    ended
}

/// As traces and logs have it.
fn whose(router: &RouterName) -> (&str, Option<&str>) {
    ("directlink-agent", Some(router.as_str()))
}

pub(super) fn config(arguments: Arguments) -> Result<AgentConfig> {
    arguments.log.exported(whose(&arguments.router))?;
    let bfd_interval = Duration::from_millis(arguments.bfd_interval_milliseconds);
    Ok(AgentConfig {
        router: arguments.router,
        servers: arguments.servers,
        identity_dir: arguments.identity,
        enrol_token: arguments.enrol.map(Into::into),
        enrol_token_file: arguments.enrol_token_file,
        state_dir: arguments.state,
        bfd: BfdSettings::new(bfd_interval, arguments.bfd_multiplier)?,
        prefixes_max: arguments.prefixes_max,
        bmp: BmpConfig {
            stations: arguments.bmp,
            statistics_period: Duration::from_secs(arguments.bmp_statistics_seconds),
        },
        sflow: SflowConfig {
            collectors: arguments.sflow,
            period: Duration::from_secs(arguments.sflow_seconds),
        },
        kernel: KernelConfig {
            netns: arguments.netns.map(|netns| namespace(&netns)),
            netns_prefix: arguments.netns_prefix,
            pin_dir: arguments.pins,
            uplink: arguments.uplink,
        },
    })
}

/// A name is one of iproute2's, anything with a slash a path.
fn namespace(netns: &str) -> PathBuf {
    match netns.contains('/') {
        true => netns.into(),
        false => Path::new(NETNS_DIR).join(netns),
    }
}
