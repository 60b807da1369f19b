//! Tags on what an account has.

use super::{App, Context, Refusal, gateways, nets, nics, route_tables, security_groups, write_tx};
use crate::store::{Tx, journal, tags};
use directlink_model::{
    command::SetTags,
    quota::Quota,
    tag::{Tag, Taggable},
};
use std::{fmt::Display, ops::Deref};

/// A thing with the tags that it carries, in order of key.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    pub one: T,
    pub tags: Vec<Tag>,
}

impl<T> Deref for Tagged<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.one
    }
}

/// So few are looked up one by one.
const FEW: usize = 8;

impl App {
    /// Sticks tags on resources; one of the same key gets the new value.
    pub async fn create_tags(&self, ctx: &Context, c: SetTags) -> Result<(), Refusal> {
        Tag::check_all(&c.tags)?;
        write_tx!(self, ctx.dry_run, |tx| {
            check_own(tx, ctx, &c.resources).await?;
            for resource in &c.resources {
                for tag in &c.tags {
                    tags::put(tx, ctx.caller.account, resource, tag).await?;
                }
                let count = tags::of_resource(tx, resource).await?.len();
                self.check_quota(tx, ctx.caller.account, Quota::TagsPerResource, count).await?;
                record(tx, ctx, resource, "tags created").await?;
            }
            Ok(())
        })
    }

    /// Takes them off where key and value are these.
    pub async fn delete_tags(&self, ctx: &Context, c: SetTags) -> Result<(), Refusal> {
        Tag::check_all(&c.tags)?;
        write_tx!(self, ctx.dry_run, |tx| {
            check_own(tx, ctx, &c.resources).await?;
            for resource in &c.resources {
                for tag in &c.tags {
                    tags::remove(tx, resource, tag).await?;
                }
                record(tx, ctx, resource, "tags deleted").await?;
            }
            Ok(())
        })
    }

    /// The caller's, each with what carries it: in order of resource, then key.
    pub async fn all_tags(&self, ctx: &Context) -> Result<Vec<(Taggable, Tag)>, Refusal> {
        let mut db = self.store().reader().await?;
        let all = tags::of_account(&mut db, ctx.caller.account).await?;
        let of = |(resource, tags): (String, Vec<Tag>)| {
            let resource: Option<Taggable> = resource.parse().ok();
            resource.into_iter().flat_map(move |r| tags.clone().into_iter().map(move |t| (r, t)))
        };
        Ok(all.into_iter().flat_map(of).collect())
    }

    /// The caller's things with their tags.
    pub async fn tagged<T, I: Display>(
        &self,
        ctx: &Context,
        things: Vec<T>,
        id: impl Fn(&T) -> I,
    ) -> Result<Vec<Tagged<T>>, Refusal> {
        if things.is_empty() {
            return Ok(vec![]);
        }
        let mut db = self.store().reader().await?;
        let mut all = tags::TagsOf::new();
        if things.len() > FEW {
            all = tags::of_account(&mut db, ctx.caller.account).await?;
        } else {
            for one in &things {
                let id = id(one).to_string();
                let tags = tags::of_resource(&mut db, &id).await?;
                all.insert(id, tags);
            }
        }
        let mut tagged = Vec::with_capacity(things.len());
        for one in things {
            let tags = all.remove(&id(&one).to_string()).unwrap_or_default();
            tagged.push(Tagged { one, tags });
        }
        Ok(tagged)
    }
}

/// All of them are the caller's.
async fn check_own(tx: &mut Tx, ctx: &Context, resources: &[Taggable]) -> Result<(), Refusal> {
    for resource in resources {
        match *resource {
            Taggable::Net(id) => nets::own(tx, ctx, id).await.map(drop)?,
            Taggable::Subnet(id) => nets::own_subnet(tx, ctx, id).await.map(drop)?,
            Taggable::Gateway(id) => {
                let gateway = gateways::own(tx, ctx, id).await?;
                gateway.check_available()?;
            }
            Taggable::RouteTable(id) => route_tables::own(tx, ctx, id).await.map(drop)?,
            Taggable::Nic(id) => nics::own(tx, ctx, id).await.map(drop)?,
            Taggable::SecurityGroup(id) => security_groups::own(tx, ctx, id).await.map(drop)?,
        }
    }
    Ok(())
}

async fn record(tx: &mut Tx, ctx: &Context, id: &Taggable, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
