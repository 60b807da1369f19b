//! The operator's API: JSON with a bearer token, one method per thing that an operator does.
//!
//! Answers stay JSON: these commands show them, and add nothing to what the server says.

use super::http::Http;
use anyhow::{Context as _, Result};
use http::{Method, Uri};
use serde_json::{Value, json};
use thiserror::Error;

/// The server's own words for a refusal.
#[derive(Debug, Error)]
#[error("{message} ({code})")]
pub struct RefusedToOperator {
    pub code: String,
    pub message: String,
}

#[derive(Clone)]
pub struct Operator {
    http: Http,
    base: String,
    token: String,
}

impl Operator {
    /// `url` is the server's, with or without `/operator/v1`.
    pub fn new(url: &str, token: &str) -> Self {
        let url = url.trim_end_matches('/');
        let base = url.strip_suffix("/operator/v1").unwrap_or(url);
        Self { http: Http::new(), base: format!("{base}/operator/v1"), token: token.to_owned() }
    }

    pub async fn list(&self, what: &str) -> Result<Value> {
        self.ask(Method::GET, what, None).await
    }

    /// One member of a list, by its `id`.
    pub async fn find(&self, what: &str, id: &str) -> Result<Value> {
        let all = self.list(what).await?;
        let items = all[what].as_array().into_iter().flatten();
        let found = items.clone().find(|item| item["id"] == id);
        found.cloned().with_context(|| format!("the Region has no {id} in its {what}"))
    }

    pub async fn add(&self, what: &str, described: &Value) -> Result<Value> {
        self.ask(Method::POST, what, Some(described)).await
    }

    /// Takes `port`, or a free one that fits.
    pub async fn approve(&self, connection: &str, port: Option<&str>) -> Result<Value> {
        let body = port.map_or_else(|| json!({}), |port| json!({ "port": port }));
        self.ask(Method::POST, &format!("orders/{connection}/approve"), Some(&body)).await
    }

    pub async fn refuse(&self, connection: &str, reason: &str) -> Result<Value> {
        let body = json!({ "reason": reason });
        self.ask(Method::POST, &format!("orders/{connection}/refuse"), Some(&body)).await
    }

    pub async fn place(&self, nic: &str, vtep: Option<&str>) -> Result<Value> {
        let body = json!({ "vtep": vtep });
        self.ask(Method::POST, &format!("nics/{nic}/place"), Some(&body)).await
    }

    pub async fn advance_clock(&self, seconds: u64) -> Result<Value> {
        self.ask(Method::POST, "clock/advance", Some(&json!({ "seconds": seconds }))).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let uri: Uri = format!("{}/{path}", self.base).parse().context("the operator's URL")?;
        let headers = [
            ("authorization", format!("Bearer {}", self.token)),
            ("content-type", "application/json".to_owned()),
        ];
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, answer) = self.http.send(method, &uri, &headers, body.into_bytes()).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let said = |member: &str| answer["error"][member].as_str().map(str::to_owned);
        let code = said("code").unwrap_or_else(|| status.to_string());
        let message = said("message").unwrap_or_else(|| answer.to_string());
        Err(RefusedToOperator { code, message }.into())
    }
}
