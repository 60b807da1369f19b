//! Rows of connections, and of the ports that they hold.

use super::{
    Error,
    row::{Columns, unreadable, us},
    statements, tag_sets,
};
use directlink_model::{
    connection::{Approval, Bandwidth, Connection, Light, PortRef},
    ids::{AccountId, ConnectionId, LocationCode},
    quota::Quota,
    tag_set::TagSet,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO connection (id, account, name, location, bandwidth, requested_us)
              VALUES ($1, $2, $3, $4, $5, $6)";
    UPDATE = "UPDATE connection SET approved_us = $2, router = $3, port = $4, light = $5, light_since_us = $6,
                     delete_asked_us = $7, deleted_us = $8, name = $9 WHERE id = $1";
    BY_ID = "SELECT * FROM connection WHERE id = $1";
    // A row for each tag that its account keeps with it, or one.
    TAGGED = "SELECT c.*, t.name AS tag_name, t.value AS tag_value FROM connection c
              LEFT JOIN line_tag t ON t.account = c.account AND t.resource = c.id WHERE c.id = $1";
    OF_ACCOUNT = "SELECT * FROM connection WHERE account = $1 AND (deleted_us IS NULL OR deleted_us > $2)
                  ORDER BY requested_us, id";
    // Those of the interfaces that the account may see.
    AROUND_ACCOUNT = "SELECT * FROM connection WHERE account = $1
                      OR id IN (SELECT connection FROM interface WHERE owner = $1)";
    EVERY = "SELECT * FROM connection WHERE deleted_us IS NULL OR deleted_us > $1 ORDER BY requested_us, id";
    ROOM = "SELECT l.code,
                   (SELECT COUNT(*) FROM connection WHERE account = $2 AND deleted_us IS NULL) AS live,
                   (SELECT at_most FROM quota WHERE account = $2 AND name = $3) AS at_most
            FROM location l WHERE l.code = $1";
    HOLDING = "SELECT * FROM connection WHERE router = $1 AND port = $2 AND port_freed_us IS NULL";
    FREE_PORT = "UPDATE connection SET port_freed_us = $2 WHERE id = $1";
    ISSUE_LETTER = "INSERT INTO letter (connection, issued_us) VALUES ($1, $2)";
    HOLDERS = "SELECT id, router, port FROM connection WHERE router IS NOT NULL AND port_freed_us IS NULL";
}

pub(crate) async fn insert(db: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    query(INSERT)
        .bind(c.id.to_string())
        .bind(c.account.to_string())
        .bind(c.name.as_str())
        .bind(c.location.as_str())
        .bind(c.bandwidth.as_str())
        .bind(c.requested_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what can change in a connection's life.
pub(crate) async fn update(db: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    let approval = c.approval.as_ref();
    query(UPDATE)
        .bind(c.id.to_string())
        .bind(us(approval.map(|a| a.approved_at)))
        .bind(approval.map(|a| a.port.router.to_string()))
        .bind(approval.map(|a| a.port.port.to_string()))
        .bind(c.light.map(|l| i64::from(l.on)))
        .bind(us(c.light.map(|l| l.since)))
        .bind(us(c.delete_asked_at))
        .bind(us(c.deleted_at))
        .bind(c.name.as_str())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: ConnectionId,
) -> Result<Option<Connection>, Error> {
    query(BY_ID).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// With the tags that its account keeps with it.
pub(crate) async fn tagged(
    db: &mut AnyConnection,
    id: ConnectionId,
) -> Result<Option<(Connection, TagSet)>, Error> {
    let rows = query(TAGGED).bind(id.to_string()).fetch_all(db).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut tags = Vec::new();
    for row in &rows {
        tags.extend(row.text_or_null("tag_name")?.zip(row.text_or_null("tag_value")?));
    }
    Ok(Some((read(first)?, tag_sets::stored(tags)?)))
}

/// The account's, without those deleted before `gone_before`.
pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
    gone_before: Timestamp,
) -> Result<Vec<Connection>, Error> {
    let rows = query(OF_ACCOUNT)
        .bind(account.to_string())
        .bind(gone_before.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// The account's own, and those on which it has interfaces.
pub(crate) async fn around_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Connection>, Error> {
    let rows = query(AROUND_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn every(
    db: &mut AnyConnection,
    gone_before: Timestamp,
) -> Result<Vec<Connection>, Error> {
    let rows = query(EVERY).bind(gone_before.as_microsecond()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// What an order of an account depends on.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) location: LocationCode,
    /// Connections that the account has.
    pub(crate) live: usize,
    /// Connections that it may have; `None`: the Region's rule.
    pub(crate) limit: Option<u32>,
}

/// All in one statement: each is a walk to the connection's thread and back. `None`: no such location.
pub(crate) async fn room(
    db: &mut AnyConnection,
    account: AccountId,
    location: &str,
) -> Result<Option<Room>, Error> {
    let row = query(ROOM)
        .bind(location)
        .bind(account.to_string())
        .bind(Quota::Connections.as_str())
        .fetch_optional(db)
        .await?;
    let read = |row: AnyRow| {
        let limit = row.narrow_or_null("at_most")?;
        Ok(Room { location: row.word("code")?, live: row.narrow("live")?, limit })
    };
    row.map(read).transpose()
}

/// The connection that has the port: also a deleted one whose fibre is still in it.
pub(crate) async fn holding(
    db: &mut AnyConnection,
    port: &PortRef,
) -> Result<Option<Connection>, Error> {
    query(HOLDING)
        .bind(port.router.as_str())
        .bind(port.port.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Every port that is held, and by which connection.
pub(crate) async fn holders(db: &mut AnyConnection) -> Result<Vec<(PortRef, ConnectionId)>, Error> {
    let rows = query(HOLDERS).fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            Ok((PortRef { router: row.word("router")?, port: row.word("port")? }, row.word("id")?))
        })
        .collect()
}

/// The deleted connection's fibre is out of its port.
pub(crate) async fn free_port(
    db: &mut AnyConnection,
    id: ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    query(FREE_PORT).bind(id.to_string()).bind(now.as_microsecond()).execute(db).await?;
    Ok(())
}

pub(crate) async fn issue_letter(
    db: &mut AnyConnection,
    id: ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    query(ISSUE_LETTER).bind(id.to_string()).bind(now.as_microsecond()).execute(db).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Connection, Error> {
    let bandwidth = row.text("bandwidth")?;
    let port = row.word_or_null("router")?.zip(row.word_or_null("port")?);
    let approval =
        row.time_or_null("approved_us")?.zip(port).map(|(approved_at, (router, port))| Approval {
            approved_at,
            port: PortRef { router, port },
        });
    let light = row
        .number_or_null("light")?
        .zip(row.time_or_null("light_since_us")?)
        .map(|(on, since)| Light { on: on != 0, since });
    Ok(Connection {
        id: row.word("id")?,
        account: row.word("account")?,
        name: row.text("name")?,
        location: row.word("location")?,
        bandwidth: bandwidth
            .parse::<Bandwidth>()
            .map_err(|()| unreadable("bandwidth", &bandwidth, "not a bandwidth"))?,
        requested_at: row.time("requested_us")?,
        approval,
        light,
        delete_asked_at: row.time_or_null("delete_asked_us")?,
        deleted_at: row.time_or_null("deleted_us")?,
    })
}
