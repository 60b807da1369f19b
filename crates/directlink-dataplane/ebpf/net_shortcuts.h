// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts into the Net (see shortcuts.h).
//
//   │ MACs 12 │ tag 4 │ type 2 │ IPv4 20 │ ports 4 │      what is looked at:
//   └ ours ───┴ VLAN ─┴ IPv4 ──┴ version, fragment, protocol, addresses ─┴ all
//
// Of the flow: the source's address and the ports. Of the end: all else, and the port.
#pragma once

#include "rate.h"
#include "shortcuts.h"
#include "vxlan.h"

#define PORT_HEAD sizeof(struct tagged)
// What a frame grows by: the tunnel comes, Ethernet and tag go.
#define PORT_GROWTH (TUNNEL_BYTES - sizeof(struct tagged))

#define OUR_MAC 0xffffffffffff0000ull		 // of the frame's first 8 bytes
#define TAG_TYPE_VERSION 0xffff0fffffffff00ull	 // of the 8 bytes behind the MACs
#define TAG_AT 12

#define NET_END_WORDS 5 // of which IPv4 leaves the last two empty

// What frames of a VLAN to an address of a NIC have in common, and the headers that they get: two
// cache lines, the first of which says of IPv4 whether they may.
struct net_end {
	struct end_base base;
	__u64 words[NET_END_WORDS];
	__u64 macs;
	__u64 inner_macs;
	__u32 macs_rest;
	__u32 inner_macs_rest;
	__u64 vteps;
	__be32 vni; // as VXLAN's header has it
	__u32 ifindex;
	__u32 sum;  // of the outer IP header without its length
	__u16 mtu;  // of the interface
	__u16 room; // largest frame that the fabric's MTU holds
};

// User space makes room for each processor (`load.rs`). They begin on a page, as BPF_F_MMAPABLE
// has it, so that no row is in more cache lines than it must be.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct shortcut);
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

	notes->eligible = frame && is_amid_flow(ctx, frame + PORT_HEAD);
	if (!notes->eligible)
		return;
	ip = (const struct iphdr *)(frame + PORT_HEAD);
	notes->flow[0] = (__u64)ip->saddr << 32 | *(const __be32 *)(ip + 1);
	notes->words[0] = load_word(frame) & bpf_cpu_to_be64(OUR_MAC);
	notes->words[0] |= bpf_cpu_to_be64(ip->protocol);
	notes->words[1] = load_word(frame + TAG_AT) & bpf_cpu_to_be64(TAG_TYPE_VERSION);
	notes->words[2] = (__u64)ip->daddr << 32 | ctx->ingress_ifindex;
	notes->words[3] = 0;
	notes->words[4] = 0;
	notes->row = first_row((notes->words[1] + notes->words[2]) * 0x85ebca77c2b2ae3dull ^
				       notes->flow[0],
			       shortcut_bits);
}

static __always_inline bool is_net_end(const struct net_end *end, const struct notes *notes)
{
	const __u64 *a = end->words, *b = notes->words;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]));
}

static __always_inline bool has_same_head(const struct net_end *a, const struct net_end *b)
{
	return !((a->macs ^ b->macs) | (a->macs_rest ^ b->macs_rest) |
		 (a->inner_macs ^ b->inner_macs) | (a->inner_macs_rest ^ b->inner_macs_rest) |
		 (a->vteps ^ b->vteps) | (a->vni ^ b->vni) | (a->ifindex ^ b->ifindex) |
		 (a->room ^ b->room) | (a->mtu ^ b->mtu) |
		 (a->base.interface ^ b->base.interface) | (a->base.limits ^ b->base.limits));
}

// Of the two rows where these packets' end may be: that which has it, or else the older one.
static __always_inline struct net_end *choose_net_end(const struct notes *notes, __u32 *row)
{
	__u64 hash = notes->words[0] ^ notes->words[1] * 3 ^ notes->words[2] * 5 ^
		     notes->words[3] * 7 ^ notes->words[4] * 11;
	__u32 rows[2] = { end_row(hash, false), end_row(hash, true) };
	struct net_end *first = bpf_map_lookup_elem(&net_ends, &rows[0]);
	struct net_end *second = bpf_map_lookup_elem(&net_ends, &rows[1]);

	if (!first || !second)
		return NULL;
	*row = rows[0];
	if (is_net_end(first, notes) ||
	    (!is_net_end(second, notes) && first->base.ticks <= second->base.ticks))
		return first;
	*row = rows[1];
	return second;
}

static __always_inline __u64 share_net_end(const struct net_end *head, const struct notes *notes)
{
	__u32 row = 0;
	struct net_end *end = choose_net_end(notes, &row);
	bool is_same;

	if (!end)
		return 0;
	is_same = is_net_end(end, notes) && has_same_head(end, head);
	if (!is_same) {
		__u64 stamp = end->base.stamp;

		*end = *head;
		end->base.stamp = stamp;
		end->words[0] = notes->words[0];
		end->words[1] = notes->words[1];
		end->words[2] = notes->words[2];
		end->words[3] = notes->words[3];
		end->words[4] = notes->words[4];
	}
	renew_end(&end->base, row, notes, is_same);
	return end->base.stamp;
}

// The end of a frame that is in its tunnel, as the next one will have the same head: its stamp, or 0.
static __always_inline __u64 stamp_of_head(const struct notes *notes, const struct trip *trip,
					   const struct tunnel *tunnel, __u16 mtu, __u16 room)
{
	struct net_end head = {};

	head.base.interface = trip->interface;
	head.base.limits = trip->limits;
	head.mtu = mtu;
	head.room = room;
	head.macs = load_word(tunnel->eth);
	head.macs_rest = *(__u32 *)((void *)tunnel->eth + 8);
	head.inner_macs = load_word(tunnel->inner);
	head.inner_macs_rest = *(__u32 *)((void *)tunnel->inner + 8);
	head.vteps = load_word(&tunnel->ip->saddr);
	head.vni = tunnel->vxlan->vni;
	head.ifindex = trip->ifindex;
	head.sum = (__u16)~tunnel->ip->check + (__u16)~tunnel->ip->tot_len;
	return share_net_end(&head, notes);
}

static __always_inline void leave_net_shortcut(const struct notes *notes, const struct trip *trip,
					       const struct tunnel *tunnel, __u16 mtu, __u16 room)
{
	__u64 stamp = notes->eligible ? stamp_of_head(notes, trip, tunnel, mtu, room) : 0;

	if (stamp)
		leave_shortcut(&net_shortcuts, &net_ends, notes, FLOW_WORDS, stamp);
}

static __always_inline void write_end(const struct tunnel *tunnel, const struct net_end *end,
				      __u32 hash, __u16 bytes, const __u16 protocol)
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
	*tunnel->vxlan = (struct vxlan){ .flags = VXLAN_VNI_VALID, .vni = end->vni };
	*(__u64 *)tunnel->inner = end->inner_macs;
	*(__u32 *)((void *)tunnel->inner + 8) = end->inner_macs_rest;
	tunnel->inner->protocol = bpf_htons(protocol);
}

// As `flow_hash` of the packet's tuple.
static __always_inline __u32 hash_of_packet(const struct iphdr *ip)
{
	const __be16 *ports = (const __be16 *)(ip + 1);

	return mix_flow(ip->saddr, ip->daddr, (__u32)ports[0] << 16 | ports[1], ip->protocol);
}

// The end that the flow's stamp names, if it still is that of the packet that `notes` are about.
static __always_inline struct net_end *find_net_end(const struct notes *notes, __u64 stamp)
{
	__u32 row = row_of_end(stamp);
	struct net_end *end = bpf_map_lookup_elem(&net_ends, &row);

	return end && is_current(&end->base, stamp) && is_net_end(end, notes) ? end : NULL;
}

// Whether the end's rate admits the frame: VERDICT_COUNT, and the frame has room for a tunnel.
static __always_inline enum verdict open_tunnel(struct xdp_md *ctx, struct trip *trip,
						const struct net_end *end, struct tunnel *tunnel,
						__u32 payload)
{
	enum verdict verdict;

	trip->interface = end->base.interface;
	trip->ifindex = end->ifindex;
	trip->limits = end->base.limits;
	verdict = check_rates(trip, DIRECTION_INBOUND, trip->bytes);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	return read_tunnel(ctx, payload, tunnel) ? VERDICT_COUNT : VERDICT_MALFORMED;
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_net_shortcut(struct xdp_md *ctx, struct trip *trip,
						    struct notes *notes)
{
	struct tunnel tunnel;
	enum verdict verdict;
	struct net_end *end;
	struct iphdr *ip;
	__u32 hash;

	note_port_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	end = find_net_end(notes, find_stamp(&net_shortcuts, notes, FLOW_WORDS));
	if (!end || trip->bytes > end->room)
		return VERDICT_COUNT;
	ip = at(ctx, PORT_HEAD, sizeof(*ip) + sizeof(__be32));
	if (!ip || !is_usual(ip, trip->bytes - PORT_HEAD, end->mtu))
		return VERDICT_COUNT;
	hash = hash_of_packet(ip);
	verdict = open_tunnel(ctx, trip, end, &tunnel, sizeof(*ip));
	if (verdict != VERDICT_COUNT)
		return verdict;
	take_hop(tunnel.payload);
	write_end(&tunnel, end, hash, trip->bytes + PORT_GROWTH - sizeof(struct ethernet), ETH_P_IP);
	return VERDICT_FORWARDED_TO_NET;
}
