//! How much an account may have: the Region's rule, or what the operator gave that account.

use super::{App, Context, Refusal, write_tx};
use crate::store::{
    AnyConnection, Tx, accounts,
    journal::{self, Actor},
    quotas,
};
use directlink_model::{Fault, command::SetQuota, ids::AccountId, quota::Quota, view::QuotaView};

impl App {
    /// The caller's.
    pub async fn quotas(&self, ctx: &Context) -> Result<Vec<QuotaView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        self.quotas_in(&mut db, ctx.caller.account).await
    }

    /// An account's, for the operator.
    pub async fn quotas_of(&self, account: AccountId) -> Result<Vec<QuotaView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        if accounts::by_id(&mut db, account).await?.is_none() {
            return Err(Fault::NoSuchAccount(account).into());
        }
        self.quotas_in(&mut db, account).await
    }

    /// Another limit for one account. What it has already stays, also above the limit.
    pub async fn set_quota(&self, c: SetQuota) -> Result<(), Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            if accounts::by_id(tx, c.account).await?.is_none() {
                return Err(Fault::NoSuchAccount(c.account).into());
            }
            quotas::put(tx, c.account, c.quota, c.limit).await?;
            let limit = c.limit.map_or_else(|| "default".to_owned(), |limit| limit.to_string());
            let why = format!("{} {limit}", c.quota.as_str());
            journal::record(tx, (&Actor::Operator, now), c.account, "quota set", why).await?;
            Ok(())
        })
    }

    async fn quotas_in(
        &self,
        db: &mut AnyConnection,
        account: AccountId,
    ) -> Result<Vec<QuotaView>, Refusal> {
        let mut views = Vec::with_capacity(Quota::ALL.len());
        for quota in Quota::ALL {
            let own = quotas::limit(db, account, quota).await?;
            let limit = own.unwrap_or_else(|| self.rules().limit(quota));
            views.push(QuotaView { quota, limit, used: quotas::used(db, account, quota).await? });
        }
        Ok(views)
    }

    /// Whether the account may have `count` of it.
    pub(super) async fn check_quota(
        &self,
        tx: &mut Tx,
        account: AccountId,
        quota: Quota,
        count: usize,
    ) -> Result<(), Refusal> {
        let own = quotas::limit(tx, account, quota).await?;
        Ok(self.check_limit(quota, own, count)?)
    }

    /// Whether an account with a limit of its `own`, or none, may have `count` of it.
    pub(super) fn check_limit(
        &self,
        quota: Quota,
        own: Option<u32>,
        count: usize,
    ) -> Result<(), Fault> {
        let limit = own.unwrap_or_else(|| self.rules().limit(quota));
        match count <= limit as usize {
            true => Ok(()),
            false => Err(Fault::TooMany { what: quota, limit }),
        }
    }

    /// Whether the account may have one more than it has.
    pub(super) async fn check_one_more(
        &self,
        tx: &mut Tx,
        account: AccountId,
        quota: Quota,
    ) -> Result<(), Refusal> {
        let used = quotas::used(tx, account, quota).await?;
        self.check_quota(tx, account, quota, used as usize + 1).await
    }
}
