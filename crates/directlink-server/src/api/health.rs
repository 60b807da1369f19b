//! For load balancers and service managers: whether the process lives, and whether it wants requests.
//!
//! ```text
//!   GET /live    200 while the process answers at all
//!   GET /ready   200 while it is not about to stop, and its database answers; else 503, and why
//! ```
//!
//! On the customers' listener and on the operator's: neither tells anything of the Region.

use crate::{app::App, store::sites};
use axum::{Router, extract::State, routing::get};
use http::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// A database that takes longer is as good as none.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

pub(crate) fn route(app: App) -> Router {
    Router::new()
        .route("/live", get(async || "alive\n"))
        .route("/ready", get(ready))
        .with_state(app)
}

async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if *app.parts().drain.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "about to stop\n");
    }
    let read = async {
        let mut db = app.parts().store.reader().await?;
        sites::setting(&mut db, "ready").await
    };
    match timeout(ANSWER_WITHIN, read).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
