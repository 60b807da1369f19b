//! Rows of interfaces, and what their routers said of them.

use super::{
    Error, bgp_peers, maintenance,
    row::{Columns, unreadable, us},
    statements, wire_vlans,
};
use directlink_model::{
    bgp_peer::Deletion,
    connection::Connection,
    hosting::Holder,
    ids::{AccountId, ConnectionId, GatewayId, InterfaceId, LagId, NetId, RouterName},
    interface::{Confirmation, Interface},
    report::InterfaceReport,
};
use directlink_net::{BgpKey, IpNet, Vlan};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT = "INSERT INTO interface (id, connection, owner, name, vlan, asn, bgp_key, router_address, customer_address,
                     mtu, gateway, created_us, confirm_until_us, lag, configured, session_up, forwarding)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, 0)";
    UPDATE = "UPDATE interface SET mtu = $2, gateway = $3, confirm_until_us = $4, expired_us = $5, rejected_us = $6,
                     configured = $7, session_up = $8, forwarding = $9, first_available_us = $10,
                     delete_asked_us = $11, deleted_us = $12, testing_until_us = $13, name = $14,
                     first_peer_delete_asked_us = $15, first_peer_deleted_us = $16, tested_peers = $17
              WHERE id = $1";
    BY_ID = "SELECT * FROM interface WHERE id = $1";
    // Each half by its own index: an OR over both tables would read every interface there is.
    VISIBLE_TO = "SELECT i.* FROM interface i
                  WHERE i.id IN (SELECT id FROM interface WHERE owner = $1 UNION
                                 SELECT o.id FROM connection c JOIN interface o ON o.connection = c.id WHERE c.account = $1)
                    AND (i.deleted_us IS NULL OR i.deleted_us > $2)
                    AND (i.rejected_us IS NULL OR i.rejected_us > $3)
                    AND (i.expired_us IS NULL OR i.expired_us > $3)
                    AND (i.confirm_until_us IS NULL OR i.confirm_until_us > $3)
                  ORDER BY i.created_us, i.id";
    EVERY = "SELECT * FROM interface
             WHERE (deleted_us IS NULL OR deleted_us > $1)
               AND (rejected_us IS NULL OR rejected_us > $2)
               AND (expired_us IS NULL OR expired_us > $2)
             ORDER BY created_us, id";
    // An awaited one whose time has come counts until it is stamped: the caller looks at the clock.
    LIVE_OF_CONNECTION = "SELECT * FROM interface WHERE connection = $1
                          AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL
                          ORDER BY created_us, id";
    // On a connection, and on those that it hosts.
    LIVE_ON_WIRE = "SELECT * FROM interface
                    WHERE (connection = $1 OR connection IN (SELECT connection FROM hosted_connection WHERE parent = $1))
                      AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL
                    ORDER BY created_us, id";
    LIVE_ADDRESSES = "SELECT connection, router_address FROM interface
                      WHERE (connection = $1 OR connection IN (SELECT connection FROM hosted_connection WHERE parent = $1))
                        AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
    RELOCATE = "UPDATE interface SET connection = $2, lag = $3 WHERE id = $1";
    LIVE_WITH_VLAN_OF_LAG = "SELECT * FROM interface WHERE lag = $1 AND vlan = $2
                             AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
    LIVE_OF_LAG = "SELECT * FROM interface WHERE lag = $1
                   AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL
                   ORDER BY created_us, id";
    GIVE_TO_LAG = "UPDATE interface SET lag = $2 WHERE connection = $1 AND lag IS NULL
                   AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
    // What is being deleted stays where its router takes it away.
    CARRY_ON = "UPDATE interface SET connection = $2, configured = 0, session_up = 0, forwarding = 0
                WHERE lag = $1 AND connection <> $2 AND delete_asked_us IS NULL
                AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
    LIVE_OF_GATEWAY = "SELECT * FROM interface WHERE gateway = $1
                       AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL
                       ORDER BY created_us, id";
    REACHING_NET = "SELECT i.id FROM interface i JOIN gateway g ON g.id = i.gateway
                    WHERE i.connection = $1 AND g.net = $2
                      AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL";
    OVERDUE = "SELECT * FROM interface WHERE confirm_until_us IS NOT NULL AND confirm_until_us <= $1
               ORDER BY confirm_until_us LIMIT 256";
    AWAITED_UNTIL = "SELECT * FROM interface WHERE confirm_until_us IS NOT NULL AND confirm_until_us <= $1";
    NEXT_DEADLINE = "SELECT MIN(confirm_until_us) AS us FROM interface WHERE confirm_until_us IS NOT NULL";
    PUT_REPORT = "INSERT INTO interface_report (interface, document, reported_us) VALUES ($1, $2, $3)
                  ON CONFLICT (interface) DO UPDATE SET document = excluded.document, reported_us = excluded.reported_us";
    DROP_REPORT = "DELETE FROM interface_report WHERE interface = $1";
    REPORT = "SELECT document FROM interface_report WHERE interface = $1";
    REPORTS_ON_WIRE = "SELECT r.interface, r.document FROM interface_report r
                       JOIN interface i ON i.id = r.interface
                       WHERE i.connection = $1
                          OR i.connection IN (SELECT connection FROM hosted_connection WHERE parent = $1)";
    // With what its router last said, and that router.
    REPORTED_LEADING_TO = "SELECT i.*, r.document, c.router AS wire_router, c.light AS wire_light FROM interface i
                           JOIN gateway g ON g.id = i.gateway
                           JOIN interface_report r ON r.interface = i.id
                           LEFT JOIN hosted_connection h ON h.connection = i.connection
                           JOIN connection c ON c.id = COALESCE(h.parent, i.connection)
                           WHERE g.net = $1 AND c.router IS NOT NULL AND c.port_freed_us IS NULL
                             AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL";
    REPORTS_OF_PROPAGATED = "SELECT DISTINCT i.gateway, r.interface, r.document FROM interface_report r
                             JOIN interface i ON i.id = r.interface
                             JOIN propagation p ON p.gateway = i.gateway
                             JOIN route_table t ON t.id = p.route_table
                             WHERE t.account = $1";
}

pub(crate) async fn insert(db: &mut AnyConnection, i: &Interface) -> Result<(), Error> {
    query(INSERT)
        .bind(i.id.to_string())
        .bind(i.connection.to_string())
        .bind(i.owner.to_string())
        .bind(i.name.as_str())
        .bind(i64::from(i.vlan.as_u16()))
        .bind(i64::from(i.asn.as_u32()))
        .bind(i.key.as_ref().map(BgpKey::expose))
        .bind(i.peer.router().to_string())
        .bind(i.peer.customer().to_string())
        .bind(i64::from(i.mtu.as_u16()))
        .bind(i.gateway.map(|g| g.to_string()))
        .bind(i.created_at.as_microsecond())
        .bind(us(i.deadline()))
        .bind(i.lag.map(|lag| lag.to_string()))
        .execute(&mut *db)
        .await?;
    wire_vlans::claim(db, i.connection, i.vlan, Holder::Interface(i.id)).await
}

/// Writes what can change in an interface's life. Its VLAN is free again when that is over.
pub(crate) async fn update(db: &mut AnyConnection, i: &Interface) -> Result<(), Error> {
    let (mut awaited, mut expired, mut rejected) = (None, None, None);
    match i.confirmation {
        Confirmation::Given => {}
        Confirmation::AwaitedUntil(at) => awaited = Some(at),
        Confirmation::ExpiredAt(at) => expired = Some(at),
        Confirmation::RejectedAt(at) => rejected = Some(at),
    }
    query(UPDATE)
        .bind(i.id.to_string())
        .bind(i64::from(i.mtu.as_u16()))
        .bind(i.gateway.map(|g| g.to_string()))
        .bind(us(awaited))
        .bind(us(expired))
        .bind(us(rejected))
        .bind(i64::from(i.seen.configured))
        .bind(i64::from(i.seen.session_up))
        .bind(i64::from(i.seen.forwarding))
        .bind(us(i.first_available_at))
        .bind(us(i.delete_asked_at))
        .bind(us(i.deleted_at))
        .bind(us(i.testing_until))
        .bind(i.name.as_str())
        .bind(us(i.first_peer.asked_at))
        .bind(us(i.first_peer.done_at))
        .bind(bgp_peers::list(&i.tested_peers))
        .execute(&mut *db)
        .await?;
    bgp_peers::update(db, i).await?;
    match expired.or(rejected).or(i.deleted_at) {
        Some(_) => wire_vlans::release(db, Holder::Interface(i.id)).await,
        None => Ok(()),
    }
}

/// It is on another connection now; so is its VLAN.
pub(crate) async fn relocate(db: &mut AnyConnection, i: &Interface) -> Result<(), Error> {
    query(RELOCATE)
        .bind(i.id.to_string())
        .bind(i.connection.to_string())
        .bind(i.lag.map(|lag| lag.to_string()))
        .execute(&mut *db)
        .await?;
    wire_vlans::move_to(db, Holder::Interface(i.id), i.connection).await
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: InterfaceId,
) -> Result<Option<Interface>, Error> {
    let row = query(BY_ID).bind(id.to_string()).fetch_optional(&mut *db).await?;
    one(db, row).await
}

/// Since when a final state has hidden an interface from reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GoneBefore {
    pub(crate) deleted: Timestamp,
    /// Rejected or expired.
    pub(crate) lapsed: Timestamp,
}

impl GoneBefore {
    /// Nothing is hidden.
    pub(crate) const EVER: Self = Self { deleted: Timestamp::MIN, lapsed: Timestamp::MIN };

    pub(crate) fn shows(self, interface: &Interface) -> bool {
        let lapsed = match interface.confirmation {
            Confirmation::Given => None,
            Confirmation::AwaitedUntil(at)
            | Confirmation::ExpiredAt(at)
            | Confirmation::RejectedAt(at) => Some(at),
        };
        interface.deleted_at.is_none_or(|at| at > self.deleted)
            && lapsed.is_none_or(|at| at > self.lapsed)
    }

    pub(crate) fn shows_connection(self, connection: &Connection) -> bool {
        let hidden = match connection.offer() {
            None if connection.refused.is_some() => self.lapsed,
            None | Some(Confirmation::Given | Confirmation::AwaitedUntil(_)) => self.deleted,
            Some(Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_)) => self.lapsed,
        };
        connection.deleted_at.is_none_or(|at| at > hidden)
    }
}

pub(crate) async fn visible_to(
    db: &mut AnyConnection,
    account: AccountId,
    gone: GoneBefore,
) -> Result<Vec<Interface>, Error> {
    let rows = query(VISIBLE_TO)
        .bind(account.to_string())
        .bind(gone.deleted.as_microsecond())
        .bind(gone.lapsed.as_microsecond())
        .fetch_all(&mut *db)
        .await?;
    all(db, &rows).await
}

pub(crate) async fn every(
    db: &mut AnyConnection,
    gone: GoneBefore,
) -> Result<Vec<Interface>, Error> {
    let rows = query(EVERY)
        .bind(gone.deleted.as_microsecond())
        .bind(gone.lapsed.as_microsecond())
        .fetch_all(&mut *db)
        .await?;
    all(db, &rows).await
}

/// Neither deleted nor rejected nor stamped as expired.
pub(crate) async fn live_of_connection(
    db: &mut AnyConnection,
    connection: ConnectionId,
) -> Result<Vec<Interface>, Error> {
    let rows = query(LIVE_OF_CONNECTION).bind(connection.to_string()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

/// Those of the connection, and of the connections that it hosts.
pub(crate) async fn live_on_wire(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<Vec<Interface>, Error> {
    let rows = query(LIVE_ON_WIRE).bind(wire.to_string()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

pub(crate) async fn live_with_vlan_of_lag(
    db: &mut AnyConnection,
    lag: LagId,
    vlan: Vlan,
) -> Result<Option<Interface>, Error> {
    let row = query(LIVE_WITH_VLAN_OF_LAG)
        .bind(lag.to_string())
        .bind(i64::from(vlan.as_u16()))
        .fetch_optional(&mut *db)
        .await?;
    one(db, row).await
}

/// As of a connection, whichever members they are on.
pub(crate) async fn live_of_lag(
    db: &mut AnyConnection,
    lag: LagId,
) -> Result<Vec<Interface>, Error> {
    let rows = query(LIVE_OF_LAG).bind(lag.to_string()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

/// The connection's live interfaces are the LAG's from now on.
pub(crate) async fn give_to_lag(
    db: &mut AnyConnection,
    connection: ConnectionId,
    lag: LagId,
) -> Result<(), Error> {
    query(GIVE_TO_LAG).bind(connection.to_string()).bind(lag.to_string()).execute(db).await?;
    Ok(())
}

/// Moves the LAG's interfaces to that member, and their VLANs with them. How many were elsewhere.
pub(crate) async fn carry_on(
    db: &mut AnyConnection,
    lag: LagId,
    member: ConnectionId,
) -> Result<u64, Error> {
    let moving = query(CARRY_ON).bind(lag.to_string()).bind(member.to_string());
    let moved = moving.execute(&mut *db).await?.rows_affected();
    if moved > 0 {
        wire_vlans::carry_on(db, lag, member).await?;
        bgp_peers::carried_on(db, lag, member).await?;
    }
    Ok(moved)
}

/// The routers' addresses of the live interfaces on a wire, each with its connection.
pub(crate) async fn live_addresses(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<Vec<(ConnectionId, IpNet)>, Error> {
    let rows = query(LIVE_ADDRESSES).bind(wire.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("connection")?, row.word("router_address")?))).collect()
}

pub(crate) async fn live_of_gateway(
    db: &mut AnyConnection,
    gateway: GatewayId,
) -> Result<Vec<Interface>, Error> {
    let rows = query(LIVE_OF_GATEWAY).bind(gateway.to_string()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

/// The live interface of the connection that leads to the Net, if one does.
pub(crate) async fn reaching_net(
    db: &mut AnyConnection,
    connection: ConnectionId,
    net: NetId,
) -> Result<Option<InterfaceId>, Error> {
    query(REACHING_NET)
        .bind(connection.to_string())
        .bind(net.to_string())
        .fetch_optional(db)
        .await?
        .map(|row| row.word("id"))
        .transpose()
}

/// Awaited ones whose time has come.
pub(crate) async fn overdue(
    db: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<Interface>, Error> {
    let rows = query(OVERDUE).bind(now.as_microsecond()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

/// Those that wait for their owners, until then at most.
pub(crate) async fn awaited_until(
    db: &mut AnyConnection,
    until: Timestamp,
) -> Result<Vec<Interface>, Error> {
    let rows = query(AWAITED_UNTIL).bind(until.as_microsecond()).fetch_all(&mut *db).await?;
    all(db, &rows).await
}

pub(crate) async fn next_deadline(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(NEXT_DEADLINE).fetch_one(db).await?.time_or_null("us")
}

pub(crate) async fn put_report(
    db: &mut AnyConnection,
    id: InterfaceId,
    report: &InterfaceReport,
    now: Timestamp,
) -> Result<(), Error> {
    query(PUT_REPORT)
        .bind(id.to_string())
        .bind(serde_json::to_string(report)?)
        .bind(now.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn drop_report(db: &mut AnyConnection, id: InterfaceId) -> Result<(), Error> {
    query(DROP_REPORT).bind(id.to_string()).execute(db).await?;
    Ok(())
}

/// What its router last said of it.
pub(crate) async fn report(
    db: &mut AnyConnection,
    id: InterfaceId,
) -> Result<Option<InterfaceReport>, Error> {
    query(REPORT).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(document).transpose()
}

pub(crate) async fn reports_on_wire(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<BTreeMap<InterfaceId, InterfaceReport>, Error> {
    let rows = query(REPORTS_ON_WIRE).bind(wire.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("interface")?, document(row)?))).collect()
}

/// A live interface that leads to a Net, and what its router last said of it.
pub(crate) struct Reported {
    pub(crate) router: RouterName,
    pub(crate) wire_on: bool,
    pub(crate) interface: Interface,
    pub(crate) report: InterfaceReport,
}

pub(crate) async fn reported_leading_to(
    db: &mut AnyConnection,
    net: NetId,
) -> Result<Vec<Reported>, Error> {
    let rows = query(REPORTED_LEADING_TO).bind(net.to_string()).fetch_all(&mut *db).await?;
    let interfaces = all(db, &rows).await?;
    let reported = |(row, interface): (&AnyRow, Interface)| {
        let wire_on = row.number_or_null("wire_light")?.is_some_and(|light| light != 0);
        let (router, report) = (row.word("wire_router")?, document(row)?);
        Ok(Reported { router, wire_on, interface, report })
    };
    rows.iter().zip(interfaces).map(reported).collect()
}

/// The prefixes that each gateway has learned, for the gateways that propagate into the account's tables.
pub(crate) async fn learned_for(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<(GatewayId, IpNet)>, Error> {
    let rows = query(REPORTS_OF_PROPAGATED).bind(account.to_string()).fetch_all(db).await?;
    let mut learned = Vec::new();
    for row in &rows {
        let gateway = row.word("gateway")?;
        learned.extend(document(row)?.learned().map(|route| (gateway, route.prefix)));
    }
    Ok(learned)
}

pub(super) fn document(row: &AnyRow) -> Result<InterfaceReport, Error> {
    let text = row.text("document")?;
    serde_json::from_str(&text).map_err(|why| unreadable("document", &text, why))
}

async fn one(db: &mut AnyConnection, row: Option<AnyRow>) -> Result<Option<Interface>, Error> {
    Ok(all(db, row.as_slice()).await?.pop())
}

/// The rows, and what belongs to them elsewhere.
pub(super) async fn all(db: &mut AnyConnection, rows: &[AnyRow]) -> Result<Vec<Interface>, Error> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let mut interface = read(row)?;
        if row.yes("has_further_peers")? {
            interface.further_peers = bgp_peers::of_interface(db, interface.id).await?;
        }
        found.push(interface);
    }
    Ok(found)
}

/// Without its further peers.
fn read(row: &AnyRow) -> Result<Interface, Error> {
    let confirmation = match (
        row.time_or_null("rejected_us")?,
        row.time_or_null("expired_us")?,
        row.time_or_null("confirm_until_us")?,
    ) {
        (Some(at), _, _) => Confirmation::RejectedAt(at),
        (None, Some(at), _) => Confirmation::ExpiredAt(at),
        (None, None, Some(at)) => Confirmation::AwaitedUntil(at),
        (None, None, None) => Confirmation::Given,
    };
    Ok(Interface {
        id: row.word("id")?,
        connection: row.word("connection")?,
        lag: row.word_or_null("lag")?,
        owner: row.word("owner")?,
        name: row.text("name")?,
        vlan: row.narrow("vlan")?,
        asn: row.narrow("asn")?,
        key: bgp_peers::key(row)?,
        peer: bgp_peers::addresses(row)?,
        mtu: row.narrow("mtu")?,
        gateway: row.word_or_null("gateway")?,
        created_at: row.time("created_us")?,
        confirmation,
        seen: bgp_peers::seen(row)?,
        first_peer: Deletion {
            asked_at: row.time_or_null("first_peer_delete_asked_us")?,
            done_at: row.time_or_null("first_peer_deleted_us")?,
        },
        further_peers: vec![],
        first_available_at: row.time_or_null("first_available_us")?,
        testing_until: row.time_or_null("testing_until_us")?,
        tested_peers: bgp_peers::read_list(row, "tested_peers")?,
        drain: maintenance::read_drain(row)?,
        delete_asked_at: row.time_or_null("delete_asked_us")?,
        deleted_at: row.time_or_null("deleted_us")?,
    })
}
