//! The customer's router: its configuration to paste, and a pasted one to check.

use super::{
    Cockpit,
    door::{Customer, Posted},
    interfaces::id_of,
    page::{Page, Trouble},
};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use directlink_model::{
    ids::InterfaceId,
    router_config::{Finding, Intent, ROUTER_TYPES, Software, Weight, check, configuration},
    view::InterfaceView,
};
use directlink_net::BgpKey;
use http::header;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Wanted {
    software: Option<String>,
    download: Option<String>,
}

#[derive(Template)]
#[template(path = "router.html")]
struct Router<'a> {
    id: String,
    /// Short name, what runs on it, and whether it is the chosen one.
    kinds: Vec<(&'static str, String, bool)>,
    software: &'static str,
    text: String,
    /// There is a key, and the visitor may have it in the text.
    may_reveal: bool,
    /// It is in the text.
    revealed: bool,
    has_key: bool,
    pasted: &'a str,
    /// `None`: nothing was checked.
    findings: Option<Vec<Line>>,
    csrf: &'a str,
}

struct Line {
    wrong: bool,
    line: String,
    aspect: &'static str,
    found: String,
    expected: String,
    remedy: String,
}

fn line(finding: Finding) -> Line {
    Line {
        wrong: match finding.weight {
            Weight::Wrong => true,
            Weight::Doubtful => false,
        },
        line: finding.line.map_or_else(|| "—".into(), |line| line.to_string()),
        aspect: finding.aspect.as_str(),
        found: finding.found,
        expected: finding.expected,
        remedy: finding.remedy,
    }
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
    Query(Wanted { software, download }): Query<Wanted>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let software = chosen(software.as_deref().unwrap_or_default());
    let (view, intent) = cockpit.app.router_intent(&who.context(&cockpit), id).await?;
    let text = configuration(software, &masked(intent));
    if download.is_some() {
        return Ok(file(id, software, text));
    }
    let shown = Shown { text, revealed: false, pasted: "", findings: None };
    page(&cockpit, &who, (&view, software), shown)
}

/// The text with its key, or what was found in a pasted one: both are asked for with a form, since
/// neither belongs into an address.
pub(super) async fn answer(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let software = chosen(form.text("software"));
    let (view, intent) = cockpit.app.router_intent(&who.context(&cockpit), id).await?;
    let shown = match form.text("do") {
        "reveal" => Shown {
            text: configuration(software, &intent),
            revealed: true,
            pasted: "",
            findings: None,
        },
        _ => Shown {
            findings: Some(
                check(software, form.raw("pasted"), &intent).into_iter().map(line).collect(),
            ),
            text: configuration(software, &masked(intent)),
            revealed: false,
            pasted: form.raw("pasted"),
        },
    };
    page(&cockpit, &who, (&view, software), shown)
}

struct Shown<'a> {
    text: String,
    revealed: bool,
    pasted: &'a str,
    findings: Option<Vec<Line>>,
}

fn page(
    cockpit: &Cockpit,
    who: &Customer,
    (view, software): (&InterfaceView, Software),
    shown: Shown<'_>,
) -> Result<Response, Trouble> {
    let id = view.interface.id;
    let has_key = view.interface.wanted_peers().any(|peer| peer.key.is_some());
    let Shown { text, revealed, pasted, findings } = shown;
    let body = Router {
        id: id.to_string(),
        kinds: kinds(software),
        software: software.as_str(),
        text,
        may_reveal: has_key && view.interface.owner == who.account,
        revealed: revealed && has_key && view.interface.owner == who.account,
        has_key,
        pasted,
        findings,
        csrf: &who.signed.csrf,
    };
    Page::new("Your router", "interfaces", &body)?
        .under("/cockpit/interfaces", "Interfaces")
        .under(format!("/cockpit/interfaces/{id}"), view.interface.name.clone())
        .show(cockpit, &who.signed)
}

/// The first where none is named.
fn chosen(name: &str) -> Software {
    let found = Software::ALL.into_iter().find(|software| software.as_str() == name);
    found.unwrap_or(Software::IosXe)
}

fn kinds(chosen: Software) -> Vec<(&'static str, String, bool)> {
    let words = |software: Software| {
        let newest = ROUTER_TYPES.iter().rev().find(|kind| kind.language == software);
        newest.map_or_else(
            || software.as_str().to_owned(),
            |kind| {
                format!(
                    "{} — {}, {}",
                    kind.software,
                    kind.vendor.trim_end_matches('.'),
                    kind.platform
                )
            },
        )
    };
    let mut all: Vec<_> =
        Software::ALL.iter().map(|s| (s.as_str(), words(*s), *s == chosen)).collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// A word in place of each key.
fn masked(mut intent: Intent) -> Intent {
    for session in &mut intent.sessions {
        let word = BgpKey::try_from("KEY-OF-THE-INTERFACE").ok();
        session.key = session.key.take().and(word);
    }
    intent
}

fn file(id: InterfaceId, software: Software, text: String) -> Response {
    let name = format!("attachment; filename=\"{id}-{software}.txt\"");
    let kind = "text/plain; charset=utf-8".to_owned();
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response()
}
