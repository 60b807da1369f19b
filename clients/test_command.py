"""Our own command as a customer's tool: with the keys that osc-cli uses, data on standard output, progress on standard error."""

import datetime
import ipaddress
import json
import os
import re
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clients import Wish
from region import DIRECTLINK, eventually

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

    def begin(*words):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **variables}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([DIRECTLINK, *words], env=environment, text=True, **pipes)

    run.begin = begin
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


def announced(process) -> str:
    """The connection that a waiting command tells of; before it, there may be advice."""
    for line in process.stderr:
        if found := re.search("dxcon-[0-9a-f]{8}", line):
            return found[0]
    raise AssertionError(f"it ended with {process.wait()}")


def ids(done, member: str, id: str) -> set:
    return {row[id] for row in shown(done)[member]}


def test_a_net_with_its_gateway_and_routes_is_made_listed_and_deleted(command):
    def json_of(*words):
        return shown(command(*words, "-o", "json"))

    net = json_of("net", "create", "10.77.0.0/16")["NetId"]
    subnet = json_of("subnet", "create", "--net", net, "10.77.1.0/24")["SubnetId"]
    gateway = json_of("gateway", "create", "--net", net)["VirtualGatewayId"]
    heading, row = command("gateway", "show", gateway).stdout.splitlines()
    assert (heading.split(), row.split()) == (["ID", "NET", "STATE"], [gateway, net, "available"])
    table = json_of("route-table", "create", "--net", net)["RouteTableId"]
    json_of("route-table", "propagate", table, "--gateway", gateway)
    json_of("route", "create", "192.168.77.0/24", "--table", table, "--gateway", gateway)
    listed = command("route", "list").stdout
    assert [table, "192.168.77.0/24", gateway] in [row.split()[:3] for row in listed.splitlines()], listed
    assert command("quota", "list").stdout.split()[:3] == ["WHAT", "USED", "MAXIMUM"]
    for words in (
        ("route", "delete", "192.168.77.0/24", "--table", table),
        ("route-table", "propagate", table, "--gateway", gateway, "--off"),
        ("route-table", "delete", table),
        ("gateway", "unlink", gateway, "--net", net),
        ("gateway", "delete", gateway),
        ("subnet", "delete", subnet),
        ("net", "delete", net),
    ):
        done = command(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    assert net not in ids(command("net", "list", "-o", "json"), "Nets", "NetId")


def test_a_dry_run_says_whether_it_would_be_done_and_does_nothing(command, guest):
    before = guest.outscale.connections()
    for more in ((), ("--reach", "fibre", "--provider", "Fibres & Co")):
        tried = command("connection", "order", "only to see", "--location", "PAR4", "--dry-run", *more)
        assert (tried.returncode, tried.stdout) == (0, "") and "would be done" in tried.stderr
    refused = command("connection", "order", "only to see", "--location", "LON9", "--dry-run")
    assert refused.returncode == 1 and "LON9" in refused.stderr
    assert guest.outscale.connections() == before


def test_what_the_operator_shall_know_goes_with_the_order(command, region):
    words = ("--reach", "fibre", "--provider", "Fibres & Co", "--host-equipment", "-o", "json")
    id = shown(command("connection", "order", "told", "--location", "PAR4", *words))["connectionId"]
    [order] = [order for order in region.operator("GET", "/orders")["orders"] if order["id"] == id]
    told = (order["reach"], order["provider"], order["hosts_equipment"])
    assert told == ("fibre", "Fibres & Co", True)
    contrary = ("--reach", "router", "--provider", "Fibres & Co")
    refused = command("connection", "order", "told", "--location", "PAR4", *contrary)
    assert refused.returncode == 1 and "needs no provider" in refused.stderr
    command("connection", "delete", id)


def test_wait_returns_when_the_connection_is_truly_available_and_truly_gone(command, region):
    waits = command.begin("connection", "order", "waited for", "--location", "PAR4", "--wait", "-o", "json")
    id = announced(waits)
    with region.cable(region.approve(id)):
        out, progress = waits.communicate(timeout=60)
        assert waits.returncode == 0, progress
        assert json.loads(out)["connectionState"] == "available"
        states = [line.split()[-1] for line in progress.splitlines()]
        assert states in (["pending", "available"], ["available"]), states
        gone = command("connection", "delete", id, "--wait")
        assert gone.returncode == 0 and gone.stderr.splitlines()[-1].endswith("deleted"), gone.stderr


def test_a_wait_in_vain_ends_with_3_and_one_without_hope_with_1(command, region):
    late = command("connection", "order", "late", "--location", "PAR4", "--wait", "--timeout", "1s")
    assert (late.returncode, late.stdout) == (3, "")
    assert "is requested, and not available, after 1 s" in late.stderr
    [id] = set(re.findall("dxcon-[0-9a-f]{8}", late.stderr))
    command("connection", "delete", id)
    hopeless = command.begin("connection", "order", "hopeless", "--location", "PAR4", "--wait")
    id = announced(hopeless)
    region.operator("POST", f"/orders/{id}/refuse", {"reason": "No room before June."})
    _, progress = hopeless.communicate(timeout=60)
    assert hopeless.returncode == 1 and "is rejected: nothing more will come of it" in progress


def test_an_interface_that_does_not_come_up_says_what_is_missing(command, guest, guest_place, region):
    ordered = guest.aws.order("PAR1", "1Gbps", "for the command")
    with region.cable(region.approve(ordered.id)):
        eventually(lambda: guest.aws.connection(ordered.id).state, "available")
        place = ("--connection", ordered.id, "--gateway", guest_place.gateway, "--asn", "65010")
        tried = command("interface", "create", "tried", "--vlan", "3400", *place, "--dry-run")
        assert (tried.returncode, tried.stdout) == (0, ""), tried.stderr
        made = command("interface", "create", "made", "--vlan", "3400", *place, "--wait", "--timeout", "2s")
        assert (made.returncode, made.stdout) == (3, "")
        assert "FAILED:" in made.stderr and "→" in made.stderr, "what diagnose says"
        [interface] = [i for i in guest.aws.interfaces() if i.connection == ordered.id]
        changed = shown(command("interface", "change", interface.id, "--mtu", "1400", "-o", "json"))
        assert changed["mtu"] == 1400
        gone = command("interface", "delete", interface.id, "--wait")
        assert gone.returncode == 0, gone.stderr
        guest.aws.delete_connection(ordered.id)


def test_a_wrong_line_ends_with_2(command):
    for words in (("connection", "order"), ("interface", "show", "dxcon-1"), ("no-such-word",)):
        assert command(*words).returncode == 2, words


def test_watch_looks_again_and_only_at_what_reads(command):
    seen = command("watch", "--interval", "0.1", "--count", "3", "location", "list")
    assert seen.returncode == 0 and seen.stdout.count("PAR1") == 1, "not printed again unless it has changed"
    assert command("watch", "--count", "1", "interface", "show", "dxvif-00000000").returncode == 1
    refused = command("watch", "connection", "delete", "dxcon-00000000")
    assert refused.returncode == 1 and "can be watched" in refused.stderr


def test_completion_is_a_script_that_bash_takes(command, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(command("completion", "bash").stdout)
    subprocess.run(["bash", "-n", script], check=True)
    ask = f"source {script}; complete -p directlink; COMP_WORDS=(directlink cross); COMP_CWORD=1; _directlink directlink cross directlink; echo ${{COMPREPLY[@]}}"
    told = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True).stdout
    assert "-F _directlink" in told and told.splitlines()[-1] == "cross-connect", told
    assert "#compdef directlink" in command("completion", "zsh").stdout
    assert "complete -c directlink" in command("completion", "fish").stdout


def test_the_manual_pages_are_read_by_man(command, tmp_path):
    assert command("man", str(tmp_path / "man1")).returncode == 0
    page = tmp_path / "man1" / "directlink-connection-order.1"
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-P-cbou", page], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "location" in done.stdout


@contextmanager
def with_tls(api: str, folder):
    """The Region behind a proxy that ends TLS, and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a Region")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "region.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "region.key").write_bytes(secret)

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            # The client signed this very Host.
            answer = requests.post(f"{api}{self.path}", data=body, headers=dict(self.headers), timeout=30)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_):
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "region.key")
    proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{proxy.server_address[1]}", pem
    finally:
        proxy.shutdown()


def test_an_https_region_is_reached_and_a_certificate_that_nobody_trusts_is_not(command, region, guest, tmp_path):
    keys = {"OSC_ACCESS_KEY": guest.account.access_key, "OSC_SECRET_KEY": guest.account.secret_key}
    origin = region.api.rsplit("/api/v1", 1)[0]
    with with_tls(origin, tmp_path) as (url, pem):
        keys["OSC_ENDPOINT_API"] = f"{url}/api/v1"
        trusted = command("net", "list", environment=keys | {"SSL_CERT_FILE": str(pem)})
        assert trusted.returncode == 0, trusted.stderr
        stranger = command("net", "list", environment=keys)
        assert stranger.returncode == 1 and "nobody answers" in stranger.stderr
