//! Running iproute2 and other programs: typed arguments in, text out, and an error that says
//! which command it was and what it answered.

use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// `ip -batch`: one process for many commands. With a namespace, all of them happen there.
pub(crate) fn ip(netns: Option<&str>, lines: &[String]) -> Result<()> {
    batch("ip", netns, &[], lines)
}

/// As [`ip`], and goes on after a command that fails.
pub(crate) fn ip_all(netns: &str, lines: &[String]) -> Result<()> {
    batch("ip", Some(netns), &["-force"], lines)
}

/// As [`ip`], for forwarding databases.
pub(crate) fn bridge(netns: &str, lines: &[String]) -> Result<()> {
    batch("bridge", Some(netns), &[], lines)
}

/// As [`ip`], for queueing disciplines and filters.
pub(crate) fn tc(netns: &str, lines: &[String]) -> Result<()> {
    batch("tc", Some(netns), &[], lines)
}

/// Runs a program to its end; its standard output, if it was successful.
pub(crate) fn output<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    finished(&command_line(&command), command.output())
}

fn batch(program: &str, netns: Option<&str>, flags: &[&str], lines: &[String]) -> Result<()> {
    let mut command = Command::new(program);
    if let Some(netns) = netns {
        command.args(["-n", netns]);
    }
    command.args(flags).args(["-batch", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program} (Debian: apt-get install iproute2)"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that fails early closes its end; its own words follow below.
        let _ = stdin.write_all((lines.join("\n") + "\n").as_bytes());
    }
    let ended = child.wait_with_output().with_context(|| format!("cannot wait for {program}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&ended.stderr);
    let place = netns.map(|ns| format!(" in {ns}")).unwrap_or_default();
    bail!("{program}{place}: {}: {}", failed_line(&complaint, lines), first_line(&complaint))
}

/// `Command failed -:3`: which of the lines it was.
fn failed_line<'a>(complaint: &str, lines: &'a [String]) -> &'a str {
    let number = complaint
        .lines()
        .find_map(|line| line.strip_prefix("Command failed -:"))
        .and_then(|n| n.trim().parse::<usize>().ok());
    number.and_then(|n| lines.get(n.checked_sub(1)?)).map_or("?", String::as_str)
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
}

fn finished(line: &str, output: std::io::Result<Output>) -> Result<String> {
    let output = output.with_context(|| format!("cannot start: {line}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {} ({})", first_line(&complaint), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_batch_names_the_line_and_what_ip_said() {
        let lines = ["link show lo".to_owned(), "link show no-such-link".to_owned()];
        let error = ip(None, &lines).unwrap_err().to_string();
        assert!(error.contains("link show no-such-link"), "{error}");
        assert!(error.contains("does not exist"), "{error}");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error = output("ip", ["link", "show", "no-such-link"]).unwrap_err().to_string();
        assert!(error.starts_with("ip link show no-such-link: "), "{error}");
    }
}
