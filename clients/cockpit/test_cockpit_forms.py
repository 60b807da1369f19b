"""Every wrong turn in a form: said beside the field, in words, and what was filled in stays. And the doors that stay shut."""

import pytest
from playwright.sync_api import expect

from stage import Desk


def complaint(desk: Desk, field: str):
    """It is beside its field, told to screen readers with it, and the summary above leads there."""
    page = desk.page
    said = page.locator(f"#e-{field}")
    expect(said).to_be_visible()
    expect(page.locator(f"[aria-describedby~='e-{field}']")).to_have_count(1)
    expect(page.get_by_role("alert").locator(f"a[href='#f-{field}']")).to_be_visible()
    return said


def test_each_error_of_an_order_stands_beside_its_field(customer):
    page = customer.page
    customer.open("/connections/new")
    page.get_by_label("Name").fill("kept")
    # One Subnet more or less decides what is proposed: nothing here.
    page.evaluate("document.querySelectorAll('input[name=location]').forEach(radio => { radio.checked = false })")
    customer.press("Order the connection")
    expect(complaint(customer, "location")).to_have_text("Choose a location.")
    expect(page.get_by_label("Name")).to_have_value("kept")
    page.get_by_label("PAR1").check()
    page.get_by_label("Name").fill("")
    customer.press("Order the connection")
    expect(complaint(customer, "name")).to_contain_text("1 to 255 characters")
    expect(page.get_by_label("PAR1")).to_be_checked()


@pytest.mark.parametrize(
    ("label", "value", "field", "says"),
    [
        ("Name", "", "name", "1 to 255 characters"),
        ("VLAN", "", "vlan", "is not a number"),
        ("VLAN", "4095", "vlan", "4095 is not a usable VLAN"),
        ("VLAN", "201", "vlan", "is already used by"),
        ("Your BGP AS number", "0", "asn", "not an AS number"),
        ("Your BGP AS number", "50624", "asn", "is a number of the provider"),
        ("BGP key", "two words", "key", "1 to 80 printable"),
        ("Address of the DirectLink router", "10.0.0.1", "router_address", "prefix length"),
        ("Address of the DirectLink router", "172.16.0.4/30", "customer_address", "address 0 of its subnet"),
        ("MTU", "9000", "mtu", "9000 is not a possible MTU"),
    ],
)
def test_each_error_of_an_interface_stands_beside_its_field(customer, things, label, value, field, says):
    page = customer.page
    customer.open(f"/interfaces/new?connection={things['connection']}")
    page.get_by_text("BGP key, addresses and MTU").click()
    page.get_by_role("radio", name="Another account").check()
    page.get_by_label("Its intended owner", exact=True).fill(things["guest"])
    for name, good in (("Name", "another"), ("VLAN", "299"), ("Your BGP AS number", "65030")):
        page.get_by_label(name, exact=True).fill(good)
    page.get_by_label(label, exact=True).fill(value)
    customer.press("Create the interface")
    expect(complaint(customer, field)).to_contain_text(says)
    expect(page.get_by_label("Its intended owner", exact=True)).to_have_value(things["guest"])
    # A key never comes back, right or wrong.
    expect(page.get_by_label("BGP key", exact=True)).to_have_value("")


def test_an_owner_who_is_nobody_and_a_gateway_that_leads_there_already_are_refused(customer, things):
    page = customer.page
    customer.open(f"/interfaces/new?connection={things['connection']}")
    expect(page.get_by_role("radio", name=things["gateway"])).to_be_disabled()
    expect(page.get_by_text("This connection reaches its Net already.")).to_be_visible()
    for name, good in (("Name", "another"), ("Your BGP AS number", "65030")):
        page.get_by_label(name, exact=True).fill(good)
    page.get_by_role("radio", name="Another account").check()
    owner = page.get_by_label("Its intended owner", exact=True)
    for given, says in (("12", "it has 12 digits"), ("999999999999", "999999999999")):
        owner.fill(given)
        customer.press("Create the interface")
        expect(complaint(customer, "owner")).to_contain_text(says)


def test_an_interface_of_ipv6_alone_has_addresses_of_the_region(customer, things):
    page = customer.page
    customer.open(f"/interfaces/new?connection={things['connection']}")
    for name, good in (("Name", "six"), ("VLAN", "298"), ("Your BGP AS number", "65030")):
        page.get_by_label(name, exact=True).fill(good)
    page.get_by_role("radio", name="Another account").check()
    page.get_by_label("Its intended owner", exact=True).fill(things["guest"])
    page.get_by_text("BGP key, addresses and MTU").click()
    page.get_by_role("radio", name="IPv6 alone").check()
    page.get_by_label("Address of your router", exact=True).fill("172.16.0.2/30")
    customer.press("Create the interface")
    expect(complaint(customer, "customer_address")).to_contain_text("give IPv6 addresses")
    expect(page.get_by_role("radio", name="IPv6 alone")).to_be_checked()
    page.get_by_label("Address of your router", exact=True).fill("")
    customer.press("Create the interface")
    expect(page.locator("dl.facts")).to_contain_text("fd44:4c00::2/125")
    customer.follow("Delete")
    customer.press("Take the interface back")


def test_a_bgp_peer_of_ipv6_is_added_beside_the_first_and_removed_again(customer, things):
    page = customer.page
    customer.open(f"/interfaces/{things['interface']}")
    customer.follow("Add a BGP peer")
    expect(page.get_by_role("radio", name="IPv6")).to_be_checked()
    page.get_by_label("Address of your router", exact=True).fill("172.16.0.6/30")
    customer.press("Add the peer")
    expect(complaint(customer, "customer_address")).to_contain_text("give IPv6 addresses")
    page.get_by_label("Address of your router", exact=True).fill("")
    customer.press("Add the peer")
    added = page.get_by_role("heading", name="With fd44:4c00:")
    expect(added).to_be_visible()
    added.get_by_role("link").click()
    customer.press("Remove the peer")
    # The router has it until it has let go.
    expect(page.get_by_role("heading", name="With fd44:4c00:")).to_have_count(0, timeout=30_000)


def test_wrong_passwords_shut_the_door_for_a_while(desks, cockpit_region):
    account = cockpit_region.new_account()
    desk = desks(cockpit_region.cockpit)
    desk.open("/sign-in")
    for password in ["guess"] * 4 + [account.password]:
        desk.page.get_by_label("E-mail address").fill(account.login)
        desk.page.get_by_label("Password").fill(password)
        desk.press("Sign in")
        desk.page.wait_for_load_state()
    expect(desk.page.get_by_text("Too many wrong attempts")).to_be_visible()


def test_the_address_of_anothers_page_leads_nowhere(desks, cockpit_region, things):
    desk = desks(cockpit_region.cockpit)
    desk.sign_in_as_customer(cockpit_region.new_account())
    for path in ("connections/{connection}", "connections/{connection}/loa.pdf", "connections/{connection}/figures",
                 "interfaces/{interface}", "interfaces/{interface}/router", "interfaces/{interface}/figures"):  # fmt: skip
        answer = desk.page.request.get(f"{cockpit_region.cockpit}/{path.format(**things)}")
        assert answer.status == 404, path
        assert "furnished" not in answer.text() and "to a Net" not in answer.text(), path


def test_an_order_is_placed_with_the_keyboard_alone(customer):
    page = customer.page
    customer.open("/connections/new")

    def tab_to(label: str):
        for _ in range(40):
            page.keyboard.press("Tab")
            focused = "document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"
            if label in page.evaluate(focused):
                return
        raise AssertionError(f"Tab does not lead to {label!r}")

    tab_to("PAR")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    tab_to("1Gbps")
    page.keyboard.press("Space")
    tab_to("Name")
    page.keyboard.type("by keyboard")
    tab_to("Order the connection")
    page.keyboard.press("Enter")
    expect(page.locator(".state .badge")).to_have_text("requested")
    expect(page.get_by_role("heading", name="by keyboard")).to_be_visible()
