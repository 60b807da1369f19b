// SPDX-License-Identifier: Apache-2.0 OR MIT
// Rows of IPv6, beside those of IPv4 (tables.h), which stay as they are: their keys are short,
// and most packets are theirs. What has no address in it is shared: VLANs, ways, neighbours,
// flows' states, NICs' rows, tallies.
//
// Mirrored by `src/tables/v6.rs`, as tables.h is by `src/tables.rs`, and part of the same
// fingerprint.
#pragma once

#include "tables.h"

// In network order. Words: to compare is four operations.
struct address6 {
	__be32 words[4];
};

// table `peers6`, by interface number: the customer's routers on the VLAN. No row, no IPv6.
struct peer6_cell {
	__u32 way; // as in `peer_cell`
	struct address6 router;
	struct address6 customer;
	struct address6 mask;
};
struct peers6_row {
	struct peer6_cell peers[PEERS_PER_INTERFACE];
};

// tables `routes6` and `subnets6`, longest prefix: (VNI, IPv6).
struct net_prefix6_key {
	__u32 prefix_len; // counts the VNI's 32 bits too
	__be32 vni;
	struct address6 address;
};
struct subnet6_row {
	struct address6 gateway;
};

// table `sources6`, longest prefix.
struct source6_key {
	__u32 prefix_len; // counts the interface number's 32 bits too
	__be32 interface;
	struct address6 address;
};

// table `nics6`: (VNI, IPv6) of each NIC of a Net. Rows as those of `nics`.
struct address6_key {
	__u32 vni;
	struct address6 address;
};

// table `rules6`: what a NIC's security groups admit of IPv6; sets have the numbers of `rules`.
struct rule6 {
	struct address6 network;
	struct address6 mask;
	__u16 port_from;
	__u16 port_to;
	__u8 protocol;
	__u8 protocol_mask;
	__u16 zero;
};
struct rule6_row {
	__u32 count;
	struct rule6 rules[RULES_PER_ROW];
};

// table `bfd6_sessions`, as `bfd_sessions`.
struct bfd6_key {
	__u32 interface;
	struct address6 customer;
};
struct bfd6_row {
	struct bfd_row session; // its `router` is 0
	struct address6 router;
};

// table `flows6`. Rows as those of `flows`.
struct flow6_key {
	__u32 vni;
	struct address6 outside;
	struct address6 inside;
	__be16 outside_port;
	__be16 inside_port;
	__u8 protocol;
	__u8 zero[3];
};

// table `flow6_places`.
struct flow6_place {
	__u64 taken_ns; // 0: nobody's
	struct flow6_key key;
	__u32 zero;
};

// table `fragments6`. Rows as those of `fragments`.
struct fragment6_key {
	__u32 vni;
	struct address6 source;
	struct address6 destination;
	__be32 id;
};
