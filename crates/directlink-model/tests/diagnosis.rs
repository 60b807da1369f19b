//! The ladder, rung by rung: one injected fault a row, and the first failing rung must name it. A
//! healthy interface fails nowhere.

#![allow(clippy::unwrap_used)] // a test that panics has failed: that is its job

use directlink_model::{
    connection::{Approval, Bandwidth, Connection, Light},
    diagnosis::{Behind, Diagnosis, Facts, Outcome, RouterHeard, Step, diagnose},
    evidence::{Cause, Echoes, Ending, Notice, OpenSeen, PortEvidence, Rise, Station, Stray},
    gateway::Gateway,
    ids::{
        AccountId, ConnectionId, GatewayId, InterfaceId, NetId, RouteTableId, RouteTableLinkId,
        SecurityGroupId, SecurityGroupRuleId, SubnetId,
    },
    interface::{Confirmation, Interface, InterfaceState, Proposal},
    net::{Net, Subnet},
    report::{InterfaceReport, LearnedRoute, RefusedRoute, SessionReport},
    route_table::{RouteTable, RouteTableLink},
    security_group::{Admission, Flow, OtherSide, Protocol, SecurityGroup, SecurityGroupRule},
};
use directlink_net::{Asn, BgpKey, Mac, Mtu, PeerAddresses, RegionAsn, Vlan};
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;

const NOW: i64 = 1_000_000;

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW - seconds).unwrap()
}

fn customer() -> IpAddr {
    "172.16.0.2".parse().unwrap()
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn asn(n: u32) -> Asn {
    n.try_into().unwrap()
}

/// Everything that a diagnosis is made of, and owned, so that a row can break any of it.
struct World {
    interface: Interface,
    connection: Connection,
    router: RouterHeard,
    port: PortEvidence,
    report: InterfaceReport,
    behind: Option<Behind>,
}

impl World {
    fn diagnose(&self) -> Diagnosis {
        let wire_on = self.connection.light.is_some_and(|light| light.on);
        let facts = Facts {
            interface: &self.interface,
            state: self.interface.state(wire_on, ago(0)),
            connection: &self.connection,
            region: RegionAsn(asn(50624)),
            router: self.router,
            port: &self.port,
            report: &self.report,
            behind: self.behind.as_ref(),
        };
        diagnose(&facts, ago(0))
    }

    fn behind(&mut self) -> &mut Behind {
        self.behind.as_mut().unwrap()
    }

    /// The session is down: what it brought is gone too.
    fn down(&mut self) -> &mut Self {
        let evidence = std::mem::take(&mut self.report.session.evidence);
        self.report.session =
            SessionReport { state: "Active".into(), evidence, ..SessionReport::default() };
        self.report.learned.clear();
        self.report.advertised.clear();
        self.report.rows_in_kernel = false;
        self.interface.seen = Default::default();
        self
    }

    fn ended(&mut self, seconds_ago: i64, cause: Cause) -> &mut Self {
        self.down().report.session.evidence.end(Ending {
            at: ago(seconds_ago),
            cause,
            was_established: false,
        });
        self
    }

    /// As `ended`, of what was a session.
    fn lost(&mut self, seconds_ago: i64, cause: Cause) -> &mut Self {
        self.ended(seconds_ago, cause);
        self.report.session.evidence.endings[0].was_established = true;
        self
    }

    /// Nobody is heard on the VLAN any more.
    fn silent(&mut self) -> &mut Self {
        self.down().report.evidence.stations.clear();
        self.report.evidence.rose_at.clear();
        self.report.neighbour = None;
        self
    }

    fn opened(&mut self, seconds_ago: i64, asn: u32, hold_time_seconds: u16) -> &mut Self {
        let bgp_identifier = [10, 0, 0, 1].into();
        let open = OpenSeen { at: ago(seconds_ago), asn, hold_time_seconds, bgp_identifier };
        self.report.session.evidence.open = Some(open);
        self
    }
}

fn interface() -> Interface {
    let proposal = Proposal {
        connection: ConnectionId::from_bits(1),
        lag: None,
        owner: AccountId::from_number(1),
        name: "i".into(),
        vlan: Vlan::try_from(101u16).unwrap(),
        asn: asn(65000),
        key: Some(BgpKey::try_from("s3cret").unwrap()),
        peer: PeerAddresses::new(
            "172.16.0.1/30".parse().unwrap(),
            "172.16.0.2/30".parse().unwrap(),
        )
        .unwrap(),
        mtu: Mtu::MAX,
        gateway: Some(GatewayId::from_bits(1)),
    };
    let region = RegionAsn(asn(50624));
    Interface::propose(InterfaceId::from_bits(1), proposal, region, &[], ago(5000)).unwrap()
}

fn connection() -> Connection {
    let port = directlink_model::connection::PortRef {
        router: "par1-r1".parse().unwrap(),
        port: "p0".parse().unwrap(),
    };
    Connection {
        id: ConnectionId::from_bits(1),
        account: AccountId::from_number(1),
        name: "c".into(),
        location: "PAR1".parse().unwrap(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        requested_at: ago(9000),
        approval: Some(Approval { approved_at: ago(8000), port }),
        light: Some(Light { on: true, since: ago(7000) }),
        delete_asked_at: None,
        deleted_at: None,
        hosting: None,
        refused: None,
    }
}

fn report() -> InterfaceReport {
    let learned = LearnedRoute {
        prefix: "192.168.0.0/16".parse().unwrap(),
        as_path: vec![65000],
        med: None,
        best: true,
    };
    let mut report = InterfaceReport {
        configured: true,
        session: SessionReport {
            state: "Established".into(),
            established_since: Some(ago(600)),
            ..SessionReport::default()
        },
        neighbour: Some(mac(1)),
        rows_in_kernel: true,
        learned: vec![learned],
        advertised: vec!["10.0.0.0/16".parse().unwrap()],
        ..InterfaceReport::default()
    };
    for (verdict, packets) in
        [("to_router", 500), ("forwarded_to_net", 40), ("forwarded_to_customer", 41)]
    {
        report.verdicts.insert(verdict.into(), packets);
        report.evidence.rose_at.insert(verdict.into(), ago(3));
    }
    report.evidence.stations = vec![Station { address: customer(), mac: mac(1), heard_at: ago(4) }];
    let echoes = Echoes {
        full_bytes: 1500,
        small_answered_at: Some(ago(4)),
        full_answered_at: Some(ago(4)),
        full_unanswered: 1,
    };
    report.evidence.echoes.insert(customer(), echoes);
    report
}

fn behind() -> Behind {
    let (account, net) = (AccountId::from_number(1), NetId::from_bits(1));
    let group = SecurityGroup {
        id: SecurityGroupId::from_bits(1),
        account,
        net,
        name: "g".into(),
        description: String::new(),
        rules: vec![admitting("192.168.10.0/24")],
        created_at: ago(9000),
    };
    let table = RouteTable {
        id: RouteTableId::from_bits(1),
        account,
        net,
        propagating: vec![GatewayId::from_bits(1)],
        links: vec![RouteTableLink { id: RouteTableLinkId::from_bits(1), subnet: None }],
        statics: vec![],
    };
    Behind {
        gateway: Some(Gateway {
            id: GatewayId::from_bits(1),
            account,
            net: Some(net),
            created_at: ago(9000),
            deleted_at: None,
        }),
        net: Some(Net {
            id: net,
            account,
            range: "10.0.0.0/16".parse().unwrap(),
            vni: 1000u32.try_into().unwrap(),
            created_at: ago(9000),
        }),
        subnets: vec![Subnet {
            id: SubnetId::from_bits(1),
            account,
            net,
            range: "10.0.1.0/24".parse().unwrap(),
            subregion: "eu-west-2a".parse().unwrap(),
            created_at: ago(9000),
        }],
        nics: vec![],
        groups: vec![group],
        tables: vec![table],
    }
}

fn admitting(range: &str) -> SecurityGroupRule {
    let other = OtherSide::Range(range.parse().unwrap());
    SecurityGroupRule {
        id: SecurityGroupRuleId::from_bits(1),
        flow: Flow::Inbound,
        admission: Admission { protocol: Protocol::Any, other },
    }
}

fn healthy() -> World {
    World {
        interface: interface(),
        connection: connection(),
        router: RouterHeard::Connected,
        port: PortEvidence { at: Some(ago(2)), ..PortEvidence::default() },
        report: report(),
        behind: Some(behind()),
    }
}

fn notice(code: u8, subcode: u8) -> Notice {
    Notice { code, subcode, words: format!("words of {code}/{subcode}") }
}

type Break = fn(&mut World);

/// Name of the fault, how it shows, the rung that names it, and a word of its evidence.
fn faults_of_the_road() -> Vec<(&'static str, Break, Step, &'static str)> {
    vec![
        (
            "not approved",
            |w| (w.connection.approval, w.connection.light) = (None, None),
            Step::Order,
            "requested",
        ),
        (
            "connection given up",
            |w| w.connection.delete_asked_at = Some(ago(1)),
            Step::Order,
            "deleting",
        ),
        (
            "letter expired",
            |w| {
                w.connection.light = None;
                let old = SignedDuration::from_hours(91 * 24);
                w.connection.approval.as_mut().unwrap().approved_at = ago(0) - old;
            },
            Step::Letter,
            "90 days",
        ),
        (
            "hosted, not accepted",
            |w| w.interface.confirmation = Confirmation::AwaitedUntil(ago(-9)),
            Step::Acceptance,
            "confirming",
        ),
        (
            "hosted, rejected",
            |w| w.interface.confirmation = Confirmation::RejectedAt(ago(9)),
            Step::Acceptance,
            "rejected",
        ),
        (
            "interface deleted",
            |w| w.interface.delete_asked_at = Some(ago(9)),
            Step::Acceptance,
            "deleting",
        ),
        ("never any light", |w| w.connection.light = None, Step::Light, "no light yet"),
        (
            "cable pulled",
            |w| w.connection.light = Some(Light { on: false, since: ago(9) }),
            Step::Light,
            "went out",
        ),
        (
            "dirty connector",
            |w| w.port.receive_errors = Some(Rise { count: 17, last_at: ago(5) }),
            Step::PortErrors,
            "17 frames",
        ),
        ("router never heard", |w| w.router = RouterHeard::Never, Step::Router, "never heard"),
        (
            "router silent",
            |w| w.router = RouterHeard::SilentSince(ago(99)),
            Step::Router,
            "not heard",
        ),
        (
            "router cannot",
            |w| {
                w.report.configured = false;
                w.report.failure = Some("no uplink".into());
            },
            Step::Router,
            "no uplink",
        ),
        (
            "another tag",
            |w| {
                w.silent();
                w.port.strays = vec![Stray { vlan: Some(102), frames: 14, last_at: ago(3) }];
            },
            Step::Tag,
            "tag 102 (14 frames)",
        ),
        (
            "no tag",
            |w| {
                w.silent();
                w.port.strays = vec![Stray { vlan: None, frames: 3, last_at: ago(3) }];
            },
            Step::Tag,
            "untagged (3 frames)",
        ),
        (
            "VLAN interface down",
            |w| {
                w.silent();
            },
            Step::Tag,
            "nor with any other",
        ),
        (
            "silent for a minute",
            |w| {
                w.silent();
                w.report.evidence.rose_at.insert("to_router".into(), ago(60));
            },
            Step::Tag,
            "any more",
        ),
        (
            "another address",
            |w| {
                w.down();
                let address = "172.16.9.9".parse().unwrap();
                w.report.evidence.stations =
                    vec![Station { address, mac: mac(7), heard_at: ago(3) }];
            },
            Step::Arp,
            "172.16.9.9",
        ),
        (
            "no ARP",
            |w| w.down().report.evidence.stations.clear(),
            Step::Arp,
            "nobody answers for 172.16.0.2",
        ),
        (
            "address twice",
            |w| {
                let twin = Station { address: customer(), mac: mac(2), heard_at: ago(3) };
                w.report.evidence.stations.push(twin);
            },
            Step::Duplicate,
            "02:00:00:00:00:01 and 02:00:00:00:00:02",
        ),
        (
            "our address taken",
            |w| {
                let address = "172.16.0.1".parse().unwrap();
                w.down().report.evidence.stations.push(Station {
                    address,
                    mac: mac(3),
                    heard_at: ago(3),
                });
            },
            Step::Duplicate,
            "which is our router",
        ),
        (
            "BGP not started",
            |w| {
                w.ended(2, Cause::Refused);
            },
            Step::Tcp,
            "refuses",
        ),
        (
            "filter drops",
            |w| {
                w.ended(2, Cause::NoAnswer);
            },
            Step::Tcp,
            "filtered",
        ),
        (
            "filter rejects",
            |w| {
                w.ended(2, Cause::Unreachable);
            },
            Step::Tcp,
            "cannot be reached",
        ),
        (
            "another key",
            |w| {
                w.ended(2, Cause::NoAnswer);
                w.report.evidence.signatures.wrong = Some(Rise { count: 9, last_at: ago(2) });
            },
            Step::Md5,
            "9 segments from 172.16.0.2 are signed with another key",
        ),
        (
            "their key missing",
            |w| {
                w.ended(2, Cause::NoAnswer);
                w.report.evidence.signatures.absent = Some(Rise { count: 5, last_at: ago(2) });
            },
            Step::Md5,
            "bear no signature",
        ),
        (
            "our key missing",
            |w| {
                w.ended(2, Cause::Refused);
                w.report.evidence.signatures.unexpected = Some(Rise { count: 5, last_at: ago(2) });
            },
            Step::Md5,
            "the interface has no key",
        ),
    ]
}

fn faults_of_the_session() -> Vec<(&'static str, Break, Step, &'static str)> {
    vec![
        (
            "their AS is another",
            |w| {
                w.ended(2, Cause::NotificationSent(notice(2, 2))).opened(2, 65001, 90);
            },
            Step::Open,
            "its OPEN says AS 65001; the interface wants AS 65000",
        ),
        (
            "our AS is another to them",
            |w| {
                w.ended(2, Cause::NotificationReceived(notice(2, 2))).opened(2, 65000, 90);
            },
            Step::Open,
            "refuses our AS 50624",
        ),
        (
            "hold time 1",
            |w| {
                w.ended(2, Cause::NotificationSent(notice(2, 6))).opened(2, 65000, 1);
            },
            Step::Open,
            "hold time of 1 s",
        ),
        (
            "hold time refused",
            |w| {
                w.ended(2, Cause::NotificationReceived(notice(2, 6))).opened(2, 65000, 90);
            },
            Step::Open,
            "refuses our hold time",
        ),
        (
            "router ID 0.0.0.0",
            |w| {
                w.ended(2, Cause::NotificationSent(notice(2, 3))).opened(2, 65000, 90);
            },
            Step::Open,
            "BGP identifier 10.0.0.1",
        ),
        (
            "capability refused",
            |w| {
                w.ended(2, Cause::NotificationReceived(notice(2, 7)));
            },
            Step::Open,
            "words of 2/7",
        ),
        (
            "no such neighbour",
            |w| {
                w.ended(2, Cause::Closed("closed by the peer".into()));
            },
            Step::Open,
            "before an OPEN came",
        ),
        (
            "rejected",
            |w| {
                w.ended(2, Cause::NotificationReceived(notice(6, 5)));
            },
            Step::Open,
            "rejects the connection",
        ),
        (
            "refused, then hides",
            |w| {
                w.ended(20, Cause::NotificationSent(notice(2, 2))).opened(20, 65001, 90);
                w.ended(2, Cause::Refused);
            },
            Step::Open,
            "AS 65001",
        ),
        (
            "refused, long gone",
            |w| {
                w.ended(200, Cause::NotificationSent(notice(2, 2))).opened(200, 65001, 90);
                w.ended(2, Cause::Refused);
            },
            Step::Tcp,
            "refuses",
        ),
        (
            "hold timer",
            |w| {
                w.opened(700, 65000, 90).ended(2, Cause::HoldTimerExpired);
            },
            Step::Session,
            "within the hold time",
        ),
        (
            "takes nothing",
            |w| {
                w.ended(2, Cause::SendHoldTimerExpired);
            },
            Step::Session,
            "took nothing",
        ),
        (
            "BFD",
            |w| {
                w.ended(2, Cause::PathFailed);
            },
            Step::Session,
            "BFD",
        ),
        (
            "shut by the customer",
            |w| {
                w.ended(2, Cause::NotificationReceived(notice(6, 2)));
            },
            Step::Session,
            "shut the session",
        ),
        (
            "UPDATE malformed",
            |w| {
                w.ended(2, Cause::NotificationSent(notice(3, 1)));
            },
            Step::Session,
            "words of 3/1",
        ),
        (
            "connection lost",
            |w| {
                w.opened(700, 65000, 90).lost(2, Cause::Closed("reset".into()));
            },
            Step::Session,
            "was lost",
        ),
        (
            "failover test",
            |w| w.down().interface.testing_until = Some(ago(-60)),
            Step::Session,
            "failover test",
        ),
        (
            "too many prefixes",
            |w| {
                w.ended(300, Cause::MaximumPrefixes { max: 100 });
            },
            Step::MaximumPrefixes,
            "more than 100",
        ),
        ("nothing announced", |w| w.report.learned.clear(), Step::Prefixes, "announces nothing"),
        (
            "default route",
            |w| {
                let prefix = "0.0.0.0/0".parse().unwrap();
                w.report.refused.push(RefusedRoute { prefix, reason: "a default route".into() });
            },
            Step::Refusals,
            "0.0.0.0/0: a default route",
        ),
    ]
}

fn faults_of_the_net() -> Vec<(&'static str, Break, Step, &'static str)> {
    vec![
        (
            "gateway not attached",
            |w| {
                let behind = w.behind();
                behind.gateway.as_mut().unwrap().net = None;
                *behind = Behind { gateway: behind.gateway.take(), ..Behind::default() };
                w.report.advertised.clear();
                w.report.rows_in_kernel = false;
            },
            Step::Gateway,
            "attached to no Net",
        ),
        ("no Subnet", |w| w.behind().subnets.clear(), Step::Subnet, "no Subnet"),
        ("nothing advertised", |w| w.report.advertised.clear(), Step::Advertised, "told nothing"),
        (
            "rows missing",
            |w| w.report.rows_in_kernel = false,
            Step::Forwarding,
            "not in the router's kernel",
        ),
        (
            "propagation off",
            |w| w.behind().tables[0].propagating.clear(),
            Step::Propagation,
            "no route table",
        ),
        (
            "no rule",
            |w| w.behind().groups[0].rules.clear(),
            Step::SecurityGroup,
            "admits anything from you",
        ),
        (
            "a rule for others",
            |w| w.behind().groups[0].rules = vec![admitting("172.31.0.0/16")],
            Step::SecurityGroup,
            "admits anything from you",
        ),
        (
            "outbound only",
            |w| w.behind().groups[0].rules[0].flow = Flow::Outbound,
            Step::SecurityGroup,
            "admits anything from you",
        ),
        (
            "MTU blackhole",
            |w| {
                w.report.evidence.echoes.get_mut(&customer()).unwrap().full_unanswered = 3;
            },
            Step::Mtu,
            "none of 1500 bytes",
        ),
        (
            "source not announced",
            |w| {
                w.report.verdicts.insert("source_not_announced".into(), 12);
                w.report.evidence.rose_at.insert("source_not_announced".into(), ago(5));
            },
            Step::ReturnRoute,
            "12 packets came from sources",
        ),
        (
            "no way back",
            |w| {
                w.report.evidence.rose_at.insert("forwarded_to_net".into(), ago(90));
            },
            Step::ReturnRoute,
            "none comes back",
        ),
    ]
}

#[test]
fn the_first_failing_rung_names_the_injected_fault() {
    let all = [faults_of_the_road(), faults_of_the_session(), faults_of_the_net()].concat();
    assert!(all.len() >= 40, "{}", all.len());
    for (fault, inject, step, says) in &all {
        let mut world = healthy();
        inject(&mut world);
        let diagnosis = world.diagnose();
        let first = diagnosis.first_failed().unwrap_or_else(|| panic!("{fault}: nothing fails"));
        assert_eq!(first.step, *step, "{fault}: {}", first.evidence);
        assert!(first.evidence.contains(says), "{fault}: {}", first.evidence);
        assert!(first.remedy.ends_with('.') || first.remedy.contains("osc-cli"), "{fault}");
        assert!(!format!("{diagnosis:?}").contains("s3cret"), "{fault}: a key in a diagnosis");
    }
    let named: std::collections::BTreeSet<_> = all.iter().map(|(_, _, step, _)| *step).collect();
    assert_eq!(named.len(), Step::ALL.len(), "a rung that no fault of the table fails");
}

#[test]
fn a_healthy_interface_fails_nowhere() {
    let stray = Stray { vlan: None, frames: 9, last_at: ago(1) };
    let old = Rise { count: 3, last_at: ago(300) };
    let healths: [(&str, Break); 7] = [
        ("as it is", |_| {}),
        ("just up", |w| {
            w.report.session.established_since = Some(ago(3));
            w.report.learned.clear();
        }),
        ("with what its host's network says", |_| {}),
        ("without traffic, and without an answer to pings", |w| {
            w.report.evidence.rose_at.clear();
            w.report.evidence.echoes.clear();
            w.report.evidence.stations.clear();
        }),
        ("after faults that are mended", |w| {
            for cause in [Cause::Refused, Cause::NotificationSent(notice(2, 2)), Cause::NoAnswer] {
                w.report.session.evidence.end(Ending {
                    at: ago(601),
                    cause,
                    was_established: false,
                });
            }
        }),
        ("in another's Net", |w| w.behind = None),
        ("without a key", |w| w.interface.key = None),
    ];
    for (name, health) in healths {
        let mut world = healthy();
        world.port.strays = vec![stray.clone()];
        world.port.receive_errors = Some(old);
        world.report.evidence.signatures.wrong = Some(old);
        health(&mut world);
        let diagnosis = world.diagnose();
        assert_eq!(diagnosis.first_failed(), None, "{name}");
        if name == "as it is" {
            let passed = |rung: &directlink_model::diagnosis::Rung| rung.outcome == Outcome::Passed;
            assert!(diagnosis.rungs.iter().all(passed), "{diagnosis:#?}");
        }
    }
}

#[test]
fn nothing_above_a_failed_rung_is_claimed_but_what_the_api_knows() {
    let mut world = healthy();
    world.connection.light = None;
    world.behind().tables[0].propagating.clear();
    let diagnosis = world.diagnose();
    let of = |step: Step| diagnosis.rungs.iter().find(|rung| rung.step == step).unwrap().outcome;
    assert_eq!(diagnosis.rungs.len(), Step::ALL.len());
    assert_eq!(of(Step::Letter), Outcome::Passed);
    assert_eq!(of(Step::Light), Outcome::Failed);
    assert_eq!(of(Step::Session), Outcome::NotReached);
    assert_eq!(of(Step::Gateway), Outcome::Passed);
    assert_eq!(of(Step::Propagation), Outcome::Failed);
}

#[test]
fn an_interface_that_waits_is_in_a_state_that_no_router_carries() {
    let mut world = healthy();
    world.interface.confirmation = Confirmation::AwaitedUntil(ago(-9));
    assert_eq!(world.interface.state(true, ago(0)), InterfaceState::Confirming);
    assert_eq!(world.diagnose().first_failed().unwrap().step, Step::Acceptance);
}
