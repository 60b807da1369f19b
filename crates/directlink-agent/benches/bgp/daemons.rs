//! BIRD and FRR: a table of its own for each customer, all in one namespace, as neither can be in
//! many.

use super::{
    feed::{CUSTOMER_ASN, Customer, Feed, ROUTER_ASN, own, router},
    gauge::{Gauge, Sample},
    place::{Place, run},
};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    Bird,
    /// With each table exported to one of the kernel's: it forwards.
    BirdForwarding,
    Frr,
}

impl Daemon {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bird => "BIRD, its own tables only",
            Self::BirdForwarding => "BIRD, into kernel tables",
            Self::Frr => "FRR bgpd, its own tables only",
        }
    }

    pub(crate) fn measure(self, sessions: u16, prefixes: u32) -> Sample {
        let place = Place::new("d");
        let routers: String =
            (0..sessions).map(|n| format!("addr add {}/16 dev p0\n", router(n))).collect();
        let customers: String =
            (0..sessions).map(|n| format!("addr add {}/16 dev cable\n", own(n))).collect();
        let cable = format!("link add p0 type veth peer name cable netns {}\n", place.netns("c"));
        place.ip("r", &format!("{cable}{routers}link set lo up\nlink set p0 up\n"));
        place.ip("c", &format!("{customers}link set cable up\n"));
        let dir = TempDir::new().unwrap();
        let running = self.start(&place, &dir, sessions);
        let customers = (0..sessions)
            .map(|n| Customer { link: None, own: own(n), router: router(n) })
            .collect();
        let mut feed = Feed::establish(&place.netns("c"), customers, prefixes);
        let gauge = Gauge(running.0.id());
        gauge.until_quiet(Instant::now(), std::time::Duration::ZERO);
        let (began, used) = (Instant::now(), gauge.cpu());
        feed.go();
        let (wall, cpu) = gauge.until_quiet(began, used);
        let rss_mb = gauge.rss_mb();
        feed.check();
        self.check(&dir, sessions, u64::from(sessions) * u64::from(prefixes));
        drop(running);
        feed.end();
        eprintln!("  {}: {wall:.2?} {cpu:.2?} {rss_mb:.0} MB", self.name());
        Sample { wall, cpu, rss_mb }
    }

    fn start(self, place: &Place, dir: &TempDir, sessions: u16) -> Running {
        let config = dir.path().join("config");
        let text = match self {
            Self::Bird | Self::BirdForwarding => bird_config(self, sessions),
            Self::Frr => frr_config(sessions, &dir.path().join("errors")),
        };
        fs::write(&config, text).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &place.netns("r")]);
        match self {
            Self::Bird | Self::BirdForwarding => {
                command.args(["bird", "-f", "-c"]).arg(&config).arg("-s");
                command.arg(dir.path().join("control"));
            }
            Self::Frr => {
                // Its own user must reach its files.
                run(&format!("chmod -R 777 {}", dir.path().display()));
                command.args(["/usr/lib/frr/bgpd", "-Z", "-u", "frr", "-g", "frr", "-f"]);
                command.arg(&config).arg("-i").arg(dir.path().join("pid"));
                command.arg("--vty_socket").arg(dir.path());
            }
        }
        let output = fs::File::create(dir.path().join("log")).unwrap();
        let errors = output.try_clone().unwrap();
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        Running(command.spawn().unwrap())
    }

    /// After the measurement: did it take all?
    fn check(self, dir: &TempDir, sessions: u16, expected: u64) {
        if self == Self::Frr {
            let mut vtysh = Command::new("vtysh");
            vtysh.arg("--vty_socket").arg(dir.path()).args(["-c", "show bgp view v0 summary json"]);
            let said = String::from_utf8(vtysh.output().unwrap().stdout).unwrap();
            let wanted = format!("\"pfxRcd\":{}", expected / u64::from(sessions));
            assert!(said.contains(&wanted), "{said}");
            return;
        }
        let control = dir.path().join("control");
        let said = run(&format!("birdc -s {} show route table all count", control.display()));
        let total = said.lines().find_map(|line| line.strip_prefix("Total: "));
        let words = total.or_else(|| said.lines().last()).unwrap_or_default();
        let seen = words.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        assert_eq!(seen, Some(expected), "{said}");
    }
}

/// `ip netns exec` becomes the daemon: this is its process.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn bird_config(daemon: Daemon, sessions: u16) -> String {
    let mut config = String::from("router id 172.16.0.1;\nprotocol device { scan time 3600; }\n");
    for n in 0..sessions {
        let (router, own) = (router(n), own(n));
        write!(config, "ipv4 table t{n};\nprotocol bgp b{n} {{ local {router} as {ROUTER_ASN}; neighbor {own} as {CUSTOMER_ASN}; passive yes; hold time 90; ipv4 {{ table t{n}; import all; export none; }}; }}\n").unwrap();
        if daemon == Daemon::BirdForwarding {
            let table = 1000 + u32::from(n);
            writeln!(config, "protocol kernel k{n} {{ kernel table {table}; scan time 3600; ipv4 {{ table t{n}; import none; export all; }}; }}").unwrap();
        }
    }
    config
}

fn frr_config(sessions: u16, log: &Path) -> String {
    let mut config = format!("log file {} errors\n", log.display());
    for n in 0..sessions {
        let (router, own) = (router(n), own(n));
        write!(config, "router bgp {ROUTER_ASN} view v{n}\n bgp router-id {router}\n no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor {own} remote-as {CUSTOMER_ASN}\n neighbor {own} update-source {router}\n neighbor {own} passive\n neighbor {own} disable-connected-check\n exit\n").unwrap();
    }
    config
}
