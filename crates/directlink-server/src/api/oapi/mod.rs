//! The OUTSCALE API: `POST …/Action` with a JSON object, answered by a JSON object.
//!
//! ```text
//!  path ─► action ─► content type ─► caller ─► parameters ─► app ─► members + ResponseContext
//!           12000      3010          1 13 15   3001 7000 4110 …      {"Errors":[{Code,Type,Details}],…}
//! ```
//!
//! One table, [`ACTIONS`]: the name, who may call it, and the function. A file per resource holds
//! its parameters, its wire twin and its filters. An action of the published description that is
//! not in the table is answered as the service answers an unknown one (12000).

mod access_keys;
mod api_logs;
mod connections;
mod dates;
mod gateways;
mod glass;
mod interfaces;
mod list;
mod nets;
mod nics;
mod own;
mod params;
mod path;
mod quotas;
mod refusal;
mod regions;
mod route_tables;
mod routes;
mod security_groups;
mod security_rules;
mod subnets;
mod tags;
#[cfg(test)]
mod tests;
mod webhooks;

use super::{Front, Incoming, Unserved, identity};
use crate::app::{App, Context};
use axum::response::{IntoResponse, Response};
use directlink_model::account::Caller;
use futures::future::BoxFuture;
use http::{HeaderName, Method, StatusCode, header};
use jiff::Timestamp;
use params::{Field, Params};
use path::Target;
use refusal::{Code, Failure};
use serde_json::{Map, Value, json};
use std::error::Error;
use uuid::Uuid;

/// The description that we answer to (`spec/outscale-oapi.yaml`).
pub(super) const VERSION: &str = "1.42.0";

type Members = Map<String, Value>;
type Outcome = Result<Members, Failure>;
type Handler = for<'c> fn(Call<'c>) -> BoxFuture<'c, Outcome>;

/// Who may call an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Anybody; credentials are not even looked at.
    Open,
    Signed,
    SignedOrPassword,
}

struct Action {
    name: &'static str,
    access: Access,
    run: Handler,
}

macro_rules! actions {
    ($($name:ident $access:ident $handler:path;)*) => {
        /// Every action of this Region.
        static ACTIONS: &[Action] = &[$(Action {
            name: stringify!($name),
            access: Access::$access,
            run: |call| Box::pin($handler(call)),
        }),*];
    };
}

actions! {
    CreateAccessKey SignedOrPassword access_keys::create;
    CreateDirectLink Signed connections::create;
    CreateDirectLinkInterface Signed interfaces::create;
    CreateNet Signed nets::create;
    CreateNic Signed nics::create;
    CreateRoute Signed routes::create;
    CreateRouteTable Signed route_tables::create;
    CreateSecurityGroup Signed security_groups::create;
    CreateSecurityGroupRule Signed security_rules::create;
    CreateSubnet Signed subnets::create;
    CreateTags Signed tags::create;
    CreateVirtualGateway Signed gateways::create;
    DeleteAccessKey SignedOrPassword access_keys::delete;
    DeleteDirectLink Signed connections::delete;
    DeleteDirectLinkInterface Signed interfaces::delete;
    DeleteNet Signed nets::delete;
    DeleteNic Signed nics::delete;
    DeleteRoute Signed routes::delete;
    DeleteRouteTable Signed route_tables::delete;
    DeleteSecurityGroup Signed security_groups::delete;
    DeleteSecurityGroupRule Signed security_rules::delete;
    DeleteSubnet Signed subnets::delete;
    DeleteTags Signed tags::delete;
    DeleteVirtualGateway Signed gateways::delete;
    LinkRouteTable Signed route_tables::link;
    LinkVirtualGateway Signed gateways::link;
    ReadAccessKeys SignedOrPassword access_keys::read;
    ReadApiLogs Signed api_logs::read;
    ReadDirectLinkInterfaces Signed interfaces::read;
    ReadDirectLinks Signed connections::read;
    ReadLocations Open regions::read_locations;
    ReadNets Signed nets::read;
    ReadNics Signed nics::read;
    ReadQuotas Signed quotas::read;
    ReadRegions Open regions::read_regions;
    ReadRouteTables Signed route_tables::read;
    ReadSecurityGroups Signed security_groups::read;
    ReadSubnets Signed subnets::read;
    ReadSubregions Signed regions::read_subregions;
    ReadTags Signed tags::read;
    ReadVirtualGateways Signed gateways::read;
    UnlinkRouteTable Signed route_tables::unlink;
    UnlinkVirtualGateway Signed gateways::unlink;
    UpdateAccessKey SignedOrPassword access_keys::update;
    UpdateDirectLinkInterface Signed interfaces::update;
    UpdateNic Signed nics::update;
    UpdateRoute Signed routes::update;
    UpdateRoutePropagation Signed route_tables::update_propagation;
    UpdateRouteTableLink Signed route_tables::update_link;
}

/// One call of an action.
struct Call<'c> {
    app: &'c App,
    /// Proven; none for an open action.
    caller: Option<Caller>,
    now: Timestamp,
    request_id: Uuid,
    /// The address that the client used for us.
    host: &'c str,
    given: &'c Members,
}

impl Call<'_> {
    /// Checks the parameters against their description, then gives them.
    fn checked(&self, fields: &[Field<'_>]) -> Result<Params<'_>, Failure> {
        params::check(self.given, fields)?;
        Ok(self.params())
    }

    const fn params(&self) -> Params<'_> {
        Params(self.given)
    }

    fn dry_run(&self) -> bool {
        self.params().flag("DryRun").unwrap_or_default()
    }

    /// For the app. An action that forgot to ask for a caller is refused, not run.
    fn context(&self) -> Result<Context, Failure> {
        let caller = self.caller.clone().ok_or_else(|| Failure::new(Code(1), "No caller."))?;
        let (now, request_id) = (self.now, self.request_id);
        Ok(Context { caller, now, request_id, dry_run: self.dry_run() })
    }
}

/// An answer with one member.
fn member(name: &str, value: impl serde::Serialize) -> Members {
    Members::from_iter([(name.to_owned(), json!(value))])
}

/// Which action was called.
pub(super) fn action_of(incoming: &Incoming) -> Option<String> {
    match path::read(incoming.uri.path()) {
        Target::Action(name) | Target::Own(name) => Some(name),
        Target::Versions | Target::Actions | Target::Nothing => None,
    }
}

pub(super) async fn answer(front: &Front, incoming: &Incoming) -> Response {
    if incoming.method == Method::OPTIONS {
        let methods = (header::ACCESS_CONTROL_ALLOW_METHODS, "GET,OPTIONS,POST");
        let age = (header::ACCESS_CONTROL_MAX_AGE, "86400");
        return (StatusCode::NO_CONTENT, [ANY_ORIGIN, methods, age]).into_response();
    }
    let outcome = match path::read(incoming.uri.path()) {
        Target::Versions => return plain(StatusCode::OK, &json!({ "Versions": [version()] })),
        Target::Actions => return plain(StatusCode::OK, &actions()),
        Target::Nothing => Err(unknown_action(incoming.uri.path())),
        Target::Action(name) => run(front, incoming, (ACTIONS, &name)).await,
        Target::Own(name) => run(front, incoming, (own::OWN_ACTIONS, &name)).await,
    };
    match outcome {
        Ok(members) => encode(members, incoming.id),
        Err(failure) => encode_failure(&failure, incoming.id),
    }
}

async fn run(front: &Front, incoming: &Incoming, (of, name): (&[Action], &str)) -> Outcome {
    let action = of.iter().find(|a| a.name == name).ok_or_else(|| unknown_action(name))?;
    if incoming.method != Method::POST {
        return Err(Failure::Method);
    }
    let caller = match action.access {
        Access::Open => {
            identity::anybody(front, incoming)?;
            None
        }
        Access::Signed => Some(identity::caller(front, incoming, false).await?),
        Access::SignedOrPassword => Some(identity::caller(front, incoming, true).await?),
    };
    check_content_type(incoming)?;
    let given = body(&incoming.body)?;
    let call = Call {
        app: &front.app,
        caller,
        now: front.app.now(),
        request_id: incoming.id,
        host: incoming.header("host").unwrap_or_default(),
        given: &given,
    };
    let dry_run = call.dry_run();
    let members = (action.run)(call).await?;
    Ok(if dry_run { Members::new() } else { members })
}

/// JSON, whatever its charset; a client that sends no body need not say what it is.
fn check_content_type(incoming: &Incoming) -> Result<(), Failure> {
    let Some(given) = incoming.header("content-type") else { return Ok(()) };
    let essence = given.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => {
            let text = format!("The Content-Type must be application/json, not '{given}'.");
            Err(Failure::new(Code::CONTENT_TYPE, text))
        }
    }
}

/// Nothing, `null` and `{}` are the same: clients differ in how they give no parameter.
fn body(bytes: &[u8]) -> Result<Members, Failure> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Members::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Members::new()),
        Ok(_) => Err(Failure::new(Code::JSON_TYPE, "The body must be a JSON object.")),
        Err(error) => Err(Failure::new(Code::JSON_TYPE, format!("The body is not JSON: {error}."))),
    }
}

fn unknown_action(name: &str) -> Failure {
    let text = format!("The action '{name}' doesn't exist, or this Region does not offer it.");
    Failure::new(Code::ACTION, text)
}

fn version() -> String {
    format!("v{}", VERSION.trim_end_matches(".0"))
}

fn actions() -> Value {
    let names: Vec<_> = ACTIONS.iter().map(|action| action.name).collect();
    let minor = VERSION.split('.').nth(1).unwrap_or_default();
    json!({ "Version": VERSION, "Minor": minor, "Calls": names })
}

const ANY_ORIGIN: (HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");

fn plain(status: StatusCode, value: &Value) -> Response {
    let json = (header::CONTENT_TYPE, "application/json");
    (status, [ANY_ORIGIN, json], value.to_string()).into_response()
}

fn encode(mut members: Members, request_id: Uuid) -> Response {
    members.insert("ResponseContext".into(), json!({ "RequestId": request_id }));
    plain(StatusCode::OK, &Value::Object(members))
}

fn encode_failure(failure: &Failure, request_id: Uuid) -> Response {
    let (code, status, details) = match failure {
        Failure::Refused { code, details } => (*code, code.status(), details.as_str()),
        Failure::Method => (Code::ACTION, Code::ACTION.status(), "Actions are called with POST."),
        Failure::TooFast(_) => {
            let text = "Too many requests in a short time. Wait, then try again.";
            (Code::TOO_FAST, Code::TOO_FAST.status(), text)
        }
        Failure::World(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(%request_id, %error, cause, "a call failed");
            (Code::INTERNAL, Code::INTERNAL.status(), error.told())
        }
    };
    tracing::debug!(%request_id, code = code.0, details, "refused");
    let error = json!({ "Code": code.0.to_string(), "Type": code.kind(), "Details": details });
    let value = json!({ "Errors": [error], "ResponseContext": { "RequestId": request_id } });
    let mut response = plain(status, &value);
    if let Failure::TooFast(too_fast) = failure {
        let seconds = too_fast.retry_after_seconds().into();
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if let Failure::World(error) = failure {
        Unserved::mark(&mut response, error);
    }
    response
}
