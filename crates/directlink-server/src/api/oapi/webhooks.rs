//! Webhooks of the caller's account: actions of ours.

use super::{
    Call, Outcome, member,
    params::{DRY_RUN, Field, Kind, id_of, required},
    refusal::Failure,
};
use crate::{
    app::Added,
    store::webhooks::{Message, Webhook},
    webhooks::Target,
};
use directlink_model::ids::WebhookId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const CREATE: &[Field<'_>] = &[required("Url", Kind::Text), DRY_RUN];
const ONE: &[Field<'_>] = &[required("WebhookId", Kind::Id(id_of::<WebhookId>))];
const DELETE: &[Field<'_>] = &[required("WebhookId", Kind::Id(id_of::<WebhookId>)), DRY_RUN];

/// Its secret is in this answer alone.
pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    let url = params.text("Url").unwrap_or_default();
    let wrong = |why: &str| Failure::value("Url", url.escape_default(), why);
    let target = Target::new(url).map_err(|why| wrong(&why.to_string()))?;
    match call.app.add_own_webhook(&call.context()?, &target).await? {
        Added::Webhook(webhook) => {
            let mut value = shown(&webhook);
            value["Secret"] = webhook.secret.expose_secret().into();
            Ok(member("Webhook", value))
        }
        Added::NoSuchAccount | Added::Enough => {
            Err(wrong("the account has as many webhooks as it may"))
        }
    }
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    call.checked(&[])?;
    let own = call.app.webhooks(Some(call.context()?.caller.account)).await?;
    Ok(member("Webhooks", own.iter().map(shown).collect::<Vec<_>>()))
}

/// What it was told, and what waits: the newest first.
pub(super) async fn messages(call: Call<'_>) -> Outcome {
    let id = call.checked(ONE)?.needed_id::<WebhookId>("WebhookId")?;
    if call.app.own_webhook(&call.context()?, id).await?.is_none() {
        return Err(no_such(id));
    }
    let all = call.app.webhook_messages(id).await?;
    Ok(member("Messages", all.iter().map(message).collect::<Vec<_>>()))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id::<WebhookId>("WebhookId")?;
    match call.app.remove_own_webhook(&call.context()?, id).await? {
        true => Ok(serde_json::Map::new()),
        false => Err(no_such(id)),
    }
}

fn no_such(id: WebhookId) -> Failure {
    Failure::value("WebhookId", id, "the account has no such webhook")
}

fn shown(webhook: &Webhook) -> Value {
    let Webhook { id, account, url, secret: _, created_at } = webhook;
    json!({ "WebhookId": id, "AccountId": account, "Url": url, "CreationDate": created_at })
}

fn message(message: &Message) -> Value {
    json!({
        "MessageId": message.id,
        "Kind": message.kind,
        "Subject": message.subject,
        "At": message.at,
        "Attempts": message.attempts,
        "Failure": message.failure,
        "SentAt": message.sent_at,
        "DroppedAt": message.dropped_at,
    })
}
