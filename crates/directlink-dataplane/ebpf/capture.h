// SPDX-License-Identifier: Apache-2.0 OR MIT
// Copies of an interface's frames for whoever looks on, dropped ones among them.
//
//   row of the interface ─ INTERFACE_CAPTURED? ─ a capture that is not over? ─► copy ─► ring `captured`
//
// The flag is in a row that the whole road reads anyway. While it stands, the interface's packets leave no
// shortcut, so that a shortcut need not ask: an interface that nobody looks at pays one test of a
// register on the whole road, and nothing on the short one. A capture ends by its own time, whether
// or not somebody lives who would end it.
//
// A frame that may leave in another form is copied as it came, and what became of it is told by a
// record behind it with the same token.
#pragma once

#include "trip.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} captured SEC(".maps");

// Where a record is put together.
struct capture_room {
	struct captured_frame head;
	__u8 bytes[CAPTURE_BYTES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct capture_room);
	__uint(max_entries, 1);
} capture_room SEC(".maps");

static __always_inline bool is_captured(const struct interface_row *row)
{
	__u32 number = row->number;
	struct capture_row *capture;

	if (!(row->flags & INTERFACE_CAPTURED))
		return false;
	capture = bpf_map_lookup_elem(&captures, &number);
	return capture && bpf_ktime_get_ns() < capture->until_ns;
}

static __always_inline struct capture_room *find_capture_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&capture_room, &zero);
}

// Whose frame, and which: the interface's number below, the token above.
static __always_inline __u64 captured_on(const struct trip *trip)
{
	return (__u64)trip->captured << 32 | trip->interface;
}

static __always_inline void write_head(struct captured_frame *head, __u64 on, __u32 length,
				       __u32 form, __u32 verdict)
{
	head->at_ns = bpf_ktime_get_ns();
	head->interface = (__u32)on;
	head->token = on >> 32;
	head->length = length;
	head->verdict = verdict;
	head->form = form;
	head->zero = 0;
}

// How much of a frame is copied: as much as is asked for. Neither is 0.
static __always_inline __u32 bytes_of(const struct capture_row *capture, __u32 length)
{
	__u32 bytes = length < capture->bytes ? length : capture->bytes;

	// The bound beside the use, and as arithmetic: the verifier of 6.1 does not learn from a comparison
	// with 0 that something is not.
	asm volatile("" : "+r"(bytes));
	return ((bytes - 1) & (CAPTURE_BYTES_MAX - 1)) + 1;
}

_Static_assert((CAPTURE_BYTES_MAX & (CAPTURE_BYTES_MAX - 1)) == 0, "a mask");

static __always_inline void send_record(struct capture_row *capture, struct capture_room *room,
					__u32 bytes)
{
	if (bpf_ringbuf_output(&captured, room, sizeof(room->head) + bytes, 0))
		__sync_fetch_and_add(&capture->lost, 1);
}

// The frame from an offset on. This and the next are global functions: the verifier looks at each once,
// and not again on every road that leads to it.
__noinline int capture_frame(struct xdp_md *ctx, __u64 on, __u32 offset, __u32 form, __u32 verdict)
{
	__u32 number = on, length = bpf_xdp_get_buff_len(ctx), bytes;
	struct capture_row *capture = bpf_map_lookup_elem(&captures, &number);
	struct capture_room *room = find_capture_room();

	if (!capture || !room || length <= offset)
		return 0;
	length -= offset;
	bytes = bytes_of(capture, length);
	if (bpf_xdp_load_bytes(ctx, offset, room->bytes, bytes))
		return 0;
	write_head(&room->head, on, length, form, verdict);
	send_record(capture, room, bytes);
	return 0;
}

// What became of the frame that was copied when it came.
__noinline int capture_verdict(__u64 on, __u32 verdict)
{
	__u32 number = on;
	struct capture_row *capture = bpf_map_lookup_elem(&captures, &number);
	struct capture_room *room = find_capture_room();

	if (!capture || !room)
		return 0;
	write_head(&room->head, on, 0, CAPTURED_VERDICT, verdict);
	send_record(capture, room, 0);
	return 0;
}

// A frame on a port, before anything of it is changed.
static __always_inline void capture_arrival(struct xdp_md *ctx, struct trip *trip,
					    const struct interface_row *row)
{
	if (!is_captured(row))
		return;
	trip->captured = (__u32)bpf_ktime_get_ns() | 1;
	capture_frame(ctx, captured_on(trip), 0, CAPTURED_TAGGED, VERDICT_COUNT);
}

static __always_inline void tell_verdict(const struct trip *trip, enum verdict verdict)
{
	if (trip->captured)
		capture_verdict(captured_on(trip), verdict);
}

// A packet to the customer, when it is known what becomes of it: as it leaves, or what its tunnel
// held.
static __always_inline void capture_departure(struct xdp_md *ctx, struct trip *trip, __u32 head,
					      enum verdict verdict)
{
	const bool leaves = verdict == VERDICT_FORWARDED_TO_CUSTOMER;

	if (!trip->captured)
		return;
	capture_frame(ctx, captured_on(trip), leaves ? 0 : head,
		      leaves ? CAPTURED_DEPARTURE : CAPTURED_PACKET, verdict);
	trip->captured = 0;
}

// What the interface's namespace sends; the tag is not in the frame's bytes.
static __always_inline void capture_own(struct __sk_buff *skb, const struct trip *trip,
					const struct interface_row *row, enum verdict verdict)
{
	struct capture_room *room;
	struct capture_row *capture;
	__u32 number = row->number, bytes;

	if (!is_captured(row))
		return;
	capture = bpf_map_lookup_elem(&captures, &number);
	room = find_capture_room();
	if (!capture || !room || !skb->len)
		return;
	bytes = bytes_of(capture, skb->len);
	if (bpf_skb_load_bytes(skb, 0, room->bytes, bytes))
		return;
	write_head(&room->head, captured_on(trip), skb->len, CAPTURED_UNTAGGED, verdict);
	send_record(capture, room, bytes);
}
