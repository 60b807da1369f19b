//! Configuration files: `directlink serve --config /etc/directlink/server.toml`.
//!
//! ```toml
//! # what the flag --listen says, and DIRECTLINK_LISTEN
//! listen = "203.0.113.1:443"
//! trusted_proxies = ["10.0.0.1", "10.0.0.2"]
//! ```
//!
//! A key is a flag of the command without its dashes, so that there is one list of settings, with one
//! description, one default and one check. What stands in a file is read as if it had been typed, unless
//! the flag itself was typed or its variable is set: flag before environment before file before default.

use anyhow::{Context as _, Result, bail};
use clap::{Arg, ArgAction, Command, builder::StyledStr};
use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The commands that can be configured by a file.
pub(crate) const COMMANDS: [&str; 2] = ["serve", "agent"];

const FLAG: &str = "config";
const VARIABLE: &str = "DIRECTLINK_CONFIG";

/// For commands of [`COMMANDS`], beside their own.
#[derive(clap::Args)]
pub(crate) struct ConfigArgument {
    /// File of settings: every flag of this command is a key there, as in `directlink check-config`
    #[arg(long, env = VARIABLE, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// One of a file's settings, as it would be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    /// None for a switch that is off.
    pub(crate) flags: Vec<String>,
}

/// The typed words with what the file that they name says.
///
/// # Errors
/// The file is not to be read, is no TOML, has a key that there is not, or a bad value.
pub(crate) fn expand(
    command: &Command,
    typed: Vec<OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>> {
    let named = typed.get(1).and_then(|word| word.to_str());
    let Some(sub) = named.filter(|name| COMMANDS.contains(name)) else { return Ok(typed) };
    let Some(path) = path_in(&typed).or_else(|| Some(variable(VARIABLE)?.into())) else {
        return Ok(typed);
    };
    let sub = subcommand(command, sub)?;
    let mut words = typed[..2].to_vec();
    for Setting { key, flags } in read(&sub, &path)? {
        let is_set = |name: &OsStr| variable(&name.to_string_lossy()).is_some();
        let comes_after = |arg: &Arg| arg.get_env().is_some_and(is_set) || is_typed(&typed, arg);
        if !find(&sub, &key).is_some_and(comes_after) {
            words.extend(flags.into_iter().map(OsString::from));
        }
    }
    words.extend_from_slice(&typed[2..]);
    Ok(words)
}

pub(crate) fn subcommand(command: &Command, name: &str) -> Result<Command> {
    let mut command = command.clone();
    command.build();
    command.find_subcommand(name).cloned().with_context(|| format!("no command '{name}'"))
}

/// All settings of a file, each checked by itself.
pub(crate) fn read(command: &Command, path: &Path) -> Result<Vec<Setting>> {
    let at = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(at)?;
    let table: Table = toml::from_str(&text).with_context(at)?;
    let settings = table.iter().map(|(key, value)| setting(command, key, value));
    settings.collect::<Result<_>>().with_context(at)
}

fn setting(command: &Command, key: &str, value: &Value) -> Result<Setting> {
    let Some(arg) = find(command, key) else {
        let keys = keys(command).map(key_of);
        let near = keys.map(|known| (strsim::jaro_winkler(key, &known), known));
        let near = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = near.map(|(_, known)| format!("; do you mean '{known}'?")).unwrap_or_default();
        bail!("there is no setting '{key}' of {}{hint}", command.get_name());
    };
    let flags = flags(arg, value).with_context(|| format!("'{key}'"))?;
    // What others it needs or excludes is seen when all are read.
    let alone = Arg::new(FLAG).long(long(arg)).action(arg.get_action().clone());
    let alone = alone.value_parser(arg.get_value_parser().clone());
    let alone = match arg.get_value_delimiter() {
        Some(delimiter) => alone.value_delimiter(delimiter),
        None => alone,
    };
    let reader = Command::new("").no_binary_name(true).disable_help_flag(true).arg(alone);
    if let Err(error) = reader.try_get_matches_from(&flags) {
        let words = error.to_string();
        let first = words.lines().next().unwrap_or_default();
        bail!("'{key}': {}", first.trim_start_matches("error: "));
    }
    Ok(Setting { key: key.to_owned(), flags })
}

fn flags(arg: &Arg, value: &Value) -> Result<Vec<String>> {
    let flag = format!("--{}", long(arg));
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    Ok(match value {
        Value::Boolean(is_on) if is_switch => Some(flag).filter(|_| *is_on).into_iter().collect(),
        _ if is_switch => bail!("it is true or false"),
        Value::Array(items) if takes_many(arg) => {
            items.iter().map(|item| Ok(format!("{flag}={}", word(item)?))).collect::<Result<_>>()?
        }
        Value::Array(_) => bail!("it is one, not a list"),
        one => vec![format!("{flag}={}", word(one)?)],
    })
}

fn word(value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(_)
        | Value::Float(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => bail!("it is a text or a whole number, not {}", value.type_str()),
    })
}

/// Every setting as a file would have it, none of them set: for an operator to begin with.
pub(crate) fn template(command: &Command) -> String {
    let name = command.get_name();
    let mut text =
        format!("# Settings of `directlink {name}`. A key that is not set has its default.\n");
    for arg in keys(command) {
        let help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
        text.push('\n');
        for line in textwrap(&help) {
            writeln!(text, "# {line}").ok();
        }
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let value = match (arg.get_action(), defaults.collect::<Vec<_>>().as_slice()) {
            (ArgAction::SetTrue, _) => "false".to_owned(),
            (_, []) if takes_many(arg) => "[]".to_owned(),
            (_, [one]) if one.parse::<u64>().is_ok() => one.to_string(),
            (_, [one, ..]) => Value::from(one.as_ref()).to_string(),
            (_, []) => Value::from(format!("<{}>", value_name(arg))).to_string(),
        };
        writeln!(text, "# {} = {value}", key_of(arg)).ok();
    }
    text
}

fn value_name(arg: &Arg) -> String {
    arg.get_value_names().and_then(<[_]>::first).map_or_else(|| "VALUE".into(), ToString::to_string)
}

fn textwrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The flags that a file may set.
pub(crate) fn keys(command: &Command) -> impl Iterator<Item = &Arg> {
    let beside = ["help", "version", FLAG];
    command.get_arguments().filter(move |arg| {
        arg.get_long().is_some_and(|long| !beside.contains(&long)) && !arg.is_hide_set()
    })
}

/// As a file says it. A flag that can be given again is one of a list there.
pub(crate) fn key_of(arg: &Arg) -> String {
    let key = long(arg).replace('-', "_");
    match takes_many(arg) && !key.ends_with('s') {
        true if key.ends_with('y') => format!("{}ies", key.trim_end_matches('y')),
        true => format!("{key}s"),
        false => key,
    }
}

fn find<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    keys(command).find(|arg| key_of(arg) == key)
}

fn long(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some()
}

fn path_in(typed: &[OsString]) -> Option<PathBuf> {
    let flag = format!("--{FLAG}");
    let mut words = typed.iter().skip(2).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == flag {
            return words.next().map(|path| PathBuf::from(path.as_ref()));
        }
        if let Some(path) = word.strip_prefix(&format!("{flag}=")) {
            return Some(path.into());
        }
    }
    None
}

fn is_typed(typed: &[OsString], arg: &Arg) -> bool {
    let flag = format!("--{}", long(arg));
    typed.iter().filter_map(|word| word.to_str()).any(|word| word.split('=').next() == Some(&flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let list = Arg::new("proxies").long("trusted-proxy").value_delimiter(',');
        let port = clap::value_parser!(u16);
        let serve = Command::new("serve")
            .arg(Arg::new("config").long("config"))
            .arg(
                Arg::new("state")
                    .long("state")
                    .required(true)
                    .value_name("DIR")
                    .help("Directory of all"),
            )
            .arg(Arg::new("port").long("smtp-port").env("SMTP_PORT").value_parser(port))
            .arg(Arg::new("level").long("log").default_value("info"))
            .arg(list.action(ArgAction::Append))
            .arg(Arg::new("json").long("log-json").action(ArgAction::SetTrue));
        Command::new("directlink").subcommand(serve)
    }

    fn expanded(file: &str, typed: &str, set: &[&str]) -> Result<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, file).unwrap();
        let typed = format!("directlink {typed} --config {}", path.display());
        let typed: Vec<_> = typed.split(' ').map(OsString::from).collect();
        let variable = |name: &str| set.contains(&name).then(|| OsString::from("1"));
        let words = expand(&command(), typed, variable).map_err(|error| {
            anyhow::anyhow!("{}", format!("{error:#}").replace(&path.display().to_string(), "FILE"))
        })?;
        let words = words.iter().map(|word| word.to_string_lossy().into_owned());
        Ok(words.take_while(|word| word != "--config").collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_a_file_says_is_as_if_typed_and_what_is_typed_or_set_comes_before_it() {
        let file = "smtp_port = 25\nlog_json = true\ntrusted_proxies = [\"a\", \"b\"]";
        let table = [
            ("serve", &[][..], "--log-json --smtp-port=25 --trusted-proxy=a --trusted-proxy=b"),
            (
                "serve --smtp-port 26",
                &[],
                "--log-json --trusted-proxy=a --trusted-proxy=b --smtp-port 26",
            ),
            ("serve --trusted-proxy=c", &["SMTP_PORT"], "--log-json --trusted-proxy=c"),
        ];
        for (typed, set, wanted) in table {
            let words = expanded(file, typed, set).unwrap();
            assert_eq!(words, format!("directlink serve {wanted}"), "{typed} {set:?}");
        }
        let other = "connection list";
        assert_eq!(expanded("nonsense", other, &[]).unwrap(), format!("directlink {other}"));
    }

    #[test]
    fn a_bad_file_is_told_with_its_name_the_key_and_what_is_wrong() {
        let table = [
            (
                "smtp_prot = 25",
                "FILE: there is no setting 'smtp_prot' of serve; do you mean 'smtp_port'?",
            ),
            ("colour = 1", "FILE: there is no setting 'colour' of serve"),
            ("config = \"x\"", "FILE: there is no setting 'config' of serve"),
            (
                "smtp_port = 70000",
                "FILE: 'smtp_port': invalid value '70000' for '--smtp-port <config>'",
            ),
            ("smtp_port = 1.5", "FILE: 'smtp_port': it is a text or a whole number, not float"),
            ("smtp_port = [1]", "FILE: 'smtp_port': it is one, not a list"),
            ("log_json = \"yes\"", "FILE: 'log_json': it is true or false"),
        ];
        for (file, wanted) in table {
            let error = expanded(file, "serve", &[]).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{file}: {error}");
        }
        let error = expanded("log = ", "serve", &[]).unwrap_err().to_string();
        assert!(error.contains("FILE: TOML parse error at line 1, column 7"), "{error}");
    }

    #[test]
    fn a_template_names_every_setting_and_can_be_read_once_the_marks_are_gone() {
        let serve = subcommand(&command(), "serve").unwrap();
        let text = template(&serve);
        assert!(text.contains("# Directory of all\n# state = \"<DIR>\"\n"), "{text}");
        let set = text.lines().filter_map(|line| line.strip_prefix("# "));
        let set: Vec<_> = set.filter(|line| line.contains(" = ")).collect();
        let table: Table = toml::from_str(&set.join("\n")).unwrap();
        let known: Vec<_> = keys(&serve).map(key_of).collect();
        assert_eq!(table.len(), known.len());
        assert!(table.keys().all(|key| known.contains(key)), "{table:?}");
    }
}
