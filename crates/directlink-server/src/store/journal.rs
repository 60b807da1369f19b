//! What happened (events), and what must still be done once outside (the outbox). Rows are only added.

use super::{Error, Tx, statements};
use directlink_model::ids::{AccountId, RouterName};
use jiff::Timestamp;
use sqlx::query;
use std::fmt;
use uuid::Uuid;

statements! {
    RECORD = "INSERT INTO event (id, at_us, actor, subject, what, why) VALUES ($1, $2, $3, $4, $5, $6)";
    SEND = "INSERT INTO outbox (id, kind, subject, created_us) VALUES ($1, $2, $3, $4)";
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
