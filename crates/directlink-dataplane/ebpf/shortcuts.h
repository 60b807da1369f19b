// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts: what a flow's last packet came to, for the next one.
//
//   frame ─ shortcut, and nothing changed? ─┬─ yes ─► length, hop ─► the same headers
//                                           └─ no ──► the whole road, which leaves a shortcut
//
// A shortcut is no truth of its own. It serves only
//   · packets that are the same in every byte that the road decides by, but for length, hop and
//     TCP's flags, which are looked at again,
//   · while no row changed that the road has read (table `changes`),
//   · for some seconds (SHORTCUT_TICKS), so that the flow's row is touched,
//   · while some packet to the same end has taken the road a moment ago (FRESH_TICKS), so that the
//     kernel's routes are asked again.
// Whatever else comes takes the whole road: fragments, errors, a flow's first and last
// packets, what will be answered or dropped. So none but the road says no; of the rate alone
// (rate.h), which every packet is asked about, a shortcut says it as well.
//
// A flow's shortcut is 16 bytes, 32 with IPv6's address, for of a hundred thousand flows none is at
// hand: what counts then is how many of them the processor's cache holds. All else is in a row that
// all flows between a VLAN and an address of a NIC have in common, their end:
//
//   shortcut: stamp ─ flow ──► end: stamp ─ age ─ limits ─ what else tells the packets ─ headers
//
// A stamp is the end's row, and a number that is another with each content of the row, each change
// and every few seconds. So a shortcut of before finds no end.
//
// Each processor has its own shortcuts, as many as there may be flows and more (`load.rs`). A flow's
// is in the row that its hash names, or in one of the seven beside it, the nearest of which are in the
// same line of the cache. Where all are taken it takes the first.
#pragma once

#include "parse.h"

// Of the kernel's tick: half a second and four seconds at 250 Hz, 1.25 and ten at 100 Hz. By the
// latter's time a flow may be forgotten sooner than flow_table.h says, the soonest after 30 s.
#define FRESH_TICKS 125
#define SHORTCUT_TICKS 1000
#define END_BITS 14 // rows of a processor for ends
#define END_WORDS_MAX 7
#define FLOW_WORDS 1 // of 8 bytes
#define FLOW6_WORDS 3

#define TCP_FLAGS_AT 13
#define TCP_FIN_SYN_RST 0x07
#define FRAGMENT_AND_PROTOCOL 0x3fff00ff // of the IP header's bytes 6 to 9

// Rows of a processor; user space says how many when it loads the programs.
const volatile __u32 shortcut_bits = 12;
const volatile __u32 shortcut6_bits = 12;

// Of IPv4 and of IPv6. They are read as words, of which the first is the stamp.
struct shortcut {
	__u64 stamp;
	__u64 flow[FLOW_WORDS]; // the customer's address, and both ports
};
struct shortcut6 {
	__u64 stamp;
	__u64 flow[FLOW6_WORDS];
};

// What every end begins with.
struct end_base {
	__u64 stamp;   // a number, and the row in the last END_BITS
	__u64 changes; // sum of both counts, each of which only grows
	__u64 since;   // ticks, when it got this number
	__u64 ticks;   // when a packet took the road last
	__u32 net;     // the second count's row
	__u16 interface;
	__u16 limits; // of its rate
};

// What the road writes down, to leave a shortcut behind.
struct notes {
	__u64 flow[FLOW6_WORDS];
	__u64 words[END_WORDS_MAX]; // what else tells the packets, of the end
	__u64 changes;
	__u32 net;
	__u32 row; // the flow's first
	bool eligible; // this packet may take a shortcut, and leave one
};

static __always_inline __u64 load_word(const void *from)
{
	return *(const __u64 *)from;
}

static __always_inline __u64 changes_of(__u32 row)
{
	struct change_row *change = bpf_map_lookup_elem(&changes, &row);

	return change ? *(volatile __u64 *)&change->count : 0;
}

// Before any row is read: a change in between makes the shortcut too old at once.
static __always_inline void note_changes(struct notes *notes)
{
	notes->changes = changes_of(0);
}

// Before any row of the Net is read.
static __always_inline void note_changes_of_net(struct notes *notes, __u32 vni)
{
	notes->net = 1 + (vni & (NET_CHANGES - 1));
	notes->changes += changes_of(notes->net);
}

static __always_inline bool is_current(const struct end_base *base, __u64 stamp)
{
	return base->stamp == stamp && bpf_jiffies64() - base->ticks < FRESH_TICKS &&
	       base->changes == changes_of(0) + changes_of(base->net);
}

// Of this processor. One without rows has no shortcuts.
static __always_inline __u32 first_row(__u64 hash, const __u32 bits)
{
	hash *= 0x9e3779b97f4a7c15ull;
	return bpf_get_smp_processor_id() << bits | hash >> (64 - bits);
}

static __always_inline __u32 row_of_end(__u64 stamp)
{
	return bpf_get_smp_processor_id() << END_BITS | (stamp & ((1 << END_BITS) - 1));
}

// Where an end may be: one of two rows.
static __always_inline __u32 end_row(__u64 hash, bool second)
{
	hash *= second ? 0xc2b2ae3d27d4eb4full : 0x9e3779b97f4a7c15ull;
	return row_of_end(hash >> (64 - END_BITS));
}

// The road was taken to an end: `is_same` if its row said nothing else before.
static __always_inline void renew_end(struct end_base *base, __u32 row, const struct notes *notes,
				      bool is_same)
{
	__u64 now = bpf_jiffies64();

	if (!is_same || base->changes != notes->changes || base->net != notes->net ||
	    now - base->since >= SHORTCUT_TICKS) {
		base->stamp = ((base->stamp >> END_BITS) + 1) << END_BITS |
			     (row & ((1 << END_BITS) - 1));
		base->changes = notes->changes;
		base->net = notes->net;
		base->since = now;
	}
	base->ticks = now;
}

static __always_inline __u64 *shortcut_beside(void *table, const struct notes *notes, __u32 beside)
{
	__u32 row = notes->row ^ beside;

	return bpf_map_lookup_elem(table, &row);
}

static __always_inline bool is_of_flow(const __u64 *row, const struct notes *notes,
				       const __u32 words)
{
	if (!row || row[1] != notes->flow[0])
		return false;
	return words == FLOW_WORDS || (row[2] == notes->flow[1] && row[3] == notes->flow[2]);
}

// The flow's stamp, or 0. Spelled out: clang 14 unrolls no loop that it inlines.
static __always_inline __u64 find_stamp(void *table, const struct notes *notes, const __u32 words)
{
	__u64 *row;

	if (is_of_flow(row = shortcut_beside(table, notes, 0), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 1), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 2), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 3), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 4), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 5), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 6), notes, words) ||
	    is_of_flow(row = shortcut_beside(table, notes, 7), notes, words))
		return row[0];
	return 0;
}

static __always_inline bool can_take(const __u64 *row, void *ends, const struct notes *notes,
				     const __u32 words)
{
	struct end_base *base;
	__u32 end;

	if (!row)
		return false;
	end = row_of_end(row[0]);
	base = bpf_map_lookup_elem(ends, &end);
	return is_of_flow(row, notes, words) || !base || !is_current(base, row[0]);
}

static __always_inline void leave_shortcut(void *table, void *ends, const struct notes *notes,
					   const __u32 words, __u64 stamp)
{
	__u64 *row;

	if (can_take(row = shortcut_beside(table, notes, 0), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 1), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 2), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 3), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 4), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 5), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 6), ends, notes, words) ||
	    can_take(row = shortcut_beside(table, notes, 7), ends, notes, words) ||
	    (row = shortcut_beside(table, notes, 0))) {
		row[0] = stamp;
		row[1] = notes->flow[0];
		if (words != FLOW_WORDS) {
			row[2] = notes->flow[1];
			row[3] = notes->flow[2];
		}
	}
}

// TCP that neither begins nor ends.
static __always_inline bool is_amid_tcp(struct xdp_md *ctx, const __u8 *tcp)
{
	return tcp + sizeof(struct tcphdr) <= (__u8 *)(long)ctx->data_end &&
	       !(tcp[TCP_FLAGS_AT] & TCP_FIN_SYN_RST);
}

// Whether the packet with this IP header, 28 bytes of which are there, is in the midst of a
// flow: whole, and UDP or TCP.
static __always_inline bool is_amid_flow(struct xdp_md *ctx, const __u8 *ip)
{
	switch (*(const __be32 *)(ip + 6) & bpf_htonl(FRAGMENT_AND_PROTOCOL)) {
	case bpf_htonl(IPPROTO_UDP):
		return true;
	case bpf_htonl(IPPROTO_TCP):
		return is_amid_tcp(ctx, ip + sizeof(struct iphdr));
	default:
		return false;
	}
}

// Whether the packet goes on as others did before it: has a hop left, is as long as it says
// (of `bytes` from its IP header on), and not too long. No sum with a packet pointer: the
// verifier of Linux 6.1 does not know the bound of a swapped length.
static __always_inline bool is_usual(const struct iphdr *ip, __u32 bytes, __u16 mtu)
{
	__u16 length = bpf_ntohs(ip->tot_len);

	return ip->ttl > 1 && length >= sizeof(*ip) && length <= mtu && length <= bytes;
}
