//! Evidence that does not come from us: ping's own words, and the logs.

use anyhow::{Context as _, Result, bail, ensure};
use directlink_lab::{LabName, netns, process};
use std::{fs, net::Ipv4Addr, process::Command};

/// Three echoes there and back; ping's own summary.
pub(super) fn ping(netns: &str, to: Ipv4Addr) -> Result<String> {
    let output = netns::within(netns, || {
        let words = ["-c", "3", "-i", "0.1", "-W", "1", &to.to_string()];
        Command::new("ping").args(words).output().context("cannot start ping")
    })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary: Vec<_> =
        said.lines().filter(|l| l.contains("packets") || l.contains("rtt")).collect();
    ensure!(output.status.success(), "no answer from {to}: {}", summary.join(", "));
    Ok(summary.join("\n"))
}

/// One echo, which must not come back.
pub(super) fn no_ping(netns: &str, to: Ipv4Addr) -> Result<()> {
    let output = netns::within(netns, || {
        let words = ["-c", "1", "-W", "1", &to.to_string()];
        Command::new("ping").args(words).output().context("cannot start ping")
    })?;
    match output.status.code() {
        Some(1) => Ok(()),
        Some(0) => bail!("{to} answers, although no rule admits it"),
        _ => bail!("ping: {}", String::from_utf8_lossy(&output.stderr).trim_end()),
    }
}

/// Whether one echo comes back at once.
pub(super) fn echoes(netns: &str, to: Ipv4Addr) -> Result<bool> {
    netns::within(netns, || {
        let words = ["-c", "1", "-W", "1", &to.to_string()];
        Ok(Command::new("ping").args(words).output().context("cannot start ping")?.status.success())
    })
}

/// The end of each log, for who must find out why.
pub(super) fn last_words(lab: &LabName) -> String {
    const LINES: usize = 6;
    let mut text = String::new();
    for process in process::list(lab).unwrap_or_default() {
        let log = fs::read_to_string(process::log_path(lab, &process.name)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        text += &format!("{}:\n{last}\n", process.name);
    }
    text
}
