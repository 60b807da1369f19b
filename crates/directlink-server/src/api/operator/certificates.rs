//! Who is a router, as the operator says.

use super::{Failure, Outcome, body, wire};
use crate::{api::Incoming, app::App};
use directlink_model::ids::RouterName;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

const TOKEN_SECONDS: u32 = 3600;

pub(super) async fn write(
    app: &App,
    router: &RouterName,
    what: &[&str],
    incoming: &Incoming,
) -> Outcome {
    let answer = match what {
        ["identity"] => {
            let wire::Nothing {} = body(incoming)?;
            wire::identity(&app.renew_identity(router).await?)
        }
        ["enrol"] => {
            let wire::NewToken { good_for_seconds } = body(incoming)?;
            let seconds = good_for_seconds.unwrap_or(TOKEN_SECONDS);
            let good_for = SignedDuration::from_secs(seconds.into());
            wire::token(&app.enrol_router(router, good_for).await?)
        }
        ["enrol", "cancel"] => {
            let wire::Nothing {} = body(incoming)?;
            app.cancel_enrolment(router).await?;
            json!({})
        }
        ["revoke"] => {
            let wire::Nothing {} = body(incoming)?;
            app.revoke_router(router).await?;
            json!({})
        }
        _ => return Err(Failure::NoSuchAddress),
    };
    Ok((StatusCode::OK, answer))
}
