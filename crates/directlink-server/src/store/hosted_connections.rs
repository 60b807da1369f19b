//! Rows of what makes a connection a hosted one. The connection itself is a row of its own, and is
//! read with these ([`super::connections`]).

use super::{
    Error,
    row::{Columns, unreadable, us},
    statements, wire_vlans,
};
use directlink_model::{
    connection::Connection,
    hosting::{Holder, Hosting},
    ids::ConnectionId,
    interface::Confirmation,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO hosted_connection (connection, parent, vlan, capacity, confirm_until_us)
              VALUES ($1, $2, $3, $4, $5)";
    UPDATE = "UPDATE hosted_connection SET parent = $2, confirm_until_us = $3, lapsed_us = $4, rejected_us = $5
              WHERE connection = $1";
    NEXT_DEADLINE = "SELECT MIN(confirm_until_us) AS us FROM hosted_connection WHERE confirm_until_us IS NOT NULL";
}

pub(super) async fn insert(
    db: &mut AnyConnection,
    id: ConnectionId,
    hosting: &Hosting,
) -> Result<(), Error> {
    query(INSERT)
        .bind(id.to_string())
        .bind(hosting.parent.to_string())
        .bind(i64::from(hosting.vlan.as_u16()))
        .bind(hosting.capacity.as_str())
        .bind(us(awaited_until(hosting.offer)))
        .execute(&mut *db)
        .await?;
    wire_vlans::claim(db, hosting.parent, hosting.vlan, Holder::Hosted(id)).await
}

/// Writes what can change: where it is, and its customer's answer. Its VLAN is free again when it
/// is gone.
pub(super) async fn update(
    db: &mut AnyConnection,
    connection: &Connection,
    hosting: &Hosting,
) -> Result<(), Error> {
    let (mut lapsed, mut rejected) = (None, None);
    match hosting.offer {
        Confirmation::Given | Confirmation::AwaitedUntil(_) => {}
        Confirmation::ExpiredAt(at) => lapsed = Some(at),
        Confirmation::RejectedAt(at) => rejected = Some(at),
    }
    query(UPDATE)
        .bind(connection.id.to_string())
        .bind(hosting.parent.to_string())
        .bind(us(awaited_until(hosting.offer)))
        .bind(us(lapsed))
        .bind(us(rejected))
        .execute(&mut *db)
        .await?;
    let holder = Holder::Hosted(connection.id);
    match connection.deleted_at {
        Some(_) => wire_vlans::release(db, holder).await,
        None => wire_vlans::move_to(db, holder, hosting.parent).await,
    }
}

pub(crate) async fn next_deadline(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(NEXT_DEADLINE).fetch_one(db).await?.time_or_null("us")
}

/// Of a connection's row with its wire's, if it is a hosted one.
pub(super) fn read(row: &AnyRow) -> Result<Option<Hosting>, Error> {
    let Some(parent) = row.word_or_null("parent")? else { return Ok(None) };
    let capacity = row.text("capacity")?;
    let offer = match (
        row.time_or_null("rejected_us")?,
        row.time_or_null("lapsed_us")?,
        row.time_or_null("confirm_until_us")?,
    ) {
        (Some(at), _, _) => Confirmation::RejectedAt(at),
        (None, Some(at), _) => Confirmation::ExpiredAt(at),
        (None, None, Some(at)) => Confirmation::AwaitedUntil(at),
        (None, None, None) => Confirmation::Given,
    };
    Ok(Some(Hosting {
        parent,
        partner: row.word("partner")?,
        vlan: row.narrow("hosted_vlan")?,
        capacity: capacity.parse().map_err(|why| unreadable("capacity", &capacity, why))?,
        offer,
    }))
}

fn awaited_until(offer: Confirmation) -> Option<Timestamp> {
    match offer {
        Confirmation::AwaitedUntil(until) => Some(until),
        Confirmation::Given | Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_) => None,
    }
}
