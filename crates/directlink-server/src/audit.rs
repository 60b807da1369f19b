//! Requests for changes, written down as they are answered: who, when, from where, what, and what
//! came of it.
//!
//! ```text
//!   request ──► a number ──► whoever finds out who asks says so ──► answer: a line, which waits
//!                  │                                                 for the next batch of the log
//!                  └► the acts that it makes have that number in the journal
//! ```
//!
//! An act is in the journal, in its own transaction; this says whose request it was and where that
//! came from, and of those that were refused that there were any. Requests that only read are not
//! written down, nor those of strangers.

use crate::{app::App, store::audit as rows};
use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::Method;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};
use tokio::task_local;
use uuid::Uuid;

task_local! {
    static NUMBER: Uuid;
}

/// The number of the request that this task answers.
pub(crate) fn number() -> Option<Uuid> {
    NUMBER.try_with(|number| *number).ok()
}

/// In the request: whoever finds out who asks, and for what, says it here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slip(Arc<OnceLock<Found>>);

#[derive(Debug)]
struct Found {
    actor: Option<String>,
    door: &'static str,
    act: String,
    changes: bool,
}

impl Slip {
    /// `act` of the API `door`, which may change something.
    pub(crate) fn found(
        &self,
        actor: Option<String>,
        door: &'static str,
        act: String,
        changes: bool,
    ) {
        // Said once.
        let _ = self.0.set(Found { actor, door, act, changes });
    }
}

/// What a line says of where a request came from.
#[derive(Clone)]
struct Place {
    app: App,
    proxies: Arc<[IpAddr]>,
}

/// The router, with each request for a change written down.
pub(crate) fn written_down(router: Router, app: App, proxies: Arc<[IpAddr]>) -> Router {
    router.layer(middleware::from_fn_with_state(Place { app, proxies }, write_down))
}

async fn write_down(State(place): State<Place>, mut request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    // In order of time, so that the trail grows at one end of its index.
    let (id, slip, at) = (Uuid::now_v7(), Slip::default(), place.app.now());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = peer.map(|peer| {
        crate::api::remote::behind(peer, request.headers(), &place.proxies).to_string()
    });
    request.extensions_mut().insert(slip.clone());
    let response = NUMBER.scope(id, next.run(request)).await;
    // What strangers try is no act, and would fill the trail.
    let Some(Found { actor: Some(actor), door, act, changes: true }) = slip.0.get() else {
        return response;
    };
    let (actor, door, act) = (actor.clone(), *door, act.clone());
    let status = response.status().as_u16();
    let request = rows::Request { id: id.to_string(), at, actor, address, door, act, status };
    place.app.parts().api_logs.remember_request(request);
    response
}

/// Whether an action of that name changes something: those that read are named so.
pub(crate) fn changes(action: &str) -> bool {
    const READ: [&str; 6] = ["Read", "Describe", "List", "Check", "Get", "Diagnose"];
    !READ.iter().any(|prefix| action.starts_with(prefix))
}
