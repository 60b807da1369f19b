//! What happened (events), and what must still be done once outside (the outbox). Rows are only added.

use super::{Error, Tx, row::Columns, statements};
use directlink_model::ids::{AccountId, RouterName};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::fmt;
use uuid::Uuid;

statements! {
    RECORD = "INSERT INTO event (id, at_us, actor, subject, what, why) VALUES ($1, $2, $3, $4, $5, $6)";
    SEND = "INSERT INTO outbox (id, kind, subject, created_us) VALUES ($1, $2, $3, $4)";
    OF_SUBJECT = "SELECT at_us, actor, subject, what, why FROM event WHERE subject = $1 AND at_us < $2
                  ORDER BY at_us DESC, id DESC LIMIT $3";
    LATEST = "SELECT at_us, actor, subject, what, why FROM event WHERE at_us < $1
              ORDER BY at_us DESC, id DESC LIMIT $2";
}

/// One row, as it is read again. `actor` is an [`Actor`] in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub actor: String,
    pub subject: String,
    pub what: String,
    pub why: String,
}

/// Who made it happen.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Account(AccountId),
    Operator,
    Router(RouterName),
    /// A deadline.
    Time,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "{id}"),
            Self::Operator => f.write_str("operator"),
            Self::Router(name) => write!(f, "router {name}"),
            Self::Time => f.write_str("time"),
        }
    }
}

/// Who, when, on what, what, and why (a request's number, or a cause in words).
pub(crate) async fn record(
    tx: &mut Tx,
    (actor, at): (&Actor, Timestamp),
    subject: impl fmt::Display,
    what: &str,
    why: impl fmt::Display,
) -> Result<(), Error> {
    query(RECORD)
        .bind(Uuid::now_v7().to_string())
        .bind(at.as_microsecond())
        .bind(actor.to_string())
        .bind(subject.to_string())
        .bind(what)
        .bind(why.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// To be done once outside, after this transaction.
pub(crate) async fn send(
    tx: &mut Tx,
    kind: &'static str,
    subject: impl fmt::Display,
    now: Timestamp,
) -> Result<(), Error> {
    query(SEND)
        .bind(Uuid::now_v7().to_string())
        .bind(kind)
        .bind(subject.to_string())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What happened to it before a moment, the newest first.
pub(crate) async fn of_subject(
    db: &mut AnyConnection,
    subject: impl fmt::Display,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let rows = query(OF_SUBJECT)
        .bind(subject.to_string())
        .bind(before.as_microsecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// What happened in the Region before a moment, the newest first.
pub(crate) async fn latest(
    db: &mut AnyConnection,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let rows = query(LATEST)
        .bind(before.as_microsecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Event, Error> {
    Ok(Event {
        at: row.time("at_us")?,
        actor: row.text("actor")?,
        subject: row.text("subject")?,
        what: row.text("what")?,
        why: row.text("why")?,
    })
}
