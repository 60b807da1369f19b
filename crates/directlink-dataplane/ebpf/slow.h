// SPDX-License-Identifier: Apache-2.0 OR MIT
// The slow path: between a VLAN and the interface's own network namespace, whose kernel
// stack does ARP, ND, ICMP and TCP. tc moves the tag, which no VLAN device is needed for.
#pragma once

#include <linux/pkt_cls.h>

#include "bundle.h"
#include "capture.h"
#include "lacp.h"
#include "parse6.h"
#include "trip.h"

// What XDP passed up on a port.
static __always_inline enum verdict to_namespace(struct __sk_buff *skb, struct trip *trip)
{
	struct interface_row *row;

	// Without a tag XDP lets nothing else pass.
	if (!skb->vlan_present)
		return skb->protocol == bpf_htons(ETH_P_SLOW_PROTOCOLS) ? VERDICT_LACP :
									  VERDICT_UNTAGGED;
	row = find_interface_of(skb->ifindex, skb->vlan_tci & VLAN_ID_MASK);
	if (!row)
		return VERDICT_UNKNOWN_VLAN;
	trip->interface = row->number;
	trip->ifindex = row->slow_ifindex;
	if (!row->slow_ifindex || bpf_skb_vlan_pop(skb))
		return VERDICT_SLOW_LINK_GONE;
	return VERDICT_TO_ROUTER;
}

static __always_inline void learn_mac(__u32 way, const __u8 *mac)
{
	struct neighbour_row learned = {}, known;

	if (find_neighbour(way, &known) && same_mac(known.mac, mac))
		return;
	set_mac(learned.mac, mac);
	bpf_map_update_elem(&neighbours, &way, &learned, BPF_ANY);
}

// A unicast frame to a peer's address has the MAC that the kernel resolved for it.
static __always_inline void learn_neighbour(struct __sk_buff *skb, const struct interface_row *row)
{
	struct ethernet *eth = (void *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	__u32 way = 0;
	int i;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return;
	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (ip->daddr == row->peers[i].customer)
			way = row->peers[i].way;
	if (!way || (eth->destination[0] & 1))
		return;
	learn_mac(way, eth->destination);
}

static __always_inline void learn_neighbour6(struct __sk_buff *skb, const struct peers6_row *peers)
{
	struct ethernet *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);
	struct address6 to;
	__u32 way = 0;
	int i;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return;
	__builtin_memcpy(&to, &ip->daddr, sizeof(to));
	for (i = 0; i < PEERS_PER_INTERFACE; i++)
		if (same_address6(&to, &peers->peers[i].customer))
			way = peers->peers[i].way;
	if (!way || (eth->destination[0] & 1))
		return;
	learn_mac(way, eth->destination);
}

// VERDICT_COUNT for what may go on.
static __always_inline enum verdict learn(struct __sk_buff *skb, const struct interface_row *row)
{
	__u32 number = row->number;
	struct peers6_row *peers;

	switch (skb->protocol) {
	case bpf_htons(ETH_P_ARP):
		return VERDICT_COUNT;
	case bpf_htons(ETH_P_IP):
		learn_neighbour(skb, row);
		return VERDICT_COUNT;
	case bpf_htons(ETH_P_IPV6):
		peers = bpf_map_lookup_elem(&peers6, &number);
		if (!peers)
			return VERDICT_NO_IPV6_HERE;
		learn_neighbour6(skb, peers);
		return VERDICT_COUNT;
	default:
		return VERDICT_NOT_IP;
	}
}

// What the interface's namespace sends.
static __always_inline enum verdict from_namespace(struct __sk_buff *skb, struct trip *trip)
{
	__u32 slow_ifindex = skb->ifindex;
	__u32 *number = bpf_map_lookup_elem(&slow_links, &slow_ifindex);
	struct interface_key *key = number ? bpf_map_lookup_elem(&interface_keys, number) : NULL;
	struct interface_row *row = key ? bpf_map_lookup_elem(&interfaces, key) : NULL;
	enum verdict verdict;

	if (!row || row->number != *number)
		return VERDICT_INTERFACE_GONE;
	trip->interface = row->number;
	trip->ifindex = choose_port(key->port_ifindex, row->number);
	verdict = learn(skb, row);
	capture_own(skb, trip, row, verdict == VERDICT_COUNT ? VERDICT_FROM_ROUTER : verdict);
	if (verdict != VERDICT_COUNT)
		return verdict;
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), key->vlan))
		return VERDICT_MALFORMED;
	return VERDICT_FROM_ROUTER;
}
