//! The looking glass of an interface: what its router has of it now, echoes from there, and a capture
//! to take along. Only its owner's.

use super::{
    super::{
        Cockpit,
        door::{Customer, Posted},
        form::Form,
        page::{Page, Trouble},
        words::{When, when},
    },
    id_of, visible,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use directlink_model::{
    glass::{
        Answer, Ask, Capture, Echo, Ping, Received, Reply, Show, Shown, ShownPeer, Trace, Which,
    },
    ids::InterfaceId,
};
use http::header;
use std::net::IpAddr;

#[derive(Template)]
#[template(path = "glass.html")]
struct Glass {
    id: String,
    csrf: String,
    /// Why there is nothing to see.
    complaint: Option<String>,
    shown: Option<Seen>,
    /// What came of echoes.
    lines: Vec<String>,
    target: String,
}

struct Seen {
    at: When,
    facts: String,
    peers: Vec<Peer>,
}

struct Peer {
    title: String,
    facts: Vec<(&'static str, String)>,
    received: Vec<Route>,
    advertised: Vec<String>,
    counts: [u32; 2],
}

struct Route {
    best: bool,
    prefix: String,
    path: String,
    preference: u32,
    refused: bool,
    why: String,
    row: String,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    page(&cockpit, &who, id, (vec![], String::new()), None).await
}

/// A ping, a trace, or a capture, which is a file and no page.
pub(in crate::cockpit) async fn ask(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let target = form.text("target").to_owned();
    let ask = match read(&form) {
        Ok(ask) => ask,
        Err(complaint) => {
            return page(&cockpit, &who, id, (vec![], target), Some(complaint)).await;
        }
    };
    let lines = match cockpit.app.look(&who.context(&cockpit), id, ask).await {
        Ok((Answer::Captured(_), file)) => return Ok(download(id, file)),
        Ok((answer, _)) => lines(&answer),
        Err(crate::app::Refusal::Fault(directlink_model::Fault::Glass(why))) => {
            return page(&cockpit, &who, id, (vec![], target), Some(why.to_string())).await;
        }
        Err(refusal) => return Err(refusal.into()),
    };
    page(&cockpit, &who, id, (lines, target), None).await
}

fn read(form: &Form) -> Result<Ask, String> {
    let target: Option<IpAddr> = match form.text("target") {
        "" => None,
        text => Some(text.parse().map_err(|_| "Give an IPv4 or IPv6 address.".to_owned())?),
    };
    let seconds = || match form.text("seconds") {
        "" => Ok(Capture::default().seconds),
        text => text.parse().map_err(|_| "Give a number of seconds, 1 to 60.".to_owned()),
    };
    let which = || match form.text("which") {
        "" => Ok(Which::All),
        text => Which::of_name(text).ok_or_else(|| "Choose which frames.".to_owned()),
    };
    match form.text("do") {
        "ping" => Ok(Ask::Ping(Ping { target, ..Ping::default() })),
        "trace" => Ok(Ask::Trace(Trace { target, ..Trace::default() })),
        _ => {
            Ok(Ask::Capture(Capture { seconds: seconds()?, which: which()?, ..Capture::default() }))
        }
    }
}

fn download(id: InterfaceId, file: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"{id}.pcapng\"");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, file).into_response()
}

async fn page(
    cockpit: &Cockpit,
    who: &Customer,
    id: InterfaceId,
    (lines, target): (Vec<String>, String),
    complaint: Option<String>,
) -> Result<Response, Trouble> {
    let view = visible(cockpit, who, id).await?;
    let shown = cockpit.app.look(&who.context(cockpit), id, Ask::Show(Show::default())).await;
    let (shown, unseen) = match shown {
        Ok((Answer::Shown(shown), _)) => (Some(Seen::of(&shown)), None),
        Ok(_) => (None, None),
        Err(crate::app::Refusal::Fault(directlink_model::Fault::Glass(why))) => {
            (None, Some(why.to_string()))
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let body = Glass {
        id: id.to_string(),
        csrf: who.signed.csrf.clone(),
        complaint: complaint.or(unseen),
        shown,
        lines,
        target,
    };
    Page::new("Looking glass", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name)
        .show(cockpit, &who.signed)
}

impl Seen {
    fn of(shown: &Shown) -> Self {
        let net =
            shown.vni.map_or_else(|| "leads to no Net".to_owned(), |vni| format!("VNI {vni}"));
        let forwards = if shown.forwards { "forwards" } else { "does not forward" };
        Self {
            at: when(shown.at),
            facts: format!(
                "VLAN {}, MTU {}, {net}, {forwards}; our MAC address is {}",
                shown.vlan, shown.mtu, shown.router_mac
            ),
            peers: shown.peers.iter().map(Peer::of).collect(),
        }
    }
}

impl Peer {
    fn of(peer: &ShownPeer) -> Self {
        let s = &peer.session;
        let or = |it: Option<String>| it.unwrap_or_else(|| "—".into());
        let seconds = |it: Option<u64>| or(it.map(|it| format!("{it} s")));
        let facts = vec![
            ("State", s.state.clone()),
            ("Up", seconds(s.timers.uptime_seconds)),
            ("Hold time", seconds(s.timers.hold_seconds.map(u64::from))),
            ("Keepalive", seconds(s.timers.keepalive_seconds.map(u64::from))),
            ("Last change", or(s.last_change.map(|it| it.to_string()))),
            ("Last error", or(s.last_error.clone())),
            ("Your BGP identifier", or(s.peer_identifier.map(|it| it.to_string()))),
            ("Your MAC address", or(peer.neighbour.map(|it| it.to_string()))),
            ("Segments signed", if s.has_key { "yes" } else { "no" }.into()),
            ("BFD", s.bfd.as_ref().map_or_else(|| "not spoken".into(), |bfd| bfd.state.clone())),
            ("Our capabilities", s.capabilities.ours.join("; ")),
            ("Yours", s.capabilities.theirs.join("; ")),
        ];
        Self {
            title: format!(
                "{} AS {}, and {} AS {}",
                peer.customer,
                s.peer_asn,
                peer.router.addr(),
                s.local_asn
            ),
            facts,
            received: peer.received.iter().map(Route::of).collect(),
            advertised: peer.advertised.iter().map(|it| it.prefix.to_string()).collect(),
            counts: [peer.received_count, peer.advertised_count],
        }
    }
}

impl Route {
    fn of(route: &Received) -> Self {
        let path: Vec<_> = route.as_path.iter().map(u32::to_string).collect();
        let why = match (&route.refused, &route.standing) {
            (Some(refused), _) => refused.clone(),
            (None, Some(standing)) => standing.why.clone(),
            (None, None) => "accepted; leads to no Net".into(),
        };
        let row = route.row.as_ref().map_or_else(|| "—".into(), |row| row.leads_to.join(", "));
        Self {
            best: route.standing.as_ref().is_some_and(|it| it.is_best),
            prefix: route.prefix.to_string(),
            path: path.join(" "),
            preference: route.local_pref,
            refused: route.refused.is_some(),
            why,
            row,
        }
    }
}

fn lines(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Pinged(pinged) => {
            let head = format!("{} to {}", pinged.source, pinged.target);
            let echoes = pinged.echoes.iter().map(|it| format!("{:>2}  {}", it.sequence, echo(it)));
            let sum = format!("{} of {} answered", pinged.answered(), pinged.echoes.len());
            std::iter::once(head).chain(echoes).chain([sum]).collect()
        }
        Answer::Traced(traced) => {
            let head = format!("{} to {}", traced.source, traced.target);
            let hops = traced.hops.iter().map(|hop| {
                let probes: Vec<_> = hop.probes.iter().map(echo).collect();
                format!("{:>2}  {}", hop.ttl, probes.join("  "))
            });
            std::iter::once(head).chain(hops).collect()
        }
        Answer::Shown(_) | Answer::Captured(_) | Answer::Looked(_) | Answer::Refused(_) => vec![],
    }
}

fn echo(echo: &Echo) -> String {
    let (Some(from), Some(micros)) = (echo.from, echo.micros) else { return "*".into() };
    let says = match echo.reply {
        Some(Reply::Echo | Reply::TimeExceeded) | None => String::new(),
        Some(Reply::Unreachable(code)) => format!(" unreachable ({code})"),
        Some(Reply::TooBig { mtu }) => format!(" too big: {mtu} bytes fit"),
    };
    format!("{from} {}.{:03} ms{says}", micros / 1000, micros % 1000)
}
