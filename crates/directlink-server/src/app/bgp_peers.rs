//! BGP peers as things of their own. An interface has one, for as long as it lives: a router
//! speaks one session on each. So both commands end in the model's refusal, never in a peer that
//! is not there.

use super::{App, Context, Refusal, interfaces::visible};
use directlink_model::{
    Fault,
    command::{AddBgpPeer, ChosenPeer, DeleteBgpPeer},
    ids::InterfaceId,
    interface::Interface,
    view::InterfaceView,
};

impl App {
    /// A second peer: refused with the reason.
    pub async fn add_bgp_peer(
        &self,
        ctx: &Context,
        c: AddBgpPeer,
    ) -> Result<InterfaceView, Refusal> {
        let interface = self.living(ctx, c.interface).await?;
        Err(interface.refuse_further_peer(c.ipv6).into())
    }

    /// The one peer stays; another is not there.
    pub async fn delete_bgp_peer(
        &self,
        ctx: &Context,
        c: DeleteBgpPeer,
    ) -> Result<InterfaceView, Refusal> {
        let interface = self.living(ctx, c.interface).await?;
        let (is_it, named) = match c.peer {
            ChosenPeer::Id(id) => (id == interface.bgp_peer(), id.to_string()),
            ChosenPeer::Asn(asn, address) => {
                let there = interface.peer.customer().addr();
                let same = asn == interface.asn && address.is_none_or(|address| address == there);
                (same, format!("AS{asn}"))
            }
        };
        Err(match is_it {
            true => Fault::LastBgpPeer(c.interface),
            false => Fault::NoSuchBgpPeer { interface: c.interface, peer: named },
        }
        .into())
    }

    async fn living(&self, ctx: &Context, id: InterfaceId) -> Result<Interface, Refusal> {
        let mut db = self.store().snapshot().await?;
        let (interface, _) = visible(&mut db, ctx, id).await?;
        match interface.state(false, ctx.now).is_live() {
            true => Ok(interface),
            false => Err(Fault::NoSuchInterface(id).into()),
        }
    }
}
