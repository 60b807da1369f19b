//! Rows of accounts and their access keys.

use super::{
    Error,
    row::{Columns, us},
    statements,
};
use directlink_model::{
    account::{AccessKey, Account, SecretKey},
    ids::AccountId,
};
use sqlx::{AnyConnection, any::AnyRow, query};

statements! {
    INSERT = "INSERT INTO account (id, email, password_hash, created_us) VALUES ($1, $2, $3, $4)";
    BY_ID = "SELECT * FROM account WHERE id = $1";
    BY_EMAIL = "SELECT * FROM account WHERE email = $1";
    EVERY = "SELECT * FROM account ORDER BY created_us, id";
    INSERT_KEY = "INSERT INTO access_key (id, account, secret, active, created_us, modified_us, expires_us, tag)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UPDATE_KEY = "UPDATE access_key SET active = $2, modified_us = $3, expires_us = $4, tag = $5 WHERE id = $1";
    DELETE_KEY = "DELETE FROM access_key WHERE id = $1";
    KEY_BY_ID = "SELECT * FROM access_key WHERE id = $1";
    KEYS_OF_ACCOUNT = "SELECT * FROM access_key WHERE account = $1 ORDER BY created_us, id";
}

pub(crate) async fn insert(
    db: &mut AnyConnection,
    account: &Account,
    password_hash: &str,
) -> Result<(), Error> {
    query(INSERT)
        .bind(account.id.to_string())
        .bind(account.email.as_str())
        .bind(password_hash)
        .bind(account.created_at.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_id(db: &mut AnyConnection, id: AccountId) -> Result<Option<Account>, Error> {
    query(BY_ID).bind(id.to_string()).fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// With the hash of its password.
pub(crate) async fn by_email(
    db: &mut AnyConnection,
    email: &str,
) -> Result<Option<(Account, String)>, Error> {
    query(BY_EMAIL)
        .bind(email)
        .fetch_optional(db)
        .await?
        .map(|row| Ok((read(&row)?, row.text("password_hash")?)))
        .transpose()
}

pub(crate) async fn every(db: &mut AnyConnection) -> Result<Vec<Account>, Error> {
    query(EVERY).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn insert_key(
    db: &mut AnyConnection,
    key: &AccessKey,
    secret: &SecretKey,
) -> Result<(), Error> {
    query(INSERT_KEY)
        .bind(key.id.as_str())
        .bind(key.account.to_string())
        .bind(secret.expose())
        .bind(i64::from(key.active))
        .bind(key.created_at.as_microsecond())
        .bind(key.modified_at.as_microsecond())
        .bind(us(key.expires_at))
        .bind(key.tag.as_deref())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn update_key(db: &mut AnyConnection, key: &AccessKey) -> Result<(), Error> {
    query(UPDATE_KEY)
        .bind(key.id.as_str())
        .bind(i64::from(key.active))
        .bind(key.modified_at.as_microsecond())
        .bind(us(key.expires_at))
        .bind(key.tag.as_deref())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn delete_key(db: &mut AnyConnection, id: &str) -> Result<(), Error> {
    query(DELETE_KEY).bind(id).execute(db).await?;
    Ok(())
}

/// With its secret.
pub(crate) async fn key_by_id(
    db: &mut AnyConnection,
    id: &str,
) -> Result<Option<(AccessKey, SecretKey)>, Error> {
    query(KEY_BY_ID)
        .bind(id)
        .fetch_optional(db)
        .await?
        .map(|row| Ok((read_key(&row)?, SecretKey::new(row.text("secret")?))))
        .transpose()
}

pub(crate) async fn keys_of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<AccessKey>, Error> {
    let rows = query(KEYS_OF_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    rows.iter().map(read_key).collect()
}

fn read(row: &AnyRow) -> Result<Account, Error> {
    Ok(Account {
        id: row.word("id")?,
        email: row.text("email")?,
        created_at: row.time("created_us")?,
    })
}

fn read_key(row: &AnyRow) -> Result<AccessKey, Error> {
    Ok(AccessKey {
        id: row.text("id")?,
        account: row.word("account")?,
        active: row.yes("active")?,
        created_at: row.time("created_us")?,
        modified_at: row.time("modified_us")?,
        expires_at: row.time_or_null("expires_us")?,
        tag: row.text_or_null("tag")?,
    })
}
