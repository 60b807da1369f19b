// SPDX-License-Identifier: Apache-2.0 OR MIT
// Security groups, of IPv6: rules.h with longer addresses.
#pragma once

#include "parse6.h"
#include "rules.h"

struct request6 {
	struct address6 far;
	struct request rest; // its `far` says nothing
};

// By arithmetic alone, as `matches` is.
static __always_inline bool matches6(const struct rule6 *rule, const struct request6 *request)
{
	__u32 protocol = (request->rest.protocol ^ rule->protocol) & rule->protocol_mask;
	__s32 port = (request->rest.port - rule->port_from) | (rule->port_to - request->rest.port);
	__u32 range = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		range |= (request->far.words[i] ^ rule->network.words[i]) & rule->mask.words[i];
	return !(range | protocol | ((port >> 31) & request->rest.ports_count));
}

static __always_inline bool row_admits6(const struct rule6_row *row, const struct request6 *request)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < RULES_PER_ROW; i++) {
		if (i >= row->count)
			return false;
		if (matches6(&row->rules[i], request))
			return true;
	}
	return false;
}

__noinline int rules6_admit(const struct request6 *request)
{
	struct rule_key key = {};

	if (!request)
		return false;
	key.rule_set = request->rest.rule_set;
	key.direction = request->rest.direction;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < RULE_ROWS_PER_SET; i++) {
		struct rule6_row *row;

		key.row = i;
		row = bpf_map_lookup_elem(&rules6, &key);
		if (!row)
			return false;
		if (row_admits6(row, request))
			return true;
		if (row->count < RULES_PER_ROW)
			return false;
	}
	return false;
}
