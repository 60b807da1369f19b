"""Our own command as a customer's tool: with the keys that osc-cli uses, it does what the OUTSCALE API has no call for."""

import json
import os
import subprocess
from itertools import count

import pytest

from clients import Wish
from region import DIRECTLINK

VLANS = count(3500)


@pytest.fixture
def offered(connection, owner, guest):
    """A hosted interface that waits for its owner."""
    return owner.aws.allocate_interface(connection.id, guest.account.id, Wish("offered", next(VLANS), 65010))


@pytest.fixture
def command(tmp_path, region, guest):
    """`directlink …` as the guest, configured by environment or by file."""
    key = guest.account
    keys = {"access_key": key.access_key, "secret_key": key.secret_key, "region": region.name}
    folder = tmp_path / ".osc"
    folder.mkdir()
    profiles = {
        "default": {"access_key": "A" * 20, "secret_key": "B" * 40, "endpoints": {"api": region.api}},
        "sdk": keys | {"endpoints": {"api": region.api}},
        "cli": keys | {"https": False, "endpoint": region.api.split("/")[2]},
    }
    (folder / "config.json").write_text(json.dumps(profiles))
    variables = {"OSC_ACCESS_KEY": key.access_key, "OSC_SECRET_KEY": key.secret_key, "OSC_ENDPOINT_API": region.api}

    def run(*words, environment=variables):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment}
        return subprocess.run([DIRECTLINK, *words], env=environment, capture_output=True, text=True, timeout=60)

    return run


def shown(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_hosted_interface_is_accepted(command, offered, guest, guest_place):
    accepted = command("interface", "accept", offered.id, "--gateway", guest_place.gateway)
    assert accepted.returncode == 0, accepted.stderr
    heading, row = accepted.stdout.splitlines()
    assert heading.split() == ["ID", "CONNECTION", "OWNER", "NAME", "VLAN", "ASN", "STATE", "GATEWAY"]
    assert row.split()[-2:] == ["pending", guest_place.gateway]
    assert guest.outscale.interface(offered.id).gateway == guest_place.gateway
    again = command("interface", "accept", offered.id, "--gateway", guest_place.gateway)
    assert again.returncode == 1 and "DirectConnectClientException" in again.stderr
    guest.aws.delete_interface(offered.id)


@pytest.mark.parametrize("profile", ["sdk", "cli"])
def test_one_is_rejected_and_nothing_else_can_be(profile, command, offered, guest):
    words = ("interface", "reject", offered.id, "--profile", profile, "--output", "json")
    assert shown(command(*words, environment={}))["virtualInterfaceState"] == "rejected"
    again = command(*words, environment={})
    assert again.returncode == 1 and "only an interface that waits to be accepted can be rejected" in again.stderr


def test_a_customer_lists_and_shows_what_is_theirs(command, offered, connection, guest):
    listed = shown(command("interface", "list", "--output", "json"))["virtualInterfaces"]
    assert offered.id in {interface["virtualInterfaceId"] for interface in listed}
    one = shown(command("interface", "show", offered.id, "-o", "json"))
    assert (one["virtualInterfaceState"], one["ownerAccount"]) == ("confirming", guest.account.id)
    assert connection.id not in command("connection", "list").stdout, "another account's"
    guest.aws.delete_interface(offered.id)


def test_the_operator_lists_everything_with_the_same_words(region, offered, guest):
    def as_operator(*words):
        environment = {"PATH": os.environ["PATH"], "DIRECTLINK_STATE": str(region.state)}
        return subprocess.run([DIRECTLINK, *words], env=environment, capture_output=True, text=True, timeout=60)

    assert offered.id in as_operator("interface", "list").stdout
    assert shown(as_operator("interface", "show", offered.id, "-o", "json"))["state"] == "confirming"
    guest.aws.delete_interface(offered.id)


def test_a_connection_is_ordered_and_given_up(command):
    words = ("--location", "PAR4", "--output", "json")
    ordered = shown(command("connection", "order", "by hand", *words))
    assert (ordered["connectionState"], ordered["bandwidth"]) == ("requested", "1Gbps")
    assert ordered["connectionId"] in command("connection", "list").stdout
    gone = shown(command("connection", "delete", ordered["connectionId"], "-o", "json"))
    assert gone["connectionState"] == "deleted"


def test_wrong_keys_and_no_keys_are_told_apart(command):
    wrong = command("interface", "list", environment={})
    assert wrong.returncode == 1 and "AuthFailure" in wrong.stderr, "the default profile's"
    none = command("interface", "list", environment={"OSC_CONFIG_FILE": "/nowhere"})
    assert none.returncode == 1 and "/nowhere" in none.stderr
