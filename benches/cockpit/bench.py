"""How long a browser waits for the first byte of each page of Cockpit, with 10,000 connections stored.

    a fresh server ── one connection, approved, and an interface, through the API ── stopped
         its database: 100 accounts with 100 connections each, an interface on each, rings of figures   rows added by SQL
    served again ── signed in as a customer and as the operator ── each page in turn, the rounds one after another

A round asks for every page once, so that none has a warm cache by itself. One client, one kept connection, as a browser
has it; what is measured is the time from the request to the first byte of the answer.
"""

import argparse
import http.client
import itertools
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

sys.path.append(str(Path(__file__).resolve().parent.parent / "api"))

from botocore.credentials import Credentials  # noqa: E402
from growth import insert, rows  # noqa: E402
from outscale import net_and_gateway  # noqa: E402
from servers import alone  # noqa: E402

ACCOUNTS = 100
PORTS = 48  # of a router
TARGET_MS = 50
RINGS = {10: 60, 120: 120, 3600: 120}  # strips of each ring, by its step in seconds
CUSTOMERS = """
    /cockpit /cockpit/connections /cockpit/connections?q=bench-77 /cockpit/connections?state=down
    /cockpit/connections/new /cockpit/connections/CONNECTION /cockpit/connections/CONNECTION?over=24h
    /cockpit/connections/CONNECTION/figures?over=30d /cockpit/connections/CONNECTION/loa.pdf
    /cockpit/connections/CONNECTION/edit /cockpit/connections/CONNECTION/delete
    /cockpit/interfaces /cockpit/interfaces?q=vlan+101 /cockpit/interfaces?state=available
    /cockpit/interfaces/new /cockpit/interfaces/new?connection=CONNECTION
    /cockpit/interfaces/INTERFACE /cockpit/interfaces/INTERFACE?over=30d /cockpit/interfaces/INTERFACE/figures?over=24h
    /cockpit/interfaces/INTERFACE/edit /cockpit/interfaces/INTERFACE/delete /cockpit/interfaces/INTERFACE/router
""".split()
OPERATORS = """
    /cockpit /cockpit/connections /cockpit/connections?q=bench-77 /cockpit/interfaces /cockpit/interfaces?q=bench-77
    /cockpit/routers /cockpit/routers/par1-r1 /cockpit/inventory /cockpit/cross-connects /cockpit/letters
    /cockpit/accounts /cockpit/accounts/ACCOUNT /cockpit/mail /cockpit/trail
""".split()


class Browser:
    """One person's: a connection that is kept, and the cookie."""

    def __init__(self, netloc: str, form: dict):
        self.netloc, self.cookie = netloc, ""
        self.dial()
        status, headers, _ = self.post("/cockpit/sign-in", form)
        if status != 303:
            raise SystemExit(f"cannot sign in: {status}")
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def dial(self):
        self.connection = http.client.HTTPConnection(self.netloc, timeout=60)
        self.connection.connect()

    def post(self, path: str, form: dict):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, urlencode(form), headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def first_byte(self, path: str) -> tuple[float, int]:
        """Milliseconds, and the size of what came."""
        before = time.perf_counter()
        self.connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = self.connection.getresponse()
        took = time.perf_counter() - before
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:300]}")
        return 1000 * took, len(body)


def seed(directlink: Path, state: Path) -> dict:
    """One of everything, through the API. The light is the database's: no router runs here."""
    with alone(directlink, state) as (server, operator):
        operator.post("locations", code="PAR1", name="Bench", subregion="eu-west-2a")
        operator.post("routers", name="par1-r1", location="PAR1", vtep="10.255.0.1")
        operator.post("ports", port="par1-r1/p0", speed="1Gbps")
        account = operator.post("accounts")
        operator.post(f"accounts/{account['id']}/quotas", quota="connections", limit=1000)
        key = Credentials(account["access_key"], account["secret_key"])
        order = {"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "bench"}
        connection = server.call(key, "CreateConnection", **order)["connectionId"]
        operator.post(f"orders/{connection}/approve")
    database = sqlite3.connect(state / "region.db")
    database.execute("UPDATE connection SET light = 1, light_since_us = approved_us")
    database.commit()
    database.close()
    with alone(directlink, state) as (server, _):
        gateway = net_and_gateway(server, account)
        wish = {"virtualInterfaceName": "bench", "vlan": 101, "asn": 65010, "virtualGatewayId": gateway}
        made = server.call(
            key, "CreatePrivateVirtualInterface", connectionId=connection, newPrivateVirtualInterface=wish
        )
    return {**account, "CONNECTION": connection, "INTERFACE": made["virtualInterfaceId"], "ACCOUNT": account["id"]}


def fill(state: Path, seeded: dict, connections: int):
    """The seeded account gets its share of connections like its own, and so do others."""
    database = sqlite3.connect(state / "region.db")
    [account] = rows(database, "SELECT * FROM account WHERE id = ?", seeded["ACCOUNT"])
    [connection] = rows(database, "SELECT * FROM connection")
    [interface] = rows(database, "SELECT * FROM interface")
    [gateway] = rows(database, "SELECT * FROM gateway")
    [net] = rows(database, "SELECT * FROM net")
    [event] = rows(database, "SELECT * FROM event WHERE subject = ? LIMIT 1", connection["id"])
    [port] = rows(database, "SELECT * FROM port")
    accounts = [account["id"]] + [f"{100_000_000_000 + n}" for n in range(ACCOUNTS - 1)]
    insert(database, "account", ({**account, "id": id, "email": f"{id}@bench.test"} for id in accounts[1:]))
    others = list(enumerate(accounts))[1:]
    nets = {id: f"vpc-{n:08x}" for n, id in others} | {account["id"]: net["id"]}
    gates = {id: f"vgw-{n:08x}" for n, id in others} | {account["id"]: gateway["id"]}
    insert(database, "net", ({**net, "id": nets[id], "account": id, "vni": 1_000_000 + n} for n, id in others))
    insert(database, "gateway", ({**gateway, "id": gates[id], "account": id, "net": nets[id]} for _, id in others))
    more = [(n, accounts[n % ACCOUNTS], 1_000_000 * n) for n in range(1, connections)]
    [router] = rows(database, "SELECT * FROM router")
    places = {n: (f"par1-b{n // PORTS}", f"p{n % PORTS}") for n, _, _ in more}
    names = sorted({name for name, _ in places.values()})
    insert(
        database,
        "router",
        (
            {**router, "name": name, "identity": name, "vtep": f"10.254.{n // 250}.{n % 250 + 1}",
             "bgp_identifier": f"10.253.{n // 250}.{n % 250 + 1}"}
            for n, name in enumerate(names)
        ),
    )  # fmt: skip
    insert(database, "port", ({**port, "router": at[0], "name": at[1]} for at in places.values()))
    insert(
        database,
        "connection",
        (
            {**connection, "id": f"dxcon-{n:08x}", "account": of, "name": f"bench-{n}", "router": places[n][0], "port": places[n][1],
             "requested_us": connection["requested_us"] + later}
            for n, of, later in more
        ),
    )  # fmt: skip
    insert(
        database,
        "interface",
        (
            {**interface, "id": f"dxvif-{n:08x}", "connection": f"dxcon-{n:08x}", "owner": of, "name": f"bench-{n}",
             "gateway": gates[of], "created_us": interface["created_us"] + later}
            for n, of, later in more
        ),
    )  # fmt: skip
    subjects = itertools.chain.from_iterable((f"dxcon-{n:08x}", f"dxvif-{n:08x}") for n, _, _ in more)
    uuid = event["id"]
    insert(
        database,
        "event",
        (
            {**event, "id": f"{uuid[:-12]}{n:012x}", "at_us": event["at_us"] - n, "subject": subject}
            for n, subject in enumerate(subjects)
        ),
    )
    fill_figures(database, [connection["id"], interface["id"]])
    database.commit()
    database.close()


def fill_figures(database: sqlite3.Connection, subjects: list[str]):
    """Whole rings, each point with traffic and drops."""
    now = time.time()
    for subject, (step, strips) in itertools.product(subjects, RINGS.items()):
        point = {"s": step * 1000, "l": step * 1000, "e": step * 1000, "f": {"packets": step * 900, "bytes": step * 10**6},
                 "t": {"packets": step * 400, "bytes": step * 10**5}, "d": {"denied_by_security_group": 3}}  # fmt: skip
        last = int(now // step) // 6
        insert(
            database,
            "figure",
            (
                {"subject": subject, "step": step, "place": strip % strips, "strip": strip,
                 "document": json.dumps([point] * 6)}
                for strip in range(last - strips + 1, last + 1)
            ),
        )  # fmt: skip


def measure(browser: Browser, paths: list[str], seeded: dict, rounds: int) -> dict:
    """By page: its times, and its size."""
    seen = {path: ([], 0) for path in paths}
    for round in range(rounds + 1):
        for path in paths:
            filled = path
            for word in ("CONNECTION", "INTERFACE", "ACCOUNT"):
                filled = filled.replace(word, seeded[word])
            took, size = browser.first_byte(filled)
            if round > 0:
                seen[path][0].append(took)
            seen[path] = (seen[path][0], size)
    return seen


def show(title: str, seen: dict) -> bool:
    print(f"\n{title:52} {'median ms':>10} {'worst ms':>10} {'kB':>7}   target ≤ {TARGET_MS} ms")
    good = True
    for path, (times, size) in seen.items():
        median = statistics.median(times)
        good &= median <= TARGET_MS
        said = "reached" if median <= TARGET_MS else "missed"
        print(f"{path:52} {median:10.1f} {max(times):10.1f} {size / 1000:7.1f}   {said}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directlink", type=Path, required=True, help="the binary, best a release build")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="directlink-bench-") as folder:
        state = Path(folder) / "state"
        seeded = seed(asked.directlink, state)
        fill(state, seeded, asked.connections)
        with alone(asked.directlink, state) as (server, operator):
            customer = Browser(server.netloc, {"email": seeded["login"], "password": seeded["password"]})
            desk = Browser(operator.netloc, {"token": operator.token})
            title = f"{asked.connections:,} connections; customers' pages"
            good = show(title, measure(customer, CUSTOMERS, seeded, asked.rounds))
            good &= show("the operator's pages", measure(desk, OPERATORS, seeded, asked.rounds))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
