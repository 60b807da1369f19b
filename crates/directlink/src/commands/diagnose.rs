//! `directlink diagnose`: why is it down? The answer first, then the ladder that it is read from.

use super::customer::Either;
use crate::{
    client::DirectConnect,
    output::{self, Column, Format},
};
use anyhow::Result;
use directlink_model::ids::{ConnectionId, InterfaceId};
use serde_json::{Value, json};
use std::{fmt, str::FromStr};

const LADDER: &[Column] =
    &[("", "mark"), ("RUNG", "title"), ("EVIDENCE", "evidence"), ("SEEN", "seen_at")];

const CARRIED: &[Column] = &[
    ("INTERFACE", "interface"),
    ("VLAN", "vlan"),
    ("STATE", "state"),
    ("FAILS AT", "title"),
    ("EVIDENCE", "evidence"),
];

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Interface(InterfaceId),
    Connection(ConnectionId),
}

impl FromStr for Subject {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let interface = text.parse().map(Self::Interface);
        interface
            .or_else(|_| text.parse().map(Self::Connection))
            .map_err(|_| "it is dxvif- or dxcon- and eight hexadecimal digits")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(id) => id.fmt(f),
            Self::Connection(id) => id.fmt(f),
        }
    }
}

pub(crate) async fn run(subject: Subject, either: Either) -> Result<()> {
    let format = either.format();
    let (whole, told) = ask(subject, &either).await?;
    if format == Format::Json {
        return output::json(&whole);
    }
    output::print(&answer(&subject.to_string(), &told))?;
    let rungs = told["rungs"].as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = rungs.into_iter().map(marked).collect();
    output::list(format, LADDER, &rows, &Value::Null)?;
    match told["interfaces"].as_array().filter(|on_it| !on_it.is_empty()) {
        Some(on_it) => {
            output::print("\n")?;
            let rows: Vec<_> = on_it.iter().map(in_short).collect();
            output::list(format, CARRIED, &rows, &Value::Null)
        }
        None => Ok(()),
    }
}

/// As answered, and in our words.
async fn ask(subject: Subject, either: &Either) -> Result<(Value, Value)> {
    if let Some(operator) = either.operator()? {
        let path = match subject {
            Subject::Interface(id) => format!("interfaces/{id}/diagnosis"),
            Subject::Connection(id) => format!("connections/{id}/diagnosis"),
        };
        let whole = operator.list(&path).await?;
        let told = whole["diagnosis"].clone();
        return Ok((whole, told));
    }
    let customer = either.customer()?;
    let whole = match subject {
        Subject::Interface(id) => customer.diagnose(&id.to_string()).await?,
        Subject::Connection(id) => customer.diagnose_connection(&id.to_string()).await?,
    };
    let told = in_our_words(&whole["Diagnosis"]);
    Ok((whole, told))
}

fn in_short(carried: &Value) -> Value {
    let first = &carried["first_failed"];
    json!({
        "interface": carried["interface"], "vlan": carried["vlan"], "state": carried["state"],
        "title": first["title"], "evidence": first["evidence"],
    })
}

/// The customers' API has another spelling of the same.
fn in_our_words(told: &Value) -> Value {
    let rung = |rung: &Value| {
        json!({
            "step": rung["Step"], "title": rung["Title"], "outcome": rung["Outcome"],
            "evidence": rung["Evidence"], "seen_at": rung["SeenAt"], "remedy": rung["Remedy"],
        })
    };
    let first = |of: &Value| match of["FirstFailed"].is_null() {
        true => Value::Null,
        false => rung(&of["FirstFailed"]),
    };
    let carried = |it: &Value| {
        json!({
            "interface": it["DirectLinkInterfaceId"], "vlan": it["Vlan"], "state": it["State"],
            "first_failed": first(it),
        })
    };
    let rungs = told["Rungs"].as_array().into_iter().flatten();
    let on_it = told["DirectLinkInterfaces"].as_array().into_iter().flatten();
    json!({
        "first_failed": first(told),
        "rungs": rungs.map(rung).collect::<Vec<_>>(),
        "interfaces": on_it.map(carried).collect::<Vec<_>>(),
    })
}

/// What is missing, where data is not wanted: the answer and no ladder.
pub(super) async fn to_standard_error(caller: &DirectConnect, id: &str) -> Result<()> {
    let whole = caller.diagnose(id).await?;
    eprint!("{}", answer(id, &in_our_words(&whole["Diagnosis"])));
    Ok(())
}

fn answer(id: &str, told: &Value) -> String {
    let first = &told["first_failed"];
    let text = |member: &str| first[member].as_str().unwrap_or_default();
    match first.is_null() {
        true => format!("{id}: nothing is wrong that can be seen\n"),
        false => {
            format!(
                "{id}: FAILED: {}\n  {}\n  → {}\n",
                text("title"),
                text("evidence"),
                text("remedy")
            )
        }
    }
}

fn marked(mut rung: Value) -> Value {
    let mark = match rung["outcome"].as_str() {
        Some("passed") => "✓",
        Some("failed") => "✗",
        _ => "·",
    };
    rung["mark"] = mark.into();
    let seen = rung["seen_at"].as_str().map(|at| at.split('.').next().unwrap_or(at).to_owned());
    rung["seen_at"] = seen.map_or(Value::Null, |at| at.trim_end_matches('Z').to_owned().into());
    rung
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failing_rung_is_the_answer_in_either_spelling() {
        let rung = json!({
            "Step": "tcp", "Title": "TCP", "Outcome": "failed", "Evidence": "refused",
            "SeenAt": "2026-01-01T00:00:00.5Z", "Remedy": "Start BGP.",
        });
        let told = in_our_words(&json!({ "FirstFailed": rung, "Rungs": [rung] }));
        let expected = "dxvif-1: FAILED: TCP\n  refused\n  → Start BGP.\n";
        assert_eq!(answer("dxvif-1", &told), expected);
        let row = marked(told["rungs"][0].clone());
        assert_eq!((&row["mark"], &row["seen_at"]), (&json!("✗"), &json!("2026-01-01T00:00:00")));
        let well = in_our_words(&json!({ "FirstFailed": null, "Rungs": [] }));
        assert!(answer("dxvif-1", &well).contains("nothing is wrong"));
    }
}
