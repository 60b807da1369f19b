//! The OUTSCALE API as a customer calls it: a name, JSON in, JSON out, signed.

use super::{
    http::Http,
    signature::{OSC, Signed, Signer},
};
use crate::clock;
use anyhow::{Context as _, Result};
use http::{Method, Uri};
use serde_json::Value;
use thiserror::Error;

/// The API's own words for a refusal.
#[derive(Debug, Error)]
#[error("{action}: {details} ({kind} {code})")]
pub struct RefusedByApi {
    action: String,
    pub code: String,
    kind: String,
    details: String,
}

/// An account that calls.
#[derive(Clone)]
pub struct Customer {
    http: Http,
    api: String,
    region: String,
    access_key: String,
    secret_key: String,
}

impl Customer {
    /// `api` as clients configure it: `http://host:port/api/v1`.
    pub fn new(api: &str, region: &str, access_key: &str, secret_key: &str) -> Self {
        Self {
            http: Http::new(),
            api: api.trim_end_matches('/').to_owned(),
            region: region.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
        }
    }

    /// # Errors
    /// [`RefusedByApi`], or nobody answers.
    pub async fn call(&self, action: &str, parameters: &Value) -> Result<Value> {
        let uri: Uri = format!("{}/{action}", self.api).parse().context("the API's URL")?;
        let host = uri.authority().context("the API's URL has no host")?.as_str().to_owned();
        let body = parameters.to_string().into_bytes();
        let signer = Signer {
            brand: &OSC,
            access_key: &self.access_key,
            secret_key: &self.secret_key,
            region: &self.region,
            service: "api",
        };
        let headers = [("host", host), ("content-type", "application/json".to_owned())];
        let request = Signed { path: uri.path(), headers: &headers, body: &body };
        let headers = signer.headers(&request, clock::now());
        let (status, answer) = self.http.send(Method::POST, &uri, &headers, body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let error = &answer["Errors"][0];
        let said = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
        let details = match said("Details") {
            details if details.is_empty() => status.to_string(),
            details => details,
        };
        let (code, kind) = (said("Code"), said("Type"));
        Err(RefusedByApi { action: action.to_owned(), code, kind, details }.into())
    }
}
