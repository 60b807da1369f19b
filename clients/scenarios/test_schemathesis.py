"""schemathesis asks the OUTSCALE API whatever its specification allows, and much that it does not.

There is never an error of ours, and never a shape that is not described (looked at after every test, ../conftest.py).
Each action is asked some times with bodies that fit its schema, then some times with bodies that do not, and all of it
ends in time. What is asked is the same in each run: it depends on nothing but the specification.
"""

import json
import time
from dataclasses import replace

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from signing import to_outscale
from specification import OUTSCALE

TIMES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 5}
WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def account(region):
    return region.new_account()


@pytest.fixture(scope="module")
def operations(region) -> dict:
    """Those of the specification that the Region says it has, by name."""
    served = set(requests.post(region.api, timeout=30).json()["Calls"])
    schema = schemathesis.openapi.from_dict(OUTSCALE.document)
    found = {name: schema[f"/{name}"]["POST"] for name in sorted(served)}
    assert len(found) >= 30
    return found


def test_no_request_makes_an_error_of_ours_or_an_undocumented_answer(region, account, operations):
    end = time.monotonic() + WITHIN_SECONDS
    asked = {mode: set() for mode in TIMES}
    for mode, times in TIMES.items():
        for name, operation in operations.items():
            if time.monotonic() > end:
                break
            for body in bodies(operation, mode, times):
                answer = replace(to_outscale(region, account, name), body=body).send()
                assert answer.status_code < 500, f"{name} {body!r}: {answer.status_code} {answer.text}"
            asked[mode].add(name)
    assert asked[GenerationMode.POSITIVE] == operations.keys()
    assert asked[GenerationMode.NEGATIVE], "no time was left for what does not fit"


def bodies(operation, mode: GenerationMode, times: int) -> list[bytes]:
    """What schemathesis finds to ask, as bytes on the wire."""
    found = []

    @settings(
        max_examples=times,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case):
        body = b"" if isinstance(case.body, NotSet) else case.body
        found.append(body if isinstance(body, bytes) else json.dumps(body).encode())

    collect()
    return found
