//! What happened: events. Rows are only added.
//!
//! ```text
//!   act ──► record: into the transaction's hand ──► its batch's COMMIT is due: all in a few statements, COMMIT
//!               └► undone: never was
//! ```

use super::{AnyConnection, Error, Tx, row::Columns, statements};
use crate::audit;
use directlink_model::ids::{AccountId, RouterName};
use jiff::Timestamp;
use sqlx::{
    Any,
    any::{AnyArguments, AnyRow},
    query,
    query::Query,
};
use std::fmt;
use uuid::Uuid;

/// An INSERT of these rows of parameters.
macro_rules! events {
    ($first:literal $(, $row:literal)*) => {
        concat!(
            "INSERT INTO event (id, at_us, actor, subject, what, why, request) VALUES ",
            $first, $(", ", $row),*
        )
    };
}

statements! {
    RECORD = events!("($1, $2, $3, $4, $5, $6, $7)");
    RECORD_TWO = events!("($1, $2, $3, $4, $5, $6, $7)", "($8, $9, $10, $11, $12, $13, $14)");
    RECORD_FOUR = events!("($1, $2, $3, $4, $5, $6, $7)", "($8, $9, $10, $11, $12, $13, $14)", "($15, $16, $17, $18, $19, $20, $21)", "($22, $23, $24, $25, $26, $27, $28)");
    RECORD_EIGHT = events!("($1, $2, $3, $4, $5, $6, $7)", "($8, $9, $10, $11, $12, $13, $14)", "($15, $16, $17, $18, $19, $20, $21)", "($22, $23, $24, $25, $26, $27, $28)", "($29, $30, $31, $32, $33, $34, $35)", "($36, $37, $38, $39, $40, $41, $42)", "($43, $44, $45, $46, $47, $48, $49)", "($50, $51, $52, $53, $54, $55, $56)");
    OF_SUBJECT = "SELECT at_us, actor, subject, what, why FROM event WHERE subject = $1 AND at_us < $2
                  ORDER BY at_us DESC, id DESC LIMIT $3";
    SINCE = "SELECT id, at_us, actor, subject, what, why FROM event
             WHERE at_us >= $1 AND (at_us > $1 OR id > $2) ORDER BY at_us, id LIMIT $3";
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
    /// What sends mail.
    Mail,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "{id}"),
            Self::Operator => f.write_str("operator"),
            Self::Router(name) => write!(f, "router {name}"),
            Self::Time => f.write_str("time"),
            Self::Mail => f.write_str("mail"),
        }
    }
}

/// An event that is not yet in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unwritten {
    id: String,
    at_us: i64,
    actor: String,
    subject: String,
    what: String,
    why: String,
    /// Whose request it came of, if of one.
    request: Option<String>,
}

/// Who, when, on what, what, and why (a request's number, or a cause in words). Written when the
/// act's COMMIT is due, with the events of all that share it.
pub(crate) async fn record(
    tx: &mut Tx,
    (actor, at): (&Actor, Timestamp),
    subject: impl fmt::Display,
    what: &str,
    why: impl fmt::Display,
) -> Result<(), Error> {
    tx.events.push(Unwritten {
        id: Uuid::now_v7().to_string(),
        at_us: at.as_microsecond(),
        actor: actor.to_string(),
        subject: subject.to_string(),
        what: what.to_owned(),
        why: why.to_string(),
        request: audit::number().map(|number| number.to_string()),
    });
    Ok(())
}

/// As few statements as there are powers of two in their number: each is a walk to the
/// connection's thread and back.
pub(super) async fn write(db: &mut AnyConnection, mut events: &[Unwritten]) -> Result<(), Error> {
    while !events.is_empty() {
        let (many, statement) = match events.len() {
            8.. => (8, RECORD_EIGHT),
            4.. => (4, RECORD_FOUR),
            2.. => (2, RECORD_TWO),
            _ => (1, RECORD),
        };
        let (now, later) = events.split_at(many);
        now.iter().fold(query(statement), bind).execute(&mut *db).await?;
        events = later;
    }
    Ok(())
}

fn bind<'q>(
    statement: Query<'q, Any, AnyArguments>,
    event: &'q Unwritten,
) -> Query<'q, Any, AnyArguments> {
    statement
        .bind(event.id.as_str())
        .bind(event.at_us)
        .bind(event.actor.as_str())
        .bind(event.subject.as_str())
        .bind(event.what.as_str())
        .bind(event.why.as_str())
        .bind(event.request.as_deref())
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

/// What happened at or after a moment, behind the event `after` of that moment, the oldest first;
/// each with its id.
pub(crate) async fn since(
    db: &mut AnyConnection,
    (from, after): (Timestamp, &str),
    limit: usize,
) -> Result<Vec<(String, Event)>, Error> {
    let rows = query(SINCE)
        .bind(from.as_microsecond())
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| Ok((row.text("id")?, read(row)?))).collect()
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
