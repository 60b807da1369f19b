//! Tags of connections and interfaces: each account's own, of what it can see.

use super::{App, Context, Refusal, connections::FEW, interfaces::visible, write_tx};
use crate::store::{Tx, connections, editions::Touched, journal, tag_sets};
use directlink_model::{
    Fault,
    tag_set::{TagSet, Tagged},
};
use std::collections::BTreeMap;

/// By the resources' ids; what has none is not in it.
pub type Tags = BTreeMap<String, TagSet>;

impl App {
    /// Adds tags, and gives those that are there their new value.
    pub async fn tag_line(
        &self,
        ctx: &Context,
        on: Tagged,
        more: TagSet,
    ) -> Result<TagSet, Refusal> {
        let account = ctx.caller.account;
        write_tx!(self, ctx.dry_run, |tx| {
            tx.touched = Touched::LinesOf(account);
            check_visible(tx, ctx, on).await?;
            let mut tags = tag_sets::of(tx, account, on).await?;
            tags.add(&more)?;
            tag_sets::put(tx, account, on, &tags).await?;
            record(tx, ctx, on, "tags set").await?;
            Ok(tags)
        })
    }

    /// Takes tags away.
    pub async fn untag_line(
        &self,
        ctx: &Context,
        on: Tagged,
        keys: Vec<String>,
    ) -> Result<TagSet, Refusal> {
        let account = ctx.caller.account;
        write_tx!(self, ctx.dry_run, |tx| {
            tx.touched = Touched::LinesOf(account);
            check_visible(tx, ctx, on).await?;
            let mut tags = tag_sets::of(tx, account, on).await?;
            tags.remove(&keys);
            tag_sets::put(tx, account, on, &tags).await?;
            record(tx, ctx, on, "tags removed").await?;
            Ok(tags)
        })
    }

    /// The caller's tags, of these resources only if some are named. Whether the resources are
    /// there is not asked.
    pub async fn line_tags(&self, ctx: &Context, on: Option<&[Tagged]>) -> Result<Tags, Refusal> {
        let account = ctx.caller.account;
        if let Some(lines) = self.store().kept_lines(account) {
            return Ok(match on {
                Some(on) => on.iter().filter_map(|one| kept(&lines.tags, *one)).collect(),
                None => lines.tags.clone(),
            });
        }
        let mut db = self.store().reader().await?;
        match on {
            Some(few) if few.len() <= FEW => {
                let mut found = Tags::new();
                for one in few {
                    let tags = tag_sets::of(&mut db, account, *one).await?;
                    if !tags.is_empty() {
                        found.insert(one.to_string(), tags);
                    }
                }
                Ok(found)
            }
            Some(_) | None => Ok(tag_sets::of_account(&mut db, account).await?),
        }
    }
}

fn kept(tags: &Tags, on: Tagged) -> Option<(String, TagSet)> {
    if tags.is_empty() {
        return None;
    }
    tags.get_key_value(&on.to_string()).map(|(on, tags)| (on.clone(), tags.clone()))
}

async fn check_visible(tx: &mut Tx, ctx: &Context, on: Tagged) -> Result<(), Refusal> {
    match on {
        Tagged::Interface(id) => visible(tx, ctx, id).await.map(drop),
        Tagged::Connection(id) => {
            let connection = connections::by_id(tx, id).await?;
            let own = connection.filter(|c| c.account == ctx.caller.account);
            own.map(drop).ok_or_else(|| Fault::NoSuchConnection(id).into())
        }
    }
}

async fn record(tx: &mut Tx, ctx: &Context, on: Tagged, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), on, what, ctx.request_id).await?)
}
