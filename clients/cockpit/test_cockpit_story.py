"""From the order to traffic, in the browser alone: what the operator, the fibre and the router do is seen without loading a
page again."""

import pytest
from playwright.sync_api import expect

from clients import Customer
from stage import OFFICE, Office


@pytest.fixture
def bea(cockpit_region, tmp_path) -> Customer:
    """A new customer, who has nothing yet."""
    return Customer(cockpit_region, cockpit_region.new_account(), tmp_path / "home")


def badge(desk):
    return desk.page.locator(".state .badge")


def test_an_order_becomes_an_available_interface_before_ones_eyes(desks, operator, bea, cockpit_region):
    customer = desks(cockpit_region.cockpit)
    customer.sign_in_as_customer(bea.account)
    page = customer.page
    expect(page.get_by_text("Nothing leads from your network into this Region yet.")).to_be_visible()
    customer.follow("Order a connection")
    page.get_by_label("PAR1").check()
    page.get_by_label("1Gbps", exact=False).first.check()
    page.get_by_label("Name").fill("Paris office")
    customer.press("Order the connection")
    expect(badge(customer)).to_have_text("requested")
    connection = page.url.split("/")[-1].split("?")[0]

    operator.follow(f"Approve {connection}")
    port = operator.page.locator("input[name=port]:checked").get_attribute("value")
    operator.press("Approve and issue the letter")
    expect(operator.page.get_by_text("The order is approved")).to_be_visible()

    expect(badge(customer)).to_have_text("pending")
    with page.expect_download() as download:
        customer.follow("Letter of Authorization")
    assert download.value.path().read_bytes().startswith(b"%PDF-")

    office = Office(cockpit_region, port, [101])
    try:
        office.plug()
        expect(badge(customer)).to_have_text("available")
        interface = create_interface(customer, bea)
        expect(badge(customer)).to_have_text("pending")
        bring_up_router(customer, office)
        customer.open(f"/interfaces/{interface}")
        expect(badge(customer)).to_have_text("available")
        expect(page.get_by_role("rowheader", name=OFFICE, exact=True)).to_be_visible()
        expect(page.locator(".badge.good", has_text="Established")).to_be_visible()

        customer.open()
        expect(page.locator("svg .wire.good")).to_have_count(1)
        office.pull()
        expect(page.locator("svg .wire.bad")).to_have_count(1)
        expect(page.get_by_role("heading", name="Wants attention")).to_be_visible()
    finally:
        office.close()


def create_interface(customer, bea) -> str:
    page = customer.page
    customer.follow("Create an interface")
    expect(page.get_by_text("You need a Net")).to_be_visible()
    gateway = bea.gateway(bea.net())
    page.reload()
    expect(page.get_by_label(gateway)).to_be_checked()
    page.get_by_label("Name").fill("to my Net")
    page.get_by_label("VLAN").fill("4095")
    page.get_by_label("Your BGP AS number").fill("65010")
    page.get_by_text("BGP key, addresses and MTU").click()
    page.get_by_label("BGP key", exact=True).fill("tgyn26example")
    customer.press("Create the interface")
    expect(page.locator("#e-vlan")).to_contain_text("4095 is not a usable VLAN")
    page.get_by_label("VLAN").fill("101")
    page.get_by_label("BGP key", exact=True).fill("tgyn26example")
    customer.press("Create the interface")
    return page.url.split("/")[-1].split("?")[0]


def bring_up_router(customer, office):
    page = customer.page
    customer.follow("Your router's configuration")
    page.get_by_label("Router software").select_option("bird")
    customer.press("Show")
    assert "tgyn26example" not in page.content()
    customer.press("Show with the key")
    text = page.locator("pre.code").inner_text()
    assert "tgyn26example" in text
    office.speak(text, 101)


def test_a_customer_without_javascript_reads_orders_and_deletes(desks, cockpit_region):
    desk = desks(cockpit_region.cockpit, java_script_enabled=False)
    desk.sign_in_as_customer(cockpit_region.accounts[1])
    page = desk.page
    desk.follow("Connections", exact=True)
    desk.follow("Order a connection")
    page.get_by_label("PAR4").check()
    page.get_by_label("Name").fill("without a script")
    desk.press("Order the connection")
    expect(badge(desk)).to_have_text("requested")
    desk.follow("Connections", exact=True)
    desk.follow("without a script")
    desk.follow("Delete")
    desk.press("Delete the connection")
    expect(badge(desk)).to_have_text("deleted")
    desk.press("Sign out")
    expect(page.get_by_label("Password")).to_be_visible()
