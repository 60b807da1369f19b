//! Hosted connections. What the published description calls an interconnect is here a connection of
//! the partner's like any other, so the two older operations are the same under other names.
//!
//! ```text
//!  partner:  AllocateHostedConnection ─► ordering     AssociateHostedConnection   DescribeHostedConnections
//!  customer: ConfirmConnection ─► pending …           DescribeConnections
//! ```

use super::{
    Answer, Call, Outcome,
    connections::{encode, list, state},
    paging::Page,
    refusal::Failure,
    tags::given_tags,
};
use crate::app::Refusal;
use directlink_model::{
    command::{AllocateConnection, MoveHosted},
    hosting::Capacity,
    ids::ConnectionId,
};
use serde_json::json;

pub(super) async fn allocate(call: Call<'_>) -> Outcome {
    allocate_on(&call, "connectionId").await
}

pub(super) async fn allocate_on_interconnect(call: Call<'_>) -> Outcome {
    allocate_on(&call, "interconnectId").await
}

async fn allocate_on(call: &Call<'_>, parent: &str) -> Outcome {
    let given = &call.given;
    let vlan = given.needed_integer("vlan")?;
    let capacity: Result<Capacity, _> = given.needed_text("bandwidth")?.parse();
    let command = AllocateConnection {
        parent: given.needed_id(parent, ConnectionId::PREFIX)?,
        owner: given.needed_account("ownerAccount")?,
        name: given.needed_text("connectionName")?.to_owned(),
        vlan: vlan.try_into().map_err(|bad| Failure::client(format!("Invalid VLAN: {bad}")))?,
        capacity: capacity.map_err(Refusal::from)?,
        tags: given_tags(given)?,
    };
    let view = call.app.allocate_connection(&call.context, command).await?;
    encode(call, &view).await
}

pub(super) async fn confirm(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let view = call.app.confirm_connection(&call.context, id).await?;
    Ok(json!({ "connectionState": state(view.state) }))
}

pub(super) async fn associate(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let parent = call.given.needed_id("parentConnectionId", ConnectionId::PREFIX)?;
    let view = call.app.move_hosted(&call.context, MoveHosted { id, parent }).await?;
    encode(&call, &view).await
}

pub(super) async fn describe(call: Call<'_>) -> Result<Answer, Failure> {
    describe_on(&call, "connectionId").await
}

pub(super) async fn describe_on_interconnect(call: Call<'_>) -> Result<Answer, Failure> {
    describe_on(&call, "interconnectId").await
}

async fn describe_on(call: &Call<'_>, parent: &str) -> Result<Answer, Failure> {
    let parent = call.given.needed_id(parent, ConnectionId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let views = call.app.hosted_connections(&call.context, parent).await?;
    list(call, &page, views).await
}
