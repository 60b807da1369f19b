// SPDX-License-Identifier: Apache-2.0 OR MIT
// To another router of the Region, which leads where this one does not, not any more, or not as
// well: the customer prefers that one.
//
//   host ─ VXLAN ─► VTEP A ─ no way of its own, or a worse one ─► VTEP B ─ the whole road ─► VLAN
//     ▲  ▲            │        the frame inside stays as it is      │  │
//     │  └────────────┴───────── B's answers, B's packets ◄─────────┼──┘
//     │               └◄─ B has lost its way a moment ago: 2 relays ┘
//
// A host sends to the router that it last heard the gateway's MAC from. B counts the hop, knows the
// flow and judges it: A decides nothing but where.
//
// Who relays has chosen: what came by a router takes a way of our own, if there is one. If not, it is
// relayed once more, and comes back to A perhaps, whose own way was second best. The frame counts its
// relays, in the last reserved byte of VXLAN, which only routers of ours read. Two routers that each
// believe in the other drop it, by name.
#pragma once

#include "vxlan.h"

#define RELAYS_MAX 2

// What a frame is that came through a tunnel, once it is known to be ours.
struct arrival {
	__u32 vni;
	__be32 from;  // VTEP
	bool relayed; // not from its NIC's VTEP, but by a router
	__u8 relays;  // so often
	const struct router_row *router;
	const struct nic_row *nic;
};

// Whether the sender is a router that leads to the Net as well.
static __always_inline bool is_relay(const struct arrival *arrival)
{
	struct address_key key = { .vni = arrival->vni, .address = arrival->from };

	return bpf_map_lookup_elem(&routers, &key);
}

static __always_inline void send_by(const struct tunnel *tunnel, const struct next_hop *hop)
{
	set_mac(tunnel->eth->destination, hop->destination_mac);
	set_mac(tunnel->eth->source, hop->source_mac);
}

static __always_inline enum verdict relay(struct xdp_md *ctx, struct trip *trip,
					  const struct arrival *arrival, __be32 vtep)
{
	struct next_hop *hop;
	struct tunnel tunnel;
	__u16 bytes;

	if (arrival->relays >= RELAYS_MAX)
		return VERDICT_RELAY_LOOP;
	hop = next_hop(ctx, vtep, arrival->router->fabric_ifindex);
	if (!hop)
		return VERDICT_FABRIC_UNRESOLVED;
	if (!read_tunnel(ctx, 0, &tunnel))
		return VERDICT_MALFORMED;
	bytes = bpf_ntohs(tunnel.ip->tot_len);
	if (hop->mtu && bytes > hop->mtu)
		return VERDICT_FABRIC_TOO_SMALL;
	send_by(&tunnel, hop);
	// The source port stays: it spreads flows over paths, and they are the same flows.
	write_outer_ip(&tunnel, arrival->router->vtep, vtep, bytes);
	tunnel.udp->check = 0;
	tunnel.vxlan->vni = bpf_htonl(arrival->vni << 8 | (arrival->relays + 1));
	trip->ifindex = hop->ifindex;
	return VERDICT_RELAYED;
}

// An answer to what was relayed goes to the NIC itself, not back by the relay. Where it leaves;
// 0: the kernel does not know the way.
static __always_inline __u32 past_relay(struct xdp_md *ctx, const struct arrival *arrival,
					const struct tunnel *tunnel)
{
	struct next_hop *hop =
		next_hop(ctx, arrival->nic->vtep, arrival->router->fabric_ifindex);

	if (!hop)
		return 0;
	send_by(tunnel, hop);
	return hop->ifindex;
}
