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
	__u16 interface;
	__u16 limits;
	__u16 mtu;  // of the interface
	__u16 room; // largest frame that the fabric's MTU holds
	__u32 end;  // row of `net_ends`, and its number
	__u32 end_number;
};

struct net_shortcut_set {
	struct net_shortcut shortcuts[SHORTCUT_WAYS];
};

// What the headers of every frame to a NIC have in common.
struct net_end {
	__u64 macs;
	__u64 inner_macs;
	__u32 macs_rest;
	__u32 inner_macs_rest;
	__u64 vteps;
	__u64 vxlan;
	__u32 ifindex;
	__u32 sum; // of the outer IP header without its length
	__u32 number;
	__u32 ticks; // when it was pointed to last
	__u64 zero;
};

// User space makes room for each processor (`load.rs`). They begin on a page, as BPF_F_MMAPABLE
// has it, so that a row is a whole cache line.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct net_shortcut_set);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} net_shortcuts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct net_end);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} net_ends SEC(".maps");

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
	if (is_net_shortcut(&set->shortcuts[1], notes))
		return &set->shortcuts[1];
	if (is_net_shortcut(&set->shortcuts[2], notes))
		return &set->shortcuts[2];
	return is_net_shortcut(&set->shortcuts[3], notes) ? &set->shortcuts[3] : NULL;
}

static __always_inline bool can_take(const struct net_shortcut *shortcut, const struct notes *notes)
{
	return is_net_shortcut(shortcut, notes) || !is_current(&shortcut->age);
}

static __always_inline struct net_shortcut *place_net_shortcut(const struct notes *notes)
{
	struct net_shortcut_set *set = bpf_map_lookup_elem(&net_shortcuts, &notes->set);

	if (!set)
		return NULL;
	if (can_take(&set->shortcuts[0], notes))
		return &set->shortcuts[0];
	if (can_take(&set->shortcuts[1], notes))
		return &set->shortcuts[1];
	if (can_take(&set->shortcuts[2], notes))
		return &set->shortcuts[2];
	return &set->shortcuts[3];
}

static __always_inline bool is_same_end(const struct net_end *a, const struct net_end *b)
{
	return !((a->macs ^ b->macs) | (a->macs_rest ^ b->macs_rest) |
		 (a->inner_macs ^ b->inner_macs) | (a->inner_macs_rest ^ b->inner_macs_rest) |
		 (a->vteps ^ b->vteps) | (a->vxlan ^ b->vxlan) | (a->ifindex ^ b->ifindex));
}

// The row that has this end from now on, or NULL.
static __always_inline struct net_end *share_net_end(const struct net_end *end, __u32 *index)
{
	__u64 hash = end->vxlan ^ end->inner_macs * 3 ^ end->vteps * 5;
	__u32 indices[2] = { end_row(hash, false), end_row(hash, true) };
	struct net_end *first = bpf_map_lookup_elem(&net_ends, &indices[0]);
	struct net_end *second = bpf_map_lookup_elem(&net_ends, &indices[1]);
	struct net_end *row = first;
	__u32 number;

	if (!first || !second)
		return NULL;
	*index = indices[0];
	if (!is_same_end(first, end) &&
	    (is_same_end(second, end) || end->ticks - second->ticks > end->ticks - first->ticks)) {
		*index = indices[1];
		row = second;
	}
	number = row->number;
	if (!is_same_end(row, end)) {
		*row = *end;
		row->number = number + 1;
	}
	row->ticks = end->ticks;
	return row;
}

// The frame is in its tunnel: the next one of its flow will have the same head.
static __always_inline void leave_net_shortcut(const struct notes *notes, const struct trip *trip,
					       const struct tunnel *tunnel, __u16 mtu, __u16 room)
{
	struct net_end end = {}, *shared;
	struct net_shortcut *shortcut;
	__u32 index;

	if (!notes->eligible)
		return;
	end.macs = load_word(tunnel->eth);
	end.macs_rest = *(__u32 *)((void *)tunnel->eth + 8);
	end.inner_macs = load_word(tunnel->inner);
	end.inner_macs_rest = *(__u32 *)((void *)tunnel->inner + 8);
	end.vteps = load_word(&tunnel->ip->saddr);
	end.vxlan = load_word(tunnel->vxlan);
	end.ifindex = trip->ifindex;
	end.sum = (__u16)~tunnel->ip->check + (__u16)~tunnel->ip->tot_len;
	end.ticks = bpf_jiffies64();
	shared = share_net_end(&end, &index);
	shortcut = place_net_shortcut(notes);
	if (!shared || !shortcut)
		return;
	// Spelled out: clang 14 unrolls no loop that it inlines.
	shortcut->words[0] = notes->words[0];
	shortcut->words[1] = notes->words[1];
	shortcut->words[2] = notes->words[2];
	shortcut->words[3] = notes->words[3];
	shortcut->age = age_now(notes);
	shortcut->interface = trip->interface;
	shortcut->limits = trip->limits;
	shortcut->mtu = mtu;
	shortcut->room = room;
	shortcut->end = index;
	shortcut->end_number = shared->number;
}

static __always_inline void write_end(const struct tunnel *tunnel, const struct net_end *end,
				      __u32 hash, __u16 bytes)
{
	__be16 length = bpf_htons(bytes);
	__u32 sum = end->sum + length;

	*(__u64 *)tunnel->eth = end->macs;
	*(__u32 *)((void *)tunnel->eth + 8) = end->macs_rest;
	tunnel->eth->protocol = bpf_htons(ETH_P_IP);
	*(__u64 *)tunnel->ip = bpf_cpu_to_be64(0x4500000000000000ull | IP_DONT_FRAGMENT);
	tunnel->ip->tot_len = length;
	tunnel->ip->ttl = VXLAN_OUTER_TTL;
	tunnel->ip->protocol = IPPROTO_UDP;
	sum = (sum & 0xffff) + (sum >> 16);
	tunnel->ip->check = ~(sum + (sum >> 16));
	*(__u64 *)&tunnel->ip->saddr = end->vteps;
	tunnel->udp->source = source_port(hash);
	tunnel->udp->dest = bpf_htons(VXLAN_PORT);
	tunnel->udp->len = bpf_htons(bytes - sizeof(struct iphdr));
	tunnel->udp->check = 0;
	*(__u64 *)tunnel->vxlan = end->vxlan;
	*(__u64 *)tunnel->inner = end->inner_macs;
	*(__u32 *)((void *)tunnel->inner + 8) = end->inner_macs_rest;
	tunnel->inner->protocol = bpf_htons(ETH_P_IP);
}

// As `flow_hash` of the packet's tuple.
static __always_inline __u32 hash_of_packet(const struct iphdr *ip)
{
	const __be16 *ports = (const __be16 *)(ip + 1);

	return mix_flow(ip->saddr, ip->daddr, (__u32)ports[0] << 16 | ports[1], ip->protocol);
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_net_shortcut(struct xdp_md *ctx, struct trip *trip,
						    struct notes *notes)
{
	struct tunnel tunnel;
	struct net_shortcut *shortcut;
	enum verdict verdict;
	struct net_end *end;
	struct iphdr *ip;
	__u32 hash;

	note_port_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	shortcut = find_net_shortcut(notes);
	if (!shortcut || !is_current(&shortcut->age) || trip->bytes > shortcut->room)
		return VERDICT_COUNT;
	end = bpf_map_lookup_elem(&net_ends, &shortcut->end);
	if (!end || end->number != shortcut->end_number)
		return VERDICT_COUNT;
	ip = at(ctx, PORT_HEAD, sizeof(*ip) + sizeof(__be32));
	if (!ip || !is_usual(ip, trip->bytes - PORT_HEAD, shortcut->mtu))
		return VERDICT_COUNT;
	hash = hash_of_packet(ip);
	trip->interface = shortcut->interface;
	trip->ifindex = end->ifindex;
	trip->limits = shortcut->limits;
	verdict = check_rates(trip, DIRECTION_INBOUND, trip->bytes);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	if (!read_tunnel(ctx, sizeof(*ip), &tunnel))
		return VERDICT_MALFORMED;
	take_hop(tunnel.payload);
	write_end(&tunnel, end, hash, trip->bytes + PORT_GROWTH - sizeof(struct ethernet));
	return VERDICT_FORWARDED_TO_NET;
}
