//! Which member of a LAG carries its interfaces: the model says, here they are brought there.

use crate::store::{
    Error, Tx, interfaces,
    journal::{self, Actor},
    lags, plans,
};
use directlink_model::ids::LagId;
use jiff::Timestamp;
use tracing::info;

/// To be called whenever a fact of the LAG or of a member has changed: moves the interfaces to the
/// member whose turn it is, and has the members' ports planned anew. What moves counts as not seen
/// until the router says that it is there.
pub(crate) async fn settle(tx: &mut Tx, lag: LagId, who: (&Actor, Timestamp)) -> Result<(), Error> {
    let Some(bundle) = lags::by_id(tx, lag).await? else { return Ok(()) };
    if let Some(carrier) = bundle.carrier() {
        let moved = interfaces::carry_on(tx, lag, carrier.id).await?;
        if moved > 0 {
            info!(%lag, connection = %carrier.id, moved, "another member carries the interfaces");
            let what = format!("interfaces carried by {}", carrier.id);
            journal::record(tx, who, lag, &what, format!("{moved} moved")).await?;
        }
    }
    for port in bundle.members.iter().filter_map(|member| member.wanted_port()) {
        plans::mark_port(tx, port).await?;
    }
    Ok(())
}
