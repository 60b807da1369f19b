// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts of IPv6, both ways: as IPv4's (shortcuts.h), with longer addresses and the same ends.
//
//   │ MACs 12 │ tag 4 │ type 2 │ IPv6 40 │ ports 4 │      onto a VLAN the same, in a tunnel
//   └ ours ───┴ VLAN ─┴ IPv6 ──┴ version, protocol, addresses ─┴ all
//
// Packets with extension headers, fragments among them, take the road. Traffic class and flow label
// are looked at by neither.
#pragma once

#include "customer_shortcuts.h"
#include "net_shortcuts.h"
#include "parse6.h"

#define TAG_TYPE_VERSION6 0xffff0ffffffff000ull // as TAG_TYPE_VERSION, without the traffic class
#define VERSION6_MASK 0xf0

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct shortcut6);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} net_shortcuts6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct shortcut6);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} customer_shortcuts6 SEC(".maps");

// Each processor has one: too large for the stack, beside all else.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct notes);
	__uint(max_entries, 1);
} notes6 SEC(".maps");

static __always_inline struct notes *own_notes6(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&notes6, &zero);
}

// As `is_amid_flow`, of a packet 48 bytes of which are there.
static __always_inline bool is_amid_flow6(struct xdp_md *ctx, const struct ipv6hdr *ip)
{
	switch (ip->nexthdr) {
	case IPPROTO_UDP:
		return true;
	case IPPROTO_TCP:
		return is_amid_tcp(ctx, (const __u8 *)(ip + 1));
	default:
		return false;
	}
}

// As `is_usual`.
static __always_inline bool is_usual6(const struct ipv6hdr *ip, __u32 bytes, __u16 mtu)
{
	__u32 length = sizeof(*ip) + bpf_ntohs(ip->payload_len);

	return ip->hop_limit > 1 && length <= mtu && length <= bytes;
}

// `far`: the customer's address. `end`: words that mostly tell ends apart.
static __always_inline void note_flow6(struct notes *notes, const struct in6_addr *far,
				       const struct ipv6hdr *ip, __u64 end)
{
	notes->flow[0] = load_word(far);
	notes->flow[1] = load_word(&far->s6_addr[8]);
	notes->flow[2] = *(const __be32 *)(ip + 1);
	notes->row = first_row((end + notes->flow[0] * 3 + notes->flow[1]) * 0x85ebca77c2b2ae3dull ^
				       notes->flow[2] * 0xff51afd7ed558ccdull,
			       shortcut6_bits);
}

// ---- into the Net ---------------------------------------------------------------------

static __always_inline void note_port_frame6(struct xdp_md *ctx, struct notes *notes)
{
	const __u8 *frame = at(ctx, 0, PORT_HEAD + sizeof(struct ipv6hdr) + sizeof(struct udphdr));
	const struct ipv6hdr *ip = (const struct ipv6hdr *)(frame + PORT_HEAD);

	notes->eligible = frame && is_amid_flow6(ctx, ip);
	if (!notes->eligible)
		return;
	notes->words[0] = load_word(frame) & bpf_cpu_to_be64(OUR_MAC);
	notes->words[0] |= bpf_cpu_to_be64(ip->nexthdr);
	notes->words[1] = load_word(frame + TAG_AT) & bpf_cpu_to_be64(TAG_TYPE_VERSION6);
	notes->words[2] = ctx->ingress_ifindex;
	notes->words[3] = load_word(&ip->daddr);
	notes->words[4] = load_word(&ip->daddr.s6_addr[8]);
	note_flow6(notes, &ip->saddr, ip, notes->words[1] + notes->words[4]);
}

// As `flow_hash` of what `read_packet6` reads.
static __always_inline __u32 hash_of_packet6(const struct ipv6hdr *ip)
{
	const __be16 *ports = (const __be16 *)(ip + 1);

	return mix_flow(fold_address6((const struct address6 *)&ip->saddr),
			fold_address6((const struct address6 *)&ip->daddr),
			(__u32)ports[0] << 16 | ports[1], ip->nexthdr);
}

// The frame is in its tunnel. A function of its own, for the sake of the stack.
static __noinline void leave_net_shortcut6(struct xdp_md *ctx, const struct notes *notes,
					   const struct trip *trip, __u16 mtu, __u16 room)
{
	struct tunnel tunnel;
	__u64 stamp;

	if (!notes->eligible || !read_tunnel(ctx, 0, &tunnel))
		return;
	stamp = stamp_of_head(notes, trip, &tunnel, mtu, room);
	if (stamp)
		leave_shortcut(&net_shortcuts6, &net_ends, notes, FLOW6_WORDS, stamp);
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_net_shortcut6(struct xdp_md *ctx, struct trip *trip,
						     struct notes *notes)
{
	struct tunnel tunnel;
	enum verdict verdict;
	struct net_end *end;
	struct ipv6hdr *ip;
	__u32 hash;

	note_port_frame6(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	end = find_net_end(notes, find_stamp(&net_shortcuts6, notes, FLOW6_WORDS));
	if (!end || trip->bytes > end->room)
		return VERDICT_COUNT;
	ip = at(ctx, PORT_HEAD, sizeof(*ip) + sizeof(__be32));
	if (!ip || !is_usual6(ip, trip->bytes - PORT_HEAD, end->mtu))
		return VERDICT_COUNT;
	hash = hash_of_packet6(ip);
	verdict = open_tunnel(ctx, trip, end, &tunnel, sizeof(*ip));
	if (verdict != VERDICT_COUNT)
		return verdict;
	((struct ipv6hdr *)tunnel.payload)->hop_limit -= 1;
	write_end(&tunnel, end, hash, trip->bytes + PORT_GROWTH - sizeof(struct ethernet),
		  ETH_P_IPV6);
	return VERDICT_FORWARDED_TO_NET;
}

// ---- onto a customer's VLAN -----------------------------------------------------------

static __always_inline void note_fabric_frame6(struct xdp_md *ctx, struct notes *notes)
{
	struct tunnel tunnel;
	const struct ipv6hdr *ip;

	notes->eligible = read_tunnel(ctx, sizeof(*ip) + sizeof(struct udphdr), &tunnel) &&
			  is_tunnel(&tunnel) && is_amid_flow6(ctx, tunnel.payload);
	if (!notes->eligible)
		return;
	ip = tunnel.payload;
	note_tunnel(&tunnel, notes,
		    ip->nexthdr << 8 | (*(const __u8 *)tunnel.payload & VERSION6_MASK));
	notes->words[5] = load_word(&ip->saddr);
	notes->words[6] = load_word(&ip->saddr.s6_addr[8]);
	note_flow6(notes, &ip->daddr, ip, notes->words[2] + notes->words[6]);
}

// The packet went this way. A function of its own, which looks the way's rows up again, for the sake
// of the stack.
static __noinline void leave_customer_shortcut6(const struct notes *notes, const struct trip *trip,
						__u32 way)
{
	struct interface_key *key = bpf_map_lookup_elem(&interface_keys, &way);
	struct interface_row *row = key ? bpf_map_lookup_elem(&interfaces, key) : NULL;
	__u64 stamp;

	if (!notes->eligible || !key || !row)
		return;
	stamp = stamp_of_way(notes, trip, key, row, way);
	if (stamp)
		leave_shortcut(&customer_shortcuts6, &customer_ends, notes, FLOW6_WORDS, stamp);
}

// VERDICT_COUNT: take the road.
static __always_inline enum verdict go_customer_shortcut6(struct xdp_md *ctx, struct trip *trip,
							  struct notes *notes)
{
	struct neighbour_row neighbour;
	struct customer_end *end;
	enum verdict verdict;
	struct ipv6hdr *ip;

	note_fabric_frame6(ctx, notes);
	if (!notes->eligible)
		return VERDICT_COUNT;
	end = find_customer_end(notes, find_stamp(&customer_shortcuts6, notes, FLOW6_WORDS));
	if (!end)
		return VERDICT_COUNT;
	ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	if (!ip || !is_usual6(ip, trip->bytes - FABRIC_HEAD, end->mtu) ||
	    !find_neighbour(end->way, &neighbour))
		return VERDICT_COUNT;
	verdict = check_rates_of_end(trip, end);
	if (verdict != VERDICT_COUNT)
		return verdict;
	ip = unwrap(ctx, &neighbour, end->router_mac, end->tci, ETH_P_IPV6, sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	ip->hop_limit -= 1;
	return VERDICT_FORWARDED_TO_CUSTOMER;
}
