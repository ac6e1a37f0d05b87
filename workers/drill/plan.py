"""The plan of a drill: a pure function of its seed and its size. The same seed makes the same drill."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from workers.drill.fates import FATES
from workers.drill.faults import FAULTS, HOSTS, Lane

# Two processors carry about this much: a job a second with all that is broken meanwhile.
SECONDS_PER_JOB = 0.8
SHORTEST_SECONDS = 10.0
# The first jobs come at once, so that the hosts are full from the beginning and others wait.
AT_ONCE = 12
FIRST_FAULT_SECONDS = 1.5
# Faults go on this long after the last submission.
TAIL_SECONDS = 4.0
# Between the end of a fault and the next one of its lane, in seconds: what it broke recovers, or is hit again.
PAUSES = {Lane.OUTAGE: (2.0, 6.0), Lane.CRASH: (0.5, 3.5), Lane.ORDER: (3.0, 7.0)}
# A job for each this many that runs into its second minute: they take long, so small drills have none.
JOBS_PER_LONG = 60


@dataclass(frozen=True)
class PlannedJob:
    """A job to submit. at_s: seconds after the start; pause_s: how long its container works; the rest: its sizes."""

    number: int
    job_id: str
    fate: str
    at_s: float
    pause_s: float
    units: int
    lines: int
    size_bytes: int
    files: int
    stop_after_s: float


@dataclass(frozen=True)
class PlannedFault:
    """A fault to inject. at_s, lasts_s: seconds; host: where it strikes, empty if nowhere in particular."""

    kind: str
    at_s: float
    lasts_s: float
    host: str = ""

    @property
    def lane(self) -> Lane:
        """Which faults it may not meet."""
        return FAULTS[self.kind].lane


@dataclass(frozen=True)
class Plan:
    """What a drill does."""

    seed: int
    jobs: tuple[PlannedJob, ...]
    faults: tuple[PlannedFault, ...]

    @property
    def input_text(self) -> str:
        """What every job reads."""
        return f"the input of drill {self.seed}\n"


def make_plan(seed: int, jobs: int, kinds: Collection[str], fates: Collection[str] = tuple(FATES)) -> Plan:
    """The plan of a drill of so many jobs, with faults of these kinds. Jobs do not depend on the kinds of faults."""
    span_s = max(SHORTEST_SECONDS, jobs * SECONDS_PER_JOB)
    faults = [fault for lane in Lane for fault in _faults(seed, lane, kinds, span_s + TAIL_SECONDS)]
    return Plan(seed, _jobs(seed, jobs, fates, span_s), tuple(sorted(faults, key=lambda fault: fault.at_s)))


def _jobs(seed: int, count: int, fates: Collection[str], span_s: float) -> tuple[PlannedJob, ...]:
    chance = Random(f"jobs {seed}")
    at_once = min(AT_ONCE, count // 4)
    moments = [0.0] * at_once + sorted(chance.uniform(0, span_s) for _ in range(count - at_once))
    return tuple(
        _job(chance, number, fate, round(moment, 2))
        for number, (fate, moment) in enumerate(zip(_fates(chance, count, fates), moments, strict=True))
    )


def _fates(chance: Random, count: int, fates: Collection[str]) -> list[str]:
    """Each fate once, as far as there are jobs, then by their shares."""
    names = [name for name in FATES if name in fates and (name != "long" or fates == {"long"})]
    dealt = names[:] if count >= len(names) else chance.sample(names, count)
    if "long" in fates:
        dealt += ["long"] * min(count // JOBS_PER_LONG, count - len(dealt))
    dealt += chance.choices(names, [FATES[name].share for name in names], k=count - len(dealt))
    chance.shuffle(dealt)
    return dealt


def _job(chance: Random, number: int, fate: str, at_s: float) -> PlannedJob:
    pause_s = {"lasting": chance.uniform(8, 30), "long": chance.uniform(61, 64)}.get(fate, chance.uniform(0.1, 3))
    return PlannedJob(
        number=number,
        job_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        fate=fate,
        at_s=at_s,
        pause_s=round(pause_s, 2),
        units=chance.choice((1, 1, 1, 2)),
        lines=chance.randrange(8_000, 20_000),
        size_bytes=chance.randrange(10, 24) * 1024 * 1024 + chance.randrange(1000),
        files=chance.randrange(20, 60),
        stop_after_s=round(chance.uniform(0, 2), 2),
    )


def _faults(seed: int, lane: Lane, kinds: Collection[str], until_s: float) -> list[PlannedFault]:
    """Kinds are dealt from a shuffled deck, so that each comes before any comes a second time."""
    chance = Random(f"faults {lane} {seed}")
    cards = [
        (name, host)
        for name, kind in FAULTS.items()
        if name in kinds and kind.lane is lane
        for host in (HOSTS if kind.on_host else ("",))
    ]
    faults: list[PlannedFault] = []
    deck: list[tuple[str, str]] = []
    at_s = FIRST_FAULT_SECONDS + chance.uniform(*PAUSES[lane]) / 2
    while cards and at_s < until_s:
        deck = deck or chance.sample(cards, len(cards))
        name, host = deck.pop()
        lasts_s = chance.uniform(*FAULTS[name].lasts_s)
        faults.append(PlannedFault(name, round(at_s, 2), round(lasts_s, 2), host))
        at_s += lasts_s + chance.uniform(*PAUSES[lane])
    return faults
