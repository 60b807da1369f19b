"""A point in time restored from PostgreSQL's own backup and archive, in the drill's cluster: docs/point-in-time.md, as run.

    base backup ── orders ── TIME ── a bad DELETE ── an order
         └───────── the archive is replayed up to TIME ──► a PostgreSQL of its own ── store copy ──► the cluster

Prints each command and what it said.
"""

import argparse
import http.client
import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "clients"))

from cluster import PG, SERVERS, STORE, Cluster, eventually, run  # noqa: E402
from drill import alone  # noqa: E402
from signing import to_outscale  # noqa: E402


class Trial:
    def __init__(self, folder: Path, directlink: Path):
        self.folder, self.archive, self.backup = folder, folder / "archive", folder / "backup"
        self.restored, self.has_begun = self.backup / "restored", False
        command = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        parameters = {"archive_mode": "on", "archive_command": command, "archive_timeout": 60}
        self.cluster = Cluster(folder, directlink, parameters)

    def shows(self, *words, user: str | None = None):
        """Runs it, and prints it as who does it would type it."""
        words = [str(word) for word in words]
        print(self.readable(f"\n$ {shlex.join(words)}"), flush=True)
        said = run(*(["runuser", "--user", user, "--"] if user else []), *words, cwd=self.folder)
        print(self.readable(said), end="", flush=True)
        return said

    def readable(self, text: str) -> str:
        return text.replace(str(self.folder), "/srv").replace(str(self.cluster.directlink), "directlink")

    def sql(self, statement: str) -> str:
        at = ["--host", self.folder / self.cluster.primary(), "--tuples-only", "--no-align"]
        return self.shows("psql", *at, "--command", statement, "directlink", user="postgres").strip()

    def up(self):
        for kept in (self.archive, self.backup):
            kept.mkdir()
            shutil.chown(kept, "postgres", "postgres")
        self.cluster.up()
        self.server(STORE)

    def server(self, store: str):
        self.cluster.kill("s1")
        (self.folder / "s1").mkdir(mode=0o700, exist_ok=True)
        self.cluster.start_server("s1", store)
        eventually(lambda: self.cluster.ask(f"http://{SERVERS['s1']}:8080/ready").status == 200, 60, "the server")

    def asks(self, path: str, body: bytes, headers: dict, port: int) -> dict:
        line = http.client.HTTPConnection(SERVERS["s1"], port, timeout=30)
        line.request("POST", path, body, headers)
        answer = line.getresponse()
        text = answer.read()
        assert answer.status < 300, f"{path}: {answer.status} {text}"
        return json.loads(text)

    def operator(self, path: str, body: dict) -> dict:
        headers = {"Authorization": f"Bearer {self.cluster.token}"}
        return self.asks(f"/operator/v1/{path}", json.dumps(body).encode(), headers, 8081)

    def customer(self, action: str, parameters: dict) -> dict:
        region = SimpleNamespace(api=f"http://{SERVERS['s1']}:8080/api/v1", name="eu-west-2")
        asked = to_outscale(region, self.account, action, parameters)
        return self.asks(f"/api/v1/{action}", asked.body, asked.signed_headers(), 8080)

    def orders(self, *names: str):
        for name in names:
            wish = {"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": name}
            self.customer("CreateDirectLink", wish)

    def names(self) -> list[str]:
        return [one["DirectLinkName"] for one in self.customer("ReadDirectLinks", {})["DirectLinks"]]

    def happens(self) -> str:
        """What must come back, a moment, and what must not; answers the moment."""
        self.operator("locations", {"code": "PAR1", "name": "Telehouse 3, France", "subregion": "eu-west-2a"})
        self.account = SimpleNamespace(**self.operator("accounts", {}))
        self.orders("before the backup")
        base = ["--pgdata", self.backup / "base", "--wal-method", "stream", "--checkpoint", "fast"]
        self.shows("pg_basebackup", "--host", self.folder / self.cluster.primary(), *base, user="postgres")
        self.orders("after the backup", "the last good one")
        moment = self.sql("SELECT now()")
        self.sql("DELETE FROM connection")
        self.orders("after the accident")
        # What was written is in the archive when its file is full; this makes it so at once.
        self.sql("SELECT pg_switch_wal()")
        return moment

    def restores(self, moment: str):
        self.shows("cp", "--archive", self.backup / "base", self.restored)
        settings = self.restored / "postgresql.auto.conf"
        with open(settings, "a") as file:
            file.write(f"restore_command = 'cp {self.archive}/%f %p'\nrecovery_target_time = '{moment}'\n"
                       "recovery_target_action = 'promote'\n")
        self.shows("tail", "--lines", "3", settings)
        self.shows("touch", self.restored / "recovery.signal", user="postgres")
        [bin_dir] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
        # Patroni gave the original these on its command line, or wrote them into its settings.
        options = f"-c listen_addresses= -c unix_socket_directories={self.restored}"
        options += " -c synchronous_standby_names= -c archive_mode=off"
        pg_ctl = [bin_dir / "pg_ctl", "start", "--wait", "--pgdata", self.restored, "--log", self.backup / "log"]
        self.shows(*pg_ctl, "--options", options, user="postgres")
        self.has_begun = True
        psql = ["psql", "--host", self.restored, "--tuples-only", "--no-align", "directlink", "--command"]
        asked = ["runuser", "--user", "postgres", "--", *psql, "SELECT pg_is_in_recovery()"]
        eventually(lambda: run(*asked).strip() == "f", 30, "the end of recovery")
        self.shows(*psql, "SELECT name FROM connection ORDER BY requested_us", user="postgres")

    def stop(self):
        if self.has_begun:
            [bin_dir] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
            run("runuser", "--user", "postgres", "--", bin_dir / "pg_ctl", "stop", "--pgdata", self.restored)

    def goes_on(self):
        self.sql("CREATE DATABASE directlink_restored OWNER directlink TEMPLATE template0 LC_COLLATE 'C'")
        restored = f"postgres://directlink@localhost/directlink?host={self.restored}"
        self.shows(self.cluster.directlink, "store", "copy", restored, f"{STORE}_restored")
        self.server(f"{STORE}_restored")


def main():
    asks = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asks.add_argument("--directlink", type=Path, required=True)
    given = asks.parse_args()
    _lock = alone()
    folder = Path(tempfile.mkdtemp(prefix="directlink-drill-"))
    trial = Trial(folder, given.directlink.resolve())
    try:
        trial.up()
        moment = trial.happens()
        trial.restores(moment)
        trial.goes_on()
        names = trial.names()
        print(f"\nwhat the customer reads now: {names}")
    finally:
        trial.stop()
        trial.cluster.down()
    assert names == ["before the backup", "after the backup", "the last good one"]
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
