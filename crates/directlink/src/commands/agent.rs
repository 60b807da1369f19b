//! `directlink agent`: the agent of one DirectLink router.

use super::LogArguments;
use anyhow::Result;
use clap::{Args, value_parser};
use directlink_agent::{AgentConfig, BfdSettings, KernelConfig, NETNS_DIR, PREFIXES_MAX};
use directlink_model::ids::RouterName;
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
    /// Directory with ca.pem, cert.pem and key.pem (from `directlink router add`)
    #[arg(long, env = "DIRECTLINK_IDENTITY", value_name = "DIR")]
    identity: PathBuf,
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
    #[command(flatten)]
    log: LogArguments,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    arguments.log.start();
    let bfd_interval = Duration::from_millis(arguments.bfd_interval_milliseconds);
    let config = AgentConfig {
        router: arguments.router,
        servers: arguments.servers,
        identity_dir: arguments.identity,
        state_dir: arguments.state,
        bfd: BfdSettings::new(bfd_interval, arguments.bfd_multiplier)?,
        prefixes_max: arguments.prefixes_max,
        kernel: KernelConfig {
            netns: arguments.netns.map(|netns| namespace(&netns)),
            netns_prefix: arguments.netns_prefix,
            pin_dir: arguments.pins,
            uplink: arguments.uplink,
        },
    };
    super::serve_on(async {
        tokio::select! {
            ended = directlink_agent::run(config) => Ok(ended?),
            // The agent is dropped, and tells customers' BFD that this is no dead path.
            asked = super::stop_asked() => asked,
        }
    })
}

/// A name is one of iproute2's, anything with a slash a path.
fn namespace(netns: &str) -> PathBuf {
    match netns.contains('/') {
        true => netns.into(),
        false => Path::new(NETNS_DIR).join(netns),
    }
}
