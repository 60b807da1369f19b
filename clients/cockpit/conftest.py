"""A Region for the browser tests, and people at their desks. Each test's console must stay silent."""

import pytest

from clients import Customer
from region import Region
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
