//! What commands print: a table without lines for people, JSON for programs.

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use std::io::Write as _;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// The whole answer, for programs.
    Json,
}

/// A column: its heading, and the member of each object that stands in it (`agent.connected`: of
/// an object within).
pub(crate) type Column = (&'static str, &'static str);

/// Prints a list of objects; `whole` is what a program gets.
pub(crate) fn list(
    format: Format,
    columns: &[Column],
    rows: &[Value],
    whole: &Value,
) -> Result<()> {
    match format {
        Format::Json => json(whole),
        Format::Table => print(&table(columns, rows)),
    }
}

/// Prints one object, as a list of its one row.
pub(crate) fn one(format: Format, columns: &[Column], object: &Value) -> Result<()> {
    list(format, columns, std::slice::from_ref(object), object)
}

pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A closed pipe (`| head`) is no failure of ours.
pub(crate) fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

fn table(columns: &[Column], rows: &[Value]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(columns.iter().map(|(_, member)| cell(within(row, member))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn within<'a>(row: &'a Value, member: &str) -> &'a Value {
    row.pointer(&format!("/{}", member.replace('.', "/"))).unwrap_or(&Value::Null)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_headings_and_no_lines_and_says_what_is_unknown() {
        let rows = [
            serde_json::json!({"port": "par1-r1/p0", "connection": null, "ports": ["a", "b"]}),
            serde_json::json!({"port": "par4-r1/p10", "connection": "dxcon-1", "up": true}),
        ];
        let columns =
            [("PORT", "port"), ("CONNECTION", "connection"), ("PORTS", "ports"), ("UP", "up")];
        assert_eq!(
            table(&columns, &rows),
            "PORT         CONNECTION  PORTS  UP\n\
             par1-r1/p0   -           a,b    -\n\
             par4-r1/p10  dxcon-1     -      yes"
        );
    }
}
