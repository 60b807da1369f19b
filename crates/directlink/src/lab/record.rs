//! What a lab is: as `lab up` prints it, and as later commands read it again.

use crate::client::{Customer, Operator};
use anyhow::{Context as _, Result};
use directlink_lab::{LabName, RouterSeat};
use directlink_model::ids::{LocationCode, PortName, RegionName, RouterName};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::up::ClockKind;

/// Printed by `lab up`: all that a client needs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Described {
    /// For OUTSCALE clients, as they want it configured.
    pub api: String,
    /// For AWS clients: `--endpoint-url`.
    pub aws: String,
    pub cockpit: String,
    pub metrics: String,
    pub region: RegionName,
    pub accounts: Vec<Account>,
    pub operator: OperatorAccess,
    pub routers: Vec<RouterRecord>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub access_key: String,
    pub secret_key: String,
    pub login: String,
    pub password: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct OperatorAccess {
    pub token: String,
    pub url: String,
    /// The operator's pages, on the same listener.
    pub cockpit: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouterRecord {
    pub name: RouterName,
    pub netns: String,
    pub location: LocationCode,
    pub ports: Vec<PortName>,
}

/// What starting a part again takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Running {
    pub clock: ClockKind,
    pub asn: u32,
    pub listen: Listen,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Listen {
    pub api: SocketAddr,
    pub aws: SocketAddr,
    pub operator: SocketAddr,
    pub agents: SocketAddr,
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(flatten)]
    described: Described,
    running: Running,
}

/// A lab that is up, or was.
#[derive(Clone)]
pub struct Lab {
    pub name: LabName,
    pub described: Described,
    pub running: Running,
}

impl Lab {
    /// # Errors
    /// There is no lab in that directory.
    pub fn open(dir: &Path) -> Result<Self> {
        let name = LabName::of(dir)?;
        Self::read(&name)?
            .with_context(|| format!("there is no lab in {name}: directlink lab up --state {name}"))
    }

    pub fn read(name: &LabName) -> Result<Option<Self>> {
        let path = path(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).context(path.display().to_string()),
        };
        let File { described, running } =
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(Some(Self { name: name.clone(), described, running }))
    }

    /// Whole or not at all: a lab that is killed meanwhile has none.
    pub fn write(&self) -> Result<()> {
        let file = File { described: self.described.clone(), running: self.running };
        let path = path(&self.name);
        let new = path.with_extension("new");
        write_secret(&new, &serde_json::to_vec_pretty(&file)?)?;
        fs::rename(&new, &path).with_context(|| path.display().to_string())
    }

    pub fn operator(&self) -> Operator {
        Operator::new(&self.described.operator.url, &self.described.operator.token)
    }

    pub fn customer(&self, account: &Account) -> Customer {
        let Described { api, region, .. } = &self.described;
        Customer::new(api, region.as_str(), &account.access_key, &account.secret_key)
    }

    /// The routers' places in the lab, in the order in which they were made.
    pub fn seats(&self) -> Vec<RouterSeat> {
        let seats = self.described.routers.iter().enumerate();
        seats
            .map(|(number, r)| RouterSeat { number, name: r.name.clone(), ports: r.ports.clone() })
            .collect()
    }
}

/// A file for its owner's eyes, in place of an older one.
pub(super) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = opened.with_context(|| path.display().to_string())?;
    file.write_all(bytes).with_context(|| path.display().to_string())
}

fn path(name: &LabName) -> PathBuf {
    name.dir().join("lab.json")
}
