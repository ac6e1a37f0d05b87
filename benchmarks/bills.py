"""What a bill costs as a ledger grows. Each bill is made by a process of its own, as `aitrain bill show` would."""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path

from redis import Redis

from aitrain.client import Client
from aitrain.domain.bill import BillState
from aitrain.ledger_file import LedgerSums
from aitrain.settings import BillingSettings, Settings
from aitrain.store.keys import Keys
from benchmarks.bench import Bench, figures
from benchmarks.measured import measured

MONTH, BEGIN_MS = "2025-06", 1_748_736_000_000
MINUTES = 1_000_000
USERS, TEAMS = 50, 8
AT_ONCE = 5000


def run(bench: Bench) -> None:
    """The bill of a project with 1,000,000 billed minutes, in few lines and in many, and how it grows."""
    most = max(1000, int(MINUTES * bench.scale))
    bench.directory.mkdir(parents=True, exist_ok=True)
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    redis = Redis.from_url(bench.redis.url, decode_responses=True)
    sizes = [most // 100, most // 10, most]
    for lines in sizes:
        before = redis.info("memory")["used_memory"]
        fill(redis, Keys(namespace), f"p{lines}", lines, most // lines)
        held = (redis.info("memory")["used_memory"] - before) / 2**20
        print(f"  {lines} lines of {most // lines} minutes: {held:.1f} MiB of Redis")
        for by in ("flavor", "user", "job"):
            _measured(bench, namespace, f"p{lines}", by)
    _measured(bench, namespace, "nobody", "flavor")
    settings = Settings(
        redis_url=bench.redis.url, namespace=namespace, billing=BillingSettings(ledger_retention_days=1)
    )
    with Client(settings) as client:
        looks = []
        for _ in range(50):
            began = time.perf_counter()
            client.usage(MONTH)
            looks.append((time.perf_counter() - began) * 1000)
        figures("the running total of every project", looks, "ms")
        for lines in sizes:
            _leave(client, f"p{lines}", bench.directory / f"{lines}.jsonl")


def fill(redis: Redis, key: Keys, project: str, lines: int, minutes: int) -> None:
    """A ledger of so many lines of so many minutes, ten lines a job, as the store writes them."""
    spent = 0
    for numbers in _batches(lines):
        rows, jobs = {}, {}
        for number in numbers:
            job = str(uuid.UUID(int=number // 10))
            units = number % 4 + 1
            begins_ms = BEGIN_MS + number * 1_300 % (29 * 86_400_000)
            rows[f"{job}/1/{number % 10 * minutes}"] = json.dumps(
                [minutes, begins_ms, "1.93", "v100s", units, "running", f"gpu-{number % 64:02}"], separators=(",", ":")
            )
            spent += minutes * units * 1_930_000
            jobs[job] = json.dumps(
                {"name": f"train-{number}", "user": f"u{number % USERS}", "labels": {"team": f"t{number % TEAMS}"}},
                separators=(",", ":"),
            )
        redis.hset(key("ledger", project, MONTH), mapping=rows)
        redis.hset(key("ledger_jobs", project, MONTH), mapping=jobs)
    redis.hset(key("spent", MONTH), project, spent)


def _batches(lines: int) -> list[range]:
    return [range(start, min(lines, start + AT_ONCE)) for start in range(0, lines, AT_ONCE)]


def _measured(bench: Bench, namespace: str, project: str, by: str) -> None:
    env = {"AITRAIN_REDIS_URL": bench.redis.url, "AITRAIN_NAMESPACE": namespace}
    taken = measured([sys.executable, "-m", "benchmarks.bills", project, by], env)
    print(
        f"    by {by:<8} of {project:<10} wall {taken.wall:7.2f} s   cpu {taken.cpu:7.2f} s   "
        f"peak {taken.memory:6.0f} MiB"
    )


def _leave(client: Client, project: str, path: Path) -> None:
    began = time.perf_counter()
    sums: LedgerSums = client.export_ledger(project, MONTH, path)
    exported = time.perf_counter()
    client.prune_ledger(project, MONTH, path)
    pruned = time.perf_counter()
    assert client.bill(project, MONTH).state is BillState.PRUNED
    print(
        f"  export of {sums.lines} lines {exported - began:6.2f} s, {path.stat().st_size / 2**20:.1f} MiB;"
        f"   comparing and pruning {pruned - exported:6.2f} s"
    )


if __name__ == "__main__":
    began, busy = time.perf_counter(), time.process_time()
    with Client() as client:
        bill = client.bill(sys.argv[1], MONTH, by=[sys.argv[2]])
    assert not bill.counter_differs
    took = time.perf_counter() - began, time.process_time() - busy
    sys.stderr.write(f"TOOK {took[0]} {took[1]}\n")
