"""Configurations for vendors whose routers are not here, as hier_config reads them: a parser that is not ours.

What the vendors' own routers would say of a value, nobody can say here. That each line stands where its vendor's
grammar of blocks puts it, and that nothing is said twice or lost, a reader of that grammar can.
"""

from pathlib import Path

import pytest
from hier_config import Platform, WorkflowRemediation, get_hconfig

GOLDEN = Path(__file__).parent.parent / "crates/directlink-model/tests/router_config/golden"
PLATFORMS = {
    "ios-xe": Platform.CISCO_IOS,
    "ios-xr": Platform.CISCO_XR,
    "nx-os": Platform.CISCO_NXOS,
    "eos": Platform.ARISTA_EOS,
    "junos": Platform.JUNIPER_JUNOS,
    "vyos": Platform.VYOS,
}
# What ends a block is no line of it; IOS says "no ip address" of a port that has none.
ENDS = {"exit-address-family", "end-set", "end-policy", "no ip address"}
# Of the interface with both families: where each value stands.
DUAL = {
    "ios-xe": [
        ("interface GigabitEthernet0/0/0.101", "encapsulation dot1Q 101"),
        ("interface GigabitEthernet0/0/0.101", "ip mtu 1400"),
        ("interface GigabitEthernet0/0/0.101", "ip address 172.16.0.2 255.255.255.252"),
        ("router bgp 4200000001", "neighbor 172.16.0.1 remote-as 50624"),
        ("router bgp 4200000001", "neighbor 2001:db8:0:1::1 remote-as 50624"),
    ],
    "ios-xr": [
        ("interface TenGigE0/0/0/0.101", "encapsulation dot1q 101"),
        ("interface TenGigE0/0/0/0.101", "ipv4 mtu 1400"),
        ("interface TenGigE0/0/0/0.101", "ipv4 address 172.16.0.2 255.255.255.252"),
        ("router bgp 4200000001", "neighbor 172.16.0.1", "remote-as 50624"),
        ("router bgp 4200000001", "neighbor 2001:db8:0:1::1", "remote-as 50624"),
    ],
    "nx-os": [
        ("interface Ethernet1/1.101", "encapsulation dot1q 101"),
        ("interface Ethernet1/1.101", "mtu 1400"),
        ("interface Ethernet1/1.101", "ip address 172.16.0.2/30"),
        ("router bgp 4200000001", "neighbor 172.16.0.1", "remote-as 50624"),
        ("router bgp 4200000001", "neighbor 2001:db8:0:1::1", "remote-as 50624"),
    ],
    "eos": [
        ("interface Ethernet1.101", "encapsulation dot1q vlan 101"),
        ("interface Ethernet1.101", "mtu 1400"),
        ("interface Ethernet1.101", "ip address 172.16.0.2/30"),
        ("router bgp 4200000001", "neighbor 172.16.0.1 remote-as 50624"),
        ("router bgp 4200000001", "neighbor 2001:db8:0:1::1 remote-as 50624"),
    ],
    "junos": [
        ("set interfaces ge-0/0/0 unit 101 vlan-id 101",),
        ("set interfaces ge-0/0/0 unit 101 family inet mtu 1400",),
        ("set interfaces ge-0/0/0 unit 101 family inet address 172.16.0.2/30",),
        ("set protocols bgp group dxvif-1a2b3c4d neighbor 172.16.0.1 peer-as 50624",),
        ("set protocols bgp group dxvif-1a2b3c4d neighbor 2001:db8:0:1::1 peer-as 50624",),
    ],
    "vyos": [
        ("set interfaces ethernet eth0 vif 101 mtu '1400'",),
        ("set interfaces ethernet eth0 vif 101 address '172.16.0.2/30'",),
        ("set protocols bgp system-as '4200000001'",),
        ("set protocols bgp neighbor 172.16.0.1 remote-as '50624'",),
        ("set protocols bgp neighbor 2001:db8:0:1::1 remote-as '50624'",),
    ],
}


def lines(vendor: str, variant: str) -> list[str]:
    _, _, text = (GOLDEN / f"{vendor}-{variant}.snap").read_text().split("---\n", 2)
    return [line for line in text.splitlines() if line.strip() and line.strip()[0] not in "!#"]


def tree(vendor: str, variant: str):
    """A line that stands twice in a block is an error of the reader's."""
    return get_hconfig(PLATFORMS[vendor], "\n".join(lines(vendor, variant)))


def paths(tree) -> list[tuple[str, ...]]:
    return [tuple(child.path()) for child in tree.all_children()]


@pytest.mark.parametrize("variant", ["plain", "full", "dual"])
@pytest.mark.parametrize("vendor", PLATFORMS)
def test_every_line_is_read_and_none_stands_twice(vendor, variant):
    read = tree(vendor, variant)
    known = {path[-1] for path in paths(read)}
    lost = [line for line in lines(vendor, variant) if line.strip() not in known | ENDS]
    assert not lost
    again = WorkflowRemediation(read, tree(vendor, variant)).remediation_config
    assert not paths(again), "pasted a second time, it changes nothing"


@pytest.mark.parametrize("vendor", PLATFORMS)
def test_each_value_stands_in_its_block(vendor):
    known = paths(tree(vendor, "dual"))
    assert [path for path in DUAL[vendor] if path not in known] == []
