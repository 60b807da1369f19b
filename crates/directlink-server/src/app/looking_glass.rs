//! What a router last said of an interface: its session, and the routes that go both ways; and what the
//! customer's router shall do at the far end.

use super::{
    App, Context, Refusal,
    interfaces::{view, visible},
};
use crate::store::{AnyConnection, gateways, interfaces, nets};
use directlink_model::{
    ids::InterfaceId, interface::Interface, location::Region, net::Net, plan::advertised,
    report::InterfaceReport, router_config::Intent, view::InterfaceView,
};

impl App {
    /// Nothing of an interface that no router has spoken of.
    pub async fn interface_report(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<(InterfaceView, InterfaceReport), Refusal> {
        let mut db = self.store().snapshot().await?;
        let (interface, connection) = visible(&mut db, ctx, id).await?;
        let report = interfaces::report(&mut db, id).await?.unwrap_or_default();
        Ok((view(interface, connection, ctx.now), report))
    }

    /// For the customer's router: without the keys for whoever is not the interface's owner.
    pub async fn router_intent(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<(InterfaceView, Intent), Refusal> {
        let mut db = self.store().snapshot().await?;
        let (interface, connection) = visible(&mut db, ctx, id).await?;
        let Region { asn, ipv6, .. } = *self.region();
        let mut intent = Intent::seen_by(ctx.caller.account, &interface, asn);
        // As planned, not as reported: a router is configured before anything is announced to it.
        if let Some(net) = net_of(&mut db, &interface).await? {
            intent.accept = advertised(&interface, &net, ipv6);
        }
        Ok((view(interface, connection, ctx.now), intent))
    }

    /// The same as its router sees it now: with counters, and a
    /// session's tries to come up, which nobody stores.
    pub async fn interface_now(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<(InterfaceView, InterfaceReport), Refusal> {
        let (view, stored) = self.interface_report(ctx, id).await?;
        let port = view.connection.approval.as_ref().map(|approval| &approval.port);
        let said = match port {
            Some(port) => self.last_report(&mut *self.store().reader().await?, port).await?,
            None => None,
        };
        let said = said.and_then(|mut report| report.interfaces.remove(&id));
        Ok((view, said.unwrap_or(stored)))
    }
}

/// The Net behind its gateway.
async fn net_of(db: &mut AnyConnection, interface: &Interface) -> Result<Option<Net>, Refusal> {
    let Some(gateway) = interface.gateway else { return Ok(None) };
    let net = gateways::by_id(db, gateway).await?.and_then(|gateway| gateway.net);
    let Some(net) = net else { return Ok(None) };
    Ok(nets::by_id(db, net).await?)
}
