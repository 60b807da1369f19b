//! The table of faults.

use super::world::{World, admitting, ago, customer, mac};
use directlink_model::{
    connection::Light,
    diagnosis::{Behind, RouterHeard, Step},
    evidence::{Cause, Notice, Rise, Station, Stray},
    interface::Confirmation,
    report::RefusedRoute,
    route_table::RouteTable,
    security_group::Flow,
};
use jiff::SignedDuration;

pub(crate) fn notice(code: u8, subcode: u8) -> Notice {
    Notice { code, subcode, words: format!("words of {code}/{subcode}") }
}

pub(crate) type Break = fn(&mut World);
/// A fault, how it shows, the rung that names it, and a word of its evidence.
pub(crate) type Fault = (&'static str, Break, Step, &'static str);

pub(crate) const ROAD: &[Fault] = &[
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
            w.connection.approval.as_mut().unwrap().letter_at = ago(0) - old;
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
    ("router silent", |w| w.router = RouterHeard::SilentSince(ago(99)), Step::Router, "not heard"),
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
        "its tag before the interface was there, and nothing since",
        |w| {
            w.silent();
            let vlan = Some(w.interface.vlan.as_u16());
            w.port.strays = vec![Stray { vlan, frames: 8, last_at: ago(3) }];
        },
        Step::Tag,
        "nor with any other",
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
            w.report.evidence.stations = vec![Station { address, mac: mac(7), heard_at: ago(3) }];
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
];

pub(crate) const SESSION: &[Fault] = &[
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
        "hold timer, then filtered",
        |w| {
            w.lost(12, Cause::HoldTimerExpired).ended(2, Cause::NoAnswer);
        },
        Step::Tcp,
        "filtered",
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
            let reason = "a default route".into();
            w.report.refused.push(RefusedRoute { prefix, reason, is_echo: false });
        },
        Step::Refusals,
        "0.0.0.0/0: a default route",
    ),
];

pub(crate) const NET: &[Fault] = &[
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
        "a Subnet with a table of its own that leads nowhere",
        |w| {
            let own = RouteTable { propagating: vec![], ..w.second_table() };
            w.behind().tables.push(own);
            w.report.verdicts.insert("not_in_route_table".into(), 7);
        },
        Step::Propagation,
        "leads to vgw-00000001; 7 packets were dropped",
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
];
