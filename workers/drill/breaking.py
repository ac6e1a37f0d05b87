"""How each kind of fault is done. Each function breaks a part, waits as long as the fault lasts, and mends it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress

from redis.exceptions import RedisError

from workers.drill.moments import await_event
from workers.drill.ordering import host_drained, unit_cordoned
from workers.drill.plan import PlannedFault
from workers.drill.queues import Queues
from workers.drill.site import NAMESPACE, DrillSite
from workers.scratch.link import Condition
from workers.scratch.servers import frozen

# Between two looks at what a fault does again and again.
AGAIN_SECONDS = 0.1
# How long a worker that woke up lives on beside the one that took its place.
BESIDE_SECONDS = 2.0
# For the next container to start or to end.
MOMENT_SECONDS = 4.0
# Old messages come so often, and so many of them.
LATE_SECONDS = 0.4
MOST_LATE = 60

# Waits for some seconds; True: the drill is called off, mend what is broken now.
Wait = Callable[[float], bool]
Breaking = Callable[[DrillSite, PlannedFault, Wait], None]


def worker_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    with site.hosts[fault.host].worker.down():
        wait(fault.lasts_s)


def agent_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    with site.hosts[fault.host].agent.down():
        wait(fault.lasts_s)


def both_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9 of both at once."""
    host = site.hosts[fault.host]
    with host.worker.down(), host.agent.down():
        wait(fault.lasts_s)


def worker_killed_at_start(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9 as a container comes to life, before the worker has said so."""
    host = site.hosts[fault.host]
    await_event(host.engine.url, "start", MOMENT_SECONDS)
    with host.worker.down():
        wait(fault.lasts_s)


def agent_killed_at_exit(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9 as a container ends, before or while the agent says so."""
    host = site.hosts[fault.host]
    await_event(host.engine.url, "die", MOMENT_SECONDS)
    with host.agent.down():
        wait(fault.lasts_s)


def upgraded(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """SIGTERM to both."""
    host = site.hosts[fault.host]
    with host.worker.down(kindly=True), host.agent.down(kindly=True):
        wait(fault.lasts_s)


def worker_stale(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """It stands still, another takes its place, it wakes up, works beside the other, and is ended."""
    worker = site.hosts[fault.host].worker
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        former = worker.replace()
        wait(fault.lasts_s)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait(BESIDE_SECONDS)
    former.stop()


def control_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    with site.control.down():
        wait(fault.lasts_s)


def beat_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    with site.beat.down():
        wait(fault.lasts_s)


def broker_emptied(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """Competes with the workers for messages and throws them away; at least once, what waits."""
    with closing(Queues(site.redis.url, NAMESPACE)) as queues:
        end = time.monotonic() + fault.lasts_s
        while time.monotonic() < end and not wait(0):
            with suppress(RedisError):
                queues.empty()
                queues.take(AGAIN_SECONDS)


def messages_doubled(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """Competes with the workers for messages and puts each back twice; those of a while ago come again and again."""
    with closing(Queues(site.redis.url, NAMESPACE)) as queues:
        end, again = time.monotonic() + fault.lasts_s, 0.0
        while time.monotonic() < end and not wait(0):
            with suppress(RedisError):
                taken = queues.take(AGAIN_SECONDS)
                if taken is not None:
                    queue, message = taken
                    for _ in range(1 if message in site.heard else 2):
                        queues.put(queue, message)
                    site.heard[message] = queue
                if time.monotonic() > again:
                    again = time.monotonic() + LATE_SECONDS
                    for message, queue in list(site.heard.items())[-MOST_LATE:]:
                        queues.put(queue, message)


def redis_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9; what it had not written yet is gone."""
    site.redis.kill()
    wait(fault.lasts_s)
    site.redis.start()


def redis_frozen(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """SIGSTOP."""
    with frozen(site.redis.pid):
        wait(fault.lasts_s)


def s3_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    site.s3.kill()
    wait(fault.lasts_s)
    site.s3.start()


def s3_frozen(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """SIGSTOP."""
    with frozen(site.s3.pid):
        wait(fault.lasts_s)


def engine_restarted(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """SIGTERM."""
    engine = site.hosts[fault.host].engine
    engine.halt()
    wait(fault.lasts_s)
    engine.start()


def engine_killed(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """kill -9."""
    engine = site.hosts[fault.host].engine
    engine.kill()
    wait(fault.lasts_s)
    engine.start()


def engine_frozen(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """SIGSTOP."""
    with frozen(site.hosts[fault.host].engine.pid):
        wait(fault.lasts_s)


def host_cut(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """Its connections to Redis break, and new ones are refused."""
    _link(site, fault, wait, Condition.CUT)


def host_silent(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """Its connections to Redis say nothing."""
    _link(site, fault, wait, Condition.FROZEN)


def _link(site: DrillSite, fault: PlannedFault, wait: Wait, condition: Condition) -> None:
    link = site.hosts[fault.host].link
    link.be(condition)
    try:
        wait(fault.lasts_s)
    finally:
        link.be(Condition.OPEN)


def disk_full(site: DrillSite, fault: PlannedFault, wait: Wait) -> None:
    """Whatever room comes free is taken at once."""
    disk = site.hosts[fault.host].disk
    end = time.monotonic() + fault.lasts_s
    try:
        while time.monotonic() < end:
            disk.fill()
            if wait(AGAIN_SECONDS):
                break
    finally:
        disk.relieve()


BREAKING: dict[str, Breaking] = {
    "worker-killed": worker_killed,
    "agent-killed": agent_killed,
    "both-killed": both_killed,
    "worker-killed-at-start": worker_killed_at_start,
    "agent-killed-at-exit": agent_killed_at_exit,
    "worker-stale": worker_stale,
    "upgraded": upgraded,
    "control-killed": control_killed,
    "beat-killed": beat_killed,
    "broker-emptied": broker_emptied,
    "messages-doubled": messages_doubled,
    "redis-killed": redis_killed,
    "redis-frozen": redis_frozen,
    "s3-killed": s3_killed,
    "s3-frozen": s3_frozen,
    "engine-restarted": engine_restarted,
    "engine-killed": engine_killed,
    "engine-frozen": engine_frozen,
    "host-cut": host_cut,
    "host-lost": host_cut,
    "host-silent": host_silent,
    "disk-full": disk_full,
    "host-drained": host_drained,
    "unit-cordoned": unit_cordoned,
}
