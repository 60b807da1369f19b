//! One JSON request over HTTP/1.1, and its answer. No TLS: a Region that listens beyond loopback
//! has a proxy before it.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Http(Client<HttpConnector, Full<Bytes>>);

pub(super) type Headers<'a> = &'a [(&'static str, String)];

impl Http {
    pub(super) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// An answer without a body is `null`.
    pub(super) async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: Headers<'_>,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Value)> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let answer =
            self.0.request(request).await.with_context(|| format!("nobody answers at {uri}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.with_context(|| uri.to_string())?.to_bytes();
        if body.is_empty() {
            return Ok((status, Value::Null));
        }
        let said =
            || format!("{uri} answers {status} with no JSON: {}", String::from_utf8_lossy(&body));
        Ok((status, serde_json::from_slice(&body).with_context(said)?))
    }
}
