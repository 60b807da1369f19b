// SPDX-License-Identifier: Apache-2.0 OR MIT
// Frames on a port that belong to no interface, by their tag: what a customer who has the wrong
// one sends. Off the road of every packet that goes on.
#pragma once

#include "parse.h"

static __always_inline void note_stray(struct xdp_md *ctx, enum verdict verdict)
{
	struct interface_key key = { .port_ifindex = ctx->ingress_ifindex };
	struct tagged *frame = at(ctx, 0, sizeof(*frame));
	__u64 one = 1, *frames;

	if (verdict != VERDICT_UNKNOWN_VLAN && verdict != VERDICT_UNTAGGED)
		return;
	if (frame && verdict == VERDICT_UNKNOWN_VLAN)
		key.vlan = bpf_ntohs(frame->tci) & VLAN_ID_MASK;
	frames = bpf_map_lookup_elem(&strays, &key);
	if (frames)
		__sync_fetch_and_add(frames, 1);
	else
		bpf_map_update_elem(&strays, &key, &one, BPF_NOEXIST);
}
