//! Rows of meet-me rooms, panels and cross-connects, and how many ports are left.

use super::{
    Error,
    row::{Columns, unreadable, us},
    statements,
};
use directlink_model::{
    connection::{Bandwidth, PortRef},
    ids::{ConnectionId, LocationCode},
    inventory::{Act, CrossConnect, MeetMeRoom, Panel, PanelRef, Position, RoomRef},
};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT_ROOM = "INSERT INTO meet_me_room (location, name, data_centre) VALUES ($1, $2, $3)";
    ROOMS = "SELECT * FROM meet_me_room ORDER BY location, name";
    INSERT_PANEL = "INSERT INTO panel (location, room, name, positions, connector) VALUES ($1, $2, $3, $4, $5)";
    PANELS = "SELECT * FROM panel ORDER BY location, room, name";
    // An offer and a hosted connection wait for nothing: they have no fibre of their own.
    WAITING = "SELECT location, bandwidth, COUNT(*) AS n FROM connection
               WHERE approved_us IS NULL AND deleted_us IS NULL
                 AND id NOT IN (SELECT connection FROM hosted_connection)
               GROUP BY location, bandwidth";
    INSERT = "INSERT INTO cross_connect (connection, router, port, position, ordered_us) VALUES ($1, $2, $3, $4, $5)";
    UPDATE = "UPDATE cross_connect SET position = $2, patched_us = $3, patched_by = $4, unpatched_us = $5,
                     unpatched_by = $6 WHERE connection = $1";
    OF_CONNECTION = "SELECT * FROM cross_connect WHERE connection = $1";
    LATEST = "SELECT * FROM cross_connect ORDER BY ordered_us DESC, connection LIMIT $1";
}

pub(crate) async fn insert_room(db: &mut AnyConnection, room: &MeetMeRoom) -> Result<(), Error> {
    query(INSERT_ROOM)
        .bind(room.at.location.as_str())
        .bind(room.at.room.as_str())
        .bind(room.data_centre.as_str())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn rooms(db: &mut AnyConnection) -> Result<Vec<MeetMeRoom>, Error> {
    query(ROOMS).fetch_all(db).await?.iter().map(read_room).collect()
}

pub(crate) async fn insert_panel(db: &mut AnyConnection, panel: &Panel) -> Result<(), Error> {
    query(INSERT_PANEL)
        .bind(panel.at.room.location.as_str())
        .bind(panel.at.room.room.as_str())
        .bind(panel.at.panel.as_str())
        .bind(i64::from(panel.positions))
        .bind(panel.connector.as_str())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn panels(db: &mut AnyConnection) -> Result<Vec<Panel>, Error> {
    query(PANELS).fetch_all(db).await?.iter().map(read_panel).collect()
}

/// How many orders wait for a port, by location and speed.
pub(crate) async fn waiting(
    db: &mut AnyConnection,
) -> Result<BTreeMap<(LocationCode, Bandwidth), usize>, Error> {
    let rows = query(WAITING).fetch_all(db).await?;
    let read = |row: &AnyRow| {
        let speed = row.text("bandwidth")?;
        let speed =
            speed.parse().map_err(|()| unreadable("bandwidth", &speed, "not a bandwidth"))?;
        Ok(((row.word("location")?, speed), row.narrow("n")?))
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn insert(db: &mut AnyConnection, it: &CrossConnect) -> Result<(), Error> {
    query(INSERT)
        .bind(it.connection.to_string())
        .bind(it.port.router.as_str())
        .bind(it.port.port.as_str())
        .bind(it.position.as_ref().map(Position::to_string))
        .bind(it.ordered_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what can change in its life.
pub(crate) async fn update(db: &mut AnyConnection, it: &CrossConnect) -> Result<(), Error> {
    let (patched, unpatched) = (it.patched.as_ref(), it.unpatched.as_ref());
    query(UPDATE)
        .bind(it.connection.to_string())
        .bind(it.position.as_ref().map(Position::to_string))
        .bind(us(patched.map(|act| act.at)))
        .bind(patched.and_then(|act| act.by.as_deref()))
        .bind(us(unpatched.map(|act| act.at)))
        .bind(unpatched.and_then(|act| act.by.as_deref()))
        .execute(db)
        .await?;
    Ok(())
}

/// `None`: it was never approved, or is hosted.
pub(crate) async fn of_connection(
    db: &mut AnyConnection,
    id: ConnectionId,
) -> Result<Option<CrossConnect>, Error> {
    let row = query(OF_CONNECTION).bind(id.to_string()).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// The newest first.
pub(crate) async fn latest(
    db: &mut AnyConnection,
    limit: usize,
) -> Result<Vec<CrossConnect>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query(LATEST).bind(limit).fetch_all(db).await?.iter().map(read).collect()
}

fn read_room(row: &AnyRow) -> Result<MeetMeRoom, Error> {
    let at = RoomRef { location: row.word("location")?, room: row.word("name")? };
    Ok(MeetMeRoom { at, data_centre: row.text("data_centre")? })
}

fn read_panel(row: &AnyRow) -> Result<Panel, Error> {
    let room = RoomRef { location: row.word("location")?, room: row.word("room")? };
    Ok(Panel {
        at: PanelRef { room, panel: row.word("name")? },
        positions: row.narrow("positions")?,
        connector: row.word("connector")?,
    })
}

fn read(row: &AnyRow) -> Result<CrossConnect, Error> {
    let act = |at: &str, by: &str| {
        let by = row.text_or_null(by)?;
        Ok::<_, Error>(row.time_or_null(at)?.map(|at| Act { at, by }))
    };
    Ok(CrossConnect {
        connection: row.word("connection")?,
        port: PortRef { router: row.word("router")?, port: row.word("port")? },
        position: row.word_or_null("position")?,
        ordered_at: row.time("ordered_us")?,
        patched: act("patched_us", "patched_by")?,
        unpatched: act("unpatched_us", "unpatched_by")?,
    })
}
