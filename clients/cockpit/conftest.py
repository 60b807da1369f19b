"""A Region for the browser tests, and people at their desks. Each test's console must stay silent."""

import pytest

from clients import Customer, Wish
from region import Region, eventually
from stage import Desk, chromium


@pytest.fixture(scope="session")
def cockpit_region(tmp_path_factory) -> Region:
    region = Region.up(tmp_path_factory.mktemp("cockpit-lab"))
    yield region
    region.down()


@pytest.fixture(scope="session")
def window():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def ann(cockpit_region, tmp_path_factory) -> Customer:
    """Who orders; her API clients, for what Cockpit does not make: Nets."""
    return Customer(cockpit_region, cockpit_region.accounts[0], tmp_path_factory.mktemp("ann") / "home")


@pytest.fixture(scope="session")
def things(cockpit_region, ann, tmp_path_factory) -> dict:
    """Something of each kind, made through the API."""
    made = ann.aws.order("PAR4", "1Gbps", "furnished")
    port = cockpit_region.approve(made.id)
    with cockpit_region.cable(port):
        eventually(lambda: ann.aws.connection(made.id).state, "available")
        gateway = ann.gateway(ann.net("10.9.0.0/16"))
        interface = ann.aws.create_interface(made.id, Wish("to a Net", 201, 65020, gateway))
        guest = cockpit_region.accounts[1].id
        hosted = ann.aws.allocate_interface(made.id, guest, Wish("for a guest", 202, 65021))
        bob = Customer(cockpit_region, cockpit_region.accounts[1], tmp_path_factory.mktemp("bob") / "home")
        theirs = bob.aws.order("PAR1", "1Gbps", "of another")
        with cockpit_region.cable(cockpit_region.approve(theirs.id)):
            eventually(lambda: bob.aws.connection(theirs.id).state, "available")
            hook = {"url": "https://hooks.example.com/cockpit"}
            webhook = cockpit_region.operator("POST", f"/accounts/{cockpit_region.accounts[0].id}/webhooks", hook)
            offer = Wish("offered to us", 203, 65022)
            offered = bob.aws.allocate_interface(theirs.id, cockpit_region.accounts[0].id, offer)
        order = ann.aws.order("PAR1", "1Gbps", "waits")
        yield {
            "connection": made.id,
            "interface": interface.id,
            # The one that an interface is born with has its number.
            "peer": interface.id.replace("dxvif-", "dxpeer-"),
            "gateway": gateway,
            "hosted": hosted.id,
            "offered": offered.id,
            "webhook": webhook["id"],
            "guest": guest,
            "order": order.id,
            "router": port.split("/")[0],
            "account": cockpit_region.accounts[0].id,
        }


@pytest.fixture
def desks(window):
    """Opens windows; afterwards no console may have complained."""
    opened = []

    def open_desk(url: str, **options) -> Desk:
        opened.append(Desk(window, url, **options))
        return opened[-1]

    yield open_desk
    for desk in opened:
        desk.close()
    complaints = [complaint for desk in opened for complaint in desk.complaints]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def customer(desks, cockpit_region) -> Desk:
    desk = desks(cockpit_region.cockpit)
    desk.sign_in_as_customer(cockpit_region.accounts[0])
    return desk


@pytest.fixture
def operator(desks, cockpit_region) -> Desk:
    desk = desks(cockpit_region.operator_cockpit)
    desk.sign_in_as_operator(cockpit_region.operator_token)
    return desk
