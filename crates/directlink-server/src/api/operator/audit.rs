//! The audit trail, a page at a time.

use super::{Failure, word};
use crate::app::{App, AuditLine, AuditWanted};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn page(app: &App, query: &str) -> Result<Value, Failure> {
    let mut given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut time = |name: &str, otherwise: Timestamp| match given.remove(name) {
        Some(text) => word(&text),
        None => Ok(otherwise),
    };
    let (since, until) = (time("since", Timestamp::MIN)?, time("until", Timestamp::MAX)?);
    let mut text = |name: &str| given.remove(name);
    let after = ["after_event", "after_request"].map(|name| text(name).unwrap_or_default());
    let account = text("account").map(|account| word(&account)).transpose()?;
    let wanted = AuditWanted { since, until, after, account, resource: text("resource") };
    if let Some(name) = given.keys().next() {
        return Err(Failure::form(format!("'{name}' does not narrow the audit trail")));
    }
    let page = app.audit(&wanted).await?;
    let next = page.next.map(|(since, [event, request])| {
        json!({ "since": since, "after_event": event, "after_request": request })
    });
    Ok(json!({ "audit": page.lines.iter().map(line).collect::<Vec<_>>(), "next": next }))
}

fn line(line: &AuditLine) -> Value {
    let AuditLine { id: _, at, actor, address, door, act, status, subject, what, why } = line;
    let result = match subject {
        Some(_) => "done",
        None if status.is_some_and(|status| status >= 500) => "failed",
        None => "refused",
    };
    json!({
        "at": at,
        "actor": actor,
        "address": address,
        "door": door,
        "act": act,
        "status": status,
        "result": result,
        "resource": subject,
        "what": what,
        "why": why,
    })
}
