//! Rows of BGP peers beside the one that each interface is born with, which is in the interface's
//! own row. Only interfaces that ever had a second one are asked for it.

use super::{
    Error,
    row::{Columns, unreadable, us},
    statements,
};
use directlink_model::{
    bgp_peer::{BgpPeer, Deletion},
    ids::{BgpPeerId, ConnectionId, InterfaceId, LagId},
    interface::{Interface, Seen},
};
use directlink_net::{BgpKey, IpNet, PeerAddresses};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeSet;

statements! {
    INSERT = "INSERT INTO bgp_peer (id, interface, asn, bgp_key, router_address, customer_address, created_us,
                     configured, session_up, forwarding)
              VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0)";
    HAS_FURTHER = "UPDATE interface SET has_further_peers = 1 WHERE id = $1";
    UPDATE = "UPDATE bgp_peer SET configured = $2, session_up = $3, forwarding = $4, delete_asked_us = $5,
                     deleted_us = $6 WHERE id = $1";
    // Of the LAG's interfaces that are on this member now: what was seen was seen elsewhere.
    CARRIED_ON = "UPDATE bgp_peer SET configured = 0, session_up = 0, forwarding = 0
                  WHERE interface IN (SELECT id FROM interface WHERE lag = $1 AND connection = $2)";
    OF_INTERFACE = "SELECT * FROM bgp_peer WHERE interface = $1 AND deleted_us IS NULL ORDER BY created_us, id";
    LIVE_ADDRESSES = "SELECT p.router_address FROM bgp_peer p JOIN interface i ON i.id = p.interface
                      WHERE (i.connection = $1
                             OR i.connection IN (SELECT connection FROM hosted_connection WHERE parent = $1))
                      AND p.deleted_us IS NULL
                      AND i.deleted_us IS NULL AND i.expired_us IS NULL AND i.rejected_us IS NULL";
}

pub(crate) async fn insert(
    db: &mut AnyConnection,
    interface: InterfaceId,
    peer: &BgpPeer,
) -> Result<(), Error> {
    query(INSERT)
        .bind(peer.id.to_string())
        .bind(interface.to_string())
        .bind(i64::from(peer.asn.as_u32()))
        .bind(peer.key.as_ref().map(BgpKey::expose))
        .bind(peer.addresses.router().to_string())
        .bind(peer.addresses.customer().to_string())
        .bind(peer.created_at.as_microsecond())
        .execute(&mut *db)
        .await?;
    query(HAS_FURTHER).bind(interface.to_string()).execute(db).await?;
    Ok(())
}

/// Writes what can change in the life of an interface's further peers.
pub(super) async fn update(db: &mut AnyConnection, interface: &Interface) -> Result<(), Error> {
    for peer in &interface.further_peers {
        query(UPDATE)
            .bind(peer.id.to_string())
            .bind(i64::from(peer.seen.configured))
            .bind(i64::from(peer.seen.session_up))
            .bind(i64::from(peer.seen.forwarding))
            .bind(us(peer.deletion.asked_at))
            .bind(us(peer.deletion.done_at))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// The LAG's interfaces have moved to that member.
pub(super) async fn carried_on(
    db: &mut AnyConnection,
    lag: LagId,
    member: ConnectionId,
) -> Result<(), Error> {
    query(CARRIED_ON).bind(lag.to_string()).bind(member.to_string()).execute(db).await?;
    Ok(())
}

/// Those that are not gone, in order of creation.
pub(super) async fn of_interface(
    db: &mut AnyConnection,
    interface: InterfaceId,
) -> Result<Vec<BgpPeer>, Error> {
    query(OF_INTERFACE).bind(interface.to_string()).fetch_all(db).await?.iter().map(read).collect()
}

/// The routers' addresses of the further peers of the live interfaces on a wire.
pub(crate) async fn live_addresses(
    db: &mut AnyConnection,
    wire: ConnectionId,
) -> Result<Vec<IpNet>, Error> {
    let rows = query(LIVE_ADDRESSES).bind(wire.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| row.word("router_address")).collect()
}

/// Ids with spaces between; none is NULL.
pub(super) fn list(peers: &BTreeSet<BgpPeerId>) -> Option<String> {
    let ids: Vec<_> = peers.iter().map(BgpPeerId::to_string).collect();
    Some(ids.join(" ")).filter(|list| !list.is_empty())
}

pub(super) fn read_list(row: &AnyRow, column: &str) -> Result<BTreeSet<BgpPeerId>, Error> {
    let Some(list) = row.text_or_null(column)? else { return Ok(BTreeSet::new()) };
    let id = |text: &str| text.parse().map_err(|why| unreadable(column, text, why));
    list.split_whitespace().map(id).collect()
}

/// What two kinds of rows say of a peer in the same words.
pub(super) fn key(row: &AnyRow) -> Result<Option<BgpKey>, Error> {
    let key = row.text_or_null("bgp_key")?.map(BgpKey::try_from);
    key.transpose().map_err(|why| unreadable("bgp_key", "…", why))
}

pub(super) fn addresses(row: &AnyRow) -> Result<PeerAddresses, Error> {
    let (router, customer): (IpNet, IpNet) =
        (row.word("router_address")?, row.word("customer_address")?);
    PeerAddresses::new(router, customer).map_err(|why| unreadable("router_address", router, why))
}

pub(super) fn seen(row: &AnyRow) -> Result<Seen, Error> {
    Ok(Seen {
        configured: row.yes("configured")?,
        session_up: row.yes("session_up")?,
        forwarding: row.yes("forwarding")?,
    })
}

fn read(row: &AnyRow) -> Result<BgpPeer, Error> {
    Ok(BgpPeer {
        id: row.word("id")?,
        asn: row.narrow("asn")?,
        key: key(row)?,
        addresses: addresses(row)?,
        created_at: row.time("created_us")?,
        seen: seen(row)?,
        deletion: Deletion {
            asked_at: row.time_or_null("delete_asked_us")?,
            done_at: row.time_or_null("deleted_us")?,
        },
    })
}
