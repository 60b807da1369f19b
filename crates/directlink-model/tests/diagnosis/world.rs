//! An interface that works, of which a row can break anything.

use directlink_model::{
    connection::{Approval, Bandwidth, Connection, Light},
    diagnosis::{Behind, Diagnosis, Facts, RouterHeard, diagnose},
    evidence::{Cause, Echoes, Ending, Fresh, OpenSeen, PortEvidence, Station},
    gateway::Gateway,
    ids::{
        AccountId, ConnectionId, GatewayId, InterfaceId, NetId, RouteTableId, RouteTableLinkId,
        SecurityGroupId, SecurityGroupRuleId, SubnetId,
    },
    interface::{Interface, Proposal},
    net::{Net, Subnet},
    report::{InterfaceReport, LearnedRoute, SessionReport},
    route_table::{RouteTable, RouteTableLink},
    security_group::{Admission, Flow, OtherSide, Protocol, SecurityGroup, SecurityGroupRule},
};
use directlink_net::{Asn, BgpKey, Mac, Mtu, PeerAddresses, RegionAsn, Vlan};
use jiff::Timestamp;
use std::net::IpAddr;

pub(crate) const NOW: i64 = 1_000_000;

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW - seconds).unwrap()
}

pub(crate) fn customer() -> IpAddr {
    "172.16.0.2".parse().unwrap()
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

pub(crate) fn asn(n: u32) -> Asn {
    n.try_into().unwrap()
}

/// Everything that a diagnosis is made of, and owned, so that a row can break any of it.
pub(crate) struct World {
    pub(crate) interface: Interface,
    pub(crate) connection: Connection,
    pub(crate) router: RouterHeard,
    pub(crate) port: PortEvidence,
    pub(crate) report: InterfaceReport,
    pub(crate) behind: Option<Behind>,
    pub(crate) fresh: Option<Fresh>,
}

impl World {
    pub(crate) fn diagnose(&self) -> Diagnosis {
        let wire_on = self.connection.light.is_some_and(|light| light.on);
        let facts = Facts {
            interface: &self.interface,
            state: self.interface.state(wire_on, ago(0)),
            connection: &self.connection,
            region: RegionAsn(asn(50624)),
            router: self.router,
            port: &self.port,
            report: &self.report,
            fresh: self.fresh.as_ref(),
            behind: self.behind.as_ref(),
        };
        diagnose(&facts, ago(0))
    }

    pub(crate) fn behind(&mut self) -> &mut Behind {
        self.behind.as_mut().unwrap()
    }

    /// The session is down: what it brought is gone too.
    pub(crate) fn down(&mut self) -> &mut Self {
        let evidence = std::mem::take(&mut self.report.session.evidence);
        self.report.session =
            SessionReport { state: "Active".into(), evidence, ..SessionReport::default() };
        self.report.learned.clear();
        self.report.advertised.clear();
        self.report.rows_in_kernel = false;
        self.interface.seen = Default::default();
        self
    }

    pub(crate) fn ended(&mut self, seconds_ago: i64, cause: Cause) -> &mut Self {
        self.down().report.session.evidence.end(Ending {
            at: ago(seconds_ago),
            cause,
            was_established: false,
        });
        self
    }

    /// As `ended`, of what was a session.
    pub(crate) fn lost(&mut self, seconds_ago: i64, cause: Cause) -> &mut Self {
        self.ended(seconds_ago, cause);
        self.report.session.evidence.endings[0].was_established = true;
        self
    }

    /// Nobody is heard on the VLAN any more.
    pub(crate) fn silent(&mut self) -> &mut Self {
        self.down().report.evidence.stations.clear();
        self.report.evidence.rose_at.clear();
        self.report.neighbour = None;
        self
    }

    pub(crate) fn opened(
        &mut self,
        seconds_ago: i64,
        asn: u32,
        hold_time_seconds: u16,
    ) -> &mut Self {
        let bgp_identifier = [10, 0, 0, 1].into();
        let open = OpenSeen { at: ago(seconds_ago), asn, hold_time_seconds, bgp_identifier };
        self.report.session.evidence.open = Some(open);
        self
    }
}

pub(crate) fn interface() -> Interface {
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

pub(crate) fn connection() -> Connection {
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
        approval: Some(Approval { approved_at: ago(8000), port, letter_at: ago(8000) }),
        light: Some(Light { on: true, since: ago(7000) }),
        is_bundled: false,
        delete_asked_at: None,
        deleted_at: None,
        hosting: None,
        refused: None,
    }
}

pub(crate) fn report() -> InterfaceReport {
    let learned = LearnedRoute {
        prefix: "192.168.0.0/16".parse().unwrap(),
        as_path: vec![65000],
        med: None,
        local_pref: 100,
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

pub(crate) fn behind() -> Behind {
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

impl World {
    /// Propagated, and the only Subnet's own; not among the Net's yet.
    pub(crate) fn second_table(&mut self) -> RouteTable {
        let main = &self.behind().tables[0];
        let id = RouteTableLinkId::from_bits(2);
        let link = RouteTableLink { id, subnet: Some(SubnetId::from_bits(1)) };
        RouteTable { id: RouteTableId::from_bits(2), links: vec![link], ..main.clone() }
    }
}

pub(crate) fn admitting(range: &str) -> SecurityGroupRule {
    let other = OtherSide::Range(range.parse().unwrap());
    SecurityGroupRule {
        id: SecurityGroupRuleId::from_bits(1),
        flow: Flow::Inbound,
        admission: Admission { protocol: Protocol::Any, other },
    }
}

pub(crate) fn healthy() -> World {
    World {
        interface: interface(),
        connection: connection(),
        router: RouterHeard::Connected,
        port: PortEvidence { at: Some(ago(2)), ..PortEvidence::default() },
        report: report(),
        fresh: None,
        behind: Some(behind()),
    }
}
