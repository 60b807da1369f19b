//! How mail leaves: a folder, or a relay.

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use directlink_server::{
    config::{Mail, MailWay, Relay, RelaySecurity},
    mail::Mailbox,
};
use std::{fs, path::PathBuf};

#[derive(Args)]
pub(super) struct MailArguments {
    /// In whose name mail is sent, as "DirectLink <directlink@example.org>"
    #[arg(long, env = "DIRECTLINK_MAIL_FROM", value_name = "MAILBOX")]
    mail_from: Option<Mailbox>,
    /// Folder (maildir) for mail where no relay is named; mail in the state directory if left out
    #[arg(long, env = "DIRECTLINK_MAIL_DIR", value_name = "DIR", conflicts_with = "smtp_host")]
    mail_dir: Option<PathBuf>,
    /// Mail server that takes our mail
    #[arg(long, env = "DIRECTLINK_SMTP_HOST", value_name = "HOST")]
    smtp_host: Option<String>,
    /// Its port; that of the security otherwise: 587, 465 or 25
    #[arg(long, env = "DIRECTLINK_SMTP_PORT", value_name = "PORT", requires = "smtp_host")]
    smtp_port: Option<u16>,
    /// How what goes to it is kept secret; none is for a relay on this machine
    #[arg(long, env = "DIRECTLINK_SMTP_SECURITY", value_enum, default_value = "starttls")]
    smtp_security: Security,
    /// PEM file of a certificate authority that is trusted beside this machine's
    #[arg(long, env = "DIRECTLINK_SMTP_CA_FILE", value_name = "FILE", requires = "smtp_host")]
    smtp_ca_file: Option<PathBuf>,
    /// Login at the relay
    #[arg(
        long,
        env = "DIRECTLINK_SMTP_USER",
        value_name = "USER",
        requires = "smtp_password_file"
    )]
    smtp_user: Option<String>,
    /// File with its password
    #[arg(
        long,
        env = "DIRECTLINK_SMTP_PASSWORD_FILE",
        value_name = "FILE",
        requires = "smtp_user"
    )]
    smtp_password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Security {
    Starttls,
    Tls,
    None,
}

impl MailArguments {
    pub(super) fn config(self) -> Result<Mail> {
        let way = match self.smtp_host {
            None if self.smtp_user.is_some() => bail!("which relay? --smtp-host HOST"),
            None => MailWay::Maildir(self.mail_dir),
            Some(host) => {
                let password = match self.smtp_password_file {
                    None => None,
                    Some(path) => Some(
                        fs::read_to_string(&path).with_context(|| path.display().to_string())?,
                    ),
                };
                let password = password.map(|text| text.trim().to_owned().into());
                MailWay::Relay(Relay {
                    host,
                    port: self.smtp_port,
                    security: match self.smtp_security {
                        Security::Starttls => RelaySecurity::StartTls,
                        Security::Tls => RelaySecurity::Tls,
                        Security::None => RelaySecurity::None,
                    },
                    ca_file: self.smtp_ca_file,
                    login: self.smtp_user.zip(password),
                })
            }
        };
        Ok(Mail { from: self.mail_from, way })
    }
}
