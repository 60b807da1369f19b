//! What a Letter of Authorization is worth, for whoever holds it: the data centre's people, a network
//! provider. They have no account; the token in the address is their key, and it opens this alone.

use super::{
    Cockpit,
    page::{Page, Trouble},
    words::{When, when},
};
use crate::{api::remote, app::Verified};
use askama::Template;
use axum::{
    extract::{ConnectInfo, Path, Request, State},
    response::Response,
};
use directlink_model::connection::Standing;
use http::StatusCode;
use jiff::Timestamp;
use std::net::SocketAddr;

#[derive(Template)]
#[template(path = "verify.html")]
struct Answer {
    tone: &'static str,
    title: &'static str,
    says: String,
    letter: Option<LetterFacts>,
    checked: When,
}

/// What stands on the letter, to be held beside it. Nothing of whose it is but the circuit's number.
struct LetterFacts {
    connection: String,
    location: String,
    port: String,
    optics: &'static str,
    issued: When,
    until: When,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Trouble> {
    let region = cockpit.app.region().name.clone();
    let shown = |status, answer: &Answer| {
        Page::new("Letter of Authorization", "", answer)?
            .for_strangers(status, (region.as_str(), false))
    };
    // Nobody has proved to be behind it: it counts with wrong passwords and open calls.
    if let Some(guard) = &cockpit.guard {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let from = remote::counted(peer, request.headers(), &guard.trusted_proxies);
        if guard.addresses.spend(from, cockpit.app.machine_now()).is_err() {
            let says = "Too many questions from where you are. Wait a little, then ask again.";
            let answer = Answer::plain("wait", "Not looked up", says, cockpit.app.now());
            return shown(StatusCode::TOO_MANY_REQUESTS, &answer);
        }
    }
    let found = cockpit.app.verify_letter(&token).await?;
    let (status, answer) = match found {
        Some(verified) => (StatusCode::OK, answer(verified)),
        None => {
            let says = "There is no letter with this code. Do not make the cross-connect.";
            let answer = Answer::plain("bad", "Unknown letter", says, cockpit.app.now());
            (StatusCode::NOT_FOUND, answer)
        }
    };
    shown(status, &answer)
}

impl Answer {
    fn plain(tone: &'static str, title: &'static str, says: &str, now: Timestamp) -> Self {
        Self { tone, title, says: says.into(), letter: None, checked: when(now) }
    }
}

fn answer(verified: Verified) -> Answer {
    let Verified { connection, site, standing, now } = verified;
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let (tone, title, says) = match standing {
        Standing::Valid { until } => (
            "good",
            "Valid",
            format!(
                "This is the current letter. The cross-connect may be made until {}.",
                day(until)
            ),
        ),
        Standing::InUse { since } => (
            "good",
            "In use",
            format!(
                "The cross-connect of this letter was made: its port first had or last changed light on {}.",
                day(since)
            ),
        ),
        Standing::Lapsed { since } => (
            "bad",
            "Run out",
            format!("This letter ran out on {}, before the fibre was plugged.", day(since)),
        ),
        Standing::Withdrawn => (
            "bad",
            "Withdrawn",
            "The circuit of this letter is deleted. Do not make the cross-connect.".to_owned(),
        ),
    };
    let approval = connection.approval.as_ref();
    let letter = approval.map(|approval| LetterFacts {
        connection: connection.id.to_string(),
        location: site.map_or_else(
            || connection.location.to_string(),
            |site| format!("{}: {}", site.code, site.name),
        ),
        port: approval.port.to_string(),
        optics: connection.bandwidth.optics(),
        issued: when(approval.letter_at),
        until: when(approval.letter_until()),
    });
    Answer { tone, title, says, letter, checked: when(now) }
}
