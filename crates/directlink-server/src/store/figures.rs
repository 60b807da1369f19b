//! Rows of figures: strips of six slots, in rings.

use super::{Error, row::Columns, statements};
use directlink_model::figures::{Point, STRIP, Span};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::{collections::BTreeMap, fmt::Display};

statements! {
    AT = "SELECT strip, document FROM figure WHERE subject = $1 AND step = $2 AND place = $3";
    PUT = "INSERT INTO figure (subject, step, place, strip, document) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (subject, step, place) DO UPDATE SET strip = excluded.strip, document = excluded.document";
    SINCE = "SELECT strip, document FROM figure WHERE subject = $1 AND step = $2 AND strip >= $3";
    DROP = "DELETE FROM figure WHERE subject = $1";
}

const SLOTS: usize = STRIP as usize;
type Strip = [Point; SLOTS];

/// Adds what passed, by slot of the finest ring, in every ring.
pub(crate) async fn add(
    db: &mut AnyConnection,
    subject: impl Display,
    points: &BTreeMap<i64, Point>,
) -> Result<(), Error> {
    let subject = subject.to_string();
    for span in Span::ALL {
        let mut strips: BTreeMap<i64, Strip> = BTreeMap::new();
        for (finest, point) in points {
            let slot = span.slot_of_finest(*finest);
            let strip = strips.entry(slot.div_euclid(STRIP)).or_default();
            strip[slot_in_strip(slot)].add(point);
        }
        for (strip, more) in strips {
            add_strip(db, (&subject, span, strip), more).await?;
        }
    }
    Ok(())
}

fn slot_in_strip(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(STRIP)).unwrap_or(0)
}

async fn add_strip(
    db: &mut AnyConnection,
    (subject, span, strip): (&str, Span, i64),
    mut points: Strip,
) -> Result<(), Error> {
    let place = span.place(strip);
    let there = query(AT).bind(subject).bind(span.step_seconds()).bind(place);
    if let Some(row) = there.fetch_optional(&mut *db).await?
        && row.number("strip")? == strip
    {
        points.iter_mut().zip(&read(&row)?).for_each(|(point, there)| point.add(there));
    }
    query(PUT)
        .bind(subject)
        .bind(span.step_seconds())
        .bind(place)
        .bind(strip)
        .bind(serde_json::to_string(&points)?)
        .execute(db)
        .await?;
    Ok(())
}

/// By slot, from this one on.
pub(crate) async fn since(
    db: &mut AnyConnection,
    subject: impl Display,
    (span, first): (Span, i64),
) -> Result<BTreeMap<i64, Point>, Error> {
    let rows = query(SINCE)
        .bind(subject.to_string())
        .bind(span.step_seconds())
        .bind(first.div_euclid(STRIP))
        .fetch_all(db)
        .await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        let strip = row.number("strip")?;
        found.extend((strip * STRIP..).zip(read(row)?).filter(|(slot, _)| *slot >= first));
    }
    Ok(found)
}

/// Of something that is gone.
pub(crate) async fn drop(db: &mut AnyConnection, subject: impl Display) -> Result<(), Error> {
    query(DROP).bind(subject.to_string()).execute(db).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Strip, Error> {
    Ok(serde_json::from_str(row.str("document")?)?)
}
