//! What an operator may choose. Every value has a default that works.

use crate::{mail::Mailbox, store::Address, throttle::Limit};
use directlink_model::{location::Region, quota::Quota};
use ipnet::IpNet;
use jiff::SignedDuration;
use secrecy::SecretString;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// All that `serve` needs.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Database, certificate authority and the operator's token live here, for their owner's eyes.
    pub state_dir: PathBuf,
    /// Where the facts are. `None`: in a file in the state directory.
    pub store: Option<Address>,
    pub region: Region,
    /// The clock can be moved on by the operator: for labs.
    pub virtual_clock: bool,
    pub listen: Listen,
    /// Further names and addresses by which agents dial the server, beside localhost.
    pub server_names: Vec<String>,
    /// The operator's own certificate authority. `None`: one of the Region's, in the store.
    pub authority: Option<AuthorityFiles>,
    /// `None`: the one in the state directory, which is made at first start.
    pub operator_token: Option<SecretString>,
    pub doors: Doors,
    pub mail: Mail,
    /// Networks that webhooks may lead into, beside the public Internet.
    pub webhook_networks: Vec<IpNet>,
    /// Where customers reach the APIs and Cockpit, as `https://directlink.example`. `None`: as bound.
    pub public_url: Option<String>,
    pub rules: Rules,
    pub pace: Pace,
    /// Told to stop, it goes on for so long, and says that it is about to.
    pub drain: Duration,
}

impl ServeConfig {
    /// The defaults: every listener on a free port of loopback.
    pub fn new(state_dir: PathBuf, region: Region) -> Self {
        Self {
            state_dir,
            store: None,
            region,
            virtual_clock: false,
            listen: Listen::default(),
            server_names: Vec::new(),
            authority: None,
            operator_token: None,
            doors: Doors::default(),
            mail: Mail::default(),
            webhook_networks: Vec::new(),
            public_url: None,
            rules: Rules::default(),
            pace: Pace::default(),
            drain: Duration::ZERO,
        }
    }
}

/// A certificate that may sign others, and its key, in PEM: as each server of a Region is given them.
#[derive(Clone, Debug)]
pub struct AuthorityFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Where to listen; port 0 takes a free one.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Both customer APIs.
    pub api: SocketAddr,
    /// A second door to the same, for clients that want an endpoint of their own for the AWS face.
    pub aws: Option<SocketAddr>,
    /// The operator's API, and `/metrics`.
    pub operator: SocketAddr,
    /// The agents' channel.
    pub agents: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { api: any, aws: None, operator: any, agents: any }
    }
}

/// How customers' calls come in.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Calls of one account.
    pub account_rate: Limit,
    /// Calls that nobody has proved to be behind (open actions, wrong signatures, passwords), of one
    /// address; while it has none left, its signed calls wait as well.
    pub address_rate: Limit,
    /// Reverse proxies of our own: of whom they ask for is believed what `X-Forwarded-For` says.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Doors {
    /// The clients' own limiter lets 5 calls a second through: twenty of them, and a burst.
    pub const ACCOUNT_RATE: Limit = Limit::per_second(100, 500);
    /// A wrong password costs tens of milliseconds of processor.
    pub const ADDRESS_RATE: Limit = Limit::per_second(20, 100);
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            account_rate: Self::ACCOUNT_RATE,
            address_rate: Self::ADDRESS_RATE,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Limits and retentions.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub connections_per_account: u32,
    pub lags_per_account: u32,
    pub interfaces_per_connection: u32,
    pub gateways_per_account: u32,
    pub nets_per_account: u32,
    pub nics_per_account: u32,
    pub route_tables_per_account: u32,
    pub routes_per_table: u32,
    pub security_groups_per_account: u32,
    pub rules_per_group: u32,
    pub tags_per_resource: u32,
    pub access_keys_per_account: u32,
    /// Calls are remembered for so long,
    pub keep_api_logs: SignedDuration,
    /// and so many of each account.
    pub api_logs_per_account: u32,
    /// What is deleted stays readable for so long, as `deleted`.
    pub keep_deleted: SignedDuration,
    /// A hosted interface that was rejected or has expired stays readable for so long: whoever
    /// offered it wants to know.
    pub keep_lapsed: SignedDuration,
    /// A connection that is down for longer is told of.
    pub tell_down_after: SignedDuration,
    /// A router's certificate is good for so long; its agent gets the next when a third of it is left.
    pub router_certificate_life: SignedDuration,
}

impl Rules {
    /// For an account that has no limit of its own.
    pub const fn limit(&self, quota: Quota) -> u32 {
        match quota {
            Quota::Connections => self.connections_per_account,
            Quota::Lags => self.lags_per_account,
            Quota::InterfacesPerConnection => self.interfaces_per_connection,
            Quota::Gateways => self.gateways_per_account,
            Quota::Nets => self.nets_per_account,
            Quota::Nics => self.nics_per_account,
            Quota::RouteTables => self.route_tables_per_account,
            Quota::RoutesPerTable => self.routes_per_table,
            Quota::SecurityGroups => self.security_groups_per_account,
            Quota::RulesPerGroup => self.rules_per_group,
            Quota::TagsPerResource => self.tags_per_resource,
            Quota::AccessKeys => self.access_keys_per_account,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            connections_per_account: 10,
            lags_per_account: 10,
            interfaces_per_connection: 50,
            gateways_per_account: 5,
            nets_per_account: 200,
            nics_per_account: 10_000,
            route_tables_per_account: 500,
            routes_per_table: 200,
            security_groups_per_account: 2_000,
            rules_per_group: 100,
            tags_per_resource: 20,
            access_keys_per_account: 20,
            keep_api_logs: SignedDuration::from_hours(32 * 24),
            api_logs_per_account: 100_000,
            keep_deleted: SignedDuration::from_hours(1),
            keep_lapsed: SignedDuration::from_hours(30 * 24),
            tell_down_after: SignedDuration::from_mins(5),
            router_certificate_life: SignedDuration::from_hours(30 * 24),
        }
    }
}

/// How often the reconcile loop looks although nobody woke it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Marks and deadlines: in case a wake-up was missed.
    pub pass: Duration,
    /// Everything: in case a mark was missed.
    pub full_pass: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { pass: Duration::from_secs(3), full_pass: Duration::from_secs(300) }
    }
}

/// Addresses of pages that are told elsewhere than on pages.
#[derive(Clone, Debug)]
pub struct Links(String);

impl Links {
    /// `base`: without what a path begins with.
    pub fn to(base: &str) -> Self {
        Self(base.trim_end_matches('/').to_owned())
    }

    /// Where a Letter of Authorization is checked.
    pub fn verify(&self, token: &str) -> String {
        format!("{}/loa/verify/{token}", self.0)
    }
}

/// Mail to accounts.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// In whose name. `None`: the Region's, under a domain that nobody has.
    pub from: Option<Mailbox>,
    pub way: MailWay,
}

#[derive(Clone, Debug)]
pub enum MailWay {
    /// A folder of this machine; `None`: `mail` in the state directory.
    Maildir(Option<PathBuf>),
    Relay(Relay),
}

impl Default for MailWay {
    fn default() -> Self {
        Self::Maildir(None)
    }
}

/// A mail server that takes our mail and sends it on.
#[derive(Clone, Debug)]
pub struct Relay {
    pub host: String,
    /// `None`: the usual one, 587, 465 or 25.
    pub port: Option<u16>,
    pub security: RelaySecurity,
    /// PEM of an authority that is trusted beside those of this machine.
    pub ca_file: Option<PathBuf>,
    pub login: Option<(String, SecretString)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySecurity {
    /// Begun in clear, and nothing said before TLS (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
    /// For a relay on this machine.
    None,
}
