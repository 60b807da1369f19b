// SPDX-License-Identifier: Apache-2.0 OR MIT
// What may go up to an interface's own namespace, and how fast: each interface has a bucket for
// each class, so that no flood takes the kernel from other customers, nor a customer's BGP and BFD
// from its own floods.
//
//   ARP, ND ───────────────────► neighbour          TCP 179 ─┬─ SYN ──► BGP open
//   UDP 3784, TTL 255 ─────────► BFD                         └─ else ─► BGP
//   ICMP ──────────────────────► ICMP             fragments, options, all else ─► rest
//
// As rate.h has it, a bucket is the time at which it is full again. Here packets are counted, not
// bytes: it is by the packet that the kernel works. The clock is the kernel's coarse one, a tick
// of some milliseconds, for which every bucket is large enough: who is refused costs no look at
// the processor's clock.
#pragma once

#include "parse.h"
#include "trip.h"

#define BGP_PORT 179
#define BFD_PORT 3784 // RFC 5881
#define BFD_TTL 255
#define POLICE_TRIES 4

enum class {
	CLASS_BGP,
	CLASS_BGP_OPEN,
	CLASS_BFD,
	CLASS_NEIGHBOUR,
	CLASS_ICMP,
	CLASS_REST,
	CLASS_COUNT,
};

// By interface number: when each class's bucket will be full again, on CLOCK_MONOTONIC.
struct police_row {
	__u64 full_at_ns[CLASS_COUNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct police_row);
	__uint(max_entries, 65536);
} police SEC(".maps");

struct pace {
	__u64 each_ns;  // a packet's time
	__u64 burst_ns; // how far ahead of the pace packets may come
};

static __always_inline struct pace pace(__u64 a_second, __u64 at_once)
{
	return (struct pace){ 1000000000 / a_second, 1000000000 / a_second * at_once };
}

// Two routers of a customer on a VLAN, each with BFD at 50 ms and BGP that sends a whole table,
// stay far below.
static __always_inline struct pace pace_of(enum class class)
{
	switch (class) {
	case CLASS_BGP:
		return pace(10000, 2000);
	case CLASS_BGP_OPEN:
		return pace(20, 40);
	case CLASS_BFD:
		return pace(200, 100);
	case CLASS_NEIGHBOUR:
		return pace(50, 100);
	case CLASS_ICMP:
		return pace(200, 200);
	default:
		return pace(50, 100);
	}
}

// The verdicts stand in the order of the classes.
static __always_inline enum verdict policed(enum class class)
{
	return VERDICT_POLICED_BGP + class;
}

static __always_inline enum class class_of_tcp(const struct tcphdr *tcp)
{
	if (tcp->source != bpf_htons(BGP_PORT) && tcp->dest != bpf_htons(BGP_PORT))
		return CLASS_REST;
	return tcp->syn && !tcp->ack ? CLASS_BGP_OPEN : CLASS_BGP;
}

// Of an IPv4 packet to the router, at this offset.
static __always_inline enum class class_of_ipv4(struct xdp_md *ctx, __u32 offset)
{
	struct iphdr *ip = at(ctx, offset, sizeof(*ip));
	struct tcphdr *tcp;
	struct udphdr *udp;

	if (!ip || ip->ihl != 5 ||
	    (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)))
		return CLASS_REST;
	offset += sizeof(*ip);
	switch (ip->protocol) {
	case IPPROTO_ICMP:
		return CLASS_ICMP;
	case IPPROTO_TCP:
		tcp = at(ctx, offset, sizeof(*tcp));
		return tcp ? class_of_tcp(tcp) : CLASS_REST;
	case IPPROTO_UDP:
		udp = at(ctx, offset, sizeof(*udp));
		return udp && udp->dest == bpf_htons(BFD_PORT) && ip->ttl == BFD_TTL ? CLASS_BFD :
										       CLASS_REST;
	default:
		return CLASS_REST;
	}
}

// VERDICT_TO_ROUTER if a packet of this class may go up on the interface.
static __always_inline enum verdict police_class(__u32 interface, enum class class)
{
	const struct pace pace = pace_of(class);
	struct police_row *row = bpf_map_lookup_elem(&police, &interface);
	const __u64 now = bpf_ktime_get_coarse_ns();
	__u64 *full_at_ns;

	if (!row)
		return policed(class);
	full_at_ns = &row->full_at_ns[class < CLASS_COUNT ? class : CLASS_REST];
	for (int i = 0; i < POLICE_TRIES; i++) {
		__u64 before = *(volatile __u64 *)full_at_ns;
		__u64 after = (before > now ? before : now) + pace.each_ns;

		if (after > now + pace.burst_ns)
			break;
		if (__sync_val_compare_and_swap(full_at_ns, before, after) == before)
			return VERDICT_TO_ROUTER;
	}
	return policed(class);
}
