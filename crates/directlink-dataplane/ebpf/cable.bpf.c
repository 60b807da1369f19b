// SPDX-License-Identifier: Apache-2.0 OR MIT
// The customer's end of a cable, where the kernel has no 8021q (see src/cable.rs).
//
//   inner ── cable_push ──► trunk ═══► router        inner ◄── cable_pop ── trunk ◄═══ router
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tables.h"

#define VLAN_ID_MASK 0x0fff

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); // inner interface
	__type(value, struct cable_tag_row);
	__uint(max_entries, 4096);
} cable_tags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct interface_key); // trunk, VLAN
	__type(value, __u32);		   // inner interface
	__uint(max_entries, 4096);
} cable_vlans SEC(".maps");

SEC("classifier")
int cable_push(struct __sk_buff *skb)
{
	__u32 inner = skb->ifindex;
	struct cable_tag_row *tag = bpf_map_lookup_elem(&cable_tags, &inner);

	if (!tag || bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tag->vlan))
		return TC_ACT_SHOT;
	return bpf_redirect(tag->trunk_ifindex, 0);
}

// What has no tag, or one that nobody took, is the trunk's own affair: its next filter's, or the stack's.
SEC("classifier")
int cable_pop(struct __sk_buff *skb)
{
	struct interface_key key = {
		.port_ifindex = skb->ifindex,
		.vlan = skb->vlan_tci & VLAN_ID_MASK,
	};
	__u32 *inner;

	if (!skb->vlan_present)
		return TC_ACT_UNSPEC;
	inner = bpf_map_lookup_elem(&cable_vlans, &key);
	if (!inner)
		return TC_ACT_UNSPEC;
	if (bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	return bpf_redirect(*inner, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
