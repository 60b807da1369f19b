//! Rows that say who has a VLAN of a connection: an interface on it, or a connection that it hosts.
//!
//! Written where interfaces and connections are, in the same transaction: whoever begins to live
//! claims its VLAN, and whoever ends gives it back.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    hosting::Holder,
    ids::{ConnectionId, LagId},
};
use directlink_net::Vlan;
use sqlx::{AnyConnection, query};

statements! {
    CLAIM = "INSERT INTO wire_vlan (connection, vlan, holder) VALUES ($1, $2, $3)";
    RELEASE = "DELETE FROM wire_vlan WHERE holder = $1";
    MOVE = "UPDATE wire_vlan SET connection = $2 WHERE holder = $1";
    // As interfaces themselves are moved: what is being deleted stays.
    CARRY_ON = "UPDATE wire_vlan SET connection = $2
                WHERE holder IN (SELECT id FROM interface WHERE lag = $1 AND connection = $2)";
    HOLDER = "SELECT holder FROM wire_vlan WHERE connection = $1 AND vlan = $2";
}

pub(super) async fn claim(
    db: &mut AnyConnection,
    connection: ConnectionId,
    vlan: Vlan,
    holder: Holder,
) -> Result<(), Error> {
    query(CLAIM)
        .bind(connection.to_string())
        .bind(i64::from(vlan.as_u16()))
        .bind(holder.to_string())
        .execute(db)
        .await?;
    Ok(())
}

pub(super) async fn release(db: &mut AnyConnection, holder: Holder) -> Result<(), Error> {
    query(RELEASE).bind(holder.to_string()).execute(db).await?;
    Ok(())
}

/// Its VLAN is one of that connection's from now on.
pub(super) async fn move_to(
    db: &mut AnyConnection,
    holder: Holder,
    connection: ConnectionId,
) -> Result<(), Error> {
    query(MOVE).bind(holder.to_string()).bind(connection.to_string()).execute(db).await?;
    Ok(())
}

/// The VLANs of the LAG's interfaces that are on this member now.
pub(super) async fn carry_on(
    db: &mut AnyConnection,
    lag: LagId,
    member: ConnectionId,
) -> Result<(), Error> {
    query(CARRY_ON).bind(lag.to_string()).bind(member.to_string()).execute(db).await?;
    Ok(())
}

/// Who has it, also if the holder's offer is over and not yet stamped.
pub(crate) async fn holder(
    db: &mut AnyConnection,
    connection: ConnectionId,
    vlan: Vlan,
) -> Result<Option<Holder>, Error> {
    let row = query(HOLDER)
        .bind(connection.to_string())
        .bind(i64::from(vlan.as_u16()))
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let text = row.text("holder")?;
    let interface = text.parse().map(Holder::Interface);
    let holder = interface.or_else(|_| text.parse().map(Holder::Hosted));
    holder.map(Some).map_err(|why| unreadable("holder", &text, why))
}
