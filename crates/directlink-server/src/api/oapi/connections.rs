//! DirectLinks: a connection in this dialect.

use super::{
    Call, Members, Outcome,
    list::{Filter, List, Listed},
    member,
    params::{DRY_RUN, Field, Kind, Params, id_of, required},
    refusal::Failure,
};
use directlink_model::{
    command::OrderConnection,
    connection::{Bandwidth, ConnectionState},
    ids::ConnectionId,
    needs::Needs,
    tag_set::TagSet,
    view::ConnectionView,
};
use serde::Serialize;

pub(super) const CREATE: &[Field<'_>] = &[
    required("Bandwidth", Kind::Text),
    required("DirectLinkName", Kind::Text),
    required("Location", Kind::Text),
    DRY_RUN,
];

pub(super) const DELETE: &[Field<'_>] =
    &[required("DirectLinkId", Kind::Id(id_of::<ConnectionId>)), DRY_RUN];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DirectLink<'v> {
    account_id: String,
    bandwidth: &'static str,
    direct_link_id: ConnectionId,
    direct_link_name: &'v str,
    location: &'v str,
    region_name: &'v str,
    state: &'static str,
}

impl<'v> DirectLink<'v> {
    fn new(view: &'v ConnectionView, region_name: &'v str) -> Self {
        let connection = &view.connection;
        Self {
            account_id: connection.account.to_string(),
            bandwidth: connection.capacity_str(),
            direct_link_id: connection.id,
            direct_link_name: &connection.name,
            location: connection.location.as_str(),
            region_name,
            state: state(view.state),
        }
    }
}

/// The guide's words. (The description since 1.35.5 leaves out `requested` and says `disabled` for
/// `down`; its own examples still say `requested`.) This API has no hosted connections and no word
/// for an offer: one that waits is `requested`, one that came to nothing is `deleted`.
pub(super) const fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Ordering | ConnectionState::Requested => "requested",
        ConnectionState::Pending => "pending",
        ConnectionState::Available => "available",
        ConnectionState::Down => "down",
        ConnectionState::Deleting => "deleting",
        ConnectionState::Deleted | ConnectionState::Rejected => "deleted",
    }
}

impl Listed for ConnectionView {
    const FILTERS: &'static [Filter<Self>] =
        &[Filter::Texts("DirectLinkIds", |view| vec![view.connection.id.to_string()])];
}

pub(super) async fn create(call: Call<'_>) -> Outcome {
    let params = call.checked(CREATE)?;
    order(&call, params, Needs::default()).await
}

/// `call` gives context; what was ordered is in `params`, which is described by its action.
pub(super) async fn order(call: &Call<'_>, params: Params<'_>, needs: Needs) -> Outcome {
    let command = OrderConnection {
        name: params.needed_text("DirectLinkName")?.to_owned(),
        location: params.needed_text("Location")?.to_owned(),
        bandwidth: bandwidth(params.needed_text("Bandwidth")?)?,
        lag: None,
        tags: TagSet::default(),
        needs,
    };
    let view = call.app.order_connection(&call.context()?, command).await?;
    Ok(member("DirectLink", DirectLink::new(&view, call.app.region().name.as_str())))
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let list = List::read::<ConnectionView>(&call, &[])?;
    let ids = list.ids("DirectLinkIds");
    let views = call.app.connections(&call.context()?, ids.as_deref()).await?;
    let region = call.app.region().name.as_str();
    list.answer("DirectLinks", &views, |view| serde_json::json!(DirectLink::new(view, region)))
}

pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let id = call.checked(DELETE)?.needed_id("DirectLinkId")?;
    call.app.delete_connection(&call.context()?, id).await?;
    Ok(Members::new())
}

fn bandwidth(text: &str) -> Result<Bandwidth, Failure> {
    text.parse().map_err(|()| Failure::value("Bandwidth", text, "give 1Gbps or 10Gbps"))
}
