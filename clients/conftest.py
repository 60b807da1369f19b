"""One Region for the whole run, two customers with every client, and a look at each answer after each test."""

import re
from collections import Counter
from dataclasses import dataclass

import pytest

from clients import CLIENTS, Connection, Customer
from recorder import tapped
from region import Region, eventually
from specification import violations

answers = Counter()


@pytest.fixture(scope="session")
def _tapped_region(tmp_path_factory):
    region = Region.up(tmp_path_factory.mktemp("lab"))
    try:
        with tapped(region.api, region.aws) as ((region.api, region.aws), take):
            yield region, take
    finally:
        region.down()


@pytest.fixture(scope="session")
def region(_tapped_region) -> Region:
    return _tapped_region[0]


@pytest.fixture(autouse=True)
def every_answer_fits_its_specification(_tapped_region):
    """Fails the test in whose time a client got an answer that the API's description does not allow."""
    yield
    _, take = _tapped_region
    found = []
    for exchange in take():
        answers[action(exchange), exchange.status] += 1
        found += violations(exchange)
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def owner(region, tmp_path_factory) -> Customer:
    """Who orders."""
    return Customer(region, region.accounts[0], tmp_path_factory.mktemp("owner") / "home")


@pytest.fixture(scope="session")
def guest(region, tmp_path_factory) -> Customer:
    """Another account, to whom interfaces are given, and who must not see the rest."""
    return Customer(region, region.accounts[1], tmp_path_factory.mktemp("guest") / "home")


@pytest.fixture(params=CLIENTS)
def client(request, owner):
    """Each of the owner's clients in turn."""
    return owner[request.param]


@pytest.fixture(scope="session")
def connection(region, owner) -> Connection:
    """An available connection, for tests whose point is something else."""
    ordered = owner.aws.order("PAR1", "1Gbps", "shared")
    with region.cable(region.approve(ordered.id)):
        eventually(lambda: owner.aws.connection(ordered.id).state, "available")
        yield owner.aws.connection(ordered.id)


@dataclass(frozen=True)
class Place:
    net: str
    gateway: str


@pytest.fixture(scope="session")
def place(owner) -> Place:
    """A Net of the owner's with its gateway."""
    net = owner.net()
    return Place(net, owner.gateway(net))


@pytest.fixture(scope="session")
def guest_place(guest) -> Place:
    net = guest.net()
    return Place(net, guest.gateway(net))


def action(exchange) -> str:
    target = exchange.request_headers.get("X-Amz-Target", "")
    if target.startswith("OvertureService."):
        return target
    return re.sub(r"^/*api/[^/]+/", "OAPI ", exchange.path, flags=re.IGNORECASE)


def pytest_terminal_summary(terminalreporter):
    if answers:
        actions = {name for name, _ in answers}
        refused = sum(count for (_, status), count in answers.items() if status >= 400)
        terminalreporter.write_line(
            f"{answers.total()} answers to {len(actions)} actions held against spec/, {refused} of them refusals"
        )
