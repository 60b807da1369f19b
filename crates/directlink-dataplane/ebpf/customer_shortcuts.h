// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts onto a customer's VLAN (see shortcuts.h).
//
//   │ Ethernet 14 │ IPv4 20 │ UDP 8 │ VXLAN 8 │ Ethernet 14 │ IPv4 20 │ ports 4 │
//     └ type ─────┴ VTEPs ──┴ port ─┴ VNI ────┴ MACs, type ─┴ version, fragment, protocol,
//       what the key is made of                               addresses ─┴ all
//
// The customer's MAC is read for each packet: the kernel may learn another at any time.
#pragma once

#include "rate.h"
#include "shortcuts.h"
#include "vxlan.h"

#define FABRIC_HEAD TUNNEL_BYTES
// What a frame shrinks by: the tunnel goes, Ethernet and tag come.
#define CUSTOMER_SHRINKAGE (TUNNEL_BYTES - sizeof(struct tagged))

#define END_WORDS 5 // what the frames of a NIC have in common; the rest tells the flow
#define FLOW_WORDS 2
#define TYPE_VERSION 0xffffff0000000000ull // of the 8 bytes behind the outer MACs
#define TYPE_AT 12

struct customer_shortcut {
	__u64 words[FLOW_WORDS];
	struct shortcut_age age;
	__u32 ifindex;
	__u32 way; // whose MAC it goes to
	__u32 end; // row of `customer_ends`, and its number
	__u32 end_number;
	__u8 router_mac[6];
	__u16 interface;
	__u16 limits;
	__u16 mtu; // of the interface
	__be16 tci;
	__u16 zero;
};

struct customer_shortcut_set {
	struct customer_shortcut shortcuts[SHORTCUT_WAYS];
};

struct customer_end {
	__u64 words[END_WORDS];
	__u32 number;
	__u32 ticks; // when it was pointed to last
	__u64 zero[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct customer_shortcut_set);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} customer_shortcuts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct customer_end);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} customer_ends SEC(".maps");

static __always_inline bool is_tunnel(const struct tunnel *tunnel)
{
	const __be32 *fragment = (const void *)&tunnel->ip->frag_off;

	return (*fragment & bpf_htonl(FRAGMENT_AND_PROTOCOL)) == bpf_htonl(IPPROTO_UDP) &&
	       tunnel->udp->dest == bpf_htons(VXLAN_PORT);
}

static __always_inline void note_fabric_frame(struct xdp_md *ctx, struct notes *notes)
{
	struct tunnel tunnel;
	const struct iphdr *ip;
	__be32 ports;

	notes->eligible = read_tunnel(ctx, sizeof(*ip) + sizeof(struct udphdr), &tunnel) &&
			  is_tunnel(&tunnel) && is_amid_flow(ctx, tunnel.payload);
	if (!notes->eligible)
		return;
	ip = tunnel.payload;
	ports = *(const __be32 *)(ip + 1);
	notes->words[0] = load_word((void *)tunnel.eth + TYPE_AT) & bpf_cpu_to_be64(TYPE_VERSION);
	notes->words[0] |= bpf_cpu_to_be64((__u64) * (const __u8 *)ip);
	notes->words[1] = load_word(&tunnel.ip->saddr);
	notes->words[2] = load_word(tunnel.vxlan);
	notes->words[3] = load_word(tunnel.inner->destination);
	notes->words[4] = load_word(tunnel.inner->source);
	notes->words[5] = load_word(&ip->saddr);
	notes->words[6] = (__u64)(tunnel.vxlan->vni | bpf_htonl(ip->protocol)) << 32 | ports;
	notes->set = shortcut_set(notes->words[5] * 0x85ebca77c2b2ae3dull ^ notes->words[6]);
}

static __always_inline bool is_customer_shortcut(const struct customer_shortcut *shortcut,
						 const struct notes *notes)
{
	const __u64 *a = shortcut->words, *b = notes->words + END_WORDS;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]));
}

static __always_inline struct customer_shortcut *find_customer_shortcut(const struct notes *notes)
{
	struct customer_shortcut_set *set = bpf_map_lookup_elem(&customer_shortcuts, &notes->set);

	if (!set)
		return NULL;
	if (is_customer_shortcut(&set->shortcuts[0], notes))
		return &set->shortcuts[0];
	if (is_customer_shortcut(&set->shortcuts[1], notes))
		return &set->shortcuts[1];
	if (is_customer_shortcut(&set->shortcuts[2], notes))
		return &set->shortcuts[2];
	return is_customer_shortcut(&set->shortcuts[3], notes) ? &set->shortcuts[3] : NULL;
}

static __always_inline bool customer_can_take(const struct customer_shortcut *shortcut,
					      const struct notes *notes)
{
	return is_customer_shortcut(shortcut, notes) || !is_current(&shortcut->age);
}

static __always_inline struct customer_shortcut *place_customer_shortcut(const struct notes *notes)
{
	struct customer_shortcut_set *set = bpf_map_lookup_elem(&customer_shortcuts, &notes->set);

	if (!set)
		return NULL;
	if (customer_can_take(&set->shortcuts[0], notes))
		return &set->shortcuts[0];
	if (customer_can_take(&set->shortcuts[1], notes))
		return &set->shortcuts[1];
	if (customer_can_take(&set->shortcuts[2], notes))
		return &set->shortcuts[2];
	return &set->shortcuts[3];
}

static __always_inline bool is_customer_end(const struct customer_end *end, const struct notes *notes)
{
	const __u64 *a = end->words, *b = notes->words;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]));
}

// The row that has this packet's end from now on, or NULL.
static __always_inline struct customer_end *share_customer_end(const struct notes *notes,
							       __u32 *index)
{
	__u64 hash = notes->words[2] ^ notes->words[4] * 3 ^ notes->words[1] * 5;
	__u32 indices[2] = { end_row(hash, false), end_row(hash, true) };
	struct customer_end *first = bpf_map_lookup_elem(&customer_ends, &indices[0]);
	struct customer_end *second = bpf_map_lookup_elem(&customer_ends, &indices[1]);
	__u32 ticks = bpf_jiffies64();
	struct customer_end *row = first;

	if (!first || !second)
		return NULL;
	*index = indices[0];
	if (!is_customer_end(first, notes) &&
	    (is_customer_end(second, notes) || ticks - second->ticks > ticks - first->ticks)) {
		*index = indices[1];
		row = second;
	}
	if (!is_customer_end(row, notes)) {
		row->words[0] = notes->words[0];
		row->words[1] = notes->words[1];
		row->words[2] = notes->words[2];
		row->words[3] = notes->words[3];
		row->words[4] = notes->words[4];
		row->number += 1;
	}
	row->ticks = ticks;
	return row;
}

static __always_inline void leave_customer_shortcut(const struct notes *notes,
						    const struct trip *trip,
						    const struct interface_key *key,
						    const struct interface_row *row, __u32 way)
{
	struct customer_shortcut *shortcut;
	struct customer_end *end;
	__u32 index;

	if (!notes->eligible)
		return;
	end = share_customer_end(notes, &index);
	shortcut = place_customer_shortcut(notes);
	if (!end || !shortcut)
		return;
	shortcut->words[0] = notes->words[END_WORDS];
	shortcut->words[1] = notes->words[END_WORDS + 1];
	shortcut->age = age_now(notes);
	shortcut->ifindex = key->port_ifindex;
	shortcut->interface = row->number;
	shortcut->limits = trip->limits;
	shortcut->way = way;
	shortcut->mtu = row->mtu;
	shortcut->tci = bpf_htons(key->vlan);
	set_mac(shortcut->router_mac, row->router_mac);
	shortcut->end = index;
	shortcut->end_number = end->number;
}

// Out of the tunnel, with a tag. False: the frame is not as long as it was.
static __always_inline bool unwrap(struct xdp_md *ctx, const struct neighbour_row *neighbour,
				   const __u8 *router_mac, __be16 tci)
{
	struct tagged *frame;
	struct iphdr *ip;

	if (bpf_xdp_adjust_head(ctx, CUSTOMER_SHRINKAGE))
		return false;
	frame = at(ctx, 0, sizeof(*frame) + sizeof(*ip));
	if (!frame)
		return false;
	ip = (struct iphdr *)(frame + 1);
	take_hop(ip);
	set_mac(frame->destination, neighbour->mac);
	set_mac(frame->source, router_mac);
	frame->tag_protocol = bpf_htons(ETH_P_8021Q);
	frame->tci = tci;
	frame->protocol = bpf_htons(ETH_P_IP);
	return true;
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_customer_shortcut(struct xdp_md *ctx, struct trip *trip,
						    struct notes *notes)
{
	struct neighbour_row neighbour;
	struct customer_shortcut *shortcut;
	struct customer_end *end;
	enum verdict verdict;
	struct iphdr *ip;

	note_fabric_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	shortcut = find_customer_shortcut(notes);
	if (!shortcut || !is_current(&shortcut->age))
		return VERDICT_COUNT;
	end = bpf_map_lookup_elem(&customer_ends, &shortcut->end);
	if (!end || end->number != shortcut->end_number || !is_customer_end(end, notes))
		return VERDICT_COUNT;
	ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	if (!ip || !is_usual(ip, trip->bytes - FABRIC_HEAD, shortcut->mtu) ||
	    !find_neighbour(shortcut->way, &neighbour))
		return VERDICT_COUNT;
	trip->interface = shortcut->interface;
	trip->ifindex = shortcut->ifindex;
	trip->limits = shortcut->limits;
	verdict = check_rates(trip, DIRECTION_OUTBOUND, trip->bytes - CUSTOMER_SHRINKAGE);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (!unwrap(ctx, &neighbour, shortcut->router_mac, shortcut->tci))
		return VERDICT_MALFORMED;
	return VERDICT_FORWARDED_TO_CUSTOMER;
}
