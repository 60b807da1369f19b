"""Each scenario with each client: what scenarios/*.yaml says must come true, whichever tool a customer has."""

import pytest

from adapters import CLIENTS
from steps import FOLDER, STEPS, WORDS
from story import OPERATOR, Story, says_something_to, scenarios

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


def test_every_fault_of_the_table_happens_in_a_scenario():
    happening = {step["refused"] for scenario in scenarios() for step in scenario["steps"] if "refused" in step}
    assert happening == WORDS["faults"].keys()


def test_every_step_is_told_of_in_the_manual_and_taken_in_a_scenario():
    manual = (FOLDER / "README.md").read_text()
    taken = {word for scenario in scenarios() for step in scenario["steps"] for word in step}
    assert not [verb for verb in [*STEPS, *OPERATOR] if f"`{verb}`" not in manual or verb not in taken]
