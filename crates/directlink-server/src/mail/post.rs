//! The ways out for a mail: a folder of this machine (maildir), or a relay (SMTP).

use crate::config::{self, MailWay, Relay, RelaySecurity};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::timeout};
use uuid::Uuid;

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot set up TLS to the mail relay")]
    Tls(#[source] smtp::Error),
    #[error("a password goes to the mail relay over TLS only")]
    PasswordInClear,
}

/// Why an attempt did not come to a good end.
#[derive(Debug, Error)]
pub(super) enum Undelivered {
    #[error("the folder: {0}")]
    Folder(#[from] io::Error),
    /// It answered, and did not take this mail: it may take others.
    #[error("the relay: {0}")]
    Answer(#[source] smtp::Error),
    /// It could not be spoken to.
    #[error("the relay: {0}")]
    Relay(#[source] smtp::Error),
    #[error("the relay did not answer in time")]
    TooLate,
}

/// One attempt takes no longer. What was sent then may have been taken.
pub(super) const SEND_WITHIN: Duration = Duration::from_secs(25);

/// And one step of it no longer than this.
const STEP_WITHIN: Duration = Duration::from_secs(10);

pub(crate) enum Post {
    Maildir(PathBuf),
    Relay(AsyncSmtpTransport<Tokio1Executor>),
}

impl Post {
    /// `folder`: the maildir where none is named.
    pub(crate) fn open(
        config: &config::Mail,
        folder: &Path,
        from: &Mailbox,
    ) -> Result<Self, Error> {
        match &config.way {
            MailWay::Maildir(named) => {
                let folder = named.as_deref().unwrap_or(folder);
                make_maildir(folder)?;
                Ok(Self::Maildir(folder.to_owned()))
            }
            MailWay::Relay(relay) => dial(relay, from).map(Self::Relay),
        }
    }

    pub(super) async fn send(&self, id: Uuid, message: Message) -> Result<(), Undelivered> {
        match self {
            Self::Maildir(folder) => {
                let (folder, bytes) = (folder.clone(), message.formatted());
                let kept = spawn_blocking(move || keep(&folder, id, &bytes)).await;
                Ok(kept.unwrap_or_else(|died| Err(io::Error::other(died)))?)
            }
            Self::Relay(relay) => match timeout(SEND_WITHIN, relay.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if error.is_permanent() || error.is_transient() => {
                    Err(Undelivered::Answer(error))
                }
                Ok(Err(error)) => Err(Undelivered::Relay(error)),
                Err(_) => Err(Undelivered::TooLate),
            },
        }
    }
}

fn dial(relay: &Relay, from: &Mailbox) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
    if relay.login.is_some() && relay.security == RelaySecurity::None {
        return Err(Error::PasswordInClear);
    }
    let (tls, port) = match relay.security {
        RelaySecurity::None => (Tls::None, 25),
        RelaySecurity::StartTls => (Tls::Required(trust(relay)?), 587),
        RelaySecurity::Tls => (Tls::Wrapper(trust(relay)?), 465),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(relay.host.as_str())
        .port(relay.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(STEP_WITHIN))
        .hello_name(ClientId::Domain(from.email.domain().to_owned()));
    if let Some((user, password)) = &relay.login {
        let password = password.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// What this machine trusts, and the certificate authority that is named.
fn trust(relay: &Relay) -> Result<TlsParameters, Error> {
    let mut builder = TlsParameters::builder(relay.host.clone());
    if let Some(path) = &relay.ca_file {
        let pem = fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(Error::Tls)?);
    }
    builder.build().map_err(Error::Tls)
}

fn make_maildir(folder: &Path) -> Result<(), Error> {
    for part in ["tmp", "new", "cur"] {
        let path = folder.join(part);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::File { path, source })?;
    }
    Ok(())
}

/// In `new`, whole, under a name of its own: kept again after a crash, it takes its own place.
fn keep(folder: &Path, id: Uuid, bytes: &[u8]) -> io::Result<()> {
    let (tmp, new) = (folder.join("tmp").join(id.to_string()), folder.join("new"));
    let mut file =
        fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&tmp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&tmp, new.join(id.to_string()))?;
    File::open(&new)?.sync_all()
}
