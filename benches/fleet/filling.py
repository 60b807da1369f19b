"""A Region's database with many routers' worth of everything, from one of each that the API made.

    one account, connection on a port, interface, Net with a host; through the API       the template
    each router: 4 ports, each with a connection of 100 interfaces                         wired: in plans
    196 connections more for each router, that were deleted, with 8 interfaces each         only stored
    a Net of its own for every two wired interfaces, on different routers, with one host

Every row has the form of the template's, with other ids, and its event. Making them through the API would take hours.
"""

import itertools
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "api"))

from growth import insert, rows  # noqa: E402

PORTS, ON_A_PORT = 4, 100
GONE, ON_A_GONE = 196, 8
OF_A_NET = 2  # interfaces that lead to it


@dataclass
class Fleet:
    """How much of everything."""

    routers: int

    @property
    def ports(self) -> int:
        return self.routers * PORTS

    @property
    def wired(self) -> int:
        return self.ports * ON_A_PORT

    @property
    def connections(self) -> int:
        return self.ports + self.routers * GONE

    @property
    def interfaces(self) -> int:
        return self.wired + self.routers * GONE * ON_A_GONE

    @property
    def nets(self) -> int:
        return self.wired // OF_A_NET

    def port(self, n: int) -> tuple[str, str]:
        return router(n // PORTS), f"p{n % PORTS}"


def router(n: int) -> str:
    return f"par1-b{n}"


def account(n: int) -> str:
    return f"{100_000_000_000 + n}"


def connection(n: int) -> str:
    return f"dxcon-{n:08x}"


def gateway(n: int) -> str:
    return f"vgw-0{n:07x}"


def light(path: Path):
    """The template's fibre: no router runs there."""
    database = sqlite3.connect(path)
    database.execute("UPDATE connection SET light = 1, light_since_us = approved_us")
    database.commit()
    database.close()


def fill(path: Path, fleet: Fleet):
    """Adds all that to the database of a stopped server, which has the template, the routers and their ports."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    one = {
        table: rows(database, f'SELECT * FROM "{table}"')
        for table in ("connection interface gateway net subnet security_group security_group_rule nic nic_group"
                      " wire_vlan cross_connect letter route_table route_table_link").split()
    }  # fmt: skip
    accounts(database, fleet)
    nets(database, fleet, one)
    connections(database, fleet, one)
    interfaces(database, fleet, one)
    database.commit()
    database.close()


def accounts(database: sqlite3.Connection, fleet: Fleet):
    """One for each wired connection; all sign with the template's secret."""
    [key] = rows(database, "SELECT * FROM access_key LIMIT 1")
    [of] = rows(database, "SELECT * FROM account WHERE id = ?", key["account"])
    ids = [account(n) for n in range(fleet.ports)]
    insert(database, "account", ({**of, "id": id, "email": f"{id}@bench.test"} for id in ids))
    insert(database, "access_key", ({**key, "id": f"AKBENCH{id}", "account": id} for id in ids))
    insert(database, "quota", ({"account": id, "name": "interfaces_per_connection", "at_most": 1000} for id in ids))


def nets(database: sqlite3.Connection, fleet: Fleet, one: dict):
    """Each with all that the template's has, under ids of its own, and a gateway."""
    old = {row["id"]: row["id"].split("-")[0] for table in ("net", "subnet", "security_group", "nic", "gateway",
           "route_table", "route_table_link", "security_group_rule") for row in one[table]}  # fmt: skip

    def cloned(table: str):
        for n in range(fleet.nets):
            for k, row in enumerate(one[table]):
                new = dict(row)
                for column, value in row.items():
                    if not isinstance(value, str):
                        continue
                    if value in old:
                        value = f"{old[value]}-{k if column == 'id' else 0:01x}{n:07x}"
                    elif column == "permission":
                        for id, kind in old.items():
                            value = value.replace(id, f"{kind}-0{n:07x}")
                    new[column] = value
                if "account" in row:
                    new["account"] = account(owner_of_net(n, fleet))
                if "vni" in row:
                    new["vni"] = 1_000_000 + n
                if "mac" in row:
                    new["mac"] = "02:b0:" + ":".join(f"{n >> shift & 255:02x}" for shift in (24, 16, 8, 0))
                yield new

    for table in ("net", "subnet", "security_group", "security_group_rule", "nic", "nic_group", "gateway",
                  "route_table", "route_table_link"):  # fmt: skip
        if one[table]:
            insert(database, table, cloned(table))


def owner_of_net(n: int, fleet: Fleet) -> int:
    return n % fleet.ports


def ports_of(net: int, fleet: Fleet) -> set[int]:
    return {n // ON_A_PORT for n in range(net, fleet.wired, fleet.nets)}


def connections(database: sqlite3.Connection, fleet: Fleet, one: dict):
    """First those on ports, then those that are gone."""
    [row], [cross], [letter] = one["connection"], one["cross_connect"], one["letter"]
    gone = {**row, "light": 0, **dict.fromkeys(("delete_asked_us", "deleted_us", "port_freed_us"), row["requested_us"])}

    def all():
        for n in range(fleet.connections):
            new = {"id": connection(n), "account": account(n % fleet.ports), "name": f"bench-{n}"}
            if n < fleet.ports:
                router, port = fleet.port(n)
                yield {**row, **new, "router": router, "port": port}
            else:
                yield {**gone, **new, "requested_us": row["requested_us"] - n}

    insert(database, "connection", all())
    places = [(connection(n), *fleet.port(n)) for n in range(fleet.ports)]
    insert(database, "cross_connect", ({**cross, "connection": id, "router": at, "port": port} for id, at, port in places))
    insert(database, "letter", ({**letter, "connection": id, "token": f"BENCH{id}"} for id, _, _ in places))
    events(database, "dxcon", (connection(n) for n in range(fleet.connections)))


def interfaces(database: sqlite3.Connection, fleet: Fleet, one: dict):
    """The wired ones of a Net are on ports that are far from each other."""
    [row], [vlan] = one["interface"], one["wire_vlan"]
    number = itertools.count()
    wired = ((port, k) for port in range(fleet.ports) for k in range(ON_A_PORT))
    gone = ((n, k) for n in range(fleet.ports, fleet.connections) for k in range(ON_A_GONE))

    def all():
        for on, k in itertools.chain(wired, gone):
            n = next(number)
            net = n % fleet.nets
            ended = None if n < fleet.wired else row["created_us"]
            yield {
                **row,
                "id": f"dxvif-{n:08x}",
                "connection": connection(on),
                "owner": account(owner_of_net(net, fleet)),
                "name": f"bench-{n}",
                "vlan": 2 + k,
                "gateway": gateway(net),
                "router_address": f"169.254.{k // 60}.{k % 60 * 4 + 1}/30",
                "customer_address": f"169.254.{k // 60}.{k % 60 * 4 + 2}/30",
                "created_us": row["created_us"] + (n if n < fleet.wired else -n),
                "delete_asked_us": ended,
                "deleted_us": ended,
            }

    made = []
    batch = iter(all())
    while some := list(itertools.islice(batch, 50_000)):
        insert(database, "interface", some)
        insert(database, "wire_vlan", ({**vlan, "connection": i["connection"], "vlan": i["vlan"], "holder": i["id"]} for i in some if i["deleted_us"] is None))
        made += [i["id"] for i in some]
    events(database, "dxvif", made)


def events(database: sqlite3.Connection, kind: str, subjects):
    [event] = rows(database, "SELECT * FROM event WHERE subject LIKE ? ORDER BY id LIMIT 1", f"{kind}-%")
    tail = {"dxcon": "c", "dxvif": "f"}[kind]
    insert(
        database,
        "event",
        ({**event, "id": f"{event['id'][:-12]}{tail}{n:011x}", "subject": subject} for n, subject in enumerate(subjects)),
    )
