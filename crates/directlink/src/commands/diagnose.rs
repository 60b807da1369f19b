//! `directlink diagnose`: why is it down? The answer first, then the ladder that it is read from.

use super::customer::Either;
use crate::{
    client::DirectConnect,
    output::{self, Column, Format},
};
use anyhow::Result;
use directlink_model::ids::InterfaceId;
use serde_json::{Value, json};

const LADDER: &[Column] =
    &[("", "mark"), ("RUNG", "title"), ("EVIDENCE", "evidence"), ("SEEN", "seen_at")];

pub(crate) async fn run(interface: InterfaceId, either: Either) -> Result<()> {
    let id = interface.to_string();
    let format = either.format();
    let (whole, told) = match either.operator()? {
        Some(operator) => {
            let whole = operator.list(&format!("interfaces/{id}/diagnosis")).await?;
            let told = whole["diagnosis"].clone();
            (whole, told)
        }
        None => {
            let whole = either.customer()?.diagnose(&id).await?;
            let told = in_our_words(&whole["Diagnosis"]);
            (whole, told)
        }
    };
    match format {
        Format::Json => output::json(&whole),
        Format::Table => {
            output::print(&answer(&id, &told))?;
            let rungs = told["rungs"].as_array().cloned().unwrap_or_default();
            let rows: Vec<_> = rungs.into_iter().map(marked).collect();
            output::list(format, LADDER, &rows, &Value::Null)
        }
    }
}

/// The customers' API has another spelling of the same.
fn in_our_words(told: &Value) -> Value {
    let rung = |rung: &Value| {
        json!({
            "step": rung["Step"], "title": rung["Title"], "outcome": rung["Outcome"],
            "evidence": rung["Evidence"], "seen_at": rung["SeenAt"], "remedy": rung["Remedy"],
        })
    };
    let first = &told["FirstFailed"];
    let rungs = told["Rungs"].as_array().into_iter().flatten();
    json!({
        "first_failed": if first.is_null() { Value::Null } else { rung(first) },
        "rungs": rungs.map(rung).collect::<Vec<_>>(),
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
