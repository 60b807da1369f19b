//! Rows of what slows down those who guess or hurry, where several servers share it.

use super::{Error, Tx, row::Columns, row::us, statements};
use crate::auth::lockout::Wrong;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, query};

statements! {
    WRONG = "SELECT in_a_row, locked_until_us FROM wrong_secret WHERE credential = $1";
    PUT_WRONG = "INSERT INTO wrong_secret (credential, in_a_row, at_us, locked_until_us) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (credential) DO UPDATE SET in_a_row = excluded.in_a_row, at_us = excluded.at_us,
                     locked_until_us = excluded.locked_until_us";
    FORGIVE = "DELETE FROM wrong_secret WHERE credential = $1";
    FORGET_WRONG = "DELETE FROM wrong_secret WHERE at_us < $1";
    SPEND = "INSERT INTO bucket (caller, full_at_us) VALUES ($1, CAST($2 AS BIGINT) + CAST($3 AS BIGINT))
             ON CONFLICT (caller) DO UPDATE SET full_at_us = CAST($3 AS BIGINT) +
                 CASE WHEN bucket.full_at_us > CAST($2 AS BIGINT) THEN bucket.full_at_us ELSE CAST($2 AS BIGINT) END
             RETURNING full_at_us";
    FORGET_FULL = "DELETE FROM bucket WHERE full_at_us < $1";
    FORGET_ACTS = "DELETE FROM act WHERE id < $1";
}

/// Somebody may type a password where a login belongs, and made-up ones may be long.
fn hash(credential: &str) -> String {
    hex::encode(Sha256::digest(credential))
}

pub(crate) async fn wrong(
    db: &mut AnyConnection,
    credential: &str,
) -> Result<Option<Wrong>, Error> {
    let row = query(WRONG).bind(hash(credential)).fetch_optional(db).await?;
    let read = |row: sqlx::any::AnyRow| {
        Ok(Wrong {
            in_a_row: row.narrow("in_a_row")?,
            locked_until: row.time_or_null("locked_until_us")?,
        })
    };
    row.map(read).transpose()
}

pub(crate) async fn put_wrong(
    tx: &mut Tx,
    credential: &str,
    wrong: Wrong,
    now: Timestamp,
) -> Result<(), Error> {
    query(PUT_WRONG)
        .bind(hash(credential))
        .bind(i64::from(wrong.in_a_row))
        .bind(now.as_microsecond())
        .bind(us(wrong.locked_until))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn forgive(tx: &mut Tx, credential: &str) -> Result<(), Error> {
    query(FORGIVE).bind(hash(credential)).execute(&mut **tx).await?;
    Ok(())
}

/// Puts what was spent into a caller's bucket. When it is full again.
pub(crate) async fn spend(
    tx: &mut Tx,
    caller: &str,
    spent: SignedDuration,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let spent_us = i64::try_from(spent.as_micros()).unwrap_or(i64::MAX / 2);
    let row = query(SPEND)
        .bind(caller)
        .bind(now.as_microsecond())
        .bind(spent_us)
        .fetch_one(&mut **tx)
        .await?;
    row.time("full_at_us")
}

/// What nobody asks for any more: attempts and acts of more than an hour ago, and buckets that are full.
pub(crate) async fn forget_old(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    let hour_ago = now - SignedDuration::from_hours(1);
    query(FORGET_WRONG).bind(hour_ago.as_microsecond()).execute(&mut **tx).await?;
    query(FORGET_FULL).bind(now.as_microsecond()).execute(&mut **tx).await?;
    query(FORGET_ACTS).bind(first_id_of(hour_ago)).execute(&mut **tx).await?;
    Ok(())
}

/// The least number (UUID v7) that was made then or later.
fn first_id_of(at: Timestamp) -> String {
    let ms = at.as_millisecond();
    format!("{:08x}-{:04x}-7000-8000-000000000000", ms >> 16, ms & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::{NoContext, Uuid};

    #[test]
    fn numbers_of_acts_are_in_order_of_their_time() {
        let second = |s: u64| Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, s, 0)).to_string();
        for s in [1, 65_535, 65_536, 1_800_000_000] {
            let at = Timestamp::from_second(s.try_into().unwrap()).unwrap();
            assert!(first_id_of(at) <= second(s), "{s}");
            assert!(first_id_of(at) > second(s - 1), "{s}");
        }
    }
}
