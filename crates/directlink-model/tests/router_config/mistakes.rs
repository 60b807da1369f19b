//! Typical mistakes, one at a time, in a configuration that is right otherwise: each is found, alone
//! and where it stands.

use crate::full;
use directlink_model::router_config::{
    Aspect::{self, *},
    Software, Weight, check, configuration,
};

/// What went wrong, the text that should be there, what is there instead, what is found.
/// `~` begins a line as deep as the one that is changed.
type Mistake = (&'static str, &'static str, &'static str, &'static [Aspect]);

/// Cisco, Arista and FRR write a neighbour the same way.
#[rustfmt::skip]
const FLAT: &[Mistake] = &[
    ("remote AS", "remote-as 50624", "remote-as 50625", &[RemoteAsn]),
    ("remote AS is one's own", "remote-as 50624", "remote-as 65000", &[RemoteAsn]),
    ("local AS", "router bgp 65000", "router bgp 65001", &[LocalAsn]),
    ("hold time 0", "timers 10 30", "timers 0 0", &[HoldTime]),
    (
        "neighbour shut",
        "neighbor 172.16.0.1 timers",
        "neighbor 172.16.0.1 shutdown\n~neighbor 172.16.0.1 timers",
        &[NeighbourShutdown],
    ),
    ("family off", "neighbor 172.16.0.1 activate", "no neighbor 172.16.0.1 activate", &[Family]),
    (
        "no import policy",
        "neighbor 172.16.0.1 route-map DXVIF-1A2B3C4D-IN in\n",
        "\n",
        &[ImportPolicy],
    ),
    (
        "no export policy",
        "neighbor 172.16.0.1 route-map DXVIF-1A2B3C4D-OUT out\n",
        "\n",
        &[ExportPolicy],
    ),
    ("neighbour is oneself", "neighbor 172.16.0.1 ", "neighbor 172.16.0.2 ", &[NeighbourAddress]),
    (
        "neighbour of another subnet",
        "neighbor 172.16.0.1 ",
        "neighbor 172.16.0.5 ",
        &[NeighbourAddress],
    ),
    ("own prefix forgotten", "permit 10.20.0.0/24", "permit 10.21.0.0/24", &[Announcement]),
    ("own prefix denied", "permit 10.20.0.0/24", "deny 10.20.0.0/24", &[Announcement]),
];

/// IOS-XR and NX-OS have a block per neighbour.
#[rustfmt::skip]
const NESTED: &[Mistake] = &[
    ("remote AS", "remote-as 50624", "remote-as 50625", &[RemoteAsn]),
    ("local AS", "router bgp 65000", "router bgp 65001", &[LocalAsn]),
    ("hold time 0", "timers 10 30", "timers 0 0", &[HoldTime]),
    ("neighbour shut", "timers 10 30", "timers 10 30\n~shutdown", &[NeighbourShutdown]),
    (
        "neighbour of another subnet",
        "neighbor 172.16.0.1\n",
        "neighbor 172.16.0.9\n",
        &[NeighbourAddress],
    ),
    ("address swapped", "172.16.0.2", "172.16.0.1", &[Address]),
];

#[rustfmt::skip]
const IOS_XE: &[Mistake] = &[
    ("VLAN", "dot1Q 101", "dot1Q 102", &[Vlan]),
    ("no tag", " encapsulation dot1Q 101\n", "", &[Vlan]),
    ("address swapped", "address 172.16.0.2", "address 172.16.0.1", &[Address]),
    ("address of another subnet", "address 172.16.0.2", "address 172.16.0.6", &[Address]),
    ("mask", "255.255.255.252", "255.255.255.0", &[Mask]),
    ("IP MTU", "ip mtu 1500", "ip mtu 1496", &[Mtu]),
    (
        "port shut",
        " no ip address\n no shutdown",
        " no ip address\n shutdown",
        &[InterfaceShutdown],
    ),
    ("no key", " neighbor 172.16.0.1 password tgyn26example\n", "", &[Key]),
    ("another key", "password tgyn26example", "password tgyn26exampl", &[Key]),
    ("key hidden", "password tgyn26example", "password 7 05080F1C2243", &[Key]),
    ("no BFD", " neighbor 172.16.0.1 fall-over bfd\n", "", &[Bfd]),
    ("family not activated", "  neighbor 172.16.0.1 activate\n", "", &[Family]),
];

#[rustfmt::skip]
const EOS: &[Mistake] = &[
    ("VLAN", "dot1q vlan 101", "dot1q vlan 1010", &[Vlan]),
    ("address swapped", "address 172.16.0.2/30", "address 172.16.0.1/30", &[Address]),
    ("mask", "172.16.0.2/30", "172.16.0.2/29", &[Mask]),
    ("MTU counts the header", "mtu 1500", "mtu 1518", &[Mtu]),
    (
        "port shut",
        "no switchport\n   no shutdown",
        "no switchport\n   shutdown",
        &[InterfaceShutdown],
    ),
    ("no key", "   neighbor 172.16.0.1 password 0 tgyn26example\n", "", &[Key]),
    ("another key", "tgyn26example", "example", &[Key]),
    ("key hidden", "password 0 tgyn26example", "password 7 XrLkZ+Kq5jLAc0Ba", &[Key]),
    ("no BFD", "   neighbor 172.16.0.1 bfd\n", "", &[Bfd]),
    (
        "IPv4 off by default",
        "router bgp 65000\n   neighbor 172.16.0.1 remote-as 50624\n",
        "router bgp 65000\n   no bgp default ipv4-unicast\n   neighbor 172.16.0.1 remote-as 50624\n",
        &[],
    ),
];

#[rustfmt::skip]
const FRR: &[Mistake] = &[
    ("VLAN", "type vlan id 101", "type vlan id 110", &[Vlan]),
    ("address swapped", "address 172.16.0.2/30", "address 172.16.0.1/30", &[Address]),
    ("mask", "172.16.0.2/30", "172.16.0.2/24", &[Mask]),
    ("MTU", "mtu 1500 up", "mtu 1496 up", &[Mtu]),
    (
        "VLAN device down",
        "dev eth0.101 mtu 1500 up",
        "dev eth0.101 mtu 1500 down",
        &[InterfaceShutdown],
    ),
    ("no key", " neighbor 172.16.0.1 password tgyn26example\n", "", &[Key]),
    ("another key", "tgyn26example", "TGYN26example", &[Key]),
    (
        "no BFD",
        " neighbor 172.16.0.1 bfd\n neighbor 172.16.0.1 bfd profile dxvif-1a2b3c4d\n",
        "",
        &[Bfd],
    ),
    ("internal session", "remote-as 50624", "remote-as internal", &[RemoteAsn]),
];

#[rustfmt::skip]
const IOS_XR: &[Mistake] = &[
    ("sub-interface shut", "dot1q 101\n no shutdown", "dot1q 101\n shutdown", &[InterfaceShutdown]),
    ("VLAN", "dot1q 101", "dot1q 10", &[Vlan]),
    ("mask", "255.255.255.252", "255.255.255.254", &[Mask]),
    ("MTU without the tag", " mtu 1518\n ipv4 mtu 1500", " mtu 1514", &[Mtu]),
    ("port shut", "cross-connect\n no shutdown", "cross-connect\n shutdown", &[InterfaceShutdown]),
    ("no key", "  password clear tgyn26example\n", "", &[Key]),
    ("another key", "tgyn26example", "tgyn27example", &[Key]),
    ("key hidden", "password clear tgyn26example", "password encrypted 094F471A1A0A", &[Key]),
    ("no BFD", "  bfd fast-detect\n", "", &[Bfd]),
    ("BFD disabled", "bfd fast-detect", "bfd fast-detect disable", &[Bfd]),
    ("no import policy", "   route-policy DXVIF-1A2B3C4D-IN in\n", "", &[ImportPolicy]),
    ("no export policy", "   route-policy DXVIF-1A2B3C4D-OUT out\n", "", &[ExportPolicy]),
    ("own prefix forgotten", "  192.168.0.0/16,\n", "", &[Announcement]),
    (
        "no family",
        "  address-family ipv4 unicast\n   route-policy DXVIF-1A2B3C4D-IN in\n   maximum-prefix 100 80 restart 5\n   route-policy DXVIF-1A2B3C4D-OUT out\n   soft-reconfiguration inbound always\n",
        "",
        &[Family, ImportPolicy, ExportPolicy],
    ),
];

#[rustfmt::skip]
const NX_OS: &[Mistake] = &[
    ("sub-interface shut", "/30\n  no shutdown", "/30\n  shutdown", &[InterfaceShutdown]),
    ("VLAN", "dot1q 101", "dot1q 100", &[Vlan]),
    ("mask", "172.16.0.2/30", "172.16.0.2/31", &[Mask]),
    ("MTU", "mtu 1500", "mtu 9216", &[Mtu]),
    (
        "port shut",
        "no switchport\n  no shutdown",
        "no switchport\n  shutdown",
        &[InterfaceShutdown],
    ),
    ("no key", "    password 0 tgyn26example\n", "", &[Key]),
    ("another key", "tgyn26example", "\"tgyn26example\"", &[Key]),
    ("key hidden", "password 0 tgyn26example", "password 3 c5b1a9d8e7f60a1b", &[Key]),
    ("no BFD", "    bfd\n", "", &[Bfd]),
    ("no import policy", "      route-map DXVIF-1A2B3C4D-IN in\n", "", &[ImportPolicy]),
    ("no export policy", "      route-map DXVIF-1A2B3C4D-OUT out\n", "", &[ExportPolicy]),
    ("own prefix forgotten", "permit 192.168.0.0/16", "permit 192.168.0.0/24", &[Announcement]),
];

#[rustfmt::skip]
const JUNOS: &[Mistake] = &[
    ("VLAN", "vlan-id 101", "vlan-id 1", &[Vlan]),
    ("no tag", "set interfaces ge-0/0/0 unit 101 vlan-id 101\n", "", &[Vlan]),
    ("address swapped", "address 172.16.0.2/30", "address 172.16.0.1/30", &[Address]),
    ("mask", "172.16.0.2/30", "172.16.0.2/32", &[Mask]),
    ("MTU", "family inet mtu 1500", "family inet mtu 1518", &[Mtu]),
    (
        "unit disabled",
        "unit 101 vlan-id 101",
        "unit 101 vlan-id 101\nset interfaces ge-0/0/0 unit 101 disable",
        &[InterfaceShutdown],
    ),
    (
        "unit deactivated",
        "unit 101 vlan-id 101",
        "unit 101 vlan-id 101\ndeactivate interfaces ge-0/0/0 unit 101",
        &[InterfaceShutdown],
    ),
    (
        "port disabled",
        "ge-0/0/0 vlan-tagging",
        "ge-0/0/0 vlan-tagging\nset interfaces ge-0/0/0 disable",
        &[InterfaceShutdown],
    ),
    ("local address", "local-address 172.16.0.2", "local-address 192.0.2.7", &[Address]),
    ("neighbour", "neighbor 172.16.0.1", "neighbor 172.16.0.3", &[NeighbourAddress]),
    (
        "neighbour deactivated",
        "hold-time 30",
        "hold-time 30\ndeactivate protocols bgp group dxvif-1a2b3c4d neighbor 172.16.0.1",
        &[NeighbourShutdown],
    ),
    ("remote AS", "peer-as 50624", "peer-as 65000", &[RemoteAsn]),
    ("local AS", "autonomous-system 65000", "autonomous-system 64512", &[LocalAsn]),
    (
        "no key",
        "set protocols bgp group dxvif-1a2b3c4d neighbor 172.16.0.1 authentication-key \"tgyn26example\"\n",
        "",
        &[Key],
    ),
    ("another key", "\"tgyn26example\"", "\"tgyn26-example\"", &[Key]),
    ("key hidden", "\"tgyn26example\"", "\"$9$Hm5zCA0EcyKvWxNds2\"", &[Key]),
    ("hold time 0", "hold-time 30", "hold-time 0", &[HoldTime]),
    ("no BFD", "bfd-liveness-detection", "graceful-restart", &[Bfd]),
    ("another family", "family inet unicast", "family inet6 unicast", &[Family]),
    ("no import policy", "import DXVIF-1A2B3C4D-IN", "passive", &[ImportPolicy]),
    ("no export policy", "export DXVIF-1A2B3C4D-OUT", "passive", &[ExportPolicy]),
];

#[rustfmt::skip]
const SR_OS: &[Mistake] = &[
    ("VLAN", "port 1/1/c1/1:101", "port 1/1/c1/1:102", &[Vlan]),
    ("no tag", "port 1/1/c1/1:101", "port 1/1/c1/1", &[Vlan]),
    ("address", "primary address 172.16.0.2", "primary address 172.16.0.3", &[Address]),
    ("mask", "prefix-length 30", "prefix-length 24", &[Mask]),
    ("MTU", "ip-mtu 1500", "ip-mtu 1514", &[Mtu]),
    (
        "port disabled",
        "/configure port 1/1/c1/1 admin-state enable",
        "/configure port 1/1/c1/1 admin-state disable",
        &[InterfaceShutdown],
    ),
    (
        "interface disabled",
        "interface \"dxvif-1a2b3c4d\" admin-state enable",
        "interface \"dxvif-1a2b3c4d\" admin-state disable",
        &[InterfaceShutdown],
    ),
    ("neighbour", "neighbor \"172.16.0.1\"", "neighbor \"172.16.0.2\"", &[NeighbourAddress]),
    (
        "neighbour disabled",
        "neighbor \"172.16.0.1\" admin-state enable",
        "neighbor \"172.16.0.1\" admin-state disable",
        &[NeighbourShutdown],
    ),
    ("remote AS", "peer-as 50624", "peer-as 53306", &[RemoteAsn]),
    ("local AS", "autonomous-system 65000", "autonomous-system 65535", &[LocalAsn]),
    (
        "no key",
        "/configure router \"Base\" bgp neighbor \"172.16.0.1\" authentication-key \"tgyn26example\"\n",
        "",
        &[Key],
    ),
    ("another key", "\"tgyn26example\"", "\"Tgyn26example\"", &[Key]),
    ("key hidden", "\"tgyn26example\"", "\"ZmK4V0T2QrXqRZ7aVdM2c1b8YA== hash2\"", &[Key]),
    ("hold time 0", "hold-time seconds 30", "hold-time seconds 0", &[HoldTime]),
    ("BFD off", "bfd-liveness true", "bfd-liveness false", &[Bfd]),
    ("family off", "family ipv4 true", "family ipv4 false", &[Family]),
    ("no import policy", "import policy [\"DXVIF-1A2B3C4D-IN\"]", "passive true", &[ImportPolicy]),
    ("no export policy", "export policy [\"DXVIF-1A2B3C4D-OUT\"]", "passive true", &[ExportPolicy]),
];

#[rustfmt::skip]
const VY_OS: &[Mistake] = &[
    ("VLAN", "vif 101", "vif 201", &[Vlan]),
    ("address swapped", "address '172.16.0.2/30'", "address '172.16.0.1/30'", &[Address]),
    ("mask", "'172.16.0.2/30'", "'172.16.0.2/28'", &[Mask]),
    ("MTU", "mtu '1500'", "mtu '1400'", &[Mtu]),
    (
        "vif disabled",
        "vif 101 mtu '1500'",
        "vif 101 mtu '1500'\nset interfaces ethernet eth0 vif 101 disable",
        &[InterfaceShutdown],
    ),
    ("neighbour", "bgp neighbor 172.16.0.1", "bgp neighbor 172.16.1.1", &[NeighbourAddress]),
    ("neighbour shut", "timers keepalive '10'", "shutdown", &[NeighbourShutdown]),
    ("remote AS", "remote-as '50624'", "remote-as '5062'", &[RemoteAsn]),
    ("local AS", "system-as '65000'", "system-as '65010'", &[LocalAsn]),
    ("no key", "set protocols bgp neighbor 172.16.0.1 password 'tgyn26example'\n", "", &[Key]),
    ("another key", "'tgyn26example'", "'tgyn26'", &[Key]),
    ("hold time 0", "holdtime '30'", "holdtime '0'", &[HoldTime]),
    ("no BFD", "set protocols bgp neighbor 172.16.0.1 bfd\n", "", &[Bfd]),
    (
        "another family",
        "neighbor 172.16.0.1 address-family ipv4-unicast",
        "neighbor 172.16.0.1 address-family ipv6-unicast",
        &[Family],
    ),
    ("no import policy", "route-map import 'DXVIF-1A2B3C4D-IN'", "nexthop-self", &[ImportPolicy]),
    ("no export policy", "route-map export 'DXVIF-1A2B3C4D-OUT'", "nexthop-self", &[ExportPolicy]),
    ("own prefix forgotten", "prefix '192.168.0.0/16'", "prefix '192.168.0.0/17'", &[Announcement]),
];

#[rustfmt::skip]
const ROUTER_OS: &[Mistake] = &[
    ("VLAN", "vlan-id=101", "vlan-id=11", &[Vlan]),
    ("address swapped", "address=172.16.0.2/30", "address=172.16.0.1/30", &[Address]),
    ("no mask", "address=172.16.0.2/30", "address=172.16.0.2/32", &[Mask]),
    ("address on the port", "/30 interface=dxvif-1a2b3c4d", "/30 interface=sfp-sfpplus1", &[Vlan]),
    ("MTU", "mtu=1500", "mtu=1480", &[Mtu]),
    ("VLAN disabled", "vlan-id=101", "vlan-id=101 disabled=yes", &[InterfaceShutdown]),
    ("neighbour", "remote.address=172.16.0.1", "remote.address=172.16.0.2", &[NeighbourAddress]),
    ("local address", "local.address=172.16.0.2", "local.address=10.0.0.1", &[Address]),
    ("connection disabled", "disabled=no\n", "disabled=yes\n", &[NeighbourShutdown]),
    ("remote AS", "remote.as=50624", ".as=50630", &[RemoteAsn]),
    ("local AS", "as=65000", "as=65530", &[LocalAsn]),
    ("no key", " tcp-md5-key=\"tgyn26example\"", "", &[Key]),
    ("another key", "\"tgyn26example\"", "\"tgyn26 example\"", &[Key]),
    ("hold time 0", "hold-time=30s", "hold-time=0s", &[HoldTime]),
    ("BFD off", "use-bfd=yes", "use-bfd=no", &[Bfd]),
    ("another family", "afi=ip ", "afi=ipv6 ", &[Family]),
    ("no import policy", " input.filter=DXVIF-1A2B3C4D-IN", "", &[ImportPolicy]),
    ("no export policy", " output.filter-chain=DXVIF-1A2B3C4D-OUT", "", &[ExportPolicy]),
];

#[rustfmt::skip]
const BIRD: &[Mistake] = &[
    ("VLAN", "type vlan id 101", "type vlan id 102", &[Vlan]),
    ("mask", "add 172.16.0.2/30", "add 172.16.0.2/31", &[Mask]),
    ("MTU", "mtu 1500 up", "mtu 9000 up", &[Mtu]),
    ("local address", "local 172.16.0.2", "local 172.16.0.1", &[Address]),
    ("neighbour", "neighbor 172.16.0.1", "neighbor 172.16.0.10", &[NeighbourAddress]),
    ("protocol disabled", "direct;", "disabled;", &[NeighbourShutdown]),
    ("remote AS", "as 50624", "as 50625", &[RemoteAsn]),
    ("local AS", "as 65000", "as 50624", &[LocalAsn]),
    ("no key", "  password \"tgyn26example\";\n", "", &[Key]),
    ("another key", "\"tgyn26example\"", "\"tgyn26example \"", &[Key]),
    ("hold time 0", "hold time 30", "hold time 0", &[HoldTime]),
    ("BFD off", "bfd on", "bfd off", &[Bfd]),
    ("another family", "  ipv4 {\n    import table", "  ipv6 {\n    import table", &[Family]),
    ("imports nothing", "import filter dxvif_1a2b3c4d_in", "import none", &[ImportPolicy]),
    ("exports nothing", "export filter dxvif_1a2b3c4d_out", "export none", &[ExportPolicy]),
    ("own prefix forgotten", "  10.20.0.0/24\n", "  10.20.1.0/24\n", &[Announcement]),
];

#[rustfmt::skip]
const GO_BGP: &[Mistake] = &[
    ("VLAN", "type vlan id 101", "type vlan id 4001", &[Vlan]),
    ("mask", "add 172.16.0.2/30", "add 172.16.0.2/24", &[Mask]),
    ("MTU", "mtu 1500 up", "mtu 1600 up", &[Mtu]),
    (
        "local address",
        "local-address = \"172.16.0.2\"",
        "local-address = \"172.16.0.1\"",
        &[Address],
    ),
    (
        "neighbour",
        "neighbor-address = \"172.16.0.1\"",
        "neighbor-address = \"172.16.0.2\"",
        &[NeighbourAddress],
    ),
    (
        "neighbour down",
        "peer-as = 50624",
        "peer-as = 50624\nadmin-down = true",
        &[NeighbourShutdown],
    ),
    ("remote AS", "peer-as = 50624", "peer-as = 65000", &[RemoteAsn]),
    ("local AS", "as = 65000", "as = 65001", &[LocalAsn]),
    ("no key", "    auth-password = \"tgyn26example\"\n", "", &[Key]),
    ("another key", "\"tgyn26example\"", "\"tgyn26\\\\example\"", &[Key]),
    ("hold time 0", "hold-time = 30", "hold-time = 0", &[HoldTime]),
    ("another family", "\"ipv4-unicast\"", "\"l2vpn-evpn\"", &[]),
    ("IPv6 family", "\"ipv4-unicast\"", "\"ipv6-unicast\"", &[Family]),
    ("no import policy", "  import-policy-list = [\"dxvif-1a2b3c4d-in\"]\n", "", &[ImportPolicy]),
    ("no export policy", "  export-policy-list = [\"dxvif-1a2b3c4d-out\"]\n", "", &[ExportPolicy]),
    (
        "own prefix forgotten",
        "ip-prefix = \"192.168.0.0/16\"",
        "ip-prefix = \"192.168.0.0/20\"",
        &[Announcement],
    ),
];

fn table(software: Software) -> Vec<Mistake> {
    let parts: &[&[Mistake]] = match software {
        Software::Bird => &[BIRD],
        Software::Eos => &[FLAT, EOS],
        Software::Frr => &[FLAT, FRR],
        Software::GoBgp => &[GO_BGP],
        Software::IosXe => &[FLAT, IOS_XE],
        Software::IosXr => &[NESTED, IOS_XR],
        Software::Junos => &[JUNOS],
        Software::NxOs => &[NESTED, NX_OS],
        Software::RouterOs => &[ROUTER_OS],
        Software::SrOs => &[SR_OS],
        Software::VyOs => &[VY_OS],
    };
    parts.concat()
}

/// A running configuration: without comments, but for the commands that Linux is given.
fn running(software: Software) -> String {
    let text = configuration(software, &full());
    let is_comment = |line: &&str| {
        let bare = line.trim_start().trim_start_matches(['!', '#']);
        bare.len() < line.trim_start().len() && !bare.trim_start().starts_with("ip ")
    };
    text.lines().filter(|line| !is_comment(line)).map(|line| format!("{line}\n")).collect()
}

fn with_mistake(right: &str, from: &str, to: &str) -> String {
    let before = right.split(from).next().unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let depth = line.len() - line.trim_start().len();
    right.replace(from, &to.replace('~', &" ".repeat(depth)))
}

/// Where a fact stands that is there and wrong; `None` where one is missing.
fn changed_lines(right: &str, pasted: &str, expected: &[Aspect]) -> Option<Vec<usize>> {
    let missing =
        matches!(expected, [Announcement | ImportPolicy | ExportPolicy | Family | Bfd] | []);
    let (before, after): (Vec<_>, Vec<_>) = (right.lines().collect(), pasted.lines().collect());
    if missing || before.len() > after.len() {
        return None;
    }
    let is_new = |n: &usize| !before.contains(&after[n - 1]);
    Some((1..=after.len()).filter(is_new).collect())
}

#[test]
fn each_mistake_is_found_alone_and_where_it_stands() {
    let mut wrong = vec![];
    for software in Software::ALL {
        let right = running(software);
        assert_eq!(check(software, &right, &full()), [], "{software}");
        let mistakes = table(software);
        assert!(mistakes.iter().filter(|(.., expected)| !expected.is_empty()).count() >= 10);
        for (what, from, to, expected) in mistakes {
            let pasted = with_mistake(&right, from, to);
            assert_ne!(pasted, right, "{software}: {what}: the text has no «{from}»");
            let findings = check(software, &pasted, &full());
            let found: Vec<_> = findings.iter().map(|f| f.aspect).collect();
            let line = findings.first().and_then(|finding| finding.line);
            let at_fault = changed_lines(&right, &pasted, expected)
                .is_none_or(|lines| line.is_some_and(|line| lines.contains(&line)));
            if found != expected || !at_fault {
                wrong.push(format!("{software}: {what}: found {findings:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_hidden_key_is_a_doubt_and_a_wrong_one_is_not() {
    for (software, password, weight) in [
        (Software::IosXe, "password 7 05080F1C2243", Weight::Doubtful),
        (Software::IosXe, "password other", Weight::Wrong),
    ] {
        let pasted = running(software).replace("password tgyn26example", password);
        assert_eq!(check(software, &pasted, &full())[0].weight, weight);
    }
    let export = running(Software::RouterOs).replace(" tcp-md5-key=\"tgyn26example\"", "");
    assert_eq!(check(Software::RouterOs, &export, &full())[0].weight, Weight::Doubtful);
}

#[test]
fn a_remedy_shows_the_lines_to_write_on_the_customers_own_port_and_no_key() {
    let pasted = running(Software::IosXe)
        .replace("GigabitEthernet0/0/0", "TenGigabitEthernet0/1/0")
        .replace("dot1Q 101", "dot1Q 102")
        .replace(" neighbor 172.16.0.1 password tgyn26example\n", "");
    let shown: Vec<_> =
        check(Software::IosXe, &pasted, &full()).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n\n"), @r"
    line 7: VLAN: found 102, expected 101. Tag the sub-interface with the VLAN of the DirectLink interface:
    interface TenGigabitEthernet0/1/0.101
     encapsulation dot1Q 101

    line 23: key: found none, expected the key of dxvif-1a2b3c4d. Set the key of the DirectLink interface, the same on both sides:
    router bgp 65000
     neighbor 172.16.0.1 password KEY-OF-THE-INTERFACE
    ");
}
