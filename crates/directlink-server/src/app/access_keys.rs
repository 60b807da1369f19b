//! Access keys: made, changed, taken away. Whoever rotates makes the second before dropping the first.

use super::{App, Context, Refusal, chosen, write_tx};
use crate::store::{Tx, accounts, journal};
use directlink_model::{
    Fault,
    account::{AccessKey, SecretKey},
    command::{ChangeAccessKey, CreateAccessKey},
    ids::AccountId,
    quota::Quota,
};
use jiff::Timestamp;
use rand::seq::IndexedRandom;

/// A key pair, on the one occasion that its secret is shown.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    pub key: AccessKey,
    pub secret: SecretKey,
}

impl App {
    /// A new pair; the secret is shown this once.
    pub async fn create_access_key(
        &self,
        ctx: &Context,
        c: CreateAccessKey,
    ) -> Result<NewAccessKey, Refusal> {
        check_end(c.expires_at, ctx.now)?;
        check_tag(c.tag.as_deref())?;
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            self.check_one_more(tx, account, Quota::AccessKeys).await?;
            let NewAccessKey { mut key, secret } = new_key(account, ctx.now);
            (key.expires_at, key.tag) = (c.expires_at, c.tag.clone());
            accounts::insert_key(tx, &key, &secret).await?;
            record(tx, ctx, &key.id, "access key created").await?;
            Ok(NewAccessKey { key, secret })
        })
    }

    /// The caller's, in order of creation.
    pub async fn access_keys(
        &self,
        ctx: &Context,
        ids: Option<&[String]>,
    ) -> Result<Vec<AccessKey>, Refusal> {
        let mut db = self.store().reader().await?;
        let all = accounts::keys_of_account(&mut db, ctx.caller.account).await?;
        Ok(chosen(all, ids, |key| key.id.clone()))
    }

    /// Switches it on or off, gives it another end or tag. Obeyed from the next request on.
    pub async fn change_access_key(
        &self,
        ctx: &Context,
        c: ChangeAccessKey,
    ) -> Result<AccessKey, Refusal> {
        check_end(c.expires_at.flatten(), ctx.now)?;
        check_tag(c.tag.as_ref().and_then(Option::as_deref))?;
        write_tx!(self, ctx.dry_run, |tx| {
            let mut key = own(tx, ctx, &c.id).await?;
            key.active = c.active.unwrap_or(key.active);
            key.expires_at = c.expires_at.unwrap_or(key.expires_at);
            key.tag = c.tag.clone().unwrap_or(key.tag);
            key.modified_at = ctx.now;
            accounts::update_key(tx, &key).await?;
            record(tx, ctx, &key.id, "access key changed").await?;
            Ok(key)
        })
    }

    /// Nothing signed with it is believed from now on.
    pub async fn delete_access_key(&self, ctx: &Context, id: &str) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let key = own(tx, ctx, id).await?;
            accounts::delete_key(tx, &key.id).await?;
            record(tx, ctx, &key.id, "access key deleted").await?;
            Ok(())
        })
    }
}

/// The caller's key of this id.
async fn own(tx: &mut Tx, ctx: &Context, id: &str) -> Result<AccessKey, Refusal> {
    let key = accounts::key_by_id(tx, id).await?.map(|(key, _)| key);
    let own = key.filter(|key| key.account == ctx.caller.account);
    Ok(own.ok_or_else(|| Fault::NoSuchAccessKey(id.to_owned()))?)
}

fn check_end(end: Option<Timestamp>, now: Timestamp) -> Result<(), Fault> {
    match end.filter(|end| *end <= now) {
        None => Ok(()),
        Some(end) => Err(Fault::BadValue {
            parameter: "ExpirationDate",
            given: end.to_string(),
            expected: "give a time that is still to come".into(),
        }),
    }
}

fn check_tag(tag: Option<&str>) -> Result<(), Fault> {
    tag.map_or(Ok(()), |tag| super::check_name("Tag", tag))
}

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub(super) const ALPHANUMERIC: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/// Of a cryptographic generator (rand's own of the thread).
pub(super) fn text(length: usize, alphabet: &[u8]) -> String {
    let mut random = rand::rng();
    let letter = |_| alphabet.choose(&mut random).copied().map_or('0', char::from);
    (0..length).map(letter).collect()
}

/// One that never ends.
pub(super) fn new_key(account: AccountId, now: Timestamp) -> NewAccessKey {
    let key = AccessKey {
        id: text(20, UPPER),
        account,
        active: true,
        created_at: now,
        modified_at: now,
        expires_at: None,
        tag: None,
    };
    NewAccessKey { key, secret: SecretKey::new(text(40, UPPER)) }
}

async fn record(tx: &mut Tx, ctx: &Context, id: &str, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
