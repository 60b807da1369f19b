// SPDX-License-Identifier: Apache-2.0 OR MIT
// BFD in the place of an agent that is silent: killed, being replaced, or late.
//
//   customer ── Up, P? ──► agent spoke within its interval? ─── yes ──► up, to the agent
//                            no │ a session that is Up, and not for longer than its patience
//            ◄── Up, C, F? ─────┘ the packet itself, turned round
//
// BFD asks whether packets get through (RFC 5880). While the agent is away they do, by these very
// programs, and this is one of them that says so; that is what the C bit promises (RFC 5882 §4.3).
// Only what the customer sends is answered, once each, after the police has let it in. Whoever
// speaks of another session, or is not Up, is answered nothing. `heard_ns` tells the agent what it
// did not hear.
#pragma once

#include "port.h"

#define BFD_VERSION 1
#define BFD_STATE_INIT 2
#define BFD_STATE_UP 3
#define BFD_STATE_SHIFT 6
#define BFD_POLL 0x20
#define BFD_FINAL 0x10
#define BFD_INDEPENDENT 0x08
#define BFD_NOT_SPOKEN 0x07 // authentication, demand, multipoint
#define BFD_TOS 0xc0	    // CS6

// RFC 5880 §4.1
struct bfd_packet {
	__u8 version_diagnostic;
	__u8 flags;
	__u8 detect_mult;
	__u8 length;
	__be32 mine;
	__be32 yours;
	__be32 desired_tx;
	__be32 required_rx;
	__be32 required_echo_rx;
};

struct bfd_frame {
	struct iphdr ip;
	struct udphdr udp;
	struct bfd_packet bfd;
};

// Whether the agent has been silent for longer than it may while it lives, and not for too long.
static __always_inline bool is_away(const struct bfd_row *row)
{
	const __u64 now = bpf_ktime_get_ns();
	const __u64 silence = now > row->sent_ns ? now - row->sent_ns : 0;

	return silence > row->silence_ns && silence <= row->patience_ns;
}

static __always_inline bool is_of_session(const struct bfd_row *row, const struct udphdr *udp,
					  const struct bfd_packet *bfd)
{
	return udp->len == bpf_htons(sizeof(*udp) + sizeof(*bfd)) &&
	       bfd->version_diagnostic >> 5 == BFD_VERSION && bfd->detect_mult &&
	       bfd->length == sizeof(*bfd) && bfd->mine == row->their_discriminator &&
	       bfd->yours == row->discriminator;
}

static __always_inline void note_heard(struct bfd_row *row, const struct bfd_packet *bfd)
{
	row->heard_ns = bpf_ktime_get_ns();
	row->their_desired_tx = bfd->desired_tx;
	row->their_required_rx = bfd->required_rx;
	row->their_detect_mult = bfd->detect_mult;
}

// Whether this packet, which has the session's addresses, gets an answer. One that says that the
// customer is not Up ends the session.
static __always_inline bool may_answer(struct bfd_row *row, const struct udphdr *udp,
				       const struct bfd_packet *bfd)
{
	if (row->over || !is_away(row) || !is_of_session(row, udp, bfd) ||
	    (bfd->flags & BFD_NOT_SPOKEN))
		return false;
	if (bfd->flags >> BFD_STATE_SHIFT < BFD_STATE_INIT)
		row->over = 1;
	return !row->over;
}

// Without a checksum.
static __always_inline void write_udp(struct udphdr *udp, const struct bfd_row *row)
{
	*udp = (struct udphdr){
		.source = row->source_port,
		.dest = bpf_htons(BFD_PORT),
		.len = bpf_htons(sizeof(*udp) + sizeof(struct bfd_packet)),
	};
}

// In the place of what is answered.
static __always_inline void write_bfd(struct bfd_packet *bfd, const struct bfd_row *row)
{
	const __u8 poll = bfd->flags & BFD_POLL;

	*bfd = (struct bfd_packet){
		.version_diagnostic = BFD_VERSION << 5,
		.flags = BFD_STATE_UP << BFD_STATE_SHIFT | BFD_INDEPENDENT |
			 (poll ? BFD_FINAL : 0),
		.detect_mult = row->detect_mult,
		.length = sizeof(struct bfd_packet),
		.mine = row->discriminator,
		.yours = row->their_discriminator,
		.desired_tx = row->desired_tx,
		.required_rx = row->required_rx,
	};
}

static __always_inline void turn_round(struct bfd_frame *frame, const struct bfd_row *row)
{
	const __be32 customer = frame->ip.saddr;

	frame->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = BFD_TOS,
		.tot_len = bpf_htons(sizeof(*frame)),
		.ttl = BFD_TTL,
		.protocol = IPPROTO_UDP,
		.saddr = row->router,
		.daddr = customer,
	};
	frame->ip.check = ip_checksum(&frame->ip);
	// No checksum: IPv4 does not ask for one.
	write_udp(&frame->udp, row);
	write_bfd(&frame->bfd, row);
}

// A packet that was turned round, to where it came from.
static __always_inline enum verdict send_back(struct xdp_md *ctx, struct trip *trip,
					      const struct interface_row *interface)
{
	struct ethernet *eth = at(ctx, 0, sizeof(*eth));

	if (!eth)
		return VERDICT_MALFORMED;
	set_mac(eth->destination, eth->source);
	set_mac(eth->source, interface->router_mac);
	trip->ifindex = ctx->ingress_ifindex;
	return VERDICT_BFD_ANSWERED;
}

// A packet of BFD that may go up.
static __always_inline enum verdict stand_in(struct xdp_md *ctx, struct trip *trip)
{
	struct interface_row *interface = NULL;
	struct bfd_key key = {};
	struct bfd_frame *frame;
	struct bfd_row *row;

	find_interface(ctx, &interface);
	if (!interface)
		return VERDICT_UNKNOWN_VLAN;
	trip->interface = interface->number;
	frame = at(ctx, PORT_HEAD, sizeof(*frame));
	if (!frame)
		return VERDICT_TO_ROUTER;
	key.interface = interface->number;
	key.customer = frame->ip.saddr;
	row = bpf_map_lookup_elem(&bfd_sessions, &key);
	if (!row || frame->ip.daddr != row->router ||
	    frame->ip.tot_len != bpf_htons(sizeof(*frame)) ||
	    !may_answer(row, &frame->udp, &frame->bfd))
		return VERDICT_TO_ROUTER;
	note_heard(row, &frame->bfd);
	turn_round(frame, row);
	return send_back(ctx, trip, interface);
}
