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

// A frame of 64 bytes in VXLAN. Its last two bytes are payload, and stay as they are.
#define TUNNELLED_BYTES (14 + 20 + 8 + 8 + FRAME_BYTES)
#define VNI_AT (14 + 20 + 8 + 4)
#define PORT_FIRST 1024
#define PORT_BITS 15

struct template {
	__u64 frame[TEMPLATE_BYTES / 8];
	__u32 ifindex; // where to
	__u32 tagged;
	__u32 flows; // one frame of each, and again
	__u32 interfaces; // VLANs or VNIs from that of the frame on; flows are dealt out to them
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

// Which flow is next: of which interface, and which of its own.
static __always_inline __u32 next_flow(const struct template *template, __u32 *count,
				       __u32 *interface)
{
	__u32 flow = *count;

	*count = flow + 1 < template->flows ? flow + 1 : 0;
	*interface = 0;
	if (template->interfaces > 1) {
		*interface = flow % template->interfaces;
		flow /= template->interfaces;
	}
	return flow;
}

// The customer's port and, beyond so many ports, its address tell a flow: the last byte of the
// address, so the header's checksum is less by as much (RFC 1624).
static __always_inline void write_flow(void *ip, __u32 address_at, __u32 flow)
{
	__be16 *check = ip + 10;
	__u8 *last = ip + address_at + 3;
	__u16 more = (flow >> PORT_BITS) & 0x7f;

	*(__be16 *)(ip + 20) = bpf_htons(PORT_FIRST + (flow & ((1 << PORT_BITS) - 1)));
	if (more) {
		__u16 sum = bpf_ntohs(*check);

		*last += more;
		*check = bpf_htons(sum - more - (sum < more));
	}
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u32 zero = 0, interface, flow;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u32 *count = bpf_map_lookup_elem(&sent, &zero);
	void *frame = (void *)(long)ctx->data;
	__u64 *to = frame;

	if (!template || !count || frame + FRAME_BYTES > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < FRAME_BYTES / 8; i++)
		to[i] = template->frame[i];
	flow = next_flow(template, count, &interface);
	if (template->tagged) {
		__be16 *tag = frame + 14;

		*tag = bpf_htons(bpf_ntohs(*tag) + interface);
		write_flow(frame + 18, 12, flow);
	} else {
		write_flow(frame + 14, 12, flow);
	}
	return bpf_redirect(template->ifindex, 0);
}

SEC("xdp")
int generate_tunnelled(struct xdp_md *ctx)
{
	__u32 zero = 0, interface, flow;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u32 *count = bpf_map_lookup_elem(&sent, &zero);
	void *frame = (void *)(long)ctx->data;
	__u64 *to = frame;
	__be16 *vni = frame + VNI_AT + 1; // its lower bits

	if (!template || !count || frame + TUNNELLED_BYTES > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < TUNNELLED_BYTES / 8; i++)
		to[i] = template->frame[i];
	flow = next_flow(template, count, &interface);
	*vni = bpf_htons(bpf_ntohs(*vni) + interface);
	write_flow(frame + TUNNELLED_BYTES - FRAME_BYTES + 14, 16, flow);
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
