//! The customer's router: BIRD in the customer's namespace.

use crate::bench::Bench;
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

pub(crate) struct Bird {
    control: PathBuf,
    log: PathBuf,
    daemon: Child,
}

const CONFIG: &str = "
router id 172.16.0.2;
log stderr all;
debug protocols { states, routes };
protocol device { scan time 1; }
protocol kernel { ipv4 { export where source = RTS_BGP; }; }
protocol static { ipv4; route 192.168.0.0/16 unreachable; route 192.168.9.1/32 unreachable; }
protocol bgp directlink {
  local 172.16.0.2 as 65001;
  neighbor 172.16.0.1 as 50624;
  password \"tgyn26example\";
  hold time 9;
  graceful restart aware;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 4;
  ipv4 { import all; export where source = RTS_STATIC; };
}
";

/// A session of IPv6 beside; a prefix that is taken, and one that is too long.
const CONFIG_IPV6: &str = "
protocol kernel { ipv6 { export where source = RTS_BGP; }; }
protocol static { ipv6; route 2001:db8:9::/48 unreachable; route 2001:db8:a:1:2::/80 unreachable; }
protocol bgp six {
  local fd01::2 as 65001;
  neighbor fd01::1 as 50624;
  password \"six26example\";
  hold time 9;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 4;
  ipv6 { import all; export where source = RTS_STATIC; };
}
";

impl Bird {
    pub(crate) fn start(bench: &Bench) -> Self {
        Self::start_with(bench, CONFIG)
    }

    /// One that speaks IPv6 too.
    pub(crate) fn start_with_ipv6(bench: &Bench) -> Self {
        Self::start_with(bench, &format!("{CONFIG}{CONFIG_IPV6}"))
    }

    fn start_with(bench: &Bench, text: &str) -> Self {
        let dir = bench.dir.path();
        let (config, control, log) =
            (dir.join("bird.conf"), dir.join("bird.ctl"), dir.join("bird.log"));
        fs::write(&config, text).unwrap();
        let output = File::create(&log).unwrap();
        let daemon = Command::new("ip")
            .args(["netns", "exec", &bench.netns("c"), "bird", "-f", "-c"])
            .arg(&config)
            .arg("-s")
            .arg(&control)
            .stderr(output)
            .spawn()
            .unwrap();
        let bird = Self { control, log, daemon };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !bird.ask("show status").contains("Daemon is up") {
            assert!(Instant::now() < deadline, "BIRD does not answer");
            std::thread::yield_now();
        }
        bird
    }

    pub(crate) fn log_of_session(&self) -> String {
        self.ask("show protocols all directlink")
    }

    /// What it learned of us by IPv6, and installed.
    pub(crate) fn ipv6_routes(&self) -> String {
        self.ask("show route protocol six")
    }

    /// Whether it removed a route of ours, ever.
    pub(crate) fn lost_our_routes(&self) -> bool {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().any(|line| line.contains("removed") && line.contains("10.1.0.0/16"))
    }

    fn ask(&self, question: &str) -> String {
        let mut command = Command::new("birdc");
        command.arg("-s").arg(&self.control).args(question.split(' '));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        // `ip netns exec` has become the daemon: this is its process.
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}
