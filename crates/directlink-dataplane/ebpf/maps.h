// SPDX-License-Identifier: Apache-2.0 OR MIT
// The tables themselves; rows are in tables.h. All are pinned by name.
//
// Large tables take their size from user space (`Capacity`); sizes here are the least.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tables.h"

// The roads of IPv6 and of BFD are programs of their own (directlink.bpf.c), for a stack of their
// own.
// User space fills it (`load.rs`); pinned, as a table that nobody holds is emptied.
#define ROAD6_PORT 0
#define ROAD6_FABRIC 1
#define ROAD_BFD 2
#define ROAD6_BFD 3
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} roads SEC(".maps");

#define TABLE(name, map_type, key_type, row_type, rows)                                           \
	struct {                                                                                  \
		__uint(type, map_type);                                                           \
		__type(key, key_type);                                                            \
		__type(value, row_type);                                                          \
		__uint(max_entries, rows);                                                        \
		__uint(pinning, LIBBPF_PIN_BY_NAME);                                              \
	} name SEC(".maps")

// Memory only for rows that are there.
#define SPARSE_TABLE(name, map_type, key_type, row_type, rows)                                    \
	struct {                                                                                  \
		__uint(type, map_type);                                                           \
		__type(key, key_type);                                                            \
		__type(value, row_type);                                                          \
		__uint(max_entries, rows);                                                        \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                             \
		__uint(pinning, LIBBPF_PIN_BY_NAME);                                              \
	} name SEC(".maps")

#define QUEUE(name, row_type, rows)                                                               \
	struct {                                                                                  \
		__uint(type, BPF_MAP_TYPE_QUEUE);                                                 \
		__type(value, row_type);                                                          \
		__uint(max_entries, rows);                                                        \
		__uint(pinning, LIBBPF_PIN_BY_NAME);                                              \
	} name SEC(".maps")

TABLE(router, BPF_MAP_TYPE_ARRAY, __u32, struct router_row, 1);
SPARSE_TABLE(interfaces, BPF_MAP_TYPE_HASH, struct interface_key, struct interface_row, 1024);
TABLE(interface_keys, BPF_MAP_TYPE_ARRAY, __u32, struct interface_key, 65536);
SPARSE_TABLE(slow_links, BPF_MAP_TYPE_HASH, __u32, __u32, 1024);
TABLE(neighbours, BPF_MAP_TYPE_ARRAY, __u32, struct neighbour_row, 65536);
SPARSE_TABLE(routes, BPF_MAP_TYPE_LPM_TRIE, struct net_prefix_key, struct route_row, 1024);
SPARSE_TABLE(sources, BPF_MAP_TYPE_LPM_TRIE, struct source_key, struct source_row, 1024);
SPARSE_TABLE(subnets, BPF_MAP_TYPE_LPM_TRIE, struct net_prefix_key, struct subnet_row, 1048576);
SPARSE_TABLE(nets, BPF_MAP_TYPE_HASH, __u32, struct net_row, 65536);
SPARSE_TABLE(nics, BPF_MAP_TYPE_HASH, struct address_key, struct nic_row, 1024);
SPARSE_TABLE(routers, BPF_MAP_TYPE_HASH, struct address_key, struct relay_row, 65536);
SPARSE_TABLE(rules, BPF_MAP_TYPE_HASH, struct rule_key, struct rule_row, 1024);
SPARSE_TABLE(subnet_routes, BPF_MAP_TYPE_HASH, struct subnet_routes_key, struct subnet_routes_row,
	     1024);
SPARSE_TABLE(bfd_sessions, BPF_MAP_TYPE_HASH, struct bfd_key, struct bfd_row, 1024);
SPARSE_TABLE(captures, BPF_MAP_TYPE_HASH, __u32, struct capture_row, 1024);
SPARSE_TABLE(bundled_ports, BPF_MAP_TYPE_HASH, __u32, struct bundled_port_row, PORT_LIMITS);
SPARSE_TABLE(ports, BPF_MAP_TYPE_HASH, __u32, struct port_row, PORT_LIMITS);
TABLE(limits, BPF_MAP_TYPE_ARRAY, __u32, struct limit_row, LIMITS);
TABLE(changes, BPF_MAP_TYPE_ARRAY, __u32, struct change_row, 1 + NET_CHANGES);
TABLE(flows, BPF_MAP_TYPE_HASH, struct flow_key, struct flow_row, 1024);
TABLE(flow_places, BPF_MAP_TYPE_ARRAY, __u32, struct flow_place, 1024);
QUEUE(free_places, __u32, 1024);
TABLE(flow_limits, BPF_MAP_TYPE_ARRAY, __u32, struct flow_limits_row, 2);
TABLE(flow_clock, BPF_MAP_TYPE_ARRAY, __u32, struct flow_clock_row, 2);
TABLE(net_flows, BPF_MAP_TYPE_ARRAY, __u32, __u64, NET_FLOWS);
TABLE(fragments, BPF_MAP_TYPE_LRU_HASH, struct fragment_key, struct fragment_row, 16384);
TABLE(strays, BPF_MAP_TYPE_LRU_HASH, struct interface_key, __u64, 4096);
TABLE(router_tallies, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct tally, VERDICT_COUNT);
TABLE(forwarded, BPF_MAP_TYPE_ARRAY, __u32, struct forwarded_row, FORWARDED_NUMBERS);
SPARSE_TABLE(interface_tallies, BPF_MAP_TYPE_PERCPU_HASH, __u32, struct interface_tallies, 1024);
