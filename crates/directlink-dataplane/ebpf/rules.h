// SPDX-License-Identifier: Apache-2.0 OR MIT
// Security groups: does a rule of a set admit a flow? What none admits is denied.
//
// Only the first packet of a flow comes here; the scan is bounded by the rows of a set.
#pragma once

#include "parse.h"

// What rules speak of: the far end, and the destination port.
struct request {
	__u32 rule_set;
	__be32 far;
	__s32 port;
	__u32 ports_count; // all bits, if the protocol has ports
	enum direction direction;
	__u8 protocol;
};

// By arithmetic alone: a branch for each condition would multiply the verifier's paths
// with every rule.
static __always_inline bool matches(const struct rule *rule, const struct request *request)
{
	__u32 range = (request->far ^ rule->network) & rule->mask;
	__u32 protocol = (request->protocol ^ rule->protocol) & rule->protocol_mask;
	// Negative where the port is below or above.
	__s32 port = (request->port - rule->port_from) | (rule->port_to - request->port);

	return !(range | protocol | ((port >> 31) & request->ports_count));
}

static __always_inline bool row_admits(const struct rule_row *row, const struct request *request)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < RULES_PER_ROW; i++) {
		if (i >= row->count)
			return false;
		if (matches(&row->rules[i], request))
			return true;
	}
	return false;
}

// Global, so that the verifier looks at it once and not at each call.
__noinline int rules_admit(const struct request *request)
{
	struct rule_key key = {};

	if (!request)
		return false;
	key.rule_set = request->rule_set;
	key.direction = request->direction;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < RULE_ROWS_PER_SET; i++) {
		struct rule_row *row;

		key.row = i;
		row = bpf_map_lookup_elem(&rules, &key);
		if (!row)
			return false;
		if (row_admits(row, request))
			return true;
		if (row->count < RULES_PER_ROW)
			return false;
	}
	return false;
}
