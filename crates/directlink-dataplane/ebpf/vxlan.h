// SPDX-License-Identifier: Apache-2.0 OR MIT
// VXLAN (RFC 7348): the fabric's side of a packet.
//
//   │ outer Ethernet 14 │ outer IPv4 20 │ UDP 8 │ VXLAN 8 │ inner Ethernet 14 │ IPv4 …
#pragma once

#include "flows.h"
#include "trip.h"
#include "shortcuts.h"

#define VXLAN_PORT 4789
#define VXLAN_VNI_VALID 0x08
#define VXLAN_OUTER_TTL 64
#define SOURCE_PORT_FIRST 49152 // RFC 6335: dynamic ports, to spread flows over paths
#define SOURCE_PORT_MASK 0x3fff
#define NEXT_HOP_SLOT_BITS 10
#define FAMILY_IPV4 2

struct vxlan {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni; // upper 24 bits
};

#define TUNNEL_BYTES                                                                              \
	(2 * sizeof(struct ethernet) + sizeof(struct iphdr) + sizeof(struct udphdr) +             \
	 sizeof(struct vxlan))

// The headers of a frame in a tunnel. Not one packed struct: IPv4 is not aligned in it.
struct tunnel {
	struct ethernet *eth;
	struct iphdr *ip;
	struct udphdr *udp;
	struct vxlan *vxlan;
	struct ethernet *inner;
	void *payload;
};

// False if the frame ends before, or within `bytes` of payload.
static __always_inline bool read_tunnel(struct xdp_md *ctx, __u32 bytes, struct tunnel *tunnel)
{
	tunnel->eth = at(ctx, 0, TUNNEL_BYTES + bytes);
	if (!tunnel->eth)
		return false;
	tunnel->ip = (struct iphdr *)(tunnel->eth + 1);
	tunnel->udp = (struct udphdr *)(tunnel->ip + 1);
	tunnel->vxlan = (struct vxlan *)(tunnel->udp + 1);
	tunnel->inner = (struct ethernet *)(tunnel->vxlan + 1);
	tunnel->payload = tunnel->inner + 1;
	return true;
}

// The kernel's answer on the way to a VTEP, kept for a moment. Each processor has its own,
// and a VTEP has one slot: cheaper than a hash, for what is cheap to ask again.
struct next_hop {
	__u64 asked_ticks;
	__be32 vtep;
	__u32 ifindex;
	__u16 mtu; // of the way; 0: not said
	__u8 source_mac[6];
	__u8 destination_mac[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct next_hop);
	__uint(max_entries, 1 << NEXT_HOP_SLOT_BITS);
} next_hops SEC(".maps");

// What the tunnel's headers are made from.
struct endpoint {
	__u32 vni;
	__u32 hash;
	__u16 mtu; // of the interface that it comes from
	const struct nic_row *nic;
	const struct router_row *router;
	const struct next_hop *hop;
};

static __always_inline __u32 mix_flow(__be32 source, __be32 destination, __u32 ports, __u8 protocol)
{
	__u32 hash = source * 0x9e3779b1 ^ destination * 0x85ebca77;

	hash ^= ports * 0xc2b2ae3d;
	hash ^= protocol;
	hash ^= hash >> 15;
	hash *= 0x27d4eb2f;
	return hash ^ hash >> 13;
}

static __always_inline __u32 flow_hash(const struct tuple *tuple)
{
	return mix_flow(tuple->source, tuple->destination,
			(__u32)tuple->source_port << 16 | tuple->destination_port,
			tuple->protocol);
}

static __always_inline __be16 source_port(__u32 hash)
{
	return bpf_htons(SOURCE_PORT_FIRST + (hash & SOURCE_PORT_MASK));
}

// `bytes`: of the outer IP packet.
static __always_inline void write_outer_ip(const struct tunnel *tunnel, __be32 from, __be32 to,
					   __u16 bytes)
{
	*tunnel->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(bytes),
		.frag_off = bpf_htons(IP_DONT_FRAGMENT),
		.ttl = VXLAN_OUTER_TTL,
		.protocol = IPPROTO_UDP,
		.saddr = from,
		.daddr = to,
	};
	tunnel->ip->check = ip_checksum(tunnel->ip);
}

static __always_inline void write_tunnel(const struct tunnel *tunnel, const struct endpoint *end,
					 __u16 bytes)
{
	set_mac(tunnel->eth->destination, end->hop->destination_mac);
	set_mac(tunnel->eth->source, end->hop->source_mac);
	tunnel->eth->protocol = bpf_htons(ETH_P_IP);
	write_outer_ip(tunnel, end->router->vtep, end->nic->vtep, bytes);
	tunnel->udp->source = source_port(end->hash);
	tunnel->udp->dest = bpf_htons(VXLAN_PORT);
	tunnel->udp->len = bpf_htons(bytes - sizeof(struct iphdr));
	tunnel->udp->check = 0;
	*tunnel->vxlan = (struct vxlan){ .flags = VXLAN_VNI_VALID, .vni = bpf_htonl(end->vni << 8) };
	set_mac(tunnel->inner->destination, end->nic->mac);
	set_mac(tunnel->inner->source, end->router->gateway_mac);
	tunnel->inner->protocol = bpf_htons(ETH_P_IP);
}

// Asks the kernel's routes and neighbours. Nothing is sent on a wrong or no answer: the
// agent has the kernel keep the VTEPs' neighbours resolved.
static __always_inline bool look_up_next_hop(struct xdp_md *ctx, struct next_hop *hop, __be32 vtep,
					     __u32 fabric_ifindex)
{
	struct bpf_fib_lookup fib = {
		.family = FAMILY_IPV4,
		.l4_protocol = IPPROTO_UDP,
		.ipv4_dst = vtep,
		.ifindex = fabric_ifindex,
	};

	hop->asked_ticks = 0;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	hop->vtep = vtep;
	hop->ifindex = fib.ifindex;
	hop->mtu = fib.mtu_result;
	set_mac(hop->source_mac, fib.smac);
	set_mac(hop->destination_mac, fib.dmac);
	hop->asked_ticks = bpf_jiffies64();
	return true;
}

// The kernel's answer, asked for again and again: the kernel stays the only truth, and it
// stays so when no agent runs.
static __always_inline struct next_hop *next_hop(struct xdp_md *ctx, __be32 vtep,
						 __u32 fabric_ifindex)
{
	__u32 slot = (vtep * 0x9e3779b1) >> (32 - NEXT_HOP_SLOT_BITS);
	struct next_hop *hop = bpf_map_lookup_elem(&next_hops, &slot);

	if (!hop)
		return NULL;
	if (hop->vtep == vtep && bpf_jiffies64() - hop->asked_ticks < FRESH_TICKS)
		return hop;
	return look_up_next_hop(ctx, hop, vtep, fabric_ifindex) ? hop : NULL;
}

// Turns a tunnel round, for an answer to where it came from.
static __always_inline void turn_tunnel(const struct tunnel *tunnel, const struct router_row *router,
					const struct nic_row *nic, __u16 bytes)
{
	__u16 mac[3];

	set_mac(mac, tunnel->eth->source);
	set_mac(tunnel->eth->source, tunnel->eth->destination);
	set_mac(tunnel->eth->destination, mac);
	write_outer_ip(tunnel, router->vtep, nic->vtep, bytes);
	tunnel->udp->dest = bpf_htons(VXLAN_PORT);
	tunnel->udp->len = bpf_htons(bytes - sizeof(struct iphdr));
	tunnel->udp->check = 0;
	// A host's kernel drops what says how often it was relayed.
	tunnel->vxlan->vni &= bpf_htonl(0xffffff00);
	set_mac(tunnel->inner->destination, nic->mac);
	set_mac(tunnel->inner->source, router->gateway_mac);
}
