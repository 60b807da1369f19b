//! Rows of figures: strips of six slots, in rings.
//!
//! ```text
//!   the finest ring    a minute's row of everything, once the minute is over; what comes late is added
//!   the coarser two    made of the next finer ring, once a strip is over: until then they are read from there
//! ```

use super::{Error, row::Columns, statements};
use directlink_model::{
    figures::{Point, STRIP, Span},
    ids::{ConnectionId, InterfaceId},
};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::{collections::BTreeMap, ops::Range};

macro_rules! rows {
    ($first:literal $(, $row:literal)*) => {
        concat!(
            "INSERT INTO figure (subject, step, place, strip, document) VALUES ", $first, $(", ", $row,)*
            " ON CONFLICT (subject, step, place) DO UPDATE SET strip = excluded.strip, document = excluded.document"
        )
    };
}

statements! {
    OF_EIGHT = "SELECT subject, document FROM figure WHERE step = $1 AND place = $2 AND strip = $3
                AND subject IN ($4, $5, $6, $7, $8, $9, $10, $11)";
    PUT = rows!("($1, $2, $3, $4, $5)");
    PUT_EIGHT = rows!("($1, $2, $3, $4, $5)", "($6, $7, $8, $9, $10)", "($11, $12, $13, $14, $15)",
                      "($16, $17, $18, $19, $20)", "($21, $22, $23, $24, $25)", "($26, $27, $28, $29, $30)",
                      "($31, $32, $33, $34, $35)", "($36, $37, $38, $39, $40)");
    WITHIN = "SELECT strip, document FROM figure WHERE subject = $1 AND step = $2 AND strip >= $3 AND strip < $4";
    NEWEST = "SELECT MAX(strip) AS strip FROM figure WHERE subject = $1 AND step = $2";
    ON_WIRE = "SELECT id, connection FROM interface
               WHERE (connection = $1 OR connection IN (SELECT connection FROM hosted_connection WHERE parent = $1))
                 AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
    DROP = "DELETE FROM figure WHERE subject = $1";
}

const AT_ONCE: usize = 8;
const SLOTS: usize = STRIP as usize;
pub(crate) type Strip = [Point; SLOTS];

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// An interface or a connection.
    pub(crate) subject: String,
    pub(crate) strip: i64,
    pub(crate) points: Strip,
}

/// Of points by their slots.
pub(crate) fn rows_of<'a>(
    subject: &str,
    points: impl IntoIterator<Item = (i64, &'a Point)>,
) -> Vec<Row> {
    let mut strips: BTreeMap<i64, Strip> = BTreeMap::new();
    for (slot, point) in points {
        let strip = strips.entry(slot.div_euclid(STRIP)).or_default();
        strip[usize::try_from(slot.rem_euclid(STRIP)).unwrap_or(0)].add(point);
    }
    let row = |(strip, points)| Row { subject: subject.to_owned(), strip, points };
    strips.into_iter().map(row).collect()
}

/// Adds to what there is of the same strips in the finest ring.
pub(crate) async fn add(db: &mut AnyConnection, rows: Vec<Row>) -> Result<(), Error> {
    let mut by_strip: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_strip.entry(row.strip).or_default().push(row);
    }
    for (strip, mut rows) in by_strip {
        for some in rows.chunks_mut(AT_ONCE) {
            add_to_there(db, strip, some).await?;
        }
        put(db, Span::Hour, &rows).await?;
    }
    Ok(())
}

async fn add_to_there(db: &mut AnyConnection, strip: i64, rows: &mut [Row]) -> Result<(), Error> {
    let Some(last) = rows.last().map(|row| row.subject.clone()) else { return Ok(()) };
    let span = Span::Hour;
    let mut there = query(OF_EIGHT).bind(span.step_seconds()).bind(span.place(strip)).bind(strip);
    for n in 0..AT_ONCE {
        there = there.bind(rows.get(n).map_or_else(|| last.clone(), |row| row.subject.clone()));
    }
    for row in there.fetch_all(&mut *db).await? {
        let subject = row.str("subject")?;
        if let Some(of_it) = rows.iter_mut().find(|it| it.subject == subject) {
            of_it.points.iter_mut().zip(&read(&row)?).for_each(|(point, there)| point.add(there));
        }
    }
    Ok(())
}

/// In place of what there is.
pub(crate) async fn put(db: &mut AnyConnection, span: Span, mut rows: &[Row]) -> Result<(), Error> {
    while !rows.is_empty() {
        let (many, statement) = if rows.len() < AT_ONCE { (1, PUT) } else { (AT_ONCE, PUT_EIGHT) };
        let (now, later) = rows.split_at(many);
        let mut statement = query(statement);
        for row in now {
            statement = statement
                .bind(row.subject.as_str())
                .bind(span.step_seconds())
                .bind(span.place(row.strip))
                .bind(row.strip)
                .bind(serde_json::to_string(&row.points)?);
        }
        statement.execute(&mut *db).await?;
        rows = later;
    }
    Ok(())
}

/// By slot, those of a range. Of a coarser ring, what the finer ones still have whole is of these. `end`: the first slot of
/// the finest ring of which nothing is there yet.
pub(crate) async fn within(
    db: &mut AnyConnection,
    subject: &str,
    (span, slots): (Span, Range<i64>),
    end: i64,
) -> Result<BTreeMap<i64, Point>, Error> {
    let (mut found, mut finer) = (BTreeMap::new(), None);
    for ring in Span::ALL.into_iter().take_while(|ring| *ring <= span) {
        let many = span.step_seconds() / ring.step_seconds();
        let kept_from = ring.slot_of_finest(end - 1) - ring.slots() + 1;
        let first = slots.start.saturating_mul(many).max(kept_from);
        let mut of_ring =
            stored(db, subject, (ring, first..slots.end.saturating_mul(many))).await?;
        if let Some((finer, since)) = finer {
            of_ring.extend(whole(ring.step_seconds() / finer, since, &found));
        }
        (found, finer) = (of_ring, Some((ring.step_seconds(), first)));
    }
    Ok(found)
}

/// Sums of `many` slots each, but for one of which the finer ring, which begins at `first`, has a part.
fn whole(many: i64, first: i64, points: &BTreeMap<i64, Point>) -> BTreeMap<i64, Point> {
    let mut sums: BTreeMap<i64, Point> = BTreeMap::new();
    for (finer, point) in points {
        let slot = finer.div_euclid(many);
        if slot * many >= first {
            sums.entry(slot).or_default().add(point);
        }
    }
    sums
}

async fn stored(
    db: &mut AnyConnection,
    subject: &str,
    (ring, slots): (Span, Range<i64>),
) -> Result<BTreeMap<i64, Point>, Error> {
    let rows = query(WITHIN)
        .bind(subject)
        .bind(ring.step_seconds())
        .bind(slots.start.div_euclid(STRIP))
        .bind((slots.end - 1).div_euclid(STRIP) + 1)
        .fetch_all(db)
        .await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        let strip = row.number("strip")?;
        found.extend((strip * STRIP..).zip(read(row)?).filter(|(slot, _)| slots.contains(slot)));
    }
    Ok(found)
}

/// The last strip of a ring that there is.
pub(crate) async fn newest(
    db: &mut AnyConnection,
    subject: &str,
    span: Span,
) -> Result<Option<i64>, Error> {
    let row = query(NEWEST).bind(subject).bind(span.step_seconds()).fetch_one(db).await?;
    row.number_or_null("strip")
}

/// The live interfaces on a fibre, and on what it hosts; each with its connection.
pub(crate) async fn on_wire(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<Vec<(InterfaceId, ConnectionId)>, Error> {
    let rows = query(ON_WIRE).bind(wire.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("id")?, row.word("connection")?))).collect()
}

/// Of something that is gone.
pub(crate) async fn drop(
    db: &mut AnyConnection,
    subject: impl std::fmt::Display,
) -> Result<(), Error> {
    query(DROP).bind(subject.to_string()).execute(db).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Strip, Error> {
    Ok(serde_json::from_str(row.str("document")?)?)
}

/// How many rows there are, whenever they were.
#[cfg(test)]
pub(crate) async fn count(db: &mut AnyConnection, subject: &str, span: Span) -> i64 {
    let text = "SELECT COUNT(*) AS n FROM figure WHERE subject = $1 AND step = $2";
    let row = query(text).bind(subject).bind(span.step_seconds()).fetch_one(db).await.unwrap();
    row.number("n").unwrap()
}
