"""What billing costs: a tick of many running jobs, catching up, and the audit."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from aitrain.audit import Audit
from aitrain.domain.admission import admit
from aitrain.domain.audit import Difference
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.placement import place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.settings import Settings
from aitrain.store import HostTiming, Seen, Store
from benchmarks.bench import Bench
from benchmarks.crowd import told
from workers.scratch.servers import RedisServer
from workers.sweeps import BILLED_AT_ONCE

JOBS, DUE = 10_000, 170
UNITS_A_HOST = 100
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
FOR_YEARS = HostTiming(10**13, 10**13)


def run(bench: Bench) -> None:
    """A tick with 10,000 running jobs of which 170, or all, are due; catching up after 6 hours; the audit."""
    bench.directory.mkdir(parents=True, exist_ok=True)
    jobs, due = max(200, round(JOBS * bench.scale)), max(3, round(DUE * bench.scale))
    with RedisServer(bench.directory / "billing") as redis:
        for count in (jobs // 10, jobs):
            site = Running(redis.url, count)
            try:
                site.measure(due)
            finally:
                site.store.close()


class Running:
    """Jobs that run, and a clock that goes on when it is told to."""

    def __init__(self, url: str, jobs: int) -> None:
        self.now_ms = 1_800_000_000_000
        self.store = Store(url, namespace=f"bill-{uuid.uuid4().hex[:8]}", clock_ms=lambda: self.now_ms)
        self._hosts = [f"h{number}" for number in range(-(-jobs // UNITS_A_HOST))]
        self._fences: dict[str, str] = {}
        self._began: dict[str, int] = {}
        for host in self._hosts:
            units = {"cpu": [str(number) for number in range(UNITS_A_HOST)]}
            self.store.join_host(host, instance=host, units=units, max_jobs=UNITS_A_HOST, timing=FOR_YEARS)
        spec = JobSpec.of(image="registry.example/team/trainer:1.0", resources={"cpu": 1}, labels={"team": "vision"})
        admitted = admit(spec, Settings(flavors=BUILT_IN).site)
        for _ in range(jobs):
            self.store.submit(str(uuid.uuid4()), admitted)
        while plan := place(self.store.placement_view()).assignments:
            for assignment, fence in zip(plan, self.store.assign_many(plan), strict=True):
                if fence is not None:
                    self._begin(assignment.job_id, fence)

    def _begin(self, job_id: str, fence: str) -> None:
        # They begin one after the other, so that they are due one after the other.
        self.now_ms += 6
        self.store.transition(job_id, fence, State.PENDING)
        self.store.transition(job_id, fence, State.RUNNING, age_ms=0)
        self._fences[job_id], self._began[job_id] = fence, self.now_ms

    def measure(self, due: int) -> None:
        """Prints what each costs with so many jobs."""
        jobs = len(self._fences)
        self.now_ms += MINUTE_MS
        self._tell()
        _pass(self.store)
        own = sorted(self._began.values())
        phase = (self.now_ms - own[0]) % MINUTE_MS
        # Up to where so many of them have begun another minute.
        self.now_ms += MINUTE_MS - phase + own[min(due, jobs) - 1] - own[0] + 2
        self._tell()
        _report(f"tick, {jobs} running", *_pass(self.store))
        self.now_ms += 2 * MINUTE_MS
        self._tell()
        _report(f"tick, {jobs} running", *_pass(self.store))
        self.now_ms += 6 * HOUR_MS
        self._tell()
        _report("catching up after 6 hours", *_pass(self.store))
        found: list[Difference] = []
        took = _timed(lambda: Audit(self.store, None, None, found.append).run())
        print(f"  audit of {jobs} jobs: {took:.2f} s, {len(found)} differences")

    def _tell(self) -> None:
        """Heartbeats of all hosts."""
        by_host: dict[str, list[Seen]] = {host: [] for host in self._hosts}
        for number, (job_id, fence) in enumerate(self._fences.items()):
            seen = Seen(job_id, fence, self.now_ms - self._began[job_id])
            by_host[self._hosts[number % len(self._hosts)]].append(seen)
        for host, seen_there in by_host.items():
            self.store.heartbeat(host, instance=host, fit=True, seen=seen_there, timing=FOR_YEARS, resend_ms=10**12)


def _pass(store: Store) -> tuple[int, int, list[float]]:
    """One pass as beat's: jobs looked at, minutes written, ms of each call."""
    looked = minutes = until_ms = 0
    calls: list[float] = []
    while True:
        began = time.perf_counter()
        ticked = store.tick_billing(BILLED_AT_ONCE, until_ms)
        calls.append(1000 * (time.perf_counter() - began))
        looked, minutes, until_ms = looked + ticked.looked, minutes + ticked.minutes, ticked.until_ms
        if ticked.looked < BILLED_AT_ONCE:
            return looked, minutes, calls


def _report(what: str, looked: int, minutes: int, calls: list[float]) -> None:
    told(f"{what}: {looked} due, {minutes} minutes, {sum(calls):.0f} ms; a call", calls)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
