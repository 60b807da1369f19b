"""Beside the drill: a router of the same Region with a customer's BIRD, whose session and packets must not notice.

      office ── BIRD ═══ par1-r1 ═══ host in a Net          its agent knows all three servers, and goes from one to
          └─ 50 numbered packets a second ─►┘               the next when they die

The lab is `directlink demo`, which has verified the road when it stays up. Its own server makes the tables, then ends.
"""

import os
import re
import signal
from pathlib import Path

from cluster import HUB, SERVERS, STORE, Cluster, eventually, run

PAUSE_SECONDS = 0.02


class Beside:
    def __init__(self, cluster: Cluster):
        self.cluster, self.lab = cluster, cluster.folder / "lab"

    def up(self):
        """The Region, with all that the other servers share."""
        demo = [self.cluster.directlink, "demo", "--state", self.lab]
        self.cluster.start("demo", *demo, space=HUB, env={"DIRECTLINK_STORE": STORE})
        log = self.cluster.folder / "demo.log"
        eventually(lambda: "Ctrl-C" in log.read_text(), 180, "the lab", lambda: self.cluster.still_runs("demo"))
        self.office, self.host = re.search(r"ip netns exec (\S+) ping (\S+)", log.read_text()).groups()

    def leave_own_server(self):
        """From now on its agents know the three others, and the lab's server is gone."""
        agents = {path.stem: self.started(path) for path in (self.lab / "run").glob("agent-*.pid")}
        for name in [*agents, "server"]:
            self.end(self.lab / "run" / f"{name}.pid")
        for name, words in agents.items():
            at = words.index("--server")
            servers = [word for ip in SERVERS.values() for word in ("--server", f"https://{ip}:8082")]
            # As `lab down` knows its own.
            env = {"DIRECTLINK_LAB": str(self.lab), "DIRECTLINK_LAB_PROCESS": name}
            self.cluster.start(name, *words[:at], *servers, *words[at + 2 :], space=HUB, env=env)

    @staticmethod
    def started(pid_file: Path) -> list[str]:
        pid = pid_file.read_text().split()[0]
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")

    @staticmethod
    def end(pid_file: Path):
        pid = int(pid_file.read_text().split()[0])
        proc = Path(f"/proc/{pid}")
        if proc.exists():
            os.kill(pid, signal.SIGTERM)
        is_gone = lambda: not proc.exists() or " Z " in (proc / "stat").read_text()  # noqa: E731
        eventually(is_gone, 20, f"the end of {pid_file.stem}")

    def watch(self):
        """Session and packets are counted from now on."""
        eventually(self.session, 60, "the customer's BGP session")
        self.since = self.session()
        self.log = self.cluster.folder / "ping.log"
        self.cluster.start("ping", "ping", "-n", "-D", "-i", PAUSE_SECONDS, self.host, space=self.office)

    def session(self) -> str | None:
        """Since when it is Established, in BIRD's words."""
        said = run("birdc", "-s", self.lab / "customer/router/bird.ctl", "show", "protocols", "directlink")
        [line] = [line for line in said.splitlines() if line.startswith("directlink")]
        return line.split()[4] if "Established" in line else None

    def findings(self) -> tuple[str, list[str]]:
        """What it was, in a line; and what is wrong with it."""
        self.cluster.end("ping", signal.SIGINT)
        words = self.log.read_text()
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", words).groups())
        heard = {int(n) for n in re.findall(r"icmp_seq=(\d+)", words)}
        missing = sorted(set(range(1, sent + 1)) - heard)
        wrong = [f"packets were lost: {missing[:20]}"] if missing else []
        if self.session() != self.since:
            wrong.append(f"the customer's session is up since {self.session()}, and was since {self.since}")
        told = f"{sent:,} packets sent, {sent - received} lost; BGP Established since {self.session()}, as before"
        return told, wrong

    def down(self):
        for name in ("ping", "demo"):
            self.cluster.end(name, signal.SIGKILL)
        if self.lab.exists():
            run(self.cluster.directlink, "lab", "down", "--state", self.lab)
