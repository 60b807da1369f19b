//! `directlink watch`: a command that reads, again and again, on a screen that is drawn anew.
//!
//! Each round is this program anew, as `watch(1)` would have it: what it prints is whole before any of
//! it is shown, so nothing flickers. Where standard output is no terminal, only what has changed is
//! printed.

use super::{CommandLine, Exit};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser as _};
use std::{
    ffi::OsString,
    io::{IsTerminal as _, Write as _},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

#[derive(Args)]
pub(crate) struct Arguments {
    /// So many seconds from one look to the next
    #[arg(long, short = 'n', default_value_t = 2.0, value_name = "SECONDS")]
    interval: f64,
    /// End after so many looks
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// What to look at, as `interface list`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

const SHORTEST_SECONDS: f64 = 0.1;
const LONGEST_SECONDS: f64 = 86_400.0;
/// Home, and what is below is cleared.
const REDRAW: &str = "\x1b[H\x1b[J";
const CLEAR: &str = "\x1b[2J";

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let words = std::iter::once(OsString::from("directlink")).chain(arguments.command.clone());
    let line = CommandLine::try_parse_from(words).unwrap_or_else(|error| error.exit());
    if !line.only_reads() {
        bail!("only what lists, shows or diagnoses can be watched");
    }
    let seconds = arguments.interval.clamp(SHORTEST_SECONDS, LONGEST_SECONDS);
    super::block_on(async {
        tokio::select! {
            ended = look(&arguments, Duration::from_secs_f64(seconds)) => ended,
            asked = super::stop_asked() => asked,
        }
    })
}

async fn look(arguments: &Arguments, period: Duration) -> Result<()> {
    let program = std::env::current_exe().context("where is this program?")?;
    let screen = std::io::stdout().is_terminal();
    let (mut shown, mut looks) = (None, 0);
    if screen {
        draw(CLEAR)?;
    }
    loop {
        let mut command = Command::new(&program);
        command.args(&arguments.command).stdin(Stdio::null()).kill_on_drop(true);
        let seen = command.output().await.context("cannot look")?;
        let text = String::from_utf8_lossy(&seen.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&seen.stderr).into_owned();
        if screen {
            draw(&format!("{REDRAW}{text}{complaint}"))?;
        } else if shown.as_ref() != Some(&text) {
            draw(&text)?;
            eprint!("{complaint}");
        }
        shown = Some(text);
        looks += 1;
        if arguments.count.is_some_and(|count| looks >= count) {
            return match seen.status.success() {
                true => Ok(()),
                false => Err(Exit::Quiet(seen.status.code().unwrap_or(1)).into()),
            };
        }
        tokio::time::sleep(period).await;
    }
}

/// A closed pipe ends it, and is no failure.
fn draw(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Quiet(0).into()),
        other => Ok(other?),
    }
}
