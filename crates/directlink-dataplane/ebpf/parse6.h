// SPDX-License-Identifier: Apache-2.0 OR MIT
// Reading IPv6 (RFC 8200).
//
//   │ IPv6 40 │ extension headers, 4 at most │ TCP, UDP, ICMPv6, … │
//              hop-by-hop, destination options, fragment: passed over
//              routing: refused, as IPv4's source routes are (RFC 5095, RFC 7126)
//
// What is encrypted or authenticated (ESP, AH) is a protocol without ports.
#pragma once

#include <linux/ipv6.h>

#include "maps6.h"
#include "parse.h"

#define EXTENSION_HEADERS_MAX 4
#define EXTENSION_BYTES_MAX 511 // all of them, and the head: a bound that the verifier knows
#define ND_HOP_LIMIT 255	// RFC 4861 §7.1: nothing of it was forwarded
#define IP6_FRAGMENT_OFFSET 0xfff8
#define IP6_MORE_FRAGMENTS 1

#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_EXCEEDED 3
#define ICMP6_FIRST_INFORMATION 128 // below are errors
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129
#define ND_FIRST 133 // router solicitation
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_LAST 137 // redirect

struct extension {
	__u8 next;
	__u8 more; // 8-byte units behind the first
	__be16 fragment;
	__be32 id; // of a fragment
};

// Neighbour solicitation and advertisement, RFC 4861 §4.3, §4.4, with the one option that
// tells a link-layer address.
struct neighbour_message {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 flags;
	struct address6 target;
};
struct neighbour_option {
	__u8 type;
	__u8 units;
	__u8 mac[6];
};

struct tuple6 {
	struct address6 source;
	struct address6 destination;
	__be32 id;	// of a fragment
	__u32 length;	// of the packet, its header too
	__u32 offset;	// of what is behind the extension headers, in the frame
	__u8 hop_limit;
	// Ports, protocol and what they say of the flow. Its addresses are folds of the two above.
	struct tuple rest;
};

static __always_inline bool same_address6(const struct address6 *a, const struct address6 *b)
{
	return !((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) |
		 (a->words[2] ^ b->words[2]) | (a->words[3] ^ b->words[3]));
}

static __always_inline bool in_range6(const struct address6 *a, const struct address6 *b,
				      const struct address6 *mask)
{
	return !(((a->words[0] ^ b->words[0]) & mask->words[0]) |
		 ((a->words[1] ^ b->words[1]) & mask->words[1]) |
		 ((a->words[2] ^ b->words[2]) & mask->words[2]) |
		 ((a->words[3] ^ b->words[3]) & mask->words[3]));
}

static __always_inline bool is_unspecified6(const struct address6 *a)
{
	return !(a->words[0] | a->words[1] | a->words[2] | a->words[3]);
}

static __always_inline bool is_multicast6(const struct address6 *a)
{
	return (a->words[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

static __always_inline bool is_link_local6(const struct address6 *a)
{
	return (a->words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

// Not for a router to pass on: of this link only, or of many, or of nobody.
static __always_inline bool stays_on_link6(const struct address6 *a)
{
	return is_multicast6(a) || is_link_local6(a) || is_unspecified6(a);
}

static __always_inline __be32 fold_address6(const struct address6 *a)
{
	return a->words[0] ^ a->words[1] * 3 ^ a->words[2] * 5 ^ a->words[3];
}

static __always_inline __u8 icmp6_type(const struct tuple6 *tuple)
{
	return tuple->rest.icmp_kind >> 8;
}

static __always_inline bool is_nd(const struct tuple6 *tuple)
{
	return tuple->rest.protocol == IPPROTO_ICMPV6 && !tuple->rest.later_fragment &&
	       icmp6_type(tuple) >= ND_FIRST && icmp6_type(tuple) <= ND_LAST;
}

static __always_inline bool is_icmp6_error(const struct tuple6 *tuple)
{
	return tuple->rest.protocol == IPPROTO_ICMPV6 && !tuple->rest.later_fragment &&
	       icmp6_type(tuple) < ICMP6_FIRST_INFORMATION;
}

static __always_inline bool read_icmp6(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	struct icmp *icmp = at(ctx, offset, sizeof(*icmp));

	if (!icmp)
		return false;
	tuple->icmp_kind = icmp->type << 8 | icmp->code;
	if (icmp->type == ICMP6_ECHO || icmp->type == ICMP6_ECHO_REPLY) {
		tuple->source_port = icmp->id;
		tuple->destination_port = icmp->id;
	} else {
		tuple->alone = true;
	}
	tuple->opens = tuple->icmp_kind == ICMP6_ECHO << 8;
	tuple->begins = tuple->opens;
	return true;
}

static __always_inline bool read_ports6(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	if (tuple->later_fragment)
		return true;
	switch (tuple->protocol) {
	case IPPROTO_TCP:
		return read_tcp(ctx, offset, tuple);
	case IPPROTO_UDP:
		return read_udp(ctx, offset, tuple);
	case IPPROTO_ICMPV6:
		return read_icmp6(ctx, offset, tuple);
	default:
		tuple->opens = true;
		return true;
	}
}

static __always_inline void read_fragment6(const struct extension *header, struct tuple6 *tuple)
{
	__u16 fragment = bpf_ntohs(header->fragment);

	tuple->id = header->id;
	tuple->rest.later_fragment = fragment & IP6_FRAGMENT_OFFSET;
	tuple->rest.first_fragment = !tuple->rest.later_fragment && (fragment & IP6_MORE_FRAGMENTS);
}

// Passes over the extension headers; VERDICT_COUNT, and where the protocol's header begins.
static __always_inline enum verdict pass_extensions(struct xdp_md *ctx, __u32 offset, __u8 next,
						    struct tuple6 *tuple)
{
	struct extension *header;
	int i;

#pragma clang loop unroll(full)
	for (i = 0; i <= EXTENSION_HEADERS_MAX; i++) {
		tuple->rest.protocol = next;
		tuple->offset = offset;
		if (next == IPPROTO_ROUTING)
			return VERDICT_IP_OPTIONS;
		if (tuple->rest.later_fragment || (next != IPPROTO_HOPOPTS &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT))
			return VERDICT_COUNT;
		// Hop-by-hop options are first or nowhere (RFC 8200 §4.1).
		if (i == EXTENSION_HEADERS_MAX || (next == IPPROTO_HOPOPTS && i))
			return VERDICT_EXTENSION_HEADERS;
		header = at(ctx, offset, sizeof(*header));
		if (!header)
			return VERDICT_MALFORMED;
		if (next == IPPROTO_FRAGMENT) {
			read_fragment6(header, tuple);
			offset += sizeof(*header);
		} else {
			offset += 8 + 8 * header->more;
		}
		next = header->next;
		if (offset > EXTENSION_BYTES_MAX)
			return VERDICT_EXTENSION_HEADERS;
	}
	return VERDICT_EXTENSION_HEADERS;
}

// VERDICT_COUNT for a packet that we could forward. `head`: what is before its header.
static __always_inline enum verdict read_packet6(struct xdp_md *ctx, const __u32 head,
						 struct tuple6 *tuple)
{
	struct ipv6hdr *ip = at(ctx, head, sizeof(*ip));
	enum verdict verdict;

	if (!ip || ip->version != 6)
		return VERDICT_MALFORMED;
	__builtin_memcpy(&tuple->source, &ip->saddr, sizeof(tuple->source));
	__builtin_memcpy(&tuple->destination, &ip->daddr, sizeof(tuple->destination));
	tuple->hop_limit = ip->hop_limit;
	tuple->length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (head + tuple->length > ctx->data_end - ctx->data)
		return VERDICT_MALFORMED;
	verdict = pass_extensions(ctx, head + sizeof(*ip), ip->nexthdr, tuple);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (tuple->offset > head + tuple->length ||
	    !read_ports6(ctx, tuple->offset, &tuple->rest))
		return VERDICT_MALFORMED;
	tuple->rest.source = fold_address6(&tuple->source);
	tuple->rest.destination = fold_address6(&tuple->destination);
	return VERDICT_COUNT;
}
