//! Webhooks, as the operator adds them for accounts.

use super::{Failure, Outcome, body, word};
use crate::{
    api::Incoming,
    app::{Added, App},
    store::webhooks::{Message, Webhook},
    webhooks::Target,
};
use directlink_model::ids::AccountId;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn list(app: &App, of: Option<AccountId>) -> Result<Value, Failure> {
    let all = app.webhooks(of).await?;
    Ok(json!({ "webhooks": all.iter().map(shown).collect::<Vec<_>>() }))
}

pub(super) async fn messages(app: &App, id: &str) -> Result<Value, Failure> {
    let all = app.webhook_messages(word(id)?).await?;
    Ok(json!({ "messages": all.iter().map(message).collect::<Vec<_>>() }))
}

pub(super) async fn add(app: &App, account: &str, incoming: &Incoming) -> Outcome {
    let (account, NewWebhook { url }) = (word::<AccountId>(account)?, body(incoming)?);
    let target = Target::new(&url).map_err(|why| Failure::form(why.to_string()))?;
    match app.add_webhook(account, &target).await? {
        Added::Webhook(webhook) => {
            let mut value = shown(&webhook);
            value["secret"] = webhook.secret.expose_secret().into();
            Ok((StatusCode::CREATED, value))
        }
        Added::NoSuchAccount => Err(Failure::NoSuchAddress),
        Added::Enough => Err(Failure::form("the account has as many webhooks as it may")),
    }
}

pub(super) async fn remove(app: &App, id: &str, incoming: &Incoming) -> Outcome {
    let Nothing {} = body(incoming)?;
    match app.remove_webhook(word(id)?).await? {
        true => Ok((StatusCode::OK, json!({}))),
        false => Err(Failure::NoSuchAddress),
    }
}

fn shown(webhook: &Webhook) -> Value {
    let Webhook { id, account, url, secret: _, created_at } = webhook;
    json!({ "id": id, "account": account, "url": url, "created_at": created_at })
}

fn message(message: &Message) -> Value {
    json!({
        "id": message.id,
        "kind": message.kind,
        "subject": message.subject,
        "at": message.at,
        "attempts": message.attempts,
        "next_try_at": message.next_try_at,
        "failure": message.failure,
        "sent_at": message.sent_at,
        "dropped_at": message.dropped_at,
    })
}
