// SPDX-License-Identifier: Apache-2.0 OR MIT
// Telling a sender why its packet was dropped (RFC 4443): icmp.h for IPv6.
//
//   │ head │ IPv6 … payload                                  │
//   │ head │ IPv6 40 │ ICMPv6 8 │ the packet as it came, cut │
//
// RFC 4443 wants as much quoted as there is. Quoted are 248 bytes of a packet that has them,
// else 48: what the verifier lets a checksum go over is of a fixed length.
#pragma once

#include "icmp.h"
#include "parse6.h"

#define ANSWER6_BYTES (sizeof(struct ipv6hdr) + sizeof(struct icmp))
#define QUOTE6_BYTES (sizeof(struct ipv6hdr) + 8)
#define LONG_QUOTE6_BYTES 248

struct answer6 {
	struct address6 from;
	__u32 mtu; // packet too big; 0: time exceeded
};

struct pseudo6 {
	struct address6 source;
	struct address6 destination;
	__be32 length;
	__be32 protocol;
};

// RFC 8200 §8.1. `bytes` is a multiple of 4, of a message whose checksum is 0.
static __always_inline __be16 checksum6(__u8 protocol, const struct address6 *from,
					const struct address6 *to, void *message,
					const __u32 bytes)
{
	struct pseudo6 pseudo = {
		.source = *from,
		.destination = *to,
		.length = bpf_htonl(bytes),
		.protocol = bpf_htonl(protocol),
	};
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);

	return fold((__u32)bpf_csum_diff(NULL, 0, message, bytes, sum));
}

static __always_inline void write_ip6(struct ipv6hdr *ip, const struct address6 *from,
				      const struct address6 *to, __u8 protocol, __u16 payload,
				      __u8 hop_limit)
{
	*(__be32 *)ip = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = protocol;
	ip->hop_limit = hop_limit;
	__builtin_memcpy(&ip->saddr, from, sizeof(*from));
	__builtin_memcpy(&ip->daddr, to, sizeof(*to));
}

// RFC 4443 §2.4 (e): no errors about errors, later fragments of who knows what, or what was for
// many.
static __always_inline bool is_answerable6(const struct tuple6 *tuple)
{
	bool is_unknown = tuple->rest.protocol == IPPROTO_ICMPV6 && tuple->rest.later_fragment;

	return !is_icmp6_error(tuple) && !is_unknown && !is_multicast6(&tuple->destination);
}

static __always_inline bool turn_into_quote6(struct xdp_md *ctx, const __u32 head,
					     const struct answer6 *answer,
					     const struct address6 *to, const __u32 quote)
{
	const __u32 bytes = head + ANSWER6_BYTES + quote;
	__u8 saved[HEAD_MAX];
	struct icmp *icmp;
	void *start = at(ctx, 0, head);

	if (!start)
		return false;
	__builtin_memcpy(saved, start, head);
	if (bpf_xdp_adjust_head(ctx, -(int)ANSWER6_BYTES))
		return false;
	if (bpf_xdp_adjust_tail(ctx, (int)bytes - (int)(ctx->data_end - ctx->data)))
		return false;
	start = at(ctx, 0, bytes);
	if (!start)
		return false;
	__builtin_memcpy(start, saved, head);
	write_ip6(start + head, &answer->from, to, IPPROTO_ICMPV6, sizeof(*icmp) + quote, ANSWER_TTL);
	icmp = start + head + sizeof(struct ipv6hdr);
	*icmp = (struct icmp){
		.type = answer->mtu ? ICMP6_TOO_BIG : ICMP6_EXCEEDED,
		.data = bpf_htons(answer->mtu),
	};
	icmp->checksum =
		checksum6(IPPROTO_ICMPV6, &answer->from, to, icmp, sizeof(*icmp) + quote);
	return true;
}

// Turns the packet into the answer; what is before its IP header is kept. The bytes of the
// answer's IP packet, or 0: there is no answer, drop what is left.
static __always_inline __u32 turn_into_answer6(struct xdp_md *ctx, const __u32 head,
					       const struct answer6 *answer,
					       const struct tuple6 *tuple)
{
	if (!is_answerable6(tuple) || !in_pace())
		return 0;
	if (at(ctx, head, LONG_QUOTE6_BYTES))
		return turn_into_quote6(ctx, head, answer, &tuple->source, LONG_QUOTE6_BYTES) ?
			       ANSWER6_BYTES + LONG_QUOTE6_BYTES :
			       0;
	if (at(ctx, head, QUOTE6_BYTES))
		return turn_into_quote6(ctx, head, answer, &tuple->source, QUOTE6_BYTES) ?
			       ANSWER6_BYTES + QUOTE6_BYTES :
			       0;
	return 0;
}
