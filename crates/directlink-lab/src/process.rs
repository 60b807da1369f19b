//! The processes of a lab: started apart from their starter, found again by what the kernel knows.
//!
//! Each has the lab's directory and its own name in its environment; whoever descends from it has
//! them too. So `/proc` is the list: no pid file can be stale, and a number that was given to
//! another program is never taken for ours. (`DIR/run/NAME.pid` is there for people.)

use crate::{
    clock::{self, Stopwatch},
    name::LabName,
    netns,
};
use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const LAB: &str = "DIRECTLINK_LAB";
const NAME: &str = "DIRECTLINK_LAB_PROCESS";
/// How long the kernel may take to bury what was killed.
const BURIAL_LIMIT: Duration = Duration::from_secs(10);

/// A process of a lab that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    pub pid: i32,
}

/// Starts a program in a session of its own, which outlives the caller; what it says goes to
/// `DIR/log/NAME.log`. With a namespace, it lives there.
///
/// # Errors
/// It cannot be started.
pub fn start(
    lab: &LabName,
    name: &str,
    netns: Option<&str>,
    program: &Path,
    arguments: &[&OsStr],
) -> Result<Process> {
    let log = open_log(lab, name)?;
    let mut command = Command::new("setsid");
    command
        .arg(program)
        .args(arguments)
        .env(LAB, lab.dir())
        .env(NAME, name)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut spawn =
        || command.spawn().with_context(|| format!("cannot start {}", program.display()));
    let child = match netns {
        None => spawn()?,
        Some(netns) => netns::within(netns, spawn)?,
    };
    let pid = i32::try_from(child.id()).context("a process number")?;
    let run = lab.dir().join("run");
    fs::create_dir_all(&run)?;
    fs::write(run.join(format!("{name}.pid")), format!("{pid}\n"))?;
    Ok(Process { name: name.to_owned(), pid })
}

/// Where a process of the lab writes what it has to say.
pub fn log_path(lab: &LabName, name: &str) -> PathBuf {
    lab.dir().join("log").join(format!("{name}.log"))
}

/// The processes that [`start`] started and that still run, by name.
///
/// # Errors
/// There is no /proc.
pub fn list(lab: &LabName) -> Result<Vec<Process>> {
    let mut found: Vec<_> = pids()?
        .into_iter()
        .filter(|&pid| leads_session(pid) && belongs(pid, lab))
        .filter_map(|pid| Some(Process { name: variable(pid, NAME)?, pid }))
        .collect();
    found.sort_unstable_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
    Ok(found)
}

/// The process of that name, if it runs.
///
/// # Errors
/// There is no /proc.
pub fn find(lab: &LabName, name: &str) -> Result<Option<Process>> {
    Ok(list(lab)?.into_iter().find(|process| process.name == name))
}

/// Kills one process of the lab, and waits until it is gone.
///
/// # Errors
/// It does not go.
pub fn stop(process: &Process) -> Result<()> {
    end(&[process.pid])
}

/// Kills all processes of the lab, their descendants, and who lives in a namespace of its own.
///
/// # Errors
/// One does not go.
pub fn stop_all(lab: &LabName) -> Result<()> {
    let watch = Stopwatch::start();
    loop {
        let rooms: Vec<_> = netns::with_prefix(lab.prefix())?
            .iter()
            .filter_map(|name| netns::identity(&netns::path(name)))
            .collect();
        let lives_there = |pid: i32| {
            netns::identity(&PathBuf::from(format!("/proc/{pid}/ns/net")))
                .is_some_and(|room| rooms.contains(&room))
        };
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let pids: Vec<_> = pids()?
            .into_iter()
            .filter(|&pid| pid != me && !is_dead(pid) && (belongs(pid, lab) || lives_there(pid)))
            .collect();
        if pids.is_empty() {
            return Ok(());
        }
        if watch.elapsed() > BURIAL_LIMIT {
            bail!("processes of the lab that do not die: {pids:?}");
        }
        // Again afterwards: one of them may just have started another.
        end(&pids)?;
    }
}

/// Whether there is such a process, not counting one that is dead and waits for its parent.
pub fn is_running(pid: i32) -> bool {
    !is_dead(pid)
}

fn end(pids: &[i32]) -> Result<()> {
    for &pid in pids {
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => bail!("cannot kill process {pid}: {e}"),
        }
    }
    clock::until("the death of killed processes", BURIAL_LIMIT, || {
        Ok(pids.iter().all(|&pid| is_dead(pid)).then_some(()))
    })
}

fn open_log(lab: &LabName, name: &str) -> Result<File> {
    let path = log_path(lab, name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| path.display().to_string())
}

fn pids() -> Result<Vec<i32>> {
    let entries = fs::read_dir("/proc").context("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

fn belongs(pid: i32, lab: &LabName) -> bool {
    let wanted = [LAB.as_bytes(), b"=", lab.dir().as_os_str().as_bytes()].concat();
    environment(pid).split(|&b| b == 0).any(|line| line == wanted)
}

fn variable(pid: i32, name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    let environment = environment(pid);
    let mut lines = environment.split(|&b| b == 0);
    let value = lines.find_map(|line| line.strip_prefix(prefix.as_bytes()))?;
    String::from_utf8(value.to_vec()).ok()
}

/// Empty for the dead, and for the kernel's own threads.
fn environment(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

fn is_dead(pid: i32) -> bool {
    stat(pid).is_none_or(|fields| matches!(fields.first().map(String::as_str), Some("Z" | "X")))
}

fn leads_session(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields.get(3) == Some(&pid.to_string()))
}

/// /proc/PID/stat after the program's name, which may hold anything: state, ppid, pgrp, session, …
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_lab_and_gone_when_stopped() {
        let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mine, other) = (LabName::of(mine.path()).unwrap(), LabName::of(other.path()).unwrap());
        let arguments = ["60".as_ref()];
        let started = start(&mine, "sleeper", None, Path::new("sleep"), &arguments).unwrap();
        let seen = || find(&mine, "sleeper");
        let found = clock::until("setsid to become sleep", Duration::from_secs(5), seen).unwrap();
        assert_eq!(found, started);
        assert_eq!(list(&other).unwrap(), []);
        stop_all(&other).unwrap();
        assert!(is_running(started.pid));
        stop_all(&mine).unwrap();
        assert_eq!(list(&mine).unwrap(), []);
    }
}
