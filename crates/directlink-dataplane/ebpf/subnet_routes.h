// SPDX-License-Identifier: Apache-2.0 OR MIT
// The route table of a NIC's Subnet: does it send a packet to the gateway?
//
//   longest route by hand ─┬─ to the gateway ─► yes
//                          └─ elsewhere ─► only where the gateway learned a longer one, which is taken
//   none ─► if what the gateway learned is taken (propagation)
//
// Where it leads behind the gateway is another matter (fabric.h).
#pragma once

#include "maps.h"
#include "maps6.h"

// What a table says: a length is what a learned prefix must be above to lead to the gateway.
#define LEADS_TO_GATEWAY (-1)
#define LEADS_ELSEWHERE (-2)
#define SAYS_NOTHING (-3)

// The longest is met first. Global, like the next, so that the verifier looks at each once.
__noinline int follow_hand_routes(const struct subnet_routes_row *row, __be32 destination)
{
	if (!row)
		return SAYS_NOTHING;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < HAND_ROUTES_PER_ROW; i++) {
		const struct hand_route *route = &row->routes[i];

		if (i >= row->count)
			return SAYS_NOTHING;
		if ((destination ^ route->network) & route->mask)
			continue;
		if (route->to_gateway)
			return LEADS_TO_GATEWAY;
		return row->takes_learned ? route->prefix_len : LEADS_ELSEWHERE;
	}
	return SAYS_NOTHING;
}

__noinline int follow_route_table(__u32 rule_set, __be32 destination)
{
	struct subnet_routes_key key = { .rule_set = rule_set };

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < HAND_ROUTE_ROWS_PER_SET; i++) {
		const struct subnet_routes_row *row;
		int says;

		key.row = i;
		row = bpf_map_lookup_elem(&subnet_routes, &key);
		if (!row)
			return i ? LEADS_ELSEWHERE : LEADS_TO_GATEWAY;
		says = follow_hand_routes(row, destination);
		if (says != SAYS_NOTHING)
			return says;
		if (!row->has_next)
			return row->takes_learned ? LEADS_TO_GATEWAY : LEADS_ELSEWHERE;
	}
	return LEADS_ELSEWHERE;
}

// Whether the best route of up to that length is another than `route`, the best of all.
static __noinline bool is_longer(const struct route_row *route, __u32 vni, __be32 destination,
				 __u32 length)
{
	struct net_prefix_key prefix = {
		.prefix_len = 32 + length,
		.vni = bpf_htonl(vni),
		.address = destination,
	};

	return bpf_map_lookup_elem(&routes, &prefix) != route;
}

// `route`: what `routes` has for the destination. Inlined, for Linux 6.1 has no stack for one call
// more.
static __always_inline bool is_in_route_table(__u32 vni, __u32 rule_set, __be32 destination,
					      const struct route_row *route)
{
	int says = follow_route_table(rule_set, destination);

	return says < 0 ? says == LEADS_TO_GATEWAY : is_longer(route, vni, destination, says);
}

// Routes by hand are of IPv4.
static __always_inline bool is_in_route_table6(__u32 rule_set)
{
	struct subnet_routes_key key = { .rule_set = rule_set };
	const struct subnet_routes_row *row = bpf_map_lookup_elem(&subnet_routes, &key);

	return !row || row->takes_learned;
}
