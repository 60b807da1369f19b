// SPDX-License-Identifier: Apache-2.0 OR MIT
// From a customer's VLAN into the Net.
//
//   tag ─ interface ─┬─ ARP for the router, IPv4 to the router ─► up (slow path)
//                    └─ source announced? ─ hop left? ─ NIC of the Net? ─ MTU?
//                         ─ security group? ─ way to the VTEP? ─► VXLAN
#pragma once

#include "bundle.h"
#include "capture.h"
#include "icmp.h"
#include "lacp.h"
#include "net_shortcuts.h"
#include "police.h"

static __always_inline bool is_tag(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

// VERDICT_COUNT, and the interface, if the frame has one.
static __always_inline enum verdict find_interface(struct xdp_md *ctx, struct interface_row **row)
{
	struct ethernet *eth = at(ctx, 0, sizeof(*eth));
	struct tagged *frame;
	__u16 vlan;

	if (!eth)
		return VERDICT_MALFORMED;
	if (eth->protocol == bpf_htons(ETH_P_8021AD))
		return VERDICT_DOUBLE_TAGGED;
	if (eth->protocol != bpf_htons(ETH_P_8021Q))
		return VERDICT_UNTAGGED;
	frame = at(ctx, 0, sizeof(*frame));
	if (!frame)
		return VERDICT_MALFORMED;
	if (is_tag(frame->protocol))
		return VERDICT_DOUBLE_TAGGED;
	vlan = bpf_ntohs(frame->tci) & VLAN_ID_MASK;
	if (!vlan)
		return VERDICT_UNTAGGED;
	*row = find_interface_of(ctx->ingress_ifindex, vlan);
	return *row ? VERDICT_COUNT : VERDICT_UNKNOWN_VLAN;
}

static __always_inline bool in_peer_subnet(const struct interface_row *row, __be32 address)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (row->peers[i].way &&
		    !((address ^ row->peers[i].customer) & row->peers[i].mask))
			return true;
	return false;
}

static __always_inline bool is_routers(const struct interface_row *row, __be32 address)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (row->peers[i].way && address == row->peers[i].router)
			return true;
	return false;
}

// The kernel's stack sees only what concerns the router's own address: whoever asks for it, and
// whoever else claims it, which is to be told (the stack itself passes over such a message).
static __always_inline enum verdict check_arp(struct xdp_md *ctx, const struct interface_row *row)
{
	struct arp_ipv4 *arp = at(ctx, PORT_HEAD, sizeof(*arp));

	if (!arp)
		return VERDICT_MALFORMED;
	if (is_routers(row, arp->target) || is_routers(row, arp->sender))
		return police_class(row->number, CLASS_NEIGHBOUR);
	return VERDICT_NOT_FOR_ROUTER;
}

static __always_inline bool is_announced(const struct interface_row *row, __be32 source)
{
	struct source_key key = {
		.prefix_len = 64,
		.interface = bpf_htonl(row->number),
		.address = source,
	};

	if (is_routers(row, source))
		return false;
	return in_peer_subnet(row, source) || bpf_map_lookup_elem(&sources, &key);
}

// What answers an echo or a traced packet of ours (glass.rs of the agent) comes from behind the
// customer's router.
static __always_inline bool is_answer(struct xdp_md *ctx, const struct interface_row *row,
				      const struct iphdr *ip)
{
	struct icmp *icmp = at(ctx, PORT_HEAD + sizeof(*ip), sizeof(*icmp));

	if (!icmp || ip->protocol != IPPROTO_ICMP || ip->ihl != 5 ||
	    (ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET)))
		return false;
	if (icmp->type != ICMP_ECHO_REPLY && icmp->type != ICMP_UNREACHABLE &&
	    icmp->type != ICMP_EXCEEDED)
		return false;
	return is_announced(row, ip->saddr);
}

static __always_inline enum verdict check_for_router(struct xdp_md *ctx,
						     const struct interface_row *row,
						     const struct iphdr *ip)
{
	if (in_peer_subnet(row, ip->saddr) || is_answer(ctx, row, ip))
		return VERDICT_TO_ROUTER;
	return VERDICT_SOURCE_NOT_ANNOUNCED;
}

static __always_inline enum verdict answer_customer(struct xdp_md *ctx, struct trip *trip,
						    const struct interface_row *row,
						    enum verdict verdict)
{
	struct answer answer = {
		.from = row->peers[0].router,
		.mtu = verdict == VERDICT_TOO_BIG ? row->mtu : 0,
	};
	struct ethernet *eth;

	if (!turn_into_answer(ctx, PORT_HEAD, &answer))
		return verdict;
	eth = at(ctx, 0, sizeof(*eth));
	if (!eth)
		return verdict;
	set_mac(eth->destination, eth->source);
	set_mac(eth->source, row->router_mac);
	trip->ifindex = ctx->ingress_ifindex;
	return verdict;
}

// The largest frame that is not too large for the fabric when it is in the tunnel: the outer
// IP packet is without the outer Ethernet header.
static __always_inline __u16 room_in_tunnel(const struct next_hop *hop)
{
	const __u16 more = PORT_GROWTH - sizeof(struct ethernet);

	if (!hop->mtu)
		return 0xffff - more;
	return hop->mtu > more ? hop->mtu - more : 0;
}

static __always_inline enum verdict encapsulate(struct xdp_md *ctx, const struct trip *trip,
						const struct endpoint *end,
						const struct notes *notes)
{
	__u16 room = room_in_tunnel(end->hop);
	struct tunnel tunnel;

	if (trip->bytes > room)
		return VERDICT_FABRIC_TOO_SMALL;
	if (bpf_xdp_adjust_head(ctx, -(int)PORT_GROWTH))
		return VERDICT_NO_HEADROOM;
	if (!read_tunnel(ctx, sizeof(struct iphdr), &tunnel))
		return VERDICT_MALFORMED;
	take_hop(tunnel.payload);
	write_tunnel(&tunnel, end, trip->bytes + PORT_GROWTH - sizeof(struct ethernet));
	leave_net_shortcut(notes, trip, &tunnel, end->mtu, room);
	return VERDICT_FORWARDED_TO_NET;
}

// Admitted: into the tunnel to the NIC's VTEP.
static __always_inline enum verdict send_to_vtep(struct xdp_md *ctx, struct trip *trip,
						 struct endpoint *end, const struct notes *notes)
{
	__u32 zero = 0;

	end->router = bpf_map_lookup_elem(&router, &zero);
	if (!end->router)
		return VERDICT_FABRIC_UNRESOLVED;
	end->hop = next_hop(ctx, end->nic->vtep, end->router->fabric_ifindex);
	if (!end->hop)
		return VERDICT_FABRIC_UNRESOLVED;
	trip->ifindex = end->hop->ifindex;
	return encapsulate(ctx, trip, end, notes);
}

static __always_inline enum verdict forward_to_net(struct xdp_md *ctx, struct trip *trip,
						   const struct interface_row *row,
						   struct notes *notes)
{
	struct endpoint end = { .vni = row->vni, .mtu = row->mtu };
	struct passage passage = {
		.vni = row->vni,
		.offset = PORT_HEAD,
		.direction = DIRECTION_INBOUND,
	};
	struct address_key address = { .vni = row->vni };
	enum verdict verdict;
	struct nic_row *nic;

	note_changes_of_net(notes, row->vni);
	if (!read_tuple(ctx, PORT_HEAD, &passage.tuple))
		return VERDICT_MALFORMED;
	address.address = passage.tuple.destination;
	nic = bpf_map_lookup_elem(&nics, &address);
	if (!nic)
		return VERDICT_NIC_UNKNOWN;
	passage.rule_set = nic->rule_set;
	verdict = admit(ctx, &passage);
	if (verdict != VERDICT_COUNT)
		return verdict;
	trip->limits = find_limits(ctx->ingress_ifindex, row->number);
	verdict = check_rates(trip, DIRECTION_INBOUND, trip->bytes);
	if (verdict != VERDICT_COUNT)
		return verdict;
	end.nic = nic;
	end.hash = flow_hash(&passage.tuple);
	return send_to_vtep(ctx, trip, &end, notes);
}

static __always_inline enum verdict check_ip(struct xdp_md *ctx, const struct interface_row *row)
{
	struct ethernet *eth = at(ctx, 0, sizeof(*eth));
	struct iphdr *ip = at(ctx, PORT_HEAD, sizeof(*ip));
	enum verdict verdict;

	if (!eth || !ip)
		return VERDICT_MALFORMED;
	if (!same_mac(eth->destination, row->router_mac))
		return VERDICT_NOT_FOR_ROUTER;
	verdict = check_ipv4(ctx, ip);
	if (verdict == VERDICT_MALFORMED)
		return verdict;
	if (is_routers(row, ip->daddr))
		return check_for_router(ctx, row, ip);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (!(row->flags & INTERFACE_FORWARDS))
		return VERDICT_NOT_FORWARDING;
	if (!is_announced(row, ip->saddr))
		return VERDICT_SOURCE_NOT_ANNOUNCED;
	if (ip->ttl <= 1)
		return VERDICT_TTL_EXPIRED;
	return bpf_ntohs(ip->tot_len) > row->mtu ? VERDICT_TOO_BIG : VERDICT_COUNT;
}

static __always_inline enum verdict send_up(struct xdp_md *ctx, const struct trip *trip,
					    const struct interface_row *row)
{
	const enum class class = class_of_ipv4(ctx, PORT_HEAD);
	const enum verdict verdict = police_class(row->number, class);

	if (class == CLASS_BFD && verdict == VERDICT_TO_ROUTER) {
		// Where the other program answers, there is no agent that would read this.
		tell_verdict(trip, verdict);
		bpf_tail_call(ctx, &roads, ROAD_BFD);
	}
	return verdict;
}

// Whose VLAN it is, the road of IPv6 asks.
static __always_inline bool is_tagged_ipv6(struct xdp_md *ctx)
{
	struct tagged *frame = at(ctx, 0, sizeof(*frame));

	return frame && frame->tag_protocol == bpf_htons(ETH_P_8021Q) &&
	       frame->protocol == bpf_htons(ETH_P_IPV6);
}

static __always_inline enum verdict from_port(struct xdp_md *ctx, struct trip *trip,
					      struct notes *notes)
{
	struct interface_row *row = NULL;
	enum verdict verdict;
	struct tagged *frame;

	if (is_tagged_ipv6(ctx))
		bpf_tail_call(ctx, &roads, ROAD6_PORT);
	note_changes(notes);
	verdict = find_interface(ctx, &row);
	if (verdict == VERDICT_UNTAGGED)
		return without_tag(ctx, trip);
	if (!row)
		return verdict;
	trip->interface = row->number;
	frame = at(ctx, 0, sizeof(*frame));
	if (!frame)
		return VERDICT_MALFORMED;
	if (frame->protocol == bpf_htons(ETH_P_ARP))
		return check_arp(ctx, row);
	capture_arrival(ctx, trip, row);
	if (trip->captured)
		notes->eligible = false;
	if (frame->protocol != bpf_htons(ETH_P_IP))
		return VERDICT_NOT_IP;
	verdict = check_ip(ctx, row);
	switch (verdict) {
	case VERDICT_COUNT:
		return forward_to_net(ctx, trip, row, notes);
	case VERDICT_TTL_EXPIRED:
	case VERDICT_TOO_BIG:
		return answer_customer(ctx, trip, row, verdict);
	case VERDICT_TO_ROUTER:
		return send_up(ctx, trip, row);
	default:
		return verdict;
	}
}
