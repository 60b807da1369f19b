// SPDX-License-Identifier: Apache-2.0 OR MIT
// From a customer's VLAN into the Net, IPv6: the road of port.h.
//
//   neighbour discovery ─ for the router, from its link? ─► up (slow path), by class (police.h)
//   for the router ─ from a peer subnet? ─► up, by class
//   all else ─ source announced? ─ hop left? ─ MTU? ─ NIC? ─ security group? ─ rate? ─► VXLAN
//
// Behind a tail call: IPv4's road keeps its registers and its stack. Its parts are
// functions of their own, for else all would be on the stack at once, which has 512 bytes.
#pragma once

#include "flows6.h"
#include "icmp6.h"
#include "port.h"
#include "shortcuts6.h"

// RFC 4291 appendix A: what the kernel gives the interface's link itself, by its MAC.
static __always_inline bool is_link_local_of(const __u8 *mac, const struct address6 *address)
{
	const __u8 *bytes = (const __u8 *)address;

	return address->words[0] == bpf_htonl(0xfe800000) && !address->words[1] &&
	       bytes[8] == (mac[0] ^ 2) && bytes[9] == mac[1] && bytes[10] == mac[2] &&
	       bytes[11] == 0xff && bytes[12] == 0xfe && bytes[13] == mac[3] &&
	       bytes[14] == mac[4] && bytes[15] == mac[5];
}

static __always_inline bool is_routers6(const struct peers6_row *peers,
					const struct interface_row *row,
					const struct address6 *address)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (peers->peers[i].way && same_address6(address, &peers->peers[i].router))
			return true;
	return is_link_local_of(row->router_mac, address);
}

static __always_inline bool in_peer_subnet6(const struct peers6_row *peers,
					    const struct address6 *address)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (peers->peers[i].way && in_range6(address, &peers->peers[i].customer,
						     &peers->peers[i].mask))
			return true;
	return false;
}

static __always_inline bool is_announced6(const struct peers6_row *peers,
					  const struct interface_row *row,
					  const struct address6 *source)
{
	struct source6_key key = {
		.prefix_len = 160,
		.interface = bpf_htonl(row->number),
		.address = *source,
	};

	if (is_routers6(peers, row, source))
		return false;
	return in_peer_subnet6(peers, source) || bpf_map_lookup_elem(&sources6, &key);
}

// The kernel's stack sees only what concerns the router's own addresses, from the link: whoever
// speaks for another's address, or from behind a router, is told apart here.
static __always_inline enum verdict check_nd(struct xdp_md *ctx, const struct interface_row *row,
					     const struct peers6_row *peers,
					     const struct tuple6 *tuple)
{
	struct neighbour_message *message;
	struct address6 target;
	bool is_near = is_link_local6(&tuple->source) || in_peer_subnet6(peers, &tuple->source);

	if (icmp6_type(tuple) != ND_SOLICITATION && icmp6_type(tuple) != ND_ADVERTISEMENT)
		return VERDICT_NOT_FOR_ROUTER;
	if (tuple->offset > EXTENSION_BYTES_MAX)
		return VERDICT_MALFORMED;
	message = at(ctx, tuple->offset, sizeof(*message));
	if (!message)
		return VERDICT_MALFORMED;
	target = message->target;
	if (tuple->hop_limit != ND_HOP_LIMIT || is_routers6(peers, row, &tuple->source))
		return VERDICT_SPOOFED_SOURCE;
	if (icmp6_type(tuple) == ND_SOLICITATION) {
		if (!is_routers6(peers, row, &target))
			return VERDICT_NOT_FOR_ROUTER;
		// From no address yet: whether ours is taken (RFC 4862). It is told so.
		return is_near || is_unspecified6(&tuple->source) ? VERDICT_TO_ROUTER :
								     VERDICT_SPOOFED_SOURCE;
	}
	if (!is_routers6(peers, row, &tuple->destination))
		return VERDICT_NOT_FOR_ROUTER;
	if (is_routers6(peers, row, &target))
		return VERDICT_SPOOFED_SOURCE;
	return is_near && (is_link_local6(&target) || in_peer_subnet6(peers, &target)) ?
		       VERDICT_TO_ROUTER :
		       VERDICT_SPOOFED_SOURCE;
}

// As `is_answer` of IPv4.
static __always_inline bool is_answer6(const struct interface_row *row,
				       const struct peers6_row *peers, const struct tuple6 *tuple)
{
	const __u8 type = icmp6_type(tuple);

	if (tuple->rest.protocol != IPPROTO_ICMPV6 || tuple->rest.later_fragment)
		return false;
	if (type != ICMP6_ECHO_REPLY && type != ICMP6_UNREACHABLE && type != ICMP6_EXCEEDED)
		return false;
	return is_announced6(peers, row, &tuple->source);
}

static __noinline enum verdict check_ip6(struct xdp_md *ctx, const struct interface_row *row,
					      const struct peers6_row *peers,
					      const struct tuple6 *tuple)
{
	struct ethernet *eth = at(ctx, 0, sizeof(*eth));
	bool is_near = is_link_local6(&tuple->source) || in_peer_subnet6(peers, &tuple->source);

	if (!eth)
		return VERDICT_MALFORMED;
	if (is_nd(tuple) && (same_mac(eth->destination, row->router_mac) || eth->destination[0] == 0x33))
		return check_nd(ctx, row, peers, tuple);
	if (!same_mac(eth->destination, row->router_mac))
		return VERDICT_NOT_FOR_ROUTER;
	if (is_routers6(peers, row, &tuple->destination))
		return (is_near && !is_routers6(peers, row, &tuple->source)) ||
				       is_answer6(row, peers, tuple) ?
			       VERDICT_TO_ROUTER :
			       VERDICT_SOURCE_NOT_ANNOUNCED;
	if (stays_on_link6(&tuple->destination))
		return VERDICT_NOT_FOR_ROUTER;
	if (!(row->flags & INTERFACE_FORWARDS))
		return VERDICT_NOT_FORWARDING;
	if (stays_on_link6(&tuple->source) || !is_announced6(peers, row, &tuple->source))
		return VERDICT_SOURCE_NOT_ANNOUNCED;
	if (tuple->hop_limit <= 1)
		return VERDICT_TTL_EXPIRED;
	return tuple->length > row->mtu ? VERDICT_TOO_BIG : VERDICT_COUNT;
}

static __noinline bool answer_customer6(struct xdp_md *ctx, struct trip *trip,
					const struct interface_row *row,
					const struct peers6_row *peers,
					const struct passage6 *passage)
{
	struct answer6 answer = { .from = peers->peers[0].router, .mtu = passage->mtu };
	struct ethernet *eth;

	if (!turn_into_answer6(ctx, PORT_HEAD, &answer, &passage->tuple))
		return false;
	eth = at(ctx, 0, sizeof(*eth));
	if (!eth)
		return false;
	set_mac(eth->destination, eth->source);
	set_mac(eth->source, row->router_mac);
	trip->ifindex = ctx->ingress_ifindex;
	return true;
}

// Behind extension headers, a fragment's among them, nothing is told apart.
static __always_inline enum class class_of_ipv6(struct xdp_md *ctx, const struct tuple6 *tuple)
{
	const __u32 offset = PORT_HEAD + sizeof(struct ipv6hdr);
	struct tcphdr *tcp;

	if (is_nd(tuple))
		return CLASS_NEIGHBOUR;
	if (tuple->offset != offset)
		return CLASS_REST;
	switch (tuple->rest.protocol) {
	case IPPROTO_ICMPV6:
		return CLASS_ICMP;
	case IPPROTO_TCP:
		tcp = at(ctx, offset, sizeof(*tcp));
		return tcp ? class_of_tcp(tcp) : CLASS_REST;
	case IPPROTO_UDP:
		return tuple->rest.destination_port == bpf_htons(BFD_PORT) &&
				       tuple->hop_limit == BFD_TTL ?
			       CLASS_BFD :
			       CLASS_REST;
	default:
		return CLASS_REST;
	}
}

static __always_inline bool resolve_vtep(struct xdp_md *ctx, struct trip *trip,
					 struct endpoint *end)
{
	__u32 zero = 0;

	end->router = bpf_map_lookup_elem(&router, &zero);
	if (!end->router)
		return false;
	end->hop = next_hop(ctx, end->nic->vtep, end->router->fabric_ifindex);
	if (!end->hop)
		return false;
	trip->ifindex = end->hop->ifindex;
	return true;
}

static __always_inline enum verdict encapsulate6(struct xdp_md *ctx, const struct trip *trip,
						 const struct endpoint *end,
						 struct passage6 *passage)
{
	struct ipv6hdr *ip;
	struct tunnel tunnel;

	passage->room = room_in_tunnel(end->hop);
	if (trip->bytes > passage->room)
		return VERDICT_FABRIC_TOO_SMALL;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	if (!read_tunnel(ctx, sizeof(*ip), &tunnel))
		return VERDICT_MALFORMED;
	ip = tunnel.payload;
	ip->hop_limit -= 1;
	write_tunnel(&tunnel, end, trip->bytes + PORT_GROWTH - sizeof(struct ethernet));
	tunnel.inner->protocol = bpf_htons(ETH_P_IPV6);
	return VERDICT_FORWARDED_TO_NET;
}

static __noinline enum verdict forward_to_net6(struct xdp_md *ctx, struct trip *trip,
						    const struct interface_row *row,
						    struct passage6 *passage, struct notes *notes)
{
	struct endpoint end = { .vni = row->vni };
	struct address6_key address = { .vni = row->vni, .address = passage->tuple.destination };
	enum verdict verdict;
	struct nic_row *nic;

	note_changes_of_net(notes, row->vni);
	nic = bpf_map_lookup_elem(&nics6, &address);
	if (!nic)
		return VERDICT_NIC_UNKNOWN;
	passage->vni = row->vni;
	passage->rule_set = nic->rule_set;
	passage->direction = DIRECTION_INBOUND;
	verdict = admit6(ctx, passage);
	if (verdict != VERDICT_COUNT)
		return verdict;
	trip->limits = find_limits(ctx->ingress_ifindex, row->number);
	verdict = check_rates(trip, DIRECTION_INBOUND, trip->bytes);
	if (verdict != VERDICT_COUNT)
		return verdict;
	end.nic = nic;
	end.hash = flow_hash(&passage->tuple.rest);
	if (!resolve_vtep(ctx, trip, &end))
		return VERDICT_FABRIC_UNRESOLVED;
	return encapsulate6(ctx, trip, &end, passage);
}

// As `send_up` of IPv4.
static __always_inline enum verdict send_up6(struct xdp_md *ctx, const struct trip *trip,
					     const struct tuple6 *tuple)
{
	const enum class class = class_of_ipv6(ctx, tuple);
	const enum verdict verdict = police_class(trip->interface, class);

	if (class == CLASS_BFD && verdict == VERDICT_TO_ROUTER) {
		tell_verdict(trip, verdict);
		bpf_tail_call(ctx, &roads, ROAD6_BFD);
	}
	return verdict;
}

static __always_inline enum verdict from_port6(struct xdp_md *ctx, struct trip *trip,
					       struct notes *notes)
{
	struct passage6 *passage = new_passage6();
	struct interface_row *row = NULL;
	struct peers6_row *peers;
	enum verdict verdict;
	__u32 number;

	note_changes(notes);
	verdict = find_interface(ctx, &row);
	if (!row || !passage)
		return verdict;
	number = row->number;
	trip->interface = number;
	capture_arrival(ctx, trip, row);
	if (trip->captured)
		notes->eligible = false;
	peers = bpf_map_lookup_elem(&peers6, &number);
	if (!peers)
		return VERDICT_NO_IPV6_HERE;
	verdict = read_packet6(ctx, PORT_HEAD, &passage->tuple);
	if (verdict == VERDICT_COUNT)
		verdict = check_ip6(ctx, row, peers, &passage->tuple);
	switch (verdict) {
	case VERDICT_COUNT:
		verdict = forward_to_net6(ctx, trip, row, passage, notes);
		if (verdict == VERDICT_FORWARDED_TO_NET)
			leave_net_shortcut6(ctx, notes, trip, row->mtu, passage->room);
		return verdict;
	case VERDICT_TTL_EXPIRED:
	case VERDICT_TOO_BIG:
		passage->mtu = verdict == VERDICT_TOO_BIG ? row->mtu : 0;
		answer_customer6(ctx, trip, row, peers, passage);
		return verdict;
	case VERDICT_TO_ROUTER:
		return send_up6(ctx, trip, &passage->tuple);
	default:
		return verdict;
	}
}
