"""The physical inventory: what the operator tells of rooms, panels and ports, and what customers then get of it."""

import json
import os
import re
import subprocess

import pytest
import requests

from clients import Customer
from region import DIRECTLINK, run
from server import Server
from signing import to_outscale

PANEL = "PAR1/MMR-1/PP-07"


@pytest.fixture
def server(tmp_path):
    with Server.running(tmp_path) as server:
        server.site(ports=2)
        yield server


@pytest.fixture
def desk(server):
    """`directlink …` at the operator's desk."""
    url = f"http://{server.listen['--listen-operator']}"
    variables = {"DIRECTLINK_OPERATOR_URL": url, "DIRECTLINK_OPERATOR_TOKEN": server.operator_token}

    def type_(*words, good=True):
        environment = {"PATH": os.environ["PATH"], **variables}
        done = subprocess.run([DIRECTLINK, *words], env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == good, f"{words}: {done.stderr}"
        return done.stdout if good else done.stderr

    return type_


@pytest.fixture
def filled(desk):
    desk("room", "add", "PAR1/MMR-1", "--data-centre", "Telehouse 3, Magny")
    desk("panel", "add", PANEL, "--positions", "24")
    for n in range(2):
        desk("port", "change", f"par1-r1/p{n}", "--position", f"{PANEL}/{n + 11}")
    return desk


def order(server, account, bandwidth: str = "1Gbps") -> requests.Response:
    wish = {"Location": "PAR1", "Bandwidth": bandwidth, "DirectLinkName": "fibre"}
    asked = to_outscale(server, account, "CreateDirectLink", wish)
    return requests.post(asked.url, data=asked.body, headers=asked.signed_headers(), timeout=30)


def ordered(server, account) -> str:
    return order(server, account).json()["DirectLink"]["DirectLinkId"]


def test_an_order_beyond_the_ports_is_refused_by_either_api_in_its_own_words(server, filled, tmp_path):
    account = server.new_account()
    first = ordered(server, account)
    ordered(server, account)
    refused = order(server, account)
    [error] = refused.json()["Errors"]
    assert (refused.status_code, error["Code"], error["Type"]) == (409, "10001", "InsufficientCapacity")
    assert "PAR1" in error["Details"] and "1Gbps" in error["Details"]
    with pytest.raises(Exception, match="DirectConnectClientException.*no free 1Gbps port"):
        Customer(server, account, tmp_path / "home").aws.order("PAR1", "1Gbps", "one more")
    assert order(server, account, "10Gbps").json()["Errors"][0]["Code"] == "10001", "none has this speed"
    shown = filled("location", "show", "PAR1")
    assert re.search(r"1Gbps +2 +2 +2\n", shown), shown
    server.approve(first)
    assert re.search(r"1Gbps +2 +1 +1\n", filled("location", "show", "PAR1"))


def test_a_location_without_a_room_takes_orders_that_wait(server):
    account = server.new_account()
    assert all(order(server, account).ok for _ in range(4))


def test_a_port_with_other_optics_is_refused_with_the_reason(server, filled):
    id = ordered(server, server.new_account())
    filled("port", "change", "par1-r1/p0", "--optics", "1000BASE-SX")
    told = filled("order", "approve", id, "--port", "par1-r1/p0", good=False)
    assert "has 1000BASE-SX (850nm), the order needs 1000BASE-LX (1310nm)" in told
    approved = json.loads(filled("order", "approve", id, "-o", "json"))
    assert approved["port"] == "par1-r1/p1", "the free one that fits"


def test_the_letter_names_room_panel_position_and_optics(server, filled, tmp_path):
    account = server.new_account()
    id = ordered(server, account)
    filled("order", "approve", id, "--port", "par1-r1/p1")
    variables = {
        "OSC_ACCESS_KEY": account.access_key,
        "OSC_SECRET_KEY": account.secret_key,
        "OSC_ENDPOINT_API": server.api,
        "PATH": os.environ["PATH"],
    }
    letter = tmp_path / "letter.pdf"
    words = [DIRECTLINK, "connection", "letter", id, "--to", str(letter)]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    text = " ".join(run("pdftotext", "-layout", letter, "-").split())
    for fact in (
        "Data centre Telehouse 3, Magny",
        "Meet-me room MMR-1",
        "Patch panel PP-07",
        "Position 12, front",
        "Fibre single mode, duplex, LC",
        "Optics 1000BASE-LX (1310nm)",
        "Port p1",
    ):
        assert fact in text, text
    again = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1, "what is there is not overwritten"


def test_a_cross_connect_that_somebody_made_holds_the_port_until_somebody_ends_it(server, filled):
    account = server.new_account()
    id = ordered(server, account)
    filled("order", "approve", id, "--port", "par1-r1/p0")
    assert "awaited" in filled("cross-connect", "list")
    patched = json.loads(filled("cross-connect", "patch", id, "--by", "Ann, ticket 4711", "-o", "json"))
    assert (patched["state"], patched["patched_by"], patched["position"]) == (
        "patched",
        "Ann, ticket 4711",
        f"{PANEL}/11",
    )
    assert "lives" in filled("cross-connect", "unpatch", id, "--by", "Bob", good=False)
    assert "letter names" in filled("port", "change", "par1-r1/p0", "--position", "none", good=False)
    shown = filled("panel", "show", PANEL)
    assert re.search(rf"11 +par1-r1/p0 +{id}", shown), shown


def test_a_letter_is_sent_again_and_renewed(server, filled):
    id = ordered(server, server.new_account())
    filled("order", "approve", id)
    before = json.loads(filled("letter", "list", "-o", "json"))["letters"][0]
    assert (before["standing"], before["mailed"]) == ("valid", 0)
    filled("letter", "send", id)
    filled("letter", "renew", id)
    after = json.loads(filled("letter", "list", "-o", "json"))["letters"][0]
    assert after["issued_at"] > before["issued_at"]
    kinds = [mail["kind"] for mail in server.operator("GET", "/mail")["mail"]]
    assert kinds == ["loa"] * 3


def test_quotas_are_set_from_the_desk(server, desk):
    account = server.new_account()
    desk("account", "set-quota", account.id, "connections", "1")
    assert re.search(r"connections +0 +1\n", desk("account", "quotas", account.id))
    assert order(server, account).ok
    assert order(server, account).json()["Errors"][0]["Code"].startswith("100")
    desk("account", "set-quota", account.id, "connections", "none")
    assert order(server, account).ok
