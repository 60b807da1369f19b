//! The trail of who did what: requests for changes, and the events that came of them. Rows are only
//! added: there is no statement that changes one or takes it away.

use super::{AnyConnection, Error, Tx, row::Columns, statements};
use jiff::Timestamp;
use sqlx::{any::AnyRow, query};

statements! {
    ADD = "INSERT INTO audit (id, at_us, actor, address, door, act, status)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    // What was done, with the request that it was done by, if it was one.
    DONE = "SELECT e.id, e.at_us, e.actor, a.address, a.door, a.act, a.status, e.subject, e.what, e.why
            FROM event e LEFT JOIN audit a ON a.id = e.request
            WHERE e.at_us >= $1 AND (e.at_us > $1 OR e.id > $2) AND e.at_us < $3 ORDER BY e.at_us, e.id LIMIT $4";
    REFUSED = "SELECT id, at_us, actor, address, door, act, status, NULL AS subject, NULL AS what, NULL AS why
               FROM audit WHERE status >= 400
                 AND at_us >= $1 AND (at_us > $1 OR id > $2) AND at_us < $3 ORDER BY at_us, id LIMIT $4";
}

/// A request for a change, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: String,
    pub at: Timestamp,
    pub actor: String,
    pub address: Option<String>,
    pub door: &'static str,
    pub act: String,
    pub status: u16,
}

/// A line of the trail: an event, or a request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The event's, or the request's.
    pub id: String,
    pub at: Timestamp,
    pub actor: Option<String>,
    pub address: Option<String>,
    pub door: Option<String>,
    pub act: Option<String>,
    pub status: Option<u16>,
    pub subject: Option<String>,
    pub what: Option<String>,
    /// A request's number, or a cause in words.
    pub why: Option<String>,
}

/// Which lines: the two kinds are read apart, each behind the last that was read of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Done,
    Refused,
}

pub(crate) async fn add(tx: &mut Tx, request: &Request) -> Result<(), Error> {
    query(ADD)
        .bind(request.id.as_str())
        .bind(request.at.as_microsecond())
        .bind(request.actor.as_str())
        .bind(request.address.as_deref())
        .bind(request.door)
        .bind(request.act.as_str())
        .bind(i64::from(request.status))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// At or after a moment, behind the line `after` of that moment, and before `until`; the oldest first.
pub(crate) async fn lines(
    db: &mut AnyConnection,
    kind: Kind,
    (from, after): (Timestamp, &str),
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Line>, Error> {
    let statement = match kind {
        Kind::Done => DONE,
        Kind::Refused => REFUSED,
    };
    let rows = query(statement)
        .bind(from.as_microsecond())
        .bind(after)
        .bind(until.as_microsecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Line, Error> {
    Ok(Line {
        id: row.text("id")?,
        at: row.time("at_us")?,
        actor: row.text_or_null("actor")?,
        address: row.text_or_null("address")?,
        door: row.text_or_null("door")?,
        act: row.text_or_null("act")?,
        status: row.narrow_or_null("status")?,
        subject: row.text_or_null("subject")?,
        what: row.text_or_null("what")?,
        why: row.text_or_null("why")?,
    })
}
