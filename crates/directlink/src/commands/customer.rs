//! Who asks: a Region's operator, or one of its customers.
//!
//! ```text
//!   --state DIR, --url URL   the operator: all that the Region has
//!   otherwise                a customer: what is theirs, with the keys that osc-cli uses
//! ```

use super::operator::Access;
use crate::{
    client::{Customer as Api, DirectConnect, Operator, Profile, Sources},
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Which customer, and how the answer is shown.
#[derive(Args)]
pub(crate) struct Customer {
    #[command(flatten)]
    pub(super) identity: Identity,
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

#[derive(Args)]
pub(crate) struct Identity {
    /// A profile of ~/.osc/config.json; otherwise OSC_ACCESS_KEY and its kin, or the file's default
    #[arg(long, env = "OSC_PROFILE", value_name = "NAME", help_heading = "As a customer")]
    profile: Option<String>,
    /// Another file of profiles
    #[arg(long, env = "OSC_CONFIG_FILE", value_name = "FILE", help_heading = "As a customer")]
    config: Option<PathBuf>,
    /// The Region's address, if not the profile's or that of OSC_ENDPOINT_API
    #[arg(long, value_name = "URL", help_heading = "As a customer")]
    endpoint: Option<String>,
}

/// The operator, or a customer.
#[derive(Args)]
pub(crate) struct Either {
    #[command(flatten)]
    pub(super) access: Access,
    #[command(flatten)]
    pub(super) identity: Identity,
}

impl Either {
    pub(super) const fn format(&self) -> Format {
        self.access.output
    }

    /// `None`: it is a customer who asks.
    pub(super) fn operator(&self) -> Result<Option<Operator>> {
        self.access.is_given().then(|| self.access.operator()).transpose()
    }

    pub(super) fn customer(&self) -> Result<DirectConnect> {
        self.identity.customer()
    }
}

impl Identity {
    pub(super) fn customer(&self) -> Result<DirectConnect> {
        Ok(DirectConnect::new(self.profile()?))
    }

    /// The OUTSCALE API.
    pub(super) fn api(&self) -> Result<Api> {
        self.at("api/v1")
    }

    /// The actions of ours beside it.
    pub(super) fn ours(&self) -> Result<Api> {
        self.at("directlink/v1")
    }

    fn at(&self, path: &str) -> Result<Api> {
        let Profile { endpoint, region, access_key, secret_key } = self.profile()?;
        Ok(Api::new(&format!("{endpoint}/{path}"), &region, &access_key, &secret_key))
    }

    fn profile(&self) -> Result<Profile> {
        let path = match (&self.config, std::env::home_dir()) {
            (Some(path), _) => path.clone(),
            (None, Some(home)) => home.join(".osc/config.json"),
            (None, None) => PathBuf::new(),
        };
        let file = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == ErrorKind::NotFound && self.config.is_none() => None,
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        };
        Profile::find(&Sources {
            profile: self.profile.as_deref(),
            endpoint: self.endpoint.as_deref(),
            environment: &|name| std::env::var(name).ok(),
            file: file.as_deref(),
        })
    }
}

pub(super) fn list(format: Format, member: &str, columns: &[Column], answer: &Value) -> Result<()> {
    let rows = answer[member].as_array().with_context(|| format!("the answer lacks {member}"))?;
    output::list(format, columns, rows, answer)
}

/// What is gone from the list has nothing to show.
pub(super) fn show_if_there(
    format: Format,
    columns: &[Column],
    seen: Option<&Value>,
) -> Result<()> {
    seen.map_or(Ok(()), |seen| output::one(format, columns, seen))
}

/// Places, as each side's API has them.
pub(super) async fn locations(either: &Either, columns: &[Column]) -> Result<()> {
    const OWN: &[Column] = &[("CODE", "Code"), ("NAME", "Name")];
    let Either { access, identity } = either;
    if access.is_given() {
        return access.list("locations", columns).await;
    }
    let answer = identity.api()?.call("ReadLocations", &json!({})).await?;
    list(access.output, "Locations", OWN, &answer)
}
