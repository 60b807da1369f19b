// SPDX-License-Identifier: Apache-2.0 OR MIT
// Rows and verdicts: everything that the packet programs and user space share.
//
// This header is the definition, with tables6.h for IPv6. `src/tables.rs` and `src/verdict.rs` mirror it, and
// `tests/layout.rs` compares sizes, offsets and numbers with this object's BTF. A change
// of a row here changes the layout's fingerprint (build.rs), so that rows that an older
// program pinned are never read as if they were of the new layout.
//
// Addresses and ports are in network order (__be32, __be16); numbers that only we
// read are in host order. Every row is without hidden padding: user space compares bytes.
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define NEXT_HOPS_PER_ROUTE 4
#define RULES_PER_ROW 16
#define RULE_ROWS_PER_SET 64 // per direction: 1,024 rules

// What became of a packet. Every packet that a program of ours sees gets exactly one.
enum verdict {
	// It went on.
	VERDICT_FORWARDED_TO_NET = 0,	   // into VXLAN, to the NIC's VTEP
	VERDICT_FORWARDED_TO_CUSTOMER = 1, // out of VXLAN, onto the VLAN
	VERDICT_TO_ROUTER = 2,		   // up, to the interface's own namespace
	VERDICT_FROM_ROUTER = 3,	   // from the interface's own namespace onto the VLAN
	VERDICT_ARP_ANSWERED = 4,	   // the gateway's address was asked for, and told
	VERDICT_TO_KERNEL = 5,		   // on the uplink, not ours: the kernel's business
	// It was dropped, and its sender told why by ICMP.
	VERDICT_TTL_EXPIRED = 6, // time exceeded, RFC 792
	VERDICT_TOO_BIG = 7,	 // fragmentation needed, RFC 1191
	// It was dropped.
	VERDICT_MALFORMED = 8,		// shorter than its headers say, or not the IP version it claims
	VERDICT_UNTAGGED = 9,		// no VLAN tag, or a priority tag only
	VERDICT_DOUBLE_TAGGED = 10,	// a tag within the tag, or a service tag
	VERDICT_UNKNOWN_VLAN = 11,	// no interface has this VLAN on this port
	VERDICT_NOT_IP = 12,		// neither IP nor ARP
	VERDICT_NOT_FOR_ROUTER = 13,	// another station's frame
	VERDICT_IP_OPTIONS = 14,	// not forwarded: IPv4 options (RFC 7126), a routing header (RFC 5095)
	VERDICT_NOT_FORWARDING = 15,	// the interface is there, but does not forward yet
	VERDICT_SOURCE_NOT_ANNOUNCED = 16, // the customer did not announce this source
	VERDICT_NIC_UNKNOWN = 17,	// no NIC of the Net has this address
	VERDICT_DENIED_BY_SECURITY_GROUP = 18,
	VERDICT_FRAGMENT_WITHOUT_FLOW = 19, // a later fragment whose first was not admitted
	VERDICT_FABRIC_UNRESOLVED = 20,	// the kernel has no route or neighbour to the VTEP
	VERDICT_FABRIC_TOO_SMALL = 21,	// the fabric's MTU does not hold the encapsulated packet
	VERDICT_UNKNOWN_VNI = 22,	// no Net here has this VNI
	VERDICT_SPOOFED_SOURCE = 23,	// not the NIC, or not the VTEP, that it claims to be
	VERDICT_NO_ROUTE = 24,		// no interface of the Net leads there
	VERDICT_INTERFACE_GONE = 25,	// the route's interface is no more
	VERDICT_NO_NEIGHBOUR = 26,	// the customer's MAC is not known (yet)
	VERDICT_SLOW_LINK_GONE = 27,	// for the router, but its namespace has no link
	VERDICT_NO_HEADROOM = 28,	// the driver leaves no room for the headers
	// It was dropped: more than the rate allows (rate.h).
	VERDICT_OVER_INTERFACE_RATE_TO_NET = 29,      // of the interface, from the customer
	VERDICT_OVER_INTERFACE_RATE_TO_CUSTOMER = 30, // of the interface, to the customer
	VERDICT_OVER_CONNECTION_RATE_TO_NET = 31,
	VERDICT_OVER_CONNECTION_RATE_TO_CUSTOMER = 32,
	// It was dropped: more of its class than an interface's namespace takes (police.h).
	VERDICT_POLICED_BGP = 33,      // of sessions that stand
	VERDICT_POLICED_BGP_OPEN = 34, // SYN to port 179
	VERDICT_POLICED_BFD = 35,
	VERDICT_POLICED_NEIGHBOUR = 36, // ARP
	VERDICT_POLICED_ICMP = 37,
	VERDICT_POLICED_REST = 38, // fragments, and all that no class has
	VERDICT_ND_ANSWERED = 39,	// as ARP_ANSWERED, in IPv6
	VERDICT_NO_IPV6_HERE = 40,	// IPv6 on an interface without an IPv6 peer
	VERDICT_EXTENSION_HEADERS = 41, // more, or longer, than are looked through
	// It went on.
	VERDICT_RELAYED = 42, // to another router of the Region, which leads there (relay.h)
	// It was dropped.
	VERDICT_RELAY_LOOP = 43, // a router relayed it here, and here it would be relayed again
	VERDICT_FLOWS_FULL = 44, // would begin a flow, and there are as many as may be (flow_table.h)
	// It was answered.
	VERDICT_BFD_ANSWERED = 45, // in the place of an agent that is silent (bfd.h)
	// It was dropped.
	VERDICT_NOT_IN_ROUTE_TABLE = 46, // that of the NIC's Subnet does not lead to the gateway
	// It was LACP, on a bundled port (lacp.h).
	VERDICT_LACP = 47,	    // up, to the agent
	VERDICT_LACP_ANSWERED = 48, // in the place of an agent that is silent
	VERDICT_POLICED_LACP = 49,  // more than a port takes
	VERDICT_COUNT = 50,
};

// ---- what the agent writes ------------------------------------------------------------

// table `router`, one row: who we are on the fabric.
struct router_row {
	__be32 vtep;	      // our end of every tunnel
	__u32 fabric_ifindex; // where the kernel's routes to VTEPs are asked from
	__u8 gateway_mac[6];  // what every Subnet's gateway answers to ARP
	__u16 zero;
};

// table `interfaces`: a VLAN on a port.
struct interface_key {
	__u32 port_ifindex;
	__u16 vlan;
	__u16 zero;
};
#define INTERFACE_FORWARDS 1
#define INTERFACE_CAPTURED 2 // a capture looks on (capture.h)
#define PEERS_PER_INTERFACE 2
// A router of the customer on the VLAN: peer addresses, and the mask of the subnet that they
// are in.
struct peer_cell {
	__u32 way; // names it in `routes` and `neighbours`; 0: there is none
	__be32 router;
	__be32 customer;
	__be32 mask;
};
struct interface_row {
	__u32 number; // ours: names the interface in all other tables
	__u32 vni;
	__u32 slow_ifindex; // router's end of the veth into the interface's own namespace
	__u16 mtu;	    // largest IP packet
	__u16 flags;	    // INTERFACE_*
	struct peer_cell peers[PEERS_PER_INTERFACE];
	__u8 router_mac[6];
	__u16 zero;
};

// table `interface_keys`, array by interface number and by way: back to `interfaces`. Both are
// numbers of one range; the way to an interface's first peer mostly has the interface's own.
// table `slow_links`: router's end of a slow veth, by ifindex → interface number.

// table `neighbours`, array by way: the customer router's MAC; all zero while it is not known.
// The kernel resolves it in the interface's namespace; the slow path reads it off what the
// kernel sends.
struct neighbour_row {
	__u8 mac[6];
	__u16 zero;
} __attribute__((aligned(8))); // is read and written in one piece

// tables `routes` and `subnets`, longest prefix: (VNI, IPv4). prefix_len counts the VNI's
// 32 bits too.
struct net_prefix_key {
	__u32 prefix_len;
	__be32 vni;
	__be32 address;
};
// A way above WAY_MAX is no peer but another router of the Region: its VTEP, in host order. No
// VTEP is as small: 0.0.0.0/8 is nobody's address (RFC 1122 §3.2.1.3).
#define WAY_MAX 0xffff
struct route_row {
	__u32 count; // of equal-cost ways; one is chosen per flow. Behind VTEPs: ways of our own, to 0
	__u32 ways[NEXT_HOPS_PER_ROUTE];
};
struct subnet_row {
	__be32 gateway;
};

// table `sources`, longest prefix: what the customer announced on an interface, as the
// check on where its packets may come from.
struct source_key {
	__u32 prefix_len; // counts the interface number's 32 bits too
	__be32 interface;
	__be32 address;
};
struct source_row {
	__u32 zero;
};

// table `nets`: VNIs that have an interface here.
struct net_row {
	__u32 zero;
};

// table `nics`: (VNI, IPv4) of each NIC of a Net.
struct address_key {
	__u32 vni;
	__be32 address;
};
struct nic_row {
	__be32 vtep;
	__u32 rule_set; // 0: none, everything is denied
	__u8 mac[6];
	__u16 zero;
};

// table `routers`, (VNI, VTEP): the other routers that lead to the Net. They relay what its NICs
// send; nobody else may speak for a NIC from another VTEP than its own.
struct relay_row {
	__u32 zero;
};

// table `rules`: what a NIC's security groups admit, merged. A set is complete before a
// NIC row names it, and never changes afterwards: a new rule is a new set.
enum direction {
	DIRECTION_INBOUND = 0,	// customer → NIC
	DIRECTION_OUTBOUND = 1, // NIC → customer
};
struct rule_key {
	__u32 rule_set;
	__u16 row; // 0, 1, … while rows are full
	__u8 direction;
	__u8 zero;
};
struct rule {
	__be32 network; // the far end's range
	__be32 mask;
	__u16 port_from; // destination port, host order; ICMP: type << 8 | code; else any
	__u16 port_to;
	__u8 protocol;
	__u8 protocol_mask; // 0: any
	__u16 zero;
};
struct rule_row {
	__u32 count;
	struct rule rules[RULES_PER_ROW];
};

// table `subnet_routes`, by rule set and row: what the route table of the NIC's Subnet says, part of
// the set. No row: it takes all that the gateway learned.
#define HAND_ROUTES_PER_ROW 16
#define HAND_ROUTE_ROWS_PER_SET 64
struct subnet_routes_key {
	__u32 rule_set;
	__u32 row; // 0, 1, … while rows say that one follows
};
struct hand_route {
	__be32 network;
	__be32 mask;
	__u16 prefix_len;
	__u16 to_gateway; // 0: elsewhere
};
struct subnet_routes_row {
	__u8 count;
	__u8 has_next;
	__u16 takes_learned; // propagation is on
	struct hand_route routes[HAND_ROUTES_PER_ROW]; // longest first, through all rows
};

// table `ports`: by ifindex, the limit of what a port carries.
struct port_row {
	__u32 limit; // below PORT_LIMITS, and not 0
};

// table `bundled_ports`, by ifindex: ports that speak LACP.
#define LACP_SAID 15 // of an actor, as it stands in a PDU
#define BUNDLED_PORTS_MAX 4
struct bundled_port_row {
	__u64 full_at_ns; // as in police.h
	__u64 alive_ns;	  // CLOCK_MONOTONIC: when the agent last said that it lives
	__u8 mac[6];
	__u8 said[LACP_SAID];  // by the agent, of itself
	__u8 heard[LACP_SAID]; // of the customer, by whomever
	__u32 ports[BUNDLED_PORTS_MAX]; // of the bundle, itself among them; 0: no more
	__u8 zero[4];
};

// table `limits`, array: how much of what is forwarded may go each way. First those of ports,
// then those of interfaces, by number.
#define PORT_LIMITS 1024
#define LIMITS (PORT_LIMITS + 65536)
struct limit_row {
	__u64 bits_per_second; // 0: there is no such limit
	__u64 byte_time;       // how long the rate takes for a byte, in units of 2^-20 ns
	__u64 burst_ns;	       // how far ahead of the rate it may be at once
	__u32 grain;	       // bytes that a processor takes at once
	__u32 zero;
};

// table `changes`, array: how often rows changed that a shortcut may have come from (shortcuts.h).
// Whoever changes such a row counts here after it. Row 0 is for interfaces and the router's
// own row; the others are for what a Net has, by the lower bits of its VNI.
#define NET_CHANGES 1024
struct change_row {
	__u64 count;
};

// table `flow_limits`, array: how many flows of a family there may be.
struct flow_limits_row {
	__u32 places;	  // of `flow_places` and `flows`; 0: no flow begins
	__u32 net_places; // for one Net, both families together
};

// table `bfd_sessions`, by interface and customer's address: BFD sessions that are Up, as the
// agent last spoke in them, and what the forwarding heard in its place (bfd.h). Intervals are in
// microseconds, as in the packets.
struct bfd_key {
	__u32 interface;
	__be32 customer;
};
struct bfd_row {
	__u64 sent_ns;	   // CLOCK_MONOTONIC: when the agent last spoke
	__u64 silence_ns;  // after so much silence of its the forwarding speaks
	__u64 patience_ns; // after so much no longer
	__u64 heard_ns;	   // when the customer was last heard
	__be32 router;
	__be32 discriminator; // ours
	__be32 desired_tx;
	__be32 required_rx;
	__be32 their_discriminator;
	__be32 their_desired_tx;
	__be32 their_required_rx;
	__be16 source_port;
	__u8 detect_mult;
	__u8 their_detect_mult;
	__u32 over; // the customer said that it is not Up any more
	__u32 zero;
};

// table `captures`, by interface number: who looks on at an interface, and for how long (capture.h).
#define CAPTURE_BYTES_MAX 4096
struct capture_row {
	__u64 until_ns; // CLOCK_MONOTONIC
	__u64 lost;	// records that the ring had no room for
	__u32 bytes;	// of a frame that are copied
	__u32 zero;
};

// ---- what the packets write -----------------------------------------------------------

// table `flows`: outside is the customer's network, inside the NIC, whoever began.
// An ICMP echo has its identifier as both ports.
struct flow_key {
	__u32 vni;
	__be32 outside;
	__be32 inside;
	__be16 outside_port;
	__be16 inside_port;
	__u8 protocol;
	__u8 zero[3];
};
struct flow_row {
	__u64 last_seen_ns; // CLOCK_MONOTONIC, coarse
	__u32 rule_set;	    // judged by this set; a NIC with another has it judged again
	__u8 opened;	    // enum direction of the packet that began it
	__u8 admitted;	    // 0: was admitted once, and its rule is gone
	__u8 closing;	    // TCP: a FIN or RST was seen
	__u8 answered;	    // a packet came the other way
};

// table `flow_places`, array: each flow in `flows` has one place here, by which it is found again
// when it is old (flow_table.h). `free_places` is a queue of those that were left.
struct flow_place {
	__u64 taken_ns; // 0: nobody's
	struct flow_key key;
};
// table `flow_clock`, array: a row for each family.
#define CLOCK_IPV4 0
#define CLOCK_IPV6 1
struct flow_clock_row {
	struct bpf_timer timer;
	__u64 taken; // places that have been somebody's at some time: all below it
	__u64 swept; // counts up: the place to be looked at next, modulo how many there are
};

// table `net_flows`, array by the lower bits of the VNI: how many flows of both families.
#define NET_FLOWS 65536

// table `fragments`: datagrams whose first fragment was admitted.
struct fragment_key {
	__u32 vni;
	__be32 source;
	__be32 destination;
	__be16 id;
	__u8 protocol;
	__u8 zero;
};
struct fragment_row {
	__u64 last_seen_ns;
};

// tables `router_tallies` (array by verdict) and `interface_tallies` (by interface number).
struct tally {
	__u64 packets;
	__u64 bytes;
};
struct interface_tallies {
	struct tally by_verdict[VERDICT_COUNT];
};

// table `forwarded`, array: the first two verdicts of an interface, which nearly all packets
// have, apart from the others for the sake of speed. Each processor has so many rows, by
// interface number; what has a higher number is in `interface_tallies` with the rest.
#define FORWARDED_NUMBERS 16384
#define FORWARDED_VERDICTS 2
struct forwarded_row {
	struct tally by_verdict[FORWARDED_VERDICTS];
};

// ring `captured`: copies of frames, each with this head before it.
enum captured_form {
	CAPTURED_TAGGED = 0,	// from the customer, as it came
	CAPTURED_DEPARTURE = 1, // to the customer, as it leaves
	CAPTURED_PACKET = 2,	// to the customer, without Ethernet: it was not sent
	CAPTURED_UNTAGGED = 3,	// from the interface's own namespace, without its tag
	CAPTURED_VERDICT = 4,	// no frame: what became of the one with this token
};
struct captured_frame {
	__u64 at_ns; // CLOCK_MONOTONIC
	__u32 interface;
	__u32 token;
	__u32 length;  // of the whole frame
	__u16 verdict; // VERDICT_COUNT: a record with this token tells it
	__u8 form;     // enum captured_form
	__u8 zero;
};

// table `strays`, by `interface_key`: frames of a tag that no interface of the port has; tag 0
// is that of frames without one. Counted in a __u64.

// ---- the lab's cable (cable.bpf.c) ----------------------------------------------------

// table `cable_vlans`: (trunk, VLAN) → untagged interface; `cable_tags` the other way.
struct cable_tag_row {
	__u32 trunk_ifindex;
	__u16 vlan;
	__u16 zero;
};
