// SPDX-License-Identifier: Apache-2.0 OR MIT
#include "maps.h"

char _license[] SEC("license") = "Dual MIT/GPL";
