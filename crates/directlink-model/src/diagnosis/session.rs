//! The BGP session, and what it brings.

use super::{Case, Judgement, OURS, bad, good, open, sign};
use crate::{
    evidence::{Cause, Ending, Notice},
    interface::InterfaceState,
    report::RefusedRoute,
};
use jiff::SignedDuration;

/// Codes and subcodes of NOTIFICATION (RFC 4271 §4.5, RFC 4486).
mod code {
    pub(super) const HEADER: u8 = 1;
    pub(super) const OPEN: u8 = 2;
    pub(super) const CEASE: u8 = 6;
    pub(super) const BAD_PEER_AS: u8 = 2;
    pub(super) const BAD_IDENTIFIER: u8 = 3;
    pub(super) const HOLD_TIME: u8 = 6;
    pub(super) const SHUTDOWN: u8 = 2;
    pub(super) const DECONFIGURED: u8 = 3;
    pub(super) const REJECTED: u8 = 5;
    pub(super) const MAXIMUM_PREFIXES: u8 = 1;
}

/// So soon after the OPEN a session is up, or the connection ends.
const EXCHANGE: SignedDuration = SignedDuration::from_secs(5);
/// What a router needs to tell its table after the session is up.
const FIRST_WORDS: SignedDuration = SignedDuration::from_secs(10);
/// Named in a sentence.
const NAMED: usize = 3;

impl Case<'_> {
    /// Whether both sides took the other's OPEN; if not, which field was refused.
    pub(super) fn open(&self) -> Judgement {
        let understood = self.said.session.evidence.open;
        if self.is_established() || self.said.session.state == "OpenConfirm" {
            let says = understood.map_or_else(
                || "both sides took the other's".to_owned(),
                |open| format!("AS {}, hold time {} s", open.asn, open.hold_time_seconds),
            );
            return Judgement::Good(sign(says).at(understood.map(|open| open.at)));
        }
        let Some(ending) = self.telling() else { return open("none was exchanged yet") };
        match &ending.cause {
            Cause::NotificationSent(notice) if notice.is_about_open() => {
                self.we_refused(notice, ending)
            }
            Cause::NotificationReceived(notice) if notice.is_about_open() => {
                self.they_refused(notice, ending)
            }
            Cause::Closed(words) if !ending.was_established && !self.heard_open_before(ending) => {
                let says = format!("the connection ended before an OPEN came: {words}");
                let router = self.peer.addresses.router().addr();
                bad(
                    sign(says).at(ending.at),
                    format!(
                        "Configure {router} as a neighbour on your router: it takes connections, but not from there."
                    ),
                )
            }
            cause if cause.is_beyond_tcp() => match understood {
                Some(open) => Judgement::Good(
                    sign(format!("AS {}, hold time {} s", open.asn, open.hold_time_seconds))
                        .at(open.at),
                ),
                None => open("none came yet"),
            },
            _ => open("TCP comes first"),
        }
    }

    /// An OPEN came on the connection that ended so.
    fn heard_open_before(&self, ending: &Ending) -> bool {
        let open = self.said.session.evidence.open;
        open.is_some_and(|open| ending.at.duration_since(open.at) <= EXCHANGE)
    }

    fn we_refused(&self, notice: &Notice, ending: &Ending) -> Judgement {
        let their = self.said.session.evidence.open;
        let (wanted, region) = (self.peer.asn, self.facts.region.0);
        let (says, remedy) = match (notice.subcode, their) {
            (code::BAD_PEER_AS, Some(open)) => (
                format!("its OPEN says AS {}; the interface wants AS {wanted}", open.asn),
                format!("Let your router speak as AS {wanted}, or make the interface anew with AS {}.", open.asn),
            ),
            (code::HOLD_TIME, Some(open)) => (
                format!("its OPEN proposes a hold time of {} s", open.hold_time_seconds),
                "Set a hold time of 3 s or more on your router; 0, which turns it off, is not taken."
                    .to_owned(),
            ),
            (code::BAD_IDENTIFIER, Some(open)) => (
                format!("its OPEN has the BGP identifier {}", open.bgp_identifier),
                "Set a router ID of its own on your router.".to_owned(),
            ),
            _ => (
                format!("we refused its OPEN: {}", notice.words),
                format!("See your router's neighbour: BGP 4, IPv4 unicast, our AS {region}."),
            ),
        };
        bad(sign(says).at(ending.at), remedy)
    }

    fn they_refused(&self, notice: &Notice, ending: &Ending) -> Judgement {
        let (region, router) = (self.facts.region.0, self.peer.addresses.router().addr());
        let (says, remedy) = match (notice.code, notice.subcode) {
            (code::OPEN, code::BAD_PEER_AS) => (
                format!("your router refuses our AS {region} ({})", notice.words),
                format!("On your router, give the neighbour {router} the remote AS {region}."),
            ),
            (code::OPEN, code::HOLD_TIME) => (
                format!("your router refuses our hold time ({})", notice.words),
                "Lower the least hold time that your router takes to 90 s or less.".to_owned(),
            ),
            (code::CEASE, code::REJECTED) => (
                format!("your router rejects the connection ({})", notice.words),
                format!("Configure {router} as a neighbour on your router, and enable it."),
            ),
            _ => (
                format!("your router refuses our OPEN: {}", notice.words),
                format!("See its neighbour {router}: remote AS {region}, IPv4 unicast."),
            ),
        };
        bad(sign(says).at(ending.at), remedy)
    }

    /// Once OPENs were exchanged: what ended it, and the limit of prefixes apart.
    pub(super) fn session(&self) -> Judgement {
        let session = &self.said.session;
        if self.is_established() {
            return Judgement::Good(sign("Established").at(session.established_since));
        }
        if self.facts.state == InterfaceState::Testing {
            return bad(
                sign("a failover test keeps it shut").at(self.facts.interface.testing_until),
                "Wait until the test is over, or stop it: the session comes up again by itself.",
            );
        }
        let Some(ending) = self.telling() else { return self.unexplained() };
        let told = |says: String| sign(says).at(ending.at);
        match &ending.cause {
            Cause::HoldTimerExpired => bad(
                told("nothing was heard from your router within the hold time".into()),
                "See whether your router is overloaded or loses packets; a longer hold time bridges gaps.",
            ),
            Cause::SendHoldTimerExpired => bad(
                told("your router took nothing of what we sent for minutes".into()),
                "See whether your router's BGP process hangs.",
            ),
            Cause::PathFailed => bad(
                told("BFD found the path dead".into()),
                "See whether the VLAN loses packets, and whether your BFD timers are those of this interface.",
            ),
            // Its own rung.
            Cause::MaximumPrefixes { .. } => good("it was up until there were too many prefixes"),
            Cause::NotificationReceived(Notice { code: code::CEASE, subcode, words })
                if matches!(*subcode, code::SHUTDOWN | code::DECONFIGURED) =>
            {
                bad(
                    told(format!("your router shut the session: {words}")),
                    "Enable the neighbour on your router again.",
                )
            }
            Cause::NotificationReceived(notice) => bad(
                told(format!("your router ended it: {}", notice.words)),
                "See your router's log of that time for what it did not like.",
            ),
            Cause::NotificationSent(notice) => bad(
                told(format!("we ended it: {}", notice.words)),
                "See what your router sent: it broke the protocol.",
            ),
            Cause::Stopped(words) => bad(told(words.clone()), OURS),
            Cause::Closed(words) => bad(
                told(format!("the connection was lost: {words}")),
                "See whether BGP was restarted on your router; it should come back by itself.",
            ),
            Cause::Unreachable | Cause::NoAnswer | Cause::Refused | Cause::DialFailed(_) => {
                open(session.state.clone())
            }
        }
    }

    /// From a router that tells only the last error.
    fn unexplained(&self) -> Judgement {
        let session = &self.said.session;
        let Some(error) = &session.last_error else {
            return open(format!("{}: no try has ended yet", session.state));
        };
        let (peer, region) = (&self.peer, self.facts.region.0);
        bad(
            sign(format!("{}: {error}", session.state)),
            format!(
                "On your router: neighbour {}, remote AS {region}, your own AS {}, and the same BGP key on both sides.",
                peer.addresses.router().addr(),
                peer.asn
            ),
        )
    }

    pub(super) fn maximum_prefixes(&self) -> Judgement {
        let (learned, refused) = (self.said.learned.len(), self.said.refused.len());
        if self.is_established() {
            return match self.said.session.near_prefix_limit {
                true => good(format!("{} prefixes: nearly too many", learned + refused)),
                false => good(format!("{} prefixes", learned + refused)),
            };
        }
        let Some(ending) = self.telling() else { return open("no session yet") };
        let sent = |notice: &Notice| {
            notice.code == code::CEASE && notice.subcode == code::MAXIMUM_PREFIXES
        };
        match &ending.cause {
            Cause::MaximumPrefixes { max } => bad(
                sign(format!("your router announced more than {max} prefixes")).at(ending.at),
                format!(
                    "Announce {max} prefixes or fewer: aggregate them. The session is tried again after a minute, then less often."
                ),
            ),
            Cause::NotificationReceived(notice) if sent(notice) => bad(
                sign("your router found our prefixes too many").at(ending.at),
                "Raise the maximum of prefixes that your router takes from this neighbour.",
            ),
            _ => open("no session"),
        }
    }

    pub(super) fn prefixes(&self) -> Judgement {
        if !self.is_established() {
            return open("no session");
        }
        let (learned, refused) = (self.said.learned.len(), self.refused().count());
        let since = self.said.session.established_since;
        match learned + refused {
            0 if since.is_some_and(|at| self.is_within(at, FIRST_WORDS)) => {
                open("the session is only just up")
            }
            0 => bad(
                sign("your router announces nothing").at(since),
                "Announce your networks to this neighbour: see your router's export policy, and that it has routes to them.",
            ),
            _ => good(format!("{learned} accepted, {refused} refused")),
        }
    }

    /// But for what came from us.
    fn refused(&self) -> impl Iterator<Item = &RefusedRoute> + '_ {
        self.said.refused.iter().filter(|route| !route.is_echo)
    }

    pub(super) fn refusals(&self) -> Judgement {
        if !self.is_established() {
            return open("no session");
        }
        let Some(first) = self.refused().next() else { return good("none") };
        let named = self.refused().take(NAMED).map(|it| format!("{}: {}", it.prefix, it.reason));
        let mut says = named.collect::<Vec<_>>().join("; ");
        if let Some(more @ 1..) = self.refused().count().checked_sub(NAMED) {
            says.push_str(&format!("; and {more} more"));
        }
        bad(
            sign(says),
            format!(
                "Do not announce {} to this neighbour: nothing of it is forwarded.",
                first.prefix
            ),
        )
    }
}

impl Notice {
    /// It ended the exchange of OPENs.
    const fn is_about_open(&self) -> bool {
        matches!(
            (self.code, self.subcode),
            (code::HEADER | code::OPEN, _) | (code::CEASE, code::REJECTED)
        )
    }
}
