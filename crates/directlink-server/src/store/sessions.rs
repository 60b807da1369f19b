//! Rows of those who are signed in to Cockpit.

use super::{Error, row::Columns, statements};
use directlink_model::ids::AccountId;
use jiff::Timestamp;
use sqlx::{AnyConnection, query};

statements! {
    INSERT = "INSERT INTO cockpit_session (key_hash, account, begun_us, seen_us) VALUES ($1, $2, $3, $3)";
    BY_HASH = "SELECT account, begun_us, seen_us FROM cockpit_session WHERE key_hash = $1";
    SEE = "UPDATE cockpit_session SET seen_us = $2 WHERE key_hash = $1";
    DELETE = "DELETE FROM cockpit_session WHERE key_hash = $1";
    FORGET = "DELETE FROM cockpit_session WHERE seen_us < $1 OR begun_us < $2";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionRow {
    /// `None`: the operator.
    pub(crate) account: Option<AccountId>,
    pub(crate) begun_at: Timestamp,
    pub(crate) seen_at: Timestamp,
}

pub(crate) async fn insert(
    db: &mut AnyConnection,
    key_hash: &str,
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<(), Error> {
    query(INSERT)
        .bind(key_hash)
        .bind(account.map(|account| account.to_string()))
        .bind(now.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_hash(
    db: &mut AnyConnection,
    key_hash: &str,
) -> Result<Option<SessionRow>, Error> {
    let Some(row) = query(BY_HASH).bind(key_hash).fetch_optional(db).await? else {
        return Ok(None);
    };
    Ok(Some(SessionRow {
        account: row.word_or_null("account")?,
        begun_at: row.time("begun_us")?,
        seen_at: row.time("seen_us")?,
    }))
}

pub(crate) async fn see(
    db: &mut AnyConnection,
    key_hash: &str,
    now: Timestamp,
) -> Result<(), Error> {
    query(SEE).bind(key_hash).bind(now.as_microsecond()).execute(db).await?;
    Ok(())
}

pub(crate) async fn delete(db: &mut AnyConnection, key_hash: &str) -> Result<(), Error> {
    query(DELETE).bind(key_hash).execute(db).await?;
    Ok(())
}

/// Drops those that were last seen, or begun, before.
pub(crate) async fn forget(
    db: &mut AnyConnection,
    seen_before: Timestamp,
    begun_before: Timestamp,
) -> Result<(), Error> {
    query(FORGET)
        .bind(seen_before.as_microsecond())
        .bind(begun_before.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}
