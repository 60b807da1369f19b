//! Frames that nobody thought of: those of the tables of verdicts, with octets changed, cut, doubled
//! and put together, through the programs in the kernel (BPF_PROG_TEST_RUN). Whatever comes has one
//! verdict, and what leaves is within its Net and its VLAN.

use super::{
    frame::{C_TAG, IPV4, IPV6},
    v6,
    verdicts::{Row, fabric_rows, port_rows},
    world::{
        Action, CUSTOMER_MAC, GATEWAY_MAC, HOST, HOST_MAC, NIC_MAC, Outcome, ROUTER_MAC, VLAN, VNI,
        VTEP, World,
    },
};
use crate::Verdict;
use proptest::{prelude::*, strategy::ValueTree as _};
use std::net::Ipv6Addr;

#[path = "../../../../fuzz/checks/edits.rs"]
mod edits;

use edits::{Edit, any_edit, edited};

/// Of BPF_PROG_TEST_RUN: an Ethernet header at least, a page at most.
const LENGTHS: std::ops::RangeInclusive<usize> = 14..=3000;
const TUNNEL: usize = 50;
const CASES: usize = 4000;

type Frames = Vec<(String, Vec<u8>)>;

fn known(rows: Vec<Row>, more: [Vec<u8>; 2]) -> Frames {
    let rows = rows.into_iter().map(|row| (row.name.to_owned(), row.frame));
    rows.chain(more.map(|frame| ("IPv6".to_owned(), frame))).collect()
}

fn at<const N: usize>(frame: &[u8], offset: usize) -> [u8; N] {
    frame[offset..offset + N].try_into().unwrap()
}

fn number(frame: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes(at(frame, offset))
}

fn sum(header: &[u8]) -> u16 {
    let sum: u32 =
        header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
}

/// From the customer's prefixes or the peer subnet, to the NIC.
fn check_into_the_net(frame: &[u8]) {
    assert_eq!(at(frame, 0), HOST_MAC.0);
    assert_eq!((number(frame, 12), frame[14], frame[23]), (IPV4, 0x45, 17));
    assert_eq!((at(frame, 26), at(frame, 30)), (VTEP.octets(), HOST.octets()));
    assert_eq!(sum(&frame[14..34]), 0xffff, "the outer checksum");
    assert_eq!(usize::from(number(frame, 16)), frame.len() - 14);
    assert_eq!((number(frame, 36), at(frame, 46)), (4789, (VNI << 8).to_be_bytes()));
    let inner = &frame[TUNNEL..];
    assert_eq!((at(inner, 0), at(inner, 6)), (NIC_MAC.0, GATEWAY_MAC.0));
    if number(inner, 12) == IPV4 {
        let source: [u8; 4] = at(inner, 26);
        assert!(source[..3] == [192, 0, 2] || source == [203, 0, 113, 2], "{source:?}");
        assert_eq!(at(inner, 30), [10, 0, 1, 10]);
    } else {
        let ends = [at(inner, 22), at(inner, 38)].map(|octets: [u8; 16]| Ipv6Addr::from(octets));
        let [source, destination] = ends.map(|end| end.to_string());
        assert!(source.starts_with("2001:db8:9:") || source.starts_with("fd01::"), "{source}");
        assert_eq!((number(inner, 12), destination.as_str()), (IPV6, v6::NIC));
    }
}

/// From the NIC, on the VLAN.
fn check_to_the_customer(frame: &[u8]) {
    assert_eq!((at(frame, 0), at(frame, 6)), (CUSTOMER_MAC.0, ROUTER_MAC.0));
    assert_eq!((number(frame, 12), number(frame, 14) & 0xfff), (C_TAG, VLAN));
    if number(frame, 16) == IPV4 {
        assert_eq!(at(frame, 30), [10, 0, 1, 10]);
    } else {
        let source = Ipv6Addr::from(at::<16>(frame, 26)).to_string();
        assert_eq!((number(frame, 16), source.as_str()), (IPV6, v6::NIC));
    }
}

fn check(Outcome { verdict, action, frame }: &Outcome) {
    let answers = matches!(
        verdict,
        Verdict::TtlExpired | Verdict::TooBig | Verdict::ArpAnswered | Verdict::NdAnswered
    );
    match action {
        Action::Drop => assert!(answers || !verdict.went_on(), "{verdict}"),
        Action::Pass => assert!(matches!(verdict, Verdict::ToRouter | Verdict::ToKernel)),
        Action::Redirect => assert!(answers || verdict.went_on(), "{verdict}"),
    }
    match verdict {
        Verdict::ForwardedToNet => check_into_the_net(frame),
        Verdict::ForwardedToCustomer => check_to_the_customer(frame),
        _ => {}
    }
}

/// How many were forwarded.
fn try_out(known: &Frames, run: impl Fn(&mut World, &[u8]) -> Outcome) -> usize {
    let mut world = v6::world();
    for (name, frame) in known {
        println!("{name}");
        check(&run(&mut world, frame));
    }
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let any_edits = (any::<prop::sample::Index>(), prop::collection::vec(any_edit(), 1..4));
    let mut forwarded = 0;
    for _ in 0..CASES {
        let (which, edits): (_, Vec<Edit>) = any_edits.new_tree(&mut runner).unwrap().current();
        let frame = edited(known, which, &edits);
        if LENGTHS.contains(&frame.len()) {
            let outcome = run(&mut world, &frame);
            println!("{frame:02x?}: {}", outcome.verdict);
            check(&outcome);
            forwarded += usize::from(outcome.action == Action::Redirect);
        }
    }
    forwarded
}

#[test]
fn whatever_a_customer_sends_stays_within_its_net() {
    let known = known(port_rows(), [v6::on_vlan(&v6::question()), v6::on_vlan(&v6::answer())]);
    let forwarded = try_out(&known, World::port);
    assert!(forwarded > CASES / 100, "{forwarded}: the edits leave nothing to look at");
}

#[test]
fn whatever_comes_from_the_fabric_stays_on_its_vlan() {
    let known = known(fabric_rows(), [v6::from_nic(&v6::answer()), v6::from_nic(&v6::question())]);
    let forwarded = try_out(&known, World::fabric);
    assert!(forwarded > CASES / 100, "{forwarded}: the edits leave nothing to look at");
}
