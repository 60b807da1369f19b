//! A span for each request, as OpenTelemetry's conventions for HTTP have it.
//!
//! What is in it: the method, the route as we wrote it, the operation, the answer's status, who proved to be asking, and
//! the number that we told. Nothing that a caller wrote but the name of an operation that there is: paths, queries,
//! headers and bodies may hold what is to stay secret.

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::Response,
};
use directlink_model::ids::AccountId;
use directlink_telemetry::{Origin, rename};
use http::Method;
use tracing::{Instrument as _, Span, field::Empty, info_span};
use uuid::Uuid;

/// Load balancers ask these every few seconds, and nobody follows that.
const PROBES: [&str; 2] = ["/live", "/ready"];

/// The router, with each request in a span; a caller's `traceparent` is continued.
pub(super) fn spanned(router: Router) -> Router {
    router.layer(middleware::from_fn(in_span))
}

async fn in_span(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if route.is_some_and(|route| PROBES.contains(&route)) {
        return next.run(request).await;
    }
    let span = of_request(request.method(), route);
    if span.is_disabled() {
        return next.run(request).await;
    }
    if let Some(origin) = Origin::of_request(request.headers()) {
        origin.leads_to(&span);
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
    response
}

fn of_request(method: &Method, route: Option<&str>) -> Span {
    let method = known(method);
    let name = match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    info_span!(
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
        rpc.service = Empty,
        rpc.method = Empty,
        directlink.account_id = Empty,
        directlink.request_id = Empty,
    )
}

/// Others have no name, lest callers make as many as they like.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Says of the request of this task what it was: the operation gives the span its name.
pub(super) fn called(operation: Option<(&str, &str)>, account: Option<AccountId>, number: Uuid) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    if let Some((service, method)) = operation {
        rename(&span, method);
        span.record("rpc.service", service);
        span.record("rpc.method", method);
    }
    if let Some(account) = account {
        span.record("directlink.account_id", tracing::field::display(account));
    }
    span.record("directlink.request_id", tracing::field::display(number));
}
