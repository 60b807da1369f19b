"""The operator's inventory in a browser: a room, a panel and a wiring are filled in, an order takes the wired port, and its
cross-connect and letter are looked after."""

import re

import pytest
from playwright.sync_api import expect

from clients import Customer
from region import run
from server import Server
from stage import Desk


@pytest.fixture
def server(tmp_path):
    with Server.running(tmp_path) as server:
        server.site(ports=1)
        yield server


@pytest.fixture
def desk(desks, server) -> Desk:
    desk = desks(server.operator_cockpit)
    desk.sign_in_as_operator(server.operator_token)
    return desk


def test_an_inventory_is_filled_in_and_a_port_is_followed_from_panel_to_letter(desk, desks, server, tmp_path):
    page = desk.page
    desk.follow("Inventory")
    expect(page.get_by_text("It has no meet-me room yet")).to_be_visible()
    page.get_by_label("Room", exact=True).fill("PAR1/MMR-1")
    page.get_by_label("Data centre").fill("Telehouse 3, Magny")
    desk.press("Add the room")
    expect(page.get_by_text("The inventory is changed.")).to_be_visible()
    page.get_by_label("Panel", exact=True).fill("PAR1/MMR-1/PP-07")
    page.get_by_label("Positions").fill("24")
    desk.press("Add the panel")
    page.get_by_label("Port", exact=True).fill("par1-r1/p0")
    page.get_by_label("Panel position").fill("PAR1/MMR-1/PP-07/99")
    desk.press("Record the wiring")
    expect(page.get_by_role("alert")).to_contain_text("no position 99")
    page.get_by_label("Panel position").fill("PAR1/MMR-1/PP-07/12")
    desk.press("Record the wiring")
    expect(page.get_by_text("23 bare")).to_be_visible()

    account = server.new_account()
    customer = Customer(server, account, tmp_path / "home")
    first = customer.aws.order("PAR1", "1Gbps", "the first")
    full = desks(server.cockpit)
    full.sign_in_as_customer(account)
    full.open("/connections/new")
    expect(full.page.get_by_text("no free 1Gbps port at the moment")).to_be_visible()
    full.page.get_by_label("PAR1 · Telehouse 3, France").check()
    full.page.get_by_label("Name", exact=True).fill("the second")
    full.press("Order the connection")
    expect(full.page.get_by_role("alert")).to_contain_text("has no free 1Gbps port")

    desk.open(f"/orders/{first.id}")
    expect(page.get_by_text(re.compile("Free, .*, at PAR1/MMR-1/PP-07/12"))).to_be_visible()
    desk.press("Approve and issue the letter")
    desk.open("/cross-connects")
    page.get_by_label(f"By whom, {first.id}").fill("Ann, ticket 4711")
    desk.press(f"Patched {first.id}")
    expect(page.get_by_text("Ann, ticket 4711")).to_be_visible()
    desk.open("/letters")
    desk.press(f"Renew {first.id}")
    expect(page.get_by_text("The letter is renewed")).to_be_visible()
    letter = full.page.request.get(f"{server.cockpit}/connections/{first.id}/loa.pdf")
    (tmp_path / "letter.pdf").write_bytes(letter.body())
    assert "PP-07" in run("pdftotext", tmp_path / "letter.pdf", "-")
