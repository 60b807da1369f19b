//! The customer's router: a real daemon, configured by file and asked by its own command.

use crate::place::{CUSTOMER, CUSTOMER_ASN, Place, ROUTER, ROUTER_ASN};
use directlink_net::{BgpKey, IpNet};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Bird,
    Frr,
    Gobgp,
}

pub(crate) struct Customer {
    brand: Brand,
    netns: String,
    dir: PathBuf,
    daemon: Child,
    /// What the daemon needs beside it: FRR's BFD is another, and finds its links by a third.
    helpers: Vec<Child>,
}

/// What is announced and good, the second with the community of a high preference. A host route,
/// which is not good, comes with them.
pub(crate) const ANNOUNCED: [&str; 2] = ["192.168.0.0/16", "192.168.7.0/24"];
const REFUSED: &str = "192.168.9.1/32";
const HIGH: &str = "7224:7300";

impl Customer {
    pub(crate) fn start(place: &Place, brand: Brand, key: Option<&BgpKey>) -> Self {
        Self::start_with(place, brand, key, "")
    }

    /// With a line more in the session's configuration.
    pub(crate) fn start_with(
        place: &Place,
        brand: Brand,
        key: Option<&BgpKey>,
        more: &str,
    ) -> Self {
        let (netns, dir) = (place.customer(), place.dir.path().to_owned());
        let config = dir.join("config");
        fs::write(&config, brand.config(key.map(BgpKey::expose), more)).unwrap();
        let helpers = match brand {
            Brand::Frr if more.contains("bfd") => frr_helpers(&netns, &dir),
            Brand::Bird | Brand::Frr | Brand::Gobgp => vec![],
        };
        let daemon = start(&netns, &dir, "log", &brand.command(&dir, &config, !helpers.is_empty()));
        let mut customer = Self { brand, netns, dir, daemon, helpers };
        customer.wait_for_socket();
        if brand == Brand::Gobgp {
            let [plain, preferred] = ANNOUNCED;
            for route in [plain, &format!("{preferred} community {HIGH}"), REFUSED] {
                customer.ask(&format!("global rib add {route}"));
            }
        }
        customer
    }

    /// What it has from us, in order.
    pub(crate) fn learned(&self) -> Vec<IpNet> {
        let mut prefixes = match self.brand {
            Brand::Bird => {
                let text = self.ask("show route protocol directlink");
                text.lines().filter_map(|l| l.split_whitespace().next()?.parse().ok()).collect()
            }
            Brand::Frr => {
                let text =
                    self.ask(&format!("show bgp ipv4 unicast neighbors {ROUTER} routes json"));
                let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                let routes = json["routes"].as_object().into_iter().flatten();
                routes.filter_map(|(prefix, _)| prefix.parse().ok()).collect()
            }
            Brand::Gobgp => {
                let text = self.ask(&format!("neighbor {ROUTER} adj-in"));
                text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()
            }
        };
        prefixes.sort_unstable();
        prefixes
    }

    /// Asks us for our table again; false if the daemon never does: GoBGP's `softresetin` looks at
    /// what it has.
    pub(crate) fn asks_for_refresh(&self) -> bool {
        let question = match self.brand {
            Brand::Bird => "reload in directlink".to_owned(),
            Brand::Frr => format!("clear bgp {ROUTER} soft in"),
            Brand::Gobgp => return false,
        };
        self.ask(&question);
        true
    }

    /// How many routes, or messages with some, it has taken from us.
    pub(crate) fn updates_received(&self) -> u64 {
        let json = |question: &str| {
            serde_json::from_str::<Value>(&self.ask(question)).unwrap_or(Value::Null)
        };
        let count = match self.brand {
            Brand::Bird => {
                let table = self.table();
                let line = table.lines().find_map(|line| line.trim().strip_prefix("Import updates:"));
                line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            }
            Brand::Frr => json(&format!("show bgp neighbors {ROUTER} json"))[ROUTER]
                ["messageStats"]["updatesRecv"]
                .as_u64(),
            Brand::Gobgp => None,
        };
        count.unwrap_or_else(|| panic!("{:?} does not count", self.brand))
    }

    /// All that BIRD says of the session.
    pub(crate) fn table(&self) -> String {
        self.ask("show protocols all directlink")
    }

    /// It stops as a router does that hangs: its kernel still has its connections.
    pub(crate) fn hang(&self) -> Instant {
        self.signal(Signal::SIGSTOP);
        Instant::now()
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        for daemon in self.helpers.iter().chain([&self.daemon]) {
            kill(Pid::from_raw(daemon.id().cast_signed()), signal).unwrap();
        }
    }

    pub(crate) fn ask(&self, question: &str) -> String {
        let dir = self.dir.display();
        let output = match self.brand {
            Brand::Bird => Command::new("birdc")
                .args(["-s", &format!("{dir}/bird.ctl")])
                .args(question.split(' '))
                .output(),
            Brand::Frr => Command::new("vtysh")
                .args(["--vty_socket", &dir.to_string(), "-c", question])
                .output(),
            Brand::Gobgp => Command::new("ip")
                .args(["netns", "exec", &self.netns, "gobgp"])
                .args(question.split(' '))
                .output(),
        };
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    fn wait_for_socket(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let answers = |customer: &Self| match customer.brand {
            Brand::Bird => customer.table().contains("directlink"),
            Brand::Frr => customer.ask("show bgp summary json").contains("peers"),
            Brand::Gobgp => customer.ask("neighbor").contains(ROUTER),
        };
        while !answers(self) {
            let log = fs::read_to_string(self.dir.join("log")).unwrap();
            assert!(self.daemon.try_wait().unwrap().is_none(), "{:?} ended: {log}", self.brand);
            assert!(Instant::now() < deadline, "{:?} does not answer: {log}", self.brand);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        // `ip netns exec` has become the daemon: this is its process.
        for daemon in self.helpers.iter_mut().chain([&mut self.daemon]) {
            drop(daemon.kill());
            drop(daemon.wait());
        }
    }
}

impl Brand {
    /// As it says itself.
    pub(crate) fn version(self) -> String {
        let (program, argument) = match self {
            Self::Bird => ("/usr/sbin/bird", "--version"),
            Self::Frr => ("/usr/lib/frr/bgpd", "--version"),
            Self::Gobgp => ("/usr/bin/gobgpd", "--version"),
        };
        let output = Command::new(program).arg(argument).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
    }

    fn command(self, dir: &Path, config: &Path, with_zebra: bool) -> String {
        let (dir, config) = (dir.display(), config.display());
        match self {
            Self::Bird => format!("/usr/sbin/bird -f -c {config} -s {dir}/bird.ctl"),
            Self::Frr => format!(
                "/usr/lib/frr/bgpd -f {config} -i {dir}/bgpd.pid -z {dir}/zserv.api --vty_socket {dir} \
                 -P 0 -l {CUSTOMER} -S {} --log stdout",
                if with_zebra { "" } else { "-Z" }
            ),
            Self::Gobgp => format!("/usr/bin/gobgpd -f {config} --api-hosts 127.0.0.1:50051"),
        }
    }

    fn config(self, key: Option<&str>, more: &str) -> String {
        match self {
            Self::Bird => bird(key, more),
            Self::Frr => frr(key, more),
            Self::Gobgp => gobgp(key),
        }
    }
}

fn bird(key: Option<&str>, more: &str) -> String {
    let password = key.map(|key| format!("password \"{key}\";")).unwrap_or_default();
    let (preferred, community) = (ANNOUNCED[1], HIGH.replace(':', ", "));
    let statics: String = ANNOUNCED
        .into_iter()
        .chain([REFUSED])
        .map(|prefix| format!("route {prefix} unreachable;\n"))
        .collect();
    format!(
        "router id {CUSTOMER};
         log stderr all;
         protocol device {{ scan time 1; }}
         protocol bfd {{ interface \"v0\" {{ interval 300 ms; multiplier 3; }}; }}
         protocol static {{ ipv4; {statics} }}
         protocol bgp directlink {{
           local {CUSTOMER} as {CUSTOMER_ASN};
           neighbor {ROUTER} as {ROUTER_ASN};
           {password} {more}
           hold time 9;
           connect delay time 1;
           connect retry time 2;
           error wait time 1, 4;
           ipv4 {{ import all; export filter {{
             if source != RTS_STATIC then reject;
             if net = {preferred} then bgp_community.add(({community}));
             accept;
           }}; }};
         }}\n"
    )
}

/// A program of the customer's, in its namespace.
fn start(netns: &str, dir: &Path, log: &str, line: &str) -> Child {
    let log = File::create(dir.join(log)).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", netns]).args(line.split_whitespace());
    // `ip` becomes the program: this is its process.
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// They give up root and write here.
fn frr_helpers(netns: &str, dir: &Path) -> Vec<Child> {
    fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
    let shown = dir.display();
    let helper = |name: &str, more: &str, made: &str| {
        let config = dir.join(format!("{name}.conf"));
        File::create(&config).unwrap();
        let line = format!(
            "/usr/lib/frr/{name} -f {} -z {shown}/zserv.api -i {shown}/{name}.pid \
             --vty_socket {shown} -P 0 {more} --log stdout",
            config.display()
        );
        let child = start(netns, dir, &format!("{name}.log"), &line);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !dir.join(made).exists() {
            let log = || fs::read_to_string(dir.join(format!("{name}.log"))).unwrap();
            assert!(Instant::now() < deadline, "{name} does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    };
    let zebra = helper("zebra", "", "zserv.api");
    vec![zebra, helper("bfdd", &format!("--bfdctl {shown}/bfdd.ctl"), "bfdd.vty")]
}

fn frr(key: Option<&str>, more: &str) -> String {
    let password =
        key.map(|key| format!(" neighbor {ROUTER} password {key}\n")).unwrap_or_default();
    let networks: String = ANNOUNCED
        .into_iter()
        .chain([REFUSED])
        .map(|prefix| {
            let preferred = if prefix == ANNOUNCED[1] { " route-map high" } else { "" };
            format!("  network {prefix}{preferred}\n")
        })
        .collect();
    format!(
        "router bgp {CUSTOMER_ASN}
 bgp router-id {CUSTOMER}
 no bgp network import-check
 no bgp ebgp-requires-policy
 neighbor {ROUTER} remote-as {ROUTER_ASN}
 neighbor {ROUTER} timers 3 9
 neighbor {ROUTER} timers connect 1
 {more}
{password} address-family ipv4 unicast
{networks} exit-address-family
route-map high permit 10
 set community {HIGH}
"
    )
}

fn gobgp(key: Option<&str>) -> String {
    let password = key.map(|key| format!("auth-password = {key:?}")).unwrap_or_default();
    format!(
        "[global.config]
as = {CUSTOMER_ASN}
router-id = \"{CUSTOMER}\"
local-address-list = [\"{CUSTOMER}\"]
[[neighbors]]
[neighbors.config]
neighbor-address = \"{ROUTER}\"
peer-as = {ROUTER_ASN}
{password}
[neighbors.timers.config]
connect-retry = 1
hold-time = 9
keepalive-interval = 3
idle-hold-time-after-reset = 1
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = \"ipv4-unicast\"
"
    )
}
