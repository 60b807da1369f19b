//! AWS Direct Connect, in both [`protocol`]s of its published model.
//!
//! The ten operations that OUTSCALE's DirectLink is compatible in, exactly, and beyond them what
//! this Region can truly do: tags, the Letter of Authorization, routes as the router has them,
//! router configurations, failover tests, hosted connections, LAGs. Any other of the published
//! model is answered as AWS answers what an endpoint does not know. Refusals are
//! `DirectConnectClientException` with a text: there is no not-found type, so clients match texts,
//! and ours keep the words they look for (see [`refusal`]).

mod bgp_peers;
mod cbor;
mod connections;
mod failover;
mod hosted_connections;
mod interfaces;
mod lags;
mod letters;
mod members;
mod moves;
mod paging;
mod protocol;
mod refusal;
mod region;
mod router_configuration;
mod routes;
mod tags;
#[cfg(test)]
mod tests;

use super::{Front, Incoming, Unserved, identity};
use crate::{
    app::{App, Context},
    store,
};
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, header};
use members::Members;
pub(super) use protocol::Protocol;
use refusal::Failure;
use serde::Serialize;
use serde_json::Value;
use std::error::Error;

type Outcome = Result<Value, Failure>;
type Handler = for<'c> fn(Call<'c>) -> BoxFuture<'c, Result<Answer, Failure>>;

/// What is answered, written down.
struct Answer(Bytes);

impl Answer {
    /// Straight from its parts: of a long list no tree of values is made first.
    fn of(parts: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_vec(parts).map_err(store::Error::from);
        Ok(Self(text.map_err(crate::app::Refusal::from)?.into()))
    }
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

struct Operation {
    name: &'static str,
    run: Handler,
}

macro_rules! operations {
    ($($name:ident $handler:path;)*) => {
        /// Every operation of this endpoint.
        static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            run: |call| Box::pin(async move { Ok($handler(call).await?.into()) }),
        }),*];
    };
}

operations! {
    AllocateConnectionOnInterconnect hosted_connections::allocate_on_interconnect;
    AllocateHostedConnection hosted_connections::allocate;
    AllocatePrivateVirtualInterface interfaces::allocate;
    AssociateConnectionWithLag lags::associate;
    AssociateHostedConnection hosted_connections::associate;
    AssociateVirtualInterface moves::associate;
    ConfirmConnection hosted_connections::confirm;
    ConfirmPrivateVirtualInterface interfaces::confirm;
    CreateBGPPeer bgp_peers::create;
    CreateConnection connections::create;
    CreateLag lags::create;
    CreatePrivateVirtualInterface interfaces::create;
    DeleteBGPPeer bgp_peers::delete;
    DeleteConnection connections::delete;
    DeleteLag lags::delete;
    DeleteVirtualInterface interfaces::delete;
    DescribeConnectionLoa letters::describe_nested;
    DescribeConnections connections::describe;
    DescribeConnectionsOnInterconnect hosted_connections::describe_on_interconnect;
    DescribeHostedConnections hosted_connections::describe;
    DescribeLags lags::describe;
    DescribeLoa letters::describe;
    DescribeLocations region::describe_locations;
    DescribeRouterConfiguration router_configuration::describe;
    DescribeTags tags::describe;
    DescribeVirtualGateways region::describe_virtual_gateways;
    DescribeVirtualInterfaces interfaces::describe;
    DisassociateConnectionFromLag lags::disassociate;
    ListVirtualInterfaceRoutes routes::list;
    ListVirtualInterfaceTestHistory failover::history;
    StartBgpFailoverTest failover::start;
    StopBgpFailoverTest failover::stop;
    TagResource tags::tag;
    UntagResource tags::untag;
    UpdateConnection connections::update;
    UpdateLag lags::update;
    UpdateVirtualInterfaceAttributes interfaces::update;
}

/// One call of an operation.
struct Call<'c> {
    app: &'c App,
    context: Context,
    given: Members<'c>,
}

pub(super) async fn answer(front: &Front, incoming: &Incoming, protocol: Protocol) -> Response {
    let request_id = incoming.id.to_string();
    let mut response = match run(front, incoming, protocol).await {
        Ok(answer) => protocol.answer(answer),
        Err(failure) => refuse(&failure, incoming, protocol),
    };
    // AWS's clients read the one, osc-cli the other, and dies without it.
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        for name in ["x-amzn-requestid", "x-amz-requestid"] {
            response.headers_mut().insert(HeaderName::from_static(name), id.clone());
        }
    }
    response
}

async fn run(front: &Front, incoming: &Incoming, protocol: Protocol) -> Result<Answer, Failure> {
    if incoming.method != Method::POST {
        return Err(Failure::serialization("This endpoint is called with POST."));
    }
    let name = protocol.operation(incoming)?;
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    let operation = operation.ok_or_else(|| Failure::unknown_operation(name))?;
    let caller = identity::caller(front, incoming, false).await?;
    let body = protocol.members(&incoming.body)?;
    let (now, request_id) = (front.app.now(), incoming.id);
    let context = Context { caller, now, request_id, dry_run: false };
    (operation.run)(Call { app: &front.app, context, given: Members::new(&body) }).await
}

fn refuse(failure: &Failure, incoming: &Incoming, protocol: Protocol) -> Response {
    let request_id = incoming.id;
    if let Failure::World(error) = failure {
        let cause = error.source().map(ToString::to_string);
        tracing::error!(%request_id, %error, cause, "a call failed");
    }
    let (_, kind, message) = failure.parts();
    tracing::debug!(%request_id, kind, message, "refused");
    let mut response = protocol.refuse(failure);
    let kind_header = HeaderName::from_static("x-amzn-errortype");
    response.headers_mut().insert(kind_header, HeaderValue::from_static(kind));
    if let Failure::TooFast(too_fast) = failure {
        let seconds = too_fast.retry_after_seconds().into();
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if let Failure::World(error) = failure {
        Unserved::mark(&mut response, error);
    }
    response
}
