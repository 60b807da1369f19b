//! Where the visitor's account wants to be told of what happens, and what it was told.

use super::{
    Cockpit,
    door::{Customer, Posted},
    form::{Complaints, Input, Summary},
    page::{Page, Trouble, see_other},
    words::{Badge, When, when},
};
use crate::{
    app::Added,
    store::webhooks::{Message, Webhook},
    webhooks::Target,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::ids::WebhookId;
use secrecy::ExposeSecret as _;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct List<'a> {
    rows: Vec<Row>,
    url: Input,
    summary: Summary,
    csrf: &'a str,
}

struct Row {
    id: String,
    url: String,
    since: When,
}

pub(super) async fn list(
    State(cockpit): State<Cockpit>,
    who: Customer,
) -> Result<Response, Trouble> {
    list_page(&cockpit, &who, String::new(), Complaints::none()).await
}

async fn list_page(
    cockpit: &Cockpit,
    who: &Customer,
    url: String,
    complaints: Complaints,
) -> Result<Response, Trouble> {
    let own = cockpit.app.webhooks(Some(who.account)).await?;
    let row = |it: &Webhook| Row {
        id: it.id.to_string(),
        url: it.url.clone(),
        since: when(it.created_at),
    };
    let status = complaints.status();
    let body = List {
        rows: own.iter().map(row).collect(),
        url: Input {
            name: "url",
            label: "Address",
            value: url,
            hint: "https://… of a server of yours that takes POST.".into(),
            complaint: complaints.on("url"),
            attributes: "type=\"url\" required maxlength=\"2000\" autocomplete=\"off\"",
        },
        summary: Summary { complaints: complaints.summary(&["url"]) },
        csrf: &who.signed.csrf,
    };
    Page::new("Webhooks", "webhooks", &body)?.with_status(status, cockpit, &who.signed)
}

#[derive(Template)]
#[template(path = "webhook_secret.html")]
struct Secret<'a> {
    url: &'a str,
    secret: &'a str,
}

/// Shows its secret, this once.
pub(super) async fn add(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let url = form.text("url").to_owned();
    let mut complaints = Complaints::none();
    let Some(target) = complaints.take("url", Target::new(&url)) else {
        return list_page(&cockpit, &who, url, complaints).await;
    };
    match cockpit.app.add_own_webhook(&who.context(&cockpit), &target).await? {
        Added::Webhook(webhook) => {
            let body = Secret { url: &webhook.url, secret: webhook.secret.expose_secret() };
            Page::new("The webhook is added", "webhooks", &body)?
                .under("/cockpit/webhooks", "Webhooks")
                .show(&cockpit, &who.signed)
        }
        Added::NoSuchAccount | Added::Enough => {
            let complaints = Complaints::one("url", "You have as many webhooks as you may.");
            list_page(&cockpit, &who, url, complaints).await
        }
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct One<'a> {
    row: Row,
    messages: Vec<Told>,
    csrf: &'a str,
}

struct Told {
    at: When,
    kind: String,
    subject: String,
    badge: Badge,
    attempts: u32,
    failure: String,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: WebhookId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let found = cockpit.app.own_webhook(&who.context(&cockpit), id).await?;
    let webhook = found.ok_or(Trouble::NothingThere)?;
    let messages = cockpit.app.webhook_messages(id).await?;
    let row = Row { id: id.to_string(), url: webhook.url, since: when(webhook.created_at) };
    let messages = messages.into_iter().map(told).collect();
    let body = One { row, messages, csrf: &who.signed.csrf };
    Page::new(id.to_string(), "webhooks", &body)?
        .under("/cockpit/webhooks", "Webhooks")
        .show(&cockpit, &who.signed)
}

fn told(message: Message) -> Told {
    let badge = match (message.sent_at, message.dropped_at, &message.failure) {
        (Some(_), _, _) => Badge { tone: "good", text: "told" },
        (None, Some(_), _) => Badge { tone: "bad", text: "given up" },
        (None, None, Some(_)) => Badge { tone: "bad", text: "tried again" },
        (None, None, None) => Badge { tone: "wait", text: "waits" },
    };
    Told {
        at: when(message.at),
        kind: message.kind,
        subject: message.subject,
        badge,
        attempts: message.attempts,
        failure: message.failure.unwrap_or_default(),
    }
}

pub(super) async fn remove(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id: WebhookId = id.parse().map_err(|_| Trouble::NothingThere)?;
    match cockpit.app.remove_own_webhook(&who.context(&cockpit), id).await? {
        true => Ok(see_other("/cockpit/webhooks?done=deleted")),
        false => Err(Trouble::NothingThere),
    }
}
