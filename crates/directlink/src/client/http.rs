//! One JSON request over HTTP/1.1, and its answer. With TLS where the address says so: then the system's
//! roots are trusted, or those of `SSL_CERT_FILE`.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::crypto::ring::default_provider;
use serde_json::Value;
use std::sync::{Arc, OnceLock};

#[derive(Clone, Debug)]
pub(super) struct Http {
    plain: Client<HttpConnector, Full<Bytes>>,
    /// The roots are read when the first address asks for them.
    tls: Arc<OnceLock<Secure>>,
}

type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub(super) type Headers<'a> = &'a [(&'static str, String)];

impl Http {
    pub(super) fn new() -> Self {
        Self {
            plain: Client::builder(TokioExecutor::new()).build_http(),
            tls: Arc::new(OnceLock::new()),
        }
    }

    fn secure(&self) -> Result<&Secure> {
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(default_provider())
            .context("the system's certificates")?;
        let connector = builder.https_only().enable_http1().build();
        Ok(self.tls.get_or_init(|| Client::builder(TokioExecutor::new()).build(connector)))
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
        let answer = match uri.scheme_str() {
            Some("https") => self.secure()?.request(request).await,
            _ => self.plain.request(request).await,
        };
        let answer = answer.with_context(|| format!("nobody answers at {uri}"))?;
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
