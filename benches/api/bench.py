"""What a call costs our server, which verifies, decides and stores durably, against moto_server, a mock in memory.

    each round: accounts with room ──► ours: creates, reads, lists     CPU clock of the server's process before and
                a fresh mock       ──► moto: the same                  after (all its threads, to the nanosecond)

The same signed calls go to both, from as many clients at once and in turns within one run, so that a busy machine
disturbs both alike; the rows are medians over the rounds. Nothing is subtracted: our routers' agents report to our
server meanwhile, and moto checks no signature. Rates and latencies are the clients' own: Python, on the same cores.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import growth
from botocore.credentials import Credentials
from calls import signed
from servers import Operator, Server, alone, forget_all, lab, moto

CREATES_PER_ACCOUNT = 10  # the default quota
LISTED = 1000
OURS, MOTO = "directlink", "moto_server"

CREATE, READ, READ_TEN, LIST = "create, durable", "read by id", "read 10", f"list {LISTED:,}"
LIST_CHANGED = f"list {LISTED:,}, changed"  # each time after one of them got another name: what memory cannot answer
TARGETS = {CREATE: 10, READ: 20, READ_TEN: 20, LIST: 50, LIST_CHANGED: None}  # moto's CPU over ours, at least
GROWTH_TARGET = 1.5  # with many connections over with few, at most


@dataclass
class Sample:
    """One kind of call to one server in one round."""

    cpu_ms: float
    per_second: float
    latencies_ms: list[float]


class Samples(dict):
    """By server and kind, each a list over the rounds."""

    def measure(self, who: str, server: Server, what: str, calls: list[bytes]) -> list[dict]:
        """Asks; the answers."""
        cpu, at = server.cpu_seconds(), time.perf_counter()
        answers = server.clients.ask(calls)
        cpu, took = server.cpu_seconds() - cpu, time.perf_counter() - at
        latencies = [1000 * seconds for seconds, _ in answers]
        sample = Sample(1000 * cpu / len(calls), len(calls) / took, latencies)
        self.setdefault((who, what), []).append(sample)
        return [json.loads(body) for _, body in answers]

    def cpu_ms(self, who: str, what: str) -> list[float]:
        return [sample.cpu_ms for sample in self[who, what]]

    def median_cpu_ms(self, who: str, what: str) -> float:
        return statistics.median(self.cpu_ms(who, what))

    def rate(self, who: str, what: str) -> float:
        return statistics.median(sample.per_second for sample in self[who, what])

    def latency_ms(self, who: str, what: str, percent: int) -> float:
        every = [latency for sample in self[who, what] for latency in sample.latencies_ms]
        return statistics.quantiles(every, n=100)[percent - 1]


def order(n: int) -> dict:
    # Of one name and second moto makes one connection only.
    return {"location": "PAR1", "bandwidth": "1Gbps", "connectionName": f"bench-{n}"}


def creates_and_reads(samples: Samples, who: str, server: Server, keys: list[Credentials]):
    """Ten creates for each key, then as many reads of one and of all ten."""
    each = [key for key in keys for _ in range(CREATES_PER_ACCOUNT)]
    creates = [signed(server.netloc, key, "CreateConnection", **order(n)) for n, key in enumerate(each)]
    made = samples.measure(who, server, CREATE, creates)
    ids = [answer["connectionId"] for answer in made]
    by_id = [signed(server.netloc, k, "DescribeConnections", connectionId=i) for k, i in zip(each, ids)]
    found = samples.measure(who, server, READ, by_id)
    expect([len(answer["connections"]) for answer in found], 1, who, READ)
    ten = [signed(server.netloc, key, "DescribeConnections") for key in each]
    found = samples.measure(who, server, READ_TEN, ten)
    expect([len(answer["connections"]) for answer in found], CREATES_PER_ACCOUNT, who, READ_TEN)


def lists(samples: Samples, who: str, server: Server, key: Credentials, times: int, what: str = LIST):
    calls = [signed(server.netloc, key, "DescribeConnections") for _ in range(times)]
    found = samples.measure(who, server, what, calls)
    expect([len(answer["connections"]) for answer in found], LISTED, who, what)


def changed_lists(samples: Samples, who: str, server: Server, key: Credentials, times: int):
    """Only the lists are measured: one client changes and lists in turns."""
    id = server.call(key, "DescribeConnections")["connections"][0]["connectionId"]
    parts = Samples()
    for n in range(times):
        server.call(key, "UpdateConnection", connectionId=id, connectionName=f"bench-renamed-{n}")
        lists(parts, who, server, key, 1, LIST_CHANGED)
    samples.setdefault((who, LIST_CHANGED), []).append(joined(parts[who, LIST_CHANGED]))


def expect(seen: list[int], expected: int, who: str, what: str):
    if set(seen) != {expected}:
        raise SystemExit(f"{who}: {what}: {set(seen)} connections in the answers, not {expected}")


def against_moto(asked, ours: Server, operator: Operator, mock: Server) -> Samples:
    key = Credentials("A" * 20, "S" * 40)
    for warm_up in (True, False):
        samples = Samples()
        for _ in range(1 if warm_up else asked.rounds):
            creates_and_reads(samples, OURS, ours, [operator.account() for _ in range(asked.accounts)])
            of_mock = Samples()
            for _ in range(asked.accounts):
                forget_all(mock)
                creates_and_reads(of_mock, MOTO, mock, [key])
            for each, parts in of_mock.items():
                samples.setdefault(each, []).append(joined(parts))
    many = operator.account(LISTED)
    forget_all(mock)
    for server, key_of in ((ours, many), (mock, key)):
        server.clients.ask([signed(server.netloc, key_of, "CreateConnection", **order(n)) for n in range(LISTED)])
    for round in range(asked.rounds + 1):
        for who, server, key_of in ((OURS, ours, many), (MOTO, mock, key)):
            kept = samples if round > 0 else Samples()
            lists(kept, who, server, key_of, asked.lists)
            changed_lists(kept, who, server, key_of, asked.lists // 2)
    return samples


def joined(parts: list[Sample]) -> Sample:
    """Equal shares of one round."""
    return Sample(
        statistics.fmean(part.cpu_ms for part in parts),
        statistics.harmonic_mean([part.per_second for part in parts]),
        [latency for part in parts for latency in part.latencies_ms],
    )


def with_growth(asked) -> Samples:
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="directlink-bench-") as folder:
        (few, few_readable), (many, many_readable) = growth.two_databases(asked.directlink, Path(folder))
        with alone(asked.directlink, few) as (with_few, _), alone(asked.directlink, many) as (with_many, _):
            growth.check(with_few, few_readable)
            growth.check(with_many, many_readable)
            both = ((with_few, few_readable, growth.FEW), (with_many, many_readable, growth.MANY))
            for round in range(asked.rounds + 1):
                kept = samples if round > 0 else Samples()
                for server, readable, stored in both:
                    kept.measure(OURS, server, f"{stored}", growth.reads(server, readable, asked.reads, round))
    return samples


def print_against_moto(samples: Samples):
    print(f"\n{'CPU ms per call':20} {OURS:>12} {MOTO:>12} {'ratio':>7} {'(rounds)':>15} {'target':>8}")
    for what, target in TARGETS.items():
        a, b = samples.cpu_ms(OURS, what), samples.cpu_ms(MOTO, what)
        ratios = [of_moto / of_ours for of_ours, of_moto in zip(a, b)]
        ratio = statistics.median(ratios)
        spread = f"({min(ratios):.1f}–{max(ratios):.1f})"
        said = f"{f'≥ {target}x':>8}  {verdict(ratio >= target)}" if target else ""
        print(f"{what:20} {statistics.median(a):12.3f} {statistics.median(b):12.3f} {ratio:6.1f}x {spread:>15} {said}")


def print_rates(samples: Samples, clients: int):
    print(f"\n{f'{clients} clients':20} {'per CPU-s':>12} {'per second':>12} {'p50 ms':>9} {'p99 ms':>9}")
    for who in (OURS, MOTO):
        for what in (CREATE, READ, READ_TEN):
            p50, p99 = (samples.latency_ms(who, what, percent) for percent in (50, 99))
            per_cpu = 1000 / samples.median_cpu_ms(who, what)
            print(f"{what:20} {per_cpu:12.0f} {samples.rate(who, what):12.0f} {p50:9.2f} {p99:9.2f}  {who}")


def print_growth(samples: Samples):
    few, many = f"{growth.FEW}", f"{growth.MANY}"
    print(f"\n{'read by id':20} {f'of {growth.FEW:,}':>12} {f'of {growth.MANY:,}':>12} {'ratio':>7} {'':15} {'target':>8}")
    for name, cost in (
        ("CPU ms", lambda what: samples.median_cpu_ms(OURS, what)),
        ("p50 ms, 1 client", lambda what: samples.latency_ms(OURS, what, 50)),
        ("p99 ms, 1 client", lambda what: samples.latency_ms(OURS, what, 99)),
    ):
        ratio = cost(many) / cost(few)
        print(
            f"{name:20} {cost(few):12.3f} {cost(many):12.3f} {ratio:6.2f}x {'':15} "
            f"{f'≤ {GROWTH_TARGET}x':>8}  {verdict(ratio <= GROWTH_TARGET)}"
        )


def verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directlink", type=Path, required=True, help="the binary, best a release build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=20, help=f"per round; each orders {CREATES_PER_ACCOUNT} times")
    parser.add_argument("--lists", type=int, default=20, help=f"of {LISTED:,}, per round")
    parser.add_argument("--reads", type=int, default=1000, help="per round, where growth is measured")
    parser.add_argument("--clients", type=int, default=16, help="that ask at the same time")
    parser.add_argument("--only", choices=["moto", "growth"], help="one half of it")
    asked = parser.parse_args()
    if asked.only != "growth":
        with lab(asked.directlink, asked.clients) as (ours, operator), moto(asked.clients) as mock:
            samples = against_moto(asked, ours, operator, mock)
        print_against_moto(samples)
        print_rates(samples, asked.clients)
    if asked.only != "moto":
        print_growth(with_growth(asked))


if __name__ == "__main__":
    main()
