//! Network interface cards.

use super::{
    App, Context, Refusal, chosen, nets::own_subnet, security_groups::DEFAULT_NAME, write_tx,
};
use crate::store::{Tx, journal, nets, nics, plans, security_groups};
use directlink_model::{
    Fault,
    command::CreateNic,
    ids::{NetId, NicId, SecurityGroupId},
    net::{Nic, Subnet},
    view::NicView,
};
use directlink_net::Mac;
use std::collections::BTreeMap;

impl App {
    /// A card in a Subnet; it lives nowhere until the operator's side says where.
    pub async fn create_nic(&self, ctx: &Context, c: CreateNic) -> Result<NicView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let subnet = own_subnet(tx, ctx, c.subnet).await?;
            let security_groups = groups(tx, ctx, &c, subnet.net).await?;
            let taken = nics::addresses(tx, subnet.id).await?;
            let nic = Nic {
                id: NicId::from_bits(rand::random()),
                account: ctx.caller.account,
                subnet: subnet.id,
                net: subnet.net,
                address: subnet.address_for(c.address, &taken)?,
                mac: random_mac(),
                description: c.description.clone(),
                security_groups,
                vtep: None,
                created_at: ctx.now,
            };
            nics::insert(tx, &nic).await?;
            plans::mark_net(tx, nic.net).await?;
            record(tx, ctx, nic.id, "NIC created").await?;
            Ok(NicView { nic, subnet })
        })
    }

    /// The caller's, in order of creation.
    pub async fn nics(
        &self,
        ctx: &Context,
        ids: Option<&[NicId]>,
    ) -> Result<Vec<NicView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let all = nics::of_account(&mut db, ctx.caller.account).await?;
        let subnets = nets::subnets_of_account(&mut db, ctx.caller.account).await?;
        let subnets: BTreeMap<_, Subnet> = subnets.into_iter().map(|s| (s.id, s)).collect();
        let view = |nic: Nic| Some(NicView { subnet: subnets.get(&nic.subnet)?.clone(), nic });
        Ok(chosen(all, ids, |nic| nic.id).into_iter().filter_map(view).collect())
    }

    /// Removes it.
    pub async fn delete_nic(&self, ctx: &Context, id: NicId) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let nic = nics::by_id(tx, id).await?.filter(|nic| nic.account == ctx.caller.account);
            let nic = nic.ok_or(Fault::NoSuchNic(id))?;
            nics::delete(tx, id).await?;
            plans::mark_net(tx, nic.net).await?;
            record(tx, ctx, id, "NIC deleted").await?;
            Ok(())
        })
    }
}

/// The named groups, all of this Net; none named: the Net's default one.
async fn groups(
    tx: &mut Tx,
    ctx: &Context,
    c: &CreateNic,
    net: NetId,
) -> Result<Vec<SecurityGroupId>, Refusal> {
    if c.security_groups.is_empty() {
        let default = security_groups::by_name(tx, net, DEFAULT_NAME).await?;
        return Ok(default.into_iter().collect());
    }
    let mut groups = Vec::with_capacity(c.security_groups.len());
    for id in &c.security_groups {
        let group = super::security_groups::own(tx, ctx, *id).await?;
        if group.net != net {
            return Err(Fault::SecurityGroupElsewhere { group: *id, net }.into());
        }
        groups.push(*id);
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// Locally administered, of one station (IEEE 802). The database refuses one that is taken, and
/// the command is tried again.
fn random_mac() -> Mac {
    let [_, a, b, c, d, e, ..] = rand::random::<[u8; 8]>();
    Mac([0x06, a, b, c, d, e])
}

async fn record(tx: &mut Tx, ctx: &Context, id: NicId, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
