//! Rows of the log of calls. Written in batches, read by time, dropped by age and by number.

use super::{Error, row::Columns, statements};
use directlink_model::ids::AccountId;
use jiff::Timestamp;
use sqlx::{
    Any, AnyConnection,
    any::{AnyArguments, AnyRow},
    query,
    query::Query,
};

/// An INSERT with these rows of parameters.
macro_rules! insert {
    ($first:literal $(, $row:literal)*) => {
        concat!(
            "INSERT INTO api_log (id, account, at_us, api, version, call, access_key, address, user_agent,
                 headers, headers_size, payload, payload_size, response_size, status, duration_us)
             VALUES ", $first, $(", ", $row,)* " ON CONFLICT DO NOTHING"
        )
    };
}

statements! {
    INSERT = insert!("($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)");
    // As many as a statement's walk to its thread and back is shared by.
    INSERT_EIGHT = insert!(
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        "($17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)",
        "($33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48)",
        "($49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64)",
        "($65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79, $80)",
        "($81, $82, $83, $84, $85, $86, $87, $88, $89, $90, $91, $92, $93, $94, $95, $96)",
        "($97, $98, $99, $100, $101, $102, $103, $104, $105, $106, $107, $108, $109, $110, $111, $112)",
        "($113, $114, $115, $116, $117, $118, $119, $120, $121, $122, $123, $124, $125, $126, $127, $128)"
    );
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

/// How many [`INSERT_EIGHT`] takes.
const EIGHT: usize = 8;

pub(crate) async fn insert(db: &mut AnyConnection, logs: &[ApiLog]) -> Result<(), Error> {
    let (eights, rest) = logs.as_chunks::<EIGHT>();
    for logs in eights {
        logs.iter().fold(query(INSERT_EIGHT), bind).execute(&mut *db).await?;
    }
    for log in rest {
        bind(query(INSERT), log).execute(&mut *db).await?;
    }
    Ok(())
}

fn bind<'q>(
    statement: Query<'q, Any, AnyArguments>,
    log: &'q ApiLog,
) -> Query<'q, Any, AnyArguments> {
    statement
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
