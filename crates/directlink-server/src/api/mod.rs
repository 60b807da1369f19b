//! The ways in: two dialects for customers, the operator's API, and the agents' channel.
//!
//! ```text
//!   POST /  X-Amz-Target: OvertureService.X      aws        AWS Direct Connect, JSON 1.1 and
//!   POST /service/OvertureService/operation/X               CBOR
//!   POST /api/v1/X, //api/latest/X, /X, …        oapi       OUTSCALE API
//!   POST /directlink/v1/X                        oapi/own   ours, in the OUTSCALE API's manner
//!   …    /cockpit/…                              ../cockpit  the same for a browser
//!   …    /operator/v1/…  bearer token            operator   ours, on its own listener
//!   GET  /live, /ready                            health     for load balancers, on both
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
mod guard;
mod health;
mod identity;
mod oapi;
mod operator;
pub(crate) mod remote;
mod spans;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod throttle_tests;
mod what_if;

use crate::{
    app::App,
    audit::{self, Slip},
    auth::Parts,
    cockpit,
    config::Doors,
    store,
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
pub(crate) use guard::Guard;
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
    let is_shared = app.parts().store.is_shared();
    let addresses = Throttle::new(doors.address_rate, is_shared);
    let guard = Guard::new(addresses, doors.trusted_proxies);
    let accounts = Arc::new(Throttle::new(doors.account_rate, is_shared));
    if is_shared {
        let (accounts, addresses) = (Arc::clone(&accounts), Arc::clone(&guard.addresses));
        tokio::spawn(guard::share_calls(app.clone(), accounts, addresses));
    }
    let pages = cockpit::customers(app.clone(), guard.clone()).merge(health::route(app.clone()));
    let proxies = guard.trusted_proxies.clone();
    let front = Front { app: app.clone(), guard, accounts };
    let router = Router::new().fallback(customers).with_state(Arc::new(front)).merge(pages);
    spans::spanned(audit::written_down(router, app, proxies))
}

/// The operator's API under `/operator/v1` and its pages, for a listener that customers do not reach.
pub fn operator(app: App) -> Router {
    let pages = cockpit::operators(app.clone()).merge(health::route(app.clone()));
    let router = Router::new().route("/operator/{*path}", any(operators));
    let router = router.with_state(app.clone()).merge(pages);
    spans::spanned(audit::written_down(router, app, Arc::from([])))
}

/// A request that finds the database gone, or another node of it, is served so often.
const ATTEMPTS: u32 = 3;

/// Marks an answer that says that nothing was done, because the database was lost: it may go well now.
#[derive(Clone, Copy, Debug)]
struct Unserved;

impl Unserved {
    fn mark(response: &mut Response, error: &store::Error) {
        if matches!(error, store::Error::Lost(_) | store::Error::Late) {
            response.extensions_mut().insert(Self);
        }
    }
}

/// What customers' requests are answered with.
struct Front {
    app: App,
    guard: Guard,
    /// Calls of each account.
    accounts: Arc<Throttle<AccountId>>,
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
            let (mut api, mut response) = serve(&front, &incoming).await;
            for _ in 1..ATTEMPTS {
                if response.extensions().get::<Unserved>().is_some() {
                    (api, response) = serve(&front, &incoming).await;
                }
            }
            calls::remember(&front, &incoming, api, started, &response);
            response
        }
        Err(status) => status.into_response(),
    }
}

async fn serve(front: &Front, incoming: &Incoming) -> (Api, Response) {
    let protocol = aws::Protocol::of(incoming).filter(|_| incoming.method != Method::OPTIONS);
    let (api, action) = match protocol {
        Some(protocol) => (Api::Aws(protocol), protocol.target(incoming).1.to_owned()),
        None => (Api::Oapi, oapi::action_of(incoming).unwrap_or_default()),
    };
    let answer = async {
        match protocol {
            Some(protocol) => aws::answer(front, incoming, protocol).await,
            None => oapi::answer(front, incoming).await,
        }
    };
    // Acts look after themselves: what became of them must be known.
    if !(action.starts_with("Read") || action.starts_with("Describe")) {
        return (api, answer.await);
    }
    let read = front.app.parts().store.read_in_time(answer).await;
    let response = read.unwrap_or_else(|late| {
        // Whoever hangs there hangs alone.
        let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
        Unserved::mark(&mut response, &late);
        response
    });
    (api, response)
}

async fn operators(State(app): State<App>, request: Request<Body>) -> Response {
    match Incoming::read(request, &[]).await {
        Ok(incoming) => {
            let response = operator::answer(&app, &incoming).await;
            let is_operator = response.status() != StatusCode::UNAUTHORIZED;
            let actor = is_operator.then(|| "operator".to_owned());
            incoming.slip.found(actor, "operator", incoming.uri.path().to_owned(), true);
            spans::called(None, None, incoming.id);
            response
        }
        Err(status) => status.into_response(),
    }
}
