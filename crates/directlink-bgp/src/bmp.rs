//! The BGP Monitoring Protocol (RFC 7854, with Adj-RIB-Out of RFC 8671), as the monitored router
//! speaks it: it says, and is told nothing. So there is only an encoder here.
//!
//! ```text
//!   │Version 3│      Length      │Type│                                     common header
//!   │Type│Flags│ Distinguisher 8 │ Address 16 │ AS 4 │ BGP ID 4 │ s 4 │ µs 4 │  per peer
//!   │ what the type has: a BGP message as it was on the wire, or TLVs        │
//! ```
//!
//! A peer is an *RD instance peer*: thousands of them have the same address, on different VLANs, and
//! only the distinguisher tells one from the other. It has the form of a route distinguisher (RFC
//! 4364 §4.2, type 0), for that is what stations show beside each route.

use crate::{DownReason, Family, wire};
use bytes::Bytes;
use directlink_net::Asn;
use rustbgpd_wire::Message;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Whose messages they are (RFC 7854 §4.2), but for view and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitoredPeer {
    pub distinguisher: RouteDistinguisher,
    pub address: IpAddr,
    pub asn: u32,
    pub bgp_identifier: Ipv4Addr,
}

/// `ASN:number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteDistinguisher {
    asn: u16,
    number: u32,
}

impl RouteDistinguisher {
    /// An AS number of four octets has no room: AS_TRANS (RFC 6793) stands for it.
    pub fn new(asn: Asn, number: u32) -> Self {
        Self { asn: u16::try_from(asn.as_u32()).unwrap_or(AS_TRANS), number }
    }

    const fn octets(self) -> [u8; 8] {
        let [a, b] = self.asn.to_be_bytes();
        let [c, d, e, f] = self.number.to_be_bytes();
        [0, 0, a, b, c, d, e, f]
    }
}

/// Which of a peer's tables a route is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Adj-RIB-In before the policy.
    InPre,
    /// What the policy let in: the L flag.
    InPost,
    /// What the peer is told (RFC 8671): the O flag, and the L flag, for nothing is changed after.
    Out,
}

/// Since 1970. Zero: it is not known when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub seconds: u32,
    pub micros: u32,
}

/// The two OPEN messages of a session, as they were on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opens {
    pub sent: Bytes,
    pub received: Bytes,
}

/// How a session ended (RFC 7854 §4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerDown {
    /// With this NOTIFICATION of ours.
    Local(Bytes),
    /// By us and without a word, for this event of the state machine (RFC 4271 §8.1).
    LocalSilent(u16),
    /// With this NOTIFICATION of the peer's.
    Remote(Bytes),
    RemoteSilent,
}

/// What a Statistics Report says of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Prefixes that the policy refused since the session's table began.
    pub rejected: u32,
    /// In Adj-RIB-In before the policy.
    pub adj_rib_in: u64,
    pub adj_rib_out: u64,
}

/// Why we go (RFC 7854 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    AdministrativelyClosed,
    OutOfResources,
}

/// The first message on a connection.
pub fn initiation(sys_name: &str, sys_descr: &str) -> Vec<u8> {
    let body = [tlv(1, sys_descr.as_bytes()), tlv(2, sys_name.as_bytes())].concat();
    message(Kind::Initiation, &[], &body)
}

/// The last one.
pub fn termination(why: Termination) -> Vec<u8> {
    let reason: u16 = match why {
        Termination::AdministrativelyClosed => 0,
        Termination::OutOfResources => 2,
    };
    message(Kind::Termination, &[], &tlv(1, &reason.to_be_bytes()))
}

/// `ends`: ours and the peer's.
pub fn peer_up(peer: &MonitoredPeer, at: Moment, ends: [SocketAddr; 2], opens: &Opens) -> Vec<u8> {
    let [local, remote] = ends;
    let ports = [local.port().to_be_bytes(), remote.port().to_be_bytes()].concat();
    let body = [&sixteen(local.ip())[..], &ports, &opens.sent, &opens.received].concat();
    message(Kind::PeerUp, &peer.header(View::InPre, at), &body)
}

pub fn peer_down(peer: &MonitoredPeer, at: Moment, down: &PeerDown) -> Vec<u8> {
    let event;
    let (reason, data): (u8, &[u8]) = match down {
        PeerDown::Local(notification) => (1, notification),
        PeerDown::LocalSilent(number) => {
            event = number.to_be_bytes();
            (2, &event)
        }
        PeerDown::Remote(notification) => (3, notification),
        PeerDown::RemoteSilent => (4, &[]),
    };
    message(Kind::PeerDown, &peer.header(View::InPre, at), &[&[reason], data].concat())
}

/// `update`: a whole BGP message, with 4-octet AS numbers.
pub fn route_monitoring(peer: &MonitoredPeer, view: View, at: Moment, update: &[u8]) -> Vec<u8> {
    message(Kind::RouteMonitoring, &peer.header(view, at), update)
}

/// After a table's last route.
pub fn end_of_rib(peer: &MonitoredPeer, view: View, at: Moment) -> Vec<u8> {
    let marker = wire::end_of_rib_marker(Family::of(peer.address)).unwrap_or_default();
    route_monitoring(peer, view, at, &marker)
}

pub fn statistics(peer: &MonitoredPeer, at: Moment, counts: &Statistics) -> Vec<u8> {
    let (afi, safi) = Family::of(peer.address).wire();
    let of_family = [&(afi as u16).to_be_bytes()[..], &[safi as u8]].concat();
    let of_family = |count: u64| [&of_family[..], &count.to_be_bytes()].concat();
    let all = [
        tlv(0, &counts.rejected.to_be_bytes()),
        tlv(7, &counts.adj_rib_in.to_be_bytes()),
        tlv(9, &of_family(counts.adj_rib_in)),
        tlv(15, &counts.adj_rib_out.to_be_bytes()),
        tlv(17, &of_family(counts.adj_rib_out)),
    ];
    let body = [&(all.len() as u32).to_be_bytes()[..], &all.concat()].concat();
    message(Kind::StatisticsReport, &peer.header(View::InPre, at), &body)
}

impl PeerDown {
    /// `sent`: the NOTIFICATION of ours that went out at the end, if one did.
    pub fn of(reason: &DownReason, sent: Option<&Bytes>) -> Self {
        if let DownReason::NotificationReceived(what) = reason {
            let bytes = wire::encode(&Message::Notification(what.to_wire()));
            return bytes.map_or(Self::RemoteSilent, Self::Remote);
        }
        match (sent, reason) {
            (Some(notification), _) => Self::Local(notification.clone()),
            (None, DownReason::HoldTimerExpired) => Self::LocalSilent(HOLD_TIMER_EXPIRES),
            (None, DownReason::Stopped(_) | DownReason::ConfigurationChanged) => {
                Self::LocalSilent(MANUAL_STOP)
            }
            (None, _) => Self::RemoteSilent,
        }
    }
}

impl MonitoredPeer {
    fn header(&self, view: View, at: Moment) -> [u8; PEER_HEADER] {
        let of_address = match self.address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => FLAG_V,
        };
        let of_view = match view {
            View::InPre => 0,
            View::InPost => FLAG_L,
            View::Out => FLAG_O | FLAG_L,
        };
        let mut header = [0; PEER_HEADER];
        header[0] = RD_INSTANCE_PEER;
        header[1] = of_address | of_view;
        header[2..10].copy_from_slice(&self.distinguisher.octets());
        header[10..26].copy_from_slice(&sixteen(self.address));
        header[26..30].copy_from_slice(&self.asn.to_be_bytes());
        header[30..34].copy_from_slice(&self.bgp_identifier.octets());
        header[34..38].copy_from_slice(&at.seconds.to_be_bytes());
        header[38..].copy_from_slice(&at.micros.to_be_bytes());
        header
    }
}

#[derive(Clone, Copy)]
enum Kind {
    RouteMonitoring = 0,
    StatisticsReport = 1,
    PeerDown = 2,
    PeerUp = 3,
    Initiation = 4,
    Termination = 5,
}

fn message(kind: Kind, header: &[u8], body: &[u8]) -> Vec<u8> {
    // A BGP message is below 64 KiB, and so are the words that a caller gives.
    let length = (COMMON_HEADER + header.len() + body.len()) as u32;
    let common = [&[VERSION][..], &length.to_be_bytes(), &[kind as u8]].concat();
    [&common[..], header, body].concat()
}

/// A value that is too long for its length is cut.
fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let value = &value[..usize::from(length)];
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

/// IPv4 stands at the end of the field.
fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let mut field = [0; 16];
            field[12..].copy_from_slice(&v4.octets());
            field
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

const VERSION: u8 = 3;
const COMMON_HEADER: usize = 6;
const PEER_HEADER: usize = 42;
const RD_INSTANCE_PEER: u8 = 1;
const AS_TRANS: u16 = 23456;
const FLAG_V: u8 = 0x80;
const FLAG_L: u8 = 0x40;
const FLAG_O: u8 = 0x10;
/// RFC 4271 §8.1.2 and §8.1.3.
const MANUAL_STOP: u16 = 2;
const HOLD_TIMER_EXPIRES: u16 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Notification, Stop};

    const PEER: MonitoredPeer = MonitoredPeer {
        distinguisher: RouteDistinguisher { asn: 50624, number: 0xc0ff_ee01 },
        address: IpAddr::V4(Ipv4Addr::new(172, 16, 0, 2)),
        asn: 4_200_000_123,
        bgp_identifier: Ipv4Addr::new(10, 0, 0, 2),
    };
    const AT: Moment = Moment { seconds: 0x6000_0001, micros: 500_000 };
    const PEER_BYTES: &str =
        "0000c5c0c0ffee01 000000000000000000000000ac100002 fa56ea7b 0a000002 60000001 0007a120";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
        let octet =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(octet).collect()
    }

    #[track_caller]
    fn reads(message: &[u8], common: &str, header: &str, body: &str) {
        let header = match header {
            "" => vec![],
            kind_and_flags => hex(&format!("{kind_and_flags} {PEER_BYTES}")),
        };
        assert_eq!(message, [hex(common), header, hex(body)].concat());
    }

    #[test]
    fn a_connection_begins_with_who_we_are_and_ends_with_why() {
        let hello = initiation("par1-r1", "DirectLink");
        let body = "0001 000a 4469726563744c696e6b 0002 0007 706172312d7231";
        reads(&hello, "03 0000001f 04", "", body);
        let bye = termination(Termination::AdministrativelyClosed);
        reads(&bye, "03 0000000c 05", "", "0001 0002 0000");
        let bye = termination(Termination::OutOfResources);
        reads(&bye, "03 0000000c 05", "", "0001 0002 0002");
    }

    #[test]
    fn a_peer_comes_up_with_both_opens_as_they_were() {
        let opens = Opens { sent: hex("ffff 01").into(), received: hex("ffff 0102").into() };
        let ends = ["172.16.0.1:179", "172.16.0.2:40000"].map(|end| end.parse().unwrap());
        let body = "000000000000000000000000ac100001 00b3 9c40 ffff01 ffff0102";
        reads(&peer_up(&PEER, AT, ends, &opens), "03 0000004b 03", "01 00", body);
    }

    #[test]
    fn the_flags_say_which_table_a_route_is_of() {
        let update = hex("ffffffffffffffffffffffffffffffff 0017 02 0000 0000");
        for (view, flags) in [(View::InPre, "00"), (View::InPost, "40"), (View::Out, "50")] {
            let header = format!("01 {flags}");
            let body = "ffffffffffffffffffffffffffffffff 0017 02 0000 0000";
            reads(&route_monitoring(&PEER, view, AT, &update), "03 00000047 00", &header, body);
            reads(&end_of_rib(&PEER, view, AT), "03 00000047 00", &header, body);
        }
    }

    #[test]
    fn an_ipv6_peer_has_the_v_flag_and_its_whole_address() {
        let peer = MonitoredPeer { address: "fd01::2".parse().unwrap(), ..PEER };
        let message = end_of_rib(&peer, View::InPost, Moment::default());
        assert_eq!(message[7], 0xc0);
        assert_eq!(message[16..32], hex("fd010000000000000000000000000002"));
        // An empty MP_UNREACH_NLRI (RFC 4724 §2).
        assert!(message.ends_with(&hex("80 0f 03 0002 01")), "{message:x?}");
    }

    #[test]
    fn a_distinguisher_has_the_regions_as_number_if_that_has_room() {
        let rd = |asn: u32| RouteDistinguisher::new(asn.try_into().unwrap(), 7).octets();
        assert_eq!(rd(50624), [0, 0, 0xc5, 0xc0, 0, 0, 0, 7]);
        assert_eq!(rd(4_200_000_123), [0, 0, 0x5b, 0xa0, 0, 0, 0, 7]);
    }

    #[test]
    fn statistics_count_by_family_as_well() {
        let counts = Statistics { rejected: 3, adj_rib_in: 7, adj_rib_out: 2 };
        let body = "00000005 0000 0004 00000003 0007 0008 0000000000000007 \
                    0009 000b 0001 01 0000000000000007 000f 0008 0000000000000002 \
                    0011 000b 0001 01 0000000000000002";
        reads(&statistics(&PEER, AT, &counts), "03 00000072 01", "01 00", body);
    }

    #[test]
    fn a_peer_goes_down_by_who_ended_it_and_with_what_words() {
        let cease = "ffffffffffffffffffffffffffffffff 0015 03 06 03";
        let theirs =
            DownReason::NotificationReceived(Notification { code: 6, subcode: 3, data: vec![] });
        let sent = Bytes::from(hex(cease));
        let stopped = DownReason::Stopped(Stop::Deleted);
        let closed = DownReason::Closed(String::new());
        let table = [
            (&stopped, Some(&sent), "03 00000046 02", format!("01 {cease}")),
            (&DownReason::Stopped(Stop::Restart), None, "03 00000033 02", "02 0002".to_owned()),
            (&DownReason::HoldTimerExpired, None, "03 00000033 02", "02 000a".to_owned()),
            (&theirs, None, "03 00000046 02", format!("03 {cease}")),
            (&closed, None, "03 00000031 02", "04".to_owned()),
        ];
        for (reason, sent, common, body) in table {
            let down = PeerDown::of(reason, sent);
            reads(&peer_down(&PEER, AT, &down), common, "01 00", &body);
        }
    }
}
