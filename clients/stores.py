"""Where a server's facts are: in a file, or in a database of the run's own PostgreSQL.

    DIRECTLINK_TEST_STORE=postgres scripts/with-postgres …     the second
"""

import os
import sqlite3
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

IS_POSTGRES = os.environ.get("DIRECTLINK_TEST_STORE", "sqlite") == "postgres"


def new() -> str | None:
    """The address of an empty one; none where the server makes a file of its own."""
    if not IS_POSTGRES:
        return None
    import psycopg

    cluster = os.environ["DIRECTLINK_TEST_POSTGRES"]
    name = f"clients_{uuid.uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C'")
    return cluster.replace("/postgres?", f"/{name}?")


@contextmanager
def named():
    """A new one is that of each server that is started meanwhile and has not its own."""
    address = new()
    if address is None:
        yield None
        return
    os.environ["DIRECTLINK_STORE"] = address
    try:
        yield address
    finally:
        del os.environ["DIRECTLINK_STORE"]


@contextmanager
def looked_into(address: str | None, state: Path | None = None, mode: str = "ro"):
    """The one witness that is not the server itself: takes SQL, with `?` for each parameter."""
    if address is None:
        with closing(sqlite3.connect(f"file:{state}/region.db?mode={mode}", uri=True)) as db:
            yield db
            db.commit()
    else:
        import psycopg

        with psycopg.connect(address) as db:
            yield Database(db)


class Database:
    def __init__(self, db):
        self.db = db

    def execute(self, query: str, parameters: tuple = ()):
        return self.db.execute(query.replace("%", "%%").replace("?", "%s"), parameters)
