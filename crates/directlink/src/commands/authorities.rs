//! Who signs the certificates of routers and servers, and how another takes its place.

use super::operator::Access;
use crate::output::{self, Column};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub(crate) enum AuthorityCommand {
    /// List the authorities that are trusted, and which of them signs
    List(Access),
    /// Make a new one: trusted from now on, while the other goes on signing. Agents are told
    Add(Access),
    /// Let one sign from now on: servers show it, agents renew by it
    Use {
        /// Its id, as `authority list` shows it
        id: String,
        /// Although routers do not trust it yet: they will need a new token
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Trust one no more
    Retire {
        /// Its id, as `authority list` shows it
        id: String,
        /// Although routers still have certificates of it: they will need a new token
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        access: Access,
    },
}

const AUTHORITIES: &[Column] = &[
    ("ID", "id"),
    ("SUBJECT", "subject"),
    ("SIGNS", "signs"),
    ("UNTIL", "expires_at"),
    ("ROUTERS", "routers"),
    ("TRUSTED BY", "trusted_by"),
    ("CERTIFIED", "certified"),
];

pub(super) async fn authority(command: AuthorityCommand) -> Result<()> {
    match command {
        AuthorityCommand::List(access) => access.list("authorities", AUTHORITIES).await,
        AuthorityCommand::Add(access) => {
            let added = [("ID", "id")];
            access.add("authorities", &json!({}), &added).await
        }
        AuthorityCommand::Use { id, force, access } => change(&id, "use", force, &access).await,
        AuthorityCommand::Retire { id, force, access } => {
            change(&id, "retire", force, &access).await
        }
    }
}

async fn change(id: &str, what: &str, force: bool, access: &Access) -> Result<()> {
    let path = format!("authorities/{id}/{what}");
    let answer = access.operator()?.add(&path, &json!({ "force": force })).await?;
    let rows = answer["authorities"].as_array().context("the answer lacks authorities")?;
    output::list(access.output, AUTHORITIES, rows, &answer)
}
