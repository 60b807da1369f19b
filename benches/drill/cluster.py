"""A Region on three servers, and its PostgreSQL on two nodes: each in a network namespace of its own, on one wire.

      hub (a namespace of ours): the wire 10.99.0.0/24, and a lab's agents (see beside.py)
       ├── etcd1 etcd2 etcd3     .11 .12 .13   who agrees on which node takes writes
       ├── pg1 pg2               .21 .22       PostgreSQL under Patroni, synchronous
       ├── s1 s2 s3              .31 .32 .33   directlink serve
       └── balancer              .40           HAProxy: to servers that say that they are ready
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HUB = "dldrill"
WIRE = "10.99.0"
ETCD = {f"etcd{n}": f"{WIRE}.{10 + n}" for n in (1, 2, 3)}
PG = {f"pg{n}": f"{WIRE}.{20 + n}" for n in (1, 2)}
SERVERS = {f"s{n}": f"{WIRE}.{30 + n}" for n in (1, 2, 3)}
BALANCER = {"balancer": f"{WIRE}.40"}
NODES = ETCD | PG | SERVERS | BALANCER
# The lab's, from which all addresses follow.
IPV6 = "fd44:4c00::/24"
STORE = f"postgres://directlink:drill@{','.join(f'{ip}:5432' for ip in PG.values())}/directlink"


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}{done.stdout}"
    return done.stdout


def eventually(look, within_seconds: float, what: str, still=lambda: None):
    """What `look` sees, once it is something. What is not there yet may fail; `still` fails where it never will be."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            if seen := look():
                return seen
        except (OSError, ValueError, subprocess.SubprocessError, AssertionError):
            pass
        still()
        assert time.monotonic() < deadline, f"{what}: not within {within_seconds} s"
        time.sleep(0.1)


class Cluster:
    """Everything that `up` has started ends with `down`, also what a fault left behind, or a drill that was killed."""

    def __init__(self, folder: Path, directlink: Path, parameters: dict | None = None):
        self.folder, self.directlink = folder, directlink
        self.parameters = {"max_connections": 200} | (parameters or {})
        self.processes = {}
        self.token = "the drill's own"

    # The wire.

    def wire(self):
        run("ip", "netns", "add", HUB)
        run("ip", "-n", HUB, "link", "set", "lo", "up")
        run("ip", "-n", HUB, "link", "add", "wire", "type", "bridge")
        run("ip", "-n", HUB, "addr", "add", f"{WIRE}.1/24", "dev", "wire")
        run("ip", "-n", HUB, "link", "set", "wire", "up")
        for node, ip in NODES.items():
            space = self.space(node)
            run("ip", "netns", "add", space)
            run("ip", "-n", HUB, "link", "add", node, "type", "veth", "peer", "name", "eth0", "netns", space)
            run("ip", "-n", HUB, "link", "set", node, "master", "wire", "up")
            run("ip", "-n", space, "addr", "add", f"{ip}/24", "dev", "eth0")
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")

    @staticmethod
    def enter():
        """From now on this thread, and those that it starts, are on the wire."""
        with open(f"/run/netns/{HUB}") as hub:
            if ctypes.CDLL(None, use_errno=True).setns(hub.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")

    @staticmethod
    def space(node: str) -> str:
        return f"{HUB}-{node}"

    def cut(self, node: str):
        """Nobody reaches it, and it reaches nobody; what it runs goes on."""
        run("ip", "-n", HUB, "link", "set", node, "down")

    def mend(self, node: str):
        run("ip", "-n", HUB, "link", "set", node, "up")

    # Its daemons.

    def start(self, node: str, *words, space: str | None = None, env: dict | None = None):
        log = open(self.folder / f"{node}.log", "ab")
        words = ["nsenter", f"--net=/run/netns/{space or self.space(node)}", *words]
        process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, env=os.environ | (env or {}),
        )
        self.processes[node] = process

    def still_runs(self, node: str):
        if self.processes[node].poll() is not None:
            sys.exit(f"{node} has died:\n{(self.folder / f'{node}.log').read_text()[-2000:]}")

    def end(self, node: str, signal_number: int):
        """One that was started here, if it is."""
        if process := self.processes.pop(node, None):
            process.send_signal(signal_number)
            process.wait()

    def kill(self, node: str):
        """`kill -9` of all that runs there: a node of PostgreSQL with its Patroni."""
        for pid in run("ip", "netns", "pids", self.space(node)).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        if process := self.processes.pop(node, None):
            process.wait()

    def start_etcd(self, node: str):
        ip = ETCD[node]
        peers = ",".join(f"{name}=http://{at}:2380" for name, at in ETCD.items())
        self.start(
            node, "etcd", "--name", node, "--data-dir", self.folder / node,
            "--listen-peer-urls", f"http://{ip}:2380", "--initial-advertise-peer-urls", f"http://{ip}:2380",
            "--listen-client-urls", f"http://{ip}:2379", "--advertise-client-urls", f"http://{ip}:2379",
            "--initial-cluster", peers, "--log-level", "error",
        )

    def start_pg(self, node: str):
        home = self.folder / node
        if not home.exists():
            home.mkdir(mode=0o700)
            shutil.chown(home, "postgres", "postgres")
            (self.folder / f"{node}.yml").write_text(self.patroni(node))
        self.start(node, "runuser", "--user", "postgres", "--", "patroni", self.folder / f"{node}.yml")

    def patroni(self, node: str) -> str:
        bin_dir = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        ip = PG[node]
        login = {"username": "postgres", "password": "drill"}
        described = {
            "scope": "drill", "name": node,
            "restapi": {"listen": f"{ip}:8008", "connect_address": f"{ip}:8008"},
            "etcd3": {"hosts": [f"{at}:2379" for at in ETCD.values()]},
            "bootstrap": {
                "dcs": {
                    # The least that Patroni takes: a primary that is gone is missed for so long.
                    "ttl": 20, "loop_wait": 1, "retry_timeout": 3, "maximum_lag_on_failover": 1048576,
                    "master_start_timeout": 0,
                    # A COMMIT is answered when the other node has it on disk as well, and only a node that has every
                    # COMMIT may take over.
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": self.parameters},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
                "pg_hba": [
                    f"host all all {WIRE}.0/24 md5", f"host replication all {WIRE}.0/24 md5",
                    "local all all trust", "local replication all trust",
                ],
            },
            "postgresql": {
                "listen": f"{ip}:5432", "connect_address": f"{ip}:5432", "data_dir": str(self.folder / node / "data"),
                "bin_dir": str(bin_dir), "pgpass": str(self.folder / node / "pgpass"),
                "authentication": {"replication": {"username": "replicator", "password": "drill"}, "superuser": login},
                "parameters": {"unix_socket_directories": str(self.folder / node), "password_encryption": "md5"},
            },
        }
        # JSON is YAML.
        return json.dumps(described)

    def start_server(self, node: str, store: str = STORE):
        ip = SERVERS[node]
        self.start(
            node, self.directlink, "serve", "--state", self.folder / node, "--store", store,
            "--operator-token-file", self.folder / "token", "--log", "info",
            "--listen", f"{ip}:8080", "--listen-operator", f"{ip}:8081", "--listen-agents", f"{ip}:8082",
            "--server-name", ip, "--ipv6", IPV6, "--account-rate", "off", "--address-rate", "off", "--drain-seconds", "2",
        )

    def start_balancer(self):
        def servers(path: str) -> str:
            lines = [f"    server {name} {ip}:8080 check inter 500ms fall 2 rise 1" for name, ip in SERVERS.items()]
            return "\n".join(["    balance roundrobin", f"    option httpchk GET {path}", *lines])

        config = self.folder / "haproxy.cfg"
        # Without its database no server is ready. A request is better off where it can wait for the next primary than
        # with a balancer that has nobody; and what waits there is not cut off.
        config.write_text(f"""\
defaults
    mode tcp
    timeout connect 1s
    timeout client 90s
    timeout server 90s
    option redispatch
    retries 3
frontend api
    bind {BALANCER["balancer"]}:8080
    use_backend alive if {{ nbsrv(ready) eq 0 }}
    default_backend ready
backend ready
{servers("/ready")}
backend alive
{servers("/live")}
""")
        self.start("balancer", "haproxy", "-db", "-f", config)

    # Who is what.

    def health(self, node: str) -> dict:
        """What Patroni says of itself."""
        with self.ask(f"http://{PG[node]}:8008/patroni") as answer:
            return json.load(answer)

    def ask(self, url: str):
        return urllib.request.urlopen(url, timeout=2)

    def primary(self) -> str | None:
        """As etcd says."""
        for node in PG:
            try:
                if self.health(node).get("role") in ("master", "primary"):
                    return node
            except (OSError, ValueError):
                continue
        return None

    def is_whole(self) -> bool:
        """A primary, and a standby that may take over: without it no COMMIT is answered, and etcd says so. (Patroni
        writes the latter down some seconds after the former; until then nobody could take over.)"""
        roles = {node: self.health(node).get("role") for node in PG}
        standbys = [node for node, role in roles.items() if role == "replica"]
        return len(standbys) == 1 and self.ask(f"http://{PG[standbys[0]]}:8008/sync").status == 200

    def etcd_leader(self) -> str:
        for node, ip in ETCD.items():
            status = json.loads(run(
                "nsenter", f"--net=/run/netns/{HUB}", "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", f"http://{ip}:2379",
                "endpoint", "status", "--write-out", "json",
            ))[0]["Status"]
            if status["header"]["member_id"] == status["leader"]:
                return node
        raise AssertionError("etcd has no leader")

    # All of it.

    def up(self):
        (self.folder / "token").write_text(self.token)
        # PostgreSQL is another user.
        self.folder.chmod(0o755)
        self.down()
        self.wire()
        self.enter()
        for node in ETCD:
            self.start_etcd(node)
        eventually(self.etcd_leader, 30, "etcd")
        for node in PG:
            self.start_pg(node)
        eventually(self.is_whole, 90, "two nodes of PostgreSQL")
        primary = self.primary()
        for statement in (
            "CREATE ROLE directlink LOGIN PASSWORD 'drill'",
            "CREATE DATABASE directlink OWNER directlink TEMPLATE template0 LC_COLLATE 'C'",
        ):
            psql = ["psql", "--host", self.folder / primary, "--command", statement, "postgres"]
            run("runuser", "--user", "postgres", "--", *psql)

    def down(self):
        for node in NODES:
            if Path(f"/run/netns/{self.space(node)}").exists():
                self.kill(node)
        for space in [*map(self.space, NODES), HUB]:
            if Path(f"/run/netns/{space}").exists():
                run("ip", "netns", "del", space)
