//! Virtual gateways.

use super::{
    App, Context, Refusal, chosen, nets::own as own_net, route_tables::check_no_route, write_tx,
};
use crate::store::{Tx, gateways, interfaces, journal, plans, route_tables, tags};
use directlink_model::{
    Fault, command::LinkGateway, fault::Quota, gateway::Gateway, ids::GatewayId,
    route_table::RouteTarget, view::GatewayView,
};
use std::collections::BTreeMap;

impl App {
    /// A gateway that is linked to no Net yet.
    pub async fn create_gateway(&self, ctx: &Context) -> Result<GatewayView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            let count = gateways::count_live(tx, account).await?;
            self.check_quota(tx, account, Quota::Gateways, count + 1).await?;
            let gateway = Gateway {
                id: GatewayId::from_bits(self.draw()),
                account,
                net: None,
                created_at: ctx.now,
                deleted_at: None,
            };
            gateways::insert(tx, &gateway).await?;
            record(tx, ctx, gateway.id, "gateway created").await?;
            Ok(GatewayView { gateway })
        })
    }

    /// Attaches it to a Net.
    pub async fn link_gateway(
        &self,
        ctx: &Context,
        c: LinkGateway,
    ) -> Result<GatewayView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut gateway = own(tx, ctx, c.gateway).await?;
            let net = own_net(tx, ctx, c.net).await?;
            let other = gateways::of_net(tx, net.id).await?;
            gateway.link(net.id, other.map(|g| g.id))?;
            check_one_interface_a_connection(tx, &gateway).await?;
            gateways::update(tx, &gateway).await?;
            plans::mark_ports_of_gateway(tx, gateway.id).await?;
            record(tx, ctx, gateway.id, "gateway linked").await?;
            Ok(GatewayView { gateway })
        })
    }

    /// Detaches it from that Net.
    pub async fn unlink_gateway(
        &self,
        ctx: &Context,
        c: LinkGateway,
    ) -> Result<GatewayView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut gateway = own(tx, ctx, c.gateway).await?;
            let net = own_net(tx, ctx, c.net).await?;
            gateway.unlink(net.id)?;
            check_no_route(tx, RouteTarget::Gateway(gateway.id)).await?;
            gateways::update(tx, &gateway).await?;
            route_tables::stop_propagating(tx, gateway.id).await?;
            plans::mark_ports_of_gateway(tx, gateway.id).await?;
            record(tx, ctx, gateway.id, "gateway unlinked").await?;
            Ok(GatewayView { gateway })
        })
    }

    /// Refused while it is linked or serves interfaces.
    pub async fn delete_gateway(
        &self,
        ctx: &Context,
        id: GatewayId,
    ) -> Result<GatewayView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut gateway = own(tx, ctx, id).await?;
            let serving = interfaces::live_of_gateway(tx, id).await?.len();
            gateway.delete(serving, ctx.now)?;
            gateways::update(tx, &gateway).await?;
            tags::remove_all(tx, id).await?;
            record(tx, ctx, id, "gateway deleted").await?;
            Ok(GatewayView { gateway })
        })
    }

    /// The caller's, in order of creation.
    pub async fn gateways(
        &self,
        ctx: &Context,
        ids: Option<&[GatewayId]>,
    ) -> Result<Vec<GatewayView>, Refusal> {
        let gone_before = ctx.now - self.rules().keep_deleted;
        let mut db = self.store().reader().await?;
        let all = gateways::of_account(&mut db, ctx.caller.account, gone_before).await?;
        let found = chosen(all, ids, |g| g.id);
        Ok(found.into_iter().map(|gateway| GatewayView { gateway }).collect())
    }
}

/// The caller's gateway of this id.
pub(super) async fn own(tx: &mut Tx, ctx: &Context, id: GatewayId) -> Result<Gateway, Refusal> {
    let gateway = gateways::by_id(tx, id).await?;
    let own = gateway.filter(|g| g.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchGateway(id))?)
}

/// A gateway without a Net may serve two interfaces of one connection; with a Net it may not.
async fn check_one_interface_a_connection(tx: &mut Tx, gateway: &Gateway) -> Result<(), Refusal> {
    let mut first_on = BTreeMap::new();
    for interface in interfaces::live_of_gateway(tx, gateway.id).await? {
        if let (Some(by), Some(net)) =
            (first_on.insert(interface.connection, interface.id), gateway.net)
        {
            return Err(Fault::NetAlreadyReached { net, by }.into());
        }
    }
    Ok(())
}

async fn record(tx: &mut Tx, ctx: &Context, id: GatewayId, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
