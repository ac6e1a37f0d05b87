"""The last look at a job's GPUs before its container is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from aitrain.domain.errors import PlatformFault, StepCancelled
from aitrain.domain.flavor import Kind
from aitrain.domain.states import EndCause
from aitrain.settings import HostSettings, Timing
from workers.gpus import Gpu, Look, gate

CLEAN, DIRTY = (Look((Gpu("0", "GPU-a", "NVIDIA H100", 81_559, used),)) for used in (0, 900))


class Site:
    """A host whose looks are given, and a store that keeps what it is told."""

    def __init__(self, **timing: float) -> None:
        self.told: list[dict[str, Any]] = []
        settings = SimpleNamespace(host=HostSettings(name="h1"), timing=Timing(**timing))
        store = SimpleNamespace(report_faults=lambda host, **told: self.told.append({"host": host, **told}))
        self.machine: Any = SimpleNamespace(settings=settings, store=store, instance="i")

    def enter(self, kind: Kind = Kind.GPU, checkpoint: Callable[[], None] = lambda: None) -> None:
        job: Any = SimpleNamespace(id="j", kind=kind, flavor="h100", unit_ids=("GPU-a",))
        gate.await_clean(self.machine, job, checkpoint)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """What is seen, look after look; the last one stays."""
    given: list[Look] = []

    def seen() -> Iterator[Look]:
        while True:
            yield given.pop(0) if len(given) > 1 else given[0]

    stream = seen()
    monkeypatch.setattr(gate, "look", lambda: next(stream))
    monkeypatch.setattr(gate, "LOOK_AGAIN_SECONDS", 0)
    return given


def test_clean_gpus_are_entered_at_once(looks: list[Look]) -> None:
    looks.append(CLEAN)
    site = Site()
    site.enter()
    assert site.told == []


def test_memory_that_is_given_back_in_time_is_waited_for(looks: list[Look]) -> None:
    looks += [DIRTY, DIRTY, CLEAN]
    site = Site(gpu_clean_seconds=600)
    site.enter()
    assert site.told == []


def test_what_stays_dirty_is_set_aside_before_the_job_gives_it_back(looks: list[Look]) -> None:
    looks.append(DIRTY)
    site = Site(gpu_clean_seconds=0)
    with pytest.raises(PlatformFault, match="host h1, GPU GPU-a: 900 MiB") as caught:
        site.enter()
    assert caught.value.cause is EndCause.GPU_FAULT
    faults = {"h100": {"GPU-a": "900 MiB of its memory are in use"}}
    assert site.told == [{"host": "h1", "instance": "i", "faults": faults, "beside": True}]


def test_a_job_that_moved_on_is_not_waited_for(looks: list[Look]) -> None:
    looks.append(DIRTY)

    def moved_on() -> None:
        raise StepCancelled("stopped")

    site = Site(gpu_clean_seconds=600)
    with pytest.raises(StepCancelled):
        site.enter(checkpoint=moved_on)
    assert site.told == []


def test_cpu_jobs_and_hosts_that_do_not_look_pass(looks: list[Look]) -> None:
    looks.append(DIRTY)
    Site().enter(Kind.CPU)
    Site(gpu_look_seconds=0).enter()
