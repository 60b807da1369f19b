//! The canonical request: what the client hashed. Several candidates, because clients differ.
//!
//! | client | sends | signs |
//! |---|---|---|
//! | osc-sdk-python | `Host: 127.0.0.1:8080` | `127.0.0.1` |
//! | osc-cli | `//api/latest/X` | `/api/latest/X` |
//! | all others | | what they send |
//!
//! No path of ours has a character that needs percent-encoding; one that is encoded is taken as sent.

use crate::auth::Parts;
use http::{HeaderMap, header};
use std::borrow::Cow;

/// Every form that the request may have been signed in; one to four.
pub(super) fn requests(parts: &Parts<'_>, signed_headers: &[&str], body_hash: &str) -> Vec<String> {
    let query = query(parts.query);
    let names = signed_headers.join(";");
    let mut all = Vec::with_capacity(4);
    for host in hosts(parts.headers) {
        let headers = headers(parts.headers, signed_headers, host);
        for path in paths(parts.path) {
            all.push(format!(
                "{}\n{path}\n{query}\n{headers}\n{names}\n{body_hash}",
                parts.method.as_str()
            ));
        }
    }
    all
}

/// The one value of a header that must not come twice, trimmed.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

fn hosts(headers: &HeaderMap) -> Vec<&str> {
    let Some(host) = single(headers, header::HOST.as_str()) else { return vec![""] };
    let without_port = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map(|(name, _)| name);
    std::iter::once(host).chain(without_port).collect()
}

fn paths(path: &str) -> Vec<Cow<'_, str>> {
    let path = if path.is_empty() { "/" } else { path };
    let as_sent = std::iter::once(Cow::Borrowed(path));
    let collapsed = path.contains("//").then(|| Cow::Owned(collapse_slashes(path)));
    as_sent.chain(collapsed).collect()
}

/// `//api///v1` → `/api/v1`.
pub(crate) fn collapse_slashes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if !(c == '/' && text.ends_with('/')) {
            text.push(c);
        }
    }
    text
}

/// `name:value\n` for each signed header; several of one name with a comma between.
fn headers(headers: &HeaderMap, signed: &[&str], host: &str) -> String {
    let mut text = String::new();
    for name in signed {
        text.push_str(name);
        text.push(':');
        if *name == header::HOST.as_str() {
            text.push_str(host);
        } else {
            let values: Vec<_> =
                headers.get_all(*name).iter().map(|v| squeeze(v.as_bytes())).collect();
            text.push_str(&values.join(","));
        }
        text.push('\n');
    }
    text
}

/// Trimmed, and each run of spaces inside one space.
fn squeeze(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sorted by name, then by value; a name without `=` has an empty value.
fn query(text: &str) -> String {
    let mut pairs: Vec<_> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
