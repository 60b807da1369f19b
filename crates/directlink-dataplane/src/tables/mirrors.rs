//! Where each row's fields lie, for the test that compares them with the compiled object.

use super::bfd::{Bfd6Key, Bfd6Row, BfdKey, BfdRow};
use super::captures::{CaptureRow, CapturedFrame};
use super::rates::{LimitRow, PortRow};
use super::rules::RuleCell;
use super::subnet_routes::HandRoute;
use super::v6::{
    Address6, Address6Key, Flow6Key, Peer6Cell, Peers6Row, Prefix6Key, Rule6Cell, Rule6Row,
    Scoped6, Subnet6Row,
};
use super::{
    AddressKey, BundledPortRow, ChangeRow, FlowKey, FlowLimitsRow, FlowRow, ForwardedRow,
    InterfaceKey, InterfaceRow, InterfaceTallies, NeighbourRow, NicRow, PeerCell, PrefixKey,
    PresenceRow, RouteRow, RouterRow, RuleKey, RuleRow, Scoped, SubnetRoutesKey, SubnetRoutesRow,
    SubnetRow, TallyRow,
};
use std::mem::offset_of;

/// A C type, its mirror's size, and the offset of each field.
pub(crate) struct Mirror {
    pub(crate) name: &'static str,
    pub(crate) bytes: usize,
    pub(crate) fields: Vec<(&'static str, usize)>,
}

/// What `tests/layout.rs` compares with the object.
pub(crate) fn mirrors() -> Vec<Mirror> {
    macro_rules! mirrors {
        ($($name:ident = $row:ty { $($field:ident),* $(,)? })*) => {
            vec![$(Mirror {
                name: stringify!($name),
                bytes: size_of::<$row>(),
                fields: vec![$((stringify!($field), offset_of!($row, $field))),*],
            }),*]
        };
    }
    let mut all = mirrors! {
        router_row = RouterRow { vtep, fabric_ifindex, gateway_mac, zero }
        interface_key = InterfaceKey { port_ifindex, vlan, zero }
        interface_row = InterfaceRow {
            number, vni, slow_ifindex, mtu, flags, peers, router_mac, zero
        }
        peer_cell = PeerCell { way, router, customer, mask }
        neighbour_row = NeighbourRow { mac, zero }
        change_row = ChangeRow { count }
        port_row = PortRow { limit }
        bfd_key = BfdKey { interface, customer }
        bfd_row = BfdRow {
            sent_ns, silence_ns, patience_ns, heard_ns, router, discriminator, desired_tx,
            required_rx, their_discriminator, their_desired_tx, their_required_rx, source_port,
            detect_mult, their_detect_mult, over, zero
        }
        bfd6_key = Bfd6Key { interface, customer }
        bfd6_row = Bfd6Row { session, router }
        capture_row = CaptureRow { until_ns, lost, bytes, zero }
        captured_frame = CapturedFrame { at_ns, interface, token, length, verdict, form, zero }
        bundled_port_row = BundledPortRow { full_at_ns, alive_ns, mac, said, heard, ports, zero }
        limit_row = LimitRow { bits_per_second, byte_time, burst_ns, grain, zero }
        route_row = RouteRow { count, ways }
        subnet_row = SubnetRow { gateway }
        source_row = PresenceRow { zero }
        net_row = PresenceRow { zero }
        relay_row = PresenceRow { zero }
        address_key = AddressKey { vni, address }
        nic_row = NicRow { vtep, rule_set, mac, zero }
        rule_key = RuleKey { rule_set, row, direction, zero }
        rule = RuleCell {
            network, mask, port_from, port_to, protocol, protocol_mask, zero
        }
        rule_row = RuleRow { count, rules }
        subnet_routes_key = SubnetRoutesKey { rule_set, row }
        hand_route = HandRoute { network, mask, prefix_len, to_gateway }
        subnet_routes_row = SubnetRoutesRow { count, has_next, takes_learned, routes }
        flow_key = FlowKey {
            vni, outside, inside, outside_port, inside_port, protocol, zero
        }
        flow_row = FlowRow { last_seen_ns, rule_set, opened, admitted, closing, answered }
        flow_limits_row = FlowLimitsRow { places, net_places }
        tally = TallyRow { packets, bytes }
        interface_tallies = InterfaceTallies { by_verdict }
        forwarded_row = ForwardedRow { by_verdict }
        address6 = Address6 { words }
        peer6_cell = Peer6Cell { way, router, customer, mask }
        peers6_row = Peers6Row { peers }
        subnet6_row = Subnet6Row { gateway }
        address6_key = Address6Key { vni, address }
        rule6 = Rule6Cell { network, mask, port_from, port_to, protocol, protocol_mask, zero }
        rule6_row = Rule6Row { count, rules }
        flow6_key = Flow6Key {
            vni, outside, inside, outside_port, inside_port, protocol, zero
        }
    };
    all.extend(prefix_mirrors());
    all
}

/// Keys of the longest-prefix tables.
fn prefix_mirrors() -> Vec<Mirror> {
    let mut all = Vec::new();
    let after_length = size_of::<u32>();
    for (name, scope) in [("net_prefix_key", "vni"), ("source_key", "interface")] {
        all.push(Mirror {
            name,
            bytes: size_of::<PrefixKey>(),
            fields: vec![
                ("prefix_len", 0),
                (scope, after_length + offset_of!(Scoped, scope)),
                ("address", after_length + offset_of!(Scoped, address)),
            ],
        });
    }
    for (name, scope) in [("net_prefix6_key", "vni"), ("source6_key", "interface")] {
        all.push(Mirror {
            name,
            bytes: size_of::<Prefix6Key>(),
            fields: vec![
                ("prefix_len", 0),
                (scope, after_length + offset_of!(Scoped6, scope)),
                ("address", after_length + offset_of!(Scoped6, address)),
            ],
        });
    }
    all
}
