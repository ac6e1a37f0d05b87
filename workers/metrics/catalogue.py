"""Every metric, with its type, its labels and its meaning. The reference page is drawn from here.

No label ever holds a job's id: the number of series follows from projects, flavors, hosts and states alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """As Prometheus has them. A counter only grows, over restarts of every process, too."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """One metric. help: what it says, and its unit where the name does not."""

    type: Type
    labels: tuple[str, ...]
    help: str


def _gauge(text: str, *labels: str) -> Metric:
    return Metric(Type.GAUGE, labels, text)


def _counter(text: str, *labels: str) -> Metric:
    return Metric(Type.COUNTER, labels, text)


METRICS: dict[str, Metric] = {
    # Of the exporter
    "aitrain_up": _gauge("1 if the job store answered this scrape. While it is 0 there is nothing else."),
    "aitrain_broker_up": _gauge("1 if the broker answered this scrape."),
    "aitrain_build_info": _gauge("1; the version of aitrain that the exporter runs.", "version"),
    "aitrain_read_seconds": _gauge("How long it took to read the job store and the broker for this scrape."),
    # Jobs
    "aitrain_jobs": _gauge("Jobs, by project and state.", "project", "state"),
    "aitrain_jobs_waiting": _gauge("Jobs that stand in line for a host, by flavor.", "flavor"),
    "aitrain_jobs_held": _gauge("Jobs that wait for room in their project's quota or budget."),
    "aitrain_jobs_pausing": _gauge("Jobs that wait for the end of a pause before their next try."),
    "aitrain_oldest_wait_seconds": _gauge("For how long the job waits that has stood in line longest.", "flavor"),
    "aitrain_oldest_in_state_seconds": _gauge(
        "For how long a job has been in the state, of the one that has been there longest; 0 if none is.", "state"
    ),
    "aitrain_moves_total": _counter("Moves of jobs: the state that they came to, and the info code.", "state", "code"),
    "aitrain_queue_wait_seconds": Metric(
        Type.HISTOGRAM,
        ("flavor",),
        "From the time at which a job was queued, or its pause was over, to its place on a host. Time held counts.",
    ),
    "aitrain_step_duration_seconds": Metric(
        Type.HISTOGRAM,
        ("step",),
        "How long steps took that did their work: sync_in, start_container, run (the container, by its host's clock), "
        "sync_out. Steps that failed or were stopped are among the moves only.",
    ),
    # Copies
    "aitrain_copied_bytes_total": _counter(
        "Bytes copied to hosts (in) and back (out), what came from a host's cache among them.", "direction"
    ),
    "aitrain_copied_files_total": _counter("Files copied, as the bytes.", "direction"),
    "aitrain_copy_failed_files_total": _counter(
        "Files that could not be copied, counted in each try of their copy.", "direction"
    ),
    "aitrain_deleted_objects_total": _counter("Objects deleted from data stores because a job deleted their files."),
    "aitrain_cache_hit_bytes_total": _counter("Of the bytes copied to hosts, those that came from a host's cache."),
    "aitrain_cache_hit_files_total": _counter("Of the files copied to hosts, those that came from a host's cache."),
    # Hosts
    "aitrain_units": _gauge(
        "Units by host, flavor and use: used (a job holds it), free (a job may have it now), aside (neither: it is "
        "unfit or cordoned, or its host gets no jobs).",
        "host", "flavor", "use",
    ),
    "aitrain_host_state": _gauge("1 for the state that the host is in, 0 for the others.", "host", "state"),
    "aitrain_host_heartbeat_age_seconds": _gauge("Since the last heartbeat of the host, by the store's clock.", "host"),
    "aitrain_host_jobs": _gauge("Jobs for which the host has work to do.", "host"),
    "aitrain_host_disk_free_bytes": _gauge("Free on the file system of the host's data_dir.", "host"),
    "aitrain_host_disk_size_bytes": _gauge("Size of the file system of the host's data_dir.", "host"),
    # Duties
    "aitrain_sweep_last_success_timestamp_seconds": _gauge("When the sweep last succeeded, Unix time.", "sweep"),
    "aitrain_canary_timestamp_seconds": _gauge(
        "When the process last proved that it gets work done, Unix time. name: of the host, or of the process.",
        "role", "name",
    ),
    "aitrain_due": _gauge("What is due and not done yet, by duty: billing, deadline, drain, receipt, retry.", "duty"),
    "aitrain_overdue_seconds": _gauge("How long ago the first of it was due; 0 if nothing is.", "duty"),
    "aitrain_billed_unit_minutes_total": _counter(
        "Minutes in the ledger, times units: what projects pay for.", "project", "flavor"
    ),
    "aitrain_queue_messages": _gauge(
        "Messages in a queue of the broker. reader: control, host, lost or removed (the host), nobody (unrouted).",
        "queue", "reader",
    ),
    "aitrain_refused_messages_total": _counter(
        "Messages that workers refused to take, by queue. The exchange of Celery's orders to workers is told as one; "
        "unknown, where the envelope could not be read.",
        "queue",
    ),
    # Redis, the job store's
    "aitrain_redis_memory_used_bytes": _gauge("Memory that Redis uses."),
    "aitrain_redis_memory_max_bytes": _gauge("Memory that Redis may use; 0: no limit of its own."),
    "aitrain_redis_machine_memory_bytes": _gauge("Memory of Redis' machine."),
    "aitrain_redis_memory_bytes": _gauge(
        "What the keys of a kind take, an estimate from a sample: exact for kinds of up to 20 keys, as old as the last "
        "round over all keys. kind: the name in the legend of keys, broker for Celery's, other.",
        "kind",
    ),
    "aitrain_redis_keys": _gauge("Keys in the database of the job store."),
    "aitrain_redis_clients": _gauge("Connections to Redis."),
    "aitrain_redis_aof_enabled": _gauge("1 if Redis keeps an append-only file."),
    "aitrain_redis_aof_write_ok": _gauge("1 if its last write to that file succeeded."),
    "aitrain_redis_evicts": _gauge("1 if Redis may drop keys when its memory is full: its policy is not noeviction."),
    "aitrain_redis_evicted_keys_total": _counter("Keys that it has dropped so, since it was started."),
}  # fmt: skip
