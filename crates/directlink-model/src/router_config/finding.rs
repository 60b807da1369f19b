//! One difference between a pasted configuration and what the interface needs.

use super::intent::Family;
use std::fmt;

/// Never carries a key: neither the interface's nor the one that was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In the pasted text, the first being 1. `None`: nothing there is about it.
    pub line: Option<usize>,
    pub aspect: Aspect,
    pub weight: Weight,
    pub found: String,
    pub expected: String,
    /// What to do, and below it the lines to write, where lines can do it.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// The session or the traffic cannot work like this.
    Wrong,
    /// The text alone cannot tell.
    Doubtful,
}

/// What a finding is about, in the order in which a session comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// Nothing in the text is a configuration of that router.
    Language,
    /// The sub-interface itself.
    Interface,
    InterfaceShutdown,
    Vlan,
    Address,
    Mask,
    Mtu,
    NeighbourAddress,
    NeighbourShutdown,
    LocalAsn,
    RemoteAsn,
    Key,
    HoldTime,
    Bfd,
    /// Activation of the address family.
    Family,
    ImportPolicy,
    ExportPolicy,
    /// A prefix that shall be announced, in no list.
    Announcement,
}

impl Aspect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Interface => "interface",
            Self::InterfaceShutdown => "interface shutdown",
            Self::Vlan => "VLAN",
            Self::Address => "address",
            Self::Mask => "mask",
            Self::Mtu => "MTU",
            Self::NeighbourAddress => "neighbour address",
            Self::NeighbourShutdown => "neighbour shutdown",
            Self::LocalAsn => "local AS",
            Self::RemoteAsn => "remote AS",
            Self::Key => "key",
            Self::HoldTime => "hold time",
            Self::Bfd => "BFD",
            Self::Family => "address family",
            Self::ImportPolicy => "import policy",
            Self::ExportPolicy => "export policy",
            Self::Announcement => "announcement",
        }
    }

    /// The sentence above the lines to write.
    pub(super) fn advice(self, family: Family) -> String {
        match self {
            Self::Language => {
                "Paste the running configuration as the router prints it, or choose the router's own software."
                    .into()
            }
            Self::Interface => "Make a tagged sub-interface on the port of the cross-connect".into(),
            Self::InterfaceShutdown => "Enable the interface, and the port below it".into(),
            Self::Vlan => "Tag the sub-interface with the VLAN of the DirectLink interface".into(),
            Self::Address => format!("Give the sub-interface your own {family} address of the session"),
            Self::Mask => "Use the mask of the session's subnet".into(),
            Self::Mtu => "Set the IP MTU; the tag and the Ethernet header come on top".into(),
            Self::NeighbourAddress => "Open the session to DirectLink's address".into(),
            Self::NeighbourShutdown => "Enable the neighbour".into(),
            Self::LocalAsn => "Speak with the AS number that the interface was ordered for".into(),
            Self::RemoteAsn => "Expect the AS number of the Region".into(),
            Self::Key => "Set the key of the DirectLink interface, the same on both sides".into(),
            Self::HoldTime => "Use a hold time of 3 seconds or more; 0 would never notice a dead peer".into(),
            Self::Bfd => "Turn BFD on for the neighbour".into(),
            Self::Family => format!("Activate {family} unicast for the neighbour"),
            Self::ImportPolicy => "Say what may come in: only the Net's prefixes (RFC 8212)".into(),
            Self::ExportPolicy => "Say what may go out: only your own prefixes (RFC 8212)".into(),
            Self::Announcement => "Let the export policy pass your prefix".into(),
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: ")?,
            None => f.write_str("nowhere: ")?,
        }
        let Self { aspect, found, expected, remedy, .. } = self;
        write!(f, "{aspect}: found {found}, expected {expected}. {remedy}")
    }
}
