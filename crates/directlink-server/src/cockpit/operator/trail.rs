//! The audit trail: everything that anybody did, the newest first, by page or by subject.

use super::super::{
    Cockpit,
    door::Operator,
    page::{Page, Trouble},
    words::{EventLine, event_line},
};
use crate::app::EVENTS_MAX;
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
pub(in crate::cockpit) struct Wanted {
    #[serde(default)]
    subject: String,
    /// Microseconds since 1970: what is older.
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "operator/trail.html")]
struct Trail {
    subject: String,
    events: Vec<EventLine>,
    /// Where the older ones are.
    older: Option<String>,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let subject = wanted.subject.trim();
    let before = wanted.before.and_then(|us| Timestamp::from_microsecond(us).ok());
    let chosen = Some(subject).filter(|subject| !subject.is_empty());
    let events = cockpit.app.audit_trail(chosen, before.unwrap_or(Timestamp::MAX)).await?;
    let last = events.last().filter(|_| events.len() == EVENTS_MAX).map(|event| event.at);
    let older = last.map(|at| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("subject", subject);
        query.append_pair("before", &at.as_microsecond().to_string());
        format!("/cockpit/trail?{}", query.finish())
    });
    let events = events.into_iter().map(event_line).collect();
    let body = Trail { subject: subject.to_owned(), events, older };
    Page::new("Audit trail", "trail", &body)?.show(&cockpit, &signed)
}
