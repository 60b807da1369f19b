//! Takes one export to the Collector: an HTTP POST, on the thread that asks for it, and in bounded time.
//!
//! OpenTelemetry's batches are sent by threads of their own, which may wait; none of them has a runtime. So the courier
//! has one, which nobody else's work is on: what a dead Collector holds up is the next export, and nothing else.
//! A connection is made for each export, once in seconds: one that was kept would be looked after by nobody between two.

use crate::{export::ExportError, settings::Settings};
use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    error::Error as StdError,
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::{runtime::Runtime, time::timeout};
use tracing::{info, warn};

/// A Collector's answer is a few bytes.
const ANSWER_MAX: usize = 64 << 10;

pub(crate) struct Courier {
    runtime: Runtime,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    /// The last export did not arrive, which has been said.
    is_lost: AtomicBool,
}

#[derive(Debug, Error)]
#[error("it did not answer in time")]
struct TooLate;

impl Courier {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ExportError> {
        let roots = match settings.is_secure() {
            true => Some(settings.authorities.as_deref()),
            false => None,
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(roots)?)
            .https_or_http()
            .enable_http1()
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(ExportError::Runtime)?,
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
            timeout: settings.timeout,
            is_lost: AtomicBool::new(false),
        })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.client.request(request.map(Full::new)).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// Once when it begins, once when it ends: a Collector may be away for days.
    fn tell(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let why = match outcome {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(last_cause(&**error)),
        };
        let was_lost = self.is_lost.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !was_lost => {
                warn!(
                    why,
                    "traces and logs do not reach the Collector; what its queue cannot hold is lost"
                );
            }
            None if was_lost => info!("traces and logs reach the Collector again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    /// Blocks: it is called on a thread that has nothing else to do.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let outcome = self.runtime.block_on(async {
            let sent = timeout(self.timeout, self.send(request)).await;
            sent.unwrap_or_else(|_| Err(TooLate.into()))
        });
        self.tell(&outcome);
        outcome
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// `None`: nobody, as nothing is sent by TLS. `Some(None)`: this machine's roots.
fn trusting(roots: Option<Option<&Path>>) -> Result<ClientConfig, ExportError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|why| unreachable!("ring has them: {why}"));
    let builder = match roots {
        None => builder.with_root_certificates(RootCertStore::empty()),
        Some(None) => builder.with_native_roots().map_err(ExportError::Roots)?,
        Some(Some(path)) => builder.with_root_certificates(of_file(path)?),
    };
    Ok(builder.with_no_client_auth())
}

fn of_file(path: &Path) -> Result<RootCertStore, ExportError> {
    let failed = |why: String| ExportError::Authorities { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|why| failed(why.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|why| failed(why.to_string()))?;
        roots.add(certificate).map_err(|why| failed(why.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed("no certificate is in it".into())),
        false => Ok(roots),
    }
}

/// What is at the bottom of it: the client's own words say little.
fn last_cause(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
