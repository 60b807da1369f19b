"""The OUTSCALE API refuses bad input with its own codes, and a text that says what to do.

Asked through osc-sdk-python's `raw`, which sends anything. Type, HTTP status and shape of each refusal are held against
`spec/` as for every answer (conftest.py); here are the code and the words.
"""

import pytest

from clients import Refused, Wish
from refusals import Row, fill, missing_words
from region import eventually

BAD_VALUE = {"4045", "4047"}
BAD_ASN = {"4009", "4010"}


def interface(**changes) -> dict:
    """The parameters of CreateDirectLinkInterface, good but for `changes`; None takes a member away."""
    good = {"DirectLinkInterfaceName": "refused", "Vlan": 999, "BgpAsn": 65000, "VirtualGatewayId": "<gateway>"}
    described = {name: value for name, value in (good | changes).items() if value is not None}
    return {"DirectLinkId": "<connection>", "DirectLinkInterface": described}


def order(**changes) -> dict:
    good = {"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "refused"}
    return {name: value for name, value in (good | changes).items() if value is not None}


CREATE, MAKE = "CreateDirectLink", "CreateDirectLinkInterface"
TABLE = [
    # What is asked at all
    Row("an unknown action", "CreateDirectLynk", {}, {"12000"}, ("CreateDirectLynk",)),
    Row("an unknown parameter", CREATE, order(Colour="red"), {"3001"}, ("Colour",)),
    Row("an unknown nested parameter", MAKE, interface(Colour="red"), {"3001"}, ("Colour",)),
    Row("an unknown filter", "ReadDirectLinks", {"Filters": {"Colours": ["red"]}}, {"3001"}, ("Colours",)),
    Row("a missing parameter", CREATE, order(Location=None), {"7000"}, ("Location",)),
    Row("no parameter at all", "DeleteDirectLink", {}, {"7000"}, ("DirectLinkId",)),
    Row("a missing nested parameter", MAKE, interface(Vlan=None), {"7000"}, ("Vlan",)),
    Row("a missing gateway", MAKE, interface(VirtualGatewayId=None), {"7000"}, ("VirtualGatewayId",)),
    Row("Filters on a deletion", "DeleteDirectLink", {"Filters": {"DirectLinkIds": ["<connection>"]}}, {"3001", "7000"}, ()),
    # JSON types
    Row("a number for a string", CREATE, order(Bandwidth=1), BAD_VALUE | {"4110"}, ("Bandwidth",)),
    Row("a string for a number", MAKE, interface(Vlan="101"), {"4110"}, ("Vlan",)),
    Row("a boolean for a number", MAKE, interface(Vlan=True), {"4110"}, ("Vlan",)),
    Row("a fraction for a number", MAKE, interface(Vlan=101.5), {"4110"}, ("Vlan",)),
    Row("a string for a boolean", CREATE, order(DryRun="yes"), {"4110"}, ("DryRun",)),
    Row("a list for an object", MAKE, {"DirectLinkId": "<connection>", "DirectLinkInterface": []}, {"4110"}, ("DirectLinkInterface",)),
    Row("a string for a list", "ReadDirectLinks", {"Filters": {"DirectLinkIds": "<connection>"}}, {"4110"}, ("DirectLinkIds",)),
    Row("a boolean for a list", "ReadDirectLinks", {"Filters": {"DirectLinkIds": True}}, {"4110"}, ("DirectLinkIds",)),
    Row("a null for a list", "ReadDirectLinks", {"Filters": {"DirectLinkIds": None}}, {"4110"}, ("DirectLinkIds",)),
    Row("a list of numbers for one of strings", "ReadDirectLinks", {"Filters": {"DirectLinkIds": [1]}}, {"4110"}, ("DirectLinkIds",)),
    # Ids: written wrongly, unknown, another's
    Row("an id of no kind", "DeleteDirectLink", {"DirectLinkId": "foo"}, {"4104"}, ("foo", "dxcon-")),
    Row("an id of another kind", "DeleteDirectLink", {"DirectLinkId": "<gateway>"}, {"4104"}, ("<gateway>", "dxcon-")),
    Row("an id that is too short", "DeleteDirectLink", {"DirectLinkId": "dxcon-123"}, {"4105"}, ("dxcon-123",)),
    Row("an id with other digits", "DeleteDirectLinkInterface", {"DirectLinkInterfaceId": "dxvif-1234567G"}, {"4105"}, ("dxvif-1234567G",)),
    Row("a malformed gateway", MAKE, interface(VirtualGatewayId="foo"), {"4104"}, ("foo", "vgw-")),
    Row("a malformed gateway on an unknown connection", MAKE, interface(VirtualGatewayId="foo") | {"DirectLinkId": "dxcon-00000000"}, {"4104"}, ("foo", "vgw-")),
    Row("an unknown connection", "DeleteDirectLink", {"DirectLinkId": "dxcon-00000000"}, {"5072"}, ("dxcon-00000000",)),
    Row("an unknown interface", "DeleteDirectLinkInterface", {"DirectLinkInterfaceId": "dxvif-00000000"}, {"5073"}, ("dxvif-00000000",)),
    Row("an unknown gateway", MAKE, interface(VirtualGatewayId="vgw-00000000"), {"5068"}, ("vgw-00000000",)),
    Row("another account's connection", "DeleteDirectLink", {"DirectLinkId": "<foreign_connection>"}, {"5072"}, ("<foreign_connection>",)),
    Row("another account's gateway", MAKE, interface(VirtualGatewayId="<foreign_gateway>"), {"5068"}, ("<foreign_gateway>",)),
    Row("an unknown location", CREATE, order(Location="LON9"), {"5052"}, ("LON9", "ReadLocations")),
    Row("an unknown Net", "CreateSubnet", {"NetId": "vpc-00000000", "IpRange": "10.0.1.0/24"}, {"5065"}, ("vpc-00000000",)),
    # Values that no rule allows
    Row("a bandwidth that is not sold", CREATE, order(Bandwidth="2Gbps"), BAD_VALUE, ("2Gbps", "1Gbps", "10Gbps")),
    Row("VLAN 0", MAKE, interface(Vlan=0), BAD_VALUE, ("Vlan", "2", "4094")),
    Row("VLAN 1", MAKE, interface(Vlan=1), BAD_VALUE, ("Vlan", "2", "4094")),
    Row("VLAN 4095", MAKE, interface(Vlan=4095), BAD_VALUE, ("Vlan", "4095", "4094")),
    Row("VLAN -1", MAKE, interface(Vlan=-1), BAD_VALUE, ("Vlan", "4094")),
    Row("ASN 0", MAKE, interface(BgpAsn=0), BAD_ASN, ("BgpAsn",)),
    Row("ASN 4294967296", MAKE, interface(BgpAsn=4294967296), BAD_ASN, ("BgpAsn", "4294967296")),
    Row("the ASN of the Region's routers", MAKE, interface(BgpAsn=50624), BAD_ASN, ("BgpAsn", "50624")),
    Row("the ASN of another Region's routers", MAKE, interface(BgpAsn=53306), BAD_ASN, ("BgpAsn", "53306")),
    Row("an address that is none", MAKE, interface(ClientPrivateIp="here"), BAD_VALUE | {"4030"}, ("ClientPrivateIp", "here")),
    Row("two addresses of different networks", MAKE, interface(OutscalePrivateIp="172.16.0.5/30", ClientPrivateIp="172.16.9.6/30"), BAD_VALUE | {"4030"}, ("172.16.0.5/30", "172.16.9.6/30")),
    Row("MTU 1501", "UpdateDirectLinkInterface", {"DirectLinkInterfaceId": "<interface>", "Mtu": 1501}, BAD_VALUE, ("Mtu", "1500")),
    Row("MTU 0", "UpdateDirectLinkInterface", {"DirectLinkInterfaceId": "<interface>", "Mtu": 0}, BAD_VALUE, ("Mtu", "1500")),
    Row("a page of 0", "ReadDirectLinks", {"ResultsPerPage": 0}, {"4113"}, ("ResultsPerPage", "1000")),
    Row("a page of 1001", "ReadDirectLinks", {"ResultsPerPage": 1001}, {"4113"}, ("ResultsPerPage", "1000")),
    Row("a page token that is none", "ReadDirectLinks", {"NextPageToken": "not one"}, {"4117"}, ("NextPageToken",)),
    Row("a Net of a /8", "CreateNet", {"IpRange": "10.0.0.0/8"}, {"4014"}, ("10.0.0.0/8", "16", "28")),
    Row("a Net that is none", "CreateNet", {"IpRange": "here"}, BAD_VALUE, ("IpRange", "here")),
    # States and conflicts
    Row("a connection that nobody approved", MAKE, interface() | {"DirectLinkId": "<requested>"}, {"6011"}, ("<requested>", "requested", "available")),
    Row("a gateway that was deleted", MAKE, interface(VirtualGatewayId="<deleted_gateway>"), {"6008"}, ("<deleted_gateway>", "available")),
    Row("a VLAN that is taken", MAKE, interface(Vlan=998), {"9010"}, ("998", "<interface>")),
    Row("a second interface to the same Net", MAKE, interface(), {"9010"}, ("<interface>",)),
    Row("deleting a connection with interfaces", "DeleteDirectLink", {"DirectLinkId": "<connection>"}, {"6*", "9*"}, ("<connection>", "interface")),
    Row("a Subnet outside its Net", "CreateSubnet", {"NetId": "<net>", "IpRange": "192.168.0.0/24"}, {"4*", "9044", "9058"}, ("192.168.0.0/24",)),
    Row("a Subnet that overlaps", "CreateSubnet", {"NetId": "<net>", "IpRange": "10.0.1.0/25"}, {"9058"}, ("10.0.1.0/25",)),
    Row("a second gateway for a Net", "LinkVirtualGateway", {"NetId": "<net>", "VirtualGatewayId": "<bare_gateway>"}, {"9*"}, ("<net>",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def things(owner, guest, guest_place, connection, place) -> dict:
    def gateway():
        return owner.outscale.call("CreateVirtualGateway", ConnectionType="ipsec.1")["VirtualGateway"]["VirtualGatewayId"]

    bare, deleted = gateway(), gateway()
    owner.outscale.call("DeleteVirtualGateway", VirtualGatewayId=deleted)
    requested = owner.outscale.order("PAR4", "1Gbps", "never approved")
    foreign = guest.outscale.order("PAR4", "1Gbps", "a guest's own")
    interface = owner.outscale.create_interface(connection.id, Wish("in the way", 998, 65000, place.gateway))
    yield {
        "connection": connection.id,
        "interface": interface.id,
        "net": place.net,
        "gateway": place.gateway,
        "bare_gateway": bare,
        "deleted_gateway": deleted,
        "requested": requested.id,
        "foreign_connection": foreign.id,
        "foreign_gateway": guest_place.gateway,
    }
    owner.outscale.delete_interface(interface.id)
    eventually(lambda: owner.outscale.interface(interface.id).state, "deleted")
    owner.outscale.delete_connection(requested.id)
    guest.outscale.delete_connection(foreign.id)
    owner.outscale.call("DeleteVirtualGateway", VirtualGatewayId=bare)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_refused_and_nothing_made(row, owner, things):
    before = ids(owner)
    with pytest.raises(Refused) as refusal:
        owner.outscale.raw(row.asked, **fill(row.parameters, things))
    assert row.allows(refusal.value.code), f"{refusal.value}, wanted {row.codes}"
    assert not missing_words(row.says, refusal.value.text, things), refusal.value.text
    assert ids(owner) == before


def ids(customer) -> set[str]:
    return {seen.id for seen in [*customer.outscale.connections(), *customer.outscale.interfaces()]}


@pytest.mark.parametrize("client", ["osc-cli", "osc-sdk-python"])
def test_the_clients_show_code_and_text_to_a_person(client, owner):
    with pytest.raises(Refused, match="dxcon-00000000") as refusal:
        owner[client].delete_connection("dxcon-00000000")
    assert refusal.value.code == "5072"
