// SPDX-License-Identifier: Apache-2.0 OR MIT
// From the Net onto a customer's VLAN, IPv6: the road of fabric.h, without shortcuts.
//
//   inner ─┬─ neighbour solicitation for a gateway ─► answered in place
//          └─ the NIC that it says? ─ hop left? ─ route ─ interface ─ MTU? ─ security group? ─►
//                                                    └► another router's VTEP (relay.h)
#pragma once

#include "fabric.h"
#include "flows6.h"
#include "icmp6.h"
#include "shortcuts6.h"

#define ND_ANSWER_BYTES (sizeof(struct neighbour_message) + sizeof(struct neighbour_option))
// RFC 4861 §4.4: from a router, asked for, takes the place of what was known.
#define ND_ROUTER_SOLICITED_OVERRIDE 0xe0000000
#define ND_TARGET_LINK_LAYER 2

static __always_inline enum verdict check_nic6(struct arrival *arrival,
					       const struct address6 *source, const __u8 *mac)
{
	struct address6_key key = { .vni = arrival->vni, .address = *source };

	return check_sender(arrival, bpf_map_lookup_elem(&nics6, &key), mac);
}

static __always_inline struct subnet6_row *find_subnet6(__u32 vni, const struct address6 *address)
{
	struct net_prefix6_key key = {
		.prefix_len = 160,
		.vni = bpf_htonl(vni),
		.address = *address,
	};

	return bpf_map_lookup_elem(&subnets6, &key);
}

static __always_inline bool write_advertisement(struct xdp_md *ctx, const struct arrival *arrival,
						const struct address6 *gateway,
						const struct address6 *to)
{
	const __u32 bytes = FABRIC_HEAD + sizeof(struct ipv6hdr) + ND_ANSWER_BYTES;
	struct neighbour_message *message;
	struct neighbour_option *option;
	struct tunnel tunnel;
	struct ipv6hdr *ip;

	if (bpf_xdp_adjust_tail(ctx, (int)bytes - (int)(ctx->data_end - ctx->data)))
		return false;
	if (!read_tunnel(ctx, sizeof(*ip) + ND_ANSWER_BYTES, &tunnel))
		return false;
	ip = tunnel.payload;
	write_ip6(ip, gateway, to, IPPROTO_ICMPV6, ND_ANSWER_BYTES, ND_HOP_LIMIT);
	message = (struct neighbour_message *)(ip + 1);
	option = (struct neighbour_option *)(message + 1);
	message->type = ND_ADVERTISEMENT;
	message->code = 0;
	message->checksum = 0;
	message->flags = bpf_htonl(ND_ROUTER_SOLICITED_OVERRIDE);
	message->target = *gateway;
	option->type = ND_TARGET_LINK_LAYER;
	option->units = 1;
	set_mac(option->mac, arrival->router->gateway_mac);
	message->checksum = checksum6(IPPROTO_ICMPV6, gateway, to, message, ND_ANSWER_BYTES);
	turn_tunnel(&tunnel, arrival->router, arrival->nic, bytes - sizeof(struct ethernet));
	return true;
}

static __noinline enum verdict answer_nd(struct xdp_md *ctx, struct arrival *arrival,
					      struct trip *trip, const struct tuple6 *tuple)
{
	struct neighbour_message *message;
	struct subnet6_row *subnet;
	struct address6 gateway;
	struct tunnel tunnel;
	enum verdict verdict;

	// What a host says to its own link (RFC 4862, RFC 3810) is nobody's attempt at fraud.
	if (icmp6_type(tuple) != ND_SOLICITATION || stays_on_link6(&tuple->source))
		return VERDICT_NOT_FOR_ROUTER;
	if (tuple->offset > EXTENSION_BYTES_MAX)
		return VERDICT_MALFORMED;
	message = at(ctx, tuple->offset, sizeof(*message));
	if (!message || !read_tunnel(ctx, 0, &tunnel))
		return VERDICT_MALFORMED;
	gateway = message->target;
	verdict = check_nic6(arrival, &tuple->source, tunnel.inner->source);
	if (verdict != VERDICT_COUNT)
		return verdict;
	// Routers relay packets alone.
	if (arrival->relayed)
		return VERDICT_SPOOFED_SOURCE;
	subnet = find_subnet6(arrival->vni, &gateway);
	if (!subnet || !same_address6(&subnet->gateway, &gateway))
		return VERDICT_NOT_FOR_ROUTER;
	if (tuple->hop_limit != ND_HOP_LIMIT)
		return VERDICT_SPOOFED_SOURCE;
	if (!write_advertisement(ctx, arrival, &gateway, &tuple->source))
		return VERDICT_MALFORMED;
	trip->ifindex = ctx->ingress_ifindex;
	return VERDICT_ND_ANSWERED;
}

static __noinline bool answer_nic6(struct xdp_md *ctx, const struct arrival *arrival,
				   struct trip *trip, const struct passage6 *passage)
{
	const __u32 outer = TUNNEL_BYTES - sizeof(struct ethernet);
	const struct tuple6 *tuple = &passage->tuple;
	struct subnet6_row *subnet = find_subnet6(arrival->vni, &tuple->source);
	struct answer6 answer = { .mtu = passage->mtu };
	struct tunnel tunnel;
	__u32 bytes;

	if (!subnet)
		return false;
	answer.from = subnet->gateway;
	bytes = turn_into_answer6(ctx, FABRIC_HEAD, &answer, tuple);
	if (!bytes || !read_tunnel(ctx, 0, &tunnel))
		return false;
	turn_tunnel(&tunnel, arrival->router, arrival->nic, outer + bytes);
	trip->ifindex = arrival->relayed ? past_relay(ctx, arrival, &tunnel) : ctx->ingress_ifindex;
	return true;
}

static __always_inline bool has_way6(const struct peers6_row *peers, __u32 number)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (peers->peers[i].way == number)
			return true;
	return false;
}

static __always_inline enum verdict find_way6(__u32 vni, const struct tuple6 *tuple, bool relayed,
					      struct way *way)
{
	struct net_prefix6_key prefix = {
		.prefix_len = 160,
		.vni = bpf_htonl(vni),
		.address = tuple->destination,
	};
	struct route_row *route = bpf_map_lookup_elem(&routes6, &prefix);
	struct peers6_row *peers;
	__u32 number, interface;

	way->row = NULL;
	if (!route)
		return VERDICT_NO_ROUTE;
	number = choose_way(route, &tuple->rest, relayed);
	way->number = number;
	if (number > WAY_MAX)
		return VERDICT_RELAYED;
	way->key = bpf_map_lookup_elem(&interface_keys, &number);
	if (!number || !way->key)
		return VERDICT_INTERFACE_GONE;
	way->row = bpf_map_lookup_elem(&interfaces, way->key);
	if (!way->row || way->row->vni != vni)
		return VERDICT_INTERFACE_GONE;
	interface = way->row->number;
	peers = bpf_map_lookup_elem(&peers6, &interface);
	return peers && has_way6(peers, number) ? VERDICT_COUNT : VERDICT_INTERFACE_GONE;
}

static __always_inline enum verdict decapsulate6(struct xdp_md *ctx, const struct way *way)
{
	struct neighbour_row neighbour;
	struct ipv6hdr *ip;

	if (!find_neighbour(way->number, &neighbour))
		return VERDICT_NO_NEIGHBOUR;
	ip = unwrap(ctx, &neighbour, way->row->router_mac, bpf_htons(way->key->vlan), ETH_P_IPV6,
		    sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	ip->hop_limit -= 1;
	return VERDICT_FORWARDED_TO_CUSTOMER;
}

// A packet that its NIC really sent.
static __noinline enum verdict forward_to_customer6(struct xdp_md *ctx, struct trip *trip,
							 struct arrival *arrival,
							 struct passage6 *passage,
							 struct notes *notes)
{
	const struct tuple6 *tuple = &passage->tuple;
	struct interface_row *row;
	enum verdict verdict;
	struct way way = {};
	bool is_chosen;

	verdict = find_way6(arrival->vni, tuple, arrival->relayed, &way);
	is_chosen = is_in_route_table6(arrival->nic->rule_set);
	if (verdict == VERDICT_RELAYED)
		return is_chosen ? relay(ctx, trip, arrival, bpf_htonl(way.number)) :
				   VERDICT_NOT_IN_ROUTE_TABLE;
	row = way.row;
	if (!way.key || !row || verdict != VERDICT_COUNT)
		return verdict;
	trip->interface = row->number;
	trip->captured = is_captured(row);
	if (trip->captured)
		notes->eligible = false;
	if (!(row->flags & INTERFACE_FORWARDS))
		return VERDICT_NOT_FORWARDING;
	if (!is_chosen)
		return VERDICT_NOT_IN_ROUTE_TABLE;
	if (tuple->hop_limit <= 1)
		return VERDICT_TTL_EXPIRED;
	if (tuple->length > row->mtu) {
		passage->mtu = row->mtu;
		return VERDICT_TOO_BIG;
	}
	passage->vni = arrival->vni;
	passage->rule_set = arrival->nic->rule_set;
	passage->direction = DIRECTION_OUTBOUND;
	verdict = admit6(ctx, passage);
	if (verdict != VERDICT_COUNT)
		return verdict;
	trip->ifindex = choose_port(way.key->port_ifindex, flow_hash(&tuple->rest));
	trip->limits = find_limits(trip->ifindex, row->number);
	verdict = check_rates(trip, DIRECTION_OUTBOUND, trip->bytes - CUSTOMER_SHRINKAGE);
	if (verdict != VERDICT_COUNT)
		return verdict;
	passage->way = way.number;
	return decapsulate6(ctx, &way);
}

static __always_inline enum verdict from_fabric6(struct xdp_md *ctx, struct trip *trip,
						 struct notes *notes)
{
	struct passage6 *passage = new_passage6();
	struct arrival arrival = {};
	const struct tuple6 *tuple;
	struct tunnel tunnel;
	enum verdict verdict;

	note_changes(notes);
	verdict = check_outer(ctx, &arrival);
	if (verdict != VERDICT_COUNT || !passage)
		return verdict;
	note_changes_of_net(notes, arrival.vni);
	tuple = &passage->tuple;
	verdict = read_packet6(ctx, FABRIC_HEAD, &passage->tuple);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (is_nd(tuple))
		return answer_nd(ctx, &arrival, trip, tuple);
	if (stays_on_link6(&tuple->source) || stays_on_link6(&tuple->destination))
		return VERDICT_NOT_FOR_ROUTER;
	if (!read_tunnel(ctx, 0, &tunnel))
		return VERDICT_MALFORMED;
	verdict = check_nic6(&arrival, &tuple->source, tunnel.inner->source);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (!same_mac(tunnel.inner->destination, arrival.router->gateway_mac))
		return VERDICT_NOT_FOR_ROUTER;
	verdict = forward_to_customer6(ctx, trip, &arrival, passage, notes);
	if (verdict == VERDICT_FORWARDED_TO_CUSTOMER)
		leave_customer_shortcut6(notes, trip, passage->way);
	capture_departure(ctx, trip, FABRIC_HEAD, verdict);
	if (verdict == VERDICT_TTL_EXPIRED || verdict == VERDICT_TOO_BIG)
		answer_nic6(ctx, &arrival, trip, passage);
	return verdict;
}
