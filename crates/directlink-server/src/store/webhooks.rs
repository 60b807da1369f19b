//! Rows of webhooks, and of what they are told.
//!
//! ```text
//!   event of the journal ──► owe: once for each webhook ──► due ──► claim: attempt + 1 ──► sent
//!                                                            ▲         │ failed, or nobody came back
//!                                                            └─────────┘ at the time of the next try
//! ```

use super::{AnyConnection, Error, Tx, row::Columns, statements};
use directlink_model::ids::{AccountId, WebhookId};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{any::AnyRow, query};
use uuid::Uuid;

statements! {
    INSERT = "INSERT INTO webhook (id, account, url, secret, created_us) VALUES ($1, $2, $3, $4, $5)";
    REMOVE = "UPDATE webhook SET removed_us = $2 WHERE id = $1 AND removed_us IS NULL";
    LIVING = "SELECT * FROM webhook WHERE removed_us IS NULL ORDER BY created_us, id";
    OWNERS = "SELECT account FROM connection WHERE id = $1 UNION SELECT account FROM lag WHERE id = $1
              UNION SELECT owner FROM interface WHERE id = $1
              UNION SELECT c.account FROM interface i JOIN connection c ON c.id = i.connection WHERE i.id = $1";
    IS_OWED = "SELECT 1 FROM webhook_message WHERE webhook = $1 AND event = $2";
    OWE = "INSERT INTO webhook_message (id, webhook, event, at_us, kind, subject, body, attempts, next_try_us)
           VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT (webhook, event) DO NOTHING";
    LAST_OWED = "SELECT MAX(at_us) AS us FROM webhook_message";
    DUE = "SELECT m.*, w.url, w.secret FROM webhook_message m JOIN webhook w ON w.id = m.webhook
           WHERE m.sent_us IS NULL AND m.dropped_us IS NULL AND m.next_try_us <= $1
           ORDER BY m.next_try_us, m.id LIMIT 64";
    NEXT_DUE = "SELECT MIN(next_try_us) AS us FROM webhook_message WHERE sent_us IS NULL AND dropped_us IS NULL";
    CLAIM = "UPDATE webhook_message SET attempts = attempts + 1, next_try_us = $3
             WHERE id = $1 AND attempts = $2 AND sent_us IS NULL AND dropped_us IS NULL";
    SENT = "UPDATE webhook_message SET sent_us = $2, failure = NULL WHERE id = $1";
    FAILED = "UPDATE webhook_message SET failure = $2, next_try_us = $3 WHERE id = $1";
    POSTPONE = "UPDATE webhook_message SET next_try_us = $2
                WHERE webhook = $1 AND sent_us IS NULL AND dropped_us IS NULL AND next_try_us < $2";
    DROP = "UPDATE webhook_message SET dropped_us = $2, failure = $3 WHERE id = $1";
    DROP_ALL = "UPDATE webhook_message SET dropped_us = $2, failure = $3
                WHERE webhook = $1 AND sent_us IS NULL AND dropped_us IS NULL";
    LATEST = "SELECT m.*, w.url, w.secret FROM webhook_message m JOIN webhook w ON w.id = m.webhook
              WHERE m.webhook = $1 ORDER BY m.at_us DESC, m.id DESC LIMIT $2";
    FORGET = "DELETE FROM webhook_message WHERE at_us < $1 AND (sent_us IS NOT NULL OR dropped_us IS NOT NULL)";
}

/// Where an account is told.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: WebhookId,
    pub account: AccountId,
    pub url: String,
    pub secret: SecretString,
    pub created_at: Timestamp,
}

/// What is to be told, or was.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: Uuid,
    pub webhook: WebhookId,
    pub url: String,
    pub secret: SecretString,
    /// The event's moment.
    pub at: Timestamp,
    pub kind: String,
    pub subject: String,
    pub body: String,
    /// Begun, whether or not they came to an end.
    pub attempts: u32,
    pub next_try_at: Timestamp,
    /// Of the last attempt; of one that was dropped, why.
    pub failure: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub dropped_at: Option<Timestamp>,
}

/// One that is owed.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) webhook: WebhookId,
    /// The row of the journal.
    pub(crate) event: String,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) body: String,
}

pub(crate) async fn insert(tx: &mut Tx, webhook: &Webhook) -> Result<(), Error> {
    query(INSERT)
        .bind(webhook.id.to_string())
        .bind(webhook.account.to_string())
        .bind(webhook.url.as_str())
        .bind(webhook.secret.expose_secret())
        .bind(webhook.created_at.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What it was not told yet it will not be. False: there is none, or none any more.
pub(crate) async fn remove(tx: &mut Tx, id: WebhookId, now: Timestamp) -> Result<bool, Error> {
    let done =
        query(REMOVE).bind(id.to_string()).bind(now.as_microsecond()).execute(&mut **tx).await?;
    query(DROP_ALL)
        .bind(id.to_string())
        .bind(now.as_microsecond())
        .bind("the webhook was removed")
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that were not removed, in order of creation.
pub(crate) async fn living(db: &mut AnyConnection) -> Result<Vec<Webhook>, Error> {
    let read = |row: &AnyRow| {
        Ok(Webhook {
            id: row.word("id")?,
            account: row.word("account")?,
            url: row.text("url")?,
            secret: row.text("secret")?.into(),
            created_at: row.time("created_us")?,
        })
    };
    query(LIVING).fetch_all(db).await?.iter().map(read).collect()
}

/// Whose connection, LAG or interface that is: of an interface, its owner and that of its connection.
pub(crate) async fn owners(db: &mut AnyConnection, subject: &str) -> Result<Vec<AccountId>, Error> {
    let rows = query(OWNERS).bind(subject).fetch_all(db).await?;
    rows.iter().map(|row| row.word("account")).collect()
}

pub(crate) async fn is_owed(
    db: &mut AnyConnection,
    webhook: WebhookId,
    event: &str,
) -> Result<bool, Error> {
    let row = query(IS_OWED).bind(webhook.to_string()).bind(event).fetch_optional(db).await?;
    Ok(row.is_some())
}

pub(crate) async fn owe(tx: &mut Tx, owed: &Owed, now: Timestamp) -> Result<(), Error> {
    query(OWE)
        .bind(Uuid::now_v7().to_string())
        .bind(owed.webhook.to_string())
        .bind(owed.event.as_str())
        .bind(owed.at.as_microsecond())
        .bind(owed.kind.as_str())
        .bind(owed.subject.as_str())
        .bind(owed.body.as_str())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The moment of the last event that was ever owed to anybody.
pub(crate) async fn last_owed(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(LAST_OWED).fetch_one(db).await?.time_or_null("us")
}

/// Some of those whose time has come, the longest waiting first.
pub(crate) async fn due(db: &mut AnyConnection, now: Timestamp) -> Result<Vec<Message>, Error> {
    query(DUE).bind(now.as_microsecond()).fetch_all(db).await?.iter().map(read).collect()
}

/// When the next one is.
pub(crate) async fn next_due(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(NEXT_DUE).fetch_one(db).await?.time_or_null("us")
}

/// Takes an attempt upon oneself: nobody else tries until `next_try`. False: another was quicker.
pub(crate) async fn claim(
    tx: &mut Tx,
    message: &Message,
    next_try: Timestamp,
) -> Result<bool, Error> {
    let done = query(CLAIM)
        .bind(message.id.to_string())
        .bind(i64::from(message.attempts))
        .bind(next_try.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn sent(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Error> {
    query(SENT).bind(id.to_string()).bind(now.as_microsecond()).execute(&mut **tx).await?;
    Ok(())
}

/// It is tried again then, and nothing of its webhook before it: what takes one message no more
/// takes no other, and they come in order.
pub(crate) async fn failed(
    tx: &mut Tx,
    message: &Message,
    why: &str,
    next_try: Timestamp,
) -> Result<(), Error> {
    query(FAILED)
        .bind(message.id.to_string())
        .bind(why)
        .bind(next_try.as_microsecond())
        .execute(&mut **tx)
        .await?;
    query(POSTPONE)
        .bind(message.webhook.to_string())
        .bind(next_try.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// It will not be sent.
pub(crate) async fn abandon(tx: &mut Tx, id: Uuid, why: &str, now: Timestamp) -> Result<(), Error> {
    query(DROP)
        .bind(id.to_string())
        .bind(now.as_microsecond())
        .bind(why)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The newest of a webhook.
pub(crate) async fn latest(
    db: &mut AnyConnection,
    id: WebhookId,
    limit: usize,
) -> Result<Vec<Message>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query(LATEST).bind(id.to_string()).bind(limit).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Forgets what is older and done with.
pub(crate) async fn forget(tx: &mut Tx, before: Timestamp) -> Result<(), Error> {
    query(FORGET).bind(before.as_microsecond()).execute(&mut **tx).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Message, Error> {
    Ok(Message {
        id: row.word("id")?,
        webhook: row.word("webhook")?,
        url: row.text("url")?,
        secret: row.text("secret")?.into(),
        at: row.time("at_us")?,
        kind: row.text("kind")?,
        subject: row.text("subject")?,
        body: row.text("body")?,
        attempts: row.narrow("attempts")?,
        next_try_at: row.time("next_try_us")?,
        failure: row.text_or_null("failure")?,
        sent_at: row.time_or_null("sent_us")?,
        dropped_at: row.time_or_null("dropped_us")?,
    })
}
