"""Failover drill: real processes, real faults, and a history that is checked.

    under constant load of creates and reads by real clients, a round each:
        kill -9 PostgreSQL's primary · cut it off · kill -9 a server · cut off etcd's leader
    then: nothing acknowledged is lost, nothing is there twice or half, no VLAN is given twice, no read was older than its
    reader's own write; and a router beside it, whose BGP session and packets never noticed

    drill.py --directlink target/debug/directlink --rounds 20
"""

import argparse
import fcntl
import itertools
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "clients"))

from beside import Beside  # noqa: E402
from cluster import BALANCER, PG, SERVERS, Cluster, eventually, run  # noqa: E402
import checker  # noqa: E402
from customers import SITE, AwsCustomer, Clock, OutscaleCustomer  # noqa: E402
import stores  # noqa: E402

CUSTOMERS_OF_EACH = 2
LINES = 3
QUIET_SECONDS = 3
"""So long writes must have gone on, without a second between two, before a fault is over."""


class Account(SimpleNamespace):
    """As the operator's API gives it."""


class Drill:
    def __init__(self, cluster: Cluster, seed: int):
        self.cluster, self.random = cluster, random.Random(seed)
        self.beside = Beside(cluster)
        self.clock, self.is_over = Clock(), threading.Event()
        self.customers, self.gaps = [], []

    # Before.

    def up(self):
        self.cluster.up()
        self.beside.up()
        for node in SERVERS:
            state = self.cluster.folder / node
            state.mkdir(mode=0o700)
            self.cluster.start_server(node)
        self.cluster.start_balancer()
        eventually(self.all_ready, 60, "three servers")
        self.beside.leave_own_server()
        self.site()
        eventually(self.agents_heard, 60, "the agents at the three servers")
        self.beside.watch()
        self.open()

    def all_ready(self) -> bool:
        asked = [self.cluster.ask(f"http://{ip}:8080/ready") for ip in SERVERS.values()]
        return all(answer.status == 200 for answer in asked)

    def agents_heard(self) -> bool:
        routers = self.operator("GET", "/routers")["routers"]
        return all(router["agent"]["connected"] for router in routers if router["location"] != SITE)

    def operator(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(
            f"http://{SERVERS['s1']}:8081/operator/v1{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self.cluster.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def account(self) -> Account:
        return self.with_room(Account(**self.operator("POST", "/accounts", {})))

    def with_room(self, account: Account) -> Account:
        for quota in "connections", "interfaces_per_connection", "nets":
            self.operator("POST", f"/accounts/{account.id}/quotas", {"quota": quota, "limit": 1_000_000})
        return account

    def site(self):
        """Where customers order: as many as they like, for it has no inventory, and a router that nobody runs."""
        self.operator("POST", "/locations", {"code": SITE, "name": "The drill's own", "subregion": "eu-west-2c"})
        self.operator("POST", "/routers", {"name": "drill-r1", "location": SITE, "vtep": "10.255.0.99"})
        for n in range(LINES):
            self.operator("POST", "/ports", {"port": f"drill-r1/p{n}", "speed": "1Gbps"})

    def open(self):
        """Accounts, the lines that interfaces are given away on, and customers who begin."""
        at = f"http://{BALANCER['balancer']}:8080"
        region = SimpleNamespace(name="eu-west-2", api=f"{at}/api/v1", aws=at)
        homes = self.cluster.folder / "homes"
        homes.mkdir()
        number = itertools.count()

        def customers(of):
            for n in itertools.islice(number, CUSTOMERS_OF_EACH):
                yield of(n, region, self.account(), self.clock, self.is_over, homes / f"customer{n}")

        aws, outscale = list(customers(AwsCustomer)), list(customers(OutscaleCustomer))
        vlans = itertools.count()
        # The lab's two; to make an account takes a debug build some seconds.
        known = json.loads((self.beside.lab / "lab.json").read_text())["accounts"]
        owner, guest = (self.with_room(Account(**account)) for account in known)
        (homes / "owner").mkdir()
        ordering = AwsCustomer.client(aws[0], region, owner, homes / "owner")
        lines = [ordering.order(SITE, "1Gbps", f"line {n}").id for n in range(LINES)]
        for line in lines:
            self.operator("POST", f"/orders/{line}/approve", {})
        # What the agent of their router would report: interfaces are given away on connections with light.
        with stores.looked_into(self.address(*PG.values())) as db:
            db.execute("UPDATE connection SET light = 1, light_since_us = approved_us WHERE router = 'drill-r1'")
        for customer in aws:
            customer.host_on(region, owner, guest, lines, homes / f"owner{customer.number}", vlans)
        self.customers = aws + outscale
        for customer in self.customers:
            customer.start()
        eventually(self.writes_go_on, 60, "the load")

    # A round.

    def fault(self, n: int):
        """Makes one; says what, and how to mend it."""
        cluster = self.cluster
        match n % 4:
            case 0:
                node = cluster.primary()
                cluster.kill(node)
                return f"kill -9 the primary, {node}", lambda: cluster.start_pg(node)
            case 1:
                node = cluster.primary()
                cluster.cut(node)
                return f"cut off the primary, {node}", lambda: cluster.mend(node)
            case 2:
                node = self.random.choice(list(SERVERS))
                cluster.kill(node)
                return f"kill -9 a server, {node}", lambda: cluster.start_server(node)
            case _:
                node = cluster.etcd_leader()
                cluster.cut(node)
                return f"cut off etcd's leader, {node}", lambda: cluster.mend(node)

    def round(self, n: int):
        # Faults come at any moment of Patroni's own round.
        time.sleep(self.random.uniform(0, 1))
        unknown, began = self.unknown(), time.monotonic()
        what, mend = self.fault(n)
        # The fault needs a moment to be felt; then writes must go on, with it still there.
        eventually(lambda: time.monotonic() - began > QUIET_SECONDS and self.writes_go_on(), 120, what)
        mend()
        eventually(self.cluster.is_whole, 120, f"whole after: {what}")
        eventually(self.all_ready, 60, f"ready after: {what}")
        eventually(self.writes_go_on, 60, f"writes after: {what}")
        ended = time.monotonic()
        gap = self.clock.longest_gap(began, ended)
        self.gaps.append((what.split(",")[0], gap))
        print(f"{n + 1:5}  {what:<30}{gap:12.2f} s{self.unknown() - unknown:10}{ended - began:12.0f} s", flush=True)

    def unknown(self) -> int:
        return sum(call.outcome == "unknown" for one in self.customers for call in list(one.history))

    def writes_go_on(self) -> bool:
        now = time.monotonic()
        return self.clock.longest_gap(now - QUIET_SECONDS, now) < 1

    def rounds(self, many: int):
        print(f"{'round':>5}  {'fault':<30}{'no write for':>14}{'unknown':>10}{'whole after':>14}", flush=True)
        for n in range(many):
            self.round(n)

    # After.

    def ends(self) -> list[str]:
        self.is_over.set()
        for one in self.customers:
            one.join()
        history = [call for one in self.customers for call in one.history]
        print(f"\n{checker.told(history)}\n")
        wrong = [violation for one in self.customers for violation in one.violations]
        wrong += checker.unlisted(self.customers)
        with ExitStack() as open_ones:
            look = lambda *ips, **how: open_ones.enter_context(stores.looked_into(self.address(*ips, **how)))  # noqa: E731
            nodes = {node: look(ip, session="any") for node, ip in PG.items()}
            wrong += checker.findings(history, look(*PG.values()), nodes)
        told, noticed = self.beside.findings()
        print(f"beside: {told}\n")
        return wrong + noticed

    @staticmethod
    def address(*ips: str, session: str = "read-write") -> str:
        return f"postgres://directlink:drill@{','.join(f'{ip}:5432' for ip in ips)}/directlink?target_session_attrs={session}"

    def table(self) -> str:
        """How long no write was acknowledged: the longest such time of each round."""
        lines = [f"{'no write acknowledged for':<30}{'rounds':>8}{'median':>10}{'worst':>10}"]
        by_fault = {what: [gap for of, gap in self.gaps if of == what] for what, _ in self.gaps}
        for what, gaps in (by_fault | {"all": [gap for _, gap in self.gaps]}).items():
            lines.append(f"{what:<30}{len(gaps):>8}{statistics.median(gaps):>8.2f} s{max(gaps):>8.2f} s")
        return "\n".join(lines)

    def down(self):
        self.is_over.set()
        self.beside.down()
        self.cluster.down()


def alone():
    """Its namespaces have fixed names: one drill at a time."""
    lock = open("/run/lock/directlink-drill", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("another drill is under way")
    return lock


def main():
    asks = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asks.add_argument("--directlink", type=Path, required=True)
    asks.add_argument("--rounds", type=int, default=20)
    asks.add_argument("--seed", type=int, default=random.randrange(2**32))
    asks.add_argument("--keep", action="store_true", help="leave the folder with all logs, also if all went well")
    given = asks.parse_args()
    _lock = alone()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interrupted"))
    folder = Path(tempfile.mkdtemp(prefix="directlink-drill-"))
    began = time.monotonic()
    print(f"seed {given.seed}, logs in {folder}\n", flush=True)
    drill = Drill(Cluster(folder, given.directlink.resolve()), given.seed)
    wrong = ["it did not come to its end"]
    try:
        for lab in folder.parent.glob("directlink-drill-*/lab"):
            run(drill.cluster.directlink, "lab", "down", "--state", lab)
        drill.up()
        drill.rounds(given.rounds)
        wrong = drill.ends()
        print(drill.table())
    finally:
        drill.down()
        if not (wrong or given.keep):
            shutil.rmtree(folder)
    print("\n" + ("\n".join(wrong) or f"nothing is lost, nothing is there twice or half ({time.monotonic() - began:.0f} s)"))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
