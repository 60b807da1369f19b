//! The table of faults: what is wrong on either side, and the rung that must say so.

use super::{
    Place,
    customer::{OFF, Side, Speaker, birdc},
};
use crate::fixture::{Fibre, Region, run};
use anyhow::Result;
use directlink_lab::netns;
use serde_json::json;
use std::process::{Command, Stdio};

pub(super) type Deed = fn(&Region, &Fibre, &Place) -> Result<()>;

pub(super) struct Row {
    pub(super) name: &'static str,
    /// Empty: there is no fault.
    pub(super) step: &'static str,
    /// In the evidence.
    pub(super) says: &'static str,
    /// The interface's.
    pub(super) key: Option<&'static str>,
    pub(super) side: Side,
    pub(super) behind: Behind,
    /// Done once everything runs.
    pub(super) then: Option<Deed>,
    /// Done again at each look.
    pub(super) keep_on: Option<Deed>,
}

/// What is done in the account.
#[derive(Clone, Copy)]
pub(super) struct Behind {
    pub(super) subnet: bool,
    pub(super) attached: bool,
    pub(super) propagation: bool,
    pub(super) rule: Option<(&'static str, &'static str)>,
}

/// Stands for the range of the row's own Net.
pub(super) const OWN_RANGE: &str = "own";
/// None of them may ever be shown.
pub(super) const KEYS: [&str; 2] = ["r1ghtKey", "wr0ngKey"];
const ADMITS: Behind = Behind {
    subnet: true,
    attached: true,
    propagation: true,
    rule: Some(("Inbound", "192.168.0.0/16")),
};

fn row(name: &'static str, step: &'static str, says: &'static str, side: Side) -> Row {
    Row { name, step, says, key: None, side, behind: ADMITS, then: None, keep_on: None }
}

impl Row {
    fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    fn behind(self, behind: Behind) -> Self {
        Self { behind, ..self }
    }

    fn then(self, then: Deed) -> Self {
        Self { then: Some(then), ..self }
    }

    fn keep_on(self, keep_on: Deed) -> Self {
        Self { keep_on: Some(keep_on), ..self }
    }
}

fn bird() -> Side {
    Side::default()
}

fn frr() -> Side {
    Side { speaker: Speaker::Frr, ..bird() }
}

fn nobody() -> Side {
    Side { speaker: Speaker::Nobody, ..bird() }
}

fn announcing(prefixes: &[&str]) -> Side {
    Side { announced: prefixes.iter().map(|it| (*it).to_owned()).collect(), ..bird() }
}

pub(super) fn rows() -> Vec<Row> {
    let mut all = vec![
        row("healthy (BIRD)", "", "", bird()),
        row("healthy, with a key (FRR)", "", "", Side { key: Some(KEYS[0]), ..frr() }).key(KEYS[0]),
    ];
    all.extend(on_the_wire());
    all.extend(of_tcp());
    all.extend(of_bgp());
    all.extend(of_prefixes());
    all.extend(of_the_net());
    all
}

fn on_the_wire() -> Vec<Row> {
    vec![
        row(
            "another VLAN tag",
            "tag",
            "what arrives: tag 1103",
            Side { tag_off: Some(OFF), ..bird() },
        ),
        row("VLAN not configured", "tag", "no frame with tag", Side { tag_off: None, ..bird() }),
        row("VLAN interface shut", "tag", "no frame with tag", nobody())
            .then(|_, fibre, place| ip(fibre, &format!("link set {} down", place.side.device))),
        row("another peer address", "arp", "nobody answers for", Side { host: 3, ..bird() }),
        row("no peer address", "arp", "nobody answers for", nobody())
            .then(|_, fibre, place| {
                let Side { address, device, .. } = &place.side;
                ip(fibre, &format!("address del {address} dev {device}"))
            })
            .keep_on(|_, fibre, place| {
                ping(&fibre.netns, &["-W", "0.1", &format!("ff02::1%{}", place.side.device)])
            }),
        row("peer address twice", "duplicate-address", " and ", bird())
            .then(|_, fibre, place| twin(fibre, place, &place.side.address)),
        row("router's address taken", "duplicate-address", "which is our router", nobody())
            .then(|_, fibre, place| twin(fibre, place, &format!("{}/29", place.side.router)))
            .keep_on(|_, fibre, place| {
                let own = place.side.address.split('/').next().unwrap_or_default().to_owned();
                ping(&format!("{}-{}", fibre.netns, place.side.device), &["-W", "0.1", &own])
            }),
    ]
}

fn of_tcp() -> Vec<Row> {
    vec![
        row("BGP not started", "tcp", "refuses connections", nobody()),
        row("BGP filtered (drop)", "tcp", "filtered", bird())
            .then(|_, fibre, place| filter(fibre, place, "drop")),
        row("BGP filtered (reject)", "tcp", "", bird())
            .then(|_, fibre, place| filter(fibre, place, "reject with icmp type admin-prohibited")),
        row("another key (BIRD)", "md5", "another key", Side { key: Some(KEYS[1]), ..bird() })
            .key(KEYS[0]),
        row("another key (FRR)", "md5", "another key", Side { key: Some(KEYS[1]), ..frr() })
            .key(KEYS[0]),
        row("key missing at the customer", "md5", "bear no signature", bird()).key(KEYS[0]),
        row(
            "key missing at the interface",
            "md5",
            "has no key",
            Side { key: Some(KEYS[0]), ..bird() },
        ),
    ]
}

fn of_bgp() -> Vec<Row> {
    vec![
        row(
            "customer speaks as another AS",
            "open",
            "OPEN says AS 65099",
            Side { asn: 65099, ..bird() },
        ),
        row("the same (FRR)", "open", "OPEN says AS 65099", Side { asn: 65099, ..frr() }),
        row(
            "customer expects another AS",
            "open",
            "refuses our AS",
            Side { believes: Some(64999), ..bird() },
        ),
        row("the same (FRR)", "open", "refuses our AS", Side { believes: Some(64999), ..frr() }),
        row("hold time 0", "open", "hold time of 0 s", Side { more: "hold time 0;", ..bird() }),
        row(
            "customer wants a longer hold time",
            "open",
            "refuses our hold time",
            Side { more: "hold time 240; min hold time 200;", ..bird() },
        ),
        row(
            "neighbour at another address",
            "open",
            "",
            Side { neighbour_host: Some(4), more: "passive;", ..bird() },
        ),
        row("BGP process hangs", "session", "within the hold time", bird()).then(hang),
        row("session shut by the customer", "session", "shut the session", bird()).then(
            |region, _, place| {
                await_up(region, place)?;
                birdc(region, &place.side.device, &["disable", "directlink"])
            },
        ),
    ]
}

fn of_prefixes() -> Vec<Row> {
    let many: Vec<_> = (0..101).map(|n| format!("192.168.{n}.0/24")).collect();
    vec![
        row(
            "too many prefixes",
            "maximum-prefixes",
            "more than 100",
            Side { announced: many, ..bird() },
        ),
        row("nothing announced (BIRD)", "prefixes", "announces nothing", announcing(&[])),
        row(
            "nothing announced (FRR)",
            "prefixes",
            "announces nothing",
            Side { announced: vec![], ..frr() },
        ),
        row(
            "default route announced",
            "refused-prefixes",
            "0.0.0.0/0: a default route",
            announcing(&["0.0.0.0/0", "192.168.10.0/24"]),
        ),
        row(
            "martian announced",
            "refused-prefixes",
            "169.254.7.0/24",
            announcing(&["169.254.7.0/24"]),
        ),
        row(
            "prefix too long",
            "refused-prefixes",
            "192.168.10.4/30",
            announcing(&["192.168.10.4/30"]),
        ),
        row(
            "a host route announced",
            "refused-prefixes",
            "192.168.10.9/32",
            announcing(&["192.168.10.9/32"]),
        ),
        row("prefix too short", "refused-prefixes", "128.0.0.0/2", announcing(&["128.0.0.0/2"])),
    ]
}

fn of_the_net() -> Vec<Row> {
    let with = |change: fn(&mut Behind)| {
        let mut behind = ADMITS;
        change(&mut behind);
        behind
    };
    vec![
        row(
            "the Net's own range announced",
            "refused-prefixes",
            "range of the Net itself",
            announcing(&[OWN_RANGE]),
        ),
        row("gateway attached to no Net", "gateway", "attached to no Net", bird())
            .behind(with(|it| it.attached = false)),
        row("gateway detached later", "gateway", "attached to no Net", bird()).then(
            |region, _, place| {
                let words = json!({ "NetId": place.net, "VirtualGatewayId": place.gateway });
                region.call(0, "UnlinkVirtualGateway", words).map(drop)
            },
        ),
        row("no Subnet", "subnet", "has no Subnet", bird()).behind(with(|it| it.subnet = false)),
        row("propagation never on", "propagation", "no route table", bird())
            .behind(with(|it| it.propagation = false)),
        row("propagation turned off", "propagation", "no route table", bird()).then(
            |region, _, place| {
                let words = json!({
                    "Enable": false, "RouteTableId": place.table, "VirtualGatewayId": place.gateway,
                });
                region.call(0, "UpdateRoutePropagation", words).map(drop)
            },
        ),
        row("no security group rule", "security-group", "admits anything", bird())
            .behind(with(|it| it.rule = None)),
        row("a rule for another range", "security-group", "admits anything", bird())
            .behind(with(|it| it.rule = Some(("Inbound", "172.31.0.0/16")))),
        row("an outbound rule alone", "security-group", "admits anything", bird())
            .behind(with(|it| it.rule = Some(("Outbound", "192.168.0.0/16")))),
        row("MTU blackhole", "mtu", "none of 1500 bytes", bird())
            .then(|_, fibre, place| ip(fibre, &format!("link set {} mtu 1400", place.side.device))),
        row("source not announced", "return-route", "does not announce", bird())
            .then(|_, fibre, place| {
                ip(fibre, "address replace 192.168.77.1/32 dev lo")?;
                let net = place.side.router.to_string();
                ip(
                    fibre,
                    &format!("route replace 10.250.0.0/16 via {net} dev {}", place.side.device),
                )
            })
            .keep_on(|_, fibre, _| {
                ping(&fibre.netns, &["-W", "0.1", "-I", "192.168.77.1", "10.250.0.9"])
            }),
    ]
}

fn ip(fibre: &Fibre, words: &str) -> Result<()> {
    let words = words.split(' ');
    run(&["ip", "-n", &fibre.netns].into_iter().chain(words).collect::<Vec<_>>()).map(drop)
}

/// Echoes for two seconds, answered or not, beside what comes next.
fn ping(netns: &str, words: &[&str]) -> Result<()> {
    netns::within(netns, || {
        let mut ping = Command::new("setsid");
        ping.args(["--fork", "ping", "-c", "20", "-i", "0.1"]).args(words);
        ping.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(ping.status().map(drop)?)
    })
}

/// A second device in the VLAN, with an address that is taken.
fn twin(fibre: &Fibre, place: &Place, address: &str) -> Result<()> {
    let netns = format!("{}-{}", fibre.netns, place.side.device);
    run(&["ip", "netns", "add", &netns])?;
    let device = &place.side.device;
    ip(fibre, &format!("link add link {device} name twin netns {netns} type macvlan mode bridge"))?;
    run(&["ip", "-n", &netns, "address", "add", address, "dev", "twin"])?;
    run(&["ip", "-n", &netns, "link", "set", "twin", "up"]).map(drop)
}

fn filter(fibre: &Fibre, place: &Place, what: &str) -> Result<()> {
    let device = &place.side.device;
    let rules = format!(
        "table inet {device} {{\n chain in {{\n  type filter hook input priority 0;\n  iifname {device} tcp dport 179 {what}\n  iifname {device} tcp sport 179 {what}\n }}\n}}\n"
    );
    run(&["ip", "netns", "exec", &fibre.netns, "nft", &rules]).map(drop)
}

pub(super) fn await_up(region: &Region, place: &Place) -> Result<()> {
    let wanted = format!("{} to be available", place.interface);
    directlink_lab::clock::until(&wanted, crate::fixture::BGP_SOON, || {
        Ok((super::region_state(region, &place.interface)? == "available").then_some(()))
    })
}

/// Stops the process where it stands, once it has a session.
fn hang(region: &Region, _: &Fibre, place: &Place) -> Result<()> {
    await_up(region, place)?;
    let conf = format!("/{}.conf", place.side.device);
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if words.starts_with("/usr/sbin/bird")
            && words.contains(&conf)
            && words.contains(&region.dir.display().to_string())
        {
            run(&["kill", "-STOP", &pid.to_string()])?;
        }
    }
    Ok(())
}
