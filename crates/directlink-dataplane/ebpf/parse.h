// SPDX-License-Identifier: Apache-2.0 OR MIT
// Reading headers. Only what has fixed offsets is forwarded: one VLAN tag, no IP options.
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "maps.h"

#define VLAN_ID_MASK 0x0fff
#define IP_DONT_FRAGMENT 0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_EXCEEDED 11
#define ICMP_PARAMETER 12

// Not packed: the kernel's ethhdr is, and costs a load for each byte.
struct ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 protocol;
};

// Ethernet with one tag (IEEE 802.1Q).
struct tagged {
	__u8 destination[6];
	__u8 source[6];
	__be16 tag_protocol;
	__be16 tci;
	__be16 protocol;
};

// RFC 826, for Ethernet and IPv4.
#define ARP_REQUEST 1
#define ARP_REPLY 2
struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[6];
	__be32 sender;
	__u8 target_mac[6];
	__be32 target;
} __attribute__((packed, aligned(2)));

struct icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;   // echo; unused in errors
	__be16 data; // echo: sequence; fragmentation needed: next MTU
};

// What the flow table and the rules go by.
struct tuple {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__be16 id;
	__u8 protocol;
	__u16 icmp_kind; // type << 8 | code
	bool first_fragment;
	bool later_fragment;
	bool opens;  // may begin a flow: not the second packet of one, not an answer
	bool closes; // TCP FIN or RST
	bool begins; // certainly the first of a flow: TCP SYN, echo request
	bool alone;  // of no flow: ICMP that is neither echo nor its reply
};

// The bytes at an offset, or NULL if the frame ends before.
static __always_inline void *at(struct xdp_md *ctx, __u32 offset, __u32 bytes)
{
	void *start = (void *)(long)ctx->data;

	if (start + offset + bytes > (void *)(long)ctx->data_end)
		return NULL;
	return start + offset;
}

// MACs are aligned to 2, in frames and in rows.
static __always_inline bool same_mac(const void *a, const void *b)
{
	const __u16 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline void set_mac(void *to, const void *from)
{
	const __u16 *x = from;
	__u16 *y = to;

	y[0] = x[0];
	y[1] = x[1];
	y[2] = x[2];
}

static __always_inline bool read_tcp(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	struct tcphdr *tcp = at(ctx, offset, sizeof(*tcp));

	if (!tcp)
		return false;
	tuple->source_port = tcp->source;
	tuple->destination_port = tcp->dest;
	tuple->begins = tcp->syn && !tcp->ack;
	tuple->opens = !tcp->rst && !(tcp->syn && tcp->ack);
	tuple->closes = tcp->rst || tcp->fin;
	return true;
}

static __always_inline bool read_udp(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	struct udphdr *udp = at(ctx, offset, sizeof(*udp));

	if (!udp)
		return false;
	tuple->source_port = udp->source;
	tuple->destination_port = udp->dest;
	tuple->opens = true;
	return true;
}

static __always_inline bool read_icmp(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	struct icmp *icmp = at(ctx, offset, sizeof(*icmp));

	if (!icmp)
		return false;
	tuple->icmp_kind = icmp->type << 8 | icmp->code;
	if (icmp->type == ICMP_ECHO || icmp->type == ICMP_ECHO_REPLY) {
		tuple->source_port = icmp->id;
		tuple->destination_port = icmp->id;
	} else {
		tuple->alone = true;
	}
	tuple->opens = tuple->icmp_kind == ICMP_ECHO << 8;
	tuple->begins = tuple->opens;
	return true;
}

// False: the packet is shorter than its headers. `offset` is that of its IP header.
static __always_inline bool read_tuple(struct xdp_md *ctx, __u32 offset, struct tuple *tuple)
{
	struct iphdr *ip = at(ctx, offset, sizeof(*ip));
	__u16 fragment;

	if (!ip)
		return false;
	fragment = bpf_ntohs(ip->frag_off);
	tuple->source = ip->saddr;
	tuple->destination = ip->daddr;
	tuple->protocol = ip->protocol;
	tuple->id = ip->id;
	tuple->later_fragment = fragment & IP_FRAGMENT_OFFSET;
	tuple->first_fragment = !tuple->later_fragment && (fragment & IP_MORE_FRAGMENTS);
	if (tuple->later_fragment)
		return true;
	offset += sizeof(*ip);
	switch (tuple->protocol) {
	case IPPROTO_TCP:
		return read_tcp(ctx, offset, tuple);
	case IPPROTO_UDP:
		return read_udp(ctx, offset, tuple);
	case IPPROTO_ICMP:
		return read_icmp(ctx, offset, tuple);
	default:
		tuple->opens = true;
		return true;
	}
}

// Whether this is an IPv4 packet that we would forward; VERDICT_COUNT if so.
static __always_inline enum verdict check_ipv4(struct xdp_md *ctx, const struct iphdr *ip)
{
	__u16 length = bpf_ntohs(ip->tot_len);

	if (ip->version != 4 || ip->ihl < 5 || length < sizeof(*ip))
		return VERDICT_MALFORMED;
	if ((void *)ip + length > (void *)(long)ctx->data_end)
		return VERDICT_MALFORMED;
	if (ip->ihl > 5)
		return VERDICT_IP_OPTIONS;
	return VERDICT_COUNT;
}

// One hop less, with the header checksum kept right (RFC 1624).
static __always_inline void take_hop(struct iphdr *ip)
{
	__u32 check = ip->check;

	check += bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl -= 1;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

// RFC 791, for a header without options whose check field is 0.
static __always_inline __u16 ip_checksum(const struct iphdr *ip)
{
	const __u16 *words = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += words[i];
	return fold(sum);
}
