"""A crowded site for benchmarks: hosts, jobs that run and jobs that wait, set up through the store's own verbs."""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis

from aitrain.broker import Broker
from aitrain.dispatch import Dispatcher
from aitrain.domain.admission import Admitted, ProjectTerms, admit
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, State
from aitrain.settings import Settings
from aitrain.store import Heard, HostTiming, Seen, Store
from aitrain.store.keys import Keys

GPUS = 8
PROJECTS, UNITS, UNIT_SHARES = 10, (1, 2, 4), (70, 20, 10)
# Leases that outlast a benchmark, so that setting it up may take its time.
FOR_HOURS = HostTiming(36_000_000, 36_000_000)


class Nobody(Broker):
    """A broker that only notes which job was placed where."""

    def __init__(self) -> None:
        self.placed: list[tuple[str, str, str]] = []

    def send_chain(self, job_id: str, fence: str, queue: str, project: str = "") -> None:
        self.placed.append((job_id, fence, queue.split(".", 2)[2]))


def typical(project: str, units: int, settings: Settings) -> Admitted:
    """A job as people submit it: a command with arguments, a data set and a place for results."""
    spec = JobSpec.of(
        image="registry.example/team/trainer:1.4",
        command=("python", "train.py", "--epochs", "90", "--lr", "0.001"),
        volumes=("images@own/imagenet:/data:ro:cache", "results@own/run-17:/out:rw"),
        resources={"gpu": units},
        name="resnet-50-run-17",
        project=project,
        user="ada",
    )
    return admit(spec, settings.site, ProjectTerms(data_stores=["own"]))


def _instance(host: str) -> str:
    """Which machine a host is, in the form that machines give themselves."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, host).hex


@dataclass
class Crowd:
    """One site with many hosts and jobs. running: job id -> (fence, host)."""

    url: str
    settings: Settings = field(default_factory=Settings)
    hosts: list[str] = field(default_factory=list)
    running: dict[str, tuple[str, str]] = field(default_factory=dict)
    queued: int = 0

    def __post_init__(self) -> None:
        self.namespace = f"crowd-{uuid.uuid4().hex[:8]}"
        self.settings = self.settings.model_copy(update={"namespace": self.namespace})
        self._key = Keys(self.namespace)
        self.redis = Redis.from_url(self.url, decode_responses=True)
        self.random = random.Random(5)  # noqa: S311 - the same crowd every time
        self._specs: dict[tuple[str, int], Admitted] = {}
        self.connect()

    def connect(self) -> None:
        """As a new process would: nothing known, nothing loaded."""
        self.store = Store(self.url, namespace=self.namespace)
        self.broker = Nobody()
        self.dispatcher = Dispatcher(self.settings, self.store, self.broker)

    def join(self, hosts: int, *, full: bool = True) -> None:
        """So many hosts in all; full: the new ones filled with jobs of one GPU that run."""
        new = [f"gpu-{number:04}" for number in range(len(self.hosts), hosts)]
        for host in new:
            units = {"v100s": [f"GPU-{uuid.UUID(int=self.random.getrandbits(128))}" for _ in range(GPUS)]}
            self.store.join_host(host, instance=_instance(host), units=units, max_jobs=2 * GPUS, timing=FOR_HOURS)
        self.hosts += new
        if full:
            for _ in range(GPUS * len(new)):
                self.submit(units=1)
            self.place()

    def queue(self, jobs: int) -> None:
        """So many jobs that wait, of several projects and sizes."""
        while self.queued < jobs:
            self.submit()

    def submit(self, units: int | None = None) -> None:
        """One more job."""
        units = units or self.random.choices(UNITS, UNIT_SHARES)[0]
        asks = (f"project-{self.random.randrange(PROJECTS)}", units)
        if asks not in self._specs:
            self._specs[asks] = typical(*asks, self.settings)
        self.store.submit(str(uuid.UUID(int=self.random.getrandbits(128), version=4)), self._specs[asks])
        self.queued += 1

    def place(self) -> int:
        """One placement pass; how many jobs it placed. They run then."""
        placed = self.dispatcher.place_waiting()
        self.begin()
        return placed

    def begin(self) -> None:
        """What was placed runs."""
        for job_id, fence, host in self.broker.placed:
            self.store.transition(job_id, fence, State.PENDING)
            fields: dict[str, str | int] = {
                "started_ms": int(time.time() * 1000),
                "image_id": f"sha256:{uuid.uuid4().hex * 2}",
            }
            self.store.transition(job_id, fence, State.RUNNING, fields=fields)
            self.running[job_id] = fence, host
        self.queued -= len(self.broker.placed)
        self.broker.placed.clear()

    def release(self, job_id: str) -> Callable[[], None]:
        """A job's container ends. Returns what its agent does about the units; `end` is the rest."""
        fence, _ = self.running.pop(job_id)
        fields: dict[str, str | int] = {"exit_code": 0, "finished_ms": int(time.time() * 1000)}
        moved = self.store.transition(job_id, fence, State.FINALIZING, cause=EndCause.COMPLETED, fields=fields)
        self._ending = (job_id, fence)
        return lambda: self.dispatcher.after(moved, State.FINALIZING)

    def end(self) -> None:
        """What was released has ended."""
        self.store.transition(*self._ending, State.DONE)

    def seen(self) -> dict[str, list[Seen]]:
        """What runs on each host."""
        by_host: dict[str, list[Seen]] = {host: [] for host in self.hosts}
        for job_id, (fence, host) in self.running.items():
            by_host[host].append(Seen(job_id, fence, 0))
        return by_host

    def heartbeat(self, host: str, seen: Sequence[Seen]) -> Heard | None:
        """One heartbeat of a host."""
        return self.store.heartbeat(
            host, instance=_instance(host), fit=True, seen=seen, timing=FOR_HOURS, resend_ms=36_000_000
        )

    def bytes(self) -> int:
        """Bytes that the server holds for keys, the stream of events aside, which is cut at a length."""
        info = self.redis.info("memory")
        others = ("used_memory_scripts", "mem_clients_normal", "mem_aof_buffer")
        kept = int(info["used_memory"]) - sum(int(info.get(name, 0)) for name in others)
        return kept - int(self.redis.memory_usage(self._key("events"), samples=0) or 0)

    def cpu_ms(self) -> float:
        """Processor time of the server's main thread so far."""
        info = self.redis.info("cpu")
        return 1000 * float(info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"])

    def close(self) -> None:
        """Closes its connections."""
        self.store.close()
        self.redis.close()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def timed(calls: Sequence[Callable[[], object]]) -> list[float]:
    """How long each took, ms."""
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def told(name: str, values: Sequence[float], unit: str = "ms") -> None:
    """Prints the median, the 99th percentile and the largest of what was measured."""
    ordered = sorted(values)
    p99 = ordered[max(0, -(-99 * len(ordered) // 100) - 1)]
    median = statistics.median(ordered)
    print(f"  {name:<52} p50 {median:8.2f}   p99 {p99:8.2f}   max {ordered[-1]:8.2f} {unit}   n={len(ordered)}")


@contextmanager
def taking(what: str) -> Iterator[None]:
    """Prints how long it took to set something up."""
    began = time.perf_counter()
    yield
    print(f"  ({what}: {time.perf_counter() - began:.1f} s)")
