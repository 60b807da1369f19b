//! The two protocols of the published model, which name an operation and write a body differently.
//!
//! ```text
//!   AWS JSON 1.1    POST /    X-Amz-Target: OvertureService.CreateConnection          JSON
//!   Smithy RPC v2   POST /service/OvertureService/operation/CreateConnection         CBOR
//!                             Smithy-Protocol: rpc-v2-cbor
//! ```
//!
//! Source: <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>. The model names that
//! one first; the clients of today choose the other.

use super::{Answer, Incoming, cbor, refusal::Failure};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

const SERVICE: &str = "OvertureService";
/// Where shapes of the model live; RPC v2 names a refusal in full.
const NAMESPACE: &str = "com.amazonaws.directconnect";
const HEADER: &str = "smithy-protocol";
const RPC_V2: &str = "rpc-v2-cbor";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Protocol {
    Json,
    Cbor,
}

impl Protocol {
    /// `None`: no call of this service.
    pub(in crate::api) fn of(incoming: &Incoming) -> Option<Self> {
        match incoming.uri.path() {
            "" | "/" => Some(Self::Json),
            path if path.starts_with("/service/") => {
                (incoming.header(HEADER) == Some(RPC_V2)).then_some(Self::Cbor)
            }
            _ => None,
        }
    }

    /// Service and operation, as they were named.
    pub(in crate::api) fn target(self, incoming: &Incoming) -> (&str, &str) {
        let (path, target) = (incoming.uri.path(), incoming.header("x-amz-target"));
        let named = match self {
            Self::Json => target.and_then(|target| target.split_once('.')),
            Self::Cbor => {
                path.strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/"))
            }
        };
        named.unwrap_or_else(|| ("", target.unwrap_or(path)))
    }

    /// The operation's name, if it is of our service.
    pub(super) fn operation(self, incoming: &Incoming) -> Result<&str, Failure> {
        match self.target(incoming) {
            (SERVICE, operation) => Ok(operation),
            ("", other) => Err(Failure::unknown_operation(other)),
            (service, name) => Err(Failure::unknown_operation(&format!("{service}.{name}"))),
        }
    }

    pub(super) fn members(self, body: &[u8]) -> Result<Map<String, Value>, Failure> {
        if body.trim_ascii().is_empty() {
            return Ok(Map::new());
        }
        let name = match self {
            Self::Json => "JSON",
            Self::Cbor => "CBOR",
        };
        match self.read(body) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(Failure::serialization(format!("The body must be a {name} object."))),
            Err(why) => Err(Failure::serialization(format!("The body is not {name}: {why}."))),
        }
    }

    /// A body as JSON; an error says what is wrong with it.
    pub(in crate::api) fn read(self, body: &[u8]) -> Result<Value, String> {
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Self::Cbor => cbor::read(body),
        }
    }

    pub(super) fn answer(self, answer: Answer) -> Response {
        self.respond(StatusCode::OK, answer)
    }

    pub(super) fn refuse(self, failure: &Failure) -> Response {
        let (status, kind, message) = failure.parts();
        let kind = match self {
            Self::Json => kind.to_owned(),
            Self::Cbor => format!("{NAMESPACE}#{kind}"),
        };
        self.respond(status, json!({ "__type": kind, "message": message }).into())
    }

    fn respond(self, status: StatusCode, Answer(json): Answer) -> Response {
        match self {
            Self::Json => {
                let kind = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
                (status, [kind], json).into_response()
            }
            Self::Cbor => {
                let kind = (header::CONTENT_TYPE.as_str(), "application/cbor");
                // What we wrote ourselves is JSON.
                let body = cbor::written(serde_json::from_slice(&json).unwrap_or_default());
                (status, [kind, (HEADER, RPC_V2)], body).into_response()
            }
        }
    }
}
