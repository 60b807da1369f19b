"""How soon a router has what a customer asked for, with so many routers, and what the server takes meanwhile.

    a database filled by SQL ──► the server, alone ◄── gRPC, mTLS ── agents of all routers, in one process without routers
      CreatePrivateVirtualInterface, sent at a known time ──► a plan with that interface arrives at its router's agent

    first      the server has planned nothing yet: until every agent has every document
    idle       one call after another, each on another router, while all agents report
    burst      all streams break at once; calls go on while agents dial again
    restart    the server is stopped and started; the same

Times are from before the call is sent: what is measured is signature, decision, COMMIT, plan and the way to the agent.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "api"))

import filling  # noqa: E402
import picture  # noqa: E402
from agents import Agents  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from calls import signed  # noqa: E402
from filling import Fleet  # noqa: E402
from outscale import net_and_gateway, oapi  # noqa: E402
from servers import Operator, Server, alone, free_port  # noqa: E402

SIZES = (50, 100, 200, 350, 500)  # routers
IDLE_CALLS, IDLE_PAUSE = 300, 0.05
BURST_CALLS, BURST_PAUSE = 100, 0.05
IDLE_P99_MS, BURST_P99_MS, MEMORY_MB = 100, 1000, 1024
VLAN = 3000  # and above: what is asked for here


@dataclass
class Row:
    """One size."""

    routers: int
    connections: int
    interfaces: int
    planned: int  # interfaces in plans
    stored_mb: float
    first_s: float
    idle_p50_ms: float = 0
    idle_p99_ms: float = 0
    idle_cores: float = 0
    burst_s: float = 0
    burst_p50_ms: float = 0
    burst_p99_ms: float = 0
    restart_s: float = 0
    restart_p50_ms: float = 0
    restart_p99_ms: float = 0
    memory_mb: float = 0


class Bench:
    def __init__(self, directlink: Path, agents: Path, folder: Path, fleet: Fleet):
        self.directlink, self.agents, self.folder, self.fleet = directlink, agents, folder, fleet
        self.state = folder / "state"
        self.ports = (free_port(), free_port(), free_port())
        self.random = random.Random(fleet.routers)
        self.vlans = iter(range(VLAN, 4094))
        self.taken: set[tuple[int, int]] = set()
        self.secret, self.address = "", iter(range(1, 60_000))

    def run(self) -> Row:
        self.seed()
        filling.fill(self.state / "region.db", self.fleet)
        with Agents(self.agents, f"https://127.0.0.1:{self.ports[2]}", self.folder / "identities.json") as agents:
            with self.serving() as (server, _):
                row = self.first(server, agents)
                say(row, "first")
                row.idle_cores = cores(server, 15)
                agents.watch()
                row.idle_p50_ms, row.idle_p99_ms = percentiles(self.calls(server, agents, IDLE_CALLS, IDLE_PAUSE))
                say(row, "idle")
                row.burst_s, row.burst_p50_ms, row.burst_p99_ms = self.burst(server, agents, agents.burst)
                say(row, "burst")
                row.memory_mb = server.peak_mb()
            with self.serving() as (server, _):
                row.restart_s, row.restart_p50_ms, row.restart_p99_ms = self.burst(server, agents, lambda: None)
                settle(server)
                row.memory_mb = max(row.memory_mb, server.peak_mb())
        say(row, "restart")
        return row

    def serving(self):
        return alone(self.directlink, self.state, self.ports)

    def seed(self):
        """The template, the routers and their identities; through the API."""
        with self.serving() as (server, operator):
            operator.post("locations", code="PAR1", name="Bench", subregion="eu-west-2a")
            operator.post("routers", name="par1-t0", location="PAR1", vtep="10.255.255.1")
            operator.post("ports", port="par1-t0/p0", speed="10Gbps")
            account = operator.post("accounts")
            key = Credentials(account["access_key"], account["secret_key"])
            order = {"location": "PAR1", "bandwidth": "10Gbps", "connectionName": "bench"}
            connection = server.call(key, "CreateConnection", **order)["connectionId"]
            operator.post(f"orders/{connection}/approve")
        filling.light(self.state / "region.db")
        with self.serving() as (server, operator):
            gateway = net_and_gateway(server, account)
            self.create(server, key, connection, gateway, 2)
            [subnet] = oapi(server.netloc, account, "ReadSubnets", {})["Subnets"]
            oapi(server.netloc, account, "CreateNic", {"SubnetId": subnet["SubnetId"]})
            identities = [self.router(operator, n) for n in range(self.fleet.routers)]
        (self.folder / "identities.json").write_text(json.dumps(identities))
        self.secret = account["secret_key"]

    def router(self, operator: Operator, n: int) -> dict:
        name = filling.router(n)
        vtep = f"10.{n // 250}.{n % 250}.1"
        made = operator.post("routers", name=name, location="PAR1", vtep=vtep)
        for port in range(filling.PORTS):
            operator.post("ports", port=f"{name}/p{port}", speed="10Gbps")
        return {"name": name, **made["identity"]}

    def create(self, server: Server, key: Credentials, connection: str, gateway: str, vlan: int) -> bytes:
        n = next(self.address)
        wish = {
            "virtualInterfaceName": f"bench-{n}",
            "vlan": vlan,
            "asn": 65010,
            "virtualGatewayId": gateway,
            "amazonAddress": f"169.254.{200 + n // 60 % 50}.{n % 60 * 4 + 1}/30",
            "customerAddress": f"169.254.{200 + n // 60 % 50}.{n % 60 * 4 + 2}/30",
        }
        call = signed(
            server.netloc, key, "CreatePrivateVirtualInterface", connectionId=connection, newPrivateVirtualInterface=wish
        )  # fmt: skip
        return server.single.one(call)[1]

    def first(self, server: Server, agents: Agents) -> Row:
        """The template's router has no agent; all others get their ports and Nets."""
        began = time.time()
        agents.until(attached=self.fleet.routers, interfaces=self.fleet.wired)
        fleet = self.fleet
        # Each Net is on the routers of its two interfaces; those of one router are one document.
        agents.until_quiet()
        row = Row(fleet.routers, fleet.connections, fleet.interfaces, fleet.wired, 0, agents.last_at - began)
        settle(server)
        row.stored_mb = sum(file.stat().st_size for file in self.state.glob("region.db*")) / 1e6
        return row

    def calls(self, server: Server, agents: Agents, many: int, pause: float) -> list[float]:
        """From a call to its plan at the router, in milliseconds."""
        sent = {}
        for _ in range(many):
            port = self.random.randrange(self.fleet.ports)
            key = Credentials(f"AKBENCH{filling.account(port)}", self.secret)
            gateway = filling.gateway(self.net_for(port))
            at = time.time()
            answer = self.create(server, key, filling.connection(port), gateway, next(self.vlans))
            sent[json.loads(answer)["virtualInterfaceId"]] = at
            time.sleep(pause)
        return [1000 * (at - sent[id]) for id, at in agents.arrivals(sent).items()]

    def net_for(self, port: int) -> int:
        """One of the port's account that its connection does not lead to yet."""
        own = range(port, self.fleet.nets, self.fleet.ports)
        free = [net for net in own if (port, net) not in self.taken and port not in filling.ports_of(net, self.fleet)]
        net = self.random.choice(free)
        self.taken.add((port, net))
        return net

    def burst(self, server: Server, agents: Agents, act) -> tuple[float, float, float]:
        """Until every agent is attached again, and what calls take from then on until all is calm."""
        began = time.time()
        act()
        times = self.calls(server, agents, BURST_CALLS, BURST_PAUSE)
        agents.until(attached=self.fleet.routers)
        settle(server)
        return agents.all_attached_at - began, *percentiles(times)


def percentiles(times: list[float]) -> tuple[float, float]:
    times = sorted(times)
    return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]


def cores(server: Server, seconds: float) -> float:
    before, at = server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / (time.monotonic() - at)


def settle(server: Server):
    """Until the server has no more to do than with agents that report nothing new."""
    calm = 0
    while calm < 3:
        calm = calm + 1 if cores(server, 1) < 0.5 else 0


def say(row: Row, what: str):
    print(f"  {what}: " + ", ".join(f"{k} {v:.4g}" for k, v in asdict(row).items() if v), file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directlink", type=Path, required=True, help="the binary, best a release build")
    parser.add_argument("--agents", type=Path, required=True, help="the example `fleet` of directlink-agent")
    parser.add_argument("--routers", type=int, nargs="+", default=SIZES)
    parser.add_argument("--picture", type=Path, help="draws how it grows")
    asked = parser.parse_args()
    table = []
    for routers in asked.routers:
        with tempfile.TemporaryDirectory(prefix="directlink-bench-") as folder:
            table.append(Bench(asked.directlink, asked.agents, Path(folder), Fleet(routers)).run())
    show(table)
    if asked.picture:
        picture.draw(asked.picture, [asdict(row) for row in table])
    largest = table[-1]
    good = largest.idle_p99_ms < IDLE_P99_MS and largest.burst_p99_ms < BURST_P99_MS and largest.memory_mb < MEMORY_MB
    sys.exit(0 if good else 1)


def show(table: list[Row]):
    said = {
        "routers": "routers, each with an agent",
        "connections": "connections stored",
        "interfaces": "interfaces stored",
        "planned": "  of these in plans",
        "stored_mb": "database, MB",
        "first_s": "all planned and at their routers, from nothing, s",
        "idle_cores": "server's CPU while nothing happens, cores",
        "idle_p50_ms": "call sent → at its router, p50, ms",
        "idle_p99_ms": f"  p99, ms (target < {IDLE_P99_MS})",
        "burst_s": "all streams break: until all are back, s",
        "burst_p50_ms": "  call sent → at its router meanwhile, p50, ms",
        "burst_p99_ms": f"  p99, ms (target < {BURST_P99_MS})",
        "restart_s": "the server restarts: until all are back, s",
        "restart_p50_ms": "  call sent → at its router meanwhile, p50, ms",
        "restart_p99_ms": "  p99, ms",
        "memory_mb": f"server's memory at most, MB (target < {MEMORY_MB})",
    }
    for name, title in said.items():
        values = (getattr(row, name) for row in table)
        print(f"{title:52}" + "".join(f"{value:>12,.{0 if value >= 100 or isinstance(value, int) else 2}f}" for value in values))


if __name__ == "__main__":
    main()
