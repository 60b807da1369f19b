// SPDX-License-Identifier: Apache-2.0 OR MIT
// LACP (IEEE 802.1AX) on a port that is part of a bundle.
//
//   customer ── LACPDU ──► a bundled port? ── too many? ─┬─ the agent lives ─► up, to it
//            ◄── LACPDU ──── the one that came, turned ──┘ it is silent
//
// The agent speaks and decides. While it is away the ports carry what they carried, and a customer
// whose router waits three seconds for a word is not to think otherwise: each PDU is answered with
// what the agent last said, and what it says is
// kept, so that the next agent goes on where this one ended. On all other ports such a frame is one without a tag.
#pragma once

#include "parse.h"
#include "trip.h"

#define ETH_P_SLOW_PROTOCOLS 0x8809
#define LACP_SUBTYPE 1
#define LACP_INFORMATION_BYTES 20
// The agent says each second that it lives, and is asked each second.
#define LACP_SILENCE_NS 1900000000ull
// Ten times what is needed, and three for each change.
#define LACP_EACH_NS 100000000ull
#define LACP_BURST_NS (30 * LACP_EACH_NS)

struct lacp_part {
	__u8 type;
	__u8 length;
	__u8 information[LACP_SAID];
	__u8 zero[3];
};

struct lacp_frame {
	struct ethernet eth;
	__u8 subtype;
	__u8 version;
	struct lacp_part actor;
	struct lacp_part partner;
} __attribute__((packed));

// 01:80:c2:00:00:02, which no bridge forwards.
static __always_inline bool is_to_slow_protocols(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !(mac[3] | mac[4]) &&
	       mac[5] == 0x02;
}

static __always_inline bool is_lacp(const struct lacp_frame *frame)
{
	return frame->eth.protocol == bpf_htons(ETH_P_SLOW_PROTOCOLS) &&
	       is_to_slow_protocols(frame->eth.destination) && frame->subtype == LACP_SUBTYPE &&
	       frame->actor.length == LACP_INFORMATION_BYTES &&
	       frame->partner.length == LACP_INFORMATION_BYTES;
}

// As police.h has it.
static __always_inline bool is_in_pace(struct bundled_port_row *row, __u64 now)
{
	const __u64 before = *(volatile __u64 *)&row->full_at_ns;
	const __u64 after = (before > now ? before : now) + LACP_EACH_NS;

	return after <= now + LACP_BURST_NS &&
	       __sync_val_compare_and_swap(&row->full_at_ns, before, after) == before;
}

static __always_inline void turn_pdu(struct lacp_frame *frame, struct bundled_port_row *row)
{
	set_mac(frame->eth.source, row->mac);
	__builtin_memcpy(row->heard, frame->actor.information, LACP_SAID);
	__builtin_memcpy(frame->partner.information, frame->actor.information, LACP_SAID);
	__builtin_memcpy(frame->actor.information, row->said, LACP_SAID);
}

// A frame without a tag.
static __noinline enum verdict without_tag(struct xdp_md *ctx, struct trip *trip)
{
	__u32 ifindex = ctx->ingress_ifindex;
	struct bundled_port_row *row = bpf_map_lookup_elem(&bundled_ports, &ifindex);
	struct lacp_frame *frame = at(ctx, 0, sizeof(*frame));
	__u64 now;

	if (!row || !frame || !is_lacp(frame))
		return VERDICT_UNTAGGED;
	now = bpf_ktime_get_ns();
	if (!is_in_pace(row, now))
		return VERDICT_POLICED_LACP;
	if (now <= row->alive_ns + LACP_SILENCE_NS)
		return VERDICT_LACP;
	turn_pdu(frame, row);
	trip->ifindex = ifindex;
	return VERDICT_LACP_ANSWERED;
}
