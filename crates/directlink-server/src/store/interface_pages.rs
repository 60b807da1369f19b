//! Interfaces a page at a time, and counted.

use super::{Error, interfaces::all, row::Columns, row_pages::Narrowed, statements};
use directlink_model::{ids::ConnectionId, interface::Interface};
use sqlx::{AnyConnection, query};

statements! {
    // A page of those that an account may see, and of everybody's. LIKE is a cheap first look, see `Narrowed`. The sign keeps
    // SQLite from walking everybody's in order of creation to find the few of an account.
    PAGE_VISIBLE_TO = "SELECT i.* FROM interface i JOIN connection c ON c.id = i.connection
                  WHERE i.id IN (SELECT id FROM interface WHERE owner = $1 UNION
                                 SELECT o.id FROM connection c JOIN interface o ON o.connection = c.id WHERE c.account = $1)
                    AND (+i.created_us, i.id) > ($4, $5)
                    AND (i.deleted_us IS NULL OR i.deleted_us > $2)
                    AND (i.rejected_us IS NULL OR i.rejected_us > $3)
                    AND (i.expired_us IS NULL OR i.expired_us > $3)
                    AND (i.confirm_until_us IS NULL OR i.confirm_until_us > $3)
                    AND LOWER(i.id || ' ' || i.name || ' ' || c.id || ' ' || c.name || ' ' || COALESCE(i.gateway, '') || ' vlan '
                              || CAST(i.vlan AS TEXT) || ' ' || CAST(i.asn AS TEXT)) LIKE $6 ESCAPE '\\'
                  ORDER BY +i.created_us, i.id LIMIT $7";
    PAGE = "SELECT * FROM interface i
                  WHERE (i.created_us, i.id) > ($3, $4)
                    AND (i.deleted_us IS NULL OR i.deleted_us > $1)
                    AND (i.rejected_us IS NULL OR i.rejected_us > $2)
                    AND (i.expired_us IS NULL OR i.expired_us > $2)
                    AND LOWER(i.id || ' ' || i.name || ' ' || i.owner || ' ' || i.connection || ' '
                              || CAST(i.asn AS TEXT)) LIKE $5 ESCAPE '\\'
                  ORDER BY i.created_us, i.id LIMIT $6";
    COUNT_LIVE_ON = "SELECT COUNT(*) AS n FROM interface WHERE connection = $1
                     AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL";
}

/// A page of those that an account may see, or of everybody's, in order of creation.
pub(crate) async fn page(
    db: &mut AnyConnection,
    wanted: &Narrowed,
) -> Result<Vec<Interface>, Error> {
    let base = match wanted.account {
        Some(account) => query(PAGE_VISIBLE_TO).bind(account.to_string()),
        None => query(PAGE),
    };
    let rows = base
        .bind(wanted.gone.deleted.as_microsecond())
        .bind(wanted.gone.lapsed.as_microsecond())
        .bind(wanted.after_us())
        .bind(wanted.after_id())
        .bind(wanted.pattern())
        .bind(wanted.limit())
        .fetch_all(&mut *db)
        .await?;
    all(db, &rows).await
}

/// How many live on the connection.
pub(crate) async fn count_live_on(
    db: &mut AnyConnection,
    connection: ConnectionId,
) -> Result<usize, Error> {
    query(COUNT_LIVE_ON).bind(connection.to_string()).fetch_one(db).await?.narrow("n")
}
