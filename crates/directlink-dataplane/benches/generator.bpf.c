// SPDX-License-Identifier: Apache-2.0 OR MIT
// The bench's traffic: frames made by BPF_PROG_TEST_RUN in live-frames mode.
//
// The kernel recycles the pages of live frames without restoring their content, so each run
// writes the whole frame, from the template, into whatever the last owner left.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define FRAME_BYTES 64

struct template {
	__u8 frame[FRAME_BYTES];
	__u32 ifindex; // where to
	__u32 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct template);
	__uint(max_entries, 1);
} templates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} arrived SEC(".maps");

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u8 *frame = (void *)(long)ctx->data;

	if (!template || (void *)(frame + FRAME_BYTES) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(frame, template->frame, FRAME_BYTES);
	return bpf_redirect(template->ifindex, 0);
}

// At the far end: counts and drops.
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	if (count)
		*count += 1;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
