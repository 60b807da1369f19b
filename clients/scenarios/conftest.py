"""The scenarios have a Region of their own, whose clock the operator moves on. The rest is as in ../conftest.py."""

import pytest

from region import Region
from story import by_neighbour


@pytest.fixture(scope="module")
def region(region_out_of_time) -> Region:
    return region_out_of_time


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["by neighbour"] = [(*step, count) for step, count in by_neighbour.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    for client, step, count in getattr(node, "workeroutput", {}).get("by neighbour", []):
        by_neighbour[client, step] += count


def pytest_terminal_summary(terminalreporter):
    """Which steps a client's dialect does not have, or its types do not let one say."""
    clients = {client for client, _ in by_neighbour}
    for client in sorted(clients):
        steps = [f"{step} ({count})" for (who, step), count in sorted(by_neighbour.items()) if who == client]
        terminalreporter.write_line(f"{client}: by its neighbour: {', '.join(steps)}")
