//! One message to one address: an HTTP POST, no redirect followed, nothing of the answer kept but
//! its status.

use super::{
    signature::signature,
    target::{Reach, Target},
};
use crate::store::webhooks::Message;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use ipnet::IpNet;
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use std::{
    error::Error as StdError,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use thiserror::Error;
use tokio::time::timeout;
use tower::Service;
use tracing::warn;

/// Why an attempt did not come to a good end.
#[derive(Debug, Error)]
pub(super) enum Undelivered {
    #[error(transparent)]
    Target(#[from] super::target::BadTarget),
    #[error("its address is not on the public Internet")]
    NotPublic,
    #[error("http:// is for addresses in networks that the operator allows: use https://")]
    InClear,
    #[error("{0}")]
    Unreachable(String),
    #[error("it answered {0}")]
    Answer(StatusCode),
    #[error("it did not answer in time")]
    TooLate,
}

/// The way out.
pub(crate) struct Post {
    reach: Reach,
    public: Client<HttpsConnector<HttpConnector<Checked>>, Full<Bytes>>,
}

/// One attempt takes no longer. What was sent then may have been taken.
pub(super) const SEND_WITHIN: Duration = Duration::from_secs(15);

impl Post {
    /// `allowed`: networks that may be told beside the public Internet.
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        let reach = Reach { allowed };
        let mut http = HttpConnector::new_with_resolver(Checked(reach.clone()));
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting_this_machines_roots())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let mut builder = Client::builder(TokioExecutor::new());
        // Each address is judged when it is dialled: a connection that is kept would not be.
        builder.pool_max_idle_per_host(0);
        Self { reach, public: builder.build(connector) }
    }

    /// `seconds`: now, since 1970.
    pub(super) async fn send(&self, message: &Message, seconds: i64) -> Result<(), Undelivered> {
        let target = Target::new(&message.url)?;
        // An address is dialled as it is, without a look-up that would judge it.
        if let Some(address) = target.address()
            && !self.reach.admits(address, target.is_in_clear())
        {
            return Err(Undelivered::NotPublic);
        }
        if target.is_in_clear() && target.address().is_none() {
            return Err(Undelivered::InClear);
        }
        let id = message.id.to_string();
        let signature = signature(&message.secret, &id, seconds, &message.body);
        let request = Request::post(target.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("directlink/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(message.body.clone())))
            .map_err(|why| Undelivered::Unreachable(why.to_string()))?;
        match timeout(SEND_WITHIN, self.public.request(request)).await {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(Undelivered::Answer(answer.status())),
            Ok(Err(error)) => Err(Undelivered::Unreachable(last_cause(&error))),
            Err(_) => Err(Undelivered::TooLate),
        }
    }
}

/// Where it has none, nobody is trusted, and each message says so.
fn trusting_this_machines_roots() -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|why| unreachable!("ring has them: {why}"));
    match builder.clone().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            warn!(%error, "this machine has no root certificates: no webhook can be told over TLS");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
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

/// Looks names up, and gives only addresses that may be dialled.
#[derive(Clone)]
struct Checked(Reach);

impl Service<Name> for Checked {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<_> = found.filter(|it| reach.admits(it.ip(), false)).collect();
            match good.is_empty() {
                true => Err(io::Error::other("its address is not on the public Internet")),
                false => Ok(good.into_iter()),
            }
        })
    }
}
