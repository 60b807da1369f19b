//! Sessions without a socket, for tests of what is made of their routes.

use super::{
    Monitor, Ribs, Touched,
    board::{Board, Enrolment},
    monitor::Came,
};
use directlink_bgp::{ConnId, Input, Output, Peer, PeerConfig, RouteChange, bmp::PeerDown};
use directlink_model::ids::BgpPeerId;
use directlink_net::{IpNet, Vni};
use jiff::Timestamp;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A session of a customer's, who announces 192.168.N.0/24.
pub(crate) struct Customer {
    pub(crate) peer: Peer,
}

impl Customer {
    /// Of that AS number. Its session is up.
    pub(crate) fn new(asn: u16) -> Self {
        let [local, peer] = [50624, u32::from(asn)].map(|asn| asn.try_into().unwrap());
        let [router, customer] = ["172.16.0.1", "172.16.0.2"].map(|addr| addr.parse().unwrap());
        let config = PeerConfig::new((local, peer), [10, 0, 0, 1].into(), (router, customer));
        let mut customer = Self { peer: Peer::new(config) };
        let [a, b] = asn.to_be_bytes();
        let open = [4, a, b, 0, 90, 10, 0, 0, 2, 8, 2, 6, 65, 4, 0, 0, a, b];
        customer.peer.handle(Duration::ZERO, Input::Start);
        customer.peer.handle(Duration::ZERO, Input::Opened(CONN));
        customer.says(1, &open);
        customer.says(4, &[]);
        customer
    }

    /// Its own AS number stands in the path so often, and once more.
    pub(crate) fn announces(&mut self, third: u8, prepended: u8) -> Vec<RouteChange> {
        let asn = self.peer.config().peer_asn.as_u32().to_be_bytes();
        let hops = prepended + 1;
        let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 2 + 4 * hops, 2, hops];
        (0..hops).for_each(|_| attributes.extend(asn));
        attributes.extend([0x40, 3, 4, 172, 16, 0, 2]);
        let length = u8::try_from(attributes.len()).unwrap();
        self.says(2, &[&[0, 0, 0, length], &attributes[..], &[24, 192, 168, third]].concat())
    }

    pub(crate) fn withdraws(&mut self, third: u8) -> Vec<RouteChange> {
        self.says(2, &[0, 4, 24, 192, 168, third, 0, 0])
    }

    fn says(&mut self, kind: u8, body: &[u8]) -> Vec<RouteChange> {
        let length = u8::try_from(19 + body.len()).unwrap();
        let message = [&[0xff; 16][..], &[0, length, kind], body].concat();
        self.peer.handle(Duration::ZERO, Input::Received(CONN, &message));
        let mut changes = Vec::new();
        while let Some(output) = self.peer.poll_output() {
            if let Output::Routes(routes) = output {
                changes.extend(routes);
            }
        }
        changes
    }
}

/// A session that a monitor is told of.
pub(crate) struct Monitored {
    pub(crate) monitor: Arc<Monitor>,
    customer: Customer,
    id: BgpPeerId,
}

impl Monitored {
    /// It is up, and its customer has told all.
    pub(crate) fn new() -> Self {
        let (monitor, customer) = (Arc::new(Monitor::default()), Customer::new(65001));
        let ends: [SocketAddr; 2] =
            ["172.16.0.1:179", "172.16.0.2:40000"].map(|end| end.parse().unwrap());
        let id = BgpPeerId::from_bits(0x00c0_ffee);
        let came = Came {
            id,
            local_asn: customer.peer.config().local_asn,
            address: ends[1].ip(),
            agreed: customer.peer.status(Duration::ZERO).negotiated.unwrap(),
            ends,
            opens: customer.peer.opens().unwrap(),
            offers: customer.peer.offers(),
        };
        monitor.up(Timestamp::UNIX_EPOCH, came);
        monitor.converged(Timestamp::UNIX_EPOCH, id);
        Self { monitor, customer, id }
    }

    /// 192.168.N.0/24, and it is told so often.
    pub(crate) fn announces(&mut self, third: u8, times: usize) {
        self.customer.announces(third, 0);
        self.monitor.routes(Timestamp::UNIX_EPOCH, self.id, vec![prefix(third); times]);
    }

    pub(crate) fn withdraws(&mut self, third: u8) {
        self.customer.withdraws(third);
        self.monitor.routes(Timestamp::UNIX_EPOCH, self.id, vec![prefix(third)]);
    }

    pub(crate) fn ends(&self) {
        self.monitor.down(Timestamp::UNIX_EPOCH, self.id, PeerDown::RemoteSilent);
    }
}

const CONN: ConnId = ConnId::Theirs(1);

pub(crate) fn prefix(third: u8) -> IpNet {
    format!("192.168.{third}.0/24").parse().unwrap()
}

/// Customers whose sessions have ids from 1 on, in one Net.
pub(crate) struct Customers {
    board: Arc<Board>,
    all: Vec<(Enrolment, Customer)>,
}

impl Customers {
    pub(crate) fn new(vni: Vni, asns: &[u16]) -> Self {
        let board = Arc::new(Board::new(Timestamp::UNIX_EPOCH));
        let enrol = |(n, &asn): (u32, &u16)| {
            let who = board.enrol(BgpPeerId::from_bits(n));
            let customer = Customer::new(asn);
            board.assign(who, Some(vni), &customer.peer.offers());
            (who, customer)
        };
        let all = (1..).zip(asns).map(enrol).collect();
        Self { board, all }
    }

    pub(crate) fn announces(&mut self, n: usize, third: u8, prepended: u8) {
        let (who, customer) = &mut self.all[n - 1];
        self.board.update(*who, &customer.announces(third, prepended));
    }

    pub(crate) fn withdraws(&mut self, n: usize, third: u8) {
        let (who, customer) = &mut self.all[n - 1];
        self.board.update(*who, &customer.withdraws(third));
    }

    pub(crate) fn ribs(&self) -> Ribs {
        Ribs(self.board.clone())
    }

    pub(crate) fn touched(&self) -> Touched {
        self.board.take_changes().touched
    }
}
