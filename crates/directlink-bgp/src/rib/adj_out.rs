//! Adj-RIB-Out: what one peer is told.

use crate::{Family, wire};
use bytes::Bytes;
use directlink_net::Asn;
use ipnet::IpNet;
use std::{collections::BTreeSet, net::IpAddr};

/// How our own prefixes are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Our address on the session: the customer's packets come to us.
    pub next_hop: IpAddr,
    /// How often our AS number stands in AS_PATH beyond the once it must: to make this way less
    /// wanted, as before maintenance.
    pub prepend: u8,
    pub med: Option<u32>,
    /// The community GRACEFUL_SHUTDOWN goes along (RFC 8326): whoever heeds it takes any other way.
    pub graceful_shutdown: bool,
}

impl Export {
    pub const fn next_hop_self(local_addr: IpAddr) -> Self {
        Self { next_hop: local_addr, prepend: 0, med: None, graceful_shutdown: false }
    }
}

/// What the session's peer has been told, and what it should be.
#[derive(Debug)]
pub(crate) struct AdjRibOut {
    local_asn: Asn,
    export: Export,
    wanted: BTreeSet<IpNet>,
    told: BTreeSet<IpNet>,
    /// Where somebody watches: what was said since he last looked.
    said: Option<Vec<Bytes>>,
}

impl AdjRibOut {
    pub(crate) fn new(local_asn: Asn, export: Export, prefixes: &BTreeSet<IpNet>) -> Self {
        let family = Family::of(export.next_hop);
        let wanted = prefixes.iter().filter(|net| Family::of_net(net) == family).copied();
        Self { local_asn, export, wanted: wanted.collect(), told: BTreeSet::new(), said: None }
    }

    /// Takes over the wishes of `new`, keeping what was told. True if the whole table is to be
    /// sent again, as its attributes changed.
    pub(crate) fn replace(&mut self, new: Self) -> bool {
        let resend = self.export != new.export || self.local_asn != new.local_asn;
        let told = std::mem::take(&mut self.told);
        let said = self.said.take();
        *self = Self { told, said, ..new };
        resend
    }

    /// From now on what is said is noted down.
    pub(crate) fn watch(&mut self) {
        self.said.get_or_insert_default();
    }

    /// What was noted down since the last time, as UPDATEs with 4-octet AS numbers.
    pub(crate) fn take_said(&mut self) -> Vec<Bytes> {
        self.said.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// All that the peer was told, in the same form.
    pub(crate) fn retold(&self) -> Vec<Bytes> {
        let all: Vec<_> = self.told.iter().copied().collect();
        wire::announce(&all, &self.export, self.local_asn, true)
    }

    /// The peer knows nothing (a new session).
    pub(crate) fn forget(&mut self) {
        self.told.clear();
        self.said.as_mut().map(Vec::clear);
    }

    /// Messages that lead from what was told to what is wanted.
    pub(crate) fn advance(&mut self, four_octet_as: bool) -> Vec<Bytes> {
        let new: Vec<_> = self.wanted.difference(&self.told).copied().collect();
        self.send(&new, four_octet_as)
    }

    /// The whole table, for a peer that asks for it or whose copy has outdated attributes.
    pub(crate) fn resend(&mut self, four_octet_as: bool) -> Vec<Bytes> {
        let all: Vec<_> = self.wanted.iter().copied().collect();
        self.send(&all, four_octet_as)
    }

    pub(crate) fn told(&self) -> impl Iterator<Item = IpNet> {
        self.told.iter().copied()
    }

    fn send(&mut self, announced: &[IpNet], four_octet_as: bool) -> Vec<Bytes> {
        let gone: Vec<_> = self.told.difference(&self.wanted).copied().collect();
        self.told.clone_from(&self.wanted);
        let mut messages = wire::withdraw(&gone);
        if let Some(said) = &mut self.said {
            said.extend(messages.iter().cloned());
            said.extend(wire::announce(announced, &self.export, self.local_asn, true));
        }
        messages.extend(wire::announce(announced, &self.export, self.local_asn, four_octet_as));
        messages
    }
}
