//! Rows of the log of calls. Written in batches, read by time, dropped by age and by number.

use super::{Error, row::Columns, statements};
use directlink_model::ids::AccountId;
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO api_log (id, account, at_us, api, version, call, access_key, address, user_agent,
                  headers, headers_size, payload, payload_size, response_size, status, duration_us)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
              ON CONFLICT DO NOTHING";
    PAGE = "SELECT * FROM api_log WHERE account = $1 AND at_us >= $2
              AND (at_us < $3 OR (at_us = $3 AND id < $4))
            ORDER BY at_us DESC, id DESC LIMIT $5";
    DROP_OLD = "DELETE FROM api_log WHERE at_us < $1";
    DROP_SURPLUS = "DELETE FROM api_log WHERE account = $1 AND at_us <= (
                        SELECT at_us FROM api_log WHERE account = $2 ORDER BY at_us DESC LIMIT 1 OFFSET $3)";
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiLog {
    /// The request's.
    pub id: String,
    pub account: AccountId,
    pub at: Timestamp,
    pub api: String,
    pub version: String,
    pub call: String,
    /// `None`: called with a password.
    pub access_key: Option<String>,
    pub address: Option<String>,
    pub user_agent: String,
    /// Without credentials.
    pub headers: String,
    pub headers_size: i64,
    /// Without secrets.
    pub payload: String,
    pub payload_size: i64,
    pub response_size: i64,
    pub status: i64,
    pub duration_us: i64,
}

pub(crate) async fn insert(db: &mut AnyConnection, log: &ApiLog) -> Result<(), Error> {
    query(INSERT)
        .bind(log.id.as_str())
        .bind(log.account.to_string())
        .bind(log.at.as_microsecond())
        .bind(log.api.as_str())
        .bind(log.version.as_str())
        .bind(log.call.as_str())
        .bind(log.access_key.as_deref())
        .bind(log.address.as_deref())
        .bind(log.user_agent.as_str())
        .bind(log.headers.as_str())
        .bind(log.headers_size)
        .bind(log.payload.as_str())
        .bind(log.payload_size)
        .bind(log.response_size)
        .bind(log.status)
        .bind(log.duration_us)
        .execute(db)
        .await?;
    Ok(())
}

/// Newest first: those at or after `from`, and before the call `id` at `before`.
pub(crate) async fn page(
    db: &mut AnyConnection,
    account: AccountId,
    from: Timestamp,
    (before, id): (Timestamp, &str),
    at_most: u32,
) -> Result<Vec<ApiLog>, Error> {
    let rows = query(PAGE)
        .bind(account.to_string())
        .bind(from.as_microsecond())
        .bind(before.as_microsecond())
        .bind(id)
        .bind(i64::from(at_most))
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn drop_old(db: &mut AnyConnection, before: Timestamp) -> Result<(), Error> {
    query(DROP_OLD).bind(before.as_microsecond()).execute(db).await?;
    Ok(())
}

/// Keeps the account's newest `keep`.
pub(crate) async fn drop_surplus(
    db: &mut AnyConnection,
    account: AccountId,
    keep: u32,
) -> Result<(), Error> {
    let account = account.to_string();
    query(DROP_SURPLUS)
        .bind(account.as_str())
        .bind(account.as_str())
        .bind(i64::from(keep))
        .execute(db)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<ApiLog, Error> {
    Ok(ApiLog {
        id: row.text("id")?,
        account: row.word("account")?,
        at: row.time("at_us")?,
        api: row.text("api")?,
        version: row.text("version")?,
        call: row.text("call")?,
        access_key: row.text_or_null("access_key")?,
        address: row.text_or_null("address")?,
        user_agent: row.text("user_agent")?,
        headers: row.text("headers")?,
        headers_size: row.number("headers_size")?,
        payload: row.text("payload")?,
        payload_size: row.number("payload_size")?,
        response_size: row.number("response_size")?,
        status: row.number("status")?,
        duration_us: row.number("duration_us")?,
    })
}
