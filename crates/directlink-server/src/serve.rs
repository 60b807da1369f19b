//! The shell: opens what is on disk, binds what is listened on, and starts everything.
//!
//! ```text
//!   STATE/region.db         facts                         api, aws    both customer dialects
//!   STATE/ca/               authority of an earlier one   operator    the same, and /metrics
//!   STATE/operator-token    made at first start           agents      gRPC over mutual TLS
//!   STATE/mail/             maildir, where no relay is named
//! ```

mod agents;

use crate::{
    api,
    app::{App, Parts, Refusal, api_logs, authorities, figures, operator::CLOCK_SETTING},
    ca::{self, Authority},
    clock::Clock,
    config::{Links, Listen, ServeConfig},
    mail::{self, Mailbox, Mailer, Post},
    metrics::{self, Requests},
    reconcile::{self, Agents},
    store::{self, Address, Store, sites},
    webhooks,
};
use axum::{Router, serve::ListenerExt};
use jiff::SignedDuration;
use secrecy::SecretString;
use std::{
    fs,
    future::Future,
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, error, info};

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot open the store")]
    Store(#[from] store::Error),
    #[error("cannot open the certificate authority")]
    Authority(#[from] ca::Error),
    #[error("cannot complete what an earlier version wrote")]
    Complete(#[from] Refusal),
    #[error("cannot set up mail")]
    Mail(#[from] mail::Error),
    #[error("'{0}' is no domain to send mail in the name of: say whose it is")]
    MailFrom(String),
}

/// A server at work.
pub struct Running {
    pub app: App,
    /// As bound: no port 0 any more.
    pub listening: Listen,
    pub operator_token: SecretString,
    drain: Duration,
    servers: Vec<JoinHandle<()>>,
    /// The reconcile loop, the ear for other servers and the herald to them, who follows authorities, and the writers of the log of calls and of figures.
    loops: [JoinHandle<()>; 6],
}

impl Running {
    /// Says that it is about to stop, for as long as load balancers need to hear it. Then takes no new requests, ends
    /// those that run, and closes the store.
    pub async fn stop(self) {
        self.app.parts().drain.send_replace(true);
        tokio::time::sleep(self.drain).await;
        self.app.parts().stop.send_replace(true);
        for mut server in self.servers {
            // Whoever holds a request open for longer is cut off. A panic has been told already.
            if timeout(LAST_REQUESTS, &mut server).await.is_err() {
                server.abort();
            }
        }
        for background in self.loops {
            background.abort();
            let _ = background.await;
        }
        if let Err(error) = self.app.write_api_logs().await {
            error!(%error, "cannot write the last of the log of calls");
        }
        if let Err(error) = self.app.write_figures().await {
            error!(%error, "cannot write the last figures");
        }
        self.app.parts().store.close().await;
    }
}

/// Requests that run when the server is told to stop may take so long.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Starts everything; returns when it answers.
pub async fn serve(config: ServeConfig) -> Result<Running, Error> {
    let state = &config.state_dir;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|source| Error::File { path: state.clone(), source })?;
    let operator_token = match &config.operator_token {
        Some(token) => token.clone(),
        None => own_token(&state.join("operator-token"))?,
    };
    let mailer = mailer(&config)?;
    let hooks = webhooks::Post::new(config.webhook_networks.clone());
    let (listening, listeners) = bind(config.listen).await?;
    let bound = format!("http://{}", listening.api);
    let links = Links::to(config.public_url.as_deref().unwrap_or(&bound));
    let app = open(&config, operator_token.clone(), links).await?;
    app.complete_letters().await?;
    let mut servers = vec![agents::serve_agents(&app, &config, listeners.agents)?];
    let requests = Requests::default();
    let operator = api::operator(app.clone()).merge(metrics::route(app.clone(), requests.clone()));
    servers.push(serve_http(&app, listeners.operator, requests.count("operator", operator)));
    let front = api::front(app.clone(), config.doors.clone());
    servers.push(serve_http(&app, listeners.api, requests.count("api", front.clone())));
    let aws = listeners.aws.map(|aws| serve_http(&app, aws, requests.count("aws", front)));
    servers.extend(aws);
    // Among those that end what they are at.
    servers.push(tokio::spawn(mail::run(app.clone(), mailer)));
    servers.push(tokio::spawn(webhooks::run(app.clone(), hooks)));
    let reconciler = tokio::spawn(reconcile::run(app.clone(), config.pace));
    let herald = tokio::spawn(reconcile::fleet::run(app.clone()));
    let ear = tokio::spawn(reconcile::hear(app.clone()));
    let follower = tokio::spawn(authorities::run(app.clone()));
    let logger = tokio::spawn(api_logs::run(app.clone()));
    let meter = tokio::spawn(figures::run(app.clone()));
    info!(region = %config.region.name, api = %listening.api, operator = %listening.operator,
          agents = %listening.agents, "serving");
    let drain = config.drain;
    Ok(Running {
        app,
        listening,
        operator_token,
        drain,
        servers,
        loops: [reconciler, ear, herald, follower, logger, meter],
    })
}

async fn open(
    config: &ServeConfig,
    operator_token: SecretString,
    links: Links,
) -> Result<App, Error> {
    let own = || Address::Sqlite(config.state_dir.join("region.db"));
    let store = Store::open(&config.store.clone().unwrap_or_else(own)).await?;
    let clock = match config.virtual_clock {
        false => Clock::real(),
        true => {
            let mut db = store.reader().await?;
            let ahead = sites::setting(&mut db, CLOCK_SETTING).await?;
            let ahead_us = ahead.and_then(|us| us.parse().ok()).unwrap_or(0);
            Clock::ahead_of_real(SignedDuration::from_micros(ahead_us))
        }
    };
    let own = match &config.authority {
        Some(files) => Some(Authority::from_files(&files.certificate, &files.key)?),
        None => None,
    };
    let earlier = config.state_dir.join("ca");
    let authorities = authorities::load(&store, &earlier, own, clock.machine_now()).await?;
    Ok(App::new(Parts {
        region: config.region.clone(),
        rules: config.rules,
        clock,
        chance: crate::chance::Chance::of_machine(),
        store,
        authorities,
        links,
        operator_token,
        agents: Agents::default(),
        api_logs: crate::app::ApiLogs::default(),
        figures: crate::app::Figures::default(),
        wake: Notify::new(),
        wake_mail: Notify::new(),
        drain: watch::Sender::new(false),
        stop: watch::Sender::new(false),
    }))
}

fn mailer(config: &ServeConfig) -> Result<Mailer, Error> {
    let from = match &config.mail.from {
        Some(from) => from.clone(),
        None => {
            let address = format!("no-reply@{}.test", config.region.name);
            let email = address.parse().map_err(|_| Error::MailFrom(address))?;
            Mailbox::new(Some(format!("DirectLink {}", config.region.name)), email)
        }
    };
    let post = Post::open(&config.mail, &config.state_dir.join("mail"), &from)?;
    Ok(Mailer { post, from })
}

/// The one in the file; made, of 256 random bits, if there is none.
fn own_token(path: &Path) -> Result<SecretString, Error> {
    if !path.exists() {
        ca::write_private(path, &hex::encode(rand::random::<[u8; 32]>()))?;
    }
    let token =
        fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok(token.trim().into())
}

struct Listeners {
    api: TcpListener,
    aws: Option<TcpListener>,
    operator: TcpListener,
    agents: TcpListener,
}

async fn bind(wanted: Listen) -> Result<(Listen, Listeners), Error> {
    let (api, at_api) = bind_one(wanted.api).await?;
    let (operator, at_operator) = bind_one(wanted.operator).await?;
    let (agents, at_agents) = bind_one(wanted.agents).await?;
    let (aws, at_aws) = match wanted.aws {
        Some(address) => Some(bind_one(address).await?).unzip(),
        None => (None, None),
    };
    let listening = Listen { api: at_api, aws: at_aws, operator: at_operator, agents: at_agents };
    Ok((listening, Listeners { api, aws, operator, agents }))
}

async fn bind_one(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn serve_http(app: &App, listener: TcpListener, router: Router) -> JoinHandle<()> {
    let stopped = stopped(app);
    tokio::spawn(async move {
        // The log of calls says where each came from.
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        // The end of a long list does not wait for the client to have taken note of its beginning.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "cannot speed a connection up");
            }
        });
        let served = axum::serve(listener, service).with_graceful_shutdown(stopped).await;
        if let Err(error) = served {
            error!(%error, "a listener failed");
        }
    })
}

fn stopped(app: &App) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = app.parts().stop.subscribe();
    async move {
        // An error means that the app is gone, which is a stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
