"""BGP peers of an interface: a second one for another router of the customer on the same VLAN, and one of IPv6 alone.

Only the AWS API has the words for it; the OUTSCALE API goes on showing one. No customer's router speaks here: the
peers are brought about by the Region's own router, and say that their sessions are down.
"""

import pytest

from clients import CLIENTS, Refused, Wish
from region import eventually

ADDERS = [name for name, client in CLIENTS.items() if hasattr(client, "allocate_interface")]
FIRST = Wish("with two routers", 400, 65010, key="first", router_address="172.20.0.1/30", customer_address="172.20.0.2/30")
SECOND = {
    "asn": 65020,
    "authKey": "second",
    "addressFamily": "ipv4",
    "amazonAddress": "172.20.0.5/30",
    "customerAddress": "172.20.0.6/30",
}


@pytest.fixture
def interface(owner, connection, place):
    made = owner.aws.create_interface(connection.id, Wish(**{**FIRST.__dict__, "gateway": place.gateway}))
    yield made
    owner.aws.delete_interface(made.id)
    eventually(lambda: owner.aws.interface(made.id).state, "deleted")


def peers(client, interface) -> list[dict]:
    [found] = client.call("DescribeVirtualInterfaces", virtualInterfaceId=interface.id)["virtualInterfaces"]
    return found["bgpPeers"]


def states(client, interface) -> list[tuple[str, str]]:
    return [(peer["bgpPeerState"], peer["bgpStatus"]) for peer in peers(client, interface)]


@pytest.mark.parametrize("name", ADDERS)
def test_a_second_peer_is_added_and_the_first_deleted(name, owner, interface):
    client = owner[name]
    answer = client.call("CreateBGPPeer", virtualInterfaceId=interface.id, newBGPPeer=SECOND)
    [_, added] = answer["virtualInterface"]["bgpPeers"]
    assert {member: added[member] for member in SECOND} == SECOND
    eventually(lambda: states(owner.aws, interface), [("available", "down")] * 2)
    assert owner.outscale.interface(interface.id).stateless() == interface.stateless()

    with pytest.raises(Refused, match="takes no further BGP Peer"):
        client.call("CreateBGPPeer", virtualInterfaceId=interface.id, newBGPPeer={"asn": 65030})

    gone = client.call("DeleteBGPPeer", virtualInterfaceId=interface.id, asn=65010, customerAddress="172.20.0.2/30")
    assert gone["virtualInterface"]["bgpPeers"][0]["bgpPeerState"] == "deleting"
    eventually(lambda: [peer["bgpPeerId"] for peer in peers(owner.aws, interface)], [added["bgpPeerId"]])
    seen = owner.outscale.interface(interface.id)
    assert (seen.asn, seen.key, seen.customer_address) == (65020, "second", "172.20.0.6/30")

    with pytest.raises(Refused, match="The last BGP Peer on a Virtual Interface cannot be deleted"):
        client.call("DeleteBGPPeer", virtualInterfaceId=interface.id, bgpPeerId=added["bgpPeerId"])


@pytest.mark.parametrize(
    "new, text",
    [
        ({"asn": 65020, "customerAddress": "172.20.0.2/30"}, "172.20.0.0/30 meets"),
        (
            {"asn": 65020, "addressFamily": "ipv6", "customerAddress": "172.20.0.6/30"},
            "give IPv6 addresses",
        ),
        ({"asn": 50624}, "50624"),
    ],
)
def test_a_peer_that_cannot_be_had_is_refused_with_the_reason(owner, interface, new, text):
    with pytest.raises(Refused, match=text):
        owner.aws.call("CreateBGPPeer", virtualInterfaceId=interface.id, newBGPPeer=new)
    assert len(peers(owner.aws, interface)) == 1


@pytest.mark.parametrize("name", ADDERS)
def test_an_interface_of_ipv6_alone_is_made_and_every_client_reads_it(name, owner, connection, place):
    wish = {"virtualInterfaceName": "six", "vlan": 402, "asn": 65010, "authKey": "6ix26", "addressFamily": "ipv6"}
    wish["virtualGatewayId"] = place.gateway
    made = owner[name].call(
        "CreatePrivateVirtualInterface", connectionId=connection.id, newPrivateVirtualInterface=wish
    )
    addresses = (made["amazonAddress"], made["customerAddress"])
    assert (made["addressFamily"], *addresses) == ("ipv6", "fd44:4c00::1/125", "fd44:4c00::2/125")
    try:
        # Its router has it, and waits for the customer's.
        eventually(lambda: owner.aws.interface(made["virtualInterfaceId"]).state, "down")
        for reader in CLIENTS:
            seen = owner[reader].interface(made["virtualInterfaceId"])
            assert (seen.router_address, seen.customer_address) == addresses, reader
    finally:
        owner[name].delete_interface(made["virtualInterfaceId"])
        eventually(lambda: owner.aws.interface(made["virtualInterfaceId"]).state, "deleted")
