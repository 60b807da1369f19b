//! What was mailed to whom, what waits, and why.

use super::super::{
    Cockpit,
    door::Operator,
    live::follow,
    page::{Page, Trouble},
    words::{Badge, When, when},
};
use crate::app::MailView;
use askama::Template;
use axum::{extract::State, response::Response};

#[derive(Template)]
#[template(path = "operator/mail.html")]
struct Mails {
    rows: Vec<MailRow>,
}

struct MailRow {
    what: &'static str,
    subject: String,
    to: String,
    created: When,
    badge: Badge,
    attempts: u32,
    failure: String,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
) -> Result<Response, Trouble> {
    let body = middle(&cockpit).await?;
    Page::new("Mail", "mail", &body)?.live("/cockpit/mail/live").show(&cockpit, &signed)
}

pub(in crate::cockpit) async fn live(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
) -> Response {
    let at = cockpit.clone();
    follow(&cockpit, signed, move || {
        let at = at.clone();
        async move { Ok(middle(&at).await?.render()?) }
    })
}

async fn middle(cockpit: &Cockpit) -> Result<Mails, Trouble> {
    Ok(Mails { rows: cockpit.app.mails().await?.iter().map(row).collect() })
}

fn row(view: &MailView) -> MailRow {
    let mail = &view.mail;
    MailRow {
        what: mail.notice.occasion.kind(),
        subject: mail.notice.occasion.subject(),
        to: view.email.clone(),
        created: when(mail.created_at),
        badge: match (mail.sent_at, mail.dropped_at, &mail.failure) {
            (Some(_), _, _) => Badge { tone: "good", text: "sent" },
            (None, Some(_), _) => Badge { tone: "bad", text: "not sent" },
            (None, None, Some(_)) => Badge { tone: "bad", text: "tried again" },
            (None, None, None) => Badge { tone: "wait", text: "waits" },
        },
        attempts: mail.attempts,
        failure: mail.failure.clone().unwrap_or_default(),
    }
}
