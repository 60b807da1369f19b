"""Each scenario with each client: what scenarios/*.yaml says must come true, whichever tool a customer has."""

import pytest

from adapters import CLIENTS
from story import Story, says_something_to, scenarios

ALL = [
    pytest.param(scenario, client, id=f"{scenario['scenario']}-{client}")
    for scenario in scenarios()
    for client in CLIENTS
    if says_something_to(client, scenario) and client not in scenario.get("not for", {})
]


@pytest.mark.parametrize("scenario, client", ALL)
def test_scenario(scenario, client, region, tmp_path):
    story = Story(region, tmp_path / "homes", client)
    try:
        story.tell(scenario)
    finally:
        story.end()


def test_every_scenario_has_a_name_of_its_own():
    names = [scenario["scenario"] for scenario in scenarios()]
    assert len(names) == len(set(names))
