"""A hosted connection: a share of a partner's wire, for a customer who never plugs anything.

    partner: allocate ──► ordering ──┬─ customer: confirm ──► what the partner's wire is: available ⇄ down
                                     ├─ customer: delete ───► rejected
                                     └─ nobody, for 7 days ─► rejected

Only the AWS API has the words for it; in the OUTSCALE API the customer has one more DirectLink.
"""

from contextlib import contextmanager

import pytest

from clients import Customer, Refused, Wish
from region import eventually

SHARERS = ["aws-cli", "boto3"]
DAY_SECONDS = 24 * 60 * 60
VLAN = 410


def allocate(client, parent: str, customer: Customer, vlan: int = VLAN, bandwidth: str = "200Mbps") -> dict:
    return client.call(
        "AllocateHostedConnection",
        connectionId=parent,
        ownerAccount=customer.account.id,
        bandwidth=bandwidth,
        connectionName="a share",
        vlan=vlan,
    )


def state(client, connection: str) -> str:
    return client.connection(connection).state


@contextmanager
def wire(region, partner: Customer):
    """A connection of the partner's with light; yields its number, and a way to plug it."""
    ordered = partner.aws.order("PAR1", "1Gbps", "the partner's")
    port = region.approve(ordered.id)

    @contextmanager
    def light():
        with region.cable(port):
            eventually(lambda: state(partner.aws, ordered.id), "available")
            yield
        eventually(lambda: state(partner.aws, ordered.id), "down")

    yield ordered.id, light
    partner.aws.delete_connection(ordered.id)
    eventually(lambda: state(partner.aws, ordered.id), "deleted")


@pytest.mark.parametrize("client", SHARERS)
def test_a_partner_allocates_a_customer_confirms_and_both_lose_the_light_at_once(client, region, owner, guest, guest_place):
    partner, customer = owner[client], guest[client]
    with wire(region, owner) as (parent, light):
        with light():
            made = allocate(partner, parent, guest)
            hosted = made["connectionId"]
            assert (made["connectionState"], made["vlan"], made["ownerAccount"]) == ("ordering", VLAN, guest.account.id)
            assert made["partnerName"] == owner.account.id
            [listed] = partner.call("DescribeHostedConnections", connectionId=parent)["connections"]
            assert listed == {name: made[name] for name in listed}
            assert guest.outscale.connection(hosted).state == "requested"

            confirmed = customer.call("ConfirmConnection", connectionId=hosted)
            assert confirmed["connectionState"] == "available"
            assert guest.outscale.connection(hosted).bandwidth == "200Mbps"
            with pytest.raises(Refused, match=str(VLAN)):
                customer.create_interface(hosted, Wish("wrong VLAN", VLAN + 1, 65010, guest_place.gateway))
            with pytest.raises(Refused, match="hosted connection"):
                customer.call("DescribeLoa", connectionId=hosted)
            wish = Wish("on a share", VLAN, 65010, guest_place.gateway, key="tgyn26example")
            interface = customer.create_interface(hosted, wish)
            assert interface.connection == hosted
            # Configured by the router, and nobody answers: this is the truth of this API's `down`.
            eventually(lambda: customer.interface(interface.id).state, "down")
            assert interface.id not in [theirs.id for theirs in owner.aws.interfaces()]
            with pytest.raises(Refused, match="hosted"):
                partner.delete_connection(parent)
        for face in (customer, guest.outscale):
            eventually(lambda: state(face, hosted), "down")  # noqa: B023
        customer.delete_interface(interface.id)
        eventually(lambda: customer.interface(interface.id).state, "deleted")
        customer.delete_connection(hosted)
        eventually(lambda: state(customer, hosted), "deleted")


def test_a_customer_who_wants_none_of_it_rejects_it(region, owner, guest, connection):
    hosted = allocate(owner.aws, connection.id, guest)["connectionId"]
    guest.aws.delete_connection(hosted)
    assert state(guest.aws, hosted) == "rejected"
    assert state(guest.outscale, hosted) == "deleted"
    with pytest.raises(Refused, match="is in state rejected"):
        guest.aws.call("ConfirmConnection", connectionId=hosted)


def test_what_nobody_confirms_is_rejected_after_seven_days_and_frees_its_share(region_out_of_time, tmp_path):
    region = region_out_of_time
    partner, customer = (Customer(region, a, tmp_path / a.id) for a in region.accounts)
    with wire(region, partner) as (parent, light), light():
        hosted = allocate(partner.aws, parent, customer, bandwidth="1Gbps")["connectionId"]
        region.advance_clock(DAY_SECONDS * 7 - 60)
        assert state(customer.aws, hosted) == "ordering"
        with pytest.raises(Refused, match=hosted):
            allocate(partner.aws, parent, customer)
        region.advance_clock(60)
        assert state(customer.aws, hosted) == "rejected"
        with pytest.raises(Refused, match="is in state rejected"):
            customer.aws.call("ConfirmConnection", connectionId=hosted)
        again = allocate(partner.aws, parent, customer, bandwidth="1Gbps")["connectionId"]
        customer.aws.delete_connection(again)
