// SPDX-License-Identifier: Apache-2.0 OR MIT
// The router's packet programs. The drawing is in src/lib.rs.
//
// Each entry point runs one road, counts its verdict, and has the one switch that turns
// verdicts into actions. One header per topic:
//
//   tables.h rows, verdicts    maps.h the tables       trip.h counting
//   parse.h  headers           rules.h security groups flows.h state of flows
//   flow_table.h               room for flows, and their age
//   vxlan.h  tunnels           icmp.h  answers         port.h, fabric.h, slow.h the roads
//   rate.h   limits            police.h what may go up relay.h  to another router
//   bfd.h    in the agent's place      capture.h copies for whoever looks on
//   lacp.h   the same for bundles      bundle.h  what their ports have in common
//   subnet_routes.h  a Subnet's route table
//   …6.h     the same for IPv6, beside IPv4's
//   shortcuts.h, net_shortcuts.h, customer_shortcuts.h, shortcuts6.h  what a flow's last packet came to
#include "bfd6.h"
#include "fabric6.h"
#include "slow.h"
#include "strays.h"

// Answers too are redirected: veth forgets to wake a far end that polls for GRO alone when
// it gets an XDP_TX. A packet that could not be turned into an answer has nowhere to go.
static __always_inline int leave(const struct trip *trip)
{
	return trip->ifindex ? bpf_redirect(trip->ifindex, 0) : XDP_DROP;
}

static __always_inline int act_on_port(struct xdp_md *ctx, const struct trip *trip,
				       enum verdict verdict)
{
	count(trip, verdict);
	switch (verdict) {
	case VERDICT_FORWARDED_TO_NET:
	case VERDICT_TTL_EXPIRED:
	case VERDICT_TOO_BIG:
	case VERDICT_BFD_ANSWERED:
	case VERDICT_LACP_ANSWERED:
		return leave(trip);
	case VERDICT_TO_ROUTER:
	case VERDICT_LACP:
		return XDP_PASS;
	default:
		note_stray(ctx, verdict);
		return XDP_DROP;
	}
}

static __always_inline int act_on_fabric(const struct trip *trip, enum verdict verdict)
{
	count(trip, verdict);
	switch (verdict) {
	case VERDICT_FORWARDED_TO_CUSTOMER:
	case VERDICT_ARP_ANSWERED:
	case VERDICT_ND_ANSWERED:
	case VERDICT_RELAYED:
	case VERDICT_TTL_EXPIRED:
	case VERDICT_TOO_BIG:
		return leave(trip);
	case VERDICT_TO_KERNEL:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int directlink_port(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };
	struct notes notes;
	enum verdict verdict = go_net_shortcut(ctx, &trip, &notes);

	if (verdict == VERDICT_COUNT) {
		verdict = from_port(ctx, &trip, &notes);
		tell_verdict(&trip, verdict);
	}
	return act_on_port(ctx, &trip, verdict);
}

// Where `directlink_port` finds IPv6.
SEC("xdp")
int directlink_port6(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };
	struct notes *notes = own_notes6();
	enum verdict verdict;

	if (!notes)
		return XDP_ABORTED;
	verdict = go_net_shortcut6(ctx, &trip, notes);
	if (verdict == VERDICT_COUNT) {
		verdict = from_port6(ctx, &trip, notes);
		tell_verdict(&trip, verdict);
	}
	return act_on_port(ctx, &trip, verdict);
}

// Where `directlink_port` finds who speaks for an agent that is silent.
SEC("xdp")
int directlink_bfd(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };

	return act_on_port(ctx, &trip, stand_in(ctx, &trip));
}

// Where `directlink_port6` finds the same.
SEC("xdp")
int directlink_bfd6(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };

	return act_on_port(ctx, &trip, stand_in6(ctx, &trip));
}

SEC("xdp")
int directlink_fabric(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };
	struct notes notes;
	enum verdict verdict = go_customer_shortcut(ctx, &trip, &notes);

	if (verdict == VERDICT_COUNT) {
		verdict = from_fabric(ctx, &trip, &notes);
		capture_departure(ctx, &trip, FABRIC_HEAD, verdict);
	}
	return act_on_fabric(&trip, verdict);
}

// Where `directlink_fabric` finds IPv6.
SEC("xdp")
int directlink_fabric6(struct xdp_md *ctx)
{
	struct trip trip = { .bytes = ctx->data_end - ctx->data };
	struct notes *notes = own_notes6();
	enum verdict verdict;

	if (!notes)
		return XDP_ABORTED;
	verdict = go_customer_shortcut6(ctx, &trip, notes);
	if (verdict == VERDICT_COUNT)
		verdict = from_fabric6(ctx, &trip, notes);
	return act_on_fabric(&trip, verdict);
}

// After XDP, which has counted what goes up: here only what goes wrong is counted.
SEC("classifier")
int directlink_port_slow(struct __sk_buff *skb)
{
	struct trip trip = { .bytes = skb->len };
	enum verdict verdict = to_namespace(skb, &trip);

	if (verdict == VERDICT_TO_ROUTER)
		return bpf_redirect(trip.ifindex, 0);
	if (verdict == VERDICT_LACP)
		return TC_ACT_OK;
	count(&trip, verdict);
	return TC_ACT_SHOT;
}

SEC("classifier")
int directlink_slow_port(struct __sk_buff *skb)
{
	struct trip trip = { .bytes = skb->len };
	enum verdict verdict = from_namespace(skb, &trip);

	count(&trip, verdict);
	return verdict == VERDICT_FROM_ROUTER ? bpf_redirect(trip.ifindex, 0) : TC_ACT_SHOT;
}

// Not for packets: user space runs it once (load.rs).
SEC("xdp")
int directlink_clock(struct xdp_md *ctx)
{
	return wind_clock(CLOCK_IPV4) == XDP_PASS ? wind_clock(CLOCK_IPV6) : XDP_ABORTED;
}

// Nor are these: a flow's key and row, as another build's tables had it (carry.rs). It is left alone
// if it is there.
SEC("xdp")
int directlink_begin_flow(struct xdp_md *ctx)
{
	struct flow_key key;
	struct flow_row row;
	void *known = at(ctx, 0, sizeof(key) + sizeof(row));

	if (!known)
		return XDP_ABORTED;
	__builtin_memcpy(&key, known, sizeof(key));
	__builtin_memcpy(&row, known + sizeof(key), sizeof(row));
	if (bpf_map_lookup_elem(&flows, &key))
		return XDP_PASS;
	return begin_flow(&key, &row) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int directlink_begin_flow6(struct xdp_md *ctx)
{
	struct flow6_key key;
	struct flow_row row;
	void *known = at(ctx, 0, sizeof(key) + sizeof(row));

	if (!known)
		return XDP_ABORTED;
	__builtin_memcpy(&key, known, sizeof(key));
	__builtin_memcpy(&row, known + sizeof(key), sizeof(row));
	if (bpf_map_lookup_elem(&flows6, &key))
		return XDP_PASS;
	return begin_flow6(&key, &row) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
