//! What the log of calls remembers of a request: everything but its secrets.
//!
//! Only calls of a proven caller are logged: the log is the caller's own. Keys of BGP sessions,
//! secret keys and passwords are masked before anything leaves this file, and a body that cannot be
//! read is not kept at all, for nobody knows what is in it.

use super::{Front, Incoming, aws::Protocol, oapi, spans};
use crate::{app::api_logs::ApiLog, audit};
use axum::{body::HttpBody, response::Response};
use http::{HeaderName, header};
use jiff::Timestamp;
use serde_json::Value;

/// In place of a secret.
const MASK: &str = "*****";
/// Members of bodies that nobody shall read again, in whatever case.
const SECRET_MEMBERS: [&str; 6] = ["bgpkey", "authkey", "secretkey", "password", "cak", "ckn"];
const SECRET_HEADERS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, HeaderName::from_static("x-amz-security-token")];
/// Longer payloads and headers are cut.
const TEXT_MAX: usize = 4096;

/// Which of the two APIs was called, in the log's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Oapi,
    Aws(Protocol),
}

/// Remembers a call that was answered. `started`: by the machine's clock.
pub(super) fn remember(
    front: &Front,
    incoming: &Incoming,
    api: Api,
    started: Timestamp,
    response: &Response,
) {
    let proven = incoming.proven.get();
    let (name, version, call) = match api {
        Api::Oapi => ("oapi", oapi::VERSION, oapi::action_of(incoming).unwrap_or_default()),
        Api::Aws(protocol) => {
            ("aws_direct_connect", "2012-10-25", protocol.target(incoming).1.to_owned())
        }
    };
    let account = proven.map(|proven| proven.account);
    // What nobody answered for may be no operation at all.
    let is_known = proven.is_some() || response.status().is_success();
    spans::called(is_known.then_some((name, call.as_str())), account, incoming.id);
    let actor = account.map(|account| account.to_string());
    incoming.slip.found(actor, name, call.clone(), audit::changes(&call));
    let Some(proven) = proven else { return };
    let headers = headers(incoming);
    let duration = front.app.machine_now().duration_since(started);
    front.app.parts().api_logs.remember(ApiLog {
        id: incoming.id.to_string(),
        account: proven.account,
        at: front.app.now(),
        api: name.into(),
        version: version.into(),
        call,
        access_key: proven.access_key.clone(),
        address: incoming.remote.map(|remote| remote.to_string()),
        user_agent: cut(incoming.header("user-agent").unwrap_or_default()),
        headers_size: size(headers.len()),
        headers: cut(&headers),
        payload: cut(&payload(api, &incoming.body)),
        payload_size: size(incoming.body.len()),
        response_size: size(response.body().size_hint().exact().map_or(0, saturated)),
        status: response.status().as_u16().into(),
        duration_us: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).max(0),
    });
}

fn headers(incoming: &Incoming) -> String {
    let line = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let value = match SECRET_HEADERS.contains(name) {
            true => MASK.into(),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        format!("{name}: {value}")
    };
    incoming.headers.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn payload(api: Api, body: &[u8]) -> String {
    let protocol = match api {
        Api::Oapi => Protocol::Json,
        Api::Aws(protocol) => protocol,
    };
    match protocol.read(body) {
        Ok(mut value) => {
            mask(&mut value);
            value.to_string()
        }
        Err(_) => String::new(),
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match SECRET_MEMBERS.contains(&name.to_ascii_lowercase().as_str()) {
                    true => *value = MASK.into(),
                    false => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn cut(text: &str) -> String {
    let end = (0..=TEXT_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or_default()].to_owned()
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn saturated(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_kept_however_deep_or_written() {
        for (body, kept) in [
            (r#"{"DirectLinkInterface":{"BgpKey":"tops","Vlan":5}}"#, true),
            (r#"{"newPrivateVirtualInterface":[{"authKey":"tops","vlan":5}]}"#, true),
            (r#"{"bgpkey":{"a":"tops"},"Vlan":5}"#, true),
            (r#"{"BgpKey":"tops","Vlan":5"#, false),
            ("BgpKey=tops", false),
        ] {
            let text = payload(Api::Oapi, body.as_bytes());
            assert!(!text.contains("tops"), "{text}");
            assert_eq!(text.contains('5'), kept, "{text}");
        }
    }

    #[test]
    fn a_body_in_cbor_is_kept_as_json_without_its_secrets() {
        // {"authKey": "tops", "vlan": 5}
        let body = b"\xa2\x67authKey\x64tops\x64vlan\x05";
        let text = payload(Api::Aws(Protocol::Cbor), body);
        assert_eq!(text, r#"{"authKey":"*****","vlan":5}"#);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("abc"), "abc");
        let long = format!("a{}", "é".repeat(TEXT_MAX));
        assert_eq!(cut(&long).len(), TEXT_MAX - 1);
    }
}
