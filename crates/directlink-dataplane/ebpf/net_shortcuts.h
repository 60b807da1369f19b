// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts into the Net (see shortcuts.h).
//
//   │ MACs 12 │ tag 4 │ type 2 │ IPv4 20 │ ports 4 │      what the key is made of:
//   └ ours ───┴ VLAN ─┴ IPv4 ──┴ version, fragment, protocol, addresses ─┴ all
#pragma once

#include "rate.h"
#include "shortcuts.h"
#include "vxlan.h"

#define PORT_HEAD sizeof(struct tagged)
// What a frame grows by: the tunnel comes, Ethernet and tag go.
#define PORT_GROWTH (TUNNEL_BYTES - sizeof(struct tagged))

#define NET_SHORTCUT_WORDS 4
#define OUR_MAC 0xffffffffffff0000ull		 // of the frame's first 8 bytes
#define TAG_TYPE_VERSION 0xffff0fffffffff00ull	 // of the 8 bytes behind the MACs
#define TAG_AT 12

struct net_shortcut {
	__u64 words[NET_SHORTCUT_WORDS];
	struct shortcut_age age;
	__u32 ifindex;
	__u16 interface;
	__u16 limits;
	__u16 mtu;	  // of the interface
	__u16 room;	  // largest frame that the fabric's MTU holds
	__u32 sum;	  // of the outer IP header without its length
	__u64 head[TUNNEL_BYTES / 8];
};

struct net_shortcut_set {
	struct net_shortcut shortcuts[2];
};

// User space makes room for each processor (`load.rs`).
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct net_shortcut_set);
	__uint(max_entries, 1 << SHORTCUT_SET_BITS);
} net_shortcuts SEC(".maps");

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
	notes->set = shortcut_set((notes->words[1] + notes->words[2]) * 0x85ebca77c2b2ae3dull ^
			     notes->words[3]);
}

static __always_inline bool is_net_shortcut(const struct net_shortcut *shortcut, const struct notes *notes)
{
	const __u64 *a = shortcut->words, *b = notes->words;

	// Spelled out: clang 14 unrolls no loop that it inlines.
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

static __always_inline struct net_shortcut *find_net_shortcut(const struct notes *notes)
{
	struct net_shortcut_set *set = bpf_map_lookup_elem(&net_shortcuts, &notes->set);

	if (!set)
		return NULL;
	if (is_net_shortcut(&set->shortcuts[0], notes))
		return &set->shortcuts[0];
	return is_net_shortcut(&set->shortcuts[1], notes) ? &set->shortcuts[1] : NULL;
}

// The frame is in its tunnel: the next one of its flow will have the same head.
static __always_inline void leave_net_shortcut(const struct notes *notes, const struct trip *trip,
					  const struct tunnel *tunnel, __u16 mtu, __u16 room)
{
	struct net_shortcut_set *set;
	struct net_shortcut *shortcut;

	if (!notes->eligible)
		return;
	set = bpf_map_lookup_elem(&net_shortcuts, &notes->set);
	if (!set)
		return;
	shortcut = &set->shortcuts[0];
	if (is_current(&shortcut->age) && !is_net_shortcut(shortcut, notes))
		shortcut = &set->shortcuts[1];
#pragma unroll
	for (int i = 0; i < NET_SHORTCUT_WORDS; i++)
		shortcut->words[i] = notes->words[i];
	shortcut->age = age_now(notes);
	shortcut->ifindex = trip->ifindex;
	shortcut->interface = trip->interface;
	shortcut->limits = trip->limits;
	shortcut->mtu = mtu;
	shortcut->room = room;
	shortcut->sum = (__u16)~tunnel->ip->check + (__u16)~tunnel->ip->tot_len;
#pragma unroll
	for (int i = 0; i < TUNNEL_BYTES / 8; i++)
		shortcut->head[i] = load_word((void *)tunnel->eth + 8 * i);
}

static __always_inline void write_shortcut(const struct tunnel *tunnel, const struct net_shortcut *shortcut,
				      __u16 bytes)
{
	__u64 *to = (__u64 *)tunnel->eth;
	__u32 sum;

#pragma unroll
	for (int i = 0; i < TUNNEL_BYTES / 8; i++)
		to[i] = shortcut->head[i];
	tunnel->ip->tot_len = bpf_htons(bytes);
	sum = shortcut->sum + tunnel->ip->tot_len;
	sum = (sum & 0xffff) + (sum >> 16);
	tunnel->ip->check = ~(sum + (sum >> 16));
	tunnel->udp->len = bpf_htons(bytes - sizeof(struct iphdr));
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_net_shortcut(struct xdp_md *ctx, struct trip *trip,
					       struct notes *notes)
{
	struct tunnel tunnel;
	struct net_shortcut *shortcut;
	enum verdict verdict;
	struct iphdr *ip;

	note_port_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	shortcut = find_net_shortcut(notes);
	if (!shortcut || !is_current(&shortcut->age) || trip->bytes > shortcut->room)
		return VERDICT_COUNT;
	ip = at(ctx, PORT_HEAD, sizeof(*ip));
	if (!ip || !is_usual(ip, trip->bytes - PORT_HEAD, shortcut->mtu))
		return VERDICT_COUNT;
	trip->interface = shortcut->interface;
	trip->ifindex = shortcut->ifindex;
	trip->limits = shortcut->limits;
	verdict = check_rates(trip, DIRECTION_INBOUND, trip->bytes);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	if (!read_tunnel(ctx, sizeof(*ip), &tunnel))
		return VERDICT_MALFORMED;
	take_hop(tunnel.payload);
	write_shortcut(&tunnel, shortcut, trip->bytes + PORT_GROWTH - sizeof(struct ethernet));
	return VERDICT_FORWARDED_TO_NET;
}
