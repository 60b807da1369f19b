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
    ids::{AccountId, ConnectionId, LagId, RegionName},
    needs::Needs,
    tag_set::{TagSet, Tagged},
    view::ConnectionView,
};
use directlink_net::Vlan;
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;

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
    /// Epoch seconds: the letter is issued with the approval. A hosted connection has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    loa_issue_time: Option<i64>,
    location: &'v str,
    mac_sec_capable: bool,
    owner_account: AccountId,
    /// Who hosts it. An account here has no name but its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_name: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<AccountId>,
    region: &'v str,
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlan>,
}

impl<'v> Connection<'v> {
    pub(super) fn new(
        connection: &'v connection::Connection,
        region: &'v RegionName,
        tags: &Tags,
    ) -> Self {
        let approval = connection.approval.as_ref();
        let hosting = connection.hosting.as_ref();
        let letter = approval.filter(|_| hosting.is_none());
        let partner = hosting.map(|h| h.partner);
        let router = approval.map(|a| a.port.router.as_str());
        Self {
            aws_device_v2: router,
            aws_logical_device_id: router,
            bandwidth: connection.capacity_str(),
            connection_id: connection.id,
            connection_name: &connection.name,
            connection_state: state(connection.state()),
            has_logical_redundancy: "no",
            jumbo_frame_capable: false,
            lag_id: connection.lag,
            loa_issue_time: letter.map(|a| a.letter_at.as_second()),
            location: connection.location.as_str(),
            mac_sec_capable: false,
            owner_account: connection.account,
            partner_name: partner,
            provider_name: partner,
            region: region.as_str(),
            tags: tags_of(tags, connection.id),
            vlan: hosting.map(|h| h.vlan),
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

pub(super) const fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Ordering => "ordering",
        ConnectionState::Requested => "requested",
        ConnectionState::Pending => "pending",
        ConnectionState::Available => "available",
        ConnectionState::Down => "down",
        ConnectionState::Deleting => "deleting",
        ConnectionState::Deleted => "deleted",
        ConnectionState::Rejected => "rejected",
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
    let provider = given.text("providerName")?.map(str::to_owned);
    let needs = Needs { provider, ..Needs::default() };
    let command = OrderConnection { name, location, bandwidth, lag, tags: tags.clone(), needs };
    let connection = call.app.order_connection(&call.context, command).await?.connection;
    // It has those that it was ordered with: nobody else knows it yet.
    let tags = alone(connection.id, tags);
    Ok(json!(Connection::new(&connection, &call.app.region().name, &tags)))
}

fn alone(id: ConnectionId, tags: TagSet) -> Tags {
    (!tags.is_empty()).then(|| (id.to_string(), tags)).into_iter().collect()
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
    Ok(json!(Connection::new(&view.connection, &call.app.region().name, &tags)))
}

pub(super) async fn describe(call: Call<'_>) -> Result<Answer, Failure> {
    let id: Option<ConnectionId> = call.given.id("connectionId", ConnectionId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let Some(id) = id else {
        let own = call.app.own_lines(&call.context).await?;
        let write = || answer(&call, &page, own.connections().collect(), own.tags());
        return match page.is_all() {
            true => own.text("DescribeConnections", || Ok(write()?.0)).map(Answer),
            false => write(),
        };
    };
    let (connection, tags) = call.app.own_line(&call.context, id).await?;
    answer(&call, &page, vec![Cow::Owned(connection)], &alone(id, tags))
}

/// A page of them, with the caller's tags.
pub(super) async fn list(
    call: &Call<'_>,
    page: &Page,
    views: Vec<ConnectionView>,
) -> Result<Answer, Failure> {
    let tagged: Vec<Tagged> = views.iter().map(|view| view.connection.id.into()).collect();
    let tags = call.app.line_tags(&call.context, Some(&tagged)).await?;
    let list = views.iter().map(|view| Cow::Borrowed(&view.connection)).collect();
    answer(call, page, list, &tags)
}

/// That page of the list.
fn answer(
    call: &Call<'_>,
    page: &Page,
    list: Vec<Cow<'_, connection::Connection>>,
    tags: &Tags,
) -> Result<Answer, Failure> {
    let (list, next_token) = page.of(list, |c| position(c.requested_at, c.id));
    let region = &call.app.region().name;
    let connections = list.iter().map(|c| Connection::new(c, region, tags)).collect();
    Answer::of(&Connections { connections, next_token })
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    let view = call.app.delete_connection(&call.context, id).await?;
    encode(&call, &view).await
}
