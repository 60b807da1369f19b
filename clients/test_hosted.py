"""A hosted interface: made on one's own connection for another account, which takes it with its own gateway.

    owner: allocate ──► confirming ──┬─ guest: confirm + gateway ──► pending
                                     ├─ guest: delete ────────────► rejected
                                     └─ nobody, for 7 days ───────► expired

Only the AWS API has the words for it; the OUTSCALE API shows the same interface and its states.
"""

import pytest

from clients import CLIENTS, Customer, Refused, Wish
from region import eventually

HOSTERS = [name for name, client in CLIENTS.items() if hasattr(client, "allocate_interface")]
DAY_SECONDS = 24 * 60 * 60
WISH = Wish("for a guest", 300, 65010)


def take_away(owner, interface):
    if owner.aws.interface(interface.id).state not in ("deleted", "rejected"):
        owner.aws.delete_interface(interface.id)
        eventually(lambda: owner.aws.interface(interface.id).state, lambda state: state in ("deleted", "rejected"))


@pytest.fixture
def hosted(owner, guest, connection):
    """An interface that waits for the guest; taken away afterwards."""
    made = owner.aws.allocate_interface(connection.id, guest.account.id, WISH)
    yield made
    take_away(owner, made)


@pytest.mark.parametrize("client", HOSTERS)
def test_an_owner_allocates_a_guest_confirms_and_both_see_it(client, owner, guest, guest_place, connection):
    # osc-cli makes a number of an account's digits; what it then sends must be taken.
    made = owner[client].allocate_interface(connection.id, guest.account.id, WISH)
    try:
        assert (made.state, made.account, made.connection) == ("confirming", guest.account.id, connection.id)
        assert made.gateway is None
        for customer in owner, guest:
            assert customer.aws.interface(made.id) == customer.outscale.interface(made.id) == made

        assert guest[client].confirm_interface(made.id, guest_place.gateway) == "pending"
        for customer in owner, guest:
            seen = customer.outscale.interface(made.id)
            assert (seen.state, seen.gateway, seen.account) == ("pending", guest_place.gateway, guest.account.id)
    finally:
        take_away(owner, made)


def test_a_confirmed_interface_is_not_confirmed_again(hosted, guest, guest_place):
    guest.aws.confirm_interface(hosted.id, guest_place.gateway)
    with pytest.raises(Refused, match=hosted.id):
        guest.aws.confirm_interface(hosted.id, guest_place.gateway)


def test_a_guest_who_deletes_an_unconfirmed_interface_rejects_it(hosted, owner, guest):
    guest.aws.delete_interface(hosted.id)
    assert guest.aws.interface(hosted.id).state == "rejected"
    assert owner.outscale.interface(hosted.id).state == "rejected"


def test_only_the_guest_can_confirm_and_only_with_an_own_gateway(hosted, owner, guest, place):
    with pytest.raises(Refused, match=hosted.id):
        owner.aws.confirm_interface(hosted.id, place.gateway)
    with pytest.raises(Refused, match=place.gateway):
        guest.aws.confirm_interface(hosted.id, place.gateway)
    assert guest.aws.interface(hosted.id).state == "confirming"


def test_a_third_account_sees_nothing_of_it(hosted, region, tmp_path):
    stranger = Customer(region, region.new_account(), tmp_path / "home")
    assert stranger.aws.interfaces() == []
    assert stranger.outscale.interfaces() == []
    with pytest.raises(Refused, match=hosted.id):
        stranger.aws.delete_interface(hosted.id)


def test_what_nobody_confirms_expires_after_seven_days_and_frees_its_vlan(region_out_of_time, tmp_path):
    region = region_out_of_time
    owner, guest = (Customer(region, a, tmp_path / a.id) for a in region.accounts)
    ordered = owner.aws.order("PAR1", "1Gbps", "for a guest who sleeps")
    with region.cable(region.approve(ordered.id)):
        eventually(lambda: owner.aws.connection(ordered.id).state, "available")
        made = owner.aws.allocate_interface(ordered.id, guest.account.id, WISH)

        region.advance_clock(DAY_SECONDS * 7 - 60)
        assert guest.aws.interface(made.id).state == "confirming"
        with pytest.raises(Refused, match=str(WISH.vlan)):
            owner.aws.allocate_interface(ordered.id, guest.account.id, WISH)

        region.advance_clock(60)
        assert guest.aws.interface(made.id).state == guest.outscale.interface(made.id).state == "expired"
        with pytest.raises(Refused, match=made.id):
            guest.aws.confirm_interface(made.id, guest.gateway(guest.net()))
        again = owner.aws.allocate_interface(ordered.id, guest.account.id, WISH)
        assert again.state == "confirming"
