//! An interface goes over to another connection or LAG.

use super::{
    App, Context, Refusal,
    failover_tests::end_test,
    interfaces::{carrier, check_net_is_new, mark, record, view, visible},
    wires::trunk_holder,
    write_tx,
};
use crate::store::{gateways, interfaces};
use directlink_model::{command::MoveInterface, fault::Quota, view::InterfaceView};

impl App {
    /// Asked by its owner or its connection's, for a connection or LAG of the caller's own.
    pub async fn move_interface(
        &self,
        ctx: &Context,
        c: MoveInterface,
    ) -> Result<InterfaceView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, from) = visible(tx, ctx, c.id).await?;
            if interface.trunk() == c.to {
                return Ok(view(interface, from, ctx.now));
            }
            let target = carrier(tx, ctx, c.to).await?;
            interface.check_moves(&from, ctx.now)?;
            let target = target?;
            let holder = trunk_holder(tx, c.to, interface.vlan, ctx.now).await?;
            let others = interfaces::live_on_wire(tx, target.wire()).await?;
            interface.move_to((&from, &target), holder, &others, ctx.now)?;
            if let Some(gateway) = interface.gateway
                && let Some(gateway) = gateways::by_id(tx, gateway).await?
            {
                check_net_is_new(tx, target.id, &gateway).await?;
            }
            let count = others.iter().filter(|other| other.connection == target.id).count();
            let quota = Quota::InterfacesPerConnection;
            self.check_quota(tx, target.account, quota, count + 1).await?;
            interfaces::update(tx, &interface).await?;
            interfaces::relocate(tx, &interface).await?;
            interfaces::drop_report(tx, c.id).await?;
            end_test(tx, c.id, ctx.now).await?;
            mark(tx, &from).await?;
            mark(tx, &target).await?;
            record(tx, ctx, c.id, "interface moved").await?;
            Ok(view(interface, target, ctx.now))
        })
    }
}
