//! The prefixes of one family, each with what is known of it: 12 bytes for one of IPv4, where a
//! table for both families would take 25.

use super::adj_in::Entry;
use crate::Family;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::HashMap;

/// A session carries one family; of the other there is nothing.
#[derive(Debug)]
pub(super) enum Routes {
    V4(HashMap<Ipv4Net, Entry>),
    V6(HashMap<Ipv6Net, Entry>),
}

impl Routes {
    pub(super) fn new(family: Family) -> Self {
        match family {
            Family::Ipv4Unicast => Self::V4(HashMap::new()),
            Family::Ipv6Unicast => Self::V6(HashMap::new()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::V4(routes) => routes.len(),
            Self::V6(routes) => routes.len(),
        }
    }

    pub(super) fn get(&self, prefix: &IpNet) -> Option<Entry> {
        match (self, prefix) {
            (Self::V4(routes), IpNet::V4(prefix)) => routes.get(prefix).copied(),
            (Self::V6(routes), IpNet::V6(prefix)) => routes.get(prefix).copied(),
            (Self::V4(_) | Self::V6(_), _) => None,
        }
    }

    /// What was there.
    pub(super) fn insert(&mut self, prefix: &IpNet, entry: Entry) -> Option<Entry> {
        match (self, prefix) {
            (Self::V4(routes), IpNet::V4(prefix)) => routes.insert(*prefix, entry),
            (Self::V6(routes), IpNet::V6(prefix)) => routes.insert(*prefix, entry),
            (Self::V4(_) | Self::V6(_), _) => None,
        }
    }

    pub(super) fn remove(&mut self, prefix: &IpNet) -> Option<Entry> {
        match (self, prefix) {
            (Self::V4(routes), IpNet::V4(prefix)) => routes.remove(prefix),
            (Self::V6(routes), IpNet::V6(prefix)) => routes.remove(prefix),
            (Self::V4(_) | Self::V6(_), _) => None,
        }
    }

    /// In no order.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (IpNet, Entry)> + '_> {
        match self {
            Self::V4(routes) => Box::new(routes.iter().map(|(p, entry)| (IpNet::V4(*p), *entry))),
            Self::V6(routes) => Box::new(routes.iter().map(|(p, entry)| (IpNet::V6(*p), *entry))),
        }
    }

    /// In no order.
    pub(super) fn iter_mut(&mut self) -> Box<dyn Iterator<Item = (IpNet, &mut Entry)> + '_> {
        match self {
            Self::V4(routes) => {
                Box::new(routes.iter_mut().map(|(p, entry)| (IpNet::V4(*p), entry)))
            }
            Self::V6(routes) => {
                Box::new(routes.iter_mut().map(|(p, entry)| (IpNet::V6(*p), entry)))
            }
        }
    }

    /// A table that was large once does not stay so.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::V4(routes) => routes.shrink_to_fit(),
            Self::V6(routes) => routes.shrink_to_fit(),
        }
    }
}
