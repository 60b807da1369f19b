"""A Region for the whole run, two customers with every client, and a look at each answer after each test."""

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from clients import CLIENTS, Connection, Customer
from recorder import tapped
from region import Region, eventually
from specification import violations

answers = Counter()

taps = []


@contextmanager
def tapped_region(state, clock):
    region = Region.up(state, clock)
    try:
        with tapped(region.api, region.aws) as ((region.api, region.aws), take):
            taps.append(take)
            yield region
            taps.remove(take)
    finally:
        region.down()


@pytest.fixture(scope="session")
def region(tmp_path_factory) -> Region:
    with tapped_region(tmp_path_factory.mktemp("lab"), "real") as region:
        yield region


@pytest.fixture(scope="module")
def region_out_of_time(tmp_path_factory) -> Region:
    """A second Region, whose clock the operator moves on."""
    with tapped_region(tmp_path_factory.mktemp("lab"), "virtual") as region:
        yield region


@pytest.fixture(autouse=True)
def every_answer_fits_its_specification():
    """Fails the test in whose time a client got an answer that the API's description does not allow."""
    yield
    found = []
    for exchange in [exchange for take in taps for exchange in take()]:
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


def pytest_sessionfinish(session):
    """Of several workers (-n) each has a Region of its own; what they saw is counted together."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["answers"] = [(*seen, count) for seen, count in answers.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    for name, status, count in getattr(node, "workeroutput", {}).get("answers", []):
        answers[name, status] += count


def pytest_terminal_summary(terminalreporter):
    if answers:
        actions = {name for name, _ in answers}
        refused = sum(count for (_, status), count in answers.items() if status >= 400)
        terminalreporter.write_line(
            f"{answers.total()} answers to {len(actions)} actions held against spec/, {refused} of them refusals"
        )
