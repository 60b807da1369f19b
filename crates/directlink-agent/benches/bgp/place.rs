//! Namespaces and links, gone when dropped.

use nix::sched::{CloneFlags, setns};
use std::{fs::File, io::Write as _, process::Command, process::Stdio};

/// Network namespaces whose names begin alike.
pub(crate) struct Place {
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(what: &str) -> Self {
        let place = Self { name: format!("dlbb{}{what}", std::process::id()) };
        for end in ENDS {
            run(&format!("ip netns add {}", place.netns(end)));
        }
        place
    }

    /// `r`: router, `c`: customers, `h`: host.
    pub(crate) fn netns(&self, end: &str) -> String {
        format!("{}-{end}", self.name)
    }

    /// Commands of ip, all at once.
    pub(crate) fn ip(&self, end: &str, commands: &str) {
        let mut ip = Command::new("ip")
            .args(["-n", &self.netns(end), "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        ip.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success(), "ip: {commands:.200}");
    }

    pub(crate) fn within<T: Send + 'static>(
        &self,
        end: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let netns = self.netns(end);
        let body = move || {
            enter(&netns);
            work()
        };
        std::thread::spawn(body).join().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for end in ENDS {
            let _ = Command::new("ip").args(["netns", "del", &self.netns(end)]).status();
        }
    }
}

const ENDS: [&str; 3] = ["r", "c", "h"];

/// For the calling thread.
pub(crate) fn enter(netns: &str) {
    let file = File::open(format!("/run/netns/{netns}")).unwrap();
    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
}

pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
