//! `directlink check-config`: whether a file of settings can be used, and what comes of it.

use super::{CommandLine, agent, serve};
use crate::{
    config_file,
    output::{self, Format},
};
use anyhow::Result;
use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, parser::ValueSource};
use serde_json::json;
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The command that the settings are for
    #[arg(value_parser = config_file::COMMANDS)]
    command: String,
    /// The file; without one, a template of all settings is printed
    file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let whole = CommandLine::command();
    let command = config_file::subcommand(&whole, &arguments.command)?;
    let Some(file) = &arguments.file else {
        return output::print(config_file::template(&command).trim_end());
    };
    let name = &arguments.command;
    let typed = ["directlink", name, "--config"].map(OsString::from);
    let typed = typed.into_iter().chain([file.into()]).collect();
    let words = config_file::expand(&whole, typed, |variable| std::env::var_os(variable))?;
    let matches = whole.try_get_matches_from(words)?;
    let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
    match name.as_str() {
        "serve" => drop(serve::config(serve::Arguments::from_arg_matches(matches)?)?),
        _ => drop(agent::config(agent::Arguments::from_arg_matches(matches)?)?),
    }
    let row = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let values = matches.get_raw(id).into_iter().flatten();
        // A service's log is no place for secrets.
        let show = |value: &OsStr| match arg.is_hide_env_values_set() {
            true => "(not shown)".to_owned(),
            false => value.to_string_lossy().into_owned(),
        };
        let values: Vec<_> = values.map(show).collect();
        let from = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "file",
            Some(ValueSource::EnvVariable) => "environment",
            Some(ValueSource::DefaultValue) => "default",
            Some(_) | None => "",
        };
        json!({"setting": config_file::key_of(arg), "value": values.join(", "), "from": from})
    };
    let rows: Vec<_> = config_file::keys(&command).map(row).collect();
    output::list(Format::Table, &COLUMNS, &rows, &json!(rows))
}

const COLUMNS: [output::Column; 3] = [("SETTING", "setting"), ("VALUE", "value"), ("FROM", "from")];
