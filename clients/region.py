"""A Region in a lab, as its operator sees it: brought up by `directlink lab up`, taken down with it.

The customers' side is not here: each client brings its own way to talk (see clients.py). The lab's contract:

    lab up   → JSON: addresses, two accounts, the operator's token, routers and their ports
    approve  → POST /operator/v1/orders/dxcon-…/approve: takes a port
    cable    → a veth from that port into a namespace of ours: light
"""

import itertools
import json
import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests

import stores

TOP = Path(__file__).resolve().parent.parent
DIRECTLINK = os.environ.get("DIRECTLINK", str(TOP / "target/debug/directlink"))
CABLES = itertools.count()


@dataclass(frozen=True)
class Account:
    id: str
    access_key: str
    login: str
    secret_key: str = field(repr=False)
    password: str = field(repr=False)


class Region:
    """A running lab. `api` and `aws` are what a customer would put into a client's configuration."""

    def __init__(self, state: Path, described: dict):
        self.state = state
        self.name = described["region"]
        self.api = described["api"]
        self.aws = described["aws"]
        self.cockpit = described["cockpit"]
        self.operator_cockpit = described["operator"]["cockpit"]
        self.operator_token = described["operator"]["token"]
        self.accounts = [account(a) for a in described["accounts"]]
        self.routers = described["routers"]
        operator = urlsplit(described["operator"]["url"])
        self._operator = f"{operator.scheme}://{operator.netloc}/operator/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {described['operator']['token']}"

    @classmethod
    def up(cls, state: Path, clock: str = "real", *options: str) -> "Region":
        # The server of the lab inherits it.
        with stores.named() as store:
            described = json.loads(directlink("lab", "up", "--state", state, "--clock", clock, *options))
        region = cls(state, described)
        region.store = store
        return region

    def down(self):
        directlink("lab", "down", "--state", self.state)

    def operator(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = self._session.request(method, f"{self._operator}{path}", json=body, timeout=30)
        assert answer.ok, f"operator: {method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def new_account(self) -> Account:
        return account(self.operator("POST", "/accounts", {}))

    def advance_clock(self, seconds: int):
        """Time passes at once, in a lab whose clock is virtual."""
        self.operator("POST", "/clock/advance", {"seconds": seconds})

    def approve(self, connection: str) -> str:
        """The operator's yes; answers the port that was taken, as `router/port`."""
        return self.operator("POST", f"/orders/{connection}/approve", {})["port"]

    @contextmanager
    def cable(self, port: str):
        """A cable from `port` into a namespace that exists only for it."""
        netns = f"dlc-{os.getpid()}-{next(CABLES)}"
        run("ip", "netns", "add", netns)
        try:
            directlink("lab", "cable", "--state", self.state, "--port", port, "--netns", netns, "--ifname", "fibre")
            yield
            directlink("lab", "uncable", "--state", self.state, "--port", port)
        finally:
            run("ip", "netns", "del", netns)


def account(described: dict) -> Account:
    return Account(**{key: described[key] for key in ("id", "access_key", "secret_key", "login", "password")})


def directlink(*arguments) -> str:
    return run(DIRECTLINK, *arguments)


def run(*command, timeout_seconds: int = 120) -> str:
    """Standard output of a command that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_seconds)
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}{done.stdout}"
    return done.stdout


def eventually(look, wanted, within_seconds: float = 20, every_seconds: float = 0.1):
    """Looks until what it sees is `wanted`: a value, or a predicate. The last sight is in the failure."""
    holds = wanted if callable(wanted) else lambda seen: seen == wanted
    deadline = time.monotonic() + within_seconds
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {within_seconds} s, wanted {wanted!r}"
        time.sleep(every_seconds)
    return seen
