//! Nets and their Subnets.

use super::{App, Context, Refusal, chosen, write_tx};
use crate::{
    chance::Chance,
    store::{Tx, gateways, journal, nets, nics, plans, route_tables, security_groups, sites, tags},
};
use directlink_model::{
    Fault,
    command::{CreateNet, CreateSubnet},
    ids::{
        NetId, RouteTableId, RouteTableLinkId, SecurityGroupId, SecurityGroupRuleId, SubnetId,
        SubregionName,
    },
    net::{Net, Subnet},
    quota::Quota,
    route_table::{RouteTable, RouteTableLink},
    security_group::{Flow, SecurityGroup, SecurityGroupRule},
    view::SubnetView,
};
use directlink_net::Vni;
use std::collections::BTreeMap;

/// Numbers below are left to the operator's own networks on the same fabric.
const FIRST_VNI: u32 = 4096;

impl App {
    /// With its main route table and its default security group.
    pub async fn create_net(&self, ctx: &Context, c: CreateNet) -> Result<Net, Refusal> {
        let range = c.range.trunc();
        Net::check_range(range)?;
        write_tx!(self, ctx.dry_run, |tx| {
            self.check_one_more(tx, ctx.caller.account, Quota::Nets).await?;
            let net = Net {
                id: NetId::from_bits(self.draw()),
                account: ctx.caller.account,
                range,
                vni: random_vni(self.chance()),
                created_at: ctx.now,
            };
            nets::insert(tx, &net).await?;
            route_tables::insert(tx, &main_route_table(&net, self.chance()), ctx.now).await?;
            security_groups::insert(tx, &default_group(&net, self.chance())).await?;
            record(tx, ctx, net.id, "Net created").await?;
            Ok(net)
        })
    }

    /// The caller's, in order of creation.
    pub async fn nets(&self, ctx: &Context, ids: Option<&[NetId]>) -> Result<Vec<Net>, Refusal> {
        let mut db = self.store().reader().await?;
        let all = nets::of_account(&mut db, ctx.caller.account).await?;
        Ok(chosen(all, ids, |net| net.id))
    }

    /// Refused while it holds anything but what it came with.
    pub async fn delete_net(&self, ctx: &Context, id: NetId) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let net = own(tx, ctx, id).await?.id;
            let in_use = |what: String| Refusal::from(Fault::NetInUse { net, what });
            if let Some(gateway) = gateways::of_net(tx, net).await? {
                return Err(in_use(format!("the virtual gateway '{}'", gateway.id)));
            }
            if let Some(subnet) = nets::subnets_of_net(tx, net).await?.first() {
                return Err(in_use(format!("the Subnet '{}'", subnet.id)));
            }
            for table in route_tables::of_net(tx, net).await? {
                if !table.is_main() {
                    return Err(in_use(format!("the route table '{}'", table.id)));
                }
                tags::remove_all(tx, table.id).await?;
            }
            for group in security_groups::of_net(tx, net).await? {
                if group.name != super::security_groups::DEFAULT_NAME {
                    return Err(in_use(format!("the security group '{}'", group.id)));
                }
                tags::remove_all(tx, group.id).await?;
            }
            route_tables::delete_of_net(tx, net).await?;
            security_groups::delete_of_net(tx, net).await?;
            nets::delete(tx, net).await?;
            tags::remove_all(tx, net).await?;
            record(tx, ctx, net, "Net deleted").await?;
            Ok(())
        })
    }

    /// A Subnet of a Net.
    pub async fn create_subnet(
        &self,
        ctx: &Context,
        c: CreateSubnet,
    ) -> Result<SubnetView, Refusal> {
        let range = c.range.trunc();
        write_tx!(self, ctx.dry_run, |tx| {
            let net = own(tx, ctx, c.net).await?;
            let subregion = subregion(tx, c.subregion.clone()).await?;
            let sisters = nets::subnets_of_net(tx, net.id).await?;
            Subnet::check_range(range, &net, &sisters)?;
            let subnet = Subnet {
                id: SubnetId::from_bits(self.draw()),
                account: ctx.caller.account,
                net: net.id,
                range,
                subregion,
                created_at: ctx.now,
            };
            nets::insert_subnet(tx, &subnet).await?;
            plans::mark_net(tx, net.id).await?;
            record(tx, ctx, subnet.id, "Subnet created").await?;
            Ok(subnet_view(subnet, 0))
        })
    }

    /// The caller's, in order of creation.
    pub async fn subnets(
        &self,
        ctx: &Context,
        ids: Option<&[SubnetId]>,
    ) -> Result<Vec<SubnetView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let all = nets::subnets_of_account(&mut db, ctx.caller.account).await?;
        let taken = nets::taken_addresses(&mut db, ctx.caller.account).await?;
        let taken: BTreeMap<_, _> = taken.into_iter().collect();
        let view = |subnet: Subnet| {
            let taken = taken.get(&subnet.id).copied().unwrap_or(0);
            subnet_view(subnet, taken)
        };
        Ok(chosen(all, ids, |subnet| subnet.id).into_iter().map(view).collect())
    }

    /// Refused while it holds NICs. Its link to a route table goes with it.
    pub async fn delete_subnet(&self, ctx: &Context, id: SubnetId) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let subnet = own_subnet(tx, ctx, id).await?;
            let count = nics::addresses(tx, id).await?.len();
            if count > 0 {
                return Err(Fault::SubnetInUse { subnet: id, count }.into());
            }
            route_tables::delete_link_of_subnet(tx, id).await?;
            nets::delete_subnet(tx, id).await?;
            tags::remove_all(tx, id).await?;
            plans::mark_net(tx, subnet.net).await?;
            record(tx, ctx, id, "Subnet deleted").await?;
            Ok(())
        })
    }
}

/// The caller's Net of this id.
pub(super) async fn own(tx: &mut Tx, ctx: &Context, id: NetId) -> Result<Net, Refusal> {
    let own = nets::by_id(tx, id).await?.filter(|net| net.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchNet(id))?)
}

/// The caller's Subnet of this id.
pub(super) async fn own_subnet(
    tx: &mut Tx,
    ctx: &Context,
    id: SubnetId,
) -> Result<Subnet, Refusal> {
    let own = nets::subnet_by_id(tx, id).await?.filter(|s| s.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchSubnet(id))?)
}

/// The wanted one, or the Region's first.
async fn subregion(tx: &mut Tx, wanted: Option<SubregionName>) -> Result<SubregionName, Refusal> {
    let all = sites::locations(tx).await?.into_iter().map(|location| location.subregion);
    let found = match &wanted {
        Some(name) => all.into_iter().find(|s| s == name),
        None => all.min(),
    };
    let unknown = || wanted.map_or_else(String::new, |name| name.to_string());
    Ok(found.ok_or_else(|| Fault::NoSuchSubregion(unknown()))?)
}

fn subnet_view(subnet: Subnet, taken: usize) -> SubnetView {
    let available_addresses = subnet.available_addresses(taken);
    SubnetView { subnet, available_addresses }
}

/// Random, so that a number is not given again soon after its Net is gone; the database refuses a
/// second Net with the same one, and the command is tried again.
fn random_vni(chance: &Chance) -> Vni {
    let number = chance.within(FIRST_VNI..=0x00ff_ffff);
    Vni::try_from(number).unwrap_or_else(|_| unreachable!("24 bits, not zero"))
}

fn main_route_table(net: &Net, chance: &Chance) -> RouteTable {
    RouteTable {
        id: RouteTableId::from_bits(chance.draw()),
        account: net.account,
        net: net.id,
        propagating: vec![],
        links: vec![RouteTableLink {
            id: RouteTableLinkId::from_bits(chance.draw()),
            subnet: None,
        }],
        statics: vec![],
    }
}

/// The group of NICs that name none: nothing comes in from outside, everything goes out.
fn default_group(net: &Net, chance: &Chance) -> SecurityGroup {
    SecurityGroup {
        id: SecurityGroupId::from_bits(chance.draw()),
        account: net.account,
        net: net.id,
        name: super::security_groups::DEFAULT_NAME.into(),
        description: "default security group of the Net".into(),
        rules: vec![SecurityGroupRule {
            id: SecurityGroupRuleId::from_bits(chance.draw()),
            flow: Flow::Outbound,
            admission: SecurityGroup::default_outbound(),
        }],
        created_at: net.created_at,
    }
}

async fn record(
    tx: &mut Tx,
    ctx: &Context,
    id: impl std::fmt::Display,
    what: &str,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
