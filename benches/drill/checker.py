"""Holds a history against what is in the database, and against what the servers say of it. Each finding is a line.

    acknowledged   in the tables of both nodes, with its event; among what the API lists
    refused        in no table
    unknown        either, but whole: see clients/invariants.py
    everything     no request was carried out twice, no name is there twice, no VLAN is given twice
"""

import re
from collections import Counter

from customers import Call
from invariants import half_done

TABLES = {"order": "connection", "interface": "interface"}
LIVE_VLANS = """
    SELECT connection, vlan FROM interface
    WHERE deleted_us IS NULL AND rejected_us IS NULL AND expired_us IS NULL GROUP BY connection, vlan HAVING count(*) > 1"""
CREATED_TWICE = """
    SELECT why, count(*) FROM event WHERE what IN ('connection ordered', 'interface created', 'Net created')
    GROUP BY why HAVING count(*) > 1"""


def findings(history: list[Call], primary, nodes: dict) -> list[str]:
    """What is wrong. `nodes`: every node of the database, by name."""
    found = [line for name, db in nodes.items() for line in lost(history, db, name)]
    found += twice(history, primary)
    found += refused_and_there(history, primary)
    found += [f"half done: {what}: {rows[:3]}" for what, rows in half_done(primary).items()]
    return found


def ids(db, query: str) -> set:
    return {id for (id,) in db.execute(query).fetchall()}


def lost(history: list[Call], db, node: str) -> list[str]:
    done = [call for call in history if call.outcome == "done" and call.kind != "read"]
    there = {kind: ids(db, f"SELECT id FROM {table}") for kind, table in TABLES.items()}
    there["net"] = ids(db, "SELECT subject FROM event WHERE what = 'Net created'")
    there["deleted net"] = ids(db, "SELECT subject FROM event WHERE what = 'Net deleted'") - ids(db, "SELECT id FROM net")
    reasons = ids(db, "SELECT why FROM event")
    gone = [call for call in done if call.id not in there[call.kind]]
    silent = [call for call in done if call.request not in reasons]
    found = [f"{call.kind} {call.id} was acknowledged, and is not at {node}" for call in gone]
    return found + [f"{call.kind} {call.id} has no event at {node}" for call in silent]


def twice(history: list[Call], db) -> list[str]:
    names = [(call.kind, call.wish) for call in history if call.kind in TABLES and call.outcome == "done"]
    found = [f"{kind} {wish} was acknowledged twice" for (kind, wish), many in Counter(names).items() if many > 1]
    asked = {call.wish for call in history if call.kind == "order"}
    there = Counter(name for (name,) in db.execute("SELECT name FROM connection").fetchall() if name in asked)
    found += [f"order {name} is there {many} times" for name, many in there.items() if many > 1]
    found += [f"VLAN {vlan} of {line} is given twice" for line, vlan in db.execute(LIVE_VLANS).fetchall()]
    return found + [f"request {why} was carried out {many} times" for why, many in db.execute(CREATED_TWICE).fetchall()]


def refused_and_there(history: list[Call], db) -> list[str]:
    there = ids(db, "SELECT name FROM connection")
    refused = [call for call in history if call.kind == "order" and call.outcome == "refused"]
    return [f"order {call.wish} was refused ({call.said}), and is there" for call in refused if call.wish in there]


def unlisted(customers: list) -> list[str]:
    """Acknowledged, and not among what the API lists to its customer."""
    found = []
    for customer in customers:
        done = {call.id for call in customer.history if call.kind == "order" and call.outcome == "done"}
        listed = {connection.id for connection in customer.reads.connections()}
        found += [f"order {id} was acknowledged, and is not listed" for id in done - listed]
    return found


def told(history: list[Call]) -> str:
    """How many calls came to what, and why clients do not know what came of some."""
    kinds = sorted({call.kind for call in history})
    words = ("done", "refused", "unknown")
    many = Counter((call.kind, call.outcome) for call in history)
    lines = [f"{'call':<12}" + "".join(f"{word:>9}" for word in words)]
    lines += [f"{kind:<12}" + "".join(f"{many[kind, word]:>9,}" for word in words) for kind in kinds]
    why = Counter(cause(call.said) for call in history if call.outcome == "unknown")
    return "\n".join(lines + [f"  unknown {n:>6,} times: {said}" for said, n in why.most_common(5)])


def cause(said: str) -> str:
    """Without what differs from call to call."""
    return re.sub(r"0x[0-9a-f]+|[0-9a-f-]{36}|http://\S+", "…", said)[:110]
