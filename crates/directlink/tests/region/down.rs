//! Taking a lab down leaves nothing, whatever state it was in.

use crate::fixture::{Region, directlink_in, run};
use anyhow::{Result, ensure};
use directlink_lab::{LabName, process};
use std::path::Path;

/// What of a lab is still somewhere: namespaces, links, processes, mounts, files.
fn left(name: &LabName, foreign: &[&str]) -> Result<Vec<String>> {
    let mut left: Vec<_> = run(&["ip", "netns"])?
        .lines()
        .filter(|l| l.starts_with(name.prefix()))
        .map(str::to_owned)
        .collect();
    left.extend(process::list(name)?.into_iter().map(|p| format!("process {} {}", p.name, p.pid)));
    let dir = name.dir().display().to_string();
    let mentions = format!("grep -l -s -- '{dir}' /proc/[0-9]*/cmdline | grep -v /self/ || true");
    for file in run(&["sh", "-c", &mentions])?.lines() {
        let pid: i32 = file.split('/').nth(2).unwrap_or_default().parse()?;
        let ours = std::process::id() == pid.unsigned_abs();
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if !ours
            && process::is_running(pid)
            && !words.starts_with(b"grep")
            && !words.starts_with(b"sh")
        {
            left.push(format!("process {pid}"));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    left.extend(
        mounts.lines().filter(|l| l.contains(&dir) || l.contains(name.prefix())).map(str::to_owned),
    );
    if name.dir().exists() {
        left.push(dir);
    }
    for netns in foreign {
        let links = run(&["ip", "-n", netns, "-o", "link"])?;
        left.extend(links.lines().filter(|l| !l.contains(" lo: ")).map(str::to_owned));
    }
    Ok(left)
}

/// Namespaces that a user made, removed at the end.
struct Own(Vec<String>);

impl Own {
    fn new(region: &Region, names: &[&str]) -> Result<Self> {
        let names: Vec<_> =
            // Not by the lab's prefix: these are not the lab's.
            names.iter().map(|name| format!("user-{:04x}-{name}", region.lab.name.number())).collect();
        names.iter().try_for_each(|name| run(&["ip", "netns", "add", name]).map(drop))?;
        Ok(Self(names))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = run(&["ip", "netns", "del", name]);
        }
    }
}

/// Cable and host in namespaces of the user's own, an interface on the router.
fn furnish(region: &Region, own: &Own) -> Result<()> {
    let mut fibre = region.fibre(0, "PAR1", &[])?;
    let second = region.namespace("second")?;
    region.pull(&fibre)?;
    fibre.netns = second;
    region.plug(&fibre, &[101])?;
    let words =
        ["--port", "par4-r1/p1", "--netns", &own.0[0], "--ifname", "fibre", "--vlan", "7=vlan7"];
    region.directlink("cable", &words)?;
    region.await_connection(&fibre, "available")?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    let interface = region.interface(&fibre, &cloud, 101, None)?;
    let session = region.session(&interface, None, "192.168.10.0/24")?;
    let _router = region.router(&fibre, directlink_lab::customer::Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let nics = region.call(0, "ReadNics", serde_json::json!({}))?;
    let nic = crate::fixture::text(&nics["Nics"][0], "NicId");
    region.directlink("host", &["--nic", &nic, "--netns", &own.0[1]]).map(drop)
}

#[test]
fn a_lab_in_full_use_leaves_nothing() -> Result<()> {
    let region = Region::up()?;
    let own = Own::new(&region, &["cable", "host"])?;
    furnish(&region, &own)?;
    // A namespace that did not exist is made for the host, and goes with the lab.
    let second = region.cloud(1, "10.9.0.0/16")?;
    let nics = region.call(second.account, "ReadNics", serde_json::json!({}))?;
    let nic = crate::fixture::text(&nics["Nics"][0], "NicId");
    let made = format!("{}-made", own.0[1]);
    region.directlink("host", &["--nic", &nic, "--netns", &made])?;
    ensure!(directlink_lab::netns::exists(&made));

    region.directlink("down", &[])?;
    let left = left(&region.lab.name, &[&own.0[0], &own.0[1]])?;
    ensure!(left.is_empty(), "left behind: {left:#?}");
    ensure!(!directlink_lab::netns::exists(&made), "{made} is left behind");
    region.directlink("down", &[]).map(drop)
}

#[test]
fn a_lab_whose_processes_were_killed_leaves_nothing() -> Result<()> {
    let region = Region::up()?;
    let own = Own::new(&region, &["cable", "host"])?;
    furnish(&region, &own)?;
    for process in process::list(&region.lab.name)? {
        run(&["kill", "-9", &process.pid.to_string()])?;
    }
    region.directlink("down", &[])?;
    let left = left(&region.lab.name, &[&own.0[0], &own.0[1]])?;
    ensure!(left.is_empty(), "left behind: {left:#?}");
    Ok(())
}

#[test]
fn a_lab_that_was_killed_half_made_or_lost_its_directory_leaves_nothing() -> Result<()> {
    let around = tempfile::tempdir()?;
    let dir = around.path().join("lab");
    let name = LabName::of(&dir)?;
    for (milliseconds, lose) in [(50, false), (300, false), (900, true), (1500, false)] {
        half_made(&dir, milliseconds)?;
        if lose {
            // As far as it goes: BPF pins are on a mount of their own.
            let _ = std::fs::remove_dir_all(&dir);
        }
        directlink_in(&dir, "down", &[])?;
        let left = left(&name, &[])?;
        ensure!(left.is_empty(), "killed after {milliseconds} ms, left behind: {left:#?}");
    }
    // What was left half-made does not stand in the way of a new one either.
    half_made(&dir, 600)?;
    directlink_in(&dir, "up", &[])?;
    directlink_in(&dir, "down", &[])?;
    ensure!(left(&name, &[])?.is_empty());
    Ok(())
}

/// `lab up`, killed with its own process group after a while.
fn half_made(dir: &Path, milliseconds: u32) -> Result<()> {
    let seconds = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let dir = dir.to_str().unwrap_or_default();
    let up = [env!("CARGO_BIN_EXE_directlink"), "lab", "up", "--state", dir];
    let killed = [&["timeout", "--signal=KILL", &seconds][..], &up].concat();
    match run(&killed) {
        Ok(_) | Err(_) => Ok(()),
    }
}
