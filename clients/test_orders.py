"""What a customer does most: orders a connection, makes an interface on it, reads both, deletes them; with each client.

The objects are the same whichever client looks: what one ordered, the others show with the same values.
"""

import re
from base64 import b64decode
from ipaddress import ip_interface

import pytest

from clients import CLIENTS, AwsFace, Wish
from region import eventually

NOT_FORWARDING = {"pending", "down"}


def test_the_two_locations_are_the_same_for_every_client(owner):
    seen = {name: owner[name].locations() for name in CLIENTS}
    assert set(seen["boto3"]) == {"PAR1", "PAR4"}
    assert all(locations == seen["boto3"] for locations in seen.values()), seen


def test_a_connection_and_its_interface_live_from_order_to_deletion(client, owner, region, place):
    ordered = client.order("PAR4", "1Gbps", "Connection of a test")
    assert re.fullmatch("dxcon-[0-9a-f]{8}", ordered.id)
    assert (ordered.account, ordered.location, ordered.bandwidth) == (owner.account.id, "PAR4", "1Gbps")
    assert ordered.state == "requested"
    assert owner.outscale.connection(ordered.id) == owner.aws.connection(ordered.id) == ordered

    port = region.approve(ordered.id)
    assert client.connection(ordered.id).state == "pending"
    with region.cable(port):
        eventually(lambda: client.connection(ordered.id).state, "available")

        wish = Wish("to the Net", 101, 65000, place.gateway, "tgyn26example", "172.16.0.5/30", "172.16.0.6/30")
        made = client.create_interface(ordered.id, wish)
        assert re.fullmatch("dxvif-[0-9a-f]{8}", made.id)
        assert made.state == "pending"
        assert (made.account, made.connection, made.mtu) == (owner.account.id, ordered.id, 1500)
        assert (made.name, made.vlan, made.asn, made.gateway) == (wish.name, wish.vlan, wish.asn, wish.gateway)
        assert (made.key, made.router_address, made.customer_address) == (
            wish.key,
            wish.router_address,
            wish.customer_address,
        )
        for seen in client.interface(made.id), owner.outscale.interface(made.id), owner.aws.interface(made.id):
            assert seen.stateless() == made.stateless()
            assert seen.state in NOT_FORWARDING

        client.delete_interface(made.id)
        eventually(lambda: client.interface(made.id).state, "deleted")
        client.delete_connection(ordered.id)
        eventually(lambda: client.connection(ordered.id).state, "deleted")


def test_every_client_shows_the_same_objects(owner, connection, place):
    made = owner.aws.create_interface(connection.id, Wish("looked at", 201, 65000, place.gateway))
    try:
        for name in CLIENTS:
            assert owner[name].connection(connection.id) == connection, name
            assert owner[name].interface(made.id).stateless() == made.stateless(), name
    finally:
        owner.aws.delete_interface(made.id)
        eventually(lambda: owner.aws.interface(made.id).state, "deleted")


def test_what_a_customer_leaves_open_is_allocated(client, connection, place):
    made = client.create_interface(connection.id, Wish("no addresses, no key", 200, 4200000001, place.gateway))
    try:
        router, customer = ip_interface(made.router_address), ip_interface(made.customer_address)
        assert router.network == customer.network and router != customer
        assert router.ip not in (router.network.network_address, router.network.broadcast_address)
        assert router.ip.is_link_local
        assert made.asn == 4200000001
    finally:
        client.delete_interface(made.id)
        eventually(lambda: client.interface(made.id).state, "deleted")


def test_nobody_sees_the_objects_of_another_account(connection, guest):
    for client in guest.outscale, guest.aws:
        assert connection.id not in {seen.id for seen in client.connections()}


def test_an_order_that_nobody_approved_is_deleted_at_once(owner):
    ordered = owner.outscale.order("PAR1", "10Gbps", "second thoughts")
    owner.outscale.delete_connection(ordered.id)
    assert owner.outscale.connection(ordered.id).state == "deleted"


def test_a_dry_run_is_answered_and_changes_nothing(owner):
    before = owner.outscale.connections()
    answer = owner.outscale.raw(
        "CreateDirectLink", Location="PAR1", Bandwidth="1Gbps", DirectLinkName="only to see", DryRun=True
    )
    assert set(answer) == {"ResponseContext"}
    assert owner.outscale.connections() == before


def test_filters_of_the_outscale_api_match_by_id_and_nothing_else(owner, connection):
    def found(ids):
        answer = owner.outscale.call("ReadDirectLinks", Filters={"DirectLinkIds": ids})
        return [seen["DirectLinkId"] for seen in answer["DirectLinks"]]

    assert found([connection.id]) == [connection.id]
    assert found([connection.id, "dxcon-00000000"]) == [connection.id]
    assert found(["dxcon-00000000"]) == []
    assert found(["foo"]) == []
    assert found([]) == []


def test_a_list_comes_in_pages(owner, connection):
    orders = [owner.aws.order("PAR4", "1Gbps", f"page {n}").id for n in range(3)]
    try:
        seen, token = [], None
        while token is not None or not seen:
            further = {"NextPageToken": token} if token else {}
            page = owner.outscale.call("ReadDirectLinks", ResultsPerPage=2, **further)
            assert len(page["DirectLinks"]) <= 2
            seen += [c["DirectLinkId"] for c in page["DirectLinks"]]
            token = page.get("NextPageToken")
        assert len(seen) == len(set(seen))
        assert {connection.id, *orders} <= set(seen)
    finally:
        for id in orders:
            owner.aws.delete_connection(id)


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if issubclass(client, AwsFace)])
def test_the_letter_is_a_page_of_pdf(name, owner, connection):
    letter = owner[name].call("DescribeLoa", connectionId=connection.id)
    content = letter["loaContent"]
    # The command lines print the base64 of the wire.
    page = content if isinstance(content, bytes) else b64decode(content)
    assert (letter["loaContentType"], page[:5]) == ("application/pdf", b"%PDF-")
