//! Network interface cards.

use super::{
    App, Context, Refusal, chosen, nets::own_subnet, route_tables::check_no_route,
    security_groups::DEFAULT_NAME, write_tx,
};
use crate::store::{Tx, journal, nets, nics, plans, security_groups, tags};
use directlink_model::{
    Fault,
    command::{ChangeNic, CreateNic},
    ids::{NetId, NicId, SecurityGroupId},
    net::{Nic, Subnet},
    quota::Quota,
    route_table::RouteTarget,
    view::NicView,
};
use directlink_net::Mac;
use std::collections::BTreeMap;

impl App {
    /// A card in a Subnet; it lives nowhere until the operator's side says where.
    pub async fn create_nic(&self, ctx: &Context, c: CreateNic) -> Result<NicView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let subnet = own_subnet(tx, ctx, c.subnet).await?;
            let security_groups = groups(tx, ctx, &c.security_groups, subnet.net).await?;
            self.check_one_more(tx, ctx.caller.account, Quota::Nics).await?;
            let taken = nics::addresses(tx, subnet.id).await?;
            let nic = Nic {
                id: NicId::from_bits(self.draw()),
                account: ctx.caller.account,
                subnet: subnet.id,
                net: subnet.net,
                address: subnet.address_for(c.address, &taken)?,
                mac: mac_of(self.draw()),
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

    /// Another description, or other security groups.
    pub async fn change_nic(&self, ctx: &Context, c: ChangeNic) -> Result<NicView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut nic = own(tx, ctx, c.id).await?;
            if let Some(wanted) = &c.security_groups {
                nic.security_groups = groups(tx, ctx, wanted, nic.net).await?;
                plans::mark_net(tx, nic.net).await?;
            }
            nic.description = c.description.clone().unwrap_or(nic.description);
            nics::update(tx, &nic).await?;
            record(tx, ctx, nic.id, "NIC changed").await?;
            let subnet = own_subnet(tx, ctx, nic.subnet).await?;
            Ok(NicView { nic, subnet })
        })
    }

    /// Removes it. Refused while a route leads to it.
    pub async fn delete_nic(&self, ctx: &Context, id: NicId) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let nic = own(tx, ctx, id).await?;
            check_no_route(tx, RouteTarget::Nic(id)).await?;
            nics::delete(tx, id).await?;
            tags::remove_all(tx, id).await?;
            plans::mark_net(tx, nic.net).await?;
            record(tx, ctx, id, "NIC deleted").await?;
            Ok(())
        })
    }
}

/// The caller's NIC of this id.
pub(super) async fn own(tx: &mut Tx, ctx: &Context, id: NicId) -> Result<Nic, Refusal> {
    let own = nics::by_id(tx, id).await?.filter(|nic| nic.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchNic(id))?)
}

/// The named groups, all of this Net; none named: the Net's default one.
async fn groups(
    tx: &mut Tx,
    ctx: &Context,
    wanted: &[SecurityGroupId],
    net: NetId,
) -> Result<Vec<SecurityGroupId>, Refusal> {
    if wanted.is_empty() {
        let default = security_groups::by_name(tx, net, DEFAULT_NAME).await?;
        return Ok(default.into_iter().collect());
    }
    let mut groups = Vec::with_capacity(wanted.len());
    for id in wanted {
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
fn mac_of([a, b, c, d, e]: [u8; 5]) -> Mac {
    Mac([0x06, a, b, c, d, e])
}

async fn record(tx: &mut Tx, ctx: &Context, id: NicId, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
