//! What a router's configuration says, in words that no vendor owns: each fact with its line.
//!
//! ```text
//!   pasted text ──software/*──► Reading ──compare──► findings
//! ```
//!
//! A reader for a vendor only fills this in; what is right or wrong is decided once, in `compare`.

use super::intent::{Family, Way};
use directlink_net::{BgpKey, IpNet};
use std::{collections::BTreeMap, net::IpAddr};

/// A fact and where it stands (first line: 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) is: T,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) links: BTreeMap<String, Link>,
    /// Sessions, and the groups or templates that they inherit from.
    pub(super) neighbours: BTreeMap<String, Neighbour>,
    /// The router's own number, where it is not a neighbour's `local-as`.
    pub(super) local_asn: Option<At<String>>,
    /// Prefixes that some policy lets pass.
    pub(super) permitted: Vec<At<IpNet>>,
    /// What the software speaks with a neighbour of which no family is said.
    pub(super) families_unless_said: Vec<Family>,
}

/// A logical interface, or the port below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) parent: Option<String>,
    pub(super) description: String,
    pub(super) vlan: Option<At<String>>,
    pub(super) addresses: Vec<At<IpNet>>,
    /// Where an address's length has a line of its own.
    pub(super) lengths: BTreeMap<IpAddr, usize>,
    /// In bytes of IP, whatever layer the vendor counts.
    pub(super) mtu: Option<At<u32>>,
    pub(super) shut: Option<At<bool>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Neighbour {
    pub(super) line: usize,
    pub(super) address: Option<At<IpAddr>>,
    pub(super) inherits: Vec<String>,
    pub(super) description: String,
    pub(super) local_asn: Option<At<String>>,
    pub(super) remote_asn: Option<At<String>>,
    pub(super) local_address: Option<At<IpAddr>>,
    pub(super) key: Option<At<KeySeen>>,
    pub(super) shut: Option<At<bool>>,
    pub(super) families: BTreeMap<Family, At<bool>>,
    pub(super) policy_in: Option<At<String>>,
    pub(super) policy_out: Option<At<String>>,
    pub(super) bfd: Option<At<bool>>,
    pub(super) hold_time_seconds: Option<At<u32>>,
}

/// A key as the text shows it. `Debug` shows none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeySeen {
    Plain(BgpKey),
    /// Only the router can tell what it is.
    Encrypted,
    /// Not a key that DirectLink can have.
    Other,
}

impl KeySeen {
    pub(super) fn plain(text: &str) -> Self {
        BgpKey::try_from(text).map_or(Self::Other, Self::Plain)
    }
}

impl Reading {
    pub(super) fn link(&mut self, name: &str, line: usize) -> &mut Link {
        self.links.entry(name.to_owned()).or_insert_with(|| Link { line, ..Link::default() })
    }

    /// Neighbours whose name is their address have it from the start.
    pub(super) fn neighbour(&mut self, name: &str, line: usize) -> &mut Neighbour {
        self.neighbours.entry(name.to_owned()).or_insert_with(|| Neighbour {
            line,
            address: name.parse().ok().map(|is| At { line, is }),
            ..Neighbour::default()
        })
    }

    pub(super) fn permit(&mut self, prefix: &str, line: usize) {
        if let Ok(is) = prefix.trim_end_matches([',', ']', '+', '-']).parse() {
            self.permitted.push(At { line, is });
        }
    }

    /// Sessions only, each with what it inherits.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Neighbour> + '_ {
        self.neighbours.values().filter(|n| n.address.is_some()).map(|n| {
            let groups = n.inherits.iter().filter_map(|name| self.neighbours.get(name));
            groups.fold(n.clone(), Neighbour::or)
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.neighbours.is_empty()
    }
}

impl Link {
    pub(super) fn address(&mut self, text: &str, line: usize) {
        if let Ok(is) = text.parse() {
            self.addresses.push(At { line, is });
        }
    }

    pub(super) fn mtu(&mut self, text: &str, overhead: u32, line: usize) {
        let Ok(bytes) = text.parse::<u32>() else { return };
        let is = bytes.saturating_sub(overhead);
        // Said on two layers, the smaller one counts.
        if self.mtu.is_none_or(|other| is <= other.is) {
            self.mtu = Some(At { line, is });
        }
    }
}

impl Neighbour {
    pub(super) fn family(&mut self, family: Family, on: bool, line: usize) {
        self.families.insert(family, At { line, is: on });
    }

    pub(super) fn policy(&mut self, way: Way, name: &str, line: usize) {
        let policy = match way {
            Way::In => &mut self.policy_in,
            Way::Out => &mut self.policy_out,
        };
        *policy = Some(At { line, is: name.to_owned() });
    }

    pub(super) fn hold_time(&mut self, text: &str, line: usize) {
        if let Ok(is) = text.trim_end_matches('s').parse() {
            self.hold_time_seconds = Some(At { line, is });
        }
    }

    /// What it does not say itself, its group says.
    fn or(mut self, group: &Self) -> Self {
        self.local_asn = self.local_asn.or_else(|| group.local_asn.clone());
        self.remote_asn = self.remote_asn.or_else(|| group.remote_asn.clone());
        self.local_address = self.local_address.or(group.local_address);
        self.key = self.key.or_else(|| group.key.clone());
        self.shut = self.shut.or(group.shut);
        self.policy_in = self.policy_in.or_else(|| group.policy_in.clone());
        self.policy_out = self.policy_out.or_else(|| group.policy_out.clone());
        self.bfd = self.bfd.or(group.bfd);
        self.hold_time_seconds = self.hold_time_seconds.or(group.hold_time_seconds);
        for (family, on) in &group.families {
            self.families.entry(*family).or_insert(*on);
        }
        self
    }
}

/// `text` as a fact, for fields that keep the text as written.
pub(super) fn at(text: &str, line: usize) -> Option<At<String>> {
    Some(At { line, is: text.to_owned() })
}
