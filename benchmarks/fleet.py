"""A large fleet: how long placement and heartbeats take, what Redis pays for them, and how they grow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.states import EndCause, State
from benchmarks.bench import Bench
from benchmarks.crowd import GPUS, Crowd, taking, timed, told
from workers.scratch.servers import RedisServer
from workers.simulation.fleet import Fleet, Hosts
from workers.simulation.joblist import ListedJob
from workers.simulation.simulation import Simulation

HEARTBEATS_A_SECOND = 1000
# For so many minutes the jobs ran whose bytes are counted.
MINUTES = 60
ASKED = 100


@dataclass(frozen=True)
class Sizes:
    """How large. samples: of each measurement; jobs: through the whole control plane; kept: whose bytes are counted."""

    hosts: tuple[int, ...] = (10, 100, 1000)
    queued: tuple[int, ...] = (100, 1000, 10_000, 100_000)
    samples: int = 200
    jobs: int = 3000
    kept: int = 2000


def run(bench: Bench) -> None:
    """1,000 hosts of 8 GPUs, 8,000 jobs that run and 100,000 that wait: placement, heartbeats, rates and bytes."""
    sizes = Sizes()
    if bench.scale < 1:
        sizes = replace(sizes, hosts=_scaled(sizes.hosts, bench.scale), queued=_scaled(sizes.queued, bench.scale))
        sizes = replace(sizes, samples=20, jobs=300, kept=300)
    measure(bench.directory, sizes)


def measure(directory: Path, sizes: Sizes) -> None:
    """All of it, each on a Redis of its own."""
    with RedisServer(directory / "crowd") as redis, Crowd(redis.url) as crowd:
        growth(crowd, sizes)
        placement(crowd, sizes)
        heartbeats(crowd, sizes)
    with RedisServer(directory / "control") as redis:
        control_plane(redis.url, sizes)
    with RedisServer(directory / "memory", durable=False) as redis, Crowd(redis.url) as crowd:
        memory(crowd, sizes)


def _scaled(sizes: tuple[int, ...], scale: float) -> tuple[int, ...]:
    return tuple(sorted({max(2, round(size * scale)) for size in sizes}))


def growth(crowd: Crowd, sizes: Sizes) -> None:
    """How the calls grow with the hosts, then with the queue."""
    rows: list[tuple[str, list[float]]] = []
    for hosts in sizes.hosts:
        with taking(f"{hosts} hosts, {GPUS * hosts} units full, {sizes.queued[0]} queued"):
            crowd.join(hosts)
            crowd.queue(sizes.queued[0])
        rows.append((f"{hosts} hosts, {sizes.queued[0]} queued", _costs(crowd, sizes)))
    for queued in sizes.queued[1:]:
        with taking(f"{queued} queued"):
            crowd.queue(queued)
        rows.append((f"{sizes.hosts[-1]} hosts, {queued} queued", _costs(crowd, sizes)))
    print(f"  {'median, ms of the clock / of Redis':<36} {'heartbeat':>16} {'release + pass':>16} {'submit':>16}")
    for name, costs in rows:
        _print_row(name, [f"{costs[n]:.2f} / {costs[n + 1]:.3f}" for n in (0, 2, 4)])
    with_hosts, with_queue = rows[: len(sizes.hosts)], rows[len(sizes.hosts) - 1 :]
    for name, first, last in (
        (f"x {sizes.hosts[-1] // sizes.hosts[0]} hosts", with_hosts[0][1], with_hosts[-1][1]),
        (f"x {sizes.queued[-1] // sizes.queued[0]} queued", with_queue[0][1], with_queue[-1][1]),
    ):
        _print_row(name, [f"x {last[n] / first[n]:.2f} / {last[n + 1] / first[n + 1]:.2f}" for n in (0, 2, 4)])


def _print_row(name: str, cells: list[str]) -> None:
    print(f"  {name:<36} " + " ".join(f"{cell:>16}" for cell in cells))


def _costs(crowd: Crowd, sizes: Sizes) -> list[float]:
    """Of a heartbeat, a release with its pass, a submission: the median by the clock, and the mean of Redis, ms."""
    costs: list[float] = []
    seen, waiting = crowd.seen(), crowd.queued
    beating = [crowd.random.choice(crowd.hosts) for _ in range(sizes.samples)]
    costs += _cost(crowd, lambda n: crowd.heartbeat(beating[n], seen[beating[n]]), sizes.samples, lambda: None)
    ending = crowd.random.sample(sorted(crowd.running), min(sizes.samples, len(crowd.running)))

    def settle() -> None:
        crowd.end()
        crowd.begin()
        crowd.queue(waiting)

    costs += _cost(crowd, lambda n: crowd.release(ending[n])(), len(ending), settle)
    costs += _cost(crowd, lambda _: crowd.submit(), sizes.samples, lambda: None)
    return costs


def _cost(crowd: Crowd, call: Callable[[int], object], times: int, between: Callable[[], None]) -> list[float]:
    taken, paid = [], 0.0
    for number in range(times):
        before = crowd.cpu_ms()
        taken += timed([partial(call, number)])
        paid += crowd.cpu_ms() - before
        between()
    return [sorted(taken)[len(taken) // 2], max(0.0, paid / times - _asking(crowd))]


def _asking(crowd: Crowd) -> float:
    """What it costs Redis to be asked for its processor time, ms."""
    first = crowd.cpu_ms()
    for _ in range(ASKED):
        last = crowd.cpu_ms()
    return (last - first) / ASKED


def placement(crowd: Crowd, sizes: Sizes) -> None:
    """A pass when all jobs of one host have ended, by a process that has run before, and by a new one."""

    def empty_a_host() -> None:
        host = crowd.random.choice(crowd.hosts)
        for job_id in [job_id for job_id, (_, where) in crowd.running.items() if where == host]:
            crowd.release(job_id)
            crowd.end()

    for name, new in (("placement pass, one host of 8 units came free", False), ("the same from cold", True)):
        taken = []
        for _ in range(max(3, sizes.samples // 4)):
            empty_a_host()
            if new:
                crowd.store.close()
                crowd.connect()
                crowd.redis.script_flush()
            taken += timed([crowd.dispatcher.place_waiting])
            crowd.begin()
        told(f"{name} (jobs placed included)", taken)


def heartbeats(crowd: Crowd, sizes: Sizes) -> None:
    """Rounds of one heartbeat of each host, and what Redis pays for them."""
    seen = crowd.seen()
    rounds = max(1, 5 * sizes.samples // len(crowd.hosts))
    taken: list[float] = []
    before = crowd.cpu_ms()
    for number in range(rounds):
        later = {host: [replace(one, ran_ms=1000 * (number + 1)) for one in of] for host, of in seen.items()}
        taken += timed([partial(crowd.heartbeat, host, later[host]) for host in crowd.hosts])
    each = (crowd.cpu_ms() - before) / len(taken)
    told(f"heartbeat of a host with its jobs, {len(crowd.hosts)} hosts a round", taken)
    share = each * HEARTBEATS_A_SECOND / 1000
    print(f"  Redis: {each:.3f} ms of its core a heartbeat: {100 * share:.0f} % of it at {HEARTBEATS_A_SECOND}/s")


def control_plane(url: str, sizes: Sizes) -> None:
    """Jobs from submission to end, as the simulator runs them: one client process, no copies, no waiting."""
    fleet = Fleet(hosts=(Hosts(name="gpu", count=50, units={"v100s": GPUS}),))
    # As many at once as the fleet holds: what is measured is the way of a job, not a queue.
    jobs = [ListedJob(submitted_s=number * 0.2, run_s=55) for number in range(sizes.jobs)]
    with tempfile.TemporaryDirectory() as directory, Crowd(url) as crowd:
        simulation = Simulation(crowd.settings, url, fleet, jobs, Path(directory))
        before, began = crowd.cpu_ms(), time.perf_counter()
        replay = simulation.run()
        took, paid = time.perf_counter() - began, crowd.cpu_ms() - before
        assert all(job.ended for job in replay.jobs.values())
    print(
        f"  jobs from submission to end, one client process      {sizes.jobs / took:8.1f} /s   "
        f"Redis {paid / sizes.jobs:.2f} ms of its core a job: at most {1000 * sizes.jobs / paid:.0f} /s"
    )


def memory(crowd: Crowd, sizes: Sizes) -> None:
    """Bytes of Redis that a typical job takes while it waits, while it runs, and when it has ended."""
    crowd.join(-(-sizes.kept // GPUS) + 1, full=False)
    _live(crowd, 1, 1)  # what all jobs share is there before anything is counted
    empty = crowd.bytes()
    for state, count in (("queued", sizes.kept), ("running", 0)):
        for _ in range(count):
            crowd.submit(units=1)
        if state == "running":
            _place_all(crowd)
        print(f"  a job that is {state:<8} takes {(crowd.bytes() - empty) / sizes.kept:7.0f} bytes of Redis")
    _end_all(crowd, 0)
    ended = (crowd.bytes() - empty) / sizes.kept
    print(f"  a job that has ended  takes {ended:7.0f} bytes of Redis")
    before = crowd.bytes()
    _live(crowd, sizes.kept, MINUTES)
    ledger = (crowd.bytes() - before) / sizes.kept - ended
    print(f"  and its {MINUTES} minutes in the ledger {ledger:7.0f} bytes")


def _live(crowd: Crowd, jobs: int, minutes: int) -> None:
    for _ in range(jobs):
        crowd.submit(units=1)
    _place_all(crowd)
    _end_all(crowd, minutes)


def _place_all(crowd: Crowd) -> None:
    while crowd.place():
        pass


def _end_all(crowd: Crowd, minutes: int) -> None:
    for job_id, (fence, _) in crowd.running.items():
        progress = {path: VolumeProgress(direction=way, total=12, processed=12, completed=12, bytes=10**9,
                                         bytes_total=10**9) for path, way in (("/out", Direction.PUSH),)}  # fmt: skip
        job = crowd.store.get(job_id)
        ran_ms = minutes * 60_000
        fields: dict[str, str | int] = {
            "exit_code": 0, "finished_ms": (job.started_ms or 0) + ran_ms, "out_of_memory": 0
        }  # fmt: skip
        crowd.store.transition(job_id, fence, State.FINALIZING, cause=EndCause.COMPLETED, fields=fields)
        crowd.store.set_progress(job_id, fence, progress)
        crowd.store.transition(job_id, fence, State.DONE)
    crowd.running.clear()
