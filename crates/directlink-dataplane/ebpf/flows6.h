// SPDX-License-Identifier: Apache-2.0 OR MIT
// Flows of IPv6: what flows.h says, with longer addresses.
#pragma once

#include "flows.h"
#include "rules6.h"

struct passage6 {
	__u32 vni;
	__u32 rule_set;
	__u8 direction;
	__u16 mtu;  // to tell whoever sent it; 0: its hops are spent
	__u16 room; // largest frame that the fabric's MTU holds, on its way into the Net
	__u32 way;  // that it goes to the customer
	struct tuple6 tuple;
};

// Each processor has one: too large for the stack, beside all else.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct passage6);
	__uint(max_entries, 1);
} passages6 SEC(".maps");

static __always_inline struct passage6 *new_passage6(void)
{
	__u32 zero = 0;
	struct passage6 *passage = bpf_map_lookup_elem(&passages6, &zero);

	if (passage)
		__builtin_memset(passage, 0, sizeof(*passage));
	return passage;
}

static __always_inline void flow6_key(const struct passage6 *passage, struct flow6_key *key)
{
	const struct tuple6 *tuple = &passage->tuple;
	bool inbound = passage->direction == DIRECTION_INBOUND;

	key->vni = passage->vni;
	key->protocol = tuple->rest.protocol;
	key->outside = inbound ? tuple->source : tuple->destination;
	key->inside = inbound ? tuple->destination : tuple->source;
	key->outside_port = inbound ? tuple->rest.source_port : tuple->rest.destination_port;
	key->inside_port = inbound ? tuple->rest.destination_port : tuple->rest.source_port;
}

static __always_inline bool judge6(const struct flow6_key *key, __u32 rule_set, __u8 direction,
				   __u16 icmp_kind)
{
	bool inbound = direction == DIRECTION_INBOUND;
	struct request6 request = {
		.far = key->outside,
		.rest = {
			.rule_set = rule_set,
			.port = bpf_ntohs(inbound ? key->inside_port : key->outside_port),
			.direction = direction,
			.protocol = key->protocol,
			.ports_count = has_ports(key->protocol) ? ~0 : 0,
		},
	};

	if (key->protocol == IPPROTO_ICMPV6) {
		request.rest.port = icmp_kind;
		request.rest.ports_count = ~0;
	}
	return rule_set && rules6_admit(&request);
}

// VERDICT_COUNT if the packet may pass.
static __always_inline enum verdict admit_new6(const struct passage6 *passage,
					       const struct flow6_key *key, __u64 now)
{
	struct flow_row row = {
		.last_seen_ns = now,
		.rule_set = passage->rule_set,
		.opened = passage->direction,
		.admitted = 1,
	};

	if (!judge6(key, passage->rule_set, passage->direction, passage->tuple.rest.icmp_kind))
		return VERDICT_DENIED_BY_SECURITY_GROUP;
	if (passage->tuple.rest.opens && !begin_flow6(key, &row))
		return VERDICT_FLOWS_FULL;
	return VERDICT_COUNT;
}

static __always_inline enum verdict admit_known6(const struct passage6 *passage,
						 const struct flow6_key *key, struct flow_row *row,
						 __u64 now)
{
	if (row->rule_set != passage->rule_set) {
		row->admitted = judge6(key, passage->rule_set, row->opened, ICMP6_ECHO << 8);
		row->rule_set = passage->rule_set;
	}
	if (row->admitted) {
		touch(row, &passage->tuple.rest, passage->direction, now);
		return VERDICT_COUNT;
	}
	if (passage->tuple.rest.begins && row->opened != passage->direction)
		return admit_new6(passage, key, now);
	return VERDICT_DENIED_BY_SECURITY_GROUP;
}

// An ICMPv6 error belongs to the flow of the packet that it quotes (RFC 4443 §2.4), which went
// the other way. A quote with extension headers is not looked into.
static __always_inline bool is_related6(struct xdp_md *ctx, const struct passage6 *passage,
					struct flow6_key *key, __u64 now)
{
	struct quote6 {
		struct ipv6hdr ip;
		__be16 ports[4];
	} *quote;
	bool inbound = passage->direction == DIRECTION_INBOUND;
	struct address6 from, to;
	__u32 offset = passage->tuple.offset;
	__be16 from_port = 0, to_port = 0;
	struct flow_row *row;

	if (offset > EXTENSION_BYTES_MAX)
		return false;
	quote = at(ctx, offset + sizeof(struct icmp), sizeof(*quote));
	if (!quote || quote->ip.version != 6)
		return false;
	__builtin_memcpy(&from, &quote->ip.saddr, sizeof(from));
	__builtin_memcpy(&to, &quote->ip.daddr, sizeof(to));
	if (!same_address6(&from, &passage->tuple.destination))
		return false;
	switch (quote->ip.nexthdr) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		from_port = quote->ports[0];
		to_port = quote->ports[1];
		break;
	case IPPROTO_ICMPV6:
		from_port = quote->ports[2];
		to_port = quote->ports[2];
		break;
	}
	key->vni = passage->vni;
	key->protocol = quote->ip.nexthdr;
	key->outside = inbound ? to : from;
	key->inside = inbound ? from : to;
	key->outside_port = inbound ? to_port : from_port;
	key->inside_port = inbound ? from_port : to_port;
	row = bpf_map_lookup_elem(&flows6, key);
	return row && row->admitted && row->rule_set == passage->rule_set &&
	       is_fresh(row, key->protocol, now);
}

static __always_inline void fragment6_key(const struct passage6 *passage, struct fragment6_key *key)
{
	key->vni = passage->vni;
	key->source = passage->tuple.source;
	key->destination = passage->tuple.destination;
	key->id = passage->tuple.id;
}

static __always_inline enum verdict admit_fragment6(const struct passage6 *passage, __u64 now)
{
	struct fragment6_key key = {};
	struct fragment_row *row;

	fragment6_key(passage, &key);
	row = bpf_map_lookup_elem(&fragments6, &key);
	if (!row || now - row->last_seen_ns > FRAGMENT_SECONDS * SECOND_NS)
		return VERDICT_FRAGMENT_WITHOUT_FLOW;
	return VERDICT_COUNT;
}

static __always_inline void remember_fragment6(const struct passage6 *passage, __u64 now)
{
	struct fragment_row row = { .last_seen_ns = now };
	struct fragment6_key key = {};

	fragment6_key(passage, &key);
	bpf_map_update_elem(&fragments6, &key, &row, BPF_ANY);
}

// VERDICT_COUNT if the packet may pass.
static __always_inline enum verdict admit6(struct xdp_md *ctx, const struct passage6 *passage)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct flow6_key key = {};
	enum verdict verdict;
	struct flow_row *row;

	if (passage->tuple.rest.later_fragment)
		return admit_fragment6(passage, now);
	if (is_icmp6_error(&passage->tuple) && is_related6(ctx, passage, &key, now))
		return VERDICT_COUNT;
	flow6_key(passage, &key);
	row = passage->tuple.rest.alone ? NULL : bpf_map_lookup_elem(&flows6, &key);
	if (row && is_fresh(row, key.protocol, now))
		verdict = admit_known6(passage, &key, row, now);
	else
		verdict = admit_new6(passage, &key, now);
	if (verdict == VERDICT_COUNT && passage->tuple.rest.first_fragment)
		remember_fragment6(passage, now);
	return verdict;
}
