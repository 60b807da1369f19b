//! Webhooks: where accounts are told of what happens to their connections and interfaces.

use super::operator::Access;
use crate::output::{self, Column};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use directlink_model::ids::{AccountId, WebhookId};
use serde_json::json;

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Tell an account's address from now on; the secret that signs is shown this once
    Add {
        account: AccountId,
        /// https://HOST/…
        #[arg(value_name = "URL")]
        address: String,
        #[command(flatten)]
        access: Access,
    },
    /// List the webhooks
    List(Access),
    /// Tell it nothing more
    Remove {
        webhook: WebhookId,
        #[command(flatten)]
        access: Access,
    },
    /// What it was told and what waits, the newest first
    Messages {
        webhook: WebhookId,
        #[command(flatten)]
        access: Access,
    },
}

const WEBHOOKS: &[Column] =
    &[("ID", "id"), ("ACCOUNT", "account"), ("URL", "url"), ("CREATED", "created_at")];
const NEW_WEBHOOK: &[Column] =
    &[("ID", "id"), ("ACCOUNT", "account"), ("URL", "url"), ("SECRET", "secret")];
const MESSAGES: &[Column] = &[
    ("AT", "at"),
    ("KIND", "kind"),
    ("SUBJECT", "subject"),
    ("ATTEMPTS", "attempts"),
    ("SENT", "sent_at"),
    ("DROPPED", "dropped_at"),
    ("FAILURE", "failure"),
];

pub(super) async fn webhook(command: WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::Add { account, address, access } => {
            let path = format!("accounts/{account}/webhooks");
            access.add(&path, &json!({ "url": address }), NEW_WEBHOOK).await
        }
        WebhookCommand::List(access) => access.list("webhooks", WEBHOOKS).await,
        WebhookCommand::Remove { webhook, access } => {
            let answer =
                access.operator()?.add(&format!("webhooks/{webhook}/remove"), &json!({})).await?;
            output::one(access.output, WEBHOOKS, &answer)
        }
        WebhookCommand::Messages { webhook, access } => {
            let answer = access.operator()?.list(&format!("webhooks/{webhook}/messages")).await?;
            let rows = answer["messages"].as_array().context("the answer lacks messages")?;
            output::list(access.output, MESSAGES, rows, &answer)
        }
    }
}
