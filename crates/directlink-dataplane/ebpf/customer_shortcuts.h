// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts onto a customer's VLAN (see shortcuts.h).
//
//   │ Ethernet 14 │ IPv4 20 │ UDP 8 │ VXLAN 8 │ Ethernet 14 │ IPv4 20 │ ports 4 │
//     └ type ─────┴ VTEPs ──┴ port ─┴ VNI ────┴ MACs, type ─┴ version, fragment, protocol,
//       what is looked at                                     addresses ─┴ all
//
// Of the flow: the destination's address and the ports. Of the end: all else, and where it leads.
// The customer's MAC is read for each packet: the kernel may learn another at any time.
#pragma once

#include "rate.h"
#include "shortcuts.h"
#include "vxlan.h"

#define FABRIC_HEAD TUNNEL_BYTES
// What a frame shrinks by: the tunnel goes, Ethernet and tag come.
#define CUSTOMER_SHRINKAGE (TUNNEL_BYTES - sizeof(struct tagged))

#define TYPE_VERSION 0xffffff0000000000ull // of the 8 bytes behind the outer MACs
#define TYPE_AT 12

#define CUSTOMER_END_WORDS 7 // of which IPv4 leaves the last empty

// What frames from an address of a NIC to a VLAN have in common, and where they go.
struct customer_end {
	struct end_base base;
	__u64 words[CUSTOMER_END_WORDS];
	__u32 ifindex;
	__u32 way; // whose MAC it goes to
	__u8 router_mac[6];
	__u16 mtu; // of the interface
	__be16 tci;
	__u16 zero[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct shortcut);
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

// `kind`: what of the packet's first bytes tells its end, in 16 bits.
static __always_inline void note_tunnel(const struct tunnel *tunnel, struct notes *notes, __u64 kind)
{
	notes->words[0] = load_word((void *)tunnel->eth + TYPE_AT) & bpf_cpu_to_be64(TYPE_VERSION);
	notes->words[0] |= bpf_cpu_to_be64(kind);
	notes->words[1] = load_word(&tunnel->ip->saddr);
	notes->words[2] = load_word(tunnel->vxlan);
	notes->words[3] = load_word(tunnel->inner->destination);
	notes->words[4] = load_word(tunnel->inner->source);
}

static __always_inline void note_fabric_frame(struct xdp_md *ctx, struct notes *notes)
{
	struct tunnel tunnel;
	const struct iphdr *ip;

	notes->eligible = read_tunnel(ctx, sizeof(*ip) + sizeof(struct udphdr), &tunnel) &&
			  is_tunnel(&tunnel) && is_amid_flow(ctx, tunnel.payload);
	if (!notes->eligible)
		return;
	ip = tunnel.payload;
	notes->flow[0] = (__u64)ip->daddr << 32 | *(const __be32 *)(ip + 1);
	note_tunnel(&tunnel, notes, *(const __u8 *)ip);
	notes->words[5] = (__u64)ip->saddr << 32 | ip->protocol;
	notes->words[6] = 0;
	notes->row = first_row((notes->words[2] + notes->words[5]) * 0x85ebca77c2b2ae3dull ^
				       notes->flow[0],
			       shortcut_bits);
}

static __always_inline bool is_customer_end(const struct customer_end *end, const struct notes *notes)
{
	const __u64 *a = end->words, *b = notes->words;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]) | (a[6] ^ b[6]));
}

static __always_inline bool leads_alike(const struct customer_end *a, const struct customer_end *b)
{
	return a->way == b->way && a->base.interface == b->base.interface &&
	       a->base.limits == b->base.limits && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       a->tci == b->tci && *(__u32 *)a->router_mac == *(__u32 *)b->router_mac &&
	       *(__u16 *)(a->router_mac + 4) == *(__u16 *)(b->router_mac + 4);
}

// Of the two rows where this end may be: that which has it, or else the older one.
static __always_inline struct customer_end *choose_customer_end(const struct customer_end *wanted,
								const struct notes *notes,
								__u32 *row, bool *is_same)
{
	__u64 hash = notes->words[2] ^ notes->words[4] * 3 ^ notes->words[5] * 5 ^
		     notes->words[6] * 11 ^ wanted->way * 7ull ^ wanted->ifindex * 13ull;
	__u32 rows[2] = { end_row(hash, false), end_row(hash, true) };
	struct customer_end *first = bpf_map_lookup_elem(&customer_ends, &rows[0]);
	struct customer_end *second = bpf_map_lookup_elem(&customer_ends, &rows[1]);

	if (!first || !second)
		return NULL;
	*row = rows[0];
	*is_same = is_customer_end(first, notes) && leads_alike(first, wanted);
	if (*is_same)
		return first;
	*is_same = is_customer_end(second, notes) && leads_alike(second, wanted);
	if (!*is_same && first->base.ticks <= second->base.ticks)
		return first;
	*row = rows[1];
	return second;
}

static __always_inline __u64 share_customer_end(const struct customer_end *wanted,
						const struct notes *notes)
{
	bool is_same = false;
	__u32 row = 0;
	struct customer_end *end = choose_customer_end(wanted, notes, &row, &is_same);

	if (!end)
		return 0;
	if (!is_same) {
		__u64 stamp = end->base.stamp;

		*end = *wanted;
		end->base.stamp = stamp;
		end->words[0] = notes->words[0];
		end->words[1] = notes->words[1];
		end->words[2] = notes->words[2];
		end->words[3] = notes->words[3];
		end->words[4] = notes->words[4];
		end->words[5] = notes->words[5];
		end->words[6] = notes->words[6];
	}
	renew_end(&end->base, row, notes, is_same);
	return end->base.stamp;
}

// The end of a packet that goes this way: its stamp, or 0.
static __always_inline __u64 stamp_of_way(const struct notes *notes, const struct trip *trip,
					  const struct interface_key *key,
					  const struct interface_row *row, __u32 way)
{
	struct customer_end end = {};

	end.ifindex = trip->ifindex;
	end.base.interface = row->number;
	end.base.limits = trip->limits;
	end.way = way;
	end.mtu = row->mtu;
	end.tci = bpf_htons(key->vlan);
	set_mac(end.router_mac, row->router_mac);
	return share_customer_end(&end, notes);
}

static __always_inline void leave_customer_shortcut(const struct notes *notes,
						    const struct trip *trip,
						    const struct interface_key *key,
						    const struct interface_row *row, __u32 way)
{
	__u64 stamp = notes->eligible ? stamp_of_way(notes, trip, key, row, way) : 0;

	if (stamp)
		leave_shortcut(&customer_shortcuts, &customer_ends, notes, FLOW_WORDS, stamp);
}

// Out of the tunnel, with a tag. The packet, or NULL: the frame is not as long as it was.
static __always_inline void *unwrap(struct xdp_md *ctx, const struct neighbour_row *neighbour,
				    const __u8 *router_mac, __be16 tci, const __u16 protocol,
				    const __u32 payload)
{
	struct tagged *frame;

	if (bpf_xdp_adjust_head(ctx, CUSTOMER_SHRINKAGE))
		return NULL;
	frame = at(ctx, 0, sizeof(*frame) + payload);
	if (!frame)
		return NULL;
	set_mac(frame->destination, neighbour->mac);
	set_mac(frame->source, router_mac);
	frame->tag_protocol = bpf_htons(ETH_P_8021Q);
	frame->tci = tci;
	frame->protocol = bpf_htons(protocol);
	return frame + 1;
}

// The end that the flow's stamp names, if it still is that of the packet that `notes` are about.
static __always_inline struct customer_end *find_customer_end(const struct notes *notes, __u64 stamp)
{
	__u32 row = row_of_end(stamp);
	struct customer_end *end = bpf_map_lookup_elem(&customer_ends, &row);

	return end && is_current(&end->base, stamp) && is_customer_end(end, notes) ? end : NULL;
}

static __always_inline enum verdict check_rates_of_end(struct trip *trip,
						       const struct customer_end *end)
{
	trip->interface = end->base.interface;
	trip->ifindex = end->ifindex;
	trip->limits = end->base.limits;
	return check_rates(trip, DIRECTION_OUTBOUND, trip->bytes - CUSTOMER_SHRINKAGE);
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_customer_shortcut(struct xdp_md *ctx, struct trip *trip,
						    struct notes *notes)
{
	struct neighbour_row neighbour;
	struct customer_end *end;
	enum verdict verdict;
	struct iphdr *ip;

	note_fabric_frame(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	end = find_customer_end(notes, find_stamp(&customer_shortcuts, notes, FLOW_WORDS));
	if (!end)
		return VERDICT_COUNT;
	ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	if (!ip || !is_usual(ip, trip->bytes - FABRIC_HEAD, end->mtu) ||
	    !find_neighbour(end->way, &neighbour))
		return VERDICT_COUNT;
	verdict = check_rates_of_end(trip, end);
	if (verdict != VERDICT_COUNT)
		return verdict;
	ip = unwrap(ctx, &neighbour, end->router_mac, end->tci, ETH_P_IP, sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	take_hop(ip);
	return VERDICT_FORWARDED_TO_CUSTOMER;
}
