"""Health: whether a process of the fleet gets work done, judged by the last proof of it in the job store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A process that proves its health."""

    WORKER = "worker"
    AGENT = "agent"
    CONTROL = "control"
    BEAT = "beat"


# How each proves that it works, in words that follow "it has not".
PROOFS = {
    Role.WORKER: "taken a message from its queues",
    Role.AGENT: "had a heartbeat answered while all its loops went round",
    Role.CONTROL: "taken a message from the control queue",
    Role.BEAT: "sent a message to the broker",
}


@dataclass(frozen=True)
class Vital:
    """What is known of one process. proved_ms: when it last proved that it works, Unix ms by the store's clock, None
    if it never did; trouble: what it says is wrong with itself, "" if nothing.
    """

    role: Role
    name: str
    proved_ms: int | None
    trouble: str = ""


@dataclass(frozen=True)
class Vitals:
    """What is known of all processes. now_ms: by the store's clock; sweeps: when each succeeded last, Unix ms by its
    control worker's clock.
    """

    now_ms: int
    of: tuple[Vital, ...]
    sweeps: Mapping[str, int]

    def find(self, role: Role, name: str) -> Vital:
        """That of one process; one that says nothing if it is not known."""
        return next((one for one in self.of if (one.role, one.name) == (role, name)), Vital(role, name, None))


@dataclass(frozen=True)
class Health:
    """A judgement. why: one line for people; age_s: seconds since the last proof, None without one."""

    role: Role
    name: str
    well: bool
    why: str
    age_s: float | None


def judge(vital: Vital, vitals: Vitals, stale_s: float, sweep_s: float) -> Health:
    """Judges one process.

    stale_s: a proof that is older is none; sweep_s: between two sweeps, for a beat that works while they do not.
    """
    if vital.proved_ms is None:
        why = vital.trouble or f"there is no sign of it yet: it has not {PROOFS[vital.role]}"
        return Health(vital.role, vital.name, False, why, None)
    age_s = max(0.0, (vitals.now_ms - vital.proved_ms) / 1000)
    if vital.trouble:
        return Health(vital.role, vital.name, False, vital.trouble, age_s)
    if vital.role is Role.BEAT:
        stale_s = beat_stale_s(stale_s, sweep_s)
    if age_s > stale_s:
        why = f"it has not {PROOFS[vital.role]} for {age_s:.0f} s"
        return Health(vital.role, vital.name, False, why, age_s)
    why = f"it has {PROOFS[vital.role]} {age_s:.0f} s ago"
    if vital.role is Role.BEAT and (late := _late_sweeps(vitals, max(stale_s, 4 * sweep_s))):
        # Beat does its part: to start it again would mend nothing.
        why += f", but {late}: look at the control workers"
    return Health(vital.role, vital.name, True, why, age_s)


def beat_stale_s(stale_s: float, sweep_s: float) -> float:
    """After how many seconds without a message a beat is not well: it sends none between two sweeps."""
    return max(stale_s, 3 * sweep_s)


def _late_sweeps(vitals: Vitals, late_s: float) -> str:
    """What is wrong with the sweeps as a whole, "" if one of them succeeded lately."""
    times = [at_ms for name, at_ms in vitals.sweeps.items() if "." not in name]
    if not times:
        return "no sweep has ever succeeded"
    age_s = (vitals.now_ms - max(times)) / 1000
    return f"no sweep has succeeded for {age_s:.0f} s" if age_s > late_s else ""
