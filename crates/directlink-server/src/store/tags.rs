//! Rows of tags. What has them is named by its id as text: ids of different kinds never meet.

use super::{Error, row::Columns, statements};
use directlink_model::{ids::AccountId, tag::Tag};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::{collections::BTreeMap, fmt::Display};

statements! {
    PUT = "INSERT INTO tag (resource, key, value, account) VALUES ($1, $2, $3, $4)
           ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value";
    REMOVE = "DELETE FROM tag WHERE resource = $1 AND key = $2 AND value = $3";
    REMOVE_ALL = "DELETE FROM tag WHERE resource = $1";
    OF_RESOURCE = "SELECT * FROM tag WHERE resource = $1 ORDER BY key";
    OF_ACCOUNT = "SELECT * FROM tag WHERE account = $1 ORDER BY resource, key";
}

/// Of each resource, in order of key.
pub(crate) type TagsOf = BTreeMap<String, Vec<Tag>>;

pub(crate) async fn put(
    db: &mut AnyConnection,
    account: AccountId,
    resource: impl Display,
    tag: &Tag,
) -> Result<(), Error> {
    query(PUT)
        .bind(resource.to_string())
        .bind(tag.key.as_str())
        .bind(tag.value.as_str())
        .bind(account.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// If it has exactly this value.
pub(crate) async fn remove(
    db: &mut AnyConnection,
    resource: impl Display,
    tag: &Tag,
) -> Result<(), Error> {
    query(REMOVE)
        .bind(resource.to_string())
        .bind(tag.key.as_str())
        .bind(tag.value.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// The resource goes.
pub(crate) async fn remove_all(
    db: &mut AnyConnection,
    resource: impl Display,
) -> Result<(), Error> {
    query(REMOVE_ALL).bind(resource.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn of_resource(
    db: &mut AnyConnection,
    resource: impl Display,
) -> Result<Vec<Tag>, Error> {
    let rows = query(OF_RESOURCE).bind(resource.to_string()).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<TagsOf, Error> {
    let rows = query(OF_ACCOUNT).bind(account.to_string()).fetch_all(db).await?;
    let mut all = TagsOf::new();
    for row in &rows {
        all.entry(row.text("resource")?).or_default().push(read(row)?);
    }
    Ok(all)
}

fn read(row: &AnyRow) -> Result<Tag, Error> {
    Ok(Tag { key: row.text("key")?, value: row.text("value")? })
}
