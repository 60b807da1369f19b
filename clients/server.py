"""A server alone, as `directlink serve` starts it: no lab, no routers. It can be killed, and started again where it was.

Its store is read, and prepared, by SQL here (see stores.py).
"""

import os
import random
import signal
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import stores
from region import DIRECTLINK, Region, eventually

TOKEN = "the operator's own"


class Server(Region):
    def __init__(self, folder: Path, *options: str):
        self.folder = folder
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN)
        self.options = options
        self.store = stores.new()
        ports = free_ports(3)
        self.listen = dict(zip(("--listen", "--listen-operator", "--listen-agents"), map(address, ports)))
        self.process = None
        api, operator = (f"http://{self.listen[name]}" for name in ("--listen", "--listen-operator"))
        described = {"region": "eu-west-2", "api": f"{api}/api/v1", "aws": api, "cockpit": f"{api}/cockpit"}
        desk = {"url": operator, "token": TOKEN, "cockpit": urlsplit(operator)._replace(path="/cockpit").geturl()}
        super().__init__(folder / "state", described | {"accounts": [], "routers": [], "operator": desk})

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *options: str):
        server = cls(folder, *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()

    def start(self):
        """Returns when it answers."""
        words = [DIRECTLINK, "serve", "--state", self.state, "--operator-token-file", self.token_file, "--log", "warn"]
        words += [word for pair in self.listen.items() for word in pair]
        words += ["--store", self.store] if self.store else []
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*words, *self.options], stdin=subprocess.DEVNULL, stderr=log)
        eventually(self._answers, True, within_seconds=30, every_seconds=0.002)

    def kill(self):
        """`kill -9`: it cannot even notice."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the server is gone:\n{(self.folder / 'log').read_text()}"
        return all(self._is_open(self.listen[door]) for door in ("--listen", "--listen-operator"))

    @staticmethod
    def _is_open(at: str) -> bool:
        host, port = at.split(":")
        with closing(socket.socket()) as door:
            return door.connect_ex((host, int(port))) == 0

    @contextmanager
    def database(self, mode: str = "ro"):
        with stores.looked_into(self.store, self.state, mode) as db:
            yield db

    def site(self, ports: int):
        """A location with a router; nobody runs its agent."""
        self.operator("POST", "/locations", {"code": "PAR1", "name": "Telehouse 3, France", "subregion": "eu-west-2a"})
        self.operator("POST", "/routers", {"name": "par1-r1", "location": "PAR1", "vtep": "10.255.0.1"})
        for n in range(ports):
            self.operator("POST", "/ports", {"port": f"par1-r1/p{n}", "speed": "1Gbps"})

    def light_everywhere(self):
        """What agents would report: light in the port of each approved connection."""
        self.kill()
        with self.database("rw") as db:
            db.execute("UPDATE connection SET light = 1, light_since_us = approved_us WHERE approved_us IS NOT NULL")
        self.start()


def address(port: int) -> str:
    return f"127.0.0.1:{port}"


def free_ports(count: int) -> list[int]:
    """Below those that the kernel gives to dialling programs: a killed server finds its own again."""
    found = []
    first = random.Random(os.getpid()).randrange(20_000, 30_000)
    for port in range(first, 32_000):
        with closing(socket.socket()) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free port")
