//! What a wire carries: who has a VLAN there, and which connections it hosts. Offers that have run
//! out are stamped on the way: they hold nothing any more, and the database's own rule must know.

use super::Refusal;
use crate::store::{
    Error, Tx, connections, interfaces,
    journal::{self, Actor},
    outbox, wire_vlans,
};
use directlink_model::{
    connection::Connection,
    hosting::Holder,
    ids::ConnectionId,
    interface::Interface,
    lag::Trunk,
    notice::{Notice, Occasion},
};
use directlink_net::Vlan;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Who has the VLAN on the connection by itself, or on any member of the LAG.
pub(super) async fn trunk_holder(
    tx: &mut Tx,
    trunk: Trunk,
    vlan: Vlan,
    now: Timestamp,
) -> Result<Option<Holder>, Refusal> {
    let lag = match trunk {
        Trunk::Connection(connection) => return vlan_holder(tx, connection, vlan, now).await,
        Trunk::Lag(lag) => lag,
    };
    let Some(mut interface) = interfaces::live_with_vlan_of_lag(tx, lag, vlan).await? else {
        return Ok(None);
    };
    let ended = expire(tx, &mut interface, now).await?;
    Ok((!ended).then_some(Holder::Interface(interface.id)))
}

/// Who has the VLAN on the connection.
pub(super) async fn vlan_holder(
    tx: &mut Tx,
    connection: ConnectionId,
    vlan: Vlan,
    now: Timestamp,
) -> Result<Option<Holder>, Refusal> {
    let Some(holder) = wire_vlans::holder(tx, connection, vlan).await? else { return Ok(None) };
    let ended = match holder {
        Holder::Interface(id) => match interfaces::by_id(tx, id).await? {
            Some(mut interface) => expire(tx, &mut interface, now).await?,
            None => false,
        },
        Holder::Hosted(id) => match connections::by_id(tx, id).await? {
            Some(mut hosted) => lapse(tx, &mut hosted, now).await?,
            None => false,
        },
    };
    Ok((!ended).then_some(holder))
}

/// The connections that live on it.
pub(super) async fn hosted_on(
    tx: &mut Tx,
    parent: ConnectionId,
    now: Timestamp,
) -> Result<Vec<Connection>, Refusal> {
    let mut living = Vec::new();
    for mut hosted in connections::live_on(tx, parent).await? {
        if !lapse(tx, &mut hosted, now).await? {
            living.push(hosted);
        }
    }
    Ok(living)
}

/// Stamps the end of an interface's offer, if it has come.
pub(crate) async fn expire(
    tx: &mut Tx,
    interface: &mut Interface,
    now: Timestamp,
) -> Result<bool, Error> {
    let ended = interface.expire(now);
    if ended {
        interfaces::update(tx, interface).await?;
        let who = (&Actor::Time, now);
        journal::record(tx, who, interface.id, "interface expired", "not confirmed").await?;
        let host = connections::by_id(tx, interface.connection).await?.map(|c| c.account);
        let tell: BTreeSet<_> = host.into_iter().chain([interface.owner]).collect();
        for to in tell {
            let occasion = Occasion::InterfaceExpired(interface.id);
            outbox::post(tx, Notice { occasion, to, at: now }, now).await?;
        }
    }
    Ok(ended)
}

/// Stamps the end of a hosted connection's offer, if it has come.
pub(crate) async fn lapse(
    tx: &mut Tx,
    connection: &mut Connection,
    now: Timestamp,
) -> Result<bool, Error> {
    let ended = connection.lapse(now);
    if ended {
        connections::update(tx, connection).await?;
        let who = (&Actor::Time, now);
        journal::record(tx, who, connection.id, "connection rejected", "not confirmed").await?;
    }
    Ok(ended)
}
