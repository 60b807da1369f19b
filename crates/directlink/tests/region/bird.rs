//! A BIRD with a configuration of the test's own, where the lab's customer routers are too simple.

use crate::fixture::{BGP_SOON, run};
use anyhow::{Context as _, Result};
use directlink_lab::{clock, netns};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

/// One that runs in a namespace, until this is dropped.
pub(crate) struct Bird {
    process: Child,
    control: PathBuf,
}

impl Bird {
    /// Its files are `DIR/NAME.*`.
    pub(crate) fn start(dir: &Path, name: &str, netns: &str, config: &str) -> Result<Self> {
        netns::within(netns, || {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("a router forwards")
        })?;
        let file = |end: &str| dir.join(format!("{name}.{end}"));
        fs::write(file("conf"), config)?;
        let process = Command::new("ip")
            .args(["netns", "exec", netns, "/usr/sbin/bird", "-f", "-c"])
            .arg(file("conf"))
            .arg("-s")
            .arg(file("ctl"))
            .stderr(fs::File::create(file("log"))?)
            .spawn()
            .context("bird")?;
        Ok(Self { process, control: file("ctl") })
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Result<String> {
        let socket = self.control.to_str().context("a path")?;
        run(&[&["birdc", "-s", socket], words].concat())
    }

    /// Waits until so many of its BGP sessions are up.
    pub(crate) fn await_sessions(&self, count: usize) -> Result<()> {
        clock::until("the customer router's sessions", BGP_SOON, || {
            // Its socket comes a moment after the process.
            let said = self.ask(&["show", "protocols"]).unwrap_or_default();
            let up = said.lines().filter(|line| line.contains("Established")).count();
            Ok((up == count).then_some(()))
        })
    }

    /// Waits until so many of its BFD sessions are up and wait this long for a packet.
    pub(crate) fn await_bfd(&self, count: usize, timeout: &str) -> Result<()> {
        clock::until("the customer router's BFD", BGP_SOON, || {
            let said = self.ask(&["show", "bfd", "sessions"])?;
            let is_up = |line: &&str| {
                let words: Vec<_> = line.split_whitespace().collect();
                words.contains(&"Up") && words.last() == Some(&timeout)
            };
            Ok((said.lines().filter(is_up).count() == count).then_some(()))
        })
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
