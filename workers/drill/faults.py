"""The faults of a drill: what is broken, on what, for how long. Data only; injection.py breaks and mends.

Each kind is in one of three lanes. OUTAGE: a part that others stand on is away for a while; one at a time, with a pause
to recover. CRASH: a process of the site dies or misbehaves and is started again, or messages are lost or doubled; these
come one at a time too, but beside the outages. ORDER: an operator orders something, beside both. So a job can survive
any drill: no two hosts, and no two servers, are away at once, and what an operator takes is given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOSTS = ("h1", "h2")


class Lane(StrEnum):
    """Which faults exclude each other."""

    OUTAGE = "OUTAGE"
    CRASH = "CRASH"
    ORDER = "ORDER"


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault. lasts_s: shortest and longest time until it is mended; on_host: it strikes one host."""

    meaning: str
    lane: Lane
    lasts_s: tuple[float, float]
    on_host: bool = True


# How long a cut-off host is away when it is to be given up; the site's times in site.py follow from it.
LOST_SECONDS = (14.5, 18.0)

FAULTS: dict[str, FaultKind] = {
    "worker-killed": FaultKind("kill -9 of a host's worker", Lane.CRASH, (0.1, 2)),
    "agent-killed": FaultKind("kill -9 of a host's agent", Lane.CRASH, (0.1, 2)),
    "both-killed": FaultKind("kill -9 of a host's worker and agent", Lane.CRASH, (0.1, 2)),
    "worker-killed-at-start": FaultKind("kill -9 of a worker as it starts a container", Lane.CRASH, (0.1, 1)),
    "agent-killed-at-exit": FaultKind("kill -9 of an agent as a container ends", Lane.CRASH, (0.1, 1)),
    "worker-stale": FaultKind(
        "a worker is frozen past its leases, another takes its place, and then the first one wakes up",
        Lane.CRASH,
        (4, 6),
    ),
    "upgraded": FaultKind("a host's worker and agent end kindly and start again", Lane.CRASH, (0.1, 1)),
    "control-killed": FaultKind("kill -9 of the control worker", Lane.CRASH, (0.1, 3), on_host=False),
    "beat-killed": FaultKind("kill -9 of beat", Lane.CRASH, (0.1, 3), on_host=False),
    "broker-emptied": FaultKind("every message is thrown away, again and again", Lane.CRASH, (0.1, 1.5), on_host=False),
    "messages-doubled": FaultKind("messages come twice, and again late", Lane.CRASH, (1, 5), on_host=False),
    "redis-killed": FaultKind("kill -9 of Redis", Lane.OUTAGE, (0.1, 2), on_host=False),
    "redis-frozen": FaultKind("Redis does not answer", Lane.OUTAGE, (0.5, 2.5), on_host=False),
    "s3-killed": FaultKind("kill -9 of the S3 server", Lane.OUTAGE, (0.5, 3), on_host=False),
    "s3-frozen": FaultKind("the S3 server does not answer", Lane.OUTAGE, (1, 5), on_host=False),
    "engine-restarted": FaultKind("SIGTERM to an engine, and a start", Lane.OUTAGE, (0.1, 1)),
    "engine-killed": FaultKind("kill -9 of an engine, and a start", Lane.OUTAGE, (0.1, 2)),
    "engine-frozen": FaultKind("an engine does not answer", Lane.OUTAGE, (0.5, 4)),
    "host-cut": FaultKind("a host's connections to Redis break, for less than its grace", Lane.OUTAGE, (0.5, 2)),
    "host-lost": FaultKind("a host is cut off from Redis until it is given up", Lane.OUTAGE, LOST_SECONDS),
    "host-silent": FaultKind("the same, but its connections hang", Lane.OUTAGE, LOST_SECONDS),
    "disk-full": FaultKind("the disk of a host's volumes is full", Lane.OUTAGE, (2, 5)),
    "host-drained": FaultKind(
        "a host is drained as it starts a container, with a deadline that it cannot meet", Lane.ORDER, (2, 6)
    ),
    "unit-cordoned": FaultKind("a unit that a job holds is cordoned, then drained at once", Lane.ORDER, (2, 6)),
}
# By these, jobs are moved off a host.
DRAINS = frozenset({"host-drained", "unit-cordoned"})


@dataclass(frozen=True)
class Struck:
    """A fault as it was. Unix ms, from before it struck until it was mended."""

    kind: str
    host: str
    began_ms: int
    ended_ms: int
