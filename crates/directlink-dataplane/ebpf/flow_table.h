// SPDX-License-Identifier: Apache-2.0 OR MIT
// Room for flows: how many there may be, who gets a place, and who loses it.
//
//   a flow begins ─ its Net has its share ──► no    (FLOWS_FULL)
//                 ─ no place is free ───────► no    (FLOWS_FULL)
//                 ─ else a place, and its row in `flows`
//
//   places   0 1 2 3 … taken │ never used …      a clock's hand goes round once a minute: whoever
//                ↑ swept                         has been silent for too long leaves its place
//
// So a flow that stands is never put out for a new one, memory is bounded, and one Net cannot take
// the others' room. The clock is a timer of the kernel's: flows age without an agent.
#pragma once

#include "maps6.h"

#define SECOND_NS 1000000000ull
#define CLOCK_STEP_NS (SECOND_NS / 10)
#define CLOCK_STEPS 600 // for a turn
// A place that was taken just now may not have its row yet.
#define PLACE_YOUNG_NS SECOND_NS
#define CLOCK_MONOTONIC_ID 1

// How long a silent flow is remembered. One that nobody answered is little more than a packet: a
// flood of those must not fill the table for long.
static __always_inline __u64 idle_limit_ns(__u8 protocol, const struct flow_row *row)
{
	if (!row->answered)
		return 30 * SECOND_NS;
	switch (protocol) {
	case IPPROTO_TCP:
		return row->closing ? 120 * SECOND_NS : 86400 * SECOND_NS;
	case IPPROTO_UDP:
		return 180 * SECOND_NS;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 60 * SECOND_NS;
	default:
		return 600 * SECOND_NS;
	}
}

static __always_inline bool is_fresh(const struct flow_row *row, __u8 protocol, __u64 now)
{
	return now - row->last_seen_ns < idle_limit_ns(protocol, row);
}

static __always_inline __u64 *flows_of_net(__u32 vni)
{
	__u32 row = vni & (NET_FLOWS - 1);

	return bpf_map_lookup_elem(&net_flows, &row);
}

// False: there is none. What was left comes first, so that the hand's turn stays short.
static __always_inline bool take_place(void *free, __u32 family, __u32 places, __u32 *place)
{
	struct flow_clock_row *clock = bpf_map_lookup_elem(&flow_clock, &family);

	if (!bpf_map_pop_elem(free, place))
		return true;
	if (!clock || *(volatile __u64 *)&clock->taken >= places)
		return false;
	*place = __sync_fetch_and_add(&clock->taken, 1);
	return *place < places;
}

static __always_inline bool net_has_share(__u32 vni, __u32 net_places)
{
	__u64 *count = flows_of_net(vni);

	return count && *(volatile __u64 *)count < net_places;
}

// Writes the row of a flow that begins, or begins again; false if there is no room. Global, so
// that the verifier looks at it once, and with a stack of its own.
__noinline int begin_flow(const struct flow_key *key, const struct flow_row *row)
{
	__u32 family = CLOCK_IPV4, place;
	struct flow_limits_row *limits = bpf_map_lookup_elem(&flow_limits, &family);
	struct flow_place *cell;
	struct flow_key own;
	struct flow_row begun;
	__u64 *count;

	if (!key || !row || !limits)
		return false;
	own = *key;
	begun = *row;
	if (!bpf_map_update_elem(&flows, &own, &begun, BPF_EXIST))
		return true;
	if (!net_has_share(own.vni, limits->net_places) ||
	    !take_place(&free_places, family, limits->places, &place))
		return false;
	cell = bpf_map_lookup_elem(&flow_places, &place);
	count = flows_of_net(own.vni);
	if (!cell || !count)
		return false;
	cell->key = own;
	cell->taken_ns = begun.last_seen_ns;
	if (!bpf_map_update_elem(&flows, &own, &begun, BPF_NOEXIST)) {
		__sync_fetch_and_add(count, 1);
		return true;
	}
	// Another processor was faster, and has a place for it; or the table is full after all.
	cell->taken_ns = 0;
	bpf_map_push_elem(&free_places, &place, BPF_ANY);
	return !!bpf_map_lookup_elem(&flows, &own);
}

__noinline int begin_flow6(const struct flow6_key *key, const struct flow_row *row)
{
	__u32 family = CLOCK_IPV6, place;
	struct flow_limits_row *limits = bpf_map_lookup_elem(&flow_limits, &family);
	struct flow6_place *cell;
	struct flow6_key own;
	struct flow_row begun;
	__u64 *count;

	if (!key || !row || !limits)
		return false;
	own = *key;
	begun = *row;
	if (!bpf_map_update_elem(&flows6, &own, &begun, BPF_EXIST))
		return true;
	if (!net_has_share(own.vni, limits->net_places) ||
	    !take_place(&free_places6, family, limits->places, &place))
		return false;
	cell = bpf_map_lookup_elem(&flow6_places, &place);
	count = flows_of_net(own.vni);
	if (!cell || !count)
		return false;
	cell->key = own;
	cell->taken_ns = begun.last_seen_ns;
	if (!bpf_map_update_elem(&flows6, &own, &begun, BPF_NOEXIST)) {
		__sync_fetch_and_add(count, 1);
		return true;
	}
	cell->taken_ns = 0;
	bpf_map_push_elem(&free_places6, &place, BPF_ANY);
	return !!bpf_map_lookup_elem(&flows6, &own);
}

// ---- the clock --------------------------------------------------------------------------

struct step {
	__u64 now;
	__u64 first;
	__u32 places; // that were ever taken
};

static __always_inline void leave_net(__u32 vni)
{
	__u64 *count = flows_of_net(vni);

	if (count)
		__sync_fetch_and_add(count, -1);
}

static long sweep_place(__u32 i, struct step *step)
{
	__u32 place = (step->first + i) % step->places;
	struct flow_place *cell = bpf_map_lookup_elem(&flow_places, &place);
	struct flow_row *row;

	if (!cell || !cell->taken_ns || step->now - cell->taken_ns < PLACE_YOUNG_NS)
		return 0;
	row = bpf_map_lookup_elem(&flows, &cell->key);
	if (row && is_fresh(row, cell->key.protocol, step->now))
		return 0;
	bpf_map_delete_elem(&flows, &cell->key);
	leave_net(cell->key.vni);
	cell->taken_ns = 0;
	bpf_map_push_elem(&free_places, &place, BPF_ANY);
	return 0;
}

static long sweep_place6(__u32 i, struct step *step)
{
	__u32 place = (step->first + i) % step->places;
	struct flow6_place *cell = bpf_map_lookup_elem(&flow6_places, &place);
	struct flow_row *row;

	if (!cell || !cell->taken_ns || step->now - cell->taken_ns < PLACE_YOUNG_NS)
		return 0;
	row = bpf_map_lookup_elem(&flows6, &cell->key);
	if (row && is_fresh(row, cell->key.protocol, step->now))
		return 0;
	bpf_map_delete_elem(&flows6, &cell->key);
	leave_net(cell->key.vni);
	cell->taken_ns = 0;
	bpf_map_push_elem(&free_places6, &place, BPF_ANY);
	return 0;
}

// The hand goes on by one step, and the timer is set for the next.
static int on_clock(void *map, __u32 *family, struct flow_clock_row *clock)
{
	struct flow_limits_row *limits = bpf_map_lookup_elem(&flow_limits, family);
	struct step step = { .now = bpf_ktime_get_coarse_ns(), .first = clock->swept };
	__u32 most;

	if (!limits)
		return 0;
	most = limits->places / CLOCK_STEPS + 1;
	step.places = clock->taken < limits->places ? clock->taken : limits->places;
	if (step.places) {
		__u32 count = most < step.places ? most : step.places;

		if (*family == CLOCK_IPV4)
			bpf_loop(count, sweep_place, &step, 0);
		else
			bpf_loop(count, sweep_place6, &step, 0);
		clock->swept += count;
	}
	bpf_timer_start(&clock->timer, CLOCK_STEP_NS, 0);
	return 0;
}

// Whoever loads the programs runs this once for each family. A timer that is there already goes
// on with this program's callback.
static __always_inline int wind_clock(__u32 family)
{
	struct flow_clock_row *clock = bpf_map_lookup_elem(&flow_clock, &family);

	if (!clock)
		return XDP_ABORTED;
	bpf_timer_init(&clock->timer, &flow_clock, CLOCK_MONOTONIC_ID);
	// Fails where it was done before.
	bpf_timer_init(&clock->timer, &flow_clock, CLOCK_MONOTONIC_ID);
	if (bpf_timer_set_callback(&clock->timer, on_clock) ||
	    bpf_timer_start(&clock->timer, 0, 0))
		return XDP_ABORTED;
	return XDP_PASS;
}
