//! The customer's router: a real daemon, configured by file and asked by its own command.

use crate::place::{CUSTOMER, CUSTOMER_ASN, Place, ROUTER, ROUTER_ASN};
use directlink_net::{BgpKey, IpNet};
use serde_json::Value;
use std::{
    fs::{self, File},
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
}

/// What is announced and good. A host route, which is not, comes with it.
pub(crate) const ANNOUNCED: [&str; 2] = ["192.168.0.0/16", "192.168.7.0/24"];
const REFUSED: &str = "192.168.9.1/32";

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
        let log = File::create(dir.join("log")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &netns]).args(brand.command(&dir, &config));
        let daemon = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut customer = Self { brand, netns, dir, daemon };
        customer.wait_for_socket();
        if brand == Brand::Gobgp {
            for prefix in ANNOUNCED.into_iter().chain([REFUSED]) {
                customer.ask(&format!("global rib add {prefix}"));
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

    /// All that BIRD says of the session.
    pub(crate) fn table(&self) -> String {
        self.ask("show protocols all directlink")
    }

    fn ask(&self, question: &str) -> String {
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
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

impl Brand {
    fn command(self, dir: &Path, config: &Path) -> Vec<String> {
        let (dir, config) = (dir.display(), config.display());
        let line = match self {
            Self::Bird => format!("/usr/sbin/bird -f -c {config} -s {dir}/bird.ctl"),
            Self::Frr => format!(
                "/usr/lib/frr/bgpd -f {config} -i {dir}/bgpd.pid -z {dir}/none --vty_socket {dir} \
                 -P 0 -l {CUSTOMER} -S -Z --log stdout"
            ),
            Self::Gobgp => format!("/usr/bin/gobgpd -f {config} --api-hosts 127.0.0.1:50051"),
        };
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn config(self, key: Option<&str>, more: &str) -> String {
        match self {
            Self::Bird => bird(key, more),
            Self::Frr => frr(key),
            Self::Gobgp => gobgp(key),
        }
    }
}

fn bird(key: Option<&str>, more: &str) -> String {
    let password = key.map(|key| format!("password \"{key}\";")).unwrap_or_default();
    let statics: String = ANNOUNCED
        .into_iter()
        .chain([REFUSED])
        .map(|prefix| format!("route {prefix} unreachable;\n"))
        .collect();
    format!(
        "router id {CUSTOMER};
         log stderr all;
         protocol device {{ scan time 1; }}
         protocol static {{ ipv4; {statics} }}
         protocol bgp directlink {{
           local {CUSTOMER} as {CUSTOMER_ASN};
           neighbor {ROUTER} as {ROUTER_ASN};
           {password} {more}
           hold time 9;
           connect delay time 1;
           connect retry time 2;
           error wait time 1, 4;
           ipv4 {{ import all; export where source = RTS_STATIC; }};
         }}\n"
    )
}

fn frr(key: Option<&str>) -> String {
    let password =
        key.map(|key| format!(" neighbor {ROUTER} password {key}\n")).unwrap_or_default();
    let networks: String = ANNOUNCED
        .into_iter()
        .chain([REFUSED])
        .map(|prefix| format!("  network {prefix}\n"))
        .collect();
    format!(
        "router bgp {CUSTOMER_ASN}
 bgp router-id {CUSTOMER}
 no bgp network import-check
 no bgp ebgp-requires-policy
 neighbor {ROUTER} remote-as {ROUTER_ASN}
 neighbor {ROUTER} timers 3 9
 neighbor {ROUTER} timers connect 1
{password} address-family ipv4 unicast
{networks} exit-address-family
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
