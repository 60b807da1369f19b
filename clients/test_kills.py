"""`kill -9` the server at 200 random moments under load: what was acknowledged is there, whole, and nothing is half done.

    customers ── calls ──► server ── SIGKILL after a random number of answers, and a moment more
        │ a call that was answered                          │ started again on the same state
        ▼                                                   ▼
      journal ─────────── each entry ──────────────► the API, and the tables: there?
                          invariants.py ───────────► the tables: anything that is half there?

A call that was cut off may have happened or not, but never in part. The seed is printed; `DIRECTLINK_SEED` repeats its
moments, as far as threads allow. `DIRECTLINK_KILLS` gives another number of rounds.
"""

import http.client
import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

import stores
from invariants import TAGS, half_done
from server import Server
from signing import to_aws, to_outscale

KILLS = int(os.environ.get("DIRECTLINK_KILLS", "200"))
SEED = int(os.environ.get("DIRECTLINK_SEED", random.randrange(2**32)))
CUSTOMERS = 4
ANSWERS_MAX = 24
"""Acknowledged calls before a kill, at most."""
MOMENT_SECONDS = 0.004
"""And so much more, at most: about the time of a call, so that any part of one is cut."""

@dataclass
class Acknowledged:
    request: str
    table: str
    id: str


@dataclass
class Desk:
    """A customer, and what is known of their objects."""

    account: object
    connection: str = ""
    gateway: str = ""
    net: str = ""
    vlans: object = None
    hosted: list = field(default_factory=list)
    nets: list = field(default_factory=list)
    version: int = 0
    """Of the tags on gateway and Net: the last acknowledged; one that is tried is higher by one."""


class Load(threading.Thread):
    """One customer who calls until the server is gone."""

    def __init__(self, server, desk, guest, seed, answered):
        super().__init__()
        self.server, self.desk, self.guest, self.answered = server, desk, guest, answered
        self.random = random.Random(seed)
        self.line = line_to(server)
        self.journal = []
        self.is_cut = False
        self.wrong = None

    def run(self):
        acts = [self.order, self.order_tagged, self.host, self.host, self.reject, self.attach, self.net, self.tag]
        try:
            while True:
                self.random.choice(acts)()
        except (OSError, http.client.HTTPException):
            self.is_cut = True
        except Exception as wrong:
            self.wrong = wrong

    def ask(self, to, action, parameters) -> tuple[dict, str]:
        """The answer and the number of the request, which is the event's reason."""
        return ask(self.line, to(self.server, self.desk.account, action, parameters))

    def note(self, request, table, id):
        self.journal.append(Acknowledged(request, table, id))
        self.answered()
        return id

    def order(self):
        wish = {"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "plain"}
        answer, request = self.ask(to_outscale, "CreateDirectLink", wish)
        self.note(request, "connection", answer["DirectLink"]["DirectLinkId"])

    def order_tagged(self):
        wish = {"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "tagged", "tags": tags("x")}
        answer, request = self.ask(to_aws, "CreateConnection", wish)
        self.note(request, "connection", answer["connectionId"])

    def host(self):
        """For another account: it waits for its owner, and a rejection ends it at once."""
        described = {"virtualInterfaceName": "tagged", "vlan": next(self.desk.vlans), "asn": 65000, "tags": tags("x")}
        wish = {
            "connectionId": self.desk.connection,
            "ownerAccount": self.guest.id,
            "newPrivateVirtualInterfaceAllocation": described,
        }
        answer, request = self.ask(to_aws, "AllocatePrivateVirtualInterface", wish)
        self.desk.hosted.append(self.note(request, "interface", answer["virtualInterfaceId"]))

    def reject(self):
        if not self.desk.hosted:
            return self.host()
        # Whether it happens or not: nobody asks again.
        id = self.desk.hosted.pop()
        _, request = self.ask(to_outscale, "DeleteDirectLinkInterface", {"DirectLinkInterfaceId": id})
        self.note(request, "rejected interface", id)

    def attach(self):
        if self.random.random() < 0.8:
            return self.host()
        described = {"DirectLinkInterfaceName": "plain", "Vlan": next(self.desk.vlans), "BgpAsn": 65000}
        described["VirtualGatewayId"] = self.desk.gateway
        wish = {"DirectLinkId": self.desk.connection, "DirectLinkInterface": described}
        answer, request = self.ask(to_outscale, "CreateDirectLinkInterface", wish)
        self.note(request, "interface", answer["DirectLinkInterface"]["DirectLinkInterfaceId"])

    def net(self):
        if len(self.desk.nets) > 5:
            id = self.desk.nets.pop()
            _, request = self.ask(to_outscale, "DeleteNet", {"NetId": id})
            self.note(request, "deleted net", id)
        answer, request = self.ask(to_outscale, "CreateNet", {"IpRange": "10.0.0.0/16"})
        self.desk.nets.append(self.note(request, "net", answer["Net"]["NetId"]))

    def tag(self):
        version = self.desk.version + 1
        sticky = [{"Key": f"k{n}", "Value": str(version)} for n in range(TAGS)]
        wish = {"ResourceIds": [self.desk.gateway, self.desk.net], "Tags": sticky}
        _, request = self.ask(to_outscale, "CreateTags", wish)
        self.desk.version = version
        self.note(request, "tagged", self.desk.net)


def line_to(server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.api).netloc, timeout=30)


def ask(line, asked) -> tuple[dict, str]:
    line.request("POST", urlsplit(asked.url).path, asked.body, asked.signed_headers())
    response = line.getresponse()
    answer = json.loads(response.read())
    assert response.status == 200, f"{asked}: {answer}"
    return answer, response.headers["x-amzn-requestid"] or answer["ResponseContext"]["RequestId"]


def tags(value: str) -> list[dict]:
    return [{"key": f"k{n}", "value": value} for n in range(TAGS)]


THERE = {
    "connection": "SELECT 1 FROM connection WHERE id = ?",
    "interface": "SELECT 1 FROM interface WHERE id = ?",
    "rejected interface": "SELECT 1 FROM interface WHERE id = ? AND rejected_us IS NOT NULL",
    "net": "SELECT 1 FROM event WHERE subject = ? AND what = 'Net created'",
    "deleted net": "SELECT 1 FROM event WHERE subject = ? AND what = 'Net deleted'",
    "tagged": "SELECT 1 FROM tag WHERE resource = ?",
}


def lost(db, journal) -> list[Acknowledged]:
    """Acknowledged, and not there, or without its event."""
    reasons = {why for (why,) in db.execute("SELECT why FROM event")}
    return [a for a in journal if a.request not in reasons or not db.execute(THERE[a.table], (a.id,)).fetchone()]


def unread(server, line, desk, journal) -> set:
    """Acknowledged to a customer, and not among what the API shows them."""

    def read(action, filter, members, member, table):
        ids = [a.id for a in journal if a.table == table]
        if not ids:
            return set()
        answer, _ = ask(line, to_outscale(server, desk.account, action, {"Filters": {filter: ids}}))
        return set(ids) - {seen[member] for seen in answer[members]}

    connections = read("ReadDirectLinks", "DirectLinkIds", "DirectLinks", "DirectLinkId", "connection")
    filter = "DirectLinkInterfaceIds"
    interfaces = read("ReadDirectLinkInterfaces", filter, "DirectLinkInterfaces", filter[:-1], "interface")
    return connections | interfaces


def desk(server) -> Desk:
    """A customer with room for much, a connection, a gateway and a Net."""
    account = server.new_account()
    for quota in "connections", "interfaces_per_connection":
        server.operator("POST", f"/accounts/{account.id}/quotas", {"quota": quota, "limit": 100_000})

    def make(action, member, **parameters):
        return to_outscale(server, account, action, parameters).send().json()[member][f"{member}Id"]

    connection = make("CreateDirectLink", "DirectLink", Location="PAR1", Bandwidth="1Gbps", DirectLinkName="plain")
    server.approve(connection)
    gateway = make("CreateVirtualGateway", "VirtualGateway", ConnectionType="ipsec.1")
    return Desk(account, connection, gateway, make("CreateNet", "Net", IpRange="10.1.0.0/16"), iter(range(2, 4095)))


class Countdown:
    """Lets who waits for it go on after so many calls of it."""

    def __init__(self, count: int):
        self.left, self.done, self.lock = count, threading.Event(), threading.Lock()
        self()

    def __call__(self):
        with self.lock:
            self.left -= 1
            if self.left < 0:
                self.done.set()


@pytest.fixture
def server(tmp_path):
    with Server.running(tmp_path, "--account-rate", "off", "--address-rate", "off") as server:
        yield server


def test_whatever_was_acknowledged_is_there_and_nothing_is_half_done_after_each_of_200_kills(server, capsys):
    with capsys.disabled():
        print(f" seed {SEED}", end="", flush=True)
    chance = random.Random(SEED)
    server.site(ports=CUSTOMERS)
    desks = [desk(server) for _ in range(CUSTOMERS)]
    server.light_everywhere()
    everything, cut, starts = [], 0, []
    for round in range(KILLS):
        countdown = Countdown(chance.randint(0, ANSWERS_MAX))
        guests = desks[1:] + desks[:1]
        load = [
            Load(server, desk, guest.account, chance.random(), countdown) for desk, guest in zip(desks, guests)
        ]
        for customer in load:
            customer.start()
        assert countdown.done.wait(30), [customer.wrong for customer in load]
        time.sleep(chance.uniform(0, MOMENT_SECONDS))
        server.kill()
        for customer in load:
            customer.join()
        started = time.monotonic()
        server.start()
        starts.append(time.monotonic() - started)
        assert [customer.wrong for customer in load if customer.wrong] == [], f"round {round}"
        cut += sum(customer.is_cut for customer in load)
        everything += [a for customer in load for a in customer.journal]
        with server.database() as db:
            assert lost(db, [a for customer in load for a in customer.journal]) == [], f"round {round}"
            assert half_done(db) == {}, f"round {round}"
            for at in desks:
                shown = db.execute("SELECT max(CAST(value AS INTEGER)) FROM tag WHERE account = ?", (at.account.id,))
                version = shown.fetchone()[0] or 0
                assert version in (at.version, at.version + 1), f"round {round}"
                at.version = version
        line = line_to(server)
        for customer in load:
            assert unread(server, line, customer.desk, customer.journal) == set(), f"round {round}"
    with server.database() as db:
        assert lost(db, everything) == []
        assert stores.IS_POSTGRES or db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert cut == KILLS * CUSTOMERS and len(everything) > KILLS
    with capsys.disabled():
        print(f", {len(everything)} acknowledged, slowest start {max(starts) * 1000:.0f} ms", end=" ", flush=True)


CLIENTS = 64


def as_outscale(desk) -> tuple:
    described = {"DirectLinkInterfaceName": "n", "Vlan": 101, "BgpAsn": 65000, "VirtualGatewayId": desk.gateway}
    return to_outscale, "CreateDirectLinkInterface", {"DirectLinkId": desk.connection, "DirectLinkInterface": described}


def as_aws(desk) -> tuple:
    described = {"virtualInterfaceName": "n", "vlan": 101, "asn": 65000, "virtualGatewayId": desk.gateway}
    parameters = {"connectionId": desk.connection, "newPrivateVirtualInterface": described}
    return to_aws, "CreatePrivateVirtualInterface", parameters


def answer_of(response) -> str:
    """The refusal in its dialect's word for a VLAN that is taken, or `made`."""
    body = response.json()
    if response.status_code == 200:
        return "made"
    if "Errors" in body:
        return body["Errors"][0]["Code"]
    return body["message"].split(":")[0]


@pytest.mark.parametrize("faces", [[as_outscale], [as_aws], [as_outscale, as_aws]], ids=["outscale", "aws", "both"])
def test_of_64_clients_who_create_interfaces_with_the_same_vlan_at_once_exactly_one_wins(faces, server):
    server.site(ports=1)
    customer = desk(server)
    server.light_everywhere()
    start = threading.Barrier(CLIENTS)
    answers = []

    def client(n: int):
        to, action, parameters = faces[n % len(faces)](customer)
        asked = to(server, customer.account, action, parameters)
        start.wait()
        answers.append(answer_of(asked.send()))

    clients = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    refusals = {as_outscale: "9010", as_aws: "Interface already exists with same parameters"}
    assert answers.count("made") == 1, answers
    assert {answer for answer in answers if answer != "made"} == {refusals[face] for face in faces}
    assert len(answers) == CLIENTS
    read = to_outscale(server, customer.account, "ReadDirectLinkInterfaces").send().json()
    assert [seen["Vlan"] for seen in read["DirectLinkInterfaces"]] == [101]
