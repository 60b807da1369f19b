"""A link aggregation group: two cables to one router, and one of them enough.

    create ──► requested ── approved, plugged ──► available ── both pulled ──► down ──► deleted; its members stay

Only the AWS API has the words for it; in the OUTSCALE API the members are ordinary DirectLinks.
"""

import pytest

from clients import CLIENTS, AwsFace, Refused, Wish
from region import eventually

BUNDLERS = [name for name, client in CLIENTS.items() if issubclass(client, AwsFace)]
WISH = {"numberOfConnections": 2, "location": "PAR4", "connectionsBandwidth": "1Gbps", "lagName": "both"}


def state(client, lag: str) -> str:
    [seen] = client.call("DescribeLags", lagId=lag)["lags"]
    return seen["lagState"]


def clear(owner, members):
    for member in members:
        owner.aws.delete_connection(member)
        eventually(lambda member=member: owner.aws.connection(member).state, "deleted")


@pytest.mark.parametrize("client", BUNDLERS)
def test_two_cables_in_a_lag_from_the_order_to_the_end(client, region, owner, place):
    tool = owner[client]
    made = tool.call("CreateLag", **WISH)
    lag, members = made["lagId"], [member["connectionId"] for member in made["connections"]]
    assert (made["lagState"], len(members), made["minimumLinks"]) == ("requested", 2, 0)
    ports = [region.approve(member) for member in members]
    assert len({port.split("/")[0] for port in ports}) == 1, "they end at one router"
    assert state(tool, lag) == "pending"
    with region.cable(ports[0]), region.cable(ports[1]):
        eventually(lambda: [owner.aws.connection(member).state for member in members], ["available"] * 2)
        assert state(tool, lag) == "available"

        interface = tool.create_interface(lag, Wish("on both", 400, 65010, place.gateway))
        assert interface.connection == lag
        assert owner.outscale.interface(interface.id).connection in members
        with pytest.raises(Refused, match=lag):
            tool.create_interface(members[0], Wish("on one", 401, 65010, place.gateway))
        with pytest.raises(Refused, match="1 interface"):
            tool.call("DeleteLag", lagId=lag)

        changed = tool.call("UpdateLag", lagId=lag, lagName="both of them", minimumLinks=2)
        assert (changed["lagName"], changed["minimumLinks"], changed["lagState"]) == ("both of them", 2, "available")
        with pytest.raises(Refused, match="minimum"):
            tool.call("DisassociateConnectionFromLag", connectionId=members[0], lagId=lag)
        tool.call("UpdateLag", lagId=lag, minimumLinks=1)
        alone = tool.call("DisassociateConnectionFromLag", connectionId=members[0], lagId=lag)
        assert not alone.get("lagId")
        eventually(lambda: owner.outscale.interface(interface.id).connection, members[1])
        assert tool.call("AssociateConnectionWithLag", connectionId=members[0], lagId=lag)["lagId"] == lag

        tool.delete_interface(interface.id)
        eventually(lambda: owner.aws.interface(interface.id).state, "deleted")
    eventually(lambda: state(tool, lag), "down")
    assert tool.call("DeleteLag", lagId=lag)["lagState"] == "deleted"
    assert [owner.aws.connection(member).state for member in members] == ["down", "down"]
    clear(owner, members)


def test_a_lag_is_nobody_elses(owner, guest):
    made = owner.aws.call("CreateLag", **WISH | {"numberOfConnections": 1})
    for call in "DescribeLags", "DeleteLag", "UpdateLag":
        # Terraform looks for these words.
        with pytest.raises(Refused, match="Could not find Lag with ID"):
            guest.aws.call(call, lagId=made["lagId"])
    owner.aws.call("DeleteLag", lagId=made["lagId"])
    clear(owner, [member["connectionId"] for member in made["connections"]])
