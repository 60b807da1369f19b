// SPDX-License-Identifier: Apache-2.0 OR MIT
// The tables of IPv6; rows are in tables6.h.
#pragma once

#include "maps.h"
#include "tables6.h"

SPARSE_TABLE(peers6, BPF_MAP_TYPE_HASH, __u32, struct peers6_row, 1024);
SPARSE_TABLE(routes6, BPF_MAP_TYPE_LPM_TRIE, struct net_prefix6_key, struct route_row, 1024);
SPARSE_TABLE(sources6, BPF_MAP_TYPE_LPM_TRIE, struct source6_key, struct source_row, 1024);
SPARSE_TABLE(subnets6, BPF_MAP_TYPE_LPM_TRIE, struct net_prefix6_key, struct subnet6_row, 1048576);
SPARSE_TABLE(nics6, BPF_MAP_TYPE_HASH, struct address6_key, struct nic_row, 1024);
SPARSE_TABLE(bfd6_sessions, BPF_MAP_TYPE_HASH, struct bfd6_key, struct bfd6_row, 1024);
SPARSE_TABLE(rules6, BPF_MAP_TYPE_HASH, struct rule_key, struct rule6_row, 1024);
TABLE(flows6, BPF_MAP_TYPE_HASH, struct flow6_key, struct flow_row, 1024);
TABLE(flow6_places, BPF_MAP_TYPE_ARRAY, __u32, struct flow6_place, 1024);
QUEUE(free_places6, __u32, 1024);
TABLE(fragments6, BPF_MAP_TYPE_LRU_HASH, struct fragment6_key, struct fragment_row, 16384);
