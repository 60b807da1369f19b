"""Customers who order, host and read without a pause, with AWS's and OUTSCALE's own SDKs, and note what each call came to.

    done      the answer said so: it must be there, for everybody, from now on
    refused   a 4xx: it must never be there
    unknown   a 5xx, a broken line, silence: it may be there or not, but not half

The SDKs' own retries are off: a call that is sent again by its client is another call. Each customer writes on one
connection and reads on another, which the balancer leads to another server.
"""

import itertools
import random
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from clients import Boto3, OscSdkPython, Refused
from invariants import TAGS

SITE = "DRILL"
PAUSE_SECONDS = 0.02
NETS = 4
"""A customer has no more at a time."""


@dataclass(frozen=True)
class Call:
    began: float
    ended: float
    kind: str
    wish: object
    outcome: str
    id: str | None = None
    request: str | None = None
    """The server's number of it, with which the event is signed."""
    said: str = ""


class Clock:
    """When writes were acknowledged."""

    def __init__(self):
        self.lock, self.times = threading.Lock(), []

    def acknowledged(self) -> float:
        with self.lock:
            self.times.append(time.monotonic())
            return self.times[-1]

    def longest_gap(self, began: float, ended: float) -> float:
        with self.lock:
            between = self.times[bisect_right(self.times, began) : bisect_right(self.times, ended)]
        times = [began, *between, ended]
        return max(later - sooner for sooner, later in zip(times, times[1:]))


class Customer(threading.Thread):
    """One that goes on until `is_over`."""

    def __init__(self, number: int, region, account, clock: Clock, is_over: threading.Event, home: Path):
        super().__init__(daemon=True)
        self.number, self.account, self.clock, self.is_over = number, account, clock, is_over
        self.random = random.Random(number)
        home.mkdir()
        homes = [home / what for what in ("writes", "reads")]
        for folder in homes:
            folder.mkdir()
        self.writes, self.reads = (self.client(region, account, folder) for folder in homes)
        self.history: list[Call] = []
        self.violations: list[str] = []

    def client(self, region, account, home: Path):
        raise NotImplementedError

    def acts(self) -> list:
        raise NotImplementedError

    def run(self):
        for k in itertools.count():
            if self.is_over.is_set():
                return
            self.random.choice(self.acts())(f"{self.number}-{k}")
            time.sleep(PAUSE_SECONDS)

    def act(self, kind: str, wish, ask, id_of=lambda answer: None) -> str | None:
        """Asks, and notes what it came to; the id where it is done."""
        began = time.monotonic()
        try:
            answer = ask()
        except Refused as refusal:
            outcome = "refused" if refusal.status and refusal.status < 500 else "unknown"
            self.history.append(Call(began, time.monotonic(), kind, wish, outcome, said=str(refusal)))
            return None
        except Exception as error:
            # Whatever it is: the client does not know.
            self.history.append(Call(began, time.monotonic(), kind, wish, "unknown", said=repr(error)))
            return None
        ended = time.monotonic() if kind == "read" else self.clock.acknowledged()
        id = id_of(answer)
        self.history.append(Call(began, ended, kind, wish, "done", id, self.request(answer)))
        return id

    def look(self, id: str, ask, ids_of):
        """What was acknowledged is seen, whichever server is asked."""

        def seen():
            if ids_of(answer := ask()) != [id]:
                self.violations.append(f"{id} was acknowledged, and a read after that does not show it")
            return answer

        self.act("read", id, seen)


class AwsCustomer(Customer):
    """Orders, some with tags, and gives interfaces on the shared connections away, of whose VLANs two want each."""

    def host_on(self, region, owner, guest, lines: list[str], home: Path, vlans):
        home.mkdir()
        self.owner, self.guest, self.lines, self.vlans = self.client(region, owner, home), guest, lines, vlans
        return self

    def client(self, region, account, home):
        return Boto3(region, account, home)

    @staticmethod
    def request(answer) -> str:
        return answer["ResponseMetadata"]["RequestId"]

    def acts(self):
        return [self.order, self.order_tagged, self.host]

    def order(self, name: str, **tags):
        wish = {"location": SITE, "bandwidth": "1Gbps", "connectionName": name, **tags}
        made = self.act("order", name, lambda: self.writes.call("CreateConnection", **wish), lambda a: a["connectionId"])
        if made:
            ask = lambda: self.reads.call("DescribeConnections", connectionId=made)  # noqa: E731
            self.look(made, ask, lambda a: [one["connectionId"] for one in a["connections"]])

    def order_tagged(self, name: str):
        self.order(f"tagged-{name}", tags=[{"key": f"k{n}", "value": name} for n in range(TAGS)])

    def host(self, name: str):
        n = next(self.vlans) // 2
        wish = (self.lines[n // 4000 % len(self.lines)], 2 + n % 4000)
        described = {"virtualInterfaceName": name, "vlan": wish[1], "asn": 65000}
        parameters = {"connectionId": wish[0], "ownerAccount": self.guest.id, "newPrivateVirtualInterfaceAllocation": described}
        ask = lambda: self.owner.call("AllocatePrivateVirtualInterface", **parameters)  # noqa: E731
        self.act("interface", wish, ask, lambda a: a["virtualInterfaceId"])


class OutscaleCustomer(Customer):
    """Orders, and makes Nets, each of which is several rows, and deletes them."""

    nets: tuple = ()

    def client(self, region, account, home):
        return OscSdkPython(region, account, home, max_retries=0)

    @staticmethod
    def request(answer) -> str:
        return answer["ResponseContext"]["RequestId"]

    def acts(self):
        return [self.order, self.net]

    def order(self, name: str):
        wish = {"Location": SITE, "Bandwidth": "1Gbps", "DirectLinkName": name}
        id_of = lambda a: a["DirectLink"]["DirectLinkId"]  # noqa: E731
        if made := self.act("order", name, lambda: self.writes.call("CreateDirectLink", **wish), id_of):
            ask = lambda: self.reads.call("ReadDirectLinks", Filters={"DirectLinkIds": [made]})  # noqa: E731
            self.look(made, ask, lambda a: [one["DirectLinkId"] for one in a["DirectLinks"]])

    def net(self, _name: str):
        if len(self.nets) >= NETS:
            id, *self.nets = self.nets
            return self.act("deleted net", id, lambda: self.writes.call("DeleteNet", NetId=id), lambda _: id)
        ask = lambda: self.writes.call("CreateNet", IpRange="10.0.0.0/16")  # noqa: E731
        if made := self.act("net", None, ask, lambda a: a["Net"]["NetId"]):
            self.nets = [*self.nets, made]
            ask = lambda: self.reads.call("ReadNets", Filters={"NetIds": [made]})  # noqa: E731
            self.look(made, ask, lambda a: [one["NetId"] for one in a["Nets"]])
