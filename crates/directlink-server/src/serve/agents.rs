//! The listener of the agents' channel: mutual TLS, whose certificates change while it listens.
//!
//! ```text
//!   authorities ──┐
//!   time ─────────┴─► TLS of now ──► each connection, as it comes ──► gRPC
//! ```
//!
//! A connection keeps the certificate that it began with. Who shows none is let in, to enrol: each call looks for itself.

use super::{Error, stopped};
use crate::{
    api,
    app::App,
    ca::{self, Trust},
    config::ServeConfig,
};
use directlink_model::enrolment::Validity;
use jiff::{SignedDuration, Timestamp};
use rustls::{
    RootCertStore, ServerConfig, crypto::ring::default_provider, server::WebPkiClientVerifier,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tracing::{debug, error, info};

/// The server's own certificate, which never leaves it, is good for so long.
const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What an agent needs for its part of a handshake, at most.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once: the others wait in the kernel's queue.
const HANDSHAKES_MAX: usize = 1024;
/// After a failure that will pass, as of files that are all open.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn serve_agents(
    app: &App,
    config: &ServeConfig,
    listener: TcpListener,
) -> Result<JoinHandle<()>, Error> {
    let names = config.server_names.clone();
    let mut trust = app.parts().authorities.subscribe();
    let (first, renew_at) = tls(&trust.borrow_and_update(), &names, app.machine_now())?;
    let current = watch::Sender::new(Arc::new(first));
    let (accepted, incoming) = mpsc::channel(HANDSHAKES_MAX);
    let accept = accept(listener, current.subscribe(), accepted);
    let renew = renew(app.clone(), names, (trust, renew_at), current);
    let server = Server::builder()
        .http2_keepalive_interval(Some(api::agent::KEEPALIVE))
        .http2_keepalive_timeout(Some(api::agent::KEEPALIVE))
        .add_service(api::agent::service(app.clone()))
        .add_service(api::agent::enrolment(app.clone()));
    let stopped = stopped(app);
    Ok(tokio::spawn(async move {
        let incoming = futures::StreamExt::map(ReceiverStream::new(incoming), Ok::<_, ca::Error>);
        tokio::select! {
            served = server.serve_with_incoming_shutdown(incoming, stopped) => {
                if let Err(error) = served {
                    error!(%error, "the agent channel failed");
                }
            }
            // Both end only with the channel.
            () = async { tokio::join!(accept, renew); } => {}
        }
    }))
}

/// Until the channel takes no more.
async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    accepted: mpsc::Sender<TlsStream<TcpStream>>,
) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = accepted.closed() => break,
        };
        let stream = match connection {
            Ok((stream, _)) => stream,
            Err(error) => {
                error!(%error, "cannot take a connection of an agent");
                sleep(PAUSE).await;
                continue;
            }
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
        let accepted = accepted.clone();
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "cannot speed a connection up");
            }
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                // The channel may be closed by now.
                Ok(Ok(stream)) => drop(accepted.send(stream).await),
                Ok(Err(error)) => info!(%error, "a connection to the agents' channel is refused"),
                Err(_) => debug!("a connection to the agents' channel says nothing"),
            }
        });
    }
    // The listener is gone; what was accepted goes on.
    drop(listener);
    std::future::pending::<()>().await;
}

/// A new certificate in good time, and whenever other authorities are trusted.
async fn renew(
    app: App,
    names: Vec<String>,
    (mut trust, mut renew_at): (watch::Receiver<Arc<Trust>>, Timestamp),
    current: watch::Sender<Arc<ServerConfig>>,
) {
    loop {
        let wait = renew_at.duration_since(app.machine_now());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        tokio::select! {
            changed = trust.changed() => if changed.is_err() {
                return std::future::pending().await;
            },
            () = sleep(wait) => {}
        }
        let now = app.machine_now();
        let made = tls(&trust.borrow_and_update(), &names, now);
        match made {
            Ok((tls, at)) => {
                info!("the server's certificate for agents is renewed");
                current.send_replace(Arc::new(tls));
                renew_at = at;
            }
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    "cannot renew the server's certificate"
                );
                renew_at = now + SignedDuration::from_mins(1);
            }
        }
    }
}

/// What connections begin with, and when it is to be made anew.
fn tls(
    trust: &Trust,
    names: &[String],
    now: Timestamp,
) -> Result<(ServerConfig, Timestamp), ca::Error> {
    let validity = Validity::beginning(now, SERVER_LIFE);
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    for authority in &trust.trusted {
        roots.add(authority.certificate.clone())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let (chain, key) = trust.signer.server_identity(names, validity)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((config, validity.renew_at()))
}
