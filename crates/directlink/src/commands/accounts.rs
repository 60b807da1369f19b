//! Customers' accounts, their keys, and what each may have.

use super::{operator::Access, sites::NONE};
use crate::output::{self, Column};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use directlink_model::ids::AccountId;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account; its secret key and password are shown this once
    Add {
        /// Login; made up if left out
        #[arg(long)]
        email: Option<String>,
        /// Password; made up if left out
        #[arg(long, env = "DIRECTLINK_ACCOUNT_PASSWORD", hide_env_values = true)]
        password: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// List the accounts
    List(Access),
    /// What an account may have, and has
    Quotas {
        account: AccountId,
        #[command(flatten)]
        access: Access,
    },
    /// Set what an account may have
    SetQuota {
        account: AccountId,
        /// As `quotas` calls it
        quota: String,
        /// A number, or `none`: the Region's own rule again
        limit: String,
        #[command(flatten)]
        access: Access,
    },
}

const ACCOUNTS: &[Column] = &[("ID", "id"), ("LOGIN", "login"), ("CREATED", "created_at")];
const NEW_ACCOUNT: &[Column] = &[
    ("ID", "id"),
    ("ACCESS KEY", "access_key"),
    ("SECRET KEY", "secret_key"),
    ("LOGIN", "login"),
    ("PASSWORD", "password"),
];
const QUOTAS: &[Column] = &[("QUOTA", "quota"), ("USED", "used"), ("LIMIT", "limit")];
pub(super) async fn account(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::List(access) => access.list("accounts", ACCOUNTS).await,
        AccountCommand::Quotas { account, access } => {
            let answer = access.operator()?.list(&format!("accounts/{account}/quotas")).await?;
            quotas(&access, &answer)
        }
        AccountCommand::SetQuota { account, quota, limit, access } => {
            let limit = match limit.as_str() {
                NONE => None,
                number => Some(number.parse::<u32>().context("a limit is a number, or none")?),
            };
            let path = format!("accounts/{account}/quotas");
            let wish = json!({ "quota": quota, "limit": limit });
            quotas(&access, &access.operator()?.add(&path, &wish).await?)
        }
        AccountCommand::Add { email, password, access } => {
            let mut described = json!({});
            if let Some(email) = email {
                described["email"] = email.into();
            }
            if let Some(password) = password {
                described["password"] = password.into();
            }
            access.add("accounts", &described, NEW_ACCOUNT).await
        }
    }
}

fn quotas(access: &Access, answer: &Value) -> Result<()> {
    let rows = answer["quotas"].as_array().context("the answer lacks quotas")?;
    output::list(access.output, QUOTAS, rows, answer)
}
