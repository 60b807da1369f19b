//! What an agent is told at its start.

use directlink_bgp::bfd;
use directlink_model::ids::RouterName;
use secrecy::SecretString;
use std::{path::PathBuf, time::Duration};

/// Where network namespaces have names, as iproute2 has it.
pub const NETNS_DIR: &str = "/run/netns";

/// Prefixes of a family that a BGP peer may announce where nobody says otherwise: the field's number.
pub const PREFIXES_MAX: u32 = 100;

/// One router's agent.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    pub router: RouterName,
    /// `https://host:port` of the agent channel of each server; where one does not answer, the next is dialled.
    pub servers: Vec<String>,
    /// Holds what the router shows, and whom it trusts; filled by the agent, if it has a token.
    pub identity_dir: PathBuf,
    /// A one-time token for a router that has no identity yet.
    pub enrol_token: Option<SecretString>,
    /// Where one may be brought, then and later. `None`: `enrol-token` in the directory of the identity.
    pub enrol_token_file: Option<PathBuf>,
    /// Holds the ledger; must survive a reboot.
    pub state_dir: PathBuf,
    /// How fast a dead path is noticed where the customer's router has BFD.
    pub bfd: bfd::Settings,
    /// How many prefixes of a family a BGP peer may announce. Each takes memory here and two rows
    /// of the kernel's tables.
    pub prefixes_max: u32,
    pub bmp: BmpConfig,
    pub sflow: SflowConfig,
    pub kernel: KernelConfig,
}

/// Who is told of BGP, as it happens (RFC 7854).
#[derive(Clone, Debug)]
pub struct BmpConfig {
    /// `HOST:PORT` of each.
    pub stations: Vec<String>,
    /// Between two reports of a session's counts.
    pub statistics_period: Duration,
}

impl Default for BmpConfig {
    fn default() -> Self {
        Self { stations: Vec::new(), statistics_period: Duration::from_secs(60) }
    }
}

/// Who is told what passes on each interface (sFlow version 5).
#[derive(Clone, Debug)]
pub struct SflowConfig {
    /// `HOST:PORT` of each.
    pub collectors: Vec<String>,
    /// Between two tellings; as counters are read every few seconds, it may be a few more.
    pub period: Duration,
}

impl Default for SflowConfig {
    fn default() -> Self {
        Self { collectors: Vec::new(), period: Duration::from_secs(20) }
    }
}

/// Which part of the machine is the router.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// The network namespace of ports and uplink; the process's own if none.
    pub netns: Option<PathBuf>,
    /// Before the interface's id in the names of the namespaces that the agent makes. Two
    /// agents on one machine have different ones.
    pub netns_prefix: String,
    /// Where programs and tables are pinned.
    pub pin_dir: PathBuf,
    /// The link towards the fabric. Its first IPv4 address is the router's VTEP.
    pub uplink: String,
}
