//! `directlink drain`, `undrain` and `maintenance`: traffic is sent away before somebody works on
//! something, and back again.

use super::{
    Exit,
    customer::{self, Either},
    operator::Access,
    wait::Waiting,
};
use crate::{
    client::Operator,
    output::{self, Column, Format},
};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use directlink_model::ids::MaintenanceId;
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    Interface,
    Connection,
    Router,
    Location,
}

#[derive(Args)]
pub(crate) struct Target {
    /// Of what
    kind: Kind,
    /// Which one: dxvif-…, dxcon-…, par1-r1, PAR1
    name: String,
}

#[derive(Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    target: Target,
    /// What customers read
    #[arg(long, default_value = "maintenance", value_name = "TEXT")]
    reason: String,
    /// So long traffic has to move by itself before it is withdrawn: seconds, or with s, m, h or d
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = super::operator::seconds)]
    at_most: u64,
    /// Also where a Net loses its last way
    #[arg(long)]
    force: bool,
    /// Say what would happen, and do nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    access: Access,
}

#[derive(Args)]
pub(crate) struct Undrain {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// List windows and drains, the latest first: a customer's are those on something of theirs
    List(Either),
    /// Show one, with the interfaces there and how far each is
    Show {
        maintenance: MaintenanceId,
        #[command(flatten)]
        access: Access,
    },
    /// Plan a window: its customers are told now, three days before, when it begins and when it ends
    Plan {
        #[command(flatten)]
        target: Target,
        /// When it begins, as 2026-03-01T22:00:00Z
        #[arg(long, value_name = "MOMENT")]
        from: Timestamp,
        /// When it ends
        #[arg(long, value_name = "MOMENT")]
        until: Timestamp,
        /// What customers read
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// So long traffic has to move by itself before it is withdrawn
        #[arg(long, default_value = "60s", value_name = "TIME", value_parser = super::operator::seconds)]
        at_most: u64,
        /// Also where a Net loses its last way
        #[arg(long)]
        force: bool,
        /// Say what would happen, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Move a window to another time; with its length, unless --until is given
    Move {
        maintenance: MaintenanceId,
        /// When it begins
        #[arg(long, value_name = "MOMENT")]
        from: Option<Timestamp>,
        /// When it ends
        #[arg(long, value_name = "MOMENT")]
        until: Option<Timestamp>,
        #[command(flatten)]
        access: Access,
    },
    /// Cancel a window that has not begun
    Cancel {
        maintenance: MaintenanceId,
        #[command(flatten)]
        access: Access,
    },
    /// End one that runs: traffic comes back
    End {
        maintenance: MaintenanceId,
        #[command(flatten)]
        access: Access,
    },
}

impl MaintenanceCommand {
    pub(super) const fn only_reads(&self) -> bool {
        matches!(self, Self::List(_) | Self::Show { .. })
    }
}

const COLUMNS: &[Column] = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("WHAT", "what"),
    ("FROM", "from"),
    ("UNTIL", "until"),
    ("INTERFACES", "drained"),
    ("REASON", "reason"),
];
const OWN: &[Column] = &[
    ("ID", "MaintenanceId"),
    ("STATE", "State"),
    ("KIND", "Kind"),
    ("NAME", "Name"),
    ("FROM", "From"),
    ("UNTIL", "Until"),
    ("NETS WITHOUT A WAY", "UnreachableNetIds"),
    ("REASON", "Reason"),
];
const INTERFACES: &[Column] = &[
    ("INTERFACE", "id"),
    ("OWNER", "owner"),
    ("ROUTER", "router"),
    ("PHASE", "phase"),
    ("WITHDRAWN", "withdrawn_at"),
    ("LAST TRAFFIC", "traffic_at"),
];
const EFFECT: &[Column] = &[
    ("NET", "net"),
    ("ACCOUNT", "account"),
    ("GOES DARK", "dark"),
    ("PREFIXES LOST", "prefixes_lost"),
    ("WAYS LEFT", "interfaces_left"),
];

pub(crate) async fn drain(it: Drain) -> Result<()> {
    let Drain { target, reason, at_most, force, dry_run, waiting, access } = it;
    let operator = access.operator()?;
    let wish = json!({
        "target": target.wire(), "reason": reason, "at_most_seconds": at_most, "force": force,
        "dry_run": dry_run,
    });
    let mut seen = operator.add("maintenances", &wish).await?;
    if waiting.is_asked() {
        let id = seen["id"].as_str().context("the answer lacks an id")?.to_owned();
        seen = until(&operator, &id, "drained", waiting).await?;
    }
    show(&access, &seen)
}

pub(crate) async fn undrain(it: Undrain) -> Result<()> {
    let Undrain { target, waiting, access } = it;
    let operator = access.operator()?;
    let all = operator.list("maintenances").await?;
    let is_it = |it: &&Value| it["state"] == "running" && it["target"] == target.wire();
    let mut ids = vec![];
    for it in all["maintenances"].as_array().into_iter().flatten().filter(is_it) {
        ids.push(it["id"].as_str().context("the answer lacks an id")?.to_owned());
    }
    let mut seen = Value::Null;
    for id in &ids {
        seen = operator.add(&format!("maintenances/{id}/end"), &json!({})).await?;
    }
    let Some(id) = ids.last() else { bail!("nothing drains {}", target.name) };
    if waiting.is_asked() {
        seen = until(&operator, id, "in use", waiting).await?;
    }
    show(&access, &seen)
}

pub(crate) async fn maintenance(command: MaintenanceCommand) -> Result<()> {
    use MaintenanceCommand as M;
    let act = async |access: Access, id: MaintenanceId, act: &str, body: Value| {
        let seen = access.operator()?.add(&format!("maintenances/{id}/{act}"), &body).await?;
        show(&access, &seen)
    };
    match command {
        M::List(either) => {
            let Some(operator) = either.operator()? else {
                let answer = either.identity.ours()?.call("ReadMaintenances", &json!({})).await?;
                return customer::list(either.format(), "Maintenances", OWN, &answer);
            };
            let access = either.access;
            let answer = operator.list("maintenances").await?;
            let rows =
                answer["maintenances"].as_array().context("the answer lacks maintenances")?;
            let rows: Vec<_> = rows.iter().map(line).collect();
            output::list(access.output, COLUMNS, &rows, &answer)
        }
        M::Show { maintenance, access } => {
            let seen = access.operator()?.list(&format!("maintenances/{maintenance}")).await?;
            show(&access, &seen)
        }
        M::Plan { target, from, until, reason, at_most, force, dry_run, access } => {
            let wish = json!({
                "target": target.wire(), "reason": reason, "from": from, "until": until,
                "at_most_seconds": at_most, "force": force, "dry_run": dry_run,
            });
            let seen = access.operator()?.add("maintenances", &wish).await?;
            show(&access, &seen)
        }
        M::Move { maintenance, from, until, access } => {
            act(access, maintenance, "move", json!({ "from": from, "until": until })).await
        }
        M::Cancel { maintenance, access } => act(access, maintenance, "cancel", json!({})).await,
        M::End { maintenance, access } => act(access, maintenance, "end", json!({})).await,
    }
}

impl Target {
    pub(super) fn wire(&self) -> Value {
        let kind = match self.kind {
            Kind::Interface => "interface",
            Kind::Connection => "connection",
            Kind::Router => "router",
            Kind::Location => "location",
        };
        json!({ "kind": kind, "name": self.name })
    }
}

/// As it is once every interface there is so.
async fn until(operator: &Operator, id: &str, wanted: &str, waiting: Waiting) -> Result<Value> {
    let mut told = String::new();
    let watch = waiting.begin();
    loop {
        let seen = operator.list(&format!("maintenances/{id}")).await?;
        let phases = phases(&seen);
        let now = phases.join(", ");
        if now != told {
            eprintln!("{:>4} s  {id} {now}", watch.elapsed().as_secs());
            told = now;
        }
        if phases.iter().all(|phase| phase == wanted) {
            return Ok(seen);
        }
        if watch.is_over() {
            let (id, wanted) = (id.to_owned(), wanted.to_owned());
            return Err(Exit::TimedOut { id, wanted, state: told, seconds: watch.seconds() }.into());
        }
        watch.pause().await;
    }
}

/// Each that some interface there is in.
fn phases(seen: &Value) -> Vec<String> {
    let phase = |it: &Value| it["phase"].as_str().unwrap_or("in use").to_owned();
    let mut phases: Vec<_> =
        seen["interfaces"].as_array().into_iter().flatten().map(phase).collect();
    phases.sort_unstable();
    phases.dedup();
    phases
}

fn line(seen: &Value) -> Value {
    let mut row = seen.clone();
    let target = &seen["target"];
    let words = [&target["kind"], &target["name"]].map(|word| word.as_str().unwrap_or_default());
    row["what"] = words.join(" ").into();
    row["drained"] = phases(seen).join(", ").into();
    row
}

fn show(access: &Access, seen: &Value) -> Result<()> {
    if matches!(access.output, Format::Json) {
        return output::json(seen);
    }
    output::one(access.output, COLUMNS, &line(seen))?;
    for (member, columns) in [("interfaces", INTERFACES), ("effect", EFFECT)] {
        let rows = seen[member].as_array().map(Vec::as_slice).unwrap_or_default();
        if !rows.is_empty() {
            output::list(access.output, columns, rows, seen)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_and_how_far() {
        let seen = json!({
            "id": "dxmaint-00000001", "target": { "kind": "router", "name": "par1-r1" },
            "interfaces": [{ "phase": "moving" }, { "phase": null }, { "phase": "moving" }],
        });
        let line = line(&seen);
        assert_eq!(
            (&line["what"], &line["drained"]),
            (&json!("router par1-r1"), &json!("in use, moving"))
        );
    }
}
