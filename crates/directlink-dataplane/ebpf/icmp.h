// SPDX-License-Identifier: Apache-2.0 OR MIT
// Telling a sender why its packet was dropped (RFC 792, RFC 1191): the packet is turned
// into the answer, in place.
//
//   │ head │ IPv4 … payload                    │     head: Ethernet and tag, or the tunnel
//   │ head │ IPv4 20 │ ICMP 8 │ IPv4 20 │ 8 bytes │  the quote is the packet as it came
#pragma once

#include "parse.h"

#define ANSWER_BYTES (sizeof(struct iphdr) + sizeof(struct icmp))
#define QUOTE_BYTES (sizeof(struct iphdr) + 8)
#define ANSWER_TTL 64
#define HEAD_MAX 64
#define ICMP_FRAGMENTATION_NEEDED 4
// RFC 1812 §4.3.2.8: errors are limited. A thousand per second and processor.
#define ANSWER_PACE_NS 1000000

struct answer {
	__be32 from;
	__u16 mtu; // fragmentation needed; 0: time exceeded
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} last_answer SEC(".maps");

static __always_inline bool in_pace(void)
{
	__u32 zero = 0;
	__u64 now = bpf_ktime_get_ns();
	__u64 *last = bpf_map_lookup_elem(&last_answer, &zero);

	if (!last || now - *last < ANSWER_PACE_NS)
		return false;
	*last = now;
	return true;
}

// RFC 1812 §4.3.2.7: no errors about errors, nor about later fragments.
static __always_inline bool is_answerable(struct xdp_md *ctx, __u32 head)
{
	struct iphdr *ip = at(ctx, head, QUOTE_BYTES);
	__u8 type;

	if (!ip || (ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET)))
		return false;
	if (ip->protocol != IPPROTO_ICMP)
		return true;
	type = ((struct icmp *)(ip + 1))->type;
	return type == ICMP_ECHO || type == ICMP_ECHO_REPLY;
}

static __always_inline void write_answer(struct iphdr *ip, __be32 to, const struct answer *answer)
{
	struct icmp *icmp = (struct icmp *)(ip + 1);

	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(ANSWER_BYTES + QUOTE_BYTES),
		.ttl = ANSWER_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = answer->from,
		.daddr = to,
	};
	ip->check = ip_checksum(ip);
	*icmp = (struct icmp){
		.type = answer->mtu ? ICMP_UNREACHABLE : ICMP_EXCEEDED,
		.code = answer->mtu ? ICMP_FRAGMENTATION_NEEDED : 0,
		.data = bpf_htons(answer->mtu),
	};
	icmp->checksum = fold(bpf_csum_diff(NULL, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTE_BYTES, 0));
}

// Turns the packet into the answer; what is before its IP header, `head` bytes, is kept
// as it was. False: there is no answer, drop what is left.
static __always_inline bool turn_into_answer(struct xdp_md *ctx, const __u32 head,
					     const struct answer *answer)
{
	const __u32 bytes = head + ANSWER_BYTES + QUOTE_BYTES;
	__u8 saved[HEAD_MAX];
	struct iphdr *ip;
	void *start;
	__be32 to;

	start = at(ctx, 0, head + sizeof(*ip));
	if (!start || !is_answerable(ctx, head) || !in_pace())
		return false;
	__builtin_memcpy(saved, start, head);
	ip = start + head;
	to = ip->saddr;
	if (bpf_xdp_adjust_head(ctx, -(int)ANSWER_BYTES))
		return false;
	if (bpf_xdp_adjust_tail(ctx, (int)bytes - (int)(ctx->data_end - ctx->data)))
		return false;
	start = at(ctx, 0, bytes);
	if (!start)
		return false;
	__builtin_memcpy(start, saved, head);
	write_answer(start + head, to, answer);
	return true;
}
