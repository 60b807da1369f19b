//! Connection collision (RFC 4271 §6.8): both sides dialled, one connection must go.
//!
//! ```text
//!   ours   ══════════ OpenConfirm ═══╗   the connection that was dialled by the side
//!                                    ╠═► with the higher BGP identifier stays
//!   theirs ══════════ OPEN arrives ══╝   (identifiers equal: the higher AS number, RFC 6286)
//! ```
//!
//! Both sides compare the same four numbers, and so agree without a word.

use super::{ConnId, session::Identity};
use std::net::Ipv4Addr;

/// What a speaker is known by in a collision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    router_id: Ipv4Addr,
    asn: u32,
}

impl Rank {
    pub(super) const fn new(router_id: Ipv4Addr, asn: u32) -> Self {
        Self { router_id, asn }
    }
}

impl From<Identity> for Rank {
    fn from(Identity { router_id, asn }: Identity) -> Self {
        Self { router_id, asn }
    }
}

/// Whether `newcomer` stays, and `present` goes.
pub(super) fn newcomer_stays(newcomer: ConnId, present: ConnId, local: Rank, remote: Rank) -> bool {
    match (newcomer, present) {
        (ConnId::Ours(_), ConnId::Theirs(_)) => local > remote,
        (ConnId::Theirs(_), ConnId::Ours(_)) => local < remote,
        // One side opened both: it has given the older one up.
        (ConnId::Ours(a), ConnId::Ours(b)) | (ConnId::Theirs(a), ConnId::Theirs(b)) => a > b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(last: u8, asn: u32) -> Rank {
        Rank::new(Ipv4Addr::new(10, 0, 0, last), asn)
    }

    #[test]
    fn the_dialler_with_the_higher_rank_keeps_its_connection() {
        let (ours, theirs) = (ConnId::Ours(1), ConnId::Theirs(1));
        let table = [
            // local, remote, ours stays
            (rank(2, 65000), rank(1, 65001), true),
            (rank(1, 65001), rank(2, 65000), false),
            (rank(1, 65001), rank(1, 65000), true),
            (rank(1, 65000), rank(1, 65001), false),
        ];
        for (local, remote, ours_stays) in table {
            assert_eq!(newcomer_stays(ours, theirs, local, remote), ours_stays);
            assert_eq!(newcomer_stays(theirs, ours, local, remote), !ours_stays);
            // The other side sees our connection as theirs, and comes to the same end.
            assert_eq!(newcomer_stays(theirs, ours, remote, local), ours_stays);
        }
    }

    #[test]
    fn identifiers_are_compared_as_numbers_not_as_text() {
        let (nine, ten) = (Rank::new([9, 0, 0, 0].into(), 1), Rank::new([10, 0, 0, 0].into(), 1));
        assert!(newcomer_stays(ConnId::Ours(1), ConnId::Theirs(1), ten, nine));
    }

    #[test]
    fn of_two_from_one_side_the_later_stays() {
        let (local, remote) = (rank(1, 1), rank(2, 2));
        assert!(newcomer_stays(ConnId::Theirs(5), ConnId::Theirs(4), local, remote));
    }
}
