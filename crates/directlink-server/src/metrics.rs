//! What Prometheus may ask for, at `/metrics`: OpenMetrics, or Prometheus's own older text.
//!
//! Requests are counted as they are answered; what is a state is counted afresh for each question,
//! so there is nothing to keep in step.

mod prometheus_text;
mod resources;
#[cfg(test)]
mod tests;

use crate::app::App;
use axum::{
    Router,
    extract::{Request, State},
    http::header::{ACCEPT, CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use resources::{Look, SERIES_MAX};
use tracing::error;

/// Requests by listener and class of status. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Requests(Family<Labels, Counter>);

type Labels = Vec<(&'static str, String)>;

impl Requests {
    /// The router, with each of its answers counted for `listener`.
    pub fn count(&self, listener: &'static str, router: Router) -> Router {
        let state = (listener, self.clone());
        router.layer(middleware::from_fn_with_state(state, counted))
    }
}

async fn counted(
    State((listener, requests)): State<(&'static str, Requests)>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let class = format!("{}xx", response.status().as_u16() / 100);
    let labels = vec![("listener", listener.to_owned()), ("status", class)];
    requests.0.get_or_create(&labels).inc();
    response
}

/// `GET /metrics`.
pub fn route(app: App, requests: Requests) -> Router {
    Router::new().route("/metrics", get(answer)).with_state((app, requests))
}

async fn answer(
    State((app, requests)): State<(App, Requests)>,
    headers: HeaderMap,
) -> impl IntoResponse {
    match text(&app, &requests).await {
        Ok(text) => {
            let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let (kind, text) = match accepts.is_some_and(|it| it.contains(OPEN_METRICS)) {
                true => (format!("{OPEN_METRICS}; version=1.0.0; charset=utf-8"), text),
                false => {
                    let kind = "text/plain; version=0.0.4; charset=utf-8".to_owned();
                    (kind, prometheus_text::of(&text))
                }
            };
            (StatusCode::OK, [(CONTENT_TYPE, kind)], text)
        }
        Err(error) => {
            error!(error = %error, "cannot count for /metrics");
            let kind = "text/plain".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, kind)], String::new())
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text";

async fn text(
    app: &App,
    requests: &Requests,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut registry = Registry::with_prefix("directlink");
    registry.register("requests", "Requests answered", requests.0.clone());
    let agents = Gauge::<i64>::default();
    agents.set(i64::try_from(app.parts().agents.connected())?);
    registry.register("agents_connected", "Routers whose agent is connected", agents);
    let look = Look::of(app).await?;
    let connections = Family::<Labels, Gauge>::default();
    for view in &look.connections {
        connections.get_or_create(&state_label(view.state.as_str())).inc();
    }
    registry.register("connections", "Connections by state", connections);
    let interfaces = Family::<Labels, Gauge>::default();
    for view in &look.interfaces {
        interfaces.get_or_create(&state_label(view.state.as_str())).inc();
    }
    registry.register("interfaces", "Interfaces by state", interfaces);
    resources::register(&mut registry, &look, SERIES_MAX);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn state_label(state: &'static str) -> Labels {
    vec![("state", state.to_owned())]
}
