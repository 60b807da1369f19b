// SPDX-License-Identifier: Apache-2.0 OR MIT
// Known ways into the Net (see ways.h).
//
//   │ MACs 12 │ tag 4 │ type 2 │ IPv4 20 │ ports 4 │      what the key is made of:
//   └ ours ───┴ VLAN ─┴ IPv4 ──┴ version, fragment, protocol, addresses ─┴ all
#pragma once

#include "vxlan.h"
#include "ways.h"

#define PORT_HEAD sizeof(struct tagged)
// What a frame grows by: the tunnel comes, Ethernet and tag go.
#define PORT_GROWTH (TUNNEL_BYTES - sizeof(struct tagged))

#define NET_WAY_WORDS 4
#define OUR_MAC 0xffffffffffff0000ull		 // of the frame's first 8 bytes
#define TAG_TYPE_VERSION 0xffff0fffffffff00ull	 // of the 8 bytes behind the MACs
#define TAG_AT 12

struct net_way {
	__u64 words[NET_WAY_WORDS];
	struct way_age age;
	__u32 ifindex;
	__u32 interface;
	__u16 mtu;	  // of the interface
	__u16 room;	  // largest frame that the fabric's MTU holds
	__u32 sum;	  // of the outer IP header without its length
	__u64 head[TUNNEL_BYTES / 8];
};

struct net_way_set {
	struct net_way ways[2];
};

// User space makes room for each processor (`load.rs`).
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct net_way_set);
	__uint(max_entries, 1 << WAY_SET_BITS);
} net_ways SEC(".maps");

static __always_inline void note_port_frame(struct xdp_md *ctx, struct notes *notes)
{
	const __u8 *frame = at(ctx, 0, PORT_HEAD + sizeof(struct iphdr) + sizeof(struct udphdr));
	const struct iphdr *ip;
	__be32 ports;

	notes->eligible = frame && is_amid_flow(ctx, frame + PORT_HEAD);
	if (!notes->eligible)
		return;
	ip = (const struct iphdr *)(frame + PORT_HEAD);
	ports = *(const __be32 *)(ip + 1);
	notes->words[0] = load_word(frame) & bpf_cpu_to_be64(OUR_MAC);
	notes->words[0] |= bpf_cpu_to_be64(ip->protocol);
	notes->words[1] = load_word(frame + TAG_AT) & bpf_cpu_to_be64(TAG_TYPE_VERSION);
	notes->words[2] = load_word(&ip->saddr);
	notes->words[3] = (__u64)ports << 32 | ctx->ingress_ifindex;
	notes->set = way_set((notes->words[1] + notes->words[2]) * 0x85ebca77c2b2ae3dull ^
			     notes->words[3]);
}

static __always_inline bool is_net_way(const struct net_way *way, const struct notes *notes)
{
	const __u64 *a = way->words, *b = notes->words;

	// Spelled out: clang 14 unrolls no loop that it inlines.
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

static __always_inline struct net_way *find_net_way(const struct notes *notes)
{
	struct net_way_set *set = bpf_map_lookup_elem(&net_ways, &notes->set);

	if (!set)
		return NULL;
	if (is_net_way(&set->ways[0], notes))
		return &set->ways[0];
	return is_net_way(&set->ways[1], notes) ? &set->ways[1] : NULL;
}

// The frame is in its tunnel: the next one of its flow will have the same head.
static __always_inline void leave_net_way(const struct notes *notes, const struct trip *trip,
					  const struct tunnel *tunnel, __u16 mtu, __u16 room)
{
	struct net_way_set *set;
	struct net_way *way;

	if (!notes->eligible)
		return;
	set = bpf_map_lookup_elem(&net_ways, &notes->set);
	if (!set)
		return;
	way = &set->ways[0];
	if (is_current(&way->age) && !is_net_way(way, notes))
		way = &set->ways[1];
#pragma unroll
	for (int i = 0; i < NET_WAY_WORDS; i++)
		way->words[i] = notes->words[i];
	way->age = age_now(notes);
	way->ifindex = trip->ifindex;
	way->interface = trip->interface;
	way->mtu = mtu;
	way->room = room;
	way->sum = (__u16)~tunnel->ip->check + (__u16)~tunnel->ip->tot_len;
#pragma unroll
	for (int i = 0; i < TUNNEL_BYTES / 8; i++)
		way->head[i] = load_word((void *)tunnel->eth + 8 * i);
}

static __always_inline void write_way(const struct tunnel *tunnel, const struct net_way *way,
				      __u16 bytes)
{
	__u64 *to = (__u64 *)tunnel->eth;
	__u32 sum;

#pragma unroll
	for (int i = 0; i < TUNNEL_BYTES / 8; i++)
		to[i] = way->head[i];
	tunnel->ip->tot_len = bpf_htons(bytes);
	sum = way->sum + tunnel->ip->tot_len;
	sum = (sum & 0xffff) + (sum >> 16);
	tunnel->ip->check = ~(sum + (sum >> 16));
	tunnel->udp->len = bpf_htons(bytes - sizeof(struct iphdr));
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_net_way(struct xdp_md *ctx, struct trip *trip,
					       struct notes *notes)
{
	struct tunnel tunnel;
	struct net_way *way;
	struct iphdr *ip;

	note_port_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	way = find_net_way(notes);
	if (!way || !is_current(&way->age) || trip->bytes > way->room)
		return VERDICT_COUNT;
	ip = at(ctx, PORT_HEAD, sizeof(*ip));
	if (!ip || !is_usual(ip, trip->bytes - PORT_HEAD, way->mtu))
		return VERDICT_COUNT;
	trip->interface = way->interface;
	trip->ifindex = way->ifindex;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	if (!read_tunnel(ctx, sizeof(*ip), &tunnel))
		return VERDICT_MALFORMED;
	take_hop(tunnel.payload);
	write_way(&tunnel, way, trip->bytes + PORT_GROWTH - sizeof(struct ethernet));
	return VERDICT_FORWARDED_TO_NET;
}
