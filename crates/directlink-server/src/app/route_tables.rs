//! Route tables: what the Subnets of a Net know of the world outside.

use super::{App, Context, Refusal, chosen, gateways::own as own_gateway, write_tx};
use crate::store::{AnyConnection, Error, interfaces, journal, nets, route_tables};
use directlink_model::{
    Fault,
    command::SetPropagation,
    ids::{AccountId, NetId, RouteTableId},
    route_table::RouteTable,
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
            let account = ctx.caller.account;
            let table = route_tables::by_id(tx, c.table).await?.filter(|t| t.account == account);
            let table = table.ok_or(Fault::NoSuchRouteTable(c.table))?;
            let gateway = own_gateway(tx, ctx, c.gateway).await?;
            if c.enabled && gateway.net != Some(table.net) {
                let fault = Fault::GatewayNotLinked { gateway: gateway.id, net: table.net };
                return Err(fault.into());
            }
            if c.enabled != table.propagating.contains(&gateway.id) {
                route_tables::set_propagation(tx, table.id, gateway.id, c.enabled).await?;
                let what = if c.enabled { "propagation enabled" } else { "propagation disabled" };
                let who = (&ctx.actor(), ctx.now);
                journal::record(tx, who, table.id, what, ctx.request_id).await?;
            }
            let changed = route_tables::by_id(tx, table.id).await?;
            let mut views = views(tx, account, changed.into_iter().collect()).await?;
            Ok(views.pop().ok_or(Fault::NoSuchRouteTable(c.table))?)
        })
    }
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
