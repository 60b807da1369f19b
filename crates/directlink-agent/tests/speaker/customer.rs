//! The customer's router: a real daemon, configured by file and asked by its own command.

mod config;

use crate::place::{CUSTOMER, Ends, Place, V4, V6};
use directlink_net::{BgpKey, IpNet};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::Write as _,
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
    Exabgp,
}

/// How a customer's session is to be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    pub(crate) key: Option<&'a BgpKey>,
    /// A line more in the session's configuration.
    pub(crate) more: &'a str,
    pub(crate) is_ipv6: bool,
    /// It was here before, and says so: R and F bit of RFC 4724.
    pub(crate) is_back: bool,
}

pub(crate) struct Customer {
    brand: Brand,
    is_ipv6: bool,
    netns: String,
    dir: PathBuf,
    daemon: Child,
    /// What the daemon needs beside it: FRR's BFD is another, and finds its links by a third.
    helpers: Vec<Child>,
}

/// What is announced and good, the second with the community of a high preference. A prefix too
/// long, which is not good, comes with them.
pub(crate) struct Announced {
    pub(crate) good: [&'static str; 2],
    pub(crate) refused: &'static str,
}

pub(crate) const ANNOUNCED: [&str; 2] = IPV4.good;
const IPV4: Announced =
    Announced { good: ["192.168.0.0/16", "192.168.7.0/24"], refused: "192.168.9.1/32" };
const IPV6: Announced =
    Announced { good: ["2001:db8:9::/48", "2001:db8:9:7::/64"], refused: "2001:db8:9::1/128" };
const HIGH: &str = "7224:7300";

impl Wish<'_> {
    fn ends(&self) -> Ends {
        if self.is_ipv6 { V6 } else { V4 }
    }

    pub(crate) fn announced(&self) -> Announced {
        if self.is_ipv6 { IPV6 } else { IPV4 }
    }

    fn channel(&self) -> &'static str {
        if self.is_ipv6 { "ipv6" } else { "ipv4" }
    }
}

impl Customer {
    pub(crate) fn start(place: &Place, brand: Brand, key: Option<&BgpKey>) -> Self {
        Self::start_as(place, brand, Wish { key, ..Wish::default() })
    }

    /// With a line more in the session's configuration.
    pub(crate) fn start_with(place: &Place, brand: Brand, more: &str) -> Self {
        Self::start_as(place, brand, Wish { more, ..Wish::default() })
    }

    pub(crate) fn start_as(place: &Place, brand: Brand, wish: Wish<'_>) -> Self {
        let (netns, dir) = (place.customer(), place.dir.path().to_owned());
        let config = dir.join("config");
        fs::write(&config, config::config(brand, &wish, &dir)).unwrap();
        let helpers = match brand {
            // To IPv6 it needs to know its links.
            Brand::Frr if wish.more.contains("bfd") || wish.is_ipv6 => frr_helpers(&netns, &dir),
            Brand::Exabgp => {
                fs::write(dir.join("watch"), config::exabgp_watch(&dir)).unwrap();
                for file in ["commands", "seen"] {
                    File::create(dir.join(file)).unwrap();
                }
                vec![]
            }
            Brand::Bird | Brand::Frr | Brand::Gobgp => vec![],
        };
        let mut command = brand.command(&dir, &config, !helpers.is_empty());
        if wish.is_back {
            command += brand.recovery();
        }
        let daemon = start(&netns, &dir, "log", &command);
        let mut customer = Self { brand, is_ipv6: wish.is_ipv6, netns, dir, daemon, helpers };
        customer.wait_for_socket();
        if brand == Brand::Gobgp {
            let Announced { good: [plain, preferred], refused } = wish.announced();
            for route in [plain, &format!("{preferred} community {HIGH}"), refused] {
                customer.ask(&format!("global rib -a {} add {route}", wish.channel()));
            }
        }
        customer
    }

    fn wish(&self) -> Wish<'static> {
        Wish { is_ipv6: self.is_ipv6, ..Wish::default() }
    }

    /// What it has from us, in order.
    pub(crate) fn learned(&self) -> Vec<IpNet> {
        let (Ends { router, .. }, channel) = (self.wish().ends(), self.wish().channel());
        let mut prefixes = match self.brand {
            Brand::Bird => {
                let text = self.ask("show route protocol directlink");
                text.lines().filter_map(|l| l.split_whitespace().next()?.parse().ok()).collect()
            }
            Brand::Frr => {
                let question = format!("show bgp {channel} unicast neighbors {router} routes json");
                let json: Value = serde_json::from_str(&self.ask(&question)).unwrap_or(Value::Null);
                let routes = json["routes"].as_object().into_iter().flatten();
                routes.filter_map(|(prefix, _)| prefix.parse().ok()).collect()
            }
            Brand::Gobgp => {
                let text = self.ask(&format!("neighbor {router} adj-in -a {channel}"));
                text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()
            }
            Brand::Exabgp => exabgp_table(&self.seen()),
        };
        prefixes.sort_unstable();
        prefixes
    }

    /// Asks us for our table again; false if the daemon never does: GoBGP's `softresetin` looks at
    /// what it has.
    pub(crate) fn asks_for_refresh(&self) -> bool {
        let Ends { router, .. } = self.wish().ends();
        let question = match self.brand {
            Brand::Bird => "reload in directlink".to_owned(),
            Brand::Frr => format!("clear bgp {router} soft in"),
            Brand::Gobgp => return false,
            Brand::Exabgp => format!("announce route-refresh {} unicast", self.wish().channel()),
        };
        self.ask(&question);
        true
    }

    /// How many routes, or messages with some, it has taken from us.
    pub(crate) fn updates_received(&self) -> u64 {
        let Ends { router, .. } = self.wish().ends();
        let json = |question: &str| {
            serde_json::from_str::<Value>(&self.ask(question)).unwrap_or(Value::Null)
        };
        let count = match self.brand {
            Brand::Bird => {
                let table = self.table();
                let line = table.lines().find_map(|line| line.trim().strip_prefix("Import updates:"));
                line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            }
            Brand::Frr => json(&format!("show bgp neighbors {router} json"))[router]["messageStats"]
                ["updatesRecv"]
                .as_u64(),
            Brand::Gobgp => None,
            Brand::Exabgp => {
                let seen = self.seen();
                let updates = seen.iter().filter(|line| !line["neighbor"]["message"]["update"].is_null());
                u64::try_from(updates.count()).ok()
            }
        };
        count.unwrap_or_else(|| panic!("{:?} does not count", self.brand))
    }

    /// All that ExaBGP told.
    fn seen(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.join("seen")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
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
            Brand::Exabgp => {
                let mut commands = File::options().append(true).open(self.dir.join("commands"));
                writeln!(commands.as_mut().unwrap(), "{question}").unwrap();
                return String::new();
            }
        };
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    fn wait_for_socket(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let log = |customer: &Self| fs::read_to_string(customer.dir.join("log")).unwrap();
        let answers = |customer: &Self| match customer.brand {
            Brand::Bird => customer.table().contains("directlink"),
            Brand::Frr => customer.ask("show bgp summary json").contains("peers"),
            Brand::Gobgp => customer.ask("neighbor").contains(customer.wish().ends().router),
            // It says so of each neighbour as it reads them, or once it is there.
            Brand::Exabgp => log(customer).contains("loaded new configuration successfully"),
        };
        while !answers(self) {
            let log = log(self);
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
            Self::Exabgp => ("/usr/sbin/exabgp", "--version"),
        };
        let output = Command::new(program).arg(argument).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
    }

    /// FRR and ExaBGP say by themselves that they are back.
    const fn recovery(self) -> &'static str {
        match self {
            Self::Bird => " -R",
            Self::Gobgp => " --graceful-restart",
            Self::Frr | Self::Exabgp => "",
        }
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
            Self::Exabgp => format!(
                "env exabgp.daemon.user=root exabgp.api.cli=false exabgp.api.ack=false \
                 exabgp.log.destination=stdout /usr/sbin/exabgp {config}"
            ),
        }
    }
}

/// What is left of all that was announced and withdrawn, on the last session.
fn exabgp_table(seen: &[Value]) -> Vec<IpNet> {
    let mut table = BTreeSet::new();
    for line in seen {
        if line["neighbor"]["state"] == "down" {
            table.clear();
        }
        let update = &line["neighbor"]["message"]["update"];
        let families = update["withdraw"].as_object().into_iter().flatten();
        for prefix in families.flat_map(|(_, prefixes)| nlri(prefixes)) {
            table.remove(&prefix);
        }
        let families = update["announce"].as_object().into_iter().flatten();
        let next_hops = families.flat_map(|(_, next_hops)| next_hops.as_object()).flatten();
        table.extend(next_hops.flat_map(|(_, prefixes)| nlri(prefixes)));
    }
    table.into_iter().collect()
}

fn nlri(prefixes: &Value) -> Vec<IpNet> {
    let prefixes = prefixes.as_array().into_iter().flatten();
    prefixes.filter_map(|prefix| prefix["nlri"].as_str()?.parse().ok()).collect()
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
