//! Route tables: what the Subnets of a Net know of the world outside.

use super::{
    App, Context, Refusal, chosen,
    gateways::own as own_gateway,
    nets::{own as own_net, own_subnet},
    nics::own as own_nic,
    write_tx,
};
use crate::store::{
    AnyConnection, Error, Tx, interfaces, journal, nets, plans, route_tables, tags,
};
use directlink_model::{
    Fault,
    command::{DeleteRoute, LinkRouteTable, ReplaceRouteTable, SetPropagation, SetRoute},
    fault::RouteFault,
    ids::{AccountId, NetId, RouteTableId, RouteTableLinkId},
    quota::Quota,
    route_table::{RouteTable, RouteTableLink, RouteTarget, StaticRoute},
    view::RouteTableView,
};
use directlink_net::Ipv4Net;
use std::collections::BTreeMap;

impl App {
    /// The caller's, in order of creation, with the routes learned by BGP where propagation is on.
    pub async fn route_tables(
        &self,
        ctx: &Context,
        ids: Option<&[RouteTableId]>,
    ) -> Result<Vec<RouteTableView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let all = route_tables::of_account(&mut db, ctx.caller.account).await?;
        let tables = chosen(all, ids, |table| table.id);
        Ok(views(&mut db, ctx.caller.account, tables).await?)
    }

    /// Whether a gateway's learned routes show in a table. The gateway must be linked to the
    /// table's Net to be switched on.
    pub async fn set_propagation(
        &self,
        ctx: &Context,
        c: SetPropagation,
    ) -> Result<RouteTableView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let table = own(tx, ctx, c.table).await?;
            let gateway = own_gateway(tx, ctx, c.gateway).await?;
            if c.enabled && gateway.net != Some(table.net) {
                let fault = Fault::GatewayNotLinked { gateway: gateway.id, net: table.net };
                return Err(fault.into());
            }
            if c.enabled != table.propagating.contains(&gateway.id) {
                route_tables::set_propagation(tx, table.id, gateway.id, c.enabled).await?;
                let what = if c.enabled { "propagation enabled" } else { "propagation disabled" };
                record_change(tx, ctx, &table, what).await?;
            }
            view(tx, ctx, table.id).await
        })
    }

    /// A further table for a Net, linked to nothing yet.
    pub async fn create_route_table(
        &self,
        ctx: &Context,
        net: NetId,
    ) -> Result<RouteTableView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let net = own_net(tx, ctx, net).await?.id;
            self.check_one_more(tx, ctx.caller.account, Quota::RouteTables).await?;
            let table = RouteTable {
                id: RouteTableId::from_bits(self.draw()),
                account: ctx.caller.account,
                net,
                propagating: vec![],
                links: vec![],
                statics: vec![],
            };
            route_tables::insert(tx, &table, ctx.now).await?;
            record(tx, ctx, table.id, "route table created").await?;
            view(tx, ctx, table.id).await
        })
    }

    /// Refused for a main table, and while Subnets are linked to it.
    pub async fn delete_route_table(&self, ctx: &Context, id: RouteTableId) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            own(tx, ctx, id).await?.check_deletable()?;
            route_tables::delete(tx, id).await?;
            tags::remove_all(tx, id).await?;
            record(tx, ctx, id, "route table deleted").await?;
            Ok(())
        })
    }

    /// The Subnet goes by this table from now on, not by the main one.
    pub async fn link_route_table(
        &self,
        ctx: &Context,
        c: LinkRouteTable,
    ) -> Result<RouteTableLinkId, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let table = own(tx, ctx, c.table).await?;
            let subnet = own_subnet(tx, ctx, c.subnet).await?;
            if subnet.net != table.net {
                return Err(Fault::Route(RouteFault::SubnetElsewhere {
                    subnet: subnet.id,
                    table: table.id,
                })
                .into());
            }
            if let Some(table) = route_tables::of_subnet(tx, subnet.id).await? {
                return Err(
                    Fault::Route(RouteFault::SubnetLinked { subnet: subnet.id, table }).into()
                );
            }
            let id = RouteTableLinkId::from_bits(self.draw());
            let link = RouteTableLink { id, subnet: Some(subnet.id) };
            route_tables::insert_link(tx, table.id, &link).await?;
            record_change(tx, ctx, &table, "route table linked").await?;
            Ok(id)
        })
    }

    /// The Subnet goes by the main table again.
    pub async fn unlink_route_table(
        &self,
        ctx: &Context,
        id: RouteTableLinkId,
    ) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (table, link) = own_link(tx, ctx, id).await?;
            if link.subnet.is_none() {
                return Err(Fault::Route(RouteFault::MainLink(id)).into());
            }
            route_tables::delete_link(tx, id).await?;
            record_change(tx, ctx, &table, "route table unlinked").await?;
            Ok(())
        })
    }

    /// A Subnet goes by another table; or, for a main link, another table is the main one. The
    /// link has a new id then.
    pub async fn replace_route_table(
        &self,
        ctx: &Context,
        c: ReplaceRouteTable,
    ) -> Result<RouteTableLinkId, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (before, link) = own_link(tx, ctx, c.link).await?;
            let after = own(tx, ctx, c.table).await?;
            if after.net != before.net {
                return Err(Fault::Route(RouteFault::TablesApart(before.id, after.id)).into());
            }
            route_tables::delete_link(tx, link.id).await?;
            let id = RouteTableLinkId::from_bits(self.draw());
            route_tables::insert_link(tx, after.id, &RouteTableLink { id, ..link }).await?;
            record_change(tx, ctx, &after, "route table link replaced").await?;
            Ok(id)
        })
    }

    /// A route by hand.
    pub async fn create_route(
        &self,
        ctx: &Context,
        c: SetRoute,
    ) -> Result<RouteTableView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let table = own(tx, ctx, c.table).await?;
            check_target(tx, ctx, &table, c.target).await?;
            let range = own_net(tx, ctx, table.net).await?.range;
            table.check_new(c.destination, range)?;
            let (account, count) = (ctx.caller.account, table.statics.len() + 1);
            self.check_quota(tx, account, Quota::RoutesPerTable, count).await?;
            let route = StaticRoute { destination: c.destination, target: c.target };
            route_tables::put_route(tx, table.id, route).await?;
            record_change(tx, ctx, &table, "route created").await?;
            view(tx, ctx, table.id).await
        })
    }

    /// Another target for a route by hand.
    pub async fn change_route(
        &self,
        ctx: &Context,
        c: SetRoute,
    ) -> Result<RouteTableView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let table = own(tx, ctx, c.table).await?;
            check_target(tx, ctx, &table, c.target).await?;
            let range = own_net(tx, ctx, table.net).await?.range;
            table.check_static(c.destination, range)?;
            let route = StaticRoute { destination: c.destination, target: c.target };
            route_tables::put_route(tx, table.id, route).await?;
            record_change(tx, ctx, &table, "route changed").await?;
            view(tx, ctx, table.id).await
        })
    }

    pub async fn delete_route(
        &self,
        ctx: &Context,
        c: DeleteRoute,
    ) -> Result<RouteTableView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let table = own(tx, ctx, c.table).await?;
            let range = own_net(tx, ctx, table.net).await?.range;
            table.check_static(c.destination, range)?;
            route_tables::delete_route(tx, table.id, c.destination).await?;
            record_change(tx, ctx, &table, "route deleted").await?;
            view(tx, ctx, table.id).await
        })
    }
}

/// The caller's table of this id.
pub(super) async fn own(
    tx: &mut Tx,
    ctx: &Context,
    id: RouteTableId,
) -> Result<RouteTable, Refusal> {
    let table = route_tables::by_id(tx, id).await?;
    let own = table.filter(|table| table.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchRouteTable(id))?)
}

/// The caller's link of this id, and the table that has it.
async fn own_link(
    tx: &mut Tx,
    ctx: &Context,
    id: RouteTableLinkId,
) -> Result<(RouteTable, RouteTableLink), Refusal> {
    let missing = Fault::Route(RouteFault::NoSuchLink(id));
    let Some(table) = route_tables::of_link(tx, id).await? else { return Err(missing.into()) };
    let table = route_tables::by_id(tx, table).await?;
    let table = table.filter(|table| table.account == ctx.caller.account);
    let link = table.and_then(|table| {
        let link = table.links.iter().find(|link| link.id == id)?.clone();
        Some((table, link))
    });
    Ok(link.ok_or(missing)?)
}

/// The target is the caller's, and of the table's Net.
async fn check_target(
    tx: &mut Tx,
    ctx: &Context,
    table: &RouteTable,
    target: RouteTarget,
) -> Result<(), Refusal> {
    let net = table.net;
    match target {
        RouteTarget::Gateway(id) => {
            let gateway = own_gateway(tx, ctx, id).await?;
            gateway.check_available()?;
            match gateway.net == Some(net) {
                true => Ok(()),
                false => Err(Fault::GatewayNotLinked { gateway: id, net }.into()),
            }
        }
        RouteTarget::Nic(id) => match own_nic(tx, ctx, id).await?.net == net {
            true => Ok(()),
            false => Err(Fault::Route(RouteFault::NicElsewhere { nic: id, net }).into()),
        },
    }
}

/// What routes lead to stays: a route is never left without its target.
pub(super) async fn check_no_route(tx: &mut Tx, target: RouteTarget) -> Result<(), Refusal> {
    match route_tables::route_to(tx, target).await? {
        None => Ok(()),
        Some((table, StaticRoute { destination, .. })) => {
            let target = target.to_string();
            Err(Fault::Route(RouteFault::TargetInUse { target, table, destination }).into())
        }
    }
}

async fn view(tx: &mut Tx, ctx: &Context, id: RouteTableId) -> Result<RouteTableView, Refusal> {
    let table = route_tables::by_id(tx, id).await?;
    let mut views = views(tx, ctx.caller.account, table.into_iter().collect()).await?;
    Ok(views.pop().ok_or(Fault::NoSuchRouteTable(id))?)
}

async fn record(tx: &mut Tx, ctx: &Context, id: RouteTableId, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}

/// The routers of the Net are told.
async fn record_change(
    tx: &mut Tx,
    ctx: &Context,
    table: &RouteTable,
    what: &str,
) -> Result<(), Refusal> {
    plans::mark_net(tx, table.net).await?;
    record(tx, ctx, table.id, what).await
}

async fn views(
    db: &mut AnyConnection,
    account: AccountId,
    tables: Vec<RouteTable>,
) -> Result<Vec<RouteTableView>, Error> {
    let nets = nets::of_account(db, account).await?;
    let ranges: BTreeMap<NetId, Ipv4Net> = nets.iter().map(|net| (net.id, net.range)).collect();
    let learned = interfaces::learned_for(db, account).await?;
    let view = |table: RouteTable| {
        let range = *ranges.get(&table.net)?;
        let routes = table.routes(range, &learned);
        Some(RouteTableView { table, routes })
    };
    Ok(tables.into_iter().filter_map(view).collect())
}
