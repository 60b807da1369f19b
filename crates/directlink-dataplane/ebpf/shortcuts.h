// SPDX-License-Identifier: Apache-2.0 OR MIT
// Shortcuts: what a flow's last packet came to, for the next one.
//
//   frame ─ shortcut, and nothing changed? ─┬─ yes ─► length, hop ─► the same headers
//                                           └─ no ──► the whole road, which leaves a shortcut
//
// A shortcut is no truth of its own. It serves only
//   · packets that are the same in every byte that the road decides by (the key), but for
//     length, hop and TCP's flags, which are looked at again,
//   · while no row changed that the road has read (table `changes`),
//   · for a moment (FRESH_TICKS), so that the kernel's routes are asked again and the flow's
//     row is touched.
// Whatever else comes takes the whole road: fragments, errors, a flow's first and last
// packets, what will be answered or dropped. So none but the road says no; of the rate alone
// (rate.h), which every packet is asked about, a shortcut says it as well.
//
// Each processor has its own shortcuts, in sets of four by the flow's hash, as many as there may be
// flows (`load.rs`). A fifth flow in a set takes another's place.
//
// A shortcut is one cache line, for of a hundred thousand flows none has it at hand. What all flows
// of a NIC have in common, its end of the tunnel, is a row of its own that shortcuts point to:
//
//   shortcut: what tells the flow ─ age ─ limits ─ end, and its number ──► end: number, addresses
//
// Each content of a row has another number, so a shortcut never finds another NIC's end.
#pragma once

#include "parse.h"

// Of the kernel's tick: half a second at 250 Hz, a second and a quarter at 100 Hz.
#define FRESH_TICKS 125
#define SHORTCUT_WORDS_MAX 7
#define SHORTCUT_WAYS 4
#define END_BITS 14 // rows of a processor for ends of tunnels

#define TCP_FLAGS_AT 13
#define TCP_FIN_SYN_RST 0x07
#define FRAGMENT_AND_PROTOCOL 0x3fff00ff // of the IP header's bytes 6 to 9

// Sets of a processor; user space says how many when it loads the programs.
const volatile __u32 shortcut_set_bits = 12;

// What the road writes down, to leave a shortcut behind.
struct notes {
	__u64 words[SHORTCUT_WORDS_MAX]; // the key
	__u64 changes;		    // sum of both counts, each of which only grows
	__u32 net;		    // the second count's row
	__u32 set;
	bool eligible; // this packet may take a shortcut, and leave one
};

// How old a shortcut is.
struct shortcut_age {
	__u64 changes;
	__u32 net;
	__u32 ticks;
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

static __always_inline bool is_current(const struct shortcut_age *age)
{
	__u32 ticks = bpf_jiffies64();

	return ticks - age->ticks < FRESH_TICKS &&
	       age->changes == changes_of(0) + changes_of(age->net);
}

static __always_inline struct shortcut_age age_now(const struct notes *notes)
{
	return (struct shortcut_age){
		.changes = notes->changes,
		.net = notes->net,
		.ticks = bpf_jiffies64(),
	};
}

// Where the end of a tunnel may be, of this processor: one of two rows.
static __always_inline __u32 end_row(__u64 hash, bool second)
{
	hash *= second ? 0xc2b2ae3d27d4eb4full : 0x9e3779b97f4a7c15ull;
	return bpf_get_smp_processor_id() << END_BITS | hash >> (64 - END_BITS);
}

// Of this processor. A processor without sets has no shortcuts.
static __always_inline __u32 shortcut_set(__u64 hash)
{
	hash *= 0x9e3779b97f4a7c15ull;
	return bpf_get_smp_processor_id() << shortcut_set_bits | hash >> (64 - shortcut_set_bits);
}

// Whether the packet with this IP header, 28 bytes of which are there, is in the midst of a
// flow: whole, UDP, or TCP that neither begins nor ends.
static __always_inline bool is_amid_flow(struct xdp_md *ctx, const __u8 *ip)
{
	switch (*(const __be32 *)(ip + 6) & bpf_htonl(FRAGMENT_AND_PROTOCOL)) {
	case bpf_htonl(IPPROTO_UDP):
		return true;
	case bpf_htonl(IPPROTO_TCP):
		return ip + sizeof(struct iphdr) + sizeof(struct tcphdr) <=
			       (__u8 *)(long)ctx->data_end &&
		       !(ip[sizeof(struct iphdr) + TCP_FLAGS_AT] & TCP_FIN_SYN_RST);
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
