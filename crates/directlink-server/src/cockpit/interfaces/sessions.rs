//! The BGP sessions of an interface: state, BFD, and what was announced either way.

use super::super::words::{Badge, When, when};
use askama::Template;
use directlink_model::{
    bgp_peer::BgpPeer,
    report::{BfdReport, InterfaceReport, LearnedRoute, PeerReport, SessionReport},
    view::InterfaceView,
};

/// So many routes of a kind are shown; the API lists them all.
const ROUTES_SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "sessions.html")]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

struct Session {
    /// Which, where there are several.
    title: Option<String>,
    /// The page that takes it away, for whom that may.
    removal: Option<String>,
    badge: Badge,
    established: Option<When>,
    last_error: Option<String>,
    near_limit: bool,
    bfd: Option<Bfd>,
    learned: Vec<Learned>,
    refused: Vec<(String, String)>,
    advertised: Vec<String>,
    counts: [usize; 3],
    /// Received as well, and neither listed nor among the counts.
    unlisted: u32,
}

struct Bfd {
    badge: Badge,
    says: String,
}

struct Learned {
    prefix: String,
    path: String,
    med: String,
    best: bool,
}

impl Sessions {
    /// `may_change`: the visitor may take peers away, but for the last.
    pub(super) fn of(view: &InterfaceView, report: &InterfaceReport, may_change: bool) -> Self {
        let i = &view.interface;
        let peers: Vec<BgpPeer> = i.peers().collect();
        let several = peers.len() > 1;
        let session = |peer: &BgpPeer| {
            let said = report.peer(i.id, peer.id).unwrap_or_default();
            let may_go = may_change && peer.is_wanted() && i.wanted_peers().count() > 1;
            let removal = format!("/cockpit/interfaces/{}/peers/{}/delete", i.id, peer.id);
            Session {
                title: several.then(|| title(peer)),
                removal: may_go.then_some(removal),
                ..Session::of(&said, view.state.is_wanted())
            }
        };
        Self { sessions: peers.iter().map(session).collect() }
    }
}

/// Which of several it is.
pub(super) fn title(peer: &BgpPeer) -> String {
    format!("With {}, AS {}", peer.addresses.customer().addr(), peer.asn)
}

impl Session {
    fn of(said: &PeerReport, wanted: bool) -> Self {
        let shown = |n: usize| n.min(ROUTES_SHOWN);
        let (learned, refused, advertised) = (&said.learned, &said.refused, &said.advertised);
        let reason = |route: &directlink_model::report::RefusedRoute| {
            (route.prefix.to_string(), route.reason.clone())
        };
        Self {
            title: None,
            removal: None,
            badge: badge(&said.session, wanted),
            established: said.session.established_since.map(when),
            last_error: said.session.last_error.clone(),
            near_limit: said.session.near_prefix_limit,
            bfd: said.session.bfd.as_ref().map(bfd),
            learned: learned[..shown(learned.len())].iter().map(self::learned).collect(),
            refused: refused[..shown(refused.len())].iter().map(reason).collect(),
            advertised: advertised[..shown(advertised.len())]
                .iter()
                .map(ToString::to_string)
                .collect(),
            counts: [learned.len(), refused.len(), advertised.len()],
            unlisted: said.session.unlisted_prefixes,
        }
    }
}

fn learned(route: &LearnedRoute) -> Learned {
    let path: Vec<_> = route.as_path.iter().map(u32::to_string).collect();
    Learned {
        prefix: route.prefix.to_string(),
        path: path.join(" "),
        med: route.med.map_or_else(|| "—".into(), |med| med.to_string()),
        best: route.best,
    }
}

/// The states of RFC 4271; what a router says besides is none of ours to know.
fn badge(session: &SessionReport, wanted: bool) -> Badge {
    let known = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm"];
    let text = known.into_iter().find(|known| *known == session.state);
    match (session.is_established(), wanted) {
        (true, _) => Badge { tone: "good", text: "Established" },
        (false, true) => Badge { tone: "wait", text: text.unwrap_or("not established") },
        (false, false) => Badge { tone: "gone", text: "none" },
    }
}

/// The states of RFC 5880.
fn bfd(bfd: &BfdReport) -> Bfd {
    let badge = match bfd.state.as_str() {
        "Up" => Badge { tone: "good", text: "Up" },
        "Init" => Badge { tone: "wait", text: "Init" },
        "AdminDown" => Badge { tone: "gone", text: "AdminDown" },
        _ => Badge { tone: "bad", text: "Down" },
    };
    let yours = match &bfd.remote_state {
        Some(state) => format!("yours says {state}"),
        None => "yours is silent".into(),
    };
    let within = match bfd.detection_time_millis {
        Some(millis) => format!(", silence is seen within {millis} ms"),
        None => String::new(),
    };
    Bfd { badge, says: format!("{yours}{within}; last change: {}", bfd.diagnostic) }
}
