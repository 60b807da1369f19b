//! Connections.

use super::{
    Answer, Call, Outcome,
    paging::{Page, position},
    refusal::Failure,
    tags::{Tag, given_tags, tags_of},
};
use crate::app::Tags;
use directlink_model::{
    Fault,
    command::{OrderConnection, RenameConnection},
    connection::{self, Bandwidth, ConnectionState},
    ids::{AccountId, ConnectionId, RegionName},
    tag_set::TagSet,
    view::ConnectionView,
};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'v> {
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
    /// Epoch seconds: the letter is issued with the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    loa_issue_time: Option<i64>,
    location: &'v str,
    mac_sec_capable: bool,
    owner_account: AccountId,
    region: &'v str,
    tags: Vec<Tag>,
}

impl<'v> Connection<'v> {
    fn new(connection: &'v connection::Connection, region: &'v RegionName, tags: &Tags) -> Self {
        let approval = connection.approval.as_ref();
        let router = approval.map(|a| a.port.router.as_str());
        Self {
            aws_device_v2: router,
            aws_logical_device_id: router,
            bandwidth: connection.bandwidth.as_str(),
            connection_id: connection.id,
            connection_name: &connection.name,
            connection_state: state(connection.state()),
            has_logical_redundancy: "no",
            jumbo_frame_capable: false,
            loa_issue_time: approval.map(|a| a.approved_at.as_second()),
            location: connection.location.as_str(),
            mac_sec_capable: false,
            owner_account: connection.account,
            region: region.as_str(),
            tags: tags_of(tags, connection.id),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connections<'v> {
    connections: Vec<Connection<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
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
    let bandwidth = given.needed_text("bandwidth")?;
    let name = given.needed_text("connectionName")?.to_owned();
    given.refuse(&["lagId", "requestMACSec"])?;
    let bandwidth = bandwidth.parse::<Bandwidth>().map_err(|()| {
        let text = format!(
            "Value of parameter 'Speed' is not valid: {bandwidth}. Supported values: 10Gbps, 1Gbps"
        );
        Failure::client(text)
    })?;
    let tags = given_tags(given)?;
    let command = OrderConnection { name, location, bandwidth, tags: tags.clone() };
    let connection = call.app.order_connection(&call.context, command).await?.connection;
    // It has those that it was ordered with: nobody else knows it yet.
    let tags = alone(connection.id, tags);
    Ok(json!(Connection::new(&connection, &call.app.region().name, &tags)))
}

fn alone(id: ConnectionId, tags: TagSet) -> Tags {
    (!tags.is_empty()).then(|| (id.to_string(), tags)).into_iter().collect()
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

async fn encode(call: &Call<'_>, view: &ConnectionView) -> Outcome {
    let tags = call.app.line_tags(&call.context, Some(&[view.connection.id.into()])).await?;
    Ok(json!(Connection::new(&view.connection, &call.app.region().name, &tags)))
}

pub(super) async fn describe(call: Call<'_>) -> Result<Answer, Failure> {
    let id: Option<ConnectionId> = call.given.id("connectionId", ConnectionId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let Some(id) = id else {
        let own = call.app.own_lines(&call.context).await?;
        return answer(&call, &page, own.connections().collect(), own.tags());
    };
    let (connection, tags) = call.app.own_line(&call.context, id).await?;
    answer(&call, &page, vec![&connection], &alone(id, tags))
}

/// That page of the list.
fn answer(
    call: &Call<'_>,
    page: &Page,
    list: Vec<&connection::Connection>,
    tags: &Tags,
) -> Result<Answer, Failure> {
    let (list, next_token) = page.of(list, |c| position(c.requested_at, c.id));
    let region = &call.app.region().name;
    let connections = list.into_iter().map(|c| Connection::new(c, region, tags)).collect();
    Answer::of(&Connections { connections, next_token })
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let view = call.app.delete_connection(&call.context, id).await?;
    encode(&call, &view).await
}
