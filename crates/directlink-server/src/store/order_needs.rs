//! Rows of what customers tell with their orders.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    ids::ConnectionId,
    needs::{Needs, Reach},
};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT = "INSERT INTO order_needs (connection, reach, provider, hosts_equipment) VALUES ($1, $2, $3, $4)";
    // Of orders that wait: their reader is who approves them.
    WAITING = "SELECT n.* FROM order_needs n JOIN connection c ON c.id = n.connection
               WHERE c.approved_us IS NULL AND c.deleted_us IS NULL";
}

pub(crate) async fn insert(
    db: &mut AnyConnection,
    id: ConnectionId,
    needs: &Needs,
) -> Result<(), Error> {
    query(INSERT)
        .bind(id.to_string())
        .bind(needs.reach.map(Reach::as_str))
        .bind(needs.provider.as_deref())
        .bind(i64::from(needs.hosts_equipment))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn waiting(
    db: &mut AnyConnection,
) -> Result<BTreeMap<ConnectionId, Needs>, Error> {
    let rows = query(WAITING).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("connection")?, read(row)?))).collect()
}

fn read(row: &AnyRow) -> Result<Needs, Error> {
    let reach = row.text_or_null("reach")?;
    let reach = reach.map(|text| text.parse().map_err(|why| unreadable("reach", &text, why)));
    Ok(Needs {
        reach: reach.transpose()?,
        provider: row.text_or_null("provider")?,
        hosts_equipment: row.yes("hosts_equipment")?,
    })
}
