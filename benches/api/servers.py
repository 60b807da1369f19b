"""The servers that are asked: a lab's, one of ours alone, and moto_server."""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from botocore.credentials import Credentials
from calls import Clients, signed


class Server:
    """One to be measured."""

    def __init__(self, netloc: str, pid: int, many: int = 1):
        self.netloc, self.pid = netloc, pid
        self.clients = Clients(netloc, many)
        self.single = Clients(netloc, 1)

    def cpu_seconds(self) -> float:
        # The clock id of a process's CPU time: what clock_getcpuclockid(3) answers.
        return time.clock_gettime((~self.pid << 3) | 2)

    def peak_mb(self) -> float:
        """The most memory that it had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1000

    def call(self, key: Credentials, operation: str, **parameters) -> dict:
        return json.loads(self.single.one(signed(self.netloc, key, operation, **parameters))[1])


class Operator:
    """Our operator's API."""

    def __init__(self, url: str, token: str):
        self.netloc, self.token = urlsplit(url).netloc, token

    def post(self, path: str, **body) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.netloc, timeout=60)
        connection.request("POST", f"/operator/v1/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status not in (200, 201):
            raise SystemExit(f"operator: {path}: {answer.status} {text}")
        return json.loads(text)

    def account(self, connections: int = 10) -> Credentials:
        """A new one that may have so many connections."""
        made = self.post("accounts")
        if connections != 10:
            self.post(f"accounts/{made['id']}/quotas", quota="connections", limit=connections)
        return Credentials(made["access_key"], made["secret_key"])


@contextmanager
def lab(directlink: Path, many: int):
    """A lab's server, its routers' agents reporting meanwhile, and its operator."""
    with tempfile.TemporaryDirectory(prefix="directlink-bench-") as state:
        up = subprocess.run([directlink, "lab", "up", "--state", state], check=True, stdout=subprocess.PIPE)
        try:
            told = json.loads(up.stdout)
            netloc = urlsplit(told["aws"]).netloc
            yield Server(netloc, listener(netloc), many), Operator(told["operator"]["url"], told["operator"]["token"])
        finally:
            subprocess.run([directlink, "lab", "down", "--state", state], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def alone(directlink: Path, state: Path, ports: tuple[int, int, int] | None = None):
    """A server of ours without routers, over the database in `state`. `ports`: for customers, the operator, agents."""
    api, operator, agents = (f"127.0.0.1:{port or free_port()}" for port in ports or (0, 0, 0))
    command = [directlink, "serve", "--state", state, "--listen", api, "--listen-operator", operator]
    with running([*command, "--listen-agents", agents], api) as pid:
        yield Server(api, pid), Operator(f"http://{operator}", (state / "operator-token").read_text().strip())


@contextmanager
def moto(many: int):
    netloc = f"127.0.0.1:{free_port()}"
    command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", netloc.split(":")[1]]
    with running(command, netloc) as pid:
        yield Server(netloc, pid, many)


def forget_all(mock: Server):
    """Empties moto_server."""
    connection = http.client.HTTPConnection(mock.netloc, timeout=60)
    connection.request("POST", "/moto-api/reset")
    if connection.getresponse().status != 200:
        raise SystemExit("moto_server could not be emptied")
    connection.close()


@contextmanager
def running(command: list, netloc: str, within_seconds: float = 60):
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + within_seconds
            while not listens(netloc):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} does not answer:\n{log.read().decode()}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def listens(netloc: str) -> bool:
    host, port = netloc.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def listener(netloc: str) -> int:
    """The process that listens there."""
    port = netloc.rsplit(":", 1)[1]
    told = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], check=True, capture_output=True, text=True).stdout
    return int(told.split("pid=", 1)[1].split(",", 1)[0])
