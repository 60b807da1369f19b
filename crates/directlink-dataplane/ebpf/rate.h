// SPDX-License-Identifier: Apache-2.0 OR MIT
// Rates: how much of what is forwarded a port (its connection's bandwidth) and an interface (its
// share) may carry, each way. What is over is dropped, never queued.
//
//   frame ─ this processor's credit ─┬─ enough ──► on
//           (a few thousand bytes)   └─ too small ─ the limit's bucket ─┬─ a grain more ─► on
//                                      (shared by all processors)       └─ empty ────────► over
//
// A bucket is one number: when it will be full again (GCRA, ITU-T I.371, "theoretical arrival
// time"). Processors that want of it at once agree by compare-and-swap. They would wait for each
// other, and ask for the time, with each packet; so each takes a grain ahead, what the rate
// brings in 100 µs, and counts that down by itself. What counts is the frame as it is on the
// customer's wire, without preamble and check sequence: less than the wire itself counts, so that
// a link of the ordered speed is never over it.
#pragma once

#include "trip.h"

#define BYTE_TIME_BITS 20 // a byte's time is in units of 2^-20 ns
#define BUCKET_TRIES 4

// When the bucket will be full again, by direction, on CLOCK_MONOTONIC.
struct bucket {
	__u64 full_at_ns[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct bucket);
	__uint(max_entries, LIMITS);
} buckets SEC(".maps");

// What a processor has taken and not spent, by direction.
struct credit {
	__u32 bytes[2];
};

// User space makes room for each processor (`load.rs`). Limits with a higher number do without.
#define CREDIT_LIMITS 16384
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct credit);
	__uint(max_entries, CREDIT_LIMITS);
} credits SEC(".maps");

static __always_inline struct credit *own_credit(__u32 limit)
{
	if (limit >= CREDIT_LIMITS)
		return NULL;
	limit += bpf_get_smp_processor_id() * CREDIT_LIMITS;
	return bpf_map_lookup_elem(&credits, &limit);
}

static __always_inline bool take(__u64 *full_at_ns, const struct limit_row *row, __u32 bytes,
				 __u64 now)
{
	const __u64 cost = bytes * row->byte_time >> BYTE_TIME_BITS;

	for (int i = 0; i < BUCKET_TRIES; i++) {
		__u64 before = *(volatile __u64 *)full_at_ns;
		__u64 after = (before > now ? before : now) + cost;

		// Further ahead than this limit allows: another's, with a slower rate. Twice, as the
		// other processor may have looked at the clock later than this one.
		if (before > now + 2 * row->burst_ns)
			after = now + cost;
		if (after > now + row->burst_ns)
			return false;
		if (__sync_val_compare_and_swap(full_at_ns, before, after) == before)
			return true;
	}
	return false;
}

// A function of its own, as it is seldom called.
static __noinline bool take_from_bucket(__u32 limit, __u32 direction, __u32 bytes)
{
	struct limit_row *row = bpf_map_lookup_elem(&limits, &limit);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &limit);
	struct credit *credit = own_credit(limit);
	__u64 now = bpf_ktime_get_ns();

	if (!row || !bucket || !row->bits_per_second)
		return true;
	direction &= 1;
	if (credit && row->grain > bytes &&
	    take(&bucket->full_at_ns[direction], row, row->grain, now)) {
		credit->bytes[direction] += row->grain - bytes;
		return true;
	}
	return take(&bucket->full_at_ns[direction], row, bytes, now);
}

static __always_inline bool spend(__u32 limit, const __u32 direction, __u32 bytes)
{
	struct credit *credit = own_credit(limit);

	if (!credit || credit->bytes[direction] < bytes)
		return take_from_bucket(limit, direction, bytes);
	credit->bytes[direction] -= bytes;
	return true;
}

// What limits an interface's packets, in 16 bits: its port's limit, and whether it has its own.
// 0: nothing does.
#define OWN_LIMIT 0x8000
static __always_inline __u16 find_limits(__u32 port_ifindex, __u32 interface)
{
	__u32 own = PORT_LIMITS + interface;
	struct port_row *port = bpf_map_lookup_elem(&ports, &port_ifindex);
	struct limit_row *row = bpf_map_lookup_elem(&limits, &own);
	__u16 found = port ? port->limit & (PORT_LIMITS - 1) : 0;

	return row && row->bits_per_second ? found | OWN_LIMIT : found;
}

// VERDICT_COUNT if a frame of so many bytes on the customer's wire may go.
static __always_inline enum verdict check_rates(const struct trip *trip, const __u32 direction,
						__u32 bytes)
{
	const __u32 port = trip->limits & (PORT_LIMITS - 1), own = PORT_LIMITS + trip->interface;
	const bool inbound = direction == DIRECTION_INBOUND;
	struct credit *credit;

	if (!trip->limits)
		return VERDICT_COUNT;
	if ((trip->limits & OWN_LIMIT) && !spend(own, direction, bytes))
		return inbound ? VERDICT_OVER_INTERFACE_RATE_TO_NET :
				 VERDICT_OVER_INTERFACE_RATE_TO_CUSTOMER;
	if (!port || spend(port, direction, bytes))
		return VERDICT_COUNT;
	// The interface has not used what it paid for.
	credit = trip->limits & OWN_LIMIT ? own_credit(own) : NULL;
	if (credit)
		credit->bytes[direction] += bytes;
	return inbound ? VERDICT_OVER_CONNECTION_RATE_TO_NET :
			 VERDICT_OVER_CONNECTION_RATE_TO_CUSTOMER;
}
