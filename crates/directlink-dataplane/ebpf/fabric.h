// SPDX-License-Identifier: Apache-2.0 OR MIT
// From the Net onto a customer's VLAN.
//
//   VXLAN to our VTEP? ─ inner ─┬─ ARP for a gateway ─► answered in place
//                               └─ the NIC that it says? ─ hop left? ─ route ─ interface
//                                    │  ─ its Subnet's route table? ─ MTU? ─ security group?
//                                    │                              ─ customer's MAC ─► VLAN
//                                    └► another router's VTEP (relay.h)
#pragma once

#include "bundle.h"
#include "capture.h"
#include "customer_shortcuts.h"
#include "icmp.h"
#include "relay.h"
#include "subnet_routes.h"

// VERDICT_COUNT for VXLAN to our VTEP; anything else is the kernel's.
static __always_inline enum verdict check_outer(struct xdp_md *ctx, struct arrival *arrival)
{
	struct tunnel tunnel;
	__u32 zero = 0;

	arrival->router = bpf_map_lookup_elem(&router, &zero);
	if (!arrival->router || !read_tunnel(ctx, 0, &tunnel))
		return VERDICT_TO_KERNEL;
	if (tunnel.eth->protocol != bpf_htons(ETH_P_IP) || tunnel.ip->version != 4 ||
	    tunnel.ip->ihl != 5 || tunnel.ip->protocol != IPPROTO_UDP ||
	    tunnel.ip->daddr != arrival->router->vtep ||
	    (tunnel.ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)) ||
	    tunnel.udp->dest != bpf_htons(VXLAN_PORT))
		return VERDICT_TO_KERNEL;
	if (!(tunnel.vxlan->flags & VXLAN_VNI_VALID))
		return VERDICT_MALFORMED;
	arrival->vni = bpf_ntohl(tunnel.vxlan->vni) >> 8;
	arrival->relays = bpf_ntohl(tunnel.vxlan->vni);
	arrival->from = tunnel.ip->saddr;
	return VERDICT_COUNT;
}

// The inner source must be a NIC of that Net, with its MAC, from its VTEP or through a router
// that leads to the Net as well.
static __always_inline enum verdict check_sender(struct arrival *arrival,
						 const struct nic_row *nic, const __u8 *mac)
{
	if (!nic)
		return bpf_map_lookup_elem(&nets, &arrival->vni) ? VERDICT_SPOOFED_SOURCE :
								   VERDICT_UNKNOWN_VNI;
	arrival->nic = nic;
	arrival->relayed = nic->vtep != arrival->from;
	if (!same_mac(mac, nic->mac) || (arrival->relayed && !is_relay(arrival)))
		return VERDICT_SPOOFED_SOURCE;
	if (!arrival->relayed)
		arrival->relays = 0;
	else if (!arrival->relays) // a router of an older build does not count
		arrival->relays = 1;
	return VERDICT_COUNT;
}

static __always_inline enum verdict check_nic(struct arrival *arrival, __be32 source,
					      const __u8 *mac)
{
	struct address_key key = { .vni = arrival->vni, .address = source };

	return check_sender(arrival, bpf_map_lookup_elem(&nics, &key), mac);
}

static __always_inline struct subnet_row *find_subnet(__u32 vni, __be32 address)
{
	struct net_prefix_key key = {
		.prefix_len = 64,
		.vni = bpf_htonl(vni),
		.address = address,
	};

	return bpf_map_lookup_elem(&subnets, &key);
}

static __always_inline enum verdict answer_arp(struct xdp_md *ctx, struct arrival *arrival,
					       struct trip *trip)
{
	struct arp_ipv4 *arp;
	struct subnet_row *subnet;
	struct tunnel tunnel;
	enum verdict verdict;
	__be32 gateway;

	if (!read_tunnel(ctx, sizeof(*arp), &tunnel))
		return VERDICT_MALFORMED;
	arp = tunnel.payload;
	verdict = check_nic(arrival, arp->sender, tunnel.inner->source);
	if (verdict != VERDICT_COUNT)
		return verdict;
	// Routers relay packets alone.
	if (arrival->relayed)
		return VERDICT_SPOOFED_SOURCE;
	gateway = arp->target;
	subnet = find_subnet(arrival->vni, gateway);
	if (arp->operation != bpf_htons(ARP_REQUEST) || !subnet || subnet->gateway != gateway)
		return VERDICT_NOT_FOR_ROUTER;
	arp->operation = bpf_htons(ARP_REPLY);
	set_mac(arp->target_mac, arp->sender_mac);
	arp->target = arp->sender;
	set_mac(arp->sender_mac, arrival->router->gateway_mac);
	arp->sender = gateway;
	turn_tunnel(&tunnel, arrival->router, arrival->nic, bpf_ntohs(tunnel.ip->tot_len));
	trip->ifindex = ctx->ingress_ifindex;
	return VERDICT_ARP_ANSWERED;
}

static __always_inline enum verdict answer_nic(struct xdp_md *ctx, const struct arrival *arrival,
					       struct trip *trip, enum verdict verdict, __u16 mtu)
{
	const __u16 outer = TUNNEL_BYTES - sizeof(struct ethernet) + ANSWER_BYTES + QUOTE_BYTES;
	struct iphdr *ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	struct answer answer = { .mtu = mtu };
	struct subnet_row *subnet;
	struct tunnel tunnel;

	if (!ip)
		return VERDICT_MALFORMED;
	subnet = find_subnet(arrival->vni, ip->saddr);
	if (!subnet)
		return verdict;
	answer.from = subnet->gateway;
	if (!turn_into_answer(ctx, FABRIC_HEAD, &answer))
		return verdict;
	if (!read_tunnel(ctx, 0, &tunnel))
		return verdict;
	turn_tunnel(&tunnel, arrival->router, arrival->nic, outer);
	trip->ifindex = arrival->relayed ? past_relay(ctx, arrival, &tunnel) : ctx->ingress_ifindex;
	return verdict;
}

// A router of a customer, and the interface that it is on.
struct way {
	__u32 number;
	const struct route_row *route;
	struct interface_key *key;
	struct interface_row *row;
};

static __always_inline bool has_way(const struct interface_row *row, __u32 number)
{
	int i;

	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (row->peers[i].way == number)
			return true;
	return false;
}

// Ways of our own that stand behind better ones of other routers, for what those relay to us: the
// first of them, and how many. None: 0.
static __always_inline __u32 own_ways(const struct route_row *route, __u32 *first)
{
	__u32 i, count = 0;

	for (i = 1; i < NEXT_HOPS_PER_ROUTE; i++) {
		if (i < route->count || !route->ways[i])
			continue;
		if (!count)
			*first = i;
		count++;
	}
	return count;
}

// By the flow's hash if there are several.
static __always_inline __u32 choose_way(const struct route_row *route, const struct tuple *tuple,
					bool relayed)
{
	__u32 first = 0;
	__u32 count = relayed ? own_ways(route, &first) : 0;

	if (!count)
		count = route->count;
	if (count > 1)
		first += flow_hash(tuple) % count;
	return route->ways[first & (NEXT_HOPS_PER_ROUTE - 1)];
}

// Where a route leads.
static __always_inline enum verdict find_way(__u32 vni, const struct tuple *tuple, bool relayed,
					     struct way *way)
{
	struct net_prefix_key prefix = {
		.prefix_len = 64,
		.vni = bpf_htonl(vni),
		.address = tuple->destination,
	};
	struct route_row *route = bpf_map_lookup_elem(&routes, &prefix);
	__u32 number;

	way->row = NULL;
	way->route = route;
	if (!route)
		return VERDICT_NO_ROUTE;
	number = choose_way(route, tuple, relayed);
	way->number = number;
	if (number > WAY_MAX)
		return VERDICT_RELAYED;
	way->key = bpf_map_lookup_elem(&interface_keys, &number);
	if (!number || !way->key)
		return VERDICT_INTERFACE_GONE;
	way->row = bpf_map_lookup_elem(&interfaces, way->key);
	if (!way->row || !has_way(way->row, number) || way->row->vni != vni)
		return VERDICT_INTERFACE_GONE;
	return VERDICT_COUNT;
}

// By the route table of the NIC's Subnet.
static __always_inline bool is_chosen(const struct passage *passage, const struct way *way)
{
	return is_in_route_table(passage->vni, passage->rule_set, passage->tuple.destination,
				 way->route);
}

static __always_inline enum verdict decapsulate(struct xdp_md *ctx, const struct way *way)
{
	struct neighbour_row neighbour;
	struct iphdr *ip;

	if (!find_neighbour(way->number, &neighbour))
		return VERDICT_NO_NEIGHBOUR;
	ip = unwrap(ctx, &neighbour, way->row->router_mac, bpf_htons(way->key->vlan), ETH_P_IP,
		    sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	take_hop(ip);
	return VERDICT_FORWARDED_TO_CUSTOMER;
}

// A packet that its NIC really sent.
static __always_inline enum verdict forward_to_customer(struct xdp_md *ctx, struct trip *trip,
							struct arrival *arrival,
							struct notes *notes)
{
	struct passage passage = {
		.vni = arrival->vni,
		.rule_set = arrival->nic->rule_set,
		.offset = FABRIC_HEAD,
		.direction = DIRECTION_OUTBOUND,
	};
	struct interface_row *row;
	enum verdict verdict;
	struct way way = {};
	struct iphdr *ip;

	if (!read_tuple(ctx, FABRIC_HEAD, &passage.tuple))
		return VERDICT_MALFORMED;
	verdict = find_way(arrival->vni, &passage.tuple, arrival->relayed, &way);
	if (verdict == VERDICT_RELAYED && !is_chosen(&passage, &way))
		return VERDICT_NOT_IN_ROUTE_TABLE;
	if (verdict == VERDICT_RELAYED)
		return relay(ctx, trip, arrival, bpf_htonl(way.number));
	row = way.row;
	if (!way.key || !row || verdict != VERDICT_COUNT)
		return verdict;
	trip->interface = row->number;
	trip->captured = is_captured(row);
	if (trip->captured)
		notes->eligible = false;
	if (!(row->flags & INTERFACE_FORWARDS))
		return VERDICT_NOT_FORWARDING;
	if (!is_chosen(&passage, &way))
		return VERDICT_NOT_IN_ROUTE_TABLE;
	ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	verdict = ip->ttl <= 1 ? VERDICT_TTL_EXPIRED :
	    bpf_ntohs(ip->tot_len) > row->mtu ? VERDICT_TOO_BIG : VERDICT_COUNT;
	if (verdict != VERDICT_COUNT) {
		capture_departure(ctx, trip, FABRIC_HEAD, verdict);
		return answer_nic(ctx, arrival, trip, verdict,
				  verdict == VERDICT_TOO_BIG ? row->mtu : 0);
	}
	verdict = admit(ctx, &passage);
	if (verdict != VERDICT_COUNT)
		return verdict;
	trip->ifindex = choose_port(way.key->port_ifindex, flow_hash(&passage.tuple));
	trip->limits = find_limits(trip->ifindex, row->number);
	verdict = check_rates(trip, DIRECTION_OUTBOUND, trip->bytes - CUSTOMER_SHRINKAGE);
	if (verdict != VERDICT_COUNT)
		return verdict;
	leave_customer_shortcut(notes, trip, way.key, row, way.number);
	return decapsulate(ctx, &way);
}

// Whose tunnel it is, the road of IPv6 asks.
static __always_inline bool is_tunnelled_ipv6(struct xdp_md *ctx)
{
	struct tunnel tunnel;

	return read_tunnel(ctx, 0, &tunnel) && is_tunnel(&tunnel) &&
	       tunnel.inner->protocol == bpf_htons(ETH_P_IPV6);
}

static __always_inline enum verdict from_fabric(struct xdp_md *ctx, struct trip *trip,
						struct notes *notes)
{
	struct arrival arrival = {};
	enum verdict verdict;
	struct tunnel tunnel;
	struct iphdr *ip;

	if (is_tunnelled_ipv6(ctx))
		bpf_tail_call(ctx, &roads, ROAD6_FABRIC);
	note_changes(notes);
	verdict = check_outer(ctx, &arrival);
	if (verdict != VERDICT_COUNT)
		return verdict;
	note_changes_of_net(notes, arrival.vni);
	if (!read_tunnel(ctx, 0, &tunnel))
		return VERDICT_MALFORMED;
	if (tunnel.inner->protocol == bpf_htons(ETH_P_ARP))
		return answer_arp(ctx, &arrival, trip);
	if (tunnel.inner->protocol != bpf_htons(ETH_P_IP))
		return VERDICT_NOT_IP;
	ip = at(ctx, FABRIC_HEAD, sizeof(*ip));
	if (!ip)
		return VERDICT_MALFORMED;
	verdict = check_nic(&arrival, ip->saddr, tunnel.inner->source);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (!same_mac(tunnel.inner->destination, arrival.router->gateway_mac))
		return VERDICT_NOT_FOR_ROUTER;
	verdict = check_ipv4(ctx, ip);
	if (verdict != VERDICT_COUNT)
		return verdict;
	return forward_to_customer(ctx, trip, &arrival, notes);
}
