//! What a peer offers, for whoever decides between peers: one table, filled by the peer and read by
//! others.
//!
//! A Loc-RIB with a copy of each route would take as much memory again, and a write for each. Most
//! Nets have one or two sessions, so that asking each of them for a prefix costs less than keeping
//! what they last said.

use super::{AdjRibIn, Path, Retold};
use ipnet::IpNet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that a Loc-RIB chooses from.
pub trait Offers {
    /// How it leads to `prefix`, if it does.
    fn path(&self, prefix: &IpNet) -> Option<Path>;
}

/// A peer's accepted routes, as they are whenever somebody looks. Cheap to clone; it outlives its
/// peer, as what that last offered.
#[derive(Clone, Debug)]
pub struct PeerOffers(Arc<Mutex<AdjRibIn>>);

impl PeerOffers {
    pub(crate) fn new(rib: AdjRibIn) -> Self {
        Self(Arc::new(Mutex::new(rib)))
    }

    /// In no order.
    pub fn prefixes(&self) -> Vec<IpNet> {
        self.rib().accepted().collect()
    }

    /// In no order, refused ones included.
    pub fn all_prefixes(&self) -> Vec<IpNet> {
        self.rib().prefixes().collect()
    }

    /// These as they are now, in UPDATEs. The peer waits meanwhile: ask for a thousand at a time.
    pub fn retold(&self, prefixes: &[IpNet], only_accepted: bool) -> Retold {
        self.rib().retold(prefixes, only_accepted)
    }

    /// How many prefixes there are, and how often the policy has refused one.
    pub fn received_and_rejected(&self) -> (u32, u32) {
        let rib = self.rib();
        (rib.counts().received, rib.rejected())
    }

    /// A panic elsewhere leaves nothing half-written here that the next session would not replace.
    pub(crate) fn rib(&self) -> MutexGuard<'_, AdjRibIn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offers for PeerOffers {
    fn path(&self, prefix: &IpNet) -> Option<Path> {
        self.rib().path(prefix)
    }
}
