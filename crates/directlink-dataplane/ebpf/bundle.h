// SPDX-License-Identifier: Apache-2.0 OR MIT
// The ports of a bundle carry what any of them has.
//
//   customer ── frame by p1 ──► p1 has no interface of that tag, p0 has? ─► it is p0's
//            ◄── by p0 or p1, as the flow's hash says ── for the customer of p0's interface
//
// An interface is a row of one port. Which of the others is in use for it as well, LACP has settled
// with the customer, and the agent has written down (lacp.h): a port that collects takes
// the others' frames, one that distributes and that the customer has in its bundle sends them.
#pragma once

#include "trip.h"

#define LACP_STATES (LACP_SAID - 1) // IEEE 802.1AX-2020 §6.4.2.3
#define LACP_SYNCHRONIZATION 0x08
#define LACP_COLLECTING 0x10
#define LACP_DISTRIBUTING 0x20

// The interface of another port of the same bundle, or NULL.
static __noinline struct interface_row *find_in_bundle(__u32 port_ifindex, __u32 vlan)
{
	struct bundled_port_row *port = bpf_map_lookup_elem(&bundled_ports, &port_ifindex);
	struct interface_key key = { .vlan = vlan };
	struct interface_row *row;
	int i;

	if (!port || !(port->said[LACP_STATES] & LACP_COLLECTING))
		return NULL;
	for (i = 0; i < BUNDLED_PORTS_MAX; i++) {
		key.port_ifindex = port->ports[i];
		row = key.port_ifindex ? bpf_map_lookup_elem(&interfaces, &key) : NULL;
		if (row)
			return row;
	}
	return NULL;
}

// The interface of a tag: the port's own, or else that of another port of its bundle.
static __always_inline struct interface_row *find_interface_of(__u32 port_ifindex, __u16 vlan)
{
	struct interface_key key = { .port_ifindex = port_ifindex, .vlan = vlan };
	struct interface_row *row = bpf_map_lookup_elem(&interfaces, &key);

	return row ? row : find_in_bundle(port_ifindex, vlan);
}

static __always_inline bool is_in_use(__u32 port_ifindex)
{
	struct bundled_port_row *port = bpf_map_lookup_elem(&bundled_ports, &port_ifindex);

	return port && (port->said[LACP_STATES] & LACP_DISTRIBUTING) &&
	       (port->heard[LACP_STATES] & LACP_SYNCHRONIZATION);
}

// Bits as good as drawn by lot.
static __always_inline __u32 lot(__u32 hash, __u32 port_ifindex)
{
	hash ^= port_ifindex * 0x9e3779b1;
	hash = (hash ^ hash >> 16) * 0x85ebca6b;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35;
	return hash ^ hash >> 16;
}

// By which port a flow goes that is an interface's of `port_ifindex`: of those in use the one that drew
// the highest lot for it, so that a port that leaves takes none but its own flows along.
static __noinline __u32 choose_port(__u32 port_ifindex, __u32 hash)
{
	struct bundled_port_row *port = bpf_map_lookup_elem(&bundled_ports, &port_ifindex);
	__u32 chosen = port_ifindex;
	__u64 highest = 0;
	int i;

	for (i = 0; port && i < BUNDLED_PORTS_MAX; i++) {
		__u32 other = port->ports[i];
		__u64 drawn = 1ull + lot(hash, other);

		if (drawn > highest && is_in_use(other)) {
			highest = drawn;
			chosen = other;
		}
	}
	return chosen;
}
