// SPDX-License-Identifier: Apache-2.0 OR MIT
// The bench's traffic: frames made by BPF_PROG_TEST_RUN in live-frames mode.
//
// The kernel recycles the pages of live frames without restoring their content, so each run
// writes the whole frame, from the template, into whatever the last owner left.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME_BYTES 64
#define TEMPLATE_BYTES 120
#define FLOWS 1024

// Where the UDP source port is, counted in 16-bit words.
#define PORT_BARE ((14 + 20) / 2)
#define PORT_TAGGED ((14 + 4 + 20) / 2)
#define PORT_TUNNELLED ((14 + 20 + 8 + 8 + 14 + 20) / 2)
// A frame of 64 bytes in VXLAN. Its last two bytes are payload, and stay as they are.
#define TUNNELLED_BYTES (14 + 20 + 8 + 8 + FRAME_BYTES)

struct template {
	__u64 frame[TEMPLATE_BYTES / 8];
	__u32 ifindex; // where to
	__u32 tagged;
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

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} sent SEC(".maps");

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u32 *count = bpf_map_lookup_elem(&sent, &zero);
	void *frame = (void *)(long)ctx->data;
	__u64 *to = frame;
	__be16 port;

	if (!template || !count || frame + FRAME_BYTES > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < FRAME_BYTES / 8; i++)
		to[i] = template->frame[i];
	port = bpf_htons(1024 + (*count)++ % FLOWS);
	if (template->tagged)
		((__be16 *)frame)[PORT_TAGGED] = port;
	else
		((__be16 *)frame)[PORT_BARE] = port;
	return bpf_redirect(template->ifindex, 0);
}

SEC("xdp")
int generate_tunnelled(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u32 *count = bpf_map_lookup_elem(&sent, &zero);
	void *frame = (void *)(long)ctx->data;
	__u64 *to = frame;

	if (!template || !count || frame + TUNNELLED_BYTES > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < TUNNELLED_BYTES / 8; i++)
		to[i] = template->frame[i];
	((__be16 *)frame)[PORT_TUNNELLED] = bpf_htons(1024 + (*count)++ % FLOWS);
	return bpf_redirect(template->ifindex, 0);
}

static __always_inline void count_arrival(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	if (count)
		*count += 1;
}

// At the far end, for frames that XDP sent.
SEC("xdp")
int sink_frame(struct xdp_md *ctx)
{
	count_arrival();
	return XDP_DROP;
}

// At the far end, for packets that the kernel's stack sent: in XDP they would be converted
// first, at the kernel's expense.
SEC("classifier")
int sink_packet(struct __sk_buff *skb)
{
	count_arrival();
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual MIT/GPL";
