//! Connections.

use super::{
    Call, Outcome,
    paging::{Page, position, with_next},
    refusal::Failure,
    tags::{Tag, given_tags, tags_of},
};
use crate::app::Tags;
use directlink_model::{
    Fault,
    command::{OrderConnection, RenameConnection},
    connection::{Bandwidth, ConnectionState},
    ids::{ConnectionId, LagId, RegionName},
    tag_set::Tagged,
    view::ConnectionView,
};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<'v> {
    /// The router that carries it, once the order is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_device_v2: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_logical_device_id: Option<&'v str>,
    bandwidth: &'static str,
    connection_id: ConnectionId,
    connection_name: &'v str,
    connection_state: &'static str,
    has_logical_redundancy: &'static str,
    jumbo_frame_capable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_id: Option<LagId>,
    /// Epoch seconds: the letter is issued with the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    loa_issue_time: Option<i64>,
    location: &'v str,
    mac_sec_capable: bool,
    owner_account: String,
    region: &'v str,
    tags: Vec<Tag>,
}

impl<'v> Connection<'v> {
    pub(super) fn new(view: &'v ConnectionView, region: &'v RegionName, tags: &Tags) -> Self {
        let connection = &view.connection;
        let approval = connection.approval.as_ref();
        let router = approval.map(|a| a.port.router.as_str());
        Self {
            aws_device_v2: router,
            aws_logical_device_id: router,
            bandwidth: connection.bandwidth.as_str(),
            connection_id: connection.id,
            connection_name: &connection.name,
            connection_state: state(view.state),
            has_logical_redundancy: "no",
            jumbo_frame_capable: false,
            lag_id: connection.lag,
            loa_issue_time: approval.map(|a| a.approved_at.as_second()),
            location: connection.location.as_str(),
            mac_sec_capable: false,
            owner_account: connection.account.to_string(),
            region: region.as_str(),
            tags: tags_of(tags, connection.id),
        }
    }
}

const fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Requested => "requested",
        ConnectionState::Pending => "pending",
        ConnectionState::Available => "available",
        ConnectionState::Down => "down",
        ConnectionState::Deleting => "deleting",
        ConnectionState::Deleted => "deleted",
    }
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let location = given.needed_text("location")?.to_owned();
    let bandwidth = bandwidth(given.needed_text("bandwidth")?)?;
    let name = given.needed_text("connectionName")?.to_owned();
    given.refuse(&["requestMACSec"])?;
    let lag = given.id("lagId", LagId::PREFIX)?;
    let tags = given_tags(given)?;
    let command = OrderConnection { name, location, bandwidth, lag, tags };
    let view = call.app.order_connection(&call.context, command).await?;
    encode(&call, &view).await
}

pub(super) fn bandwidth(given: &str) -> Result<Bandwidth, Failure> {
    given.parse().map_err(|()| {
        let text = format!(
            "Value of parameter 'Speed' is not valid: {given}. Supported values: 10Gbps, 1Gbps"
        );
        Failure::client(text)
    })
}

pub(super) async fn update(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let id = given.needed_id("connectionId", ConnectionId::PREFIX)?;
    // Nothing of a port of ours can encrypt.
    if let Some(mode) = given.text("encryptionMode")?.filter(|mode| *mode != "no_encrypt") {
        let text = format!(
            "encryptionMode '{mode}' is not supported by this endpoint: {id} is not MACsec capable"
        );
        return Err(Failure::client(text));
    }
    let Some(name) = given.text("connectionName")? else {
        let view = one(&call, id).await?;
        return encode(&call, &view).await;
    };
    let command = RenameConnection { id, name: name.to_owned() };
    let view = call.app.rename_connection(&call.context, command).await?;
    encode(&call, &view).await
}

/// One that the caller has.
pub(super) async fn one(call: &Call<'_>, id: ConnectionId) -> Result<ConnectionView, Failure> {
    let views = call.app.connections(&call.context, Some(&[id])).await?;
    let missing = || crate::app::Refusal::from(Fault::NoSuchConnection(id)).into();
    views.into_iter().next().ok_or_else(missing)
}

pub(super) async fn encode(call: &Call<'_>, view: &ConnectionView) -> Outcome {
    let tags = call.app.line_tags(&call.context, Some(&[view.connection.id.into()])).await?;
    Ok(json!(Connection::new(view, &call.app.region().name, &tags)))
}

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    let id: Option<ConnectionId> = call.given.id("connectionId", ConnectionId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let ids = id.as_ref().map(std::slice::from_ref);
    let views = call.app.connections(&call.context, ids).await?;
    if let (Some(id), true) = (id, views.is_empty()) {
        return Err(crate::app::Refusal::from(Fault::NoSuchConnection(id)).into());
    }
    let region = &call.app.region().name;
    let key = |view: &ConnectionView| {
        let connection = &view.connection;
        position(connection.requested_at, connection.id)
    };
    let (views, next) = page.of(views, key);
    let tagged: Vec<Tagged> = views.iter().map(|view| view.connection.id.into()).collect();
    let tags = call.app.line_tags(&call.context, Some(&tagged)).await?;
    let list: Vec<_> = views.iter().map(|view| Connection::new(view, region, &tags)).collect();
    Ok(with_next(json!({ "connections": list }), next))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let view = call.app.delete_connection(&call.context, id).await?;
    encode(&call, &view).await
}
