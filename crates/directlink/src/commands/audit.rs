//! `directlink audit`: the audit trail as JSON lines, the oldest first.

use super::operator::Access;
use anyhow::{Context as _, Result};
use clap::Args;
use directlink_model::ids::AccountId;
use jiff::Timestamp;
use serde_json::Value;
use std::io::Write as _;

#[derive(Args)]
pub(crate) struct AuditArguments {
    /// From then on, as 2026-11-26T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Up to then
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// What it did, and what was done to it
    #[arg(long)]
    account: Option<AccountId>,
    /// What was done to it, as dxcon-… or dxvif-…
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    #[command(flatten)]
    access: Access,
}

pub(super) async fn audit(arguments: AuditArguments) -> Result<()> {
    let AuditArguments { since, until, account, resource, access } = arguments;
    let operator = access.operator()?;
    let given = [
        ("since", since.map(|at| at.to_string())),
        ("until", until.map(|at| at.to_string())),
        ("account", account.map(|account| account.to_string())),
        ("resource", resource),
    ];
    let mut wanted: Vec<_> =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    loop {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&wanted);
        let answer = operator.list(&format!("audit?{}", query.finish())).await?;
        let lines = answer["audit"].as_array().context("the answer lacks audit")?;
        let mut out = std::io::stdout().lock();
        for line in lines {
            writeln!(out, "{line}").context("standard output")?;
        }
        let Value::Object(next) = &answer["next"] else { return Ok(()) };
        wanted.retain(|(name, _)| !next.contains_key(name));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        wanted.extend(next.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))));
    }
}
