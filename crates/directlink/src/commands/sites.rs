//! The operator's places: locations, routers and their identities, ports.

use super::{
    customer::{self, Either},
    inventory,
    operator::{Access, seconds},
};
use crate::{
    lab::{keep_identity, keep_token},
    output::{self, Column},
};
use anyhow::Result;
use clap::Subcommand;
use directlink_model::{
    ids::{LocationCode, RouterName, SubregionName},
    inventory::{Optics, Position},
};
use serde_json::json;
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(crate) enum LocationCommand {
    /// Open a location
    Add {
        /// Its code, as PAR1
        code: LocationCode,
        /// Site and country, as "Telehouse 3, France"
        #[arg(long)]
        name: String,
        /// The Subregion that it belongs to, as eu-west-2a
        #[arg(long)]
        subregion: SubregionName,
        #[command(flatten)]
        access: Access,
    },
    /// List the locations
    List(Either),
    /// Show one location: its free ports, and with `--output json` all that is in it
    Show {
        code: LocationCode,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Subcommand)]
pub(crate) enum RouterCommand {
    /// Put a router into service; its agent comes with a token (`router enrol`), unless it is given an identity
    Add {
        /// Its name, as par1-r1
        name: RouterName,
        #[arg(long)]
        location: LocationCode,
        /// Its address on the fabric, where it sends and takes VXLAN
        #[arg(long, value_name = "ADDRESS")]
        vtep: Ipv4Addr,
        /// Directory for ca.pem, cert.pem and key.pem, made here and written once, for `directlink agent --identity`
        #[arg(long, value_name = "DIR")]
        identity: Option<PathBuf>,
        #[command(flatten)]
        access: Access,
    },
    /// List the routers
    List(Access),
    /// Make a one-time token by which a router's agent comes to its certificate; its key never leaves it
    Enrol {
        /// Its name, as par1-r1
        name: RouterName,
        /// How long somebody may come with it: seconds, or a number with s, m, h or d
        #[arg(long, default_value = "1h", value_parser = seconds, value_name = "TIME")]
        good_for: u64,
        /// File for the token, for the agent's `--enrol-token-file`; it is printed if left out
        #[arg(long, value_name = "FILE", conflicts_with = "cancel")]
        token_file: Option<PathBuf>,
        /// Take a token back that nobody has used
        #[arg(long, conflicts_with = "good_for")]
        cancel: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Refuse a router from now on: its certificates, its token, its stream. What it forwards it goes on to forward
    Revoke {
        /// Its name, as par1-r1
        name: RouterName,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Subcommand)]
pub(crate) enum PortCommand {
    /// Put a port into service
    Add {
        /// Router and link name, as par1-r1/p0
        port: String,
        /// 1Gbps or 10Gbps
        #[arg(long)]
        speed: String,
        /// What is plugged in it, as 1000BASE-LX; what its speed is sold with if left out
        #[arg(long)]
        optics: Option<Optics>,
        /// The panel position that it is wired to, as PAR1/MMR-1/PP-07/12
        #[arg(long)]
        position: Option<Position>,
        #[command(flatten)]
        access: Access,
    },
    /// Record what is plugged in a port, or which panel position it is wired to
    Change {
        /// Router and link name, as par1-r1/p0
        port: String,
        /// As 1000BASE-LX; `none`: what its speed is sold with
        #[arg(long, required_unless_present = "position")]
        optics: Option<String>,
        /// As PAR1/MMR-1/PP-07/12; `none`: it is wired to no panel
        #[arg(long)]
        position: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// List the ports, and which connection has each
    List(Access),
    /// Free a port although its router still sees light, for an order that names it: the fibre stays
    Release {
        /// Router and link name, as par1-r1/p0
        port: String,
        #[command(flatten)]
        access: Access,
    },
}

const LOCATIONS: &[Column] = &[("CODE", "code"), ("NAME", "name"), ("SUBREGION", "subregion")];
const ROUTERS: &[Column] = &[
    ("NAME", "name"),
    ("LOCATION", "location"),
    ("VTEP", "vtep"),
    ("BGP IDENTIFIER", "bgp_identifier"),
    ("AGENT CONNECTED", "agent.connected"),
    ("AGENT BUILD", "agent.build"),
    ("CERTIFICATE UNTIL", "certificate.expires_at"),
    ("TOKEN UNTIL", "certificate.token_until"),
];
const TOKEN: &[Column] = &[("ROUTER", "router"), ("TOKEN", "token"), ("GOOD UNTIL", "expires_at")];
const PORTS: &[Column] = &[
    ("PORT", "port"),
    ("SPEED", "speed"),
    ("OPTICS", "optics"),
    ("POSITION", "position"),
    ("CONNECTION", "connection"),
    ("LIGHT", "light"),
];
/// What takes a value away.
pub(super) const NONE: &str = "none";

pub(super) async fn location(command: LocationCommand) -> Result<()> {
    match command {
        LocationCommand::List(either) => customer::locations(&either, LOCATIONS).await,
        LocationCommand::Show { code, access } => inventory::location(&access, code.as_str()).await,
        LocationCommand::Add { code, name, subregion, access } => {
            let described = json!({ "code": code, "name": name, "subregion": subregion });
            access.add("locations", &described, LOCATIONS).await
        }
    }
}

pub(super) async fn router(command: RouterCommand) -> Result<()> {
    match command {
        RouterCommand::List(access) => access.list("routers", ROUTERS).await,
        RouterCommand::Add { name, location, vtep, identity, access } => {
            let described = json!({
                "name": name, "location": location, "vtep": vtep, "identity": identity.is_some(),
            });
            let mut answer = access.operator()?.add("routers", &described).await?;
            if let Some(dir) = identity {
                keep_identity(&dir, &answer["identity"])?;
                // The private key is in its file, and nowhere else.
                answer["identity"] = json!(dir);
            }
            output::one(access.output, ROUTERS, &answer)
        }
        RouterCommand::Enrol { name, cancel: true, access, .. } => {
            access.operator()?.add(&format!("routers/{name}/enrol/cancel"), &json!({})).await?;
            Ok(())
        }
        RouterCommand::Enrol { name, good_for, token_file, access, .. } => {
            enrol(&access, &name, good_for, token_file.as_deref()).await
        }
        RouterCommand::Revoke { name, access } => {
            access.operator()?.add(&format!("routers/{name}/revoke"), &json!({})).await?;
            Ok(())
        }
    }
}

async fn enrol(
    access: &Access,
    name: &RouterName,
    good_for: u64,
    token_file: Option<&Path>,
) -> Result<()> {
    let wish = json!({ "good_for_seconds": good_for });
    let mut answer = access.operator()?.add(&format!("routers/{name}/enrol"), &wish).await?;
    if let Some(path) = token_file {
        keep_token(path, &answer)?;
        // In its file, and nowhere else.
        answer["token"] = json!(path);
    }
    output::one(access.output, TOKEN, &answer)
}

pub(super) async fn port(command: PortCommand) -> Result<()> {
    match command {
        PortCommand::List(access) => access.list("ports", PORTS).await,
        PortCommand::Add { port, speed, optics, position, access } => {
            let (optics, position) = (optics.map(Optics::as_str), position.map(|p| p.to_string()));
            let described =
                json!({ "port": port, "speed": speed, "optics": optics, "position": position });
            access.add("ports", &described, PORTS).await
        }
        PortCommand::Change { port, optics, position, access } => {
            let mut change = json!({});
            for (member, given) in [("optics", optics), ("position", position)] {
                if let Some(given) = given {
                    change[member] = Some(given).filter(|given| given != NONE).into();
                }
            }
            access.add(&format!("ports/{port}/change"), &change, PORTS).await
        }
        PortCommand::Release { port, access } => {
            access.add(&format!("ports/{port}/release"), &json!({}), PORTS).await
        }
    }
}
