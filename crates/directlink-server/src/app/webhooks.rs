//! Webhooks of accounts: where they want to be told.

use super::{App, Context, Refusal, write_tx};
use crate::{
    store::{
        accounts,
        editions::Touched,
        journal::{self, Actor},
        webhooks::{self, Message, Webhook},
    },
    webhooks::{Target, new_secret},
};
use directlink_model::ids::{AccountId, WebhookId};
use jiff::Timestamp;

/// An account has no more.
pub const WEBHOOKS_MAX: usize = 10;
/// A list of messages shows so many.
pub const MESSAGES_MAX: usize = 200;

/// What came of adding one.
#[derive(Debug)]
pub enum Added {
    Webhook(Box<Webhook>),
    NoSuchAccount,
    /// It has as many as it may.
    Enough,
}

impl App {
    /// By the operator. `url` was read by [`Target::new`]. Its secret is in the answer, and in no other.
    pub async fn add_webhook(&self, account: AccountId, url: &Target) -> Result<Added, Refusal> {
        self.insert_webhook((&Actor::Operator, self.now(), false), account, url).await
    }

    /// By whom it is for.
    pub async fn add_own_webhook(&self, ctx: &Context, url: &Target) -> Result<Added, Refusal> {
        self.insert_webhook((&ctx.actor(), ctx.now, ctx.dry_run), ctx.caller.account, url).await
    }

    async fn insert_webhook(
        &self,
        (by, now, dry_run): (&Actor, Timestamp, bool),
        account: AccountId,
        url: &Target,
    ) -> Result<Added, Refusal> {
        let webhook = Webhook {
            id: WebhookId::from_bits(self.draw()),
            account,
            url: url.to_string(),
            secret: new_secret(),
            created_at: now,
        };
        write_tx!(self, dry_run, |tx| {
            tx.touched = Touched::None;
            if accounts::by_id(tx, account).await?.is_none() {
                return Ok(Added::NoSuchAccount);
            }
            let others = webhooks::living(tx).await?;
            if others.iter().filter(|other| other.account == account).count() >= WEBHOOKS_MAX {
                return Ok(Added::Enough);
            }
            webhooks::insert(tx, &webhook).await?;
            journal::record(tx, (by, now), webhook.id, "webhook added", account).await?;
            Ok(Added::Webhook(Box::new(webhook.clone())))
        })
    }

    /// Those of an account, or all. Nobody shows their secrets again.
    pub async fn webhooks(&self, of: Option<AccountId>) -> Result<Vec<Webhook>, Refusal> {
        let mut db = self.store().reader().await?;
        let all = webhooks::living(&mut db).await?;
        Ok(all.into_iter().filter(|it| of.is_none_or(|account| it.account == account)).collect())
    }

    /// The caller's of that id.
    pub async fn own_webhook(
        &self,
        ctx: &Context,
        id: WebhookId,
    ) -> Result<Option<Webhook>, Refusal> {
        let own = self.webhooks(Some(ctx.caller.account)).await?;
        Ok(own.into_iter().find(|it| it.id == id))
    }

    /// By the operator. False: there is none.
    pub async fn remove_webhook(&self, id: WebhookId) -> Result<bool, Refusal> {
        self.end_webhook((&Actor::Operator, self.now(), false), id).await
    }

    /// False: the caller has none of that id.
    pub async fn remove_own_webhook(&self, ctx: &Context, id: WebhookId) -> Result<bool, Refusal> {
        match self.own_webhook(ctx, id).await? {
            Some(_) => self.end_webhook((&ctx.actor(), ctx.now, ctx.dry_run), id).await,
            None => Ok(false),
        }
    }

    async fn end_webhook(
        &self,
        (by, now, dry_run): (&Actor, Timestamp, bool),
        id: WebhookId,
    ) -> Result<bool, Refusal> {
        write_tx!(self, dry_run, |tx| {
            tx.touched = Touched::None;
            let was_there = webhooks::remove(tx, id, now).await?;
            if was_there {
                journal::record(tx, (by, now), id, "webhook removed", "").await?;
            }
            Ok(was_there)
        })
    }

    /// What it was told and what waits, the newest first.
    pub async fn webhook_messages(&self, id: WebhookId) -> Result<Vec<Message>, Refusal> {
        let mut db = self.store().reader().await?;
        Ok(webhooks::latest(&mut db, id, MESSAGES_MAX).await?)
    }
}
