// SPDX-License-Identifier: Apache-2.0 OR MIT
// BFD of IPv6 in the place of an agent that is silent: bfd.h for the other family.
#pragma once

#include "bfd.h"
#include "port6.h"

#define BFD_BYTES (sizeof(struct udphdr) + sizeof(struct bfd_packet))

struct bfd6_frame {
	struct ipv6hdr ip;
	struct udphdr udp;
	struct bfd_packet bfd;
};

static __always_inline void turn_round6(struct bfd6_frame *frame, const struct bfd6_row *row)
{
	struct address6 customer;
	__be16 sum;

	__builtin_memcpy(&customer, &frame->ip.saddr, sizeof(customer));
	write_ip6(&frame->ip, &row->router, &customer, IPPROTO_UDP, BFD_BYTES, BFD_TTL);
	*(__be32 *)&frame->ip = bpf_htonl(6u << 28 | BFD_TOS << 20);
	write_udp(&frame->udp, &row->session);
	write_bfd(&frame->bfd, &row->session);
	// RFC 8200 §8.1: IPv6 asks for one, and 0 says that there is none.
	sum = checksum6(IPPROTO_UDP, &row->router, &customer, &frame->udp, BFD_BYTES);
	frame->udp.check = sum ? sum : 0xffff;
}

// A packet of BFD that may go up, with nothing between IPv6 and UDP.
static __always_inline enum verdict stand_in6(struct xdp_md *ctx, struct trip *trip)
{
	struct interface_row *interface = NULL;
	struct bfd6_key key = {};
	struct bfd6_frame *frame;
	struct bfd6_row *row;

	find_interface(ctx, &interface);
	if (!interface)
		return VERDICT_UNKNOWN_VLAN;
	trip->interface = interface->number;
	frame = at(ctx, PORT_HEAD, sizeof(*frame));
	if (!frame)
		return VERDICT_TO_ROUTER;
	key.interface = interface->number;
	__builtin_memcpy(&key.customer, &frame->ip.saddr, sizeof(key.customer));
	row = bpf_map_lookup_elem(&bfd6_sessions, &key);
	if (!row || !same_address6((struct address6 *)&frame->ip.daddr, &row->router) ||
	    frame->ip.payload_len != bpf_htons(BFD_BYTES) ||
	    !may_answer(&row->session, &frame->udp, &frame->bfd))
		return VERDICT_TO_ROUTER;
	note_heard(&row->session, &frame->bfd);
	turn_round6(frame, row);
	return send_back(ctx, trip, interface);
}
