"""Placement on a large fleet: 1,000 hosts of 8 units, 8,000 jobs that run, 100,000 that wait in 100 projects."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from aitrain.broker import Broker
from aitrain.dispatch import Dispatcher
from aitrain.domain.admission import Admitted, admit
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.settings import Settings
from aitrain.store import HostTiming, Seen, Store, Wanted
from benchmarks.bench import Bench, spread

HOSTS, UNITS, QUEUED, PROJECTS, ROUNDS = 1000, 8, 100_000, 100, 50
TIMING = HostTiming(3_600_000, 7_200_000)


class _NoMessages(Broker):
    """Counts chains instead of sending them: what a pass itself costs."""

    sent = 0

    def send_chain(self, job_id: str, fence: str, queue: str) -> None:
        self.sent += 1


class Fleet:
    """Hosts that only the store knows."""

    def __init__(self, settings: Settings, store: Store, broker: Broker, hosts: int) -> None:
        self.settings, self.store, self.hosts = settings, store, [f"h{number:05}" for number in range(hosts)]
        self.dispatcher = Dispatcher(settings, store, broker)
        self._number = 0

    def join(self) -> None:
        """Every host joins."""
        for host in self.hosts:
            units = {"v100s": [str(unit) for unit in range(UNITS)]}
            self.store.join_host(host, instance=host, units=units, max_jobs=2 * UNITS, timing=TIMING)

    def admitted(self, units: int) -> Admitted:
        """A job of the next project in turn."""
        self._number += 1
        project = f"p{self._number % PROJECTS}"
        spec = JobSpec.of(image="registry.example/team/trainer:1", project=project, resources={"gpu": units})
        return admit(spec, self.settings.site)

    def submit(self, units: int) -> str:
        """Queues a job, and places nothing."""
        job_id = str(uuid.uuid4())
        self.store.submit(job_id, self.admitted(units))
        return job_id

    def finish(self, host: str) -> int:
        """The jobs of a host end: their number."""
        jobs = self.store.host_jobs(host) or []
        for job in jobs:
            assert self.store.transition(job.job_id, job.fence, State.FINALIZING).moved
        return len(jobs)

    def run_all(self) -> None:
        """What is placed runs, so that it has a deadline."""
        for host in self.hosts:
            for job in self.store.host_jobs(host) or []:
                self.store.transition(job.job_id, job.fence, State.PENDING)
                self.store.transition(job.job_id, job.fence, State.RUNNING, fields={"started_ms": 1})


def run(bench: Bench) -> None:
    """Passes over 1,000 hosts x 8 units, 8,000 jobs running, 100,000 queued; submissions and heartbeats."""
    measure(bench.site().settings, HOSTS, QUEUED)


def measure(settings: Settings, hosts: int, queued: int) -> None:
    """Fills a fleet of so many hosts from cold, queues so many jobs, and measures what goes on."""
    store = Store(settings.redis_url, namespace=settings.namespace)
    fleet = Fleet(settings, store, _NoMessages(settings), hosts)
    for _ in range(hosts * UNITS):
        fleet.submit(1)
    fleet.join()
    began = time.perf_counter()
    placed = fleet.dispatcher.place_waiting()
    print(f"  from cold: {placed} jobs placed in {time.perf_counter() - began:.2f} s, without sending their messages")
    fleet.run_all()
    few = _submissions(fleet, 500)
    heard = _heartbeats(fleet)
    for number in range(queued):
        fleet.submit((1, 1, 2, 4)[number // PROJECTS % 4])
    spread("submit, with an empty queue", few, "ms")
    spread(f"submit, with {queued} queued", _submissions(fleet, 500), "ms")
    spread("heartbeat of a host with 8 jobs, empty queue", heard, "ms")
    spread(f"heartbeat of a host with 8 jobs, {queued} queued", _heartbeats(fleet), "ms")
    spread("pass when nothing is free", [_timed(fleet.dispatcher.place_waiting) for _ in range(ROUNDS)], "ms")
    freed, releases = [], []
    for host in fleet.hosts[:ROUNDS]:
        releases.append(_timed(lambda host=host: fleet.finish(host)) / (UNITS + 1))
        freed.append(_timed(fleet.dispatcher.place_waiting))
    spread("release of a job", releases, "ms")
    spread("pass when one host frees 8 units", freed, "ms")
    fragments = []
    for host in fleet.hosts[ROUNDS : 2 * ROUNDS]:  # one unit here and there, and only jobs that need more
        jobs = store.host_jobs(host) or []
        assert store.transition(jobs[0].job_id, jobs[0].fence, State.FINALIZING).moved
        fragments.append(_timed(fleet.dispatcher.place_waiting))
    spread("pass when one unit comes free", fragments, "ms")
    waiting = list(store.iter_jobs(Wanted(states=[State.QUEUED]), ROUNDS))
    spread("explain, of a job far back", [_timed(lambda job=job: store.explain(job.id)) for job in waiting], "ms")
    store.close()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def _submissions(fleet: Fleet, count: int) -> list[float]:
    return [_timed(lambda: fleet.submit(1)) for _ in range(count)]


def _heartbeats(fleet: Fleet) -> list[float]:
    taken = []
    for host in fleet.hosts[:500]:
        seen = [Seen(job.job_id, job.fence, 1000) for job in fleet.store.host_jobs(host) or []]
        taken.append(
            _timed(
                lambda host=host, seen=seen: fleet.store.heartbeat(
                    host, instance=host, fit=True, seen=seen, timing=TIMING, resend_ms=10_000
                )
            )
        )
    return taken
