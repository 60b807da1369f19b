//! Rows of the tags of connections and interfaces: each account's own.

use super::{Error, row::Columns, statements};
use directlink_model::{
    ids::AccountId,
    tag_set::{TagSet, Tagged},
};
use sqlx::{AnyConnection, query};
use std::collections::BTreeMap;

statements! {
    CLEAR = "DELETE FROM line_tag WHERE account = $1 AND resource = $2";
    INSERT = "INSERT INTO line_tag (resource, account, name, value) VALUES ($1, $2, $3, $4)";
    OF_RESOURCE = "SELECT resource, name, value FROM line_tag WHERE account = $1 AND resource = $2";
    OF_ACCOUNT = "SELECT resource, name, value FROM line_tag WHERE account = $1";
}

/// Writes the whole set.
pub(crate) async fn put(
    db: &mut AnyConnection,
    account: AccountId,
    resource: Tagged,
    tags: &TagSet,
) -> Result<(), Error> {
    query(CLEAR).bind(account.to_string()).bind(resource.to_string()).execute(&mut *db).await?;
    insert(db, account, resource, tags).await
}

/// For a resource that has none yet.
pub(crate) async fn insert(
    db: &mut AnyConnection,
    account: AccountId,
    resource: Tagged,
    tags: &TagSet,
) -> Result<(), Error> {
    for (name, value) in tags.iter() {
        query(INSERT)
            .bind(resource.to_string())
            .bind(account.to_string())
            .bind(name)
            .bind(value)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

pub(crate) async fn of(
    db: &mut AnyConnection,
    account: AccountId,
    resource: Tagged,
) -> Result<TagSet, Error> {
    let rows = query(OF_RESOURCE)
        .bind(account.to_string())
        .bind(resource.to_string())
        .fetch_all(db)
        .await?;
    let tags = rows.iter().map(|row| Ok((row.text("name")?, row.text("value")?)));
    stored(tags.collect::<Result<Vec<_>, Error>>()?)
}

/// By the resources' ids.
pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<BTreeMap<String, TagSet>, Error> {
    let mut all: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in &query(OF_ACCOUNT).bind(account.to_string()).fetch_all(db).await? {
        let tag = (row.text("name")?, row.text("value")?);
        all.entry(row.text("resource")?).or_default().push(tag);
    }
    all.into_iter().map(|(resource, tags)| Ok((resource, stored(tags)?))).collect()
}

pub(super) fn stored(tags: Vec<(String, String)>) -> Result<TagSet, Error> {
    TagSet::new(tags).map_err(|why| super::row::unreadable("name", "…", why))
}
