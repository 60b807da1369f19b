// SPDX-License-Identifier: Apache-2.0 OR MIT
// A packet's trip through a program: whom it is counted for, and where it leaves.
#pragma once

#include <stdbool.h>

#include "maps.h"

struct trip {
	__u32 interface; // number; 0 while not known
	__u32 bytes;	 // of the frame as it came
	__u32 ifindex;	 // where it leaves, if it does; an answer by where it came
	__u32 captured;	 // names the copy that was made of it; 0: there is none (capture.h)
	__u16 limits;	 // of its rate (rate.h)
};

// The MAC of the customer's router there, in one piece. False: not known.
static __always_inline bool find_neighbour(__u32 way, struct neighbour_row *neighbour)
{
	struct neighbour_row *row = bpf_map_lookup_elem(&neighbours, &way);
	__u64 word = row ? *(volatile __u64 *)row : 0;

	__builtin_memcpy(neighbour, &word, sizeof(word));
	return word;
}

static __always_inline void add(struct tally *tally, __u32 bytes)
{
	tally->packets += 1;
	tally->bytes += bytes;
}

// A function of its own: its signature brings `enum verdict` into the BTF, where the
// layout test finds it.
static __noinline void count_any(const struct trip *trip, enum verdict verdict)
{
	__u32 interface = trip->interface;
	__u32 number = verdict;
	__u64 index = verdict;
	struct interface_tallies *tallies;
	struct tally *tally;

	if (number >= VERDICT_COUNT)
		return;
	tally = bpf_map_lookup_elem(&router_tallies, &number);
	if (tally)
		add(tally, trip->bytes);
	if (!interface)
		return;
	tallies = bpf_map_lookup_elem(&interface_tallies, &interface);
	// The verifier of Linux 6.1 forgets a bound when the number goes through the stack: the
	// check stands beside the use, where the compiler cannot take it away.
	asm volatile("" : "+r"(index));
	if (tallies && index < VERDICT_COUNT)
		add(&tallies->by_verdict[index], trip->bytes);
}

// Arrays alone, in line. False: count it as any other.
static __always_inline bool count_forwarded(const struct trip *trip, const __u32 verdict)
{
	__u32 number = verdict, index = trip->interface;
	struct forwarded_row *row;
	struct tally *tally;

	if (index >= FORWARDED_NUMBERS)
		return false;
	index += bpf_get_smp_processor_id() * FORWARDED_NUMBERS;
	row = bpf_map_lookup_elem(&forwarded, &index);
	tally = bpf_map_lookup_elem(&router_tallies, &number);
	if (!row || !tally)
		return false;
	add(&row->by_verdict[verdict], trip->bytes);
	add(tally, trip->bytes);
	return true;
}

static __always_inline void count(const struct trip *trip, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_FORWARDED_TO_NET:
		if (count_forwarded(trip, VERDICT_FORWARDED_TO_NET))
			return;
		break;
	case VERDICT_FORWARDED_TO_CUSTOMER:
		if (count_forwarded(trip, VERDICT_FORWARDED_TO_CUSTOMER))
			return;
		break;
	default:
		break;
	}
	count_any(trip, verdict);
}
