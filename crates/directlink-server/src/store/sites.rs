//! Rows of locations, routers and ports, and of the Region's few settings.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    connection::{Bandwidth, Light, PortRef},
    ids::{LocationCode, RouterName},
    inventory::{Optics, Position, UnclaimedLight},
    location::{Location, Port, Router},
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT_LOCATION = "INSERT INTO location (code, name, subregion) VALUES ($1, $2, $3)";
    LOCATION = "SELECT * FROM location WHERE code = $1";
    LOCATIONS = "SELECT * FROM location ORDER BY code";
    INSERT_ROUTER = "INSERT INTO router (name, location, vtep, bgp_identifier, identity)
                     VALUES ($1, $2, $3, $4, $5)";
    ROUTER = "SELECT * FROM router WHERE name = $1";
    ROUTERS = "SELECT * FROM router ORDER BY name";
    INSERT_PORT = "INSERT INTO port (router, name, speed, optics, position) VALUES ($1, $2, $3, $4, $5)";
    UPDATE_PORT = "UPDATE port SET optics = $3, position = $4 WHERE router = $1 AND name = $2";
    PORT_AT = "SELECT * FROM port WHERE position = $1";
    PORT = "SELECT * FROM port WHERE router = $1 AND name = $2";
    PORTS = "SELECT * FROM port ORDER BY router, name";
    PORTS_OF = "SELECT * FROM port WHERE router = $1 ORDER BY name";
    ROUTER_COUNTS = "SELECT p.router, COUNT(*) AS ports, COUNT(*) - COUNT(c.id) AS free FROM port p
                     LEFT JOIN connection c ON c.router = p.router AND c.port = p.name AND c.port_freed_us IS NULL
                     GROUP BY p.router";
    FREE_PORTS = "SELECT p.* FROM port p JOIN router r ON r.name = p.router
                  WHERE r.location = $1 AND p.speed = $2
                    AND NOT EXISTS (SELECT 1 FROM connection c WHERE c.router = p.router AND c.port = p.name
                                    AND c.port_freed_us IS NULL)
                    AND COALESCE(p.light, 0) = 0
                  ORDER BY CASE WHEN p.light_since_us > $3 THEN 1 ELSE 0 END, p.router, p.name";
    UNCLAIMED_LIGHT = "SELECT light, light_since_us, light_is_meant FROM port WHERE router = $1 AND name = $2";
    SEE_LIGHT = "UPDATE port SET light = $3, light_since_us = $4, light_is_meant = 0
                 WHERE router = $1 AND name = $2 AND COALESCE(light, 0) <> $3";
    CLAIM_LIGHT = "UPDATE port SET light = NULL, light_since_us = NULL, light_is_meant = NULL
                   WHERE router = $1 AND name = $2";
    LEAVE_LIGHT = "UPDATE port SET light = $3, light_since_us = $4, light_is_meant = 0 WHERE router = $1 AND name = $2";
    MEAN_LIGHT = "UPDATE port SET light = 1, light_since_us = $3, light_is_meant = 1 WHERE router = $1 AND name = $2";
    PORT_COUNTS = "SELECT r.location, p.speed, p.optics, COUNT(*) AS ports,
                          SUM(CASE WHEN c.id IS NULL AND COALESCE(p.light, 0) = 0 THEN 1 ELSE 0 END) AS free
                   FROM port p JOIN router r ON r.name = p.router
                   LEFT JOIN connection c ON c.router = p.router AND c.port = p.name AND c.port_freed_us IS NULL
                   GROUP BY r.location, p.speed, p.optics";
    SETTING = "SELECT value FROM setting WHERE name = $1";
    SET = "INSERT INTO setting (name, value) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// How many ports of a speed and with these optics a location has, and how many of them carry nothing
/// and are dark.
pub(crate) struct PortCount {
    pub(crate) location: LocationCode,
    pub(crate) speed: Bandwidth,
    /// As the operator says.
    pub(crate) optics: Option<Optics>,
    pub(crate) ports: usize,
    pub(crate) free: usize,
}

impl PortCount {
    /// Whether a connection of the speed may have one. What routers read in ports counts when one is
    /// chosen.
    pub(crate) fn fits(&self) -> bool {
        let sold = Optics::sold_with(self.speed);
        self.optics.unwrap_or(sold) == sold
    }
}

pub(crate) async fn port_counts(db: &mut AnyConnection) -> Result<Vec<PortCount>, Error> {
    let rows = query(PORT_COUNTS).fetch_all(db).await?;
    let count = |row: &AnyRow| {
        let speed = row.text("speed")?;
        Ok(PortCount {
            location: row.word("location")?,
            speed: speed.parse().map_err(|()| unreadable("speed", &speed, "no speed"))?,
            optics: row.word_or_null("optics")?,
            ports: row.narrow("ports")?,
            free: row.narrow("free")?,
        })
    };
    rows.iter().map(count).collect()
}

pub(crate) async fn insert_location(
    db: &mut AnyConnection,
    location: &Location,
) -> Result<(), Error> {
    query(INSERT_LOCATION)
        .bind(location.code.as_str())
        .bind(location.name.as_str())
        .bind(location.subregion.as_str())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn location(
    db: &mut AnyConnection,
    code: &str,
) -> Result<Option<Location>, Error> {
    query(LOCATION).bind(code).fetch_optional(db).await?.as_ref().map(read_location).transpose()
}

pub(crate) async fn locations(db: &mut AnyConnection) -> Result<Vec<Location>, Error> {
    query(LOCATIONS).fetch_all(db).await?.iter().map(read_location).collect()
}

/// It has no certificate yet.
pub(crate) async fn insert_router(db: &mut AnyConnection, router: &Router) -> Result<(), Error> {
    query(INSERT_ROUTER)
        .bind(router.name.as_str())
        .bind(router.location.as_str())
        .bind(router.vtep.to_string())
        .bind(router.bgp_identifier.to_string())
        .bind(super::certificates::none(&router.name))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn router(
    db: &mut AnyConnection,
    name: &RouterName,
) -> Result<Option<Router>, Error> {
    query(ROUTER)
        .bind(name.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read_router)
        .transpose()
}

pub(crate) async fn routers(db: &mut AnyConnection) -> Result<Vec<Router>, Error> {
    query(ROUTERS).fetch_all(db).await?.iter().map(read_router).collect()
}

pub(crate) async fn insert_port(db: &mut AnyConnection, port: &Port) -> Result<(), Error> {
    query(INSERT_PORT)
        .bind(port.router.as_str())
        .bind(port.name.as_str())
        .bind(port.speed.as_str())
        .bind(port.optics.map(Optics::as_str))
        .bind(port.position.as_ref().map(Position::to_string))
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what can change of it.
pub(crate) async fn update_port(db: &mut AnyConnection, port: &Port) -> Result<(), Error> {
    query(UPDATE_PORT)
        .bind(port.router.as_str())
        .bind(port.name.as_str())
        .bind(port.optics.map(Optics::as_str))
        .bind(port.position.as_ref().map(Position::to_string))
        .execute(db)
        .await?;
    Ok(())
}

/// The one that is wired to it.
pub(crate) async fn port_at(
    db: &mut AnyConnection,
    position: &Position,
) -> Result<Option<Port>, Error> {
    let row = query(PORT_AT).bind(position.to_string()).fetch_optional(db).await?;
    row.as_ref().map(read_port).transpose()
}

pub(crate) async fn port(db: &mut AnyConnection, at: &PortRef) -> Result<Option<Port>, Error> {
    query(PORT)
        .bind(at.router.as_str())
        .bind(at.port.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read_port)
        .transpose()
}

pub(crate) async fn ports(db: &mut AnyConnection) -> Result<Vec<Port>, Error> {
    query(PORTS).fetch_all(db).await?.iter().map(read_port).collect()
}

/// A router's, in order of their names.
pub(crate) async fn ports_of(
    db: &mut AnyConnection,
    router: &RouterName,
) -> Result<Vec<Port>, Error> {
    query(PORTS_OF).bind(router.as_str()).fetch_all(db).await?.iter().map(read_port).collect()
}

/// Of each router with ports: how many, and how many of them carry nothing.
pub(crate) async fn router_counts(
    db: &mut AnyConnection,
) -> Result<Vec<(RouterName, [usize; 2])>, Error> {
    let rows = query(ROUTER_COUNTS).fetch_all(db).await?;
    let count =
        |row: &AnyRow| Ok((row.word("router")?, [row.narrow("ports")?, row.narrow("free")?]));
    rows.iter().map(count).collect()
}

/// The ports of the location that have this speed, no connection, and no light, in order of their
/// names; those last that had light after `dark_since`.
pub(crate) async fn free_ports(
    db: &mut AnyConnection,
    (location, speed): (&LocationCode, Bandwidth),
    dark_since: Timestamp,
) -> Result<Vec<Port>, Error> {
    let rows = query(FREE_PORTS)
        .bind(location.as_str())
        .bind(speed.as_str())
        .bind(dark_since.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read_port).collect()
}

/// What was seen of a port that carries nothing. `None`: never light.
pub(crate) async fn unclaimed_light(
    db: &mut AnyConnection,
    at: &PortRef,
) -> Result<Option<UnclaimedLight>, Error> {
    let row = query(UNCLAIMED_LIGHT)
        .bind(at.router.as_str())
        .bind(at.port.as_str())
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (light, since) = (row.number_or_null("light")?, row.time_or_null("light_since_us")?);
    let light = light.zip(since).map(|(on, since)| Light { on: on != 0, since });
    let is_meant = row.number_or_null("light_is_meant")? == Some(1);
    Ok(light.map(|light| UnclaimedLight { light, is_meant }))
}

/// What its router sees of a port that carries nothing. Whether that is news.
pub(crate) async fn see_unclaimed_light(
    db: &mut AnyConnection,
    at: &PortRef,
    light: Light,
) -> Result<bool, Error> {
    put_light(db, SEE_LIGHT, at, light).await
}

/// A connection leaves the port, whose light was its own until then.
pub(crate) async fn leave_light(
    db: &mut AnyConnection,
    at: &PortRef,
    light: Light,
) -> Result<(), Error> {
    put_light(db, LEAVE_LIGHT, at, light).await.map(drop)
}

async fn put_light(
    db: &mut AnyConnection,
    statement: &'static str,
    at: &PortRef,
    light: Light,
) -> Result<bool, Error> {
    let done = query(statement)
        .bind(at.router.as_str())
        .bind(at.port.as_str())
        .bind(i64::from(light.on))
        .bind(light.since.as_microsecond())
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A connection has the port: from now on its light is the connection's.
pub(crate) async fn claim_light(db: &mut AnyConnection, at: &PortRef) -> Result<(), Error> {
    query(CLAIM_LIGHT).bind(at.router.as_str()).bind(at.port.as_str()).execute(db).await?;
    Ok(())
}

/// The operator says of the light on such a port that it is meant to be there.
pub(crate) async fn mean_light(
    db: &mut AnyConnection,
    at: &PortRef,
    now: Timestamp,
) -> Result<(), Error> {
    query(MEAN_LIGHT)
        .bind(at.router.as_str())
        .bind(at.port.as_str())
        .bind(now.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn setting(
    db: &mut AnyConnection,
    name: &'static str,
) -> Result<Option<String>, Error> {
    query(SETTING).bind(name).fetch_optional(db).await?.map(|row| row.text("value")).transpose()
}

pub(crate) async fn set(
    db: &mut AnyConnection,
    name: &'static str,
    value: String,
) -> Result<(), Error> {
    query(SET).bind(name).bind(value).execute(db).await?;
    Ok(())
}

fn read_location(row: &AnyRow) -> Result<Location, Error> {
    Ok(Location {
        code: row.word("code")?,
        name: row.text("name")?,
        subregion: row.word("subregion")?,
    })
}

pub(super) fn read_router(row: &AnyRow) -> Result<Router, Error> {
    Ok(Router {
        name: row.word("name")?,
        location: row.word("location")?,
        vtep: row.word("vtep")?,
        bgp_identifier: row.word("bgp_identifier")?,
    })
}

fn read_port(row: &AnyRow) -> Result<Port, Error> {
    let speed = row.text("speed")?;
    Ok(Port {
        router: row.word("router")?,
        name: row.word("name")?,
        speed: speed.parse().map_err(|()| unreadable("speed", &speed, "not a speed"))?,
        optics: row.word_or_null("optics")?,
        position: row.word_or_null("position")?,
    })
}
