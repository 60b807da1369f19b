// SPDX-License-Identifier: Apache-2.0 OR MIT
// The slow path: between a VLAN and the interface's own network namespace, whose kernel
// stack does ARP, ICMP and TCP. tc moves the tag, which no VLAN device is needed for.
#pragma once

#include <linux/pkt_cls.h>

#include "parse.h"
#include "trip.h"

// What XDP passed up on a port.
static __always_inline enum verdict to_namespace(struct __sk_buff *skb, struct trip *trip)
{
	struct interface_key key = {
		.port_ifindex = skb->ifindex,
		.vlan = skb->vlan_tci & VLAN_ID_MASK,
	};
	struct interface_row *row;

	if (!skb->vlan_present)
		return VERDICT_UNTAGGED;
	row = bpf_map_lookup_elem(&interfaces, &key);
	if (!row)
		return VERDICT_UNKNOWN_VLAN;
	trip->interface = row->number;
	trip->ifindex = row->slow_ifindex;
	if (!row->slow_ifindex || bpf_skb_vlan_pop(skb))
		return VERDICT_SLOW_LINK_GONE;
	return VERDICT_TO_ROUTER;
}

// A unicast frame to a peer's address has the MAC that the kernel resolved for it.
static __always_inline void learn_neighbour(struct __sk_buff *skb, const struct interface_row *row)
{
	struct ethernet *eth = (void *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct neighbour_row learned = {}, known;
	__u32 way = 0;
	int i;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return;
	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (ip->daddr == row->peers[i].customer)
			way = row->peers[i].way;
	if (!way || (eth->destination[0] & 1))
		return;
	if (find_neighbour(way, &known) && same_mac(known.mac, eth->destination))
		return;
	set_mac(learned.mac, eth->destination);
	bpf_map_update_elem(&neighbours, &way, &learned, BPF_ANY);
}

// What the interface's namespace sends.
static __always_inline enum verdict from_namespace(struct __sk_buff *skb, struct trip *trip)
{
	__u32 slow_ifindex = skb->ifindex;
	__u32 *number = bpf_map_lookup_elem(&slow_links, &slow_ifindex);
	struct interface_key *key = number ? bpf_map_lookup_elem(&interface_keys, number) : NULL;
	struct interface_row *row = key ? bpf_map_lookup_elem(&interfaces, key) : NULL;

	if (!row || row->number != *number)
		return VERDICT_INTERFACE_GONE;
	trip->interface = row->number;
	trip->ifindex = key->port_ifindex;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		learn_neighbour(skb, row);
	else if (skb->protocol != bpf_htons(ETH_P_ARP))
		return VERDICT_NOT_IPV4;
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), key->vlan))
		return VERDICT_MALFORMED;
	return VERDICT_FROM_ROUTER;
}
