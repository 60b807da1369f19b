//! Other routers of the Region: where they lead in our place, and whom we believe that relays.
//!
//! A relay is a row of `routes` or `routes6` whose ways are VTEPs (`ebpf/relay.h`), so that the longest prefix is
//! found over both. Apart from `handle.rs` because all else there is of this router alone.

use crate::{
    changes::Changed,
    handle::{Done, TableError, absent, in_table, listed},
    load::Dataplane,
    rows::Relay,
    tables::{AddressKey, PresenceRow, RouteRow, Scoped, Scoped6},
};
use directlink_net::{IpNet, Vni};
use std::{collections::BTreeSet, net::Ipv4Addr};

impl Dataplane {
    /// In the place of the route to that prefix, if there is one; [`Dataplane::remove_route`] removes it.
    ///
    /// # Errors
    /// No router, too many, or one that is no VTEP; or the kernel refused (a full table).
    pub fn put_relay(&mut self, relay: &Relay) -> Done {
        let Relay { vni, prefix, routers, own } = relay;
        let row =
            RouteRow::relay(routers, own).ok_or_else(|| TableError::Routers(routers.clone()))?;
        let tables = &mut self.tables;
        let written = match *prefix {
            IpNet::V4(v4) => tables.routes.insert(&Scoped::key(*vni, v4), row, 0),
            IpNet::V6(v6) => tables.routes6.insert(&Scoped6::key(*vni, v6), row, 0),
        }
        .map_err(in_table("routes"));
        self.count_change(Changed::Net(vni.as_u32()), written)
    }

    /// # Errors
    /// The kernel refused.
    pub fn relays(&self) -> Result<Vec<Relay>, TableError> {
        let relay = |(vni, prefix), row: RouteRow| {
            let routers = Some(row.routers()).filter(|routers| !routers.is_empty())?;
            Some(Relay { vni: Vni::try_from(vni).ok()?, prefix, routers, own: row.own() })
        };
        let mut found: Vec<_> = listed("routes", self.tables.routes.iter(), |(key, row)| {
            relay(Scoped::read(&key)?, row)
        })?;
        found.extend(listed::<_, _, Vec<_>>(
            "routes6",
            self.tables.routes6.iter(),
            |(key, row)| relay(Scoped6::read(&key)?, row),
        )?);
        found.sort_unstable_by_key(|relay| (relay.vni, relay.prefix));
        Ok(found)
    }

    /// A router that leads to the Net as well, and may relay to us.
    ///
    /// # Errors
    /// The kernel refused (a full table).
    pub fn put_router(&mut self, vni: Vni, vtep: Ipv4Addr) -> Done {
        let key = AddressKey::new(vni, vtep);
        self.tables.routers.insert(key, PresenceRow::default(), 0).map_err(in_table("routers"))
    }

    /// # Errors
    /// The kernel refused.
    pub fn remove_router(&mut self, vni: Vni, vtep: Ipv4Addr) -> Done {
        let key = AddressKey::new(vni, vtep);
        let erased = absent(self.tables.routers.remove(&key)).map_err(in_table("routers"));
        self.count_change(Changed::Net(vni.as_u32()), erased)
    }

    /// # Errors
    /// The kernel refused.
    pub fn routers(&self) -> Result<BTreeSet<(Vni, Ipv4Addr)>, TableError> {
        listed("routers", self.tables.routers.iter(), |(key, _)| key.read())
    }
}
