"""Calls per CPU second: our server, which verifies, decides and stores durably, against moto_server, a mock in memory.

    for each round: accounts with room ──► ours: creates, reads     CPU clock of the server's process before and after
                    a fresh mock       ──► moto: creates, reads     (all its threads, to the nanosecond)

The same signed requests go to both, from as many clients at once and in turns within one run, so that a busy machine
disturbs both alike. Only the servers' CPU time counts: a Python client could never saturate ours. Nothing is
subtracted: our agents report to our server meanwhile, and moto checks no signature.
"""

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CREATES_PER_ACCOUNT = 10  # the default quota
TARGET_RATIO = 10


@dataclass
class Server:
    """One to be measured."""

    name: str
    netloc: str
    pid: int
    clients: ThreadPoolExecutor
    cpu_seconds: dict = field(default_factory=dict)
    calls: dict = field(default_factory=dict)
    connections: threading.local = field(default_factory=threading.local)

    def cpu_clock(self) -> float:
        # The clock id of a process's CPU time: what clock_getcpuclockid(3) answers.
        return time.clock_gettime((~self.pid << 3) | 2)

    def measure(self, what: str, calls: list):
        before = self.cpu_clock()
        for _ in self.clients.map(lambda call: call(), calls):
            pass
        self.cpu_seconds[what] = self.cpu_seconds.get(what, 0) + self.cpu_clock() - before
        self.calls[what] = self.calls.get(what, 0) + len(calls)

    def milliseconds(self, what: str) -> float:
        return 1000 * self.cpu_seconds[what] / self.calls[what]

    def call(self, key: Credentials, operation: str, **parameters) -> dict:
        body = json.dumps(parameters)
        request = AWSRequest("POST", f"http://{self.netloc}/", data=body)
        request.headers["Content-Type"] = "application/x-amz-json-1.1"
        request.headers["X-Amz-Target"] = f"OvertureService.{operation}"
        SigV4Auth(key, "directconnect", "eu-west-2").add_auth(request)
        connection = self.connection()
        connection.request("POST", "/", body, dict(request.headers.items()))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {operation}: {answer.status} {text.decode()}")
        return json.loads(text)

    def connection(self) -> http.client.HTTPConnection:
        """This client's own; it is kept for as long as the server lets it."""
        if not hasattr(self.connections, "http"):
            self.connections.http = http.client.HTTPConnection(self.netloc, timeout=60)
        return self.connections.http

    def round(self, keys: list[Credentials]):
        order = {"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "bench"}
        each = [key for key in keys for _ in range(CREATES_PER_ACCOUNT)]
        self.measure("create", [lambda key=key: self.call(key, "CreateConnection", **order) for key in each])
        self.measure("read 10", [lambda key=key: self.call(key, "DescribeConnections") for key in each])


@contextmanager
def ours(directlink: Path, clients: ThreadPoolExecutor):
    """A lab's server, and a way to make accounts with room for orders."""
    with tempfile.TemporaryDirectory(prefix="directlink-bench-") as state:
        up = subprocess.run([directlink, "lab", "up", "--state", state], check=True, stdout=subprocess.PIPE)
        try:
            lab = json.loads(up.stdout)
            netloc = urlsplit(lab["aws"]).netloc
            yield Server("directlink", netloc, listener(netloc), clients), lambda: new_account(lab["operator"])
        finally:
            subprocess.run([directlink, "lab", "down", "--state", state], check=True, stdout=subprocess.DEVNULL)


def new_account(operator: dict) -> Credentials:
    connection = http.client.HTTPConnection(urlsplit(operator["url"]).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {operator['token']}", "Content-Type": "application/json"}
    connection.request("POST", "/operator/v1/accounts", "{}", headers)
    answer = connection.getresponse()
    made = json.loads(answer.read())
    connection.close()
    return Credentials(made["access_key"], made["secret_key"])


@contextmanager
def moto(clients: ThreadPoolExecutor):
    """moto_server; the second value empties it."""
    port = free_port()
    command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(f"127.0.0.1:{port}", "GET", "/moto-api/"))
            server = Server("moto_server", f"127.0.0.1:{port}", process.pid, clients)
            yield server, lambda: answers(server.netloc, "POST", "/moto-api/reset")
        finally:
            process.terminate()
            process.wait()


def answers(netloc: str, method: str, path: str) -> bool:
    connection = http.client.HTTPConnection(netloc, timeout=60)
    try:
        connection.request(method, path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait_for(holds, within_seconds: float = 60):
    deadline = time.monotonic() + within_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"moto_server did not answer within {within_seconds} s")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def listener(netloc: str) -> int:
    """The process that listens there."""
    port = netloc.rsplit(":", 1)[1]
    told = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], check=True, capture_output=True, text=True).stdout
    return int(told.split("pid=", 1)[1].split(",", 1)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directlink", type=Path, required=True, help="the binary, best a release build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=20, help=f"per round; each orders {CREATES_PER_ACCOUNT} times")
    parser.add_argument("--clients", type=int, default=16, help="that ask at the same time")
    asked = parser.parse_args()

    clients = ThreadPoolExecutor(asked.clients)
    with clients, ours(asked.directlink, clients) as (server, account), moto(clients) as (mock, empty):
        for round in range(asked.rounds + 1):
            if round == 1:  # the one before it warmed both up
                for each in (server, mock):
                    each.cpu_seconds, each.calls = {}, {}
            server.round([account() for _ in range(asked.accounts)])
            for key in [Credentials("A" * 20, "S" * 40)] * asked.accounts:
                empty()
                mock.round([key])

        print(f"{asked.clients} clients at once")
        print(f"{'':10} {'calls':>7} {'directlink':>22} {'moto_server':>22} {'ratio':>7}")
        print(f"{'':10} {'each':>7} {'CPU ms':>11} {'per CPU-s':>10} {'CPU ms':>11} {'per CPU-s':>10}")
        for what in server.calls:
            a, b = server.milliseconds(what), mock.milliseconds(what)
            print(f"{what:10} {server.calls[what]:7} {a:11.3f} {1000 / a:10.0f} {b:11.3f} {1000 / b:10.0f} {b / a:6.1f}x")
        ratio = mock.milliseconds("create") / server.milliseconds("create")
        print(f"creates per CPU second: {ratio:.1f} times moto_server's; the target is {TARGET_RATIO}")


if __name__ == "__main__":
    main()
