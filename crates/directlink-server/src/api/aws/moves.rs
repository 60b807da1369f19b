//! A virtual interface goes over to another connection.

use super::{Call, Outcome, interfaces::encode};
use directlink_model::{
    command::MoveInterface,
    ids::{ConnectionId, InterfaceId},
};

pub(super) async fn associate(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let connection = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let view = call.app.move_interface(&call.context, MoveInterface { id, connection }).await?;
    encode(&call, &view).await
}
