//! The ways in: dialects for customers and the operator, and the agents' channel.

pub mod agent;

use crate::app::App;
use axum::Router;

/// Both customer dialects on one listener, and the operator's API under `/operator`.
pub fn front(app: App) -> Router {
    let _ = app;
    Router::new()
}
