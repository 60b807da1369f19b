"""The process with all agents: what it tells, in time."""

import json
import subprocess
import threading
import time
from pathlib import Path

PATIENCE = 7200


class Agents:
    def __init__(self, program: Path, server: str, identities: Path):
        self.process = subprocess.Popen(
            [program, server, identities], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )  # fmt: skip
        self.told = threading.Condition()
        self.state, self.arrived = {}, {}
        self.last_at = self.all_attached_at = 0.0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            at = told.pop("at_ns") / 1e9
            with self.told:
                if "interface" in told:
                    self.arrived.setdefault(told["interface"], at)
                else:
                    if told["attached"] > self.state.get("attached", 0):
                        self.all_attached_at = at
                    if told != self.state:
                        self.last_at = at
                    self.state = told
                self.told.notify_all()

    def command(self, word: str):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def watch(self):
        self.command("watch")

    def burst(self):
        self.command("burst")

    def until(self, **counts: int):
        with self.told:
            if not self.told.wait_for(lambda: all(self.state.get(k, 0) >= n for k, n in counts.items()), PATIENCE):
                raise SystemExit(f"the agents have {self.state}, not {counts}")

    def until_quiet(self, seconds: float = 10):
        """Until no document has come for so long."""
        while time.time() - self.last_at < seconds:
            time.sleep(0.5)

    def arrivals(self, wanted) -> dict[str, float]:
        """When each of these came to its router."""
        with self.told:
            if not self.told.wait_for(lambda: all(id in self.arrived for id in wanted), PATIENCE):
                missing = [id for id in wanted if id not in self.arrived]
                raise SystemExit(f"never came to their routers: {missing}")
            return {id: self.arrived[id] for id in wanted}
