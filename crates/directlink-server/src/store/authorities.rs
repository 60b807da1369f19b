//! Rows of certificate authorities, and of whom routers trust.

use super::{
    Error, Tx,
    row::{Columns, us},
    statements,
};
use directlink_model::{authority::RouterTrust, ids::RouterName};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    ALL_OF_THEM = "SELECT id, certificate, signing_key, added_us, signs_from_us FROM authority ORDER BY added_us, id";
    INSERT = "INSERT INTO authority (id, certificate, signing_key, added_us, signs_from_us)
              VALUES ($1, $2, $3, $4, $5)";
    SIGNS = "UPDATE authority SET signs_from_us = $2 WHERE id = $1";
    RETIRE = "DELETE FROM authority WHERE id = $1";
    ADOPT = "UPDATE router_certificate SET authority = $1 WHERE authority IS NULL";
    TRUSTS = "INSERT INTO router_trust (router, authorities) VALUES ($1, $2)
              ON CONFLICT (router) DO UPDATE SET authorities = excluded.authorities";
    TRUST_OF = "SELECT authorities FROM router_trust WHERE router = $1";
    ROUTERS = "SELECT c.router, c.authority, t.authorities FROM router_certificate c
               LEFT JOIN router_trust t ON t.router = c.router
               WHERE c.revoked_us IS NULL AND (c.expires_us IS NULL OR c.expires_us > $1)
                 AND NOT EXISTS (SELECT 1 FROM router_certificate n WHERE n.router = c.router
                                 AND n.revoked_us IS NULL AND n.issued_us > c.issued_us)
               ORDER BY c.router";
}

/// An authority as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityRow {
    pub(crate) id: String,
    /// PEM.
    pub(crate) certificate: String,
    /// PEM; `None`: in files that servers are given.
    pub(crate) key: Option<SecretString>,
    pub(crate) added_at: Timestamp,
    pub(crate) signs_from: Option<Timestamp>,
}

pub(crate) async fn all(db: &mut AnyConnection) -> Result<Vec<AuthorityRow>, Error> {
    let read = |row: &AnyRow| {
        Ok(AuthorityRow {
            id: row.text("id")?,
            certificate: row.text("certificate")?,
            key: row.text_or_null("signing_key")?.map(SecretString::from),
            added_at: row.time("added_us")?,
            signs_from: row.time_or_null("signs_from_us")?,
        })
    };
    query(ALL_OF_THEM).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn insert(tx: &mut Tx, row: &AuthorityRow) -> Result<(), Error> {
    query(INSERT)
        .bind(row.id.as_str())
        .bind(row.certificate.as_str())
        .bind(row.key.as_ref().map(|key| key.expose_secret().to_owned()))
        .bind(row.added_at.as_microsecond())
        .bind(us(row.signs_from))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What an earlier version had signed, before it was noted by whom.
pub(crate) async fn adopt(tx: &mut Tx, id: &str) -> Result<(), Error> {
    query(ADOPT).bind(id).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn signs(tx: &mut Tx, id: &str, from: Timestamp) -> Result<(), Error> {
    query(SIGNS).bind(id).bind(from.as_microsecond()).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn retire(tx: &mut Tx, id: &str) -> Result<(), Error> {
    query(RETIRE).bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// What its agent said. `authorities`: their ids.
pub(crate) async fn put_trust(
    tx: &mut Tx,
    router: &RouterName,
    authorities: &[String],
) -> Result<(), Error> {
    query(TRUSTS).bind(router.as_str()).bind(authorities.join(" ")).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn trust_of(
    db: &mut AnyConnection,
    router: &RouterName,
) -> Result<Vec<String>, Error> {
    let row = query(TRUST_OF).bind(router.as_str()).fetch_optional(db).await?;
    let split = |row: AnyRow| Ok(words(row.str("authorities")?));
    row.map(split).transpose().map(Option::unwrap_or_default)
}

/// Of routers with a good certificate.
pub(crate) async fn router_trusts(
    db: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<RouterTrust>, Error> {
    let read = |row: &AnyRow| {
        Ok(RouterTrust {
            router: row.word("router")?,
            trusts: words(row.str_or_null("authorities")?.unwrap_or_default()),
            certified_by: row.text_or_null("authority")?,
        })
    };
    query(ROUTERS).bind(now.as_microsecond()).fetch_all(db).await?.iter().map(read).collect()
}

fn words<T: FromIterator<String>>(text: &str) -> T {
    text.split_whitespace().map(str::to_owned).collect()
}
