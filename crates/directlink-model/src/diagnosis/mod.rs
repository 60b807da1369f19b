//! Why is it down? A ladder of what must be in place between an order and traffic, each rung with
//! what is seen of it. Pure: facts of the API's side, the router's report, and the time.
//!
//! ```text
//!   order ─ letter ─ light ─ port errors                               fibre.rs
//!     └► acceptance ─ router                                          road.rs
//!     └► tag ─ ARP ─ duplicates ─ TCP ─ MD5                           road.rs
//!          └► OPEN ─ session ─ prefix limit ─ prefixes ─ refusals     session.rs
//!   gateway ─ Subnet ─ advertised ─ forwarding ─ propagation          net.rs
//!     └► security group ─ MTU ─ return route                          net.rs
//! ```
//!
//! The first rung that fails is the answer. What needs a rung below the failed one is not reached;
//! what is missing in the API is told all the same, for it is certain. A session that is established
//! proves every rung below it, whatever was counted before.

mod fibre;
mod net;
mod road;
mod session;

pub use fibre::Fibre;
use fibre::Seen;
pub use net::Behind;
pub use road::ARRIVED;

use crate::{
    bgp_peer::BgpPeer,
    connection::Connection,
    evidence::{Ending, Fresh, FreshPeer, PortEvidence, SessionNow},
    ids::{ConnectionId, InterfaceId},
    interface::{Interface, InterfaceState},
    report::{InterfaceReport, PeerReport},
};
use directlink_net::{RegionAsn, Vlan};
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;

/// All that a diagnosis is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub interface: &'a Interface,
    pub state: InterfaceState,
    pub connection: &'a Connection,
    pub region: RegionAsn,
    pub router: RouterHeard,
    pub port: &'a PortEvidence,
    pub report: &'a InterfaceReport,
    /// What came of asking now; `None`: nobody could be asked, and what was seen of late must do.
    pub fresh: Option<&'a Fresh>,
    /// `None`: the Net is another account's, whose business it is.
    pub behind: Option<&'a Behind>,
}

/// Whether the router's agent speaks to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterHeard {
    Connected,
    /// By the server's clock.
    SilentSince(Timestamp),
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub interface: InterfaceId,
    pub at: Timestamp,
    /// The customer's router that it is about: of several, the one with the most to mend.
    pub customer: IpAddr,
    pub rungs: Vec<Rung>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub step: Step,
    pub outcome: Outcome,
    /// What is seen of it: a counter, a packet, a message.
    pub evidence: String,
    /// When that was, by the clock of whoever saw it.
    pub seen_at: Option<Timestamp>,
    /// What to do, in a sentence; empty unless it failed.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Passed,
    Failed,
    NotReached,
}

macro_rules! steps {
    ($($step:ident $name:literal $title:literal,)*) => {
        /// A rung, in order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step { $($step),* }

        impl Step {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$step),*];

            /// For machines.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$step => $name),* }
            }

            /// For people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$step => $title),* }
            }
        }
    };
}

steps! {
    Order "order" "Order approved",
    Letter "letter" "Letter of Authorization issued",
    Acceptance "acceptance" "Interface wanted by its owner",
    Light "light" "Light on the port",
    PortErrors "port-errors" "Frames arrive whole",
    Router "router" "DirectLink router configured",
    Tag "tag" "VLAN tag seen on the wire",
    Arp "arp" "ARP answered by your router",
    Duplicate "duplicate-address" "One station for each address",
    Tcp "tcp" "TCP port 179 reachable",
    Md5 "md5" "Same BGP key on both sides",
    Open "open" "BGP OPEN accepted",
    Session "session" "BGP session established",
    MaximumPrefixes "maximum-prefixes" "Fewer prefixes than the maximum",
    Prefixes "prefixes" "Prefixes received",
    Refusals "refused-prefixes" "No prefix refused",
    Gateway "gateway" "Virtual gateway attached to a Net",
    Subnet "subnet" "Net has a Subnet",
    Advertised "advertised" "Net advertised to your router",
    Forwarding "forwarding" "Routes in the router's kernel",
    Propagation "propagation" "Route propagation on",
    SecurityGroup "security-group" "A security group admits your ranges",
    Mtu "mtu" "Packets of full size get through",
    ReturnRoute "return-route" "Traffic flows both ways",
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not reached",
        }
    }
}

impl Diagnosis {
    /// The answer; `None`: all is well, as far as can be seen.
    pub fn first_failed(&self) -> Option<&Rung> {
        self.rungs.iter().find(|rung| rung.outcome == Outcome::Failed)
    }
}

/// A connection's: its fibre, and what stands on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDiagnosis {
    pub connection: ConnectionId,
    pub at: Timestamp,
    pub rungs: Vec<Rung>,
    /// Those that do not work first.
    pub interfaces: Vec<Carried>,
}

/// An interface of a connection, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    pub interface: InterfaceId,
    pub vlan: Vlan,
    pub state: InterfaceState,
    /// `None`: nothing is wrong that can be seen, or there are too many to look at each.
    pub first_failed: Option<Rung>,
}

impl ConnectionDiagnosis {
    /// Of the fibre.
    pub fn first_failed(&self) -> Option<&Rung> {
        self.rungs.iter().find(|rung| rung.outcome == Outcome::Failed)
    }
}

/// What a rung's own evidence says.
#[derive(Clone, Debug)]
enum Judgement {
    Good(Sign),
    Bad(Sign, String),
    /// Nothing speaks for or against it yet.
    Open(Sign),
}

/// Words, and when what they tell was seen.
#[derive(Clone, Debug)]
struct Sign {
    says: String,
    at: Option<Timestamp>,
}

fn sign(says: impl Into<String>) -> Sign {
    Sign { says: says.into(), at: None }
}

impl Sign {
    fn at(self, at: impl Into<Option<Timestamp>>) -> Self {
        Self { at: at.into(), ..self }
    }
}

fn good(says: impl Into<String>) -> Judgement {
    Judgement::Good(sign(says))
}

fn open(says: impl Into<String>) -> Judgement {
    Judgement::Open(sign(says))
}

fn bad(sign: Sign, remedy: impl Into<String>) -> Judgement {
    Judgement::Bad(sign, remedy.into())
}

/// One of the interface's peers, with all that is known of it.
struct Case<'a> {
    facts: &'a Facts<'a>,
    peer: BgpPeer,
    said: PeerReport,
    now: Timestamp,
}

/// How long a conversation with the customer's BGP speaker tells more than dials that fail since: a
/// speaker that refused an OPEN, or was refused, often hides for a while.
const TELLING: SignedDuration = SignedDuration::from_secs(60);
/// A remedy where the customer can do nothing.
const OURS: &str =
    "This is ours. It takes seconds; if it stays, tell the operator what stands here.";

/// The packet programs' verdicts that it reads in reports, by name.
pub fn verdicts() -> impl Iterator<Item = &'static str> {
    ARRIVED.into_iter().chain([net::DENIED, net::UNROUTED])
}

/// The diagnosis of an interface.
pub fn diagnose(facts: &Facts<'_>, now: Timestamp) -> Diagnosis {
    let of = |peer| {
        let case = Case::of(facts, peer, now);
        let rungs = climb(&Step::ALL, |step| case.judge(step));
        Diagnosis {
            interface: facts.interface.id,
            at: now,
            customer: case.peer.addresses.customer().addr(),
            rungs,
        }
    };
    let depth = |it: &Diagnosis| it.first_failed().map_or(Step::ALL.len(), |r| r.step as usize);
    let peers = facts.interface.wanted_peers().map(of);
    peers.min_by_key(depth).unwrap_or_else(|| of(facts.interface.main_peer()))
}

/// The rungs that need no interface.
const OF_FIBRE: [Step; 5] =
    [Step::Order, Step::Letter, Step::Light, Step::PortErrors, Step::Router];

/// What all interfaces of a connection stand on.
pub fn diagnose_fibre(fibre: &Fibre<'_>, now: Timestamp) -> Vec<Rung> {
    let Fibre { connection, router, port } = *fibre;
    let seen = Seen { connection, router, port, now };
    climb(&OF_FIBRE, |step| match step {
        Step::Order => seen.order(),
        Step::Letter => seen.letter(),
        Step::Light => seen.light(),
        Step::PortErrors => seen.port_errors(),
        _ => seen.heard(),
    })
}

fn climb(steps: &[Step], judge: impl Fn(Step) -> Judgement) -> Vec<Rung> {
    let mut is_open = true;
    let rung = |&step| {
        let judged = judge(step);
        let (outcome, sign, remedy) = match (judged, is_open || is_certain(step)) {
            (Judgement::Bad(sign, remedy), true) => (Outcome::Failed, sign, remedy),
            (Judgement::Good(sign), true) => (Outcome::Passed, sign, String::new()),
            (Judgement::Good(sign) | Judgement::Open(sign) | Judgement::Bad(sign, _), _) => {
                (Outcome::NotReached, sign, String::new())
            }
        };
        is_open &= outcome != Outcome::Failed || is_certain(step) || is_harmless(step);
        Rung { step, outcome, evidence: sign.says, seen_at: sign.at, remedy }
    };
    steps.iter().map(rung).collect()
}

/// Facts of the API: seen whatever else fails.
const fn is_certain(step: Step) -> bool {
    matches!(step, Step::Gateway | Step::Subnet | Step::Propagation | Step::SecurityGroup)
}

/// The rungs above do not need it.
const fn is_harmless(step: Step) -> bool {
    matches!(step, Step::PortErrors | Step::Prefixes | Step::Refusals | Step::Mtu)
}

impl<'a> Case<'a> {
    fn of(facts: &'a Facts<'a>, peer: BgpPeer, now: Timestamp) -> Self {
        let said = facts.report.peer(facts.interface.id, peer.id).unwrap_or_default();
        Self { facts, peer, said, now }
    }

    fn judge(&self, step: Step) -> Judgement {
        match step {
            Step::Order => self.fibre().order(),
            Step::Letter => self.fibre().letter(),
            Step::Acceptance => self.acceptance(),
            Step::Light => self.fibre().light(),
            Step::PortErrors => self.fibre().port_errors(),
            Step::Router => self.router(),
            Step::Tag => self.tag(),
            Step::Arp => self.arp(),
            Step::Duplicate => self.duplicate(),
            Step::Tcp => self.tcp(),
            Step::Md5 => self.md5(),
            Step::Open => self.open(),
            Step::Session => self.session(),
            Step::MaximumPrefixes => self.maximum_prefixes(),
            Step::Prefixes => self.prefixes(),
            Step::Refusals => self.refusals(),
            Step::Gateway => self.gateway(),
            Step::Subnet => self.subnet(),
            Step::Advertised => self.advertised(),
            Step::Forwarding => self.forwarding(),
            Step::Propagation => self.propagation(),
            Step::SecurityGroup => self.security_group(),
            Step::Mtu => self.mtu(),
            Step::ReturnRoute => self.return_route(),
        }
    }

    fn is_established(&self) -> bool {
        self.said.session.is_established()
    }

    /// What came of asking this peer now.
    fn fresh(&self) -> Option<&'a FreshPeer> {
        self.facts.fresh?.of(self.peer.addresses.customer().addr())
    }

    /// The session is up, and nothing that was just tried speaks against it: all below it is proved.
    fn is_proved(&self) -> bool {
        let session = self.fresh().map(|fresh| fresh.session);
        self.is_established() && !matches!(session, Some(SessionNow::Unacknowledged { .. }))
    }

    fn fibre(&self) -> Seen<'a> {
        let Facts { connection, router, port, .. } = *self.facts;
        Seen { connection, router, port, now: self.now }
    }

    fn is_recent(&self, at: Timestamp) -> bool {
        self.fibre().is_recent(at)
    }

    fn is_within(&self, at: Timestamp, time: SignedDuration) -> bool {
        self.fibre().is_within(at, time)
    }

    /// The ending that says how far the last tries came: a conversation not long ago goes before
    /// dials that failed since.
    fn telling(&self) -> Option<&Ending> {
        let endings = &self.said.session.evidence.endings;
        let last = endings.first();
        let spoke = endings.iter().find(|it| it.cause.is_conversation());
        spoke.filter(|it| self.is_within(it.at, TELLING)).or(last)
    }
}
