"""What a read by id costs with 100,000 connections stored, against what it costs with 100.

    a fresh server ── 10 accounts order 10 each, through the API ── stopped ──► 100
                                                         its database, copied ──► 100,000   rows added by SQL
    both served at once, asked in turns by one client: a random connection of a random account

The rows that are added have the form of those that the API made, each with its event: new ids, names and times, 1,000
accounts with a key and 100 connections each. Ordering them through the API would take longer than all the rest.
"""

import itertools
import json
import random
import shutil
import sqlite3
from pathlib import Path

from botocore.credentials import Credentials
from calls import signed
from servers import Server, alone

FEW, MANY = 100, 100_000
ACCOUNTS = 1000


def two_databases(directlink: Path, folder: Path):
    """Folders of state with FEW and with MANY connections, and all that can be read of each: (key, id)."""
    few, many = folder / "few", folder / "many"
    with alone(directlink, few) as (server, operator):
        operator.post("locations", code="PAR1", name="Bench", subregion="eu-west-2a")
        keys = [operator.account() for _ in range(FEW // 10)]
        order = {"location": "PAR1", "bandwidth": "1Gbps"}
        made = [
            (key, server.call(key, "CreateConnection", **order, connectionName=f"bench-{n}")["connectionId"])
            for n, key in enumerate(keys * 10)
        ]
    shutil.copytree(few, many)
    return (few, made), (many, made + list(fill(many / "region.db", MANY - len(made))))


def fill(path: Path, more: int):
    """Adds connections to the database of a stopped server. All that can be read of them."""
    database = sqlite3.connect(path)
    random_id, made = random.Random(4), []
    [key] = rows(database, "SELECT * FROM access_key LIMIT 1")
    [account] = rows(database, "SELECT * FROM account WHERE id = ?", key["account"])
    [connection] = rows(database, "SELECT * FROM connection WHERE account = ? LIMIT 1", key["account"])
    [event] = rows(database, "SELECT * FROM event WHERE subject = ?", connection["id"])
    numbers = random_id.sample(range(2**32), more)
    taken = {row["id"] for row in rows(database, "SELECT id FROM connection")}
    ids = [id for id in (f"dxcon-{number:08x}" for number in numbers) if id not in taken]
    time_us = itertools.count(connection["requested_us"] + 1)
    accounts = [f"{100_000_000_000 + n}" for n in range(ACCOUNTS)]
    insert(database, "account", ({**account, "id": id, "email": f"{id}@bench.test"} for id in accounts))
    insert(database, "access_key", ({**key, "id": f"AKBENCH{id}", "account": id} for id in accounts))
    owned = [(id, accounts[n % ACCOUNTS], next(time_us)) for n, id in enumerate(ids)]
    insert(
        database,
        "connection",
        ({**connection, "id": id, "account": of, "name": f"bench-{at}", "requested_us": at} for id, of, at in owned),
    )
    uuid = event["id"]
    insert(
        database,
        "event",
        (
            {**event, "id": f"{uuid[:-12]}{n:012x}", "at_us": at, "actor": of, "subject": id}
            for n, (id, of, at) in enumerate(owned)
        ),
    )
    database.commit()
    database.close()
    return [(Credentials(f"AKBENCH{of}", key["secret"]), id) for id, of, _ in owned]


def rows(database: sqlite3.Connection, query: str, *values) -> list[dict]:
    cursor = database.execute(query, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def insert(database: sqlite3.Connection, table: str, new):
    new = iter(new)
    first = next(new, None)
    if first is None:
        return
    marks = ", ".join("?" * len(first))
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({marks})"
    database.executemany(statement, (tuple(row.values()) for row in itertools.chain([first], new)))


def reads(server: Server, readable: list, calls: int, seed: int) -> list[bytes]:
    chosen = random.Random(seed).choices(readable, k=calls)
    return [signed(server.netloc, key, "DescribeConnections", connectionId=id) for key, id in chosen]


def check(server: Server, readable: list):
    """That the server has all that was stored: its first and last, in their order, and as many as an account has."""
    for key, id in (readable[0], readable[-1]):
        [found] = server.call(key, "DescribeConnections", connectionId=id)["connections"]
        if found["connectionId"] != id:
            raise SystemExit(f"asked for {id}: {json.dumps(found)}")
    key = readable[-1][0]
    own = [id for of, id in readable if of.access_key == key.access_key]
    listed = [found["connectionId"] for found in server.call(key, "DescribeConnections")["connections"]]
    if listed != own:
        raise SystemExit(f"{len(own)} connections are stored, {len(listed)} are listed, or in another order")
