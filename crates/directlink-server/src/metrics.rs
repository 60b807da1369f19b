//! What Prometheus may ask for: OpenMetrics text at `/metrics`.

use crate::app::App;
use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use http::StatusCode;
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use tracing::error;

/// `GET /metrics`. Counted afresh for each question: nothing to keep in step.
pub fn route(app: App) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(app)
}

async fn answer(State(app): State<App>) -> impl IntoResponse {
    match text(&app).await {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(CONTENT_TYPE, kind)], text)
        }
        Err(error) => {
            error!(error = %error, "cannot count for /metrics");
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new())
        }
    }
}

async fn text(app: &App) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut registry = Registry::with_prefix("directlink");
    let agents = Gauge::<i64>::default();
    agents.set(i64::try_from(app.parts().agents.connected())?);
    registry.register("agents_connected", "Routers whose agent is connected", agents);
    let connections = Family::<Vec<(String, String)>, Gauge>::default();
    for view in app.all_connections(None).await? {
        connections.get_or_create(&state_label(view.state.as_str())).inc();
    }
    registry.register("connections", "Connections by state", connections);
    let interfaces = Family::<Vec<(String, String)>, Gauge>::default();
    for view in app.all_interfaces().await? {
        interfaces.get_or_create(&state_label(view.state.as_str())).inc();
    }
    registry.register("interfaces", "Interfaces by state", interfaces);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn state_label(state: &'static str) -> Vec<(String, String)> {
    vec![("state".into(), state.into())]
}
