//! Rows of connections, and of the ports that they hold.
//!
//! A connection is read together with its wire: the row that has port and light, which is its own,
//! or its parent's if it is hosted.

use super::{
    Error, hosted_connections,
    interfaces::GoneBefore,
    row::{Columns, unreadable, us},
    row_pages::Narrowed,
    statements, tag_sets,
};
use directlink_model::{
    connection::{Approval, Bandwidth, Connection, Light, PortRef, Refused},
    ids::{AccountId, ConnectionId, LagId, LocationCode},
    quota::Quota,
    tag_set::TagSet,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

/// A statement that reads connections `c`, with what is their wire's. Port and light are never in a
/// hosted one's own row (see [`update`]), so what its parent `w` lacks is lacking.
macro_rules! lines {
    ($rest:literal) => {
        lines!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT c.id, c.account, c.name, c.lag, c.requested_us, c.delete_asked_us, c.deleted_us, \
                    COALESCE(w.location, c.location) AS location, COALESCE(w.bandwidth, c.bandwidth) AS bandwidth, \
                    COALESCE(w.approved_us, c.approved_us) AS approved_us, \
                    COALESCE(w.letter_us, c.letter_us) AS letter_us, \
                    COALESCE(w.router, c.router) AS router, COALESCE(w.port, c.port) AS port, \
                    COALESCE(w.light, c.light) AS light, COALESCE(w.light_since_us, c.light_since_us) AS light_since_us, \
                    h.parent, w.account AS partner, h.vlan AS hosted_vlan, h.capacity, h.confirm_until_us, \
                    h.lapsed_us, h.rejected_us, c.refused_us, c.refusal, c.bundled",
            $more,
            " FROM connection c LEFT JOIN hosted_connection h ON h.connection = c.id \
             LEFT JOIN connection w ON w.id = h.parent ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO connection (id, account, name, location, bandwidth, requested_us, lag)
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE = "UPDATE connection SET approved_us = $2, router = $3, port = $4, light = $5, light_since_us = $6,
                     delete_asked_us = $7, deleted_us = $8, name = $9, lag = $10, refused_us = $11, refusal = $12, letter_us = $13, bundled = $14 WHERE id = $1";
    UPDATE_HOSTED = "UPDATE connection SET delete_asked_us = $2, deleted_us = $3, name = $4 WHERE id = $1";
    BY_ID = lines!("WHERE c.id = $1");
    // A row for each tag that its account keeps with it, or one.
    TAGGED = lines!(", t.name AS tag_name, t.value AS tag_value",
                    "LEFT JOIN line_tag t ON t.account = c.account AND t.resource = c.id WHERE c.id = $1");
    // What was rejected, or came to nothing, is shown for longer than what was deleted.
    OF_ACCOUNT = lines!("WHERE c.account = $1
                  AND (c.deleted_us IS NULL OR c.deleted_us > $2
                       OR (c.deleted_us > $3 AND (c.refused_us IS NOT NULL OR h.lapsed_us IS NOT NULL OR h.rejected_us IS NOT NULL)))
                  ORDER BY c.requested_us, c.id");
    HOSTED_ON = lines!("WHERE h.parent = $1
                  AND (c.deleted_us IS NULL OR c.deleted_us > $2
                       OR (c.deleted_us > $3 AND (c.refused_us IS NOT NULL OR h.lapsed_us IS NOT NULL OR h.rejected_us IS NOT NULL)))
                  ORDER BY c.requested_us, c.id");
    LIVE_ON = lines!("WHERE h.parent = $1 AND c.deleted_us IS NULL ORDER BY c.requested_us, c.id");
    // A page of them, and of everybody's. LIKE is a cheap first look, see `Narrowed`.
    PAGE_OF_ACCOUNT = lines!("WHERE c.account = $1 AND (c.requested_us, c.id) > ($4, $5)
                  AND (c.deleted_us IS NULL OR c.deleted_us > $2
                       OR (c.deleted_us > $3 AND (c.refused_us IS NOT NULL OR h.lapsed_us IS NOT NULL OR h.rejected_us IS NOT NULL)))
                  AND LOWER(c.id || ' ' || c.name || ' ' || COALESCE(w.location, c.location) || ' '
                            || COALESCE(w.router, c.router, '') || '/' || COALESCE(w.port, c.port, '')) LIKE $6 ESCAPE '\\'
                  ORDER BY c.requested_us, c.id LIMIT $7");
    PAGE = lines!("WHERE (c.requested_us, c.id) > ($3, $4)
                  AND (c.deleted_us IS NULL OR c.deleted_us > $1
                       OR (c.deleted_us > $2 AND (c.refused_us IS NOT NULL OR h.lapsed_us IS NOT NULL OR h.rejected_us IS NOT NULL)))
                  AND LOWER(c.id || ' ' || c.account || ' ' || c.name || ' ' || COALESCE(w.location, c.location) || ' '
                            || COALESCE(w.router, c.router, '') || '/' || COALESCE(w.port, c.port, '')) LIKE $5 ESCAPE '\\'
                  ORDER BY c.requested_us, c.id LIMIT $6");
    LETTERED = lines!("WHERE c.id IN (SELECT l.id FROM connection l WHERE l.approved_us IS NOT NULL
                  ORDER BY COALESCE(l.letter_us, l.approved_us) DESC LIMIT $1)");
    REQUESTED = lines!("WHERE c.approved_us IS NULL AND c.deleted_us IS NULL AND h.parent IS NULL
                  ORDER BY c.requested_us, c.id");
    // Those of the interfaces that the account may see.
    AROUND_ACCOUNT = lines!("WHERE c.account = $1
                      OR c.id IN (SELECT connection FROM interface WHERE owner = $1)");
    OF_LAG = lines!("WHERE c.lag = $1 AND c.delete_asked_us IS NULL AND c.deleted_us IS NULL
                  ORDER BY c.requested_us, c.id");
    EVERY = lines!("WHERE c.deleted_us IS NULL OR c.deleted_us > $1
                       OR (c.deleted_us > $2 AND (c.refused_us IS NOT NULL OR h.lapsed_us IS NOT NULL OR h.rejected_us IS NOT NULL))
                    ORDER BY c.requested_us, c.id");
    DARK = lines!("WHERE c.deleted_us IS NULL AND c.delete_asked_us IS NULL AND c.id IN (
                     SELECT d.id FROM connection d WHERE d.approved_us IS NOT NULL AND COALESCE(d.light, 0) = 0
                        AND d.deleted_us IS NULL
                     UNION SELECT o.connection FROM connection d JOIN hosted_connection o ON o.parent = d.id
                      WHERE d.approved_us IS NOT NULL AND COALESCE(d.light, 0) = 0 AND d.deleted_us IS NULL)");
    OVERDUE = lines!("WHERE h.confirm_until_us IS NOT NULL AND h.confirm_until_us <= $1
                      ORDER BY h.confirm_until_us LIMIT 256");
    // An offer is nobody's to count until it is taken.
    COUNT_LIVE = "SELECT COUNT(*) AS n FROM connection WHERE account = $1 AND deleted_us IS NULL
                  AND id NOT IN (SELECT connection FROM hosted_connection WHERE confirm_until_us IS NOT NULL)";
    ROOM = "SELECT l.code,
                   (SELECT COUNT(*) FROM connection WHERE account = $2 AND deleted_us IS NULL
                    AND id NOT IN (SELECT connection FROM hosted_connection WHERE confirm_until_us IS NOT NULL)) AS live,
                   (SELECT at_most FROM quota WHERE account = $2 AND name = $3) AS at_most,
                   CASE WHEN EXISTS (SELECT 1 FROM meet_me_room m WHERE m.location = l.code) THEN 1 ELSE 0 END AS is_counted
            FROM location l WHERE l.code = $1";
    HOLDING = lines!("WHERE c.router = $1 AND c.port = $2 AND c.port_freed_us IS NULL");
    FREE_PORT = "UPDATE connection SET port_freed_us = $2 WHERE id = $1";
    ISSUE_LETTER = "INSERT INTO letter (connection, issued_us, token) VALUES ($1, $2, $3)";
    LETTER_TOKEN = "SELECT token FROM letter WHERE connection = $1";
    WITH_LETTER = lines!("JOIN letter t ON t.connection = c.id WHERE t.token = $1");
    LETTERS_WITHOUT_TOKEN = "SELECT connection FROM letter WHERE token IS NULL";
    SET_LETTER_TOKEN = "UPDATE letter SET token = $2 WHERE connection = $1";
    HOLDERS = "SELECT id, router, port FROM connection WHERE router IS NOT NULL AND port_freed_us IS NULL";
    HOLDERS_OF = "SELECT id, router, port FROM connection WHERE router = $1 AND port_freed_us IS NULL";
}

pub(crate) async fn insert(db: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    query(INSERT)
        .bind(c.id.to_string())
        .bind(c.account.to_string())
        .bind(c.name.as_str())
        .bind(c.location.as_str())
        .bind(c.bandwidth.as_str())
        .bind(c.requested_at.as_microsecond())
        .bind(c.lag.map(|lag| lag.to_string()))
        .execute(&mut *db)
        .await?;
    match &c.hosting {
        Some(hosting) => hosted_connections::insert(db, c.id, hosting).await,
        None => Ok(()),
    }
}

/// Writes what can change in a connection's life. Port and light of a hosted one are its parent's
/// to change.
pub(crate) async fn update(db: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    if let Some(hosting) = &c.hosting {
        query(UPDATE_HOSTED)
            .bind(c.id.to_string())
            .bind(us(c.delete_asked_at))
            .bind(us(c.deleted_at))
            .bind(c.name.as_str())
            .execute(&mut *db)
            .await?;
        return hosted_connections::update(db, c, hosting).await;
    }
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
        .bind(c.lag.map(|lag| lag.to_string()))
        .bind(us(c.refused.as_ref().map(|refused| refused.at)))
        .bind(c.refused.as_ref().map(|refused| refused.reason.as_str()))
        .bind(us(approval.map(|a| a.letter_at)))
        .bind(i64::from(c.is_bundled))
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

/// The account's, without those that a final state has hidden.
pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
    gone: GoneBefore,
) -> Result<Vec<Connection>, Error> {
    let rows = query(OF_ACCOUNT)
        .bind(account.to_string())
        .bind(gone.deleted.as_microsecond())
        .bind(gone.lapsed.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Those that the connection hosts, without those that a final state has hidden.
pub(crate) async fn hosted_on(
    db: &mut AnyConnection,
    parent: ConnectionId,
    gone: GoneBefore,
) -> Result<Vec<Connection>, Error> {
    let rows = query(HOSTED_ON)
        .bind(parent.to_string())
        .bind(gone.deleted.as_microsecond())
        .bind(gone.lapsed.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Those that it hosts and that are not gone. An offer whose time has come counts until it is
/// stamped: the caller looks at the clock.
pub(crate) async fn live_on(
    db: &mut AnyConnection,
    parent: ConnectionId,
) -> Result<Vec<Connection>, Error> {
    let rows = query(LIVE_ON).bind(parent.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Offers whose time has come.
pub(crate) async fn overdue(
    db: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<Connection>, Error> {
    let rows = query(OVERDUE).bind(now.as_microsecond()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// The approved ones whose port has no light now, or never had.
pub(crate) async fn dark(db: &mut AnyConnection) -> Result<Vec<Connection>, Error> {
    query(DARK).fetch_all(db).await?.iter().map(read).collect()
}

/// The account's own, and those on which it has interfaces.
pub(crate) async fn around_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Connection>, Error> {
    let rows = query(AROUND_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// The LAG's members, in order of creation.
pub(crate) async fn of_lag(db: &mut AnyConnection, lag: LagId) -> Result<Vec<Connection>, Error> {
    let rows = query(OF_LAG).bind(lag.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn every(
    db: &mut AnyConnection,
    gone: GoneBefore,
) -> Result<Vec<Connection>, Error> {
    let rows = query(EVERY)
        .bind(gone.deleted.as_microsecond())
        .bind(gone.lapsed.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// A page of an account's, or of everybody's, in order of creation.
pub(crate) async fn page(
    db: &mut AnyConnection,
    wanted: &Narrowed,
) -> Result<Vec<Connection>, Error> {
    let base = match wanted.account {
        Some(account) => query(PAGE_OF_ACCOUNT).bind(account.to_string()),
        None => query(PAGE),
    };
    let rows = base
        .bind(wanted.gone.deleted.as_microsecond())
        .bind(wanted.gone.lapsed.as_microsecond())
        .bind(wanted.after_us())
        .bind(wanted.after_id())
        .bind(wanted.pattern())
        .bind(wanted.limit())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Orders that nobody has looked at yet.
/// Those with the latest letters, at most so many, in no order.
pub(crate) async fn lettered(
    db: &mut AnyConnection,
    limit: usize,
) -> Result<Vec<Connection>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query(LETTERED).bind(limit).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn requested(db: &mut AnyConnection) -> Result<Vec<Connection>, Error> {
    query(REQUESTED).fetch_all(db).await?.iter().map(read).collect()
}

/// Those that the account has, and that its quota counts.
pub(crate) async fn count_live(db: &mut AnyConnection, account: AccountId) -> Result<usize, Error> {
    let row = query(COUNT_LIVE).bind(account.to_string()).fetch_one(db).await?;
    row.narrow("n")
}

/// What an order of an account depends on.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) location: LocationCode,
    /// Connections that the account has.
    pub(crate) live: usize,
    /// Connections that it may have; `None`: the Region's rule.
    pub(crate) limit: Option<u32>,
    /// The location has only the ports that its inventory tells of.
    pub(crate) is_counted: bool,
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
        Ok(Room {
            location: row.word("code")?,
            live: row.narrow("live")?,
            limit,
            is_counted: row.yes("is_counted")?,
        })
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
    query(HOLDERS).fetch_all(db).await?.iter().map(read_holder).collect()
}

pub(crate) async fn holders_of(
    db: &mut AnyConnection,
    router: &directlink_model::ids::RouterName,
) -> Result<Vec<(PortRef, ConnectionId)>, Error> {
    query(HOLDERS_OF).bind(router.as_str()).fetch_all(db).await?.iter().map(read_holder).collect()
}

fn read_holder(row: &AnyRow) -> Result<(PortRef, ConnectionId), Error> {
    Ok((PortRef { router: row.word("router")?, port: row.word("port")? }, row.word("id")?))
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

/// `token`: whoever has it may ask what the letter is worth.
pub(crate) async fn issue_letter(
    db: &mut AnyConnection,
    id: ConnectionId,
    token: &str,
    now: Timestamp,
) -> Result<(), Error> {
    query(ISSUE_LETTER)
        .bind(id.to_string())
        .bind(now.as_microsecond())
        .bind(token)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn letter_token(
    db: &mut AnyConnection,
    id: ConnectionId,
) -> Result<Option<String>, Error> {
    let row = query(LETTER_TOKEN).bind(id.to_string()).fetch_optional(db).await?;
    Ok(row.map(|row| row.text_or_null("token")).transpose()?.flatten())
}

/// The connection whose letter has the token.
pub(crate) async fn with_letter(
    db: &mut AnyConnection,
    token: &str,
) -> Result<Option<Connection>, Error> {
    query(WITH_LETTER).bind(token).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Letters from before there were tokens.
pub(crate) async fn letters_without_token(
    db: &mut AnyConnection,
) -> Result<Vec<ConnectionId>, Error> {
    let rows = query(LETTERS_WITHOUT_TOKEN).fetch_all(db).await?;
    rows.iter().map(|row| row.word("connection")).collect()
}

pub(crate) async fn set_letter_token(
    db: &mut AnyConnection,
    id: ConnectionId,
    token: Option<&str>,
) -> Result<(), Error> {
    query(SET_LETTER_TOKEN).bind(id.to_string()).bind(token).execute(db).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Connection, Error> {
    let bandwidth = row.text("bandwidth")?;
    let port = row.word_or_null("router")?.zip(row.word_or_null("port")?);
    let letter_at = row.time_or_null("letter_us")?;
    let approval =
        row.time_or_null("approved_us")?.zip(port).map(|(approved_at, (router, port))| Approval {
            approved_at,
            port: PortRef { router, port },
            letter_at: letter_at.unwrap_or(approved_at),
        });
    let light = row
        .number_or_null("light")?
        .zip(row.time_or_null("light_since_us")?)
        .map(|(on, since)| Light { on: on != 0, since });
    let refused = row.time_or_null("refused_us")?.zip(row.text_or_null("refusal")?);
    let refused = refused.map(|(at, reason)| Refused { at, reason });
    Ok(Connection {
        id: row.word("id")?,
        account: row.word("account")?,
        name: row.text("name")?,
        location: row.word("location")?,
        bandwidth: bandwidth
            .parse::<Bandwidth>()
            .map_err(|()| unreadable("bandwidth", &bandwidth, "not a bandwidth"))?,
        lag: row.word_or_null("lag")?,
        requested_at: row.time("requested_us")?,
        approval,
        refused,
        light,
        is_bundled: row.number_or_null("bundled")?.is_some_and(|it| it != 0),
        delete_asked_at: row.time_or_null("delete_asked_us")?,
        deleted_at: row.time_or_null("deleted_us")?,
        hosting: hosted_connections::read(row)?,
    })
}
