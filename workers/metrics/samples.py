"""The samples of the metrics, made of what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from aitrain.broker import CONTROL_QUEUE, UNROUTED_QUEUE, host_queue, queues_of
from aitrain.domain.counting import Counters, Durations
from aitrain.domain.flavor import Kind
from aitrain.domain.host import HostState
from aitrain.domain.states import CAUSES, STATES
from aitrain.store.metering import HostGauge, Readings

DIRECTIONS = {"pull": "in", "push": "out"}
COPIED = {
    "bytes": "aitrain_copied_bytes_total",
    "completed": "aitrain_copied_files_total",
    "failed": "aitrain_copy_failed_files_total",
}
COPIED_ONE_WAY = {
    ("push", "deleted"): "aitrain_deleted_objects_total",
    ("pull", "cached"): "aitrain_cache_hit_files_total",
    ("pull", "cached_bytes"): "aitrain_cache_hit_bytes_total",
}
# Where a job comes to, as a rule, and with which code.
USUAL_MOVES: tuple[tuple[str, str], ...] = (
    *((state, row.code) for state, row in STATES.items()),
    *((row.ends, row.code) for row in CAUSES.values()),
)
# The queue of a message whose envelope could not be read.
UNKNOWN = "unknown"
STEPS = ("sync_in", "start_container", "run", "sync_out")


@dataclass(frozen=True)
class Sample:
    """One value of a metric, under the values of its labels, in their order."""

    name: str
    labels: tuple[str, ...]
    value: float | Durations


def samples(readings: Readings) -> Iterator[Sample]:
    """What the job store says. What can be nothing yet is told as 0, so that whoever asks for a rate gets one."""
    return chain(
        _jobs(readings), _counted(readings.counters, readings.waiting), _billed(readings), _hosts(readings.hosts),
        _duties(readings), _redis(readings),
    )  # fmt: skip


def _jobs(readings: Readings) -> Iterator[Sample]:
    for project, state, number in readings.standing:
        yield Sample("aitrain_jobs", (project, state), number)
    for flavor, (number, oldest_s) in readings.waiting.items():
        yield Sample("aitrain_jobs_waiting", (flavor,), number)
        yield Sample("aitrain_oldest_wait_seconds", (flavor,), oldest_s)
    yield Sample("aitrain_jobs_held", (), readings.held)
    yield Sample("aitrain_jobs_pausing", (), readings.retries)
    for state, oldest_s in readings.oldest.items():
        yield Sample("aitrain_oldest_in_state_seconds", (state,), oldest_s)


def _counted(counters: Counters, flavors: Mapping[str, object]) -> Iterator[Sample]:
    for (state, code), number in {**dict.fromkeys(USUAL_MOVES, 0), **counters.moves}.items():
        yield Sample("aitrain_moves_total", (state, code), number)
    for flavor in {**dict.fromkeys(flavors), **dict.fromkeys(counters.waits)}:
        yield Sample("aitrain_queue_wait_seconds", (flavor,), counters.waits.get(flavor, Durations()))
    for step in {**dict.fromkeys(STEPS), **dict.fromkeys(counters.steps)}:
        yield Sample("aitrain_step_duration_seconds", (step,), counters.steps.get(step, Durations()))
    for direction, told in DIRECTIONS.items():
        for what, name in COPIED.items():
            yield Sample(name, (told,), counters.copied.get((direction, what), 0))
    for (direction, what), name in COPIED_ONE_WAY.items():
        yield Sample(name, (), counters.copied.get((direction, what), 0))


def _billed(readings: Readings) -> Iterator[Sample]:
    known = {(project, flavor): 0 for project, _, _ in readings.standing for flavor in readings.flavors}
    for (project, flavor), minutes in {**known, **readings.counters.unit_minutes}.items():
        yield Sample("aitrain_billed_unit_minutes_total", (project, flavor), minutes)


def _hosts(hosts: Sequence[HostGauge]) -> Iterator[Sample]:
    for host in hosts:
        for flavor, units in host.units.items():
            free = units.total - units.held - units.aside if host.state is HostState.READY else 0
            uses = {"used": units.held, "free": free, "aside": units.total - units.held - free}
            for use, number in uses.items():
                yield Sample("aitrain_units", (host.name, flavor, use), number)
        for state in HostState:
            yield Sample("aitrain_host_state", (host.name, state), host.state is state)
        yield Sample("aitrain_host_heartbeat_age_seconds", (host.name,), host.seen_s_ago)
        yield Sample("aitrain_host_jobs", (host.name,), host.jobs)
        if host.disk is not None:
            yield Sample("aitrain_host_disk_free_bytes", (host.name,), host.disk[0])
            yield Sample("aitrain_host_disk_size_bytes", (host.name,), host.disk[1])


def _duties(readings: Readings) -> Iterator[Sample]:
    for sweep, at in readings.sweeps_at.items():
        yield Sample("aitrain_sweep_last_success_timestamp_seconds", (sweep,), at)
    for process, at in readings.canaries_at.items():
        yield Sample("aitrain_canary_timestamp_seconds", process, at)
    for duty, (number, behind_s) in readings.due.items():
        yield Sample("aitrain_due", (duty,), number)
        yield Sample("aitrain_overdue_seconds", (duty,), behind_s)


def _redis(readings: Readings) -> Iterator[Sample]:
    server = readings.server
    told = {
        "memory_used_bytes": server.get("used_memory", 0),
        "memory_max_bytes": server.get("maxmemory", 0),
        "machine_memory_bytes": server.get("total_system_memory", 0),
        "keys": readings.keys,
        "clients": server.get("connected_clients", 0),
        "aof_enabled": server.get("aof_enabled", 0),
        "aof_write_ok": server.get("aof_last_write_status", "ok") == "ok",
        "evicts": server.get("maxmemory_policy", "noeviction") != "noeviction",
        "evicted_keys_total": server.get("evicted_keys", 0),
    }
    for name, value in told.items():
        yield Sample(f"aitrain_redis_{name}", (), value)
    for kind, weight in readings.memory.items():
        yield Sample("aitrain_redis_memory_bytes", (kind,), round(weight))


def queues(readings: Readings, kinds: Mapping[str, Kind]) -> dict[str, str]:
    """The queues of a site, each with its reader. kinds: of the flavors of the catalogue."""
    readers = {CONTROL_QUEUE: "control", UNROUTED_QUEUE: "nobody"}
    for host in readings.hosts:
        if host.state is HostState.LOST:
            readers |= dict.fromkeys(queues_of(host.name, readings.flavors), "lost")
        else:
            readers |= {
                host_queue(kinds[flavor], flavor, host.name): "host" for flavor in host.units if flavor in kinds
            }
    for name in readings.removed:
        readers |= dict.fromkeys(queues_of(name, readings.flavors), "removed")
    return readers


def refused_samples(readers: Mapping[str, str], refused: Mapping[str, int]) -> Iterator[Sample]:
    """What workers refused to take. 0 is told, too: Prometheus sees no increase in a counter that begins at 1."""
    known = {queue: 0 for queue, reader in readers.items() if reader in ("control", "host")}
    for queue, number in {**known, **refused}.items():
        yield Sample("aitrain_refused_messages_total", (queue or UNKNOWN,), number)


def queue_samples(readers: Mapping[str, str], lengths: Mapping[str, int]) -> Iterator[Sample]:
    """What waits in them. Of the queues that a dead host may have had, those that hold something."""
    for queue, reader in readers.items():
        if lengths[queue] or reader not in ("lost", "removed"):
            yield Sample("aitrain_queue_messages", (queue, reader), lengths[queue])
