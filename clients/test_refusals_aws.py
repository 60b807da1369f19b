"""The AWS Direct Connect API refuses bad input as AWS does: HTTP 400, `DirectConnectClientException`, and a helpful message.

Signed by hand, since AWS's clients look at the parameters before they send them. The shape of each refusal is held
against `spec/` as for every answer (conftest.py).
"""

import pytest

from clients import Refused, Wish
from refusals import Row, fill, missing_words
from region import eventually
from signing import to_aws

CLIENT = {"DirectConnectClientException"}
# A body that is no JSON of the right types never reaches the service's own rules.
TYPES = CLIENT | {"SerializationException"}


def private(**changes) -> dict:
    """The parameters of CreatePrivateVirtualInterface, good but for `changes`; None takes a member away."""
    good = {"virtualInterfaceName": "refused", "vlan": 999, "asn": 65000, "virtualGatewayId": "<gateway>"}
    described = {name: value for name, value in (good | changes).items() if value is not None}
    return {"connectionId": "<connection>", "newPrivateVirtualInterface": described}


def allocation(owner_account: str, **changes) -> dict:
    good = {"virtualInterfaceName": "refused", "vlan": 999, "asn": 65000}
    return {
        "connectionId": "<connection>",
        "ownerAccount": owner_account,
        "newPrivateVirtualInterfaceAllocation": good | changes,
    }


def order(**changes) -> dict:
    good = {"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "refused"}
    return {name: value for name, value in (good | changes).items() if value is not None}


CREATE, MAKE, ALLOCATE = "CreateConnection", "CreatePrivateVirtualInterface", "AllocatePrivateVirtualInterface"
TABLE = [
    # What is asked at all
    Row("an unknown operation", "CreateConection", {}, {"UnknownOperationException"}, ("CreateConection",)),
    Row("a missing member", CREATE, order(location=None), CLIENT, ("location",)),
    Row("no member at all", "DeleteConnection", {}, CLIENT, ("connectionId",)),
    Row("a missing nested member", MAKE, private(vlan=None), CLIENT, ("vlan",)),
    Row("a missing AS number", MAKE, private(asn=None), CLIENT, ("asn",)),
    Row("members where none are taken", "DescribeLocations", {"location": "PAR1"}, CLIENT, ("parameter",)),
    # JSON types
    Row("a number for a string", CREATE, order(bandwidth=1), TYPES, ("bandwidth",)),
    Row("a string for a number", MAKE, private(vlan="101"), TYPES, ("vlan",)),
    Row("a fraction for a number", MAKE, private(vlan=101.5), TYPES, ("vlan",)),
    Row("a list for a structure", MAKE, {"connectionId": "<connection>", "newPrivateVirtualInterface": []}, TYPES, ("newPrivateVirtualInterface",)),
    # Ids
    Row("an id of no kind", "DeleteConnection", {"connectionId": "foo"}, CLIENT, ("foo", "dxcon-")),
    Row("an id that is too short", "DeleteVirtualInterface", {"virtualInterfaceId": "dxvif-123"}, CLIENT, ("dxvif-123",)),
    Row("an unknown connection", "DeleteConnection", {"connectionId": "dxcon-00000000"}, CLIENT, ("dxcon-00000000", "does not exist")),
    Row("an unknown interface", "DeleteVirtualInterface", {"virtualInterfaceId": "dxvif-00000000"}, CLIENT, ("dxvif-00000000", "does not exist")),
    Row("an unknown gateway", MAKE, private(virtualGatewayId="vgw-00000000"), CLIENT, ("vgw-00000000", "does not exist")),
    Row("another account's connection", "DeleteConnection", {"connectionId": "<foreign_connection>"}, CLIENT, ("<foreign_connection>", "does not exist")),
    Row("an unknown location", CREATE, order(location="LON9"), CLIENT, ("LON9",)),
    Row("an account that does not exist", ALLOCATE, allocation("000000000000"), CLIENT, ("000000000000",)),
    # Values that no rule allows
    Row("a bandwidth that is not sold", CREATE, order(bandwidth="2Gbps"), CLIENT, ("2Gbps", "1Gbps", "10Gbps")),
    Row("VLAN 0", MAKE, private(vlan=0), CLIENT, ("vlan", "4094")),
    Row("VLAN 1", MAKE, private(vlan=1), CLIENT, ("vlan", "4094")),
    Row("VLAN 4095", MAKE, private(vlan=4095), CLIENT, ("vlan", "4095", "4094")),
    Row("VLAN 4095 for a guest", ALLOCATE, allocation("<guest>", vlan=4095), CLIENT, ("vlan", "4095", "4094")),
    Row("ASN 0", MAKE, private(asn=0), CLIENT, ("asn",)),
    Row("the ASN of the Region's routers", MAKE, private(asn=50624), CLIENT, ("asn", "50624")),
    Row("the ASN of the Region's routers, as a long", MAKE, private(asn=None, asnLong=50624), CLIENT, ("asn", "50624")),
    Row("MTU 1501", MAKE, private(mtu=1501), CLIENT, ("mtu", "1500")),
    Row("an address that is none", MAKE, private(customerAddress="here"), CLIENT, ("customerAddress", "here")),
    # States and conflicts
    Row("a connection that nobody approved", MAKE, private() | {"connectionId": "<requested>"}, CLIENT, ("<requested>", "requested", "available")),
    Row("a gateway that was deleted", MAKE, private(virtualGatewayId="<deleted_gateway>"), CLIENT, ("<deleted_gateway>", "available")),
    Row("a VLAN that is taken", MAKE, private(vlan=997), CLIENT, ("997", "<interface>")),
    Row("a VLAN that is taken, for a guest", ALLOCATE, allocation("<guest>", vlan=997), CLIENT, ("997", "<interface>")),
    Row("confirming what is confirmed", "ConfirmPrivateVirtualInterface", {"virtualInterfaceId": "<interface>", "virtualGatewayId": "<gateway>"}, CLIENT, ("<interface>", "confirming")),
    Row("deleting a connection with interfaces", "DeleteConnection", {"connectionId": "<connection>"}, CLIENT, ("<connection>", "interface")),
    # What AWS has and we have not: refused in AWS's own way
    Row("an operation of AWS's that is not offered", "AssociateMacSecKey", {}, CLIENT | {"UnknownOperationException"}, ("AssociateMacSecKey",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def things(owner, guest, connection, place) -> dict:
    deleted = owner.outscale.call("CreateVirtualGateway", ConnectionType="ipsec.1")["VirtualGateway"]["VirtualGatewayId"]
    owner.outscale.call("DeleteVirtualGateway", VirtualGatewayId=deleted)
    requested = owner.aws.order("PAR4", "1Gbps", "never approved")
    foreign = guest.aws.order("PAR4", "1Gbps", "a guest's own")
    interface = owner.aws.create_interface(connection.id, Wish("in the way", 997, 65000, place.gateway))
    yield {
        "connection": connection.id,
        "interface": interface.id,
        "gateway": place.gateway,
        "deleted_gateway": deleted,
        "requested": requested.id,
        "foreign_connection": foreign.id,
        "guest": guest.account.id,
    }
    owner.aws.delete_interface(interface.id)
    eventually(lambda: owner.aws.interface(interface.id).state, "deleted")
    owner.aws.delete_connection(requested.id)
    guest.aws.delete_connection(foreign.id)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_refused_and_nothing_made(row, region, owner, things):
    before = ids(owner)
    answer = to_aws(region, owner.account, row.asked, fill(row.parameters, things)).send()
    assert answer.status_code == 400, answer.text
    refusal = answer.json()
    assert row.allows(refusal["__type"]), f"{refusal}, wanted {row.codes}"
    assert not missing_words(row.says, refusal["message"], things), refusal["message"]
    assert ids(owner) == before


def ids(customer) -> set[str]:
    return {seen.id for seen in [*customer.aws.connections(), *customer.aws.interfaces()]}


@pytest.mark.parametrize("client", ["osc-cli directlink", "aws-cli", "boto3"])
def test_the_clients_show_type_and_text_to_a_person(client, owner):
    with pytest.raises(Refused, match="dxcon-00000000") as refusal:
        owner[client].delete_connection("dxcon-00000000")
    assert refusal.value.code == "DirectConnectClientException"
