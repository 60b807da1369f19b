//! Rows of mail: what is to be sent once, and what was.
//!
//! ```text
//!   act ──► post: in the act's transaction ──► due ──► claim: attempt + 1 ──► sent
//!                                               ▲         │ failed, or nobody came back
//!                                               └─────────┘ at the time of the next try
//! ```

use super::{
    AnyConnection, Error, Tx,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    ids::{AccountId, ConnectionId},
    notice::{Notice, Occasion},
};
use jiff::Timestamp;
use sqlx::{any::AnyRow, query};
use std::collections::BTreeMap;
use uuid::Uuid;

statements! {
    POST = "INSERT INTO mail (id, kind, subject, account, at_us, created_us, attempts, next_try_us)
            VALUES ($1, $2, $3, $4, $5, $6, 0, $6) ON CONFLICT (kind, subject, account, at_us) DO NOTHING";
    TOLD = "SELECT 1 FROM mail WHERE kind = $1 AND subject = $2 AND account = $3 AND at_us = $4";
    DUE = "SELECT * FROM mail WHERE sent_us IS NULL AND dropped_us IS NULL AND next_try_us <= $1
           ORDER BY next_try_us, id LIMIT 16";
    NEXT_DUE = "SELECT MIN(next_try_us) AS us FROM mail WHERE sent_us IS NULL AND dropped_us IS NULL";
    CLAIM = "UPDATE mail SET attempts = attempts + 1, next_try_us = $3
             WHERE id = $1 AND attempts = $2 AND sent_us IS NULL AND dropped_us IS NULL";
    SENT = "UPDATE mail SET sent_us = $2, failure = NULL WHERE id = $1";
    FAILED = "UPDATE mail SET failure = $2, next_try_us = $3 WHERE id = $1";
    DROP = "UPDATE mail SET dropped_us = $2, failure = $3 WHERE id = $1";
    LETTERS = "SELECT subject, COUNT(sent_us) AS n, MAX(sent_us) AS last_us FROM mail WHERE kind = 'loa' GROUP BY subject";
    LATEST = "SELECT m.*, a.email FROM mail m JOIN account a ON a.id = m.account
              ORDER BY m.created_us DESC, m.id DESC LIMIT $1";
}

/// A mail that is to be sent, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub id: Uuid,
    pub notice: Notice,
    pub created_at: Timestamp,
    /// Begun, whether or not they came to an end.
    pub attempts: u32,
    pub next_try_at: Timestamp,
    /// Of the last attempt; of one that was dropped, why.
    pub failure: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub dropped_at: Option<Timestamp>,
}

/// To be mailed after this transaction, unless the same was told already.
pub(crate) async fn post(tx: &mut Tx, notice: Notice, now: Timestamp) -> Result<(), Error> {
    let Notice { occasion, to, at } = notice;
    query(POST)
        .bind(Uuid::now_v7().to_string())
        .bind(occasion.kind())
        .bind(occasion.subject())
        .bind(to.to_string())
        .bind(at.as_microsecond())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
    tx.posted = true;
    Ok(())
}

/// Whether the same was put down already.
pub(crate) async fn is_told(db: &mut AnyConnection, notice: Notice) -> Result<bool, Error> {
    let row = query(TOLD)
        .bind(notice.occasion.kind())
        .bind(notice.occasion.subject())
        .bind(notice.to.to_string())
        .bind(notice.at.as_microsecond())
        .fetch_optional(db)
        .await?;
    Ok(row.is_some())
}

/// Some of those whose time has come, the longest waiting first.
pub(crate) async fn due(db: &mut AnyConnection, now: Timestamp) -> Result<Vec<Mail>, Error> {
    query(DUE).bind(now.as_microsecond()).fetch_all(db).await?.iter().map(read).collect()
}

/// When the next one is.
pub(crate) async fn next_due(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(NEXT_DUE).fetch_one(db).await?.time_or_null("us")
}

/// Takes an attempt upon oneself: nobody else tries until `next_try`. False: another was quicker.
pub(crate) async fn claim(tx: &mut Tx, mail: &Mail, next_try: Timestamp) -> Result<bool, Error> {
    let done = query(CLAIM)
        .bind(mail.id.to_string())
        .bind(i64::from(mail.attempts))
        .bind(next_try.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn sent(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Error> {
    query(SENT).bind(id.to_string()).bind(now.as_microsecond()).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn failed(
    tx: &mut Tx,
    id: Uuid,
    why: &str,
    next_try: Timestamp,
) -> Result<(), Error> {
    query(FAILED)
        .bind(id.to_string())
        .bind(why)
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

/// The newest, each with its account's address.
pub(crate) async fn latest(
    db: &mut AnyConnection,
    limit: usize,
) -> Result<Vec<(Mail, String)>, Error> {
    let rows = query(LATEST).bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(db).await?;
    rows.iter().map(|row| Ok((read(row)?, row.text("email")?))).collect()
}

/// Of each connection, how many mails with its letter have gone out, and when the last.
pub(crate) async fn letters(
    db: &mut AnyConnection,
) -> Result<BTreeMap<ConnectionId, (usize, Option<Timestamp>)>, Error> {
    let rows = query(LETTERS).fetch_all(db).await?;
    let read =
        |row: &AnyRow| Ok((row.word("subject")?, (row.narrow("n")?, row.time_or_null("last_us")?)));
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Mail, Error> {
    let (kind, subject) = (row.str("kind")?, row.str("subject")?);
    let occasion = Occasion::read(kind, subject).map_err(|why| unreadable("kind", kind, why))?;
    let notice = Notice { occasion, to: row.word::<AccountId>("account")?, at: row.time("at_us")? };
    Ok(Mail {
        id: row.word("id")?,
        notice,
        created_at: row.time("created_us")?,
        attempts: row.narrow("attempts")?,
        next_try_at: row.time("next_try_us")?,
        failure: row.text_or_null("failure")?,
        sent_at: row.time_or_null("sent_us")?,
        dropped_at: row.time_or_null("dropped_us")?,
    })
}
