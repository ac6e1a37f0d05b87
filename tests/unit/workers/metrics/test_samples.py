"""Samples follow from readings, and the catalogue has each of them."""

from __future__ import annotations

import re

from aitrain.domain.counting import Counters, Durations
from aitrain.domain.flavor import Kind
from aitrain.domain.host import HostState
from aitrain.store.metering import HostGauge, Readings, UnitGauge
from workers.metrics.catalogue import METRICS, Type
from workers.metrics.samples import queue_samples, queues, refused_samples, samples

# Made by the exporter itself, or of the broker.
OWN = {
    "aitrain_up", "aitrain_broker_up", "aitrain_build_info", "aitrain_read_seconds", "aitrain_queue_messages",
    "aitrain_refused_messages_total",
}  # fmt: skip
GPUS = UnitGauge(total=8, held=5, aside=1)
READINGS = Readings(
    server={"used_memory": 5, "aof_enabled": 1, "aof_last_write_status": "err", "maxmemory_policy": "allkeys-lru"},
    keys=9,
    memory={"job": 12.6},
    counters=Counters(moves={("DONE", "JOB_DONE"): 3}, unit_minutes={("red", "v100s"): 70}),
    standing=[("red", "DONE", 3)],
    refused={"control": 4, "aitrain.pidbox": 1, "": 2},
    sweeps_at={"bill_minutes": 100.0},
    canaries_at={("worker", "g1"): 90.0},
    waiting={"v100s": (2, 7.5)},
    held=0,
    retries=0,
    oldest={"QUEUED": 7.5},
    due={"billing": (1, 3.0)},
    hosts=[
        HostGauge("g1", HostState.READY, 0.5, 2, {"v100s": GPUS}, (10, 100)),
        HostGauge("g2", HostState.LOST, 900.0, 0, {"v100s": GPUS}),
    ],
    removed=["g3"],
    flavors=frozenset({"v100s", "cpu"}),
)


def told(name: str) -> dict[tuple[str, ...], float | Durations]:
    return {sample.labels: sample.value for sample in samples(READINGS) if sample.name == name}


def test_every_metric_of_the_catalogue_is_told_and_no_other() -> None:
    made = list(samples(READINGS))
    assert {sample.name for sample in made} | OWN == set(METRICS)
    for sample in made:
        metric = METRICS[sample.name]
        assert len(sample.labels) == len(metric.labels), sample
        assert isinstance(sample.value, Durations) == (metric.type is Type.HISTOGRAM), sample
    series = [(sample.name, sample.labels) for sample in made]
    assert len(series) == len(set(series)), "no series twice"


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"aitrain_[a-z_]+", name), name
        assert name.endswith("_total") == (metric.type is Type.COUNTER), name
        assert not re.search(r"_(ms|minutes|hours|kib|mib|gib)$", name), f"{name} is in a base unit"
        # A job's id would make new series for ever.
        assert not {"id", "job", "attempt"} & set(metric.labels), name
        assert metric.help.endswith("."), name


def test_units_of_a_host_that_gets_no_jobs_are_not_free() -> None:
    units = told("aitrain_units")
    assert [units["g1", "v100s", use] for use in ("used", "free", "aside")] == [5, 2, 1]
    assert [units["g2", "v100s", use] for use in ("used", "free", "aside")] == [5, 0, 3]


def test_a_host_is_in_one_state() -> None:
    states = told("aitrain_host_state")
    assert [state for (host, state), value in states.items() if host == "g2" and value] == ["LOST"]
    assert len(states) == 2 * len(HostState)


def test_what_may_be_counted_is_told_before_it_is() -> None:
    """Prometheus sees no increase in a counter that begins at 1."""
    moves = told("aitrain_moves_total")
    assert (moves["DONE", "JOB_DONE"], moves["ERROR", "JOB_ERROR"]) == (3, 0)
    assert told("aitrain_billed_unit_minutes_total") == {("red", "v100s"): 70, ("red", "cpu"): 0}
    runs = told("aitrain_step_duration_seconds")["run",]
    assert isinstance(runs, Durations)
    assert runs.count == 0


def test_redis_that_cannot_be_relied_on_says_so() -> None:
    for name, value in {"aof_enabled": 1, "aof_write_ok": 0, "evicts": 1, "memory_max_bytes": 0}.items():
        assert told(f"aitrain_redis_{name}") == {(): value}
    assert told("aitrain_redis_memory_bytes") == {("job",): 13}


def test_queues_of_the_dead_are_told_if_they_hold_something() -> None:
    readers = queues(READINGS, {"v100s": Kind.GPU, "cpu": Kind.CPU})
    assert readers["gpu.v100s.g1"] == "host"
    assert "cpu.cpu.g1" not in readers
    assert (readers["cpu.cpu.g2"], readers["gpu.v100s.g3"]) == ("lost", "removed")
    assert (readers["control"], readers["unrouted"]) == ("control", "nobody")
    lengths = {**dict.fromkeys(readers, 0), "gpu.v100s.g2": 4}
    shown = {sample.labels: sample.value for sample in queue_samples(readers, lengths)}
    assert shown == {
        ("control", "control"): 0, ("unrouted", "nobody"): 0, ("gpu.v100s.g1", "host"): 0, ("gpu.v100s.g2", "lost"): 4,
    }  # fmt: skip


def test_refused_messages_are_told_before_there_are_any() -> None:
    readers = queues(READINGS, {"v100s": Kind.GPU})
    shown = {sample.labels: sample.value for sample in refused_samples(readers, READINGS.refused)}
    assert shown == {("control",): 4, ("gpu.v100s.g1",): 0, ("aitrain.pidbox",): 1, ("unknown",): 2}
