// SPDX-License-Identifier: Apache-2.0 OR MIT
// What goes wrong on a lab's cable, on purpose (see src/fault.rs). Each program is an egress filter of
// a link in the patch panel, and passes on what it leaves alone.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_ID_MASK 0x0fff
#define BGP_PORT 179
#define MD5_KIND 19
#define MD5_BYTES 18
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTIONS_MAX 40

enum setting {
	DROP_PER_MILLE, // of frames
	TAG_FROM,	// VLAN, 0: every one
	TAG_TO,
	DELAY_TO,   // where delayed frames wait: a link's index
	DELAY_FROM, // where they go on afterwards
	DELAY_BGP,  // only those of BGP
	SETTINGS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, SETTINGS);
} fault_settings SEC(".maps");

static __always_inline __u32 setting(__u32 which)
{
	__u32 *value = bpf_map_lookup_elem(&fault_settings, &which);

	return value ? *value : 0;
}

// Where a frame's TCP header begins; 0: it has none. The tag is beside the frame here, or the frame has none.
static __always_inline __u32 tcp_offset(struct __sk_buff *skb)
{
	__u16 type;
	__u8 protocol, first;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return 0;
	if (type == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &first, 1) ||
		    bpf_skb_load_bytes(skb, ETH_HLEN + 9, &protocol, 1) || protocol != IPPROTO_TCP)
			return 0;
		return ETH_HLEN + (first & 0x0f) * 4;
	}
	if (type == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + 6, &protocol, 1) || protocol != IPPROTO_TCP)
			return 0;
		return ETH_HLEN + sizeof(struct ipv6hdr);
	}
	return 0;
}

static __always_inline int is_bgp(struct __sk_buff *skb, __u32 tcp)
{
	__u16 ports[2];

	return tcp && !bpf_skb_load_bytes(skb, tcp, ports, sizeof(ports)) &&
	       (ports[0] == bpf_htons(BGP_PORT) || ports[1] == bpf_htons(BGP_PORT));
}

SEC("classifier")
int fault_loss(struct __sk_buff *skb)
{
	return bpf_get_prandom_u32() % 1000 < setting(DROP_PER_MILLE) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("classifier")
int fault_tag(struct __sk_buff *skb)
{
	__u32 from = setting(TAG_FROM);

	if (!skb->vlan_present || (from && (skb->vlan_tci & VLAN_ID_MASK) != from))
		return TC_ACT_UNSPEC;
	if (bpf_skb_vlan_pop(skb) || bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), setting(TAG_TO)))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

// A signature that no key makes: two words of it change places, which no checksum notices.
SEC("classifier")
int fault_key(struct __sk_buff *skb)
{
	__u32 tcp = tcp_offset(skb), at, words[2], swapped[2];
	__u8 kind, length;
	int n;

	if (!is_bgp(skb, tcp))
		return TC_ACT_UNSPEC;
	at = tcp + sizeof(struct tcphdr);
	for (n = 0; n < OPTIONS_MAX; n++) {
		if (at > tcp + 60 || bpf_skb_load_bytes(skb, at, &kind, 1) || kind == OPTION_END)
			return TC_ACT_UNSPEC;
		if (kind == OPTION_NOTHING) {
			at++;
			continue;
		}
		if (bpf_skb_load_bytes(skb, at + 1, &length, 1) || length < 2)
			return TC_ACT_UNSPEC;
		if (kind == MD5_KIND && length == MD5_BYTES) {
			if (bpf_skb_load_bytes(skb, at + 2, words, sizeof(words)))
				return TC_ACT_UNSPEC;
			swapped[0] = words[1];
			swapped[1] = words[0];
			if (bpf_skb_store_bytes(skb, at + 2, swapped, sizeof(swapped), 0))
				return TC_ACT_SHOT;
			return TC_ACT_UNSPEC;
		}
		at += length;
	}
	return TC_ACT_UNSPEC;
}

// A frame that has waited carries the mark, and goes its way.
SEC("classifier")
int fault_delay(struct __sk_buff *skb)
{
	if (skb->mark || (setting(DELAY_BGP) && !is_bgp(skb, tcp_offset(skb))))
		return TC_ACT_UNSPEC;
	return bpf_redirect(setting(DELAY_TO), 0);
}

SEC("classifier")
int fault_delayed(struct __sk_buff *skb)
{
	skb->mark = 1;
	return bpf_redirect(setting(DELAY_FROM), 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
