//! BGP peers as things of their own: one more, one less. Their interface's owner's alone to ask.

use super::{
    App, Context, Refusal,
    interfaces::{allocate_addresses, given_addresses, mark, record, view, visible},
    write_tx,
};
use crate::store::{AnyConnection, Tx, bgp_peers, interfaces};
use directlink_model::{
    Fault,
    bgp_peer::PeerProposal,
    command::{AddBgpPeer, DeleteBgpPeer},
    connection::Connection,
    ids::{BgpPeerId, ConnectionId, InterfaceId},
    interface::Interface,
    view::InterfaceView,
};
use directlink_net::IpNet;

impl App {
    pub async fn add_bgp_peer(
        &self,
        ctx: &Context,
        c: AddBgpPeer,
    ) -> Result<InterfaceView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = own(tx, ctx, c.interface).await?;
            interface.check_room(c.ipv6, ctx.now)?;
            let taken = taken(tx, connection.wire()).await?;
            let block = self.ipv6_of(c.ipv6)?;
            let addresses = match given_addresses(c.ipv6, (c.router_address, c.customer_address))? {
                Some(given) => given,
                None => allocate_addresses(block, &taken)?,
            };
            let proposal = PeerProposal { asn: c.asn, key: c.key.clone(), addresses };
            let id = BgpPeerId::from_bits(self.draw());
            let peer = interface.add_peer(id, proposal, self.region().asn, &taken, ctx.now)?;
            bgp_peers::insert(tx, c.interface, &peer).await?;
            mark(tx, &connection).await?;
            record(tx, ctx, c.interface, &format!("{id} added")).await?;
            Ok(view(interface, connection, ctx.now))
        })
    }

    pub async fn delete_bgp_peer(
        &self,
        ctx: &Context,
        c: DeleteBgpPeer,
    ) -> Result<InterfaceView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = own(tx, ctx, c.interface).await?;
            let id = interface.find_peer(c.peer)?.id;
            if interface.delete_peer(id, ctx.now)? {
                interfaces::update(tx, &interface).await?;
                mark(tx, &connection).await?;
                record(tx, ctx, c.interface, &format!("deletion of {id} asked")).await?;
            }
            Ok(view(interface, connection, ctx.now))
        })
    }
}

async fn own(
    db: &mut AnyConnection,
    ctx: &Context,
    id: InterfaceId,
) -> Result<(Interface, Connection), Refusal> {
    let (interface, connection) = visible(db, ctx, id).await?;
    match interface.owner == ctx.caller.account {
        true => Ok((interface, connection)),
        false => Err(Fault::NoSuchInterface(id).into()),
    }
}

/// The peer subnets of the live interfaces on the wire.
async fn taken(tx: &mut Tx, wire: ConnectionId) -> Result<Vec<IpNet>, Refusal> {
    let live = interfaces::live_on_wire(tx, wire).await?;
    Ok(live.iter().flat_map(Interface::peers).map(|peer| peer.addresses.router()).collect())
}
