"""Defects that a drill can plant, each with the column of the table that has to show it.

A small drill that shows one stands beside it: how many jobs, which seed, and which faults it takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.drill.checks import Column


@dataclass(frozen=True)
class Change:
    """One text of one file of the packages, and what stands there instead."""

    file: str
    text: str
    instead: str


@dataclass(frozen=True)
class Defect:
    """meaning: which promise it breaks; shows: in which column; jobs, seed, faults: of a small drill that shows it."""

    meaning: str
    shows: Column
    changes: tuple[Change, ...]
    jobs: int = 24
    seed: int = 1
    faults: str = "none"


LUA = "aitrain/store/lua/"

DEFECTS: dict[str, Defect] = {
    "fence-unchecked": Defect(
        "a write of an attempt that is over counts for the one that took its place",
        Column.TWICE,
        (
            Change(LUA + "transition.lua", "if job.fence ~= ARG.fence then return answer(false) end", ""),
            Change(
                LUA + "transition.lua",
                "if ARG.holder and job.lease_holder ~= ARG.holder then return answer(false) end",
                "",
            ),
            Change(
                LUA + "begin_step.lua",
                "job.fence == ARG.fence and job.state == ARG.state and job.host == ARG.host",
                "job.state == ARG.state",
            ),
            Change(LUA + "begin_step.lua", "and (job.lease_holder == ARG.holder or not lease_is_live(job))", ""),
            Change(LUA + "renew_leases.lua", "job[1] == lease.fence and job[3] == lease.holder", "job[3] ~= nil"),
        ),
        jobs=40,
        faults="disk-full,messages-doubled",
    ),
    "host-unfenced": Defect(
        "a host that is cut off lets its containers run on, while their jobs begin elsewhere",
        Column.TWICE,
        (
            Change(
                "workers/agent/fencing.py",
                "if silence_s > timing.host_grace_seconds and self._may_look():",
                "if silence_s < 0:",
            ),
        ),
        # With this seed, containers run at each cut that outlast it.
        jobs=24,
        seed=84,
        faults="host-lost,host-silent",
    ),
    "started-twice": Defect(
        "a step that is run again starts a container that has ended once more",
        Column.TWICE,
        (
            Change("workers/runtime/engine.py", "if container.started_ms is None:\n", "if not container.running:\n"),
            Change(
                "workers/agent/reconcile.py",
                "        Found.RUNNING: Cell(Do.NOTHING, Do.ADOPT),\n        Found.EXITED: _EXIT,\n",
                "        Found.RUNNING: Cell(Do.NOTHING, Do.ADOPT),\n        Found.EXITED: _LEAVE,\n",
            ),
        ),
        jobs=40,
        faults="worker-killed-at-start",
    ),
    "memory-unseen": Defect(
        "a job that ran out of memory looks like one that exited",
        Column.END,
        (
            Change(
                "workers/agent/verdict.py",
                "if container.exit_code and (ending is Ending.OUT_OF_MEMORY or container.out_of_memory):",
                "if container.id == '':",
            ),
        ),
    ),
    "minute-more": Defect(
        "each attempt is billed a minute too many",
        Column.MINUTES,
        (
            Change(
                "aitrain/store/lua/shared/ledger.lua",
                "local owed, written = math.max(1, ",
                "local owed, written = 1 + math.max(1, ",
            ),
        ),
    ),
    "sum-astray": Defect(
        "a project's counter is not the sum of its lines in the ledger",
        Column.MINUTES,
        (
            Change(
                LUA + "shared/ledger.lua",
                "int(unit_minutes * (millionths - wholes * 1e6))",
                "int(unit_minutes * (millionths - wholes * 1e6) + 1)",
            ),
        ),
    ),
    "evicted-for-good": Defect(
        "a job that is moved off a host that is drained does not run again",
        Column.END,
        (
            Change(
                "aitrain/domain/retry.py",
                "if cause is EndCause.EVICTED and job.spec.platform_retries != 0:",
                "if cause is EndCause.EVICTED and job.spec.platform_retries == 0:",
            ),
        ),
        seed=4,
        faults="host-drained,unit-cordoned",
    ),
    "eviction-untold": Defect(
        "an eviction looks like any other stop",
        Column.END,
        (Change(LUA + "shared/evictions.lua", "{code = 'JOB_EVICTED', message = why}", "{message = why}"),),
        seed=4,
        faults="host-drained",
    ),
    "results-unpushed": Defect(
        "a job ends without its results being pushed",
        Column.RESULTS,
        (Change("workers/steps.py", "        run.abandonable(partial(push_all, volumes))\n", ""),),
    ),
    "message-never-again": Defect(
        "a message that was lost is not sent again",
        Column.LOST,
        (Change("workers/agent/heartbeat.py", "if job.resend:", "if job.resend is None:"),),
        faults="broker-emptied,worker-killed",
    ),
    "unit-kept": Defect(
        "one unit of each host is not released when its job ends",
        Column.GPUS,
        (
            Change(
                LUA + "shared/units.lua",
                "if redis.call('HGET', key, unit) == job.id then",
                "if unit ~= '0' and redis.call('HGET', key, unit) == job.id then",
            ),
        ),
    ),
    "unit-aside": Defect(
        "one unit of each host is set aside when its job ends, as if it were cordoned",
        Column.GPUS,
        (
            Change(
                LUA + "shared/units.lua",
                "local stands = unheld(job.host, job.flavor, unit)",
                "local stands = unit == '0' and ASIDE or unheld(job.host, job.flavor, unit)",
            ),
        ),
    ),
    "container-left": Defect(
        "a container is not removed when its job has ended",
        Column.CONTAINERS,
        (
            Change("workers/steps.py", "        remove(run, container)\n", "        pass\n"),
            Change(
                "workers/agent/acting.py",
                "                self._machine.engine.remove(container)\n",
                "                pass\n",
            ),
        ),
    ),
    "files-left": Defect(
        "the files of a job are not removed when it has ended",
        Column.FILES,
        (Change("workers/workspace.py", "if not (self._path / SETTLED).exists():", "if self._path:"),),
    ),
    "message-astray": Defect(
        "messages are sent to a queue that no worker consumes",
        Column.MESSAGES,
        (
            Change(
                "aitrain/broker.py",
                "            queue=queue,\n",
                "            queue=queue if step is not Step.MONITOR else UNROUTED_QUEUE,\n",
            ),
        ),
    ),
}
