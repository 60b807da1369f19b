//! A virtual interface goes over to another connection or LAG.

use super::{
    Call, Outcome,
    interfaces::{TRUNK, encode},
};
use directlink_model::{command::MoveInterface, ids::InterfaceId};

pub(super) async fn associate(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let to = call.given.needed_id("connectionId", TRUNK)?;
    let view = call.app.move_interface(&call.context, MoveInterface { id, to }).await?;
    encode(&call, &view).await
}
