//! From the interface's acceptance to TCP: what must be there before BGP can speak.

use super::{Case, Judgement, OURS, bad, good, open, sign};
use crate::{
    evidence::{Cause, FreshPeer, Rise, SessionNow, Station},
    interface::InterfaceState,
};
use directlink_net::Mac;
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;

/// Who was heard so long ago is told of: a station asks for its neighbour seldom.
const HEARD: SignedDuration = SignedDuration::from_mins(10);
/// Verdicts of frames that arrived with the interface's tag.
pub const ARRIVED: [&str; 12] = [
    "to_router",
    "forwarded_to_net",
    "not_ip",
    "no_ipv6_here",
    "policed_neighbour",
    "policed_bgp_open",
    "policed_icmp",
    "policed_rest",
    "not_for_router",
    "not_forwarding",
    "source_not_announced",
    "nic_unknown",
];

impl Case<'_> {
    pub(super) fn acceptance(&self) -> Judgement {
        let state = self.facts.state;
        let says = format!("interface {} is {state}", self.facts.interface.id);
        match state {
            InterfaceState::Pending
            | InterfaceState::Available
            | InterfaceState::Down
            | InterfaceState::Testing => good(says),
            InterfaceState::Confirming => bad(
                sign(says).at(self.facts.interface.created_at),
                format!("Account {} must accept it, within 7 days.", self.facts.interface.owner),
            ),
            InterfaceState::Deleting
            | InterfaceState::Deleted
            | InterfaceState::Rejected
            | InterfaceState::Expired => {
                bad(sign(says), "Create another interface: no router carries this one.")
            }
        }
    }

    pub(super) fn router(&self) -> Judgement {
        if let Some(judged) = self.fibre().silence() {
            return judged;
        }
        match (self.facts.report.configured, &self.facts.report.failure) {
            (true, _) => good("VLAN, addresses and tables are in the router"),
            (false, Some(failure)) => bad(sign(failure.as_str()), OURS),
            (false, None) => bad(sign("the router has not said so yet"), OURS),
        }
    }

    pub(super) fn tag(&self) -> Judgement {
        let (vlan, evidence) = (self.facts.interface.vlan, &self.facts.report.evidence);
        let counted = evidence.rose_at.iter().filter(|(name, _)| ARRIVED.contains(&name.as_str()));
        let heard = evidence.stations.iter().map(|station| station.heard_at);
        let last = counted.map(|(_, at)| *at).chain(heard).max();
        let asked = self.facts.fresh;
        let arrived = asked.filter(|fresh| fresh.frames > 0).map(|fresh| fresh.until);
        let is_heard = match asked {
            Some(_) => arrived.is_some(),
            None => last.is_some_and(|at| self.is_recent(at)),
        };
        if self.is_proved() || is_heard {
            let says = format!("frames arrive with tag {vlan}");
            return Judgement::Good(sign(says).at(arrived.or(last)));
        }
        let nothing = match last {
            Some(_) => format!("no frame with tag {vlan} arrives any more"),
            None => format!("no frame with tag {vlan} has arrived"),
        };
        if self.facts.port.at.is_none() {
            return open("the router says nothing of tags");
        }
        let others = self.other_tags();
        match others.is_empty() {
            true => bad(
                sign(format!("{nothing}, nor with any other")).at(last),
                format!(
                    "Bring up VLAN {vlan}, tagged (802.1Q), on your router's port, and every switch between it and the fibre."
                ),
            ),
            false => bad(
                sign(format!("{nothing}; what arrives: {others}")).at(last),
                format!(
                    "Change the tag on your router, or on the switch before it, to {vlan} (802.1Q, one tag)."
                ),
            ),
        }
    }

    /// "tag 102 (14 frames), untagged (3 frames)"
    fn other_tags(&self) -> String {
        // Before the router had the interface, frames of its own tag were stray too.
        let own = Some(self.facts.interface.vlan.as_u16());
        let strays = self.facts.port.strays.iter().filter(|stray| stray.vlan != own);
        let strays = strays.filter(|stray| self.is_recent(stray.last_at));
        let words = strays.map(|stray| match stray.vlan {
            Some(vlan) => format!("tag {vlan} ({} frames)", stray.frames),
            None => format!("untagged ({} frames)", stray.frames),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn arp(&self) -> Judgement {
        let customer = self.peer.addresses.customer().addr();
        let (now, asked) = (self.facts.fresh.map(|fresh| fresh.until), self.fresh());
        let answered = asked.and_then(|asked| asked.stations.first()).map(|mac| (*mac, now));
        let heard = self.stations_at(customer).next().filter(|_| asked.is_none());
        let heard = answered.or_else(|| heard.map(|it| (it.mac, Some(it.heard_at))));
        if let Some((mac, at)) = heard {
            return Judgement::Good(sign(format!("{customer} answers from {mac}")).at(at));
        }
        let is_all = self.is_proved() || (self.facts.port.at.is_none() && asked.is_none());
        match (is_all, self.said.neighbour) {
            (true, Some(mac)) => return good(format!("{customer} is at {mac}")),
            (true, None) if self.is_proved() => {
                return good(format!("{customer} speaks BGP"));
            }
            (true, None) | (false, _) => {}
        }
        let vlan = self.facts.interface.vlan;
        let others = self.facts.report.evidence.stations.iter();
        let others =
            others.filter(|it| self.is_within(it.heard_at, HEARD) && it.address != customer);
        let others: Vec<_> = others.map(|it| format!("{} ({})", it.address, it.mac)).collect();
        let remedy = format!(
            "Give your router's interface in VLAN {vlan} the address {}, and let it answer ARP.",
            self.peer.addresses.customer()
        );
        match others.is_empty() {
            true => bad(sign(format!("nobody answers for {customer} in VLAN {vlan}")), remedy),
            false => bad(
                sign(format!(
                    "nobody answers for {customer} in VLAN {vlan}; heard there: {}",
                    others.join(", ")
                )),
                remedy,
            ),
        }
    }

    fn stations_at(&self, address: IpAddr) -> impl Iterator<Item = &Station> + '_ {
        let all = self.facts.report.evidence.stations.iter();
        all.filter(move |it| it.address == address && self.is_recent(it.heard_at))
    }

    pub(super) fn duplicate(&self) -> Judgement {
        let (customer, router) =
            (self.peer.addresses.customer().addr(), self.peer.addresses.router().addr());
        if let Some((mac, at)) = self.claims(router, |fresh| &fresh.impostors).first() {
            return bad(
                sign(format!("{mac} says that it is {router}, which is our router")).at(*at),
                format!("Take {router} off your device: your side's address is {customer}."),
            );
        }
        match &self.claims(customer, |fresh| &fresh.stations)[..] {
            [] => open("nobody was heard of late"),
            [(mac, at)] => Judgement::Good(sign(format!("only {mac}")).at(*at)),
            [(_, at), ..] => {
                let macs = self.claims(customer, |fresh| &fresh.stations);
                let macs: Vec<_> = macs.iter().map(|(mac, _)| mac.to_string()).collect();
                bad(
                    sign(format!("{customer} answers from {}", macs.join(" and "))).at(*at),
                    format!("Take {customer} off all of your devices in the VLAN but one."),
                )
            }
        }
    }

    /// Who said of late that an address is theirs; where they were asked now, who says so now.
    fn claims(
        &self,
        address: IpAddr,
        now: impl Fn(&FreshPeer) -> &Vec<Mac>,
    ) -> Vec<(Mac, Timestamp)> {
        match (self.facts.fresh, self.fresh()) {
            (Some(fresh), Some(peer)) => now(peer).iter().map(|mac| (*mac, fresh.until)).collect(),
            _ => self.stations_at(address).map(|it| (it.mac, it.heard_at)).collect(),
        }
    }

    pub(super) fn tcp(&self) -> Judgement {
        let customer = self.peer.addresses.customer().addr();
        let state = self.said.session.state.as_str();
        if matches!(state, "OpenSent" | "OpenConfirm") || self.is_proved() {
            return good(format!("connected to {customer}"));
        }
        if let Some((_, last_at)) = self.bad_signature() {
            let says = format!("TCP segments arrive from {customer}");
            return Judgement::Good(sign(says).at(last_at));
        }
        if let Some(unheard) = self.unheard_now(customer) {
            return unheard;
        }
        let Some(ending) = self.telling() else { return open("no try has ended yet") };
        let told = |says: String| sign(says).at(ending.at);
        match &ending.cause {
            Cause::Refused => bad(
                told(format!("{customer} refuses connections (RST)")),
                "Start BGP on your router, with a neighbour in this VLAN: nothing listens on port 179 there.",
            ),
            Cause::NoAnswer => {
                bad(told(format!("{customer} does not answer SYN: filtered")), self.when_filtered())
            }
            Cause::Unreachable => bad(
                told(format!("{customer} cannot be reached")),
                "See that your router's interface in the VLAN stays up.",
            ),
            Cause::DialFailed(words) => bad(told(words.clone()), OURS),
            _ => Judgement::Good(told(format!("connected to {customer}"))),
        }
    }

    /// What TCP says at this moment, before any of its own times is over.
    fn unheard_now(&self, customer: IpAddr) -> Option<Judgement> {
        let at = self.facts.fresh?.until;
        let says = match self.fresh()?.session {
            SessionNow::Unacknowledged { retransmissions, millis } => format!(
                "{customer} has acknowledged nothing of the session for {millis} ms ({retransmissions} retransmissions): filtered"
            ),
            SessionNow::Unanswered { millis } => {
                // What the two last said tells more.
                if self.telling().is_some_and(|ending| ending.cause.is_conversation()) {
                    return None;
                }
                format!("{customer} has not answered SYN for {millis} ms: filtered")
            }
            SessionNow::Unknown | SessionNow::Acknowledged => return None,
        };
        Some(bad(sign(says).at(at), self.when_filtered()))
    }

    /// A listener drops what is not signed by its key without a word too.
    fn when_filtered(&self) -> String {
        let router = self.peer.addresses.router().addr();
        let first = format!("Let your router's filters take TCP port 179 from {router}");
        match self.peer.key {
            Some(_) => format!(
                "{first}; if they do, give its neighbour the interface's BGP key, without which it hears nothing."
            ),
            None => format!("{first}; if they do, take the BGP key off its neighbour."),
        }
    }

    pub(super) fn md5(&self) -> Judgement {
        if self.is_proved() {
            return match self.peer.key {
                Some(_) => good("segments are signed with one key"),
                None => good("no key on either side"),
            };
        }
        let customer = self.peer.addresses.customer().addr();
        match self.bad_signature() {
            None => good("no segment was dropped for its signature of late"),
            Some((BadSignature::Wrong(count), at)) => bad(
                sign(format!("{count} segments from {customer} are signed with another key"))
                    .at(at),
                "Set one BGP key on both sides: the interface's, letter for letter.",
            ),
            Some((BadSignature::Absent(count), at)) => bad(
                sign(format!("{count} segments from {customer} bear no signature")).at(at),
                "Set the interface's BGP key on your router's neighbour: it has none.",
            ),
            Some((BadSignature::Unexpected(count), at)) => bad(
                sign(format!(
                    "{count} segments from {customer} are signed, and the interface has no key"
                ))
                .at(at),
                "Take the BGP key off your router's neighbour, or make the interface anew with that key.",
            ),
        }
    }

    /// What was last wrong with signatures, if it was of late, and since anybody was understood.
    fn bad_signature(&self) -> Option<(BadSignature, Timestamp)> {
        let seen = &self.facts.report.evidence.signatures;
        let now = self.facts.fresh.map(|fresh| fresh.signatures).unwrap_or_default();
        let as_bad = |rise: Option<Rise>, of: fn(u64) -> BadSignature| {
            rise.map(|Rise { count, last_at }| (of(count), last_at))
        };
        let understood = self.said.session.evidence.open.map(|open| open.at);
        [
            as_bad(seen.wrong, BadSignature::Wrong),
            as_bad(seen.absent, BadSignature::Absent),
            as_bad(seen.unexpected, BadSignature::Unexpected),
            as_bad(now.wrong, BadSignature::Wrong),
            as_bad(now.absent, BadSignature::Absent),
            as_bad(now.unexpected, BadSignature::Unexpected),
        ]
        .into_iter()
        .flatten()
        .filter(|(_, at)| self.is_recent(*at) && understood.is_none_or(|open| open < *at))
        .max_by_key(|(_, at)| *at)
    }
}

#[derive(Clone, Copy)]
enum BadSignature {
    Wrong(u64),
    Absent(u64),
    Unexpected(u64),
}
