//! What a BGP peer's session shall be, and what can be asked of it.

use super::Netns;
use directlink_bgp::bfd;
use directlink_bgp::{GracefulRestart, HoldTime, LearnedRoute, PeerConfig, PrefixLimits, Timings};
use directlink_dataplane::InterfaceNumber;
use directlink_model::{ids::BgpPeerId, plan::Drain};
use directlink_net::{Asn, BgpKey, IpNet, Vni};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

/// One peer's session. Two that are equal want the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    pub id: BgpPeerId,
    /// Where its addresses are.
    pub netns: Netns,
    pub local_addr: IpAddr,
    pub peer_addr: IpAddr,
    /// TCP MD5 signature (RFC 2385).
    pub key: Option<BgpKey>,
    pub local_asn: Asn,
    pub peer_asn: Asn,
    pub router_id: Ipv4Addr,
    /// The Net whose Loc-RIB its routes go to; `None`: to none.
    pub net: Option<Vni>,
    /// What the customer is told, and is not believed about.
    pub advertised: BTreeSet<IpNet>,
    pub limits: PrefixLimits,
    pub hold_time: HoldTime,
    /// The interface forwarded while this process was away: said once, in the first OPEN.
    pub restarting: bool,
    /// GTSM (RFC 5082): only packets that crossed no router. Off unless the customer sends
    /// with TTL 255 as well.
    pub ttl_security: bool,
    /// How fast BFD is, once the customer speaks it; `None`: never.
    pub bfd: Option<bfd::Settings>,
    /// Under which number the forwarding knows the interface, and may speak BFD while this process
    /// cannot; `None`: nobody does.
    pub forwarding: Option<InterfaceNumber>,
    /// While these words stand here the session is administratively shut: the customer is told
    /// them (RFC 9003), and let in again when they are gone.
    pub shutdown: Option<String>,
    /// Its traffic is sent away, or kept away, while the session stays up.
    pub drain: Option<Drain>,
}

/// A looking glass into one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRoutes {
    /// Accepted and refused ones, in order of prefix; the first [`ROUTES_LISTED_MAX`].
    ///
    /// [`ROUTES_LISTED_MAX`]: directlink_model::report::ROUTES_LISTED_MAX
    pub learned: Vec<LearnedRoute>,
    pub advertised: Vec<IpNet>,
}

/// So much longer is the AS_PATH of a way that is drained.
pub(crate) const DRAIN_PREPEND: u8 = 3;

impl SessionConfig {
    pub(super) fn peer(&self) -> PeerConfig {
        let restart = GracefulRestart { restarting: self.restarting, ..Default::default() };
        PeerConfig {
            local_asn: self.local_asn,
            peer_asn: self.peer_asn,
            router_id: self.router_id,
            local_addr: self.local_addr,
            peer_addr: self.peer_addr,
            hold_time: self.hold_time,
            graceful_restart: Some(restart),
            net_ranges: self.advertised.iter().copied().collect(),
            limits: self.limits,
            advertised: match self.drain {
                Some(Drain::Withdraw) => BTreeSet::new(),
                Some(Drain::Prepend) | None => self.advertised.clone(),
            },
            prepend: if self.drain.is_some() { DRAIN_PREPEND } else { 0 },
            graceful_shutdown: self.drain.is_some(),
            med: None,
            timings: Timings::default(),
        }
    }

    /// Whether sockets that were opened for `other` serve this one too, but for the key.
    pub(super) fn same_sockets(&self, other: &Self) -> bool {
        let where_and_how = |config: &Self| {
            (config.netns.clone(), config.local_addr, config.peer_addr, config.ttl_security)
        };
        where_and_how(self) == where_and_how(other)
    }
}
