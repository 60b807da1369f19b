// SPDX-License-Identifier: Apache-2.0 OR MIT
// Flows: what was admitted once goes on, both ways.
//
//   first packet ─ rules of its direction ─► row, admitted
//   later packets, both ways ─ row is fresh, judged by the NIC's present rules ─► on
//   the NIC has other rules now ─ judged again, in the direction that began it
//        └ denied: the row stays, not admitted. Without it, the NIC's next answer would
//          begin a flow of its own under the outbound rules, and the customer's packets
//          would follow as answers to that.
//
// A router that took over in mid-flow has no row: what is not certainly an answer is
// judged by its own direction's rules.
#pragma once

#include "flow_table.h"
#include "rules.h"

#define FRAGMENT_SECONDS 30 // RFC 791: reassembly takes 15 seconds at least

struct passage {
	__u32 vni;
	__u32 rule_set;
	__u32 offset; // of the IP header
	__u8 direction;
	struct tuple tuple;
};

static __always_inline void flow_key(const struct passage *passage, struct flow_key *key)
{
	const struct tuple *tuple = &passage->tuple;
	bool inbound = passage->direction == DIRECTION_INBOUND;

	key->vni = passage->vni;
	key->protocol = tuple->protocol;
	key->outside = inbound ? tuple->source : tuple->destination;
	key->inside = inbound ? tuple->destination : tuple->source;
	key->outside_port = inbound ? tuple->source_port : tuple->destination_port;
	key->inside_port = inbound ? tuple->destination_port : tuple->source_port;
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

// The rules' word on a flow that began in `direction`, or on a packet of ICMP: of that only an echo
// request begins a flow.
static __always_inline bool judge(const struct flow_key *key, __u32 rule_set, __u8 direction,
				  __u16 icmp_kind)
{
	bool inbound = direction == DIRECTION_INBOUND;
	struct request request = {
		.rule_set = rule_set,
		.far = key->outside,
		.port = bpf_ntohs(inbound ? key->inside_port : key->outside_port),
		.direction = direction,
		.protocol = key->protocol,
		.ports_count = has_ports(key->protocol) ? ~0 : 0,
	};

	if (key->protocol == IPPROTO_ICMP) {
		request.port = icmp_kind;
		request.ports_count = ~0;
	}
	return rule_set && rules_admit(&request);
}

static __always_inline void touch(struct flow_row *row, const struct tuple *tuple, __u8 direction,
				  __u64 now)
{
	if (!row->answered && row->opened != direction)
		row->answered = 1;
	// Not for each packet: the row is shared by all processors.
	if (now - row->last_seen_ns > SECOND_NS)
		row->last_seen_ns = now;
	if (tuple->closes && !row->closing)
		row->closing = 1;
	if (tuple->begins && row->closing)
		row->closing = 0;
}

// VERDICT_COUNT if the packet may pass.
static __always_inline enum verdict admit_new(const struct passage *passage,
					      const struct flow_key *key, __u64 now)
{
	struct flow_row row = {
		.last_seen_ns = now,
		.rule_set = passage->rule_set,
		.opened = passage->direction,
		.admitted = 1,
	};

	if (!judge(key, passage->rule_set, passage->direction, passage->tuple.icmp_kind))
		return VERDICT_DENIED_BY_SECURITY_GROUP;
	if (passage->tuple.opens && !begin_flow(key, &row))
		return VERDICT_FLOWS_FULL;
	return VERDICT_COUNT;
}

static __always_inline enum verdict admit_known(const struct passage *passage,
						const struct flow_key *key, struct flow_row *row,
						__u64 now)
{
	if (row->rule_set != passage->rule_set) {
		row->admitted = judge(key, passage->rule_set, row->opened, ICMP_ECHO << 8);
		row->rule_set = passage->rule_set;
	}
	if (row->admitted) {
		touch(row, &passage->tuple, passage->direction, now);
		return VERDICT_COUNT;
	}
	if (passage->tuple.begins && row->opened != passage->direction)
		return admit_new(passage, key, now);
	return VERDICT_DENIED_BY_SECURITY_GROUP;
}

// An ICMP error belongs to the flow of the packet that it quotes (RFC 792), which went
// the other way.
static __always_inline bool is_related(struct xdp_md *ctx, const struct passage *passage, __u64 now)
{
	struct quote {
		struct iphdr ip;
		__be16 ports[4];
	} *quote = at(ctx, passage->offset + sizeof(struct iphdr) + sizeof(struct icmp), sizeof(*quote));
	struct passage quoted = {
		.vni = passage->vni,
		.direction = passage->direction == DIRECTION_INBOUND ? DIRECTION_OUTBOUND :
								       DIRECTION_INBOUND,
	};
	struct flow_key key = {};
	struct flow_row *row;

	if (!quote || quote->ip.ihl != 5 || quote->ip.saddr != passage->tuple.destination)
		return false;
	quoted.tuple.source = quote->ip.saddr;
	quoted.tuple.destination = quote->ip.daddr;
	quoted.tuple.protocol = quote->ip.protocol;
	switch (quote->ip.protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		quoted.tuple.source_port = quote->ports[0];
		quoted.tuple.destination_port = quote->ports[1];
		break;
	case IPPROTO_ICMP:
		quoted.tuple.source_port = quote->ports[2];
		quoted.tuple.destination_port = quote->ports[2];
		break;
	}
	flow_key(&quoted, &key);
	row = bpf_map_lookup_elem(&flows, &key);
	return row && row->admitted && row->rule_set == passage->rule_set &&
	       is_fresh(row, key.protocol, now);
}

static __always_inline bool is_icmp_error(const struct tuple *tuple)
{
	__u8 type = tuple->icmp_kind >> 8;

	return tuple->protocol == IPPROTO_ICMP &&
	       (type == ICMP_UNREACHABLE || type == ICMP_EXCEEDED || type == ICMP_PARAMETER);
}

static __always_inline void fragment_key(const struct passage *passage, struct fragment_key *key)
{
	key->vni = passage->vni;
	key->source = passage->tuple.source;
	key->destination = passage->tuple.destination;
	key->id = passage->tuple.id;
	key->protocol = passage->tuple.protocol;
}

static __always_inline enum verdict admit_fragment(const struct passage *passage, __u64 now)
{
	struct fragment_key key = {};
	struct fragment_row *row;

	fragment_key(passage, &key);
	row = bpf_map_lookup_elem(&fragments, &key);
	if (!row || now - row->last_seen_ns > FRAGMENT_SECONDS * SECOND_NS)
		return VERDICT_FRAGMENT_WITHOUT_FLOW;
	return VERDICT_COUNT;
}

static __always_inline void remember_fragment(const struct passage *passage, __u64 now)
{
	struct fragment_row row = { .last_seen_ns = now };
	struct fragment_key key = {};

	fragment_key(passage, &key);
	bpf_map_update_elem(&fragments, &key, &row, BPF_ANY);
}

// VERDICT_COUNT if the packet may pass.
static __always_inline enum verdict admit(struct xdp_md *ctx, const struct passage *passage)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	const struct tuple *tuple = &passage->tuple;
	struct flow_key key = {};
	enum verdict verdict;
	struct flow_row *row;

	if (tuple->later_fragment)
		return admit_fragment(passage, now);
	if (is_icmp_error(tuple) && is_related(ctx, passage, now))
		return VERDICT_COUNT;
	flow_key(passage, &key);
	row = tuple->alone ? NULL : bpf_map_lookup_elem(&flows, &key);
	if (row && is_fresh(row, key.protocol, now))
		verdict = admit_known(passage, &key, row, now);
	else
		verdict = admit_new(passage, &key, now);
	if (verdict == VERDICT_COUNT && tuple->first_fragment)
		remember_fragment(passage, now);
	return verdict;
}
