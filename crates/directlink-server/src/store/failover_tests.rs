//! Rows of failover tests: those that run, and the last year's.

use super::{Error, bgp_peers, row::Columns, row::us, statements};
use directlink_model::{
    bgp_peer::first_peer,
    failover::{Ended, FailoverTest},
    ids::{AccountId, InterfaceId},
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO failover_test (id, interface, owner, minutes, started_us, until_us, peers)
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    END = "UPDATE failover_test SET ended_us = $2, ended_early = $3 WHERE id = $1";
    RUNNING = "SELECT * FROM failover_test WHERE interface = $1 AND ended_us IS NULL";
    OVERDUE = "SELECT * FROM failover_test WHERE ended_us IS NULL AND until_us <= $1 ORDER BY until_us LIMIT 256";
    NEXT_DEADLINE = "SELECT MIN(until_us) AS us FROM failover_test WHERE ended_us IS NULL";
    OF_OWNER = "SELECT * FROM failover_test WHERE owner = $1 AND started_us > $2 ORDER BY started_us, id";
    FORGET = "DELETE FROM failover_test WHERE ended_us IS NOT NULL AND started_us <= $1";
}

pub(crate) async fn insert(db: &mut AnyConnection, test: &FailoverTest) -> Result<(), Error> {
    query(INSERT)
        .bind(test.id.to_string())
        .bind(test.interface.to_string())
        .bind(test.owner.to_string())
        .bind(i64::from(test.minutes))
        .bind(test.started_at.as_microsecond())
        .bind(test.until().as_microsecond())
        .bind(bgp_peers::list(&test.peers))
        .execute(db)
        .await?;
    Ok(())
}

/// Writes how it ended.
pub(crate) async fn end(db: &mut AnyConnection, test: &FailoverTest) -> Result<(), Error> {
    query(END)
        .bind(test.id.to_string())
        .bind(us(test.ended.map(|ended| ended.at)))
        .bind(test.ended.map(|ended| i64::from(ended.early)))
        .execute(db)
        .await?;
    Ok(())
}

/// The one that has not ended on this interface.
pub(crate) async fn running(
    db: &mut AnyConnection,
    interface: InterfaceId,
) -> Result<Option<FailoverTest>, Error> {
    query(RUNNING)
        .bind(interface.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Those whose minutes are over.
pub(crate) async fn overdue(
    db: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<FailoverTest>, Error> {
    query(OVERDUE).bind(now.as_microsecond()).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn next_deadline(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    query(NEXT_DEADLINE).fetch_one(db).await?.time_or_null("us")
}

/// Of the owner's interfaces, begun after `since`, in order of their beginning.
pub(crate) async fn of_owner(
    db: &mut AnyConnection,
    owner: AccountId,
    since: Timestamp,
) -> Result<Vec<FailoverTest>, Error> {
    let rows =
        query(OF_OWNER).bind(owner.to_string()).bind(since.as_microsecond()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Drops those begun by then.
pub(crate) async fn forget(db: &mut AnyConnection, until: Timestamp) -> Result<(), Error> {
    query(FORGET).bind(until.as_microsecond()).execute(db).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<FailoverTest, Error> {
    let early = row.number_or_null("ended_early")?.is_some_and(|early| early != 0);
    let interface = row.word("interface")?;
    let mut peers = bgp_peers::read_list(row, "peers")?;
    if peers.is_empty() {
        peers.insert(first_peer(interface));
    }
    Ok(FailoverTest {
        id: row.word("id")?,
        interface,
        peers,
        owner: row.word("owner")?,
        minutes: row.narrow("minutes")?,
        started_at: row.time("started_us")?,
        ended: row.time_or_null("ended_us")?.map(|at| Ended { at, early }),
    })
}
