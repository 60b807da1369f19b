//! Rows of maintenances, and what is drained for them.

use super::{
    AnyConnection, Error,
    interfaces::{self, all},
    row::{Columns, unreadable, us},
    statements,
};
use directlink_model::{
    coverage::{Way, Wire},
    drain::{Draining, Heard},
    ids::{AccountId, ConnectionId, InterfaceId, MaintenanceId, PortName},
    interface::Interface,
    maintenance::{Maintenance, Target},
};
use jiff::{SignedDuration, Timestamp};
use sqlx::{any::AnyRow, query};

/// Live interfaces `i`, with the fibre `c` that each runs on.
macro_rules! on_wires {
    ($columns:literal, $joins:literal, $which:expr) => {
        concat!(
            "SELECT i.*", $columns, ", c.id AS wire, c.router AS wire_router, c.port AS wire_port,
                    c.location AS wire_location, c.light AS wire_light
             FROM interface i ", $joins,
            " LEFT JOIN hosted_connection h ON h.connection = i.connection
             JOIN connection c ON c.id = COALESCE(h.parent, i.connection)
             WHERE c.router IS NOT NULL AND c.port_freed_us IS NULL
               AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL AND ", $which
        )
    };
}

/// Those on fibres of that router or location, or on what these host.
macro_rules! on_fibres {
    ($which:literal) => {
        on_wires!("", "", concat!(
            "i.connection IN (
                 SELECT w.id FROM connection w
                  WHERE w.", $which, " = $1 AND w.router IS NOT NULL AND w.port_freed_us IS NULL
                 UNION ALL SELECT o.connection FROM connection w JOIN hosted_connection o ON o.parent = w.id
                  WHERE w.", $which, " = $1 AND w.router IS NOT NULL AND w.port_freed_us IS NULL)"
        ))
    };
}

statements! {
    INSERT = "INSERT INTO maintenance (id, target_kind, target, reason, from_us, until_us, at_most_us, planned_us,
                                       moved_us, begun_us, ended_us, cancelled_us)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    UPDATE = "UPDATE maintenance SET from_us = $2, until_us = $3, moved_us = $4, begun_us = $5, ended_us = $6,
                     cancelled_us = $7 WHERE id = $1";
    BY_ID = "SELECT * FROM maintenance WHERE id = $1";
    OPEN = "SELECT * FROM maintenance WHERE ended_us IS NULL AND cancelled_us IS NULL ORDER BY from_us, id";
    LATEST = "SELECT * FROM maintenance WHERE COALESCE(ended_us, cancelled_us, $1) >= $1
              ORDER BY from_us DESC, id LIMIT $2";
    ON_INTERFACE = on_wires!("", "", "i.id = $1");
    // The hosted one as well as the fibre.
    ON_CONNECTION = on_wires!("", "", "i.connection IN (
        SELECT CAST($1 AS TEXT) UNION ALL SELECT o.connection FROM hosted_connection o WHERE o.parent = $1)");
    ON_ROUTER = on_fibres!("router");
    ON_LOCATION = on_fibres!("location");
    OF_OWNER = on_wires!("", "", "i.owner = $1");
    LINES_OF = "SELECT d.id AS line, c.id AS wire, c.router AS wire_router, c.location AS wire_location, c.light AS wire_light
                FROM connection d LEFT JOIN hosted_connection h ON h.connection = d.id
                JOIN connection c ON c.id = COALESCE(h.parent, d.id)
                WHERE d.account = $1 AND d.deleted_us IS NULL AND c.router IS NOT NULL AND c.port_freed_us IS NULL";
    DRAINED = on_wires!("", "", "i.drain_asked_us IS NOT NULL");
    DRAINED_NOWHERE = "SELECT i.id FROM interface i
                       LEFT JOIN hosted_connection h ON h.connection = i.connection
                       JOIN connection c ON c.id = COALESCE(h.parent, i.connection)
                       WHERE i.drain_asked_us IS NOT NULL
                         AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL
                         AND (c.router IS NULL OR c.port_freed_us IS NOT NULL)";
    WAYS_OF = on_wires!(", r.document, g.net", "JOIN gateway g ON g.id = i.gateway
                         JOIN interface_report r ON r.interface = i.id", "i.owner = $1 AND g.net IS NOT NULL");
    EVERY_WAY = on_wires!(", r.document, g.net", "JOIN gateway g ON g.id = i.gateway
                           JOIN interface_report r ON r.interface = i.id", "g.net IS NOT NULL");
    CONNECTIONS_ON = "SELECT DISTINCT d.account FROM connection d
                      LEFT JOIN hosted_connection h ON h.connection = d.id
                      JOIN connection c ON c.id = COALESCE(h.parent, d.id)
                      WHERE d.deleted_us IS NULL AND c.router IS NOT NULL AND c.port_freed_us IS NULL
                        AND (($1 = 'connection' AND (d.id = $2 OR c.id = $2))
                             OR ($1 = 'router' AND c.router = $2) OR ($1 = 'location' AND c.location = $2))";
    DRAIN = "UPDATE interface SET drain_asked_us = $2, drain_at_most_us = $3, drain_withdrawn_us = $4,
                    drain_returning_us = $5, drain_packets = $6, drain_traffic_us = $7, drain_heard_us = $8
             WHERE id = $1";
}

/// A live interface, and where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) interface: Interface,
    pub(crate) wire: Wire,
    pub(crate) port: PortName,
}

/// What an account has, and where: read once for however many maintenances.
pub(crate) struct Holdings {
    interfaces: Vec<Placed>,
    lines: Vec<(ConnectionId, Wire)>,
}

impl Holdings {
    pub(crate) async fn of(db: &mut AnyConnection, account: AccountId) -> Result<Self, Error> {
        let rows = query(OF_OWNER).bind(account.to_string()).fetch_all(&mut *db).await?;
        let interfaces = placed(db, &rows).await?;
        let rows = query(LINES_OF).bind(account.to_string()).fetch_all(db).await?;
        let line = |row: &AnyRow| Ok((row.word("line")?, wire(row)?));
        let lines = rows.iter().map(line).collect::<Result<_, Error>>()?;
        Ok(Self { interfaces, lines })
    }

    /// Its interfaces there; `None`: it has nothing there, no connection either.
    pub(crate) fn on(&self, target: &Target) -> Option<Vec<Placed>> {
        let is_on = |placed: &&Placed| {
            let it = &placed.interface;
            *target == Target::Interface(it.id) || placed.wire.is_on(target, it.connection)
        };
        let interfaces: Vec<_> = self.interfaces.iter().filter(is_on).cloned().collect();
        let has_line = self.lines.iter().any(|(line, wire)| wire.is_on(target, *line));
        (has_line || !interfaces.is_empty()).then_some(interfaces)
    }
}

pub(crate) async fn insert(db: &mut AnyConnection, it: &Maintenance) -> Result<(), Error> {
    query(INSERT)
        .bind(it.id.to_string())
        .bind(it.target.kind())
        .bind(it.target.name())
        .bind(it.reason.as_str())
        .bind(it.from.as_microsecond())
        .bind(us(it.until))
        .bind(micros(it.at_most))
        .bind(it.planned_at.as_microsecond())
        .bind(us(it.moved_at))
        .bind(us(it.begun_at))
        .bind(us(it.ended_at))
        .bind(us(it.cancelled_at))
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what can change in its life.
pub(crate) async fn update(db: &mut AnyConnection, it: &Maintenance) -> Result<(), Error> {
    query(UPDATE)
        .bind(it.id.to_string())
        .bind(it.from.as_microsecond())
        .bind(us(it.until))
        .bind(us(it.moved_at))
        .bind(us(it.begun_at))
        .bind(us(it.ended_at))
        .bind(us(it.cancelled_at))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: MaintenanceId,
) -> Result<Option<Maintenance>, Error> {
    query(BY_ID).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Neither ended nor cancelled.
pub(crate) async fn open(db: &mut AnyConnection) -> Result<Vec<Maintenance>, Error> {
    query(OPEN).fetch_all(db).await?.iter().map(read).collect()
}

/// Those that were not over by `since`, the latest first.
pub(crate) async fn latest(
    db: &mut AnyConnection,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<Maintenance>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query(LATEST).bind(since.as_microsecond()).bind(limit).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// The live interfaces there.
pub(crate) async fn on_target(
    db: &mut AnyConnection,
    target: &Target,
) -> Result<Vec<Placed>, Error> {
    let there = match target {
        Target::Interface(_) => ON_INTERFACE,
        Target::Connection(_) => ON_CONNECTION,
        Target::Router(_) => ON_ROUTER,
        Target::Location(_) => ON_LOCATION,
    };
    let rows = query(there).bind(target.name()).fetch_all(&mut *db).await?;
    placed(db, &rows).await
}

/// The live ones that are drained, or come back.
pub(crate) async fn drained(db: &mut AnyConnection) -> Result<Vec<Placed>, Error> {
    let rows = query(DRAINED).fetch_all(&mut *db).await?;
    placed(db, &rows).await
}

/// Those that were drained, and are on no port any more: of a LAG whose members wait for theirs.
pub(crate) async fn drained_nowhere(db: &mut AnyConnection) -> Result<Vec<InterfaceId>, Error> {
    let rows = query(DRAINED_NOWHERE).fetch_all(db).await?;
    rows.iter().map(|row| row.word("id")).collect()
}

/// Who has something there: an interface, or the connection that carries it.
pub(crate) async fn accounts_on(
    db: &mut AnyConnection,
    target: &Target,
) -> Result<Vec<AccountId>, Error> {
    let owners = on_target(db, target).await?.into_iter().map(|placed| placed.interface.owner);
    let there = query(CONNECTIONS_ON).bind(target.kind()).bind(target.name());
    let rows = there.fetch_all(db).await?;
    let mut accounts: Vec<AccountId> =
        rows.iter().map(|row| row.word("account")).collect::<Result<_, Error>>()?;
    accounts.extend(owners);
    accounts.sort_unstable();
    accounts.dedup();
    Ok(accounts)
}

/// Every way into a Net of this account's, or of everybody's, with what was last reported.
pub(crate) async fn ways(
    db: &mut AnyConnection,
    owner: Option<AccountId>,
    now: Timestamp,
) -> Result<Vec<Way>, Error> {
    let found = match owner {
        Some(owner) => query(WAYS_OF).bind(owner.to_string()),
        None => query(EVERY_WAY),
    };
    let rows = found.fetch_all(&mut *db).await?;
    let interfaces = all(db, &rows).await?;
    let way = |(row, interface): (&AnyRow, &Interface)| {
        let report = interfaces::document(row)?;
        Ok(Way::of((interface, &report), (row.word("net")?, &wire(row)?), now))
    };
    rows.iter().zip(&interfaces).map(way).collect()
}

/// Writes where an interface's drain is; `None`: it is as ever.
pub(crate) async fn put_drain(
    db: &mut AnyConnection,
    id: InterfaceId,
    drain: Option<&Draining>,
) -> Result<(), Error> {
    let heard = drain.map(|drain| drain.heard).unwrap_or_default();
    query(DRAIN)
        .bind(id.to_string())
        .bind(us(drain.map(|drain| drain.asked_at)))
        .bind(drain.map(|drain| micros(drain.at_most)))
        .bind(us(drain.and_then(|drain| drain.withdrawn_at)))
        .bind(us(drain.and_then(|drain| drain.returning_at)))
        .bind(heard.packets.map(u64::cast_signed))
        .bind(us(heard.traffic_at))
        .bind(us(heard.at))
        .execute(db)
        .await?;
    Ok(())
}

/// Of a row of interfaces.
pub(super) fn read_drain(row: &AnyRow) -> Result<Option<Draining>, Error> {
    let Some(asked_at) = row.time_or_null("drain_asked_us")? else { return Ok(None) };
    Ok(Some(Draining {
        asked_at,
        at_most: SignedDuration::from_micros(row.number("drain_at_most_us")?),
        withdrawn_at: row.time_or_null("drain_withdrawn_us")?,
        returning_at: row.time_or_null("drain_returning_us")?,
        heard: Heard {
            packets: row.number_or_null("drain_packets")?.map(i64::cast_unsigned),
            traffic_at: row.time_or_null("drain_traffic_us")?,
            at: row.time_or_null("drain_heard_us")?,
        },
    }))
}

/// The oldest first. The database, asked for an order, would rather walk all in that order than look up the few.
async fn placed(db: &mut AnyConnection, rows: &[AnyRow]) -> Result<Vec<Placed>, Error> {
    let interfaces = all(db, rows).await?;
    let placed = |(row, interface): (&AnyRow, Interface)| {
        Ok(Placed { interface, wire: wire(row)?, port: row.word("wire_port")? })
    };
    let mut all = rows.iter().zip(interfaces).map(placed).collect::<Result<Vec<_>, Error>>()?;
    all.sort_by_key(|it| (it.interface.created_at, it.interface.id));
    Ok(all)
}

fn wire(row: &AnyRow) -> Result<Wire, Error> {
    Ok(Wire {
        connection: row.word("wire")?,
        router: row.word("wire_router")?,
        location: row.word("wire_location")?,
        is_lit: row.number_or_null("wire_light")?.is_some_and(|light| light != 0),
    })
}

fn micros(length: SignedDuration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

fn read(row: &AnyRow) -> Result<Maintenance, Error> {
    let (kind, name) = (row.str("target_kind")?, row.str("target")?);
    Ok(Maintenance {
        id: row.word("id")?,
        target: Target::read(kind, name).map_err(|why| unreadable("target", name, why))?,
        reason: row.text("reason")?,
        from: row.time("from_us")?,
        until: row.time_or_null("until_us")?,
        at_most: SignedDuration::from_micros(row.number("at_most_us")?),
        planned_at: row.time("planned_us")?,
        moved_at: row.time_or_null("moved_us")?,
        begun_at: row.time_or_null("begun_us")?,
        ended_at: row.time_or_null("ended_us")?,
        cancelled_at: row.time_or_null("cancelled_us")?,
    })
}
