//! Rows of virtual gateways.

use super::{
    Error,
    row::{Columns, us},
    statements,
};
use directlink_model::{
    gateway::Gateway,
    ids::{AccountId, GatewayId, NetId},
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO gateway (id, account, created_us) VALUES ($1, $2, $3)";
    UPDATE = "UPDATE gateway SET net = $2, deleted_us = $3 WHERE id = $1";
    BY_ID = "SELECT * FROM gateway WHERE id = $1";
    OF_ACCOUNT = "SELECT * FROM gateway WHERE account = $1 AND (deleted_us IS NULL OR deleted_us > $2)
                  ORDER BY created_us, id";
    COUNT_LIVE = "SELECT COUNT(*) AS n FROM gateway WHERE account = $1 AND deleted_us IS NULL";
    OF_NET = "SELECT * FROM gateway WHERE net = $1";
}

pub(crate) async fn insert(db: &mut AnyConnection, g: &Gateway) -> Result<(), Error> {
    query(INSERT)
        .bind(g.id.to_string())
        .bind(g.account.to_string())
        .bind(g.created_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn update(db: &mut AnyConnection, g: &Gateway) -> Result<(), Error> {
    query(UPDATE)
        .bind(g.id.to_string())
        .bind(g.net.map(|net| net.to_string()))
        .bind(us(g.deleted_at))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_id(db: &mut AnyConnection, id: GatewayId) -> Result<Option<Gateway>, Error> {
    query(BY_ID).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// The account's, without those deleted before `gone_before`.
pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
    gone_before: Timestamp,
) -> Result<Vec<Gateway>, Error> {
    let rows = query(OF_ACCOUNT)
        .bind(account.to_string())
        .bind(gone_before.as_microsecond())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn count_live(db: &mut AnyConnection, account: AccountId) -> Result<usize, Error> {
    query(COUNT_LIVE).bind(account.to_string()).fetch_one(db).await?.narrow("n")
}

/// The gateway that is linked to the Net.
pub(crate) async fn of_net(db: &mut AnyConnection, net: NetId) -> Result<Option<Gateway>, Error> {
    query(OF_NET).bind(net.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

fn read(row: &AnyRow) -> Result<Gateway, Error> {
    Ok(Gateway {
        id: row.word("id")?,
        account: row.word("account")?,
        net: row.word_or_null("net")?,
        created_at: row.time("created_us")?,
        deleted_at: row.time_or_null("deleted_us")?,
    })
}
