"""From the order to traffic, in the browser alone: what the operator, the fibre and the router do is seen without loading a
page again."""

import re

import pytest
from playwright.sync_api import expect

from clients import Customer
from region import run
from stage import OFFICE, Office

KEY, WRONG_KEY = "tgyn26example", "tgyn27example"


@pytest.fixture
def bea(cockpit_region, tmp_path) -> Customer:
    """A new customer, who has nothing yet."""
    return Customer(cockpit_region, cockpit_region.new_account(), tmp_path / "home")


def badge(desk):
    return desk.page.locator(".state .badge").first


def id_in(url: str) -> str:
    return re.split(r"[?#]", url.split("/")[-1])[0]


def test_an_order_becomes_an_available_interface_before_ones_eyes(desks, operator, bea, cockpit_region, tmp_path):
    customer = desks(cockpit_region.cockpit)
    customer.sign_in_as_customer(bea.account)
    page = customer.page
    expect(page.get_by_text("Nothing leads from your network into this Region yet.")).to_be_visible()
    connection = order(customer)
    port = approve(operator, connection)
    expect(badge(customer)).to_have_text("pending")
    check_letter(customer, connection, port, bea.account.id, tmp_path)

    office = Office(cockpit_region, port, [101, 102])
    try:
        office.plug()
        expect(badge(customer)).to_have_text("available")
        interface = create_interface(customer, bea)
        expect(badge(customer)).to_have_text("pending")
        text = router_text(customer, interface)
        office.speak(text.replace(KEY, WRONG_KEY), 101)
        find_out_why(desks, bea, cockpit_region)
        office.be_silent()
        office.speak(text, 101)
        # Nobody loads the page again.
        expect(badge(customer)).to_have_text("available", timeout=60_000)
        expect(page.get_by_role("rowheader", name=OFFICE, exact=True)).to_be_visible()
        expect(page.locator(".badge.good", has_text="Established")).to_be_visible()
        see_traffic(customer, office)
        guest_accepts(desks, customer, connection, cockpit_region, tmp_path)

        customer.open()
        expect(page.locator("svg .wire.good")).to_have_count(1)
        office.pull()
        expect(page.locator("svg .wire.bad")).to_have_count(1)
        expect(page.get_by_role("heading", name="Wants attention")).to_be_visible()
    finally:
        office.close()


def order(customer) -> str:
    page = customer.page
    customer.follow("Order a connection")
    page.get_by_label("PAR1").check()
    page.get_by_label("1Gbps", exact=False).first.check()
    page.get_by_label("Name").fill("Paris office")
    customer.press("Order the connection")
    expect(badge(customer)).to_have_text("requested")
    return id_in(page.url)


def approve(operator, connection: str) -> str:
    operator.follow(f"Approve {connection}")
    port = operator.page.locator("input[name=port]:checked").get_attribute("value")
    operator.press("Approve and issue the letter")
    expect(operator.page.get_by_text("The order is approved")).to_be_visible()
    return port


def check_letter(customer, connection: str, port: str, account: str, folder):
    with customer.page.expect_download() as download:
        customer.follow("Letter of Authorization")
    path = folder / "letter.pdf"
    download.value.save_as(path)
    text = run("pdftotext", "-layout", path, "-")
    router, name = port.split("/")
    for label, value in [
        ("Circuit ID", connection),
        ("Issued to", f"account {account}"),
        ("Name", "Paris office"),
        ("Port speed", "1Gbps"),
        ("Location", "PAR1"),
        ("Router", router),
        ("Port", name),
    ]:
        assert re.search(rf"^\s*{label}\s+{re.escape(value)}", text, re.MULTILINE), f"{label}: {text}"


def create_interface(customer, bea) -> str:
    page = customer.page
    customer.follow("Create an interface")
    expect(page.get_by_text("You need a Net")).to_be_visible()
    gateway = bea.gateway(bea.net())
    page.reload()
    expect(page.get_by_label(gateway)).to_be_checked()
    page.get_by_label("Name").fill("to my Net")
    page.get_by_label("VLAN").fill("101")
    page.get_by_label("Your BGP AS number").fill("65010")
    page.get_by_text("BGP key, addresses and MTU").click()
    page.get_by_label("BGP key", exact=True).fill(KEY)
    customer.press("Create the interface")
    return id_in(page.url)


def router_text(customer, interface: str) -> str:
    """What Cockpit writes for the router; the page is the interface's again afterwards."""
    page = customer.page
    customer.follow("Your router's configuration")
    page.get_by_label("Router software").select_option("bird")
    customer.press("Show")
    assert KEY not in page.content()
    customer.press("Show with the key")
    text = page.locator("pre.code").inner_text()
    assert KEY in text
    customer.open(f"/interfaces/{interface}")
    return text


def find_out_why(desks, bea, region):
    """Somebody who has never seen Cockpit, with nothing but clicks."""
    newcomer = desks(region.cockpit)
    newcomer.sign_in_as_customer(bea.account)
    expect(newcomer.page.get_by_role("heading", name="Wants attention")).to_be_visible()
    newcomer.page.locator(".attention").get_by_role("link", name="to my Net").click()
    newcomer.follow("Why is it down?")
    answer = newcomer.page.locator("section[aria-labelledby=place] .state.bad")
    expect(answer).to_contain_text(re.compile(r"BGP key|MD5", re.IGNORECASE), timeout=60_000)
    expect(answer.locator(".remedy")).to_contain_text("BGP key")


def see_traffic(customer, office):
    """The graph answers the pointer, and what it came with is figures for everybody. Nobody has the address."""
    page = customer.page
    office.ping("10.0.1.77", 200)
    expect(page.get_by_text(re.compile("Dropped in this time:.* nic unknown"))).to_be_visible(timeout=30_000)
    expect(page.get_by_role("row", name=re.compile("^From you"))).to_be_visible()
    graph = page.locator("#graph-bits")
    expect(graph.locator("canvas")).to_be_visible()
    expect(graph.locator(".u-legend")).to_contain_text("from you")
    page.get_by_role("navigation", name="How far back").get_by_role("link", name="24 hours").click()
    expect(page.get_by_role("heading", name="The last 24 hours")).to_be_visible()
    expect(page.locator("#graph-drops canvas")).to_be_visible()


def guest_accepts(desks, customer, connection: str, region, folder):
    """A hosted interface: offered by one account, accepted by another, before the first one's eyes."""
    account = region.new_account()
    cem = Customer(region, account, folder / "cem")
    page = customer.page
    customer.open(f"/interfaces/new?connection={connection}")
    page.get_by_label("Name").fill("for the subsidiary")
    page.get_by_role("radio", name="Another account").check()
    page.get_by_label("Its intended owner", exact=True).fill(account.id)
    expect(page.get_by_label("VLAN")).to_have_value("102")
    page.get_by_label("Your BGP AS number").fill("65020")
    customer.press("Create the interface")
    expect(badge(customer)).to_have_text("confirming")
    guest = desks(region.cockpit)
    guest.sign_in_as_customer(account)
    guest.page.locator(".attention").get_by_role("link", name="for the subsidiary").click()
    guest.follow("Accept")
    expect(guest.page.get_by_text("You need a Net")).to_be_visible()
    gateway = cem.gateway(cem.net("10.7.0.0/16"))
    guest.page.reload()
    expect(guest.page.get_by_label(gateway)).to_be_checked()
    guest.press("Accept")
    expect(guest.page.get_by_text("The interface is accepted")).to_be_visible()
    expect(badge(customer)).to_have_text("pending")


def test_a_hosted_connection_is_accepted_with_a_button(desks, cockpit_region, ann, bea):
    offered = ann.aws.order("PAR4", "1Gbps", "of the partner")
    port = cockpit_region.approve(offered.id)
    with cockpit_region.cable(port):
        customer = desks(cockpit_region.cockpit)
        customer.sign_in_as_customer(bea.account)
        share = {"connectionName": "a share", "vlan": 400, "bandwidth": "100Mbps", "ownerAccount": bea.account.id}
        ann.aws.call("AllocateHostedConnection", connectionId=offered.id, **share)
        customer.page.locator(".attention").get_by_role("link", name="a share").click()
        expect(badge(customer)).to_have_text("ordering")
        customer.press("Accept")
        expect(badge(customer)).to_have_text("available")
        customer.follow("Create an interface")
        expect(customer.page.get_by_label("VLAN")).to_have_value("400")
        expect(customer.page.get_by_label("VLAN")).not_to_be_editable()


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
