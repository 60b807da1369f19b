//! Attribute sets, each stored once per session however many prefixes share it.
//!
//! Kept as validated wire bytes, because a parsed set takes some ten times the memory and is
//! looked at only by a person. What the decision process needs is beside them.

use crate::{
    Attributes, ImportPolicy, Origin, Preference, Refusal,
    wire::{self, SetKey},
};
use bytes::Bytes;
use hashbrown::HashTable;
use ipnet::IpNet;
use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
};

/// Names a set while at least one prefix uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SetId(u32);

/// A set's name or none, in four bytes that need no alignment: there is one for each prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedSetId([u8; 4]);

impl From<Option<SetId>> for PackedSetId {
    fn from(id: Option<SetId>) -> Self {
        Self(id.map_or(0, |id| id.0 + 1).to_ne_bytes())
    }
}

impl PackedSetId {
    pub(crate) fn get(self) -> Option<SetId> {
        u32::from_ne_bytes(self.0).checked_sub(1).map(SetId)
    }
}

/// What RFC 4271 §9.1.2.2 compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranking {
    pub(crate) preference: Preference,
    pub(crate) as_path_length: u16,
    pub(crate) origin: Origin,
    pub(crate) med: u32,
}

#[derive(Debug, Default)]
pub(crate) struct AttributeSets {
    /// By what they say: only their names, as they say it themselves.
    by_key: HashTable<SetId>,
    /// Seeded at random: whoever chooses the keys is a customer.
    hasher: RandomState,
    sets: Vec<Option<Set>>,
    free: Vec<SetId>,
}

#[derive(Debug)]
struct Set {
    wire: Box<[u8]>,
    next_hop: Option<IpAddr>,
    ranking: Ranking,
    refused: Option<Refusal>,
    uses: u32,
}

impl AttributeSets {
    pub(crate) fn find(&self, key: &SetKey) -> Option<SetId> {
        let hash = self.hasher.hash_one((&*key.wire, key.next_hop));
        self.by_key.find(hash, |id| self.is(*id, key)).copied()
    }

    fn is(&self, id: SetId, key: &SetKey) -> bool {
        let set = self.sets[id.0 as usize].as_ref();
        set.is_some_and(|set| *set.wire == *key.wire && set.next_hop == key.next_hop)
    }

    /// The id of a set that is there or is now. It has no use until [`Self::retain`].
    pub(crate) fn intern(
        &mut self,
        key: &SetKey,
        attributes: &Attributes,
        policy: &ImportPolicy,
    ) -> SetId {
        if let Some(id) = self.find(key) {
            return id;
        }
        let set = Set {
            wire: key.wire.as_ref().into(),
            next_hop: key.next_hop,
            ranking: Ranking::of(attributes, policy),
            refused: policy.check_attributes(attributes),
            uses: 0,
        };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.sets.push(None);
                SetId((self.sets.len() - 1) as u32)
            }
        };
        let hash = set.hash(&self.hasher);
        self.sets[id.0 as usize] = Some(set);
        let (sets, hasher) = (&self.sets, &self.hasher);
        let again = |id: &SetId| sets[id.0 as usize].as_ref().map_or(0, |set| set.hash(hasher));
        self.by_key.insert_unique(hash, id, again);
        id
    }

    pub(crate) fn retain(&mut self, id: SetId) {
        if let Some(set) = &mut self.sets[id.0 as usize] {
            set.uses += 1;
        }
    }

    pub(crate) fn release(&mut self, id: SetId) {
        if let Some(set) = &mut self.sets[id.0 as usize] {
            set.uses = set.uses.saturating_sub(1);
        }
        self.drop_unused(id);
    }

    /// For a set that was interned and then found no prefix.
    pub(crate) fn drop_unused(&mut self, id: SetId) {
        let slot = &mut self.sets[id.0 as usize];
        if let Some(set) = slot.take_if(|set| set.uses == 0) {
            let hash = set.hash(&self.hasher);
            if let Ok(entry) = self.by_key.find_entry(hash, |known| *known == id) {
                entry.remove();
            }
            self.free.push(id);
        }
    }

    pub(crate) fn refused(&self, id: SetId) -> Option<Refusal> {
        self.sets[id.0 as usize].as_ref().and_then(|set| set.refused)
    }

    pub(crate) fn ranking(&self, id: SetId) -> Option<Ranking> {
        self.sets[id.0 as usize].as_ref().map(|set| set.ranking)
    }

    pub(crate) fn attributes(&self, id: SetId) -> Option<Attributes> {
        self.sets[id.0 as usize].as_ref()?.attributes()
    }

    /// UPDATEs that announce `prefixes` with the set, byte by byte as it is kept.
    pub(crate) fn retold(&self, id: SetId, prefixes: &[IpNet]) -> Vec<Bytes> {
        let set = self.sets[id.0 as usize].as_ref();
        set.map_or_else(Vec::new, |set| wire::announce_set(&set.wire, set.next_hop, prefixes))
    }

    /// Judges every set anew.
    pub(crate) fn apply(&mut self, policy: &ImportPolicy) {
        for set in self.sets.iter_mut().flatten() {
            let attributes = set.attributes();
            if let Some(attributes) = &attributes {
                set.ranking = Ranking::of(attributes, policy);
            }
            set.refused = attributes.and_then(|attributes| policy.check_attributes(&attributes));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

impl Set {
    fn hash(&self, hasher: &RandomState) -> u64 {
        hasher.hash_one((&*self.wire, self.next_hop))
    }

    /// What it says, read again.
    fn attributes(&self) -> Option<Attributes> {
        wire::read_set(&self.wire, self.next_hop)
    }
}

impl Ranking {
    fn of(attributes: &Attributes, policy: &ImportPolicy) -> Self {
        Self {
            preference: policy.preference(attributes),
            as_path_length: attributes.as_path.len().try_into().unwrap_or(u16::MAX),
            origin: attributes.origin,
            // RFC 4271 §9.1.2.2 c: no MED counts as the lowest.
            med: attributes.med.unwrap_or(0),
        }
    }
}
