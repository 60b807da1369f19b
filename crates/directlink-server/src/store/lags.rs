//! Rows of link aggregation groups. Their members are rows of connections.

use super::{
    Error, connections,
    row::{Columns, unreadable, us},
    statements,
};
use directlink_model::{
    connection::Bandwidth,
    ids::{AccountId, LagId},
    lag::{Bundle, Lag},
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO lag (id, account, name, location, bandwidth, minimum_links, requested_us)
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE = "UPDATE lag SET name = $2, minimum_links = $3, deleted_us = $4 WHERE id = $1";
    BY_ID = "SELECT * FROM lag WHERE id = $1";
    OF_ACCOUNT = "SELECT * FROM lag WHERE account = $1 AND (deleted_us IS NULL OR deleted_us > $2)
                  ORDER BY requested_us, id";
}

pub(crate) async fn insert(db: &mut AnyConnection, lag: &Lag) -> Result<(), Error> {
    query(INSERT)
        .bind(lag.id.to_string())
        .bind(lag.account.to_string())
        .bind(lag.name.as_str())
        .bind(lag.location.as_str())
        .bind(lag.bandwidth.as_str())
        .bind(i64::from(lag.minimum_links))
        .bind(lag.requested_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

/// Writes what can change in a LAG's life.
pub(crate) async fn update(db: &mut AnyConnection, lag: &Lag) -> Result<(), Error> {
    query(UPDATE)
        .bind(lag.id.to_string())
        .bind(lag.name.as_str())
        .bind(i64::from(lag.minimum_links))
        .bind(us(lag.deleted_at))
        .execute(db)
        .await?;
    Ok(())
}

/// The LAG with its members.
pub(crate) async fn by_id(db: &mut AnyConnection, id: LagId) -> Result<Option<Bundle>, Error> {
    let row = query(BY_ID).bind(id.to_string()).fetch_optional(&mut *db).await?;
    let Some(lag) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    let members = connections::of_lag(db, id).await?;
    Ok(Some(Bundle { lag, members }))
}

/// The account's, without those deleted before `gone_before`, in order of creation.
pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
    gone_before: Timestamp,
) -> Result<Vec<Bundle>, Error> {
    let rows = query(OF_ACCOUNT)
        .bind(account.to_string())
        .bind(gone_before.as_microsecond())
        .fetch_all(&mut *db)
        .await?;
    let mut bundles = Vec::with_capacity(rows.len());
    for row in &rows {
        let lag = read(row)?;
        let members = connections::of_lag(db, lag.id).await?;
        bundles.push(Bundle { lag, members });
    }
    Ok(bundles)
}

fn read(row: &AnyRow) -> Result<Lag, Error> {
    let bandwidth = row.text("bandwidth")?;
    Ok(Lag {
        id: row.word("id")?,
        account: row.word("account")?,
        name: row.text("name")?,
        location: row.word("location")?,
        bandwidth: bandwidth
            .parse::<Bandwidth>()
            .map_err(|()| unreadable("bandwidth", &bandwidth, "not a bandwidth"))?,
        minimum_links: row.narrow("minimum_links")?,
        requested_at: row.time("requested_us")?,
        deleted_at: row.time_or_null("deleted_us")?,
    })
}
