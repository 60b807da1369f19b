//! Who is a router, as the operator says.

use super::{Failure, Outcome, body, wire};
use crate::{
    api::Incoming,
    app::{App, AuthorityView},
};
use directlink_model::ids::RouterName;
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    force: bool,
}

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

pub(super) async fn authorities(app: &App) -> Result<Value, Failure> {
    let views = app.authorities().await?;
    Ok(json!({ "authorities": views.iter().map(authority).collect::<Vec<_>>() }))
}

pub(super) async fn change_authority(app: &App, what: &[&str], incoming: &Incoming) -> Outcome {
    match what {
        [] => {
            let wire::Nothing {} = body(incoming)?;
            return Ok((StatusCode::CREATED, json!({ "id": app.add_authority().await? })));
        }
        [id, "use"] => {
            let Change { force } = body(incoming)?;
            app.use_authority(id, force).await?;
        }
        [id, "retire"] => {
            let Change { force } = body(incoming)?;
            app.retire_authority(id, force).await?;
        }
        _ => return Err(Failure::NoSuchAddress),
    }
    Ok((StatusCode::OK, authorities(app).await?))
}

fn authority(view: &AuthorityView) -> Value {
    let [routers, trusted_by, certified] = view.routers;
    json!({
        "id": view.id,
        "subject": view.subject,
        "expires_at": view.expires_at,
        "added_at": view.added_at,
        "signs": view.signs,
        "routers": routers,
        "trusted_by": trusted_by,
        "certified": certified,
    })
}
