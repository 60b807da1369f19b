"""A server that answers two calls a second: the clients come again by themselves, and nobody notices."""

import boto3
import pytest
import requests
from botocore.config import Config

from clients import OscSdkPython
from server import Server
from signing import to_aws, to_outscale

CALLS = 4


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    with Server.running(tmp_path_factory.mktemp("slow"), "--account-rate", "2/s:2", "--address-rate", "off") as server:
        yield server


def test_the_wire_says_503_and_when_to_come_again(slow):
    account = slow.new_account()
    for ask, action in (to_outscale, "ReadNets"), (to_aws, "DescribeLocations"):
        answers = [ask(slow, account, action).send() for _ in range(CALLS)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused and {answer.status_code for answer in refused} == {503}
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_boto3_retries_through_a_throttle(mode, slow):
    account = slow.new_account()
    client = boto3.client(
        "directconnect",
        region_name=slow.name,
        endpoint_url=slow.aws,
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret_key,
        config=Config(retries={"mode": mode, "total_max_attempts": 10}),
    )
    retries = [client.describe_locations()["ResponseMetadata"]["RetryAttempts"] for _ in range(CALLS)]
    assert sum(retries) > 0, "it was never throttled"


def test_osc_sdk_python_retries_through_a_throttle(slow, tmp_path, monkeypatch):
    client = OscSdkPython(slow, slow.new_account(), tmp_path)
    statuses = []
    request = requests.Session.request

    def seen(session, *words, **named):
        answer = request(session, *words, **named)
        statuses.append(answer.status_code)
        return answer

    monkeypatch.setattr(requests.Session, "request", seen)
    for _ in range(CALLS):
        assert client.call("ReadNets")["Nets"] == []
    assert statuses.count(200) == CALLS and 503 in statuses, statuses
