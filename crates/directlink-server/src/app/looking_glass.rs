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
}
