// SPDX-License-Identifier: Apache-2.0 OR MIT
// The bench's traffic: frames made by BPF_PROG_TEST_RUN in live-frames mode.
//
// The kernel recycles the pages of live frames without restoring their content, so each run
// writes the whole frame, from the template, into whatever the last owner left.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME_BYTES 64
#define FRAME6_BYTES 72 // the least of IPv6 and UDP with a tag, to whole words
#define TUNNEL_BYTES (14 + 20 + 8 + 8)
#define TEMPLATE_BYTES 128

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

// Where a frame says of which flow it is, from its IP header on.
struct headers {
	__u32 customer_at; // the last byte of the customer's address
	__u32 port_at;
	bool has_checksum;
};

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
// address, so IPv4's checksum is less by as much (RFC 1624). IPv6 has none.
static __always_inline void write_flow(void *ip, const struct headers *headers, __u32 flow)
{
	__be16 *check = ip + 10;
	__u8 *last = ip + headers->customer_at;
	__u16 more = (flow >> PORT_BITS) & 0x7f;

	*(__be16 *)(ip + headers->port_at) =
		bpf_htons(PORT_FIRST + (flow & ((1 << PORT_BITS) - 1)));
	if (!more)
		return;
	*last += more;
	if (headers->has_checksum) {
		__u16 sum = bpf_ntohs(*check);

		*check = bpf_htons(sum - more - (sum < more));
	}
}

// What does not fill a word at the end is payload, and stays as it is.
static __always_inline int make_frame(struct xdp_md *ctx, const __u32 bytes, const bool is_tunnelled,
				      const struct headers headers)
{
	__u32 zero = 0, interface, flow;
	struct template *template = bpf_map_lookup_elem(&templates, &zero);
	__u32 *count = bpf_map_lookup_elem(&sent, &zero);
	void *frame = (void *)(long)ctx->data;
	__be16 *tag = frame + (is_tunnelled ? VNI_AT + 1 : 14); // a VNI's lower bits
	__u64 *to = frame;

	if (!template || !count || frame + bytes > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (__u32 i = 0; i < bytes / 8; i++)
		to[i] = template->frame[i];
	flow = next_flow(template, count, &interface);
	if (is_tunnelled || template->tagged)
		*tag = bpf_htons(bpf_ntohs(*tag) + interface);
	if (is_tunnelled)
		write_flow(frame + TUNNEL_BYTES + 14, &headers, flow);
	else if (template->tagged)
		write_flow(frame + 18, &headers, flow);
	else
		write_flow(frame + 14, &headers, flow);
	return bpf_redirect(template->ifindex, 0);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	return make_frame(ctx, FRAME_BYTES, false, (struct headers){ 12 + 3, 20, true });
}

SEC("xdp")
int generate_tunnelled(struct xdp_md *ctx)
{
	return make_frame(ctx, TUNNEL_BYTES + FRAME_BYTES, true,
			  (struct headers){ 16 + 3, 20, true });
}

SEC("xdp")
int generate6(struct xdp_md *ctx)
{
	return make_frame(ctx, FRAME6_BYTES, false, (struct headers){ 8 + 15, 40, false });
}

SEC("xdp")
int generate6_tunnelled(struct xdp_md *ctx)
{
	return make_frame(ctx, TUNNEL_BYTES + FRAME6_BYTES, true,
			  (struct headers){ 24 + 15, 40, false });
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
