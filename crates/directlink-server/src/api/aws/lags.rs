//! Link aggregation groups.

use super::{
    Call, Outcome,
    connections::{self, Connection, bandwidth},
    paging::{Page, position, with_next},
    refusal::Failure,
    tags::{Tag, given_tags, tags_in, tags_of},
};
use crate::app::{Refusal, Tags};
use directlink_model::{
    Fault,
    command::{ChangeLag, CreateLag, SetMember},
    fault::LagFault,
    ids::{ConnectionId, LagId, RegionName},
    lag::LagState,
    tag_set::Tagged,
    view::LagView,
};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lag<'v> {
    allows_hosted_connections: bool,
    /// The router that its members end at, once one of them is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_device_v2: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_logical_device_id: Option<&'v str>,
    connections: Vec<Connection<'v>>,
    connections_bandwidth: &'static str,
    has_logical_redundancy: &'static str,
    jumbo_frame_capable: bool,
    lag_id: LagId,
    lag_name: &'v str,
    lag_state: &'static str,
    location: &'v str,
    mac_sec_capable: bool,
    minimum_links: u32,
    number_of_connections: usize,
    owner_account: String,
    region: &'v str,
    tags: Vec<Tag>,
}

impl<'v> Lag<'v> {
    fn new(view: &'v LagView, region: &'v RegionName, tags: &Tags) -> Self {
        let lag = &view.lag;
        let approved = view.members.iter().find_map(|member| member.connection.approval.as_ref());
        let router = approved.map(|approval| approval.port.router.as_str());
        let connections =
            view.members.iter().map(|one| Connection::new(&one.connection, region, tags));
        Self {
            allows_hosted_connections: false,
            aws_device_v2: router,
            aws_logical_device_id: router,
            connections: connections.collect(),
            connections_bandwidth: lag.bandwidth.as_str(),
            has_logical_redundancy: "no",
            jumbo_frame_capable: false,
            lag_id: lag.id,
            lag_name: &lag.name,
            lag_state: state(view.state),
            location: lag.location.as_str(),
            mac_sec_capable: false,
            minimum_links: lag.minimum_links,
            number_of_connections: view.members.len(),
            owner_account: lag.account.to_string(),
            region: region.as_str(),
            tags: tags_of(tags, lag.id),
        }
    }
}

const fn state(state: LagState) -> &'static str {
    match state {
        LagState::Requested => "requested",
        LagState::Pending => "pending",
        LagState::Available => "available",
        LagState::Down => "down",
        LagState::Deleted => "deleted",
    }
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let count = given.needed_integer("numberOfConnections")?;
    let location = given.needed_text("location")?.to_owned();
    let bandwidth = bandwidth(given.needed_text("connectionsBandwidth")?)?;
    let name = given.needed_text("lagName")?.to_owned();
    given.refuse(&["requestMACSec"])?;
    let connection = given.id("connectionId", ConnectionId::PREFIX)?;
    let (tags, member_tags) = (given_tags(given)?, tags_in(given, "childConnectionTags")?);
    let command = CreateLag { name, location, bandwidth, count, connection, tags, member_tags };
    let view = call.app.create_lag(&call.context, command).await?;
    encode(&call, &view).await
}

pub(super) async fn describe(call: Call<'_>) -> Outcome {
    let id: Option<LagId> = call.given.id("lagId", LagId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let views = call.app.lags(&call.context, id).await?;
    if let (Some(id), true) = (id, views.is_empty()) {
        return Err(missing(id));
    }
    let key = |view: &LagView| position(view.lag.requested_at, view.lag.id);
    let (views, next) = page.of(views, key);
    let mut list = Vec::with_capacity(views.len());
    let tags = call.app.line_tags(&call.context, Some(&tagged(&views))).await?;
    for view in &views {
        list.push(json!(Lag::new(view, &call.app.region().name, &tags)));
    }
    Ok(with_next(json!({ "lags": list }), next))
}

pub(super) async fn update(call: Call<'_>) -> Outcome {
    let given = &call.given;
    let id = given.needed_id("lagId", LagId::PREFIX)?;
    // Nothing of a port of ours can encrypt.
    if let Some(mode) = given.text("encryptionMode")?.filter(|mode| *mode != "no_encrypt") {
        let text = format!(
            "encryptionMode '{mode}' is not supported by this endpoint: {id} is not MACsec capable"
        );
        return Err(Failure::client(text));
    }
    let name = given.text("lagName")?.map(str::to_owned);
    let command = ChangeLag { id, name, minimum_links: given.integer("minimumLinks")? };
    let view = call.app.change_lag(&call.context, command).await?;
    encode(&call, &view).await
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("lagId", LagId::PREFIX)?;
    let view = call.app.delete_lag(&call.context, id).await?;
    encode(&call, &view).await
}

pub(super) async fn associate(call: Call<'_>) -> Outcome {
    let view = call.app.join_lag(&call.context, member(&call)?).await?;
    connections::encode(&call, &view).await
}

pub(super) async fn disassociate(call: Call<'_>) -> Outcome {
    let view = call.app.leave_lag(&call.context, member(&call)?).await?;
    connections::encode(&call, &view).await
}

fn member(call: &Call<'_>) -> Result<SetMember, Failure> {
    let connection = call.given.needed_id("connectionId", ConnectionId::PREFIX)?;
    Ok(SetMember { connection, lag: call.given.needed_id("lagId", LagId::PREFIX)? })
}

/// One that the caller has.
pub(super) async fn one(call: &Call<'_>, id: LagId) -> Result<LagView, Failure> {
    let views = call.app.lags(&call.context, Some(id)).await?;
    views.into_iter().next().ok_or_else(|| missing(id))
}

fn missing(id: LagId) -> Failure {
    Refusal::from(Fault::from(LagFault::NoSuchLag(id))).into()
}

/// The LAGs, and their members.
fn tagged(views: &[LagView]) -> Vec<Tagged> {
    let members = |view: &LagView| view.members.iter().map(|m| m.connection.id.into()).collect();
    let one = |view: &LagView| [vec![view.lag.id.into()], members(view)].concat();
    views.iter().flat_map(one).collect()
}

async fn encode(call: &Call<'_>, view: &LagView) -> Outcome {
    let tags = tagged(std::slice::from_ref(view));
    let tags = call.app.line_tags(&call.context, Some(&tags)).await?;
    Ok::<Value, _>(json!(Lag::new(view, &call.app.region().name, &tags)))
}
