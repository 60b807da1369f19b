//! Why a path is chosen, or another: the decision of `loc.rs`, told rule by rule.

use super::loc::Path;
use std::fmt;

/// The rule of RFC 4271 §9.1.2.2, or of §9.1.1, that decides between two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    LocalPref,
    AsPathLength,
    Origin,
    Med,
    RouterId,
    PeerAddress,
    /// Nothing of the paths.
    Name,
}

/// How a path stands among those to its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no other.
    Only,
    /// Better than all others by this rule.
    Best(Rule),
    /// As good as others up to the rules that only break ties; flows are shared among all of these.
    Shared { ways: usize },
    /// Worse than the best by this rule.
    Beaten(Rule),
}

/// The first rule by which two differ. MED tells only paths of one neighbouring AS apart.
pub(super) fn differ(a: &Path, b: &Path) -> Rule {
    if a.local_pref != b.local_pref {
        Rule::LocalPref
    } else if a.as_path_length != b.as_path_length {
        Rule::AsPathLength
    } else if a.origin != b.origin {
        Rule::Origin
    } else if a.neighbor_asn == b.neighbor_asn && a.med != b.med {
        Rule::Med
    } else if a.router_id != b.router_id {
        Rule::RouterId
    } else if a.peer_addr != b.peer_addr {
        Rule::PeerAddress
    } else {
        Rule::Name
    }
}

impl Standing {
    pub const fn is_best(self) -> bool {
        !matches!(self, Self::Beaten(_))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalPref => "higher preference (by its communities)",
            Self::AsPathLength => "shorter AS_PATH",
            Self::Origin => "lower ORIGIN",
            Self::Med => "lower MED of one neighbouring AS",
            Self::RouterId => "lower BGP identifier",
            Self::PeerAddress => "lower peer address",
            Self::Name => "equal in all",
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("the only path"),
            Self::Best(rule) => write!(f, "best: {rule}"),
            Self::Shared { ways } => write!(f, "one of {ways} equally good paths"),
            Self::Beaten(rule) => write!(f, "not used: another has a {rule}"),
        }
    }
}
