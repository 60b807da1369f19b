//! What a peer is told once: who it is, whom it speaks to, what it may learn and what it says.

use crate::{Export, Family, ImportPolicy, PrefixLimits};
use directlink_net::Asn;
use ipnet::IpNet;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use thiserror::Error;

/// One interface's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub local_asn: Asn,
    pub peer_asn: Asn,
    /// BGP identifier: not zero, and unlike the peer's.
    pub router_id: Ipv4Addr,
    pub local_addr: IpAddr,
    pub peer_addr: IpAddr,
    pub hold_time: HoldTime,
    /// `None`: neither offered nor helped with.
    pub graceful_restart: Option<GracefulRestart>,
    /// What the Net uses: never accepted from the customer.
    pub net_ranges: Vec<IpNet>,
    pub limits: PrefixLimits,
    /// What the customer is told.
    pub advertised: BTreeSet<IpNet>,
    /// See [`Export`].
    pub prepend: u8,
    pub med: Option<u32>,
    /// This way is about to be closed: the customer is told so (RFC 8326), and of what it announces
    /// any other way is taken.
    pub graceful_shutdown: bool,
    pub timings: Timings,
}

/// RFC 4724, our side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestart {
    /// How long the customer keeps our routes while we are away (12 bits on the wire).
    pub restart_time_seconds: u16,
    /// We come back from a restart through which packets were forwarded: the first OPENs say so
    /// (R and F bit), and the customer takes its kept routes as still good.
    pub restarting: bool,
}

/// A hold time that can be offered: 3 to 65535 seconds. 0 would mean that a dead peer is never
/// noticed (RFC 4271 §4.2 allows it, DirectLink does not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldTime(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a hold time of {0} s is not possible: give 3 or more")]
pub struct BadHoldTime(pub u16);

/// How patient we are. The defaults suit a link on which the other side is one hop away and
/// somebody is waiting for it to come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// ConnectRetryTime (RFC 4271 §10), also the longest a single dial may take.
    pub connect_retry: Duration,
    /// The wait after the first failure; it doubles with each further one …
    pub retry_first: Duration,
    /// … up to this.
    pub retry_max: Duration,
    /// After a protocol error, how long the peer's own dials are refused too.
    pub refuse: Duration,
    /// The same after too many prefixes: the first time …
    pub over_limit_first: Duration,
    /// … and at most.
    pub over_limit_max: Duration,
    /// A session that lasted this long counts as good; failures before it are forgotten.
    pub stable: Duration,
    /// How long routes stay stale after the peer came back, if it never says End-of-RIB.
    pub stale_path: Duration,
    /// SendHoldTime (RFC 9687 §6: the greater of 8 minutes and twice the hold time).
    pub send_hold: Duration,
}

impl PeerConfig {
    /// The usual session: everything optional at its default, nothing advertised.
    pub fn new(asns: (Asn, Asn), router_id: Ipv4Addr, addrs: (IpAddr, IpAddr)) -> Self {
        Self {
            local_asn: asns.0,
            peer_asn: asns.1,
            router_id,
            local_addr: addrs.0,
            peer_addr: addrs.1,
            hold_time: HoldTime::default(),
            graceful_restart: Some(GracefulRestart::default()),
            net_ranges: Vec::new(),
            limits: PrefixLimits::default(),
            advertised: BTreeSet::new(),
            prepend: 0,
            med: None,
            graceful_shutdown: false,
            timings: Timings::default(),
        }
    }

    /// A session carries the family of its own addresses.
    pub const fn family(&self) -> Family {
        Family::of(self.local_addr)
    }

    pub(crate) fn policy(&self) -> ImportPolicy {
        ImportPolicy {
            local_asn: self.local_asn,
            peer_asn: self.peer_asn,
            peer_addr: self.peer_addr,
            net_ranges: self.net_ranges.clone(),
            limits: self.limits,
            last_resort: self.graceful_shutdown,
        }
    }

    pub(crate) const fn export(&self) -> Export {
        Export {
            next_hop: self.local_addr,
            prepend: self.prepend,
            med: self.med,
            graceful_shutdown: self.graceful_shutdown,
        }
    }

    /// Whether an open session could go on under `other`: nothing of it was said in the OPEN.
    pub(crate) fn same_session(&self, other: &Self) -> bool {
        let said = |config: &Self| {
            (
                (config.local_asn, config.peer_asn, config.router_id),
                (config.local_addr, config.peer_addr),
                config.hold_time,
                config.graceful_restart.map(|gr| gr.restart_time_seconds),
            )
        };
        said(self) == said(other)
    }

    pub(crate) fn send_hold(&self) -> Duration {
        self.timings.send_hold.max(2 * self.hold_time.as_duration())
    }
}

impl Default for GracefulRestart {
    fn default() -> Self {
        Self { restart_time_seconds: 120, restarting: false }
    }
}

impl HoldTime {
    pub const MIN: Self = Self(3);

    pub const fn as_seconds(self) -> u16 {
        self.0
    }

    pub(crate) const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl Default for HoldTime {
    fn default() -> Self {
        Self(90)
    }
}

impl TryFrom<u16> for HoldTime {
    type Error = BadHoldTime;
    fn try_from(seconds: u16) -> Result<Self, BadHoldTime> {
        if seconds < Self::MIN.0 { Err(BadHoldTime(seconds)) } else { Ok(Self(seconds)) }
    }
}

impl Default for Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect_retry: seconds(10),
            retry_first: seconds(1),
            retry_max: seconds(30),
            refuse: seconds(3),
            over_limit_first: seconds(60),
            over_limit_max: seconds(900),
            stable: seconds(60),
            stale_path: seconds(360),
            send_hold: seconds(480),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_times_below_three_are_refused() {
        for (seconds, good) in [(0, false), (1, false), (2, false), (3, true), (90, true)] {
            assert_eq!(HoldTime::try_from(seconds).is_ok(), good, "{seconds}");
        }
    }
}
