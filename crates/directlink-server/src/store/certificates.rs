//! Rows of routers' certificates, and of the tokens by which they come to their first.

use super::{
    Error, Tx,
    row::{Columns, us},
    sites::read_router,
    statements,
};
use directlink_model::{enrolment::Enrolment, ids::RouterName, location::Router};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO router_certificate (fingerprint, router, authority, issued_us, expires_us)
              VALUES ($1, $2, $3, $4, $5)";
    NEWEST = "UPDATE router SET identity = $2 WHERE name = $1";
    HOLDER = "SELECT r.*, c.authority FROM router_certificate c JOIN router r ON r.name = c.router
              WHERE c.fingerprint = $1 AND c.revoked_us IS NULL";
    IS_REVOKED = "SELECT COUNT(*) AS n FROM router_certificate WHERE fingerprint = $1 AND revoked_us IS NOT NULL";
    REVOKE = "UPDATE router_certificate SET revoked_us = $2 WHERE router = $1 AND revoked_us IS NULL";
    FORGET = "DELETE FROM router_certificate WHERE router = $1 AND expires_us < $2";
    STANDINGS = "SELECT router, MAX(issued_us) AS issued_us, MAX(expires_us) AS expires_us
                 FROM router_certificate WHERE revoked_us IS NULL GROUP BY router";
    CUT_OFF = "UPDATE agent SET stream = '', is_attached = 0 WHERE router = $1";
    ENROL = "INSERT INTO enrolment (router, secret_hash, created_us, expires_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (router) DO UPDATE SET secret_hash = excluded.secret_hash,
                 created_us = excluded.created_us, expires_us = excluded.expires_us, used_by = NULL";
    BY_SECRET = "SELECT router, created_us, expires_us, used_by FROM enrolment WHERE secret_hash = $1";
    ENROLMENTS = "SELECT router, created_us, expires_us, used_by FROM enrolment ORDER BY router";
    USE = "UPDATE enrolment SET used_by = $2 WHERE router = $1";
    CANCEL = "DELETE FROM enrolment WHERE router = $1";
}

/// The newest certificate of a router, of those that are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) router: RouterName,
    pub(crate) issued_at: Timestamp,
    /// `None`: it has no end, as those of an earlier version.
    pub(crate) expires_at: Option<Timestamp>,
}

/// One more. Those that ran out are forgotten.
pub(crate) async fn insert(
    tx: &mut Tx,
    router: &RouterName,
    (fingerprint, authority): (&str, &str),
    (issued_at, expires_at): (Timestamp, Timestamp),
) -> Result<(), Error> {
    query(FORGET).bind(router.as_str()).bind(issued_at.as_microsecond()).execute(&mut **tx).await?;
    query(INSERT)
        .bind(fingerprint)
        .bind(router.as_str())
        .bind(authority)
        .bind(issued_at.as_microsecond())
        .bind(us(Some(expires_at)))
        .execute(&mut **tx)
        .await?;
    query(NEWEST).bind(router.as_str()).bind(fingerprint).execute(&mut **tx).await?;
    Ok(())
}

/// Whose certificate it is, if it is good, and who signed it, if that is known.
pub(crate) async fn holder(
    db: &mut AnyConnection,
    fingerprint: &str,
) -> Result<Option<(Router, Option<String>)>, Error> {
    let row = query(HOLDER).bind(fingerprint).fetch_optional(db).await?;
    let read = |row: AnyRow| Ok((read_router(&row)?, row.text_or_null("authority")?));
    row.map(read).transpose()
}

/// One that ran out is not: who began a stream with it may go on.
pub(crate) async fn is_revoked(db: &mut AnyConnection, fingerprint: &str) -> Result<bool, Error> {
    query(IS_REVOKED).bind(fingerprint).fetch_one(db).await?.yes("n")
}

/// All of a router's: they are worth nothing from now on, and neither is what comes on a stream that one of them opened.
pub(crate) async fn revoke(tx: &mut Tx, router: &RouterName, now: Timestamp) -> Result<(), Error> {
    query(REVOKE).bind(router.as_str()).bind(now.as_microsecond()).execute(&mut **tx).await?;
    query(NEWEST).bind(router.as_str()).bind(none(router)).execute(&mut **tx).await?;
    query(CUT_OFF).bind(router.as_str()).execute(&mut **tx).await?;
    Ok(())
}

/// In place of a fingerprint, for servers of an earlier version: no certificate has it, and no other router.
pub(super) fn none(router: &RouterName) -> String {
    format!("none {router}")
}

pub(crate) async fn standings(db: &mut AnyConnection) -> Result<Vec<Standing>, Error> {
    let read = |row: &AnyRow| {
        Ok(Standing {
            router: row.word("router")?,
            issued_at: row.time("issued_us")?,
            expires_at: row.time_or_null("expires_us")?,
        })
    };
    query(STANDINGS).fetch_all(db).await?.iter().map(read).collect()
}

/// In place of the one that the router had.
pub(crate) async fn enrol(
    tx: &mut Tx,
    enrolment: &Enrolment,
    secret_hash: &str,
) -> Result<(), Error> {
    query(ENROL)
        .bind(enrolment.router.as_str())
        .bind(secret_hash)
        .bind(enrolment.created_at.as_microsecond())
        .bind(enrolment.expires_at.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn by_secret(
    db: &mut AnyConnection,
    secret_hash: &str,
) -> Result<Option<Enrolment>, Error> {
    let row = query(BY_SECRET).bind(secret_hash).fetch_optional(db).await?;
    row.as_ref().map(read_enrolment).transpose()
}

pub(crate) async fn enrolments(db: &mut AnyConnection) -> Result<Vec<Enrolment>, Error> {
    query(ENROLMENTS).fetch_all(db).await?.iter().map(read_enrolment).collect()
}

/// `key`: the fingerprint of the one that it made a certificate for.
pub(crate) async fn use_up(tx: &mut Tx, router: &RouterName, key: &str) -> Result<(), Error> {
    query(USE).bind(router.as_str()).bind(key).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn cancel(tx: &mut Tx, router: &RouterName) -> Result<(), Error> {
    query(CANCEL).bind(router.as_str()).execute(&mut **tx).await?;
    Ok(())
}

fn read_enrolment(row: &AnyRow) -> Result<Enrolment, Error> {
    Ok(Enrolment {
        router: row.word("router")?,
        created_at: row.time("created_us")?,
        expires_at: row.time("expires_us")?,
        used_by: row.text_or_null("used_by")?,
    })
}
