//! What became of a packet: one named verdict each, counted.
//!
//! Mirrors `enum verdict` of `ebpf/tables.h`; `tests/layout.rs` compares the numbers.

use std::fmt;

/// Declares the verdicts once: number, name as metrics and reports write it, what it says.
macro_rules! verdicts {
    ($($number:literal $variant:ident $name:literal $says:literal,)*) => {
        /// The fate of a packet at the router.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Verdict {
            $(#[doc = $says] $variant = $number,)*
        }

        impl Verdict {
            /// Every verdict, by number.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$variant),*];

            /// The name for metrics and reports: `denied_by_security_group`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One clause for people.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

verdicts! {
    0 ForwardedToNet "forwarded_to_net" "went into VXLAN, to the NIC's VTEP",
    1 ForwardedToCustomer "forwarded_to_customer" "went out of VXLAN, onto the VLAN",
    2 ToRouter "to_router" "went up to the interface's own namespace",
    3 FromRouter "from_router" "came from the interface's own namespace, onto the VLAN",
    4 ArpAnswered "arp_answered" "asked for the gateway's MAC, and was told",
    5 ToKernel "to_kernel" "was the kernel's business on the uplink",
    6 TtlExpired "ttl_expired" "had no hop left; its sender was told",
    7 TooBig "too_big" "was larger than the MTU; its sender was told",
    8 Malformed "malformed" "was shorter than its headers say, or not the IP version it claims",
    9 Untagged "untagged" "had no VLAN tag",
    10 DoubleTagged "double_tagged" "had a tag within the tag, or a service tag",
    11 UnknownVlan "unknown_vlan" "had a VLAN that no interface has on this port",
    12 NotIp "not_ip" "was neither IP nor ARP",
    13 NotForRouter "not_for_router" "was another station's frame",
    14 IpOptions "ip_options" "had IP options or a routing header, which are not forwarded",
    15 NotForwarding "not_forwarding" "came to an interface that does not forward yet",
    16 SourceNotAnnounced "source_not_announced" "came from a source that the customer did not announce",
    17 NicUnknown "nic_unknown" "went to an address that no NIC of the Net has",
    18 DeniedBySecurityGroup "denied_by_security_group" "no security group rule admits it",
    19 FragmentWithoutFlow "fragment_without_flow" "was a later fragment whose first was not admitted",
    20 FabricUnresolved "fabric_unresolved" "the kernel has no route or neighbour to the VTEP",
    21 FabricTooSmall "fabric_too_small" "the fabric's MTU does not hold the encapsulated packet",
    22 UnknownVni "unknown_vni" "had a VNI that no Net here has",
    23 SpoofedSource "spoofed_source" "was not from the NIC or the VTEP that it claims",
    24 NoRoute "no_route" "no interface of the Net leads there",
    25 InterfaceGone "interface_gone" "the route's interface is no more",
    26 NoNeighbour "no_neighbour" "the customer router's MAC is not known yet",
    27 SlowLinkGone "slow_link_gone" "was for the router, but its namespace has no link",
    28 NoHeadroom "no_headroom" "the driver leaves no room for the headers",
    29 OverInterfaceRateToNet "over_interface_rate_to_net" "came from the customer faster than the interface may carry",
    30 OverInterfaceRateToCustomer "over_interface_rate_to_customer" "went to the customer faster than the interface may carry",
    31 OverConnectionRateToNet "over_connection_rate_to_net" "came from the customer faster than the connection was ordered",
    32 OverConnectionRateToCustomer "over_connection_rate_to_customer" "went to the customer faster than the connection was ordered",
    33 PolicedBgp "policed_bgp" "was more of BGP than the router takes from one interface",
    34 PolicedBgpOpen "policed_bgp_open" "was one of too many that open BGP (SYN to port 179)",
    35 PolicedBfd "policed_bfd" "was more of BFD than the router takes from one interface",
    36 PolicedNeighbour "policed_neighbour" "was more of ARP than the router takes from one interface",
    37 PolicedIcmp "policed_icmp" "was more of ICMP than the router takes from one interface",
    38 PolicedRest "policed_rest" "was for the router, of no class of its own (fragments), and one of too many",
    39 NdAnswered "nd_answered" "asked for the gateway's MAC in IPv6, and was told",
    40 NoIpv6Here "no_ipv6_here" "was IPv6 on an interface without an IPv6 peer",
    41 ExtensionHeaders "extension_headers" "had more or longer extension headers than are looked through",
    42 Relayed "relayed" "went to another router of the Region, which leads there",
    43 RelayLoop "relay_loop" "came by another router, and would have been handed on again",
    44 FlowsFull "flows_full" "would begin a flow, and there are as many as the router or one Net may have",
    45 BfdAnswered "bfd_answered" "was BFD for an agent that was silent, and was answered in its place",
    46 NotInRouteTable "not_in_route_table" "the route table of its NIC's Subnet does not lead there",
    47 Lacp "lacp" "was LACP, and went up to the agent",
    48 LacpAnswered "lacp_answered" "was LACP for an agent that was silent, and was answered in its place",
    49 PolicedLacp "policed_lacp" "was more of LACP than the router takes from one port",
}

impl Verdict {
    pub const COUNT: usize = Self::ALL.len();

    /// Whether the packet went on: all others were dropped.
    pub const fn went_on(self) -> bool {
        matches!(
            self,
            Self::ForwardedToNet
                | Self::ForwardedToCustomer
                | Self::ToRouter
                | Self::FromRouter
                | Self::ArpAnswered
                | Self::NdAnswered
                | Self::ToKernel
                | Self::Relayed
                | Self::BfdAnswered
                | Self::Lacp
                | Self::LacpAnswered
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Packets and bytes (of whole frames, as they came in).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub packets: u64,
    pub bytes: u64,
}

/// Ethernet, IPv4, UDP and VXLAN are 50 bytes; the tag is 4.
const TUNNEL_GROWTH: u64 = 50 - 4;

/// A tally for each verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallies([Tally; Verdict::COUNT]);

impl Tallies {
    pub const fn of(&self, verdict: Verdict) -> Tally {
        self.0[verdict as usize]
    }

    /// Only the verdicts that occurred.
    pub fn seen(&self) -> impl Iterator<Item = (Verdict, Tally)> + '_ {
        Verdict::ALL.into_iter().map(|v| (v, self.of(v))).filter(|(_, t)| t.packets > 0)
    }

    /// What went on between the customer and the Net, in bytes on the customer's wire: from the
    /// customer, and to it. What came out of a tunnel is counted with the tunnel's headers, in
    /// place of the tag that it leaves with.
    pub const fn carried(&self) -> (Tally, Tally) {
        let out = self.of(Verdict::ForwardedToCustomer);
        let headers = out.packets.saturating_mul(TUNNEL_GROWTH);
        let bytes = out.bytes.saturating_sub(headers);
        (self.of(Verdict::ForwardedToNet), Tally { packets: out.packets, bytes })
    }

    pub(crate) fn add(&mut self, verdict: usize, packets: u64, bytes: u64) {
        if let Some(tally) = self.0.get_mut(verdict) {
            tally.packets += packets;
            tally.bytes += bytes;
        }
    }
}

impl Default for Tallies {
    fn default() -> Self {
        Self([Tally::default(); Verdict::COUNT])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_and_names_are_distinct() {
        for (n, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, n);
        }
        let mut names: Vec<_> = Verdict::ALL.map(Verdict::name).into();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Verdict::COUNT);
    }

    #[test]
    fn what_went_to_the_customer_counts_as_on_its_wire() {
        let mut tallies = Tallies::default();
        tallies.add(Verdict::ForwardedToNet as usize, 2, 2 * 104);
        tallies.add(Verdict::ForwardedToCustomer as usize, 3, 3 * 150);
        let (from, to) = tallies.carried();
        assert_eq!(from, Tally { packets: 2, bytes: 208 });
        assert_eq!(to, Tally { packets: 3, bytes: 312 });
    }

    #[test]
    fn only_what_occurred_is_seen() {
        let mut tallies = Tallies::default();
        tallies.add(Verdict::NoRoute as usize, 2, 128);
        tallies.add(Verdict::COUNT, 1, 64);
        assert_eq!(
            tallies.seen().collect::<Vec<_>>(),
            [(Verdict::NoRoute, Tally { packets: 2, bytes: 128 })]
        );
    }
}
