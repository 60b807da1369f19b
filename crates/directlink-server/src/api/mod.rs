//! The ways in: two dialects for customers, the operator's API, and the agents' channel.
//!
//! ```text
//!   POST /  X-Amz-Target: OvertureService.X      aws        AWS Direct Connect, JSON 1.1 and
//!   POST /service/OvertureService/operation/X               CBOR
//!   POST /api/v1/X, //api/latest/X, /X, …        oapi       OUTSCALE API
//!   POST /directlink/v1/X                        oapi/own   ours, in the OUTSCALE API's manner
//!   …    /cockpit/…                              ../cockpit  the same for a browser
//!   …    /operator/v1/…  bearer token            operator   ours, on its own listener
//!   gRPC, mutual TLS, its own listener           agent
//! ```
//!
//! Both customer dialects are RPC with one address, not resources with many, so there is no route
//! table: one fallback reads the head and the whole body (a signature covers it), and asks the
//! dialect. A dialect is pure translation: decode, one call of [`App`], encode. No rule lives here.

pub mod agent;
#[cfg(test)]
mod audit_tests;
mod aws;
mod calls;
mod identity;
mod oapi;
mod operator;
pub(crate) mod remote;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod throttle_tests;

use crate::{
    app::App,
    audit::{self, Slip},
    auth::{Parts, lockout::Lockout},
    cockpit,
    config::Doors,
    throttle::Throttle,
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use calls::Api;
use directlink_model::ids::AccountId;
use http::{HeaderMap, Method, StatusCode, header, uri::Uri};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};
use uuid::Uuid;

/// The largest body that is read. The longest honest one is a few kilobytes.
const BODY_MAX: usize = 1 << 20;

/// Both customer dialects and Cockpit on one listener. A clone of the router, on a second listener, serves as
/// an address of the AWS face alone, and counts wrong signatures together with the first.
pub fn front(app: App, doors: Doors) -> Router {
    let guard = Guard {
        lockout: Arc::default(),
        addresses: Arc::new(Throttle::new(doors.address_rate)),
        trusted_proxies: doors.trusted_proxies.into(),
    };
    let pages = cockpit::customers(app.clone(), guard.clone());
    let proxies = guard.trusted_proxies.clone();
    let accounts = Throttle::new(doors.account_rate);
    let front = Front { app: app.clone(), guard, accounts };
    let router = Router::new().fallback(customers).with_state(Arc::new(front)).merge(pages);
    audit::written_down(router, app, proxies)
}

/// The operator's API under `/operator/v1` and its pages, for a listener that customers do not reach.
pub fn operator(app: App) -> Router {
    let pages = cockpit::operators(app.clone());
    let router = Router::new().route("/operator/{*path}", any(operators));
    audit::written_down(router.with_state(app.clone()).merge(pages), app, Arc::from([]))
}

/// What customers' requests are answered with.
struct Front {
    app: App,
    guard: Guard,
    /// Calls of each account.
    accounts: Throttle<AccountId>,
}

/// What slows down those who guess; shared by every door that customers have. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) lockout: Arc<Lockout>,
    /// Calls from each address that nobody has proved to be behind.
    pub(crate) addresses: Arc<Throttle<IpAddr>>,
    pub(crate) trusted_proxies: Arc<[IpAddr]>,
}

/// A whole request, and the number that we give it.
struct Incoming {
    id: Uuid,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// Where it came from; none where there is no socket.
    remote: Option<IpAddr>,
    /// Who proved to be asking, once that is known.
    proven: OnceLock<Proven>,
    /// Where that is said for the audit trail.
    slip: Slip,
}

/// A caller, for the log of calls.
#[derive(Debug)]
struct Proven {
    account: AccountId,
    /// `None`: by password.
    access_key: Option<String>,
}

impl Incoming {
    async fn read(request: Request<Body>, proxies: &[IpAddr]) -> Result<Self, StatusCode> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_MAX)
            .await
            .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let http::request::Parts { method, uri, mut headers, extensions, .. } = head;
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let remote = peer.map(|peer| remote::behind(peer, &headers, proxies));
        // HTTP/2 has the host in the address; signatures call it `host` all the same.
        if let (Some(authority), false) = (uri.authority(), headers.contains_key(header::HOST))
            && let Ok(host) = authority.as_str().parse()
        {
            headers.insert(header::HOST, host);
        }
        // In order of time, so that the log of calls grows at one end of its index.
        let (id, proven) = (audit::number().unwrap_or_else(Uuid::now_v7), OnceLock::new());
        let slip = extensions.get::<Slip>().cloned().unwrap_or_default();
        Ok(Self { id, method, uri, headers, body, remote, proven, slip })
    }

    /// What of it is signed.
    fn parts(&self) -> Parts<'_> {
        Parts {
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn customers(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    match Incoming::read(request, &front.guard.trusted_proxies).await {
        Ok(incoming) => {
            let started = front.app.machine_now();
            let protocol = aws::Protocol::of(&incoming);
            let (api, response) = match protocol.filter(|_| incoming.method != Method::OPTIONS) {
                Some(protocol) => {
                    (Api::Aws(protocol), aws::answer(&front, &incoming, protocol).await)
                }
                None => (Api::Oapi, oapi::answer(&front, &incoming).await),
            };
            calls::remember(&front, &incoming, api, started, &response);
            response
        }
        Err(status) => status.into_response(),
    }
}

async fn operators(State(app): State<App>, request: Request<Body>) -> Response {
    match Incoming::read(request, &[]).await {
        Ok(incoming) => {
            let response = operator::answer(&app, &incoming).await;
            let is_operator = response.status() != StatusCode::UNAUTHORIZED;
            let actor = is_operator.then(|| "operator".to_owned());
            incoming.slip.found(actor, "operator", incoming.uri.path().to_owned(), true);
            response
        }
        Err(status) => status.into_response(),
    }
}
