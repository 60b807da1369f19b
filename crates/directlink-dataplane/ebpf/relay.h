// SPDX-License-Identifier: Apache-2.0 OR MIT
// To another router of the Region, which leads where this one does not, or not any more.
//
//   host ─ VXLAN ─► VTEP A ─ A has no way of its own ─► VTEP B ─ B: the whole road ─► VLAN
//     ▲               the frame inside stays as it is            │
//     └──────────────── B's answers, B's packets ◄───────────────┘
//
// A host sends to the router that it last heard the gateway's MAC from. When that one has lost
// its customer, it hands on what the host sends, until the host hears from the other. B counts
// the hop, knows the flow and judges it: A decides nothing but where.
//
// A packet is relayed once. Two routers that each believe in the other drop it, by name.
#pragma once

#include "vxlan.h"

// What a frame is that came through a tunnel, once it is known to be ours.
struct arrival {
	__u32 vni;
	__be32 from;  // VTEP
	bool relayed; // not from its NIC's VTEP, but by a router
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

	if (arrival->relayed)
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
