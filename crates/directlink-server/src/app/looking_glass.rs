//! What a router last said of an interface: its session, and the routes that go both ways.

use super::{
    App, Context, Refusal,
    interfaces::{view, visible},
};
use crate::store::interfaces;
use directlink_model::{ids::InterfaceId, report::InterfaceReport, view::InterfaceView};

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
