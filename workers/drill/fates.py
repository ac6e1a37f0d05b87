"""The fates of a drill's jobs: what each does in its container, and the one way in which it has to end.

A fate's end does not depend on the faults: they may cost a job attempts, never its end or its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aitrain.domain.states import EndCause, State

# Exit codes of a process that a signal ended.
TERMINATED, KILLED = 143, 137
# And of an init process that did not find its program.
NOT_FOUND = 127
# A timeout of RUNNING long enough that a shell has written its first lines on a busy machine.
SHORT_TIMEOUT_SECONDS = 3
RESULT = "result"
READY = "ready"
# The flavor that no host of the drill offers: its jobs wait until they are stopped.
UNOFFERED = "h100"

# Every script begins so. A full disk only makes it wait: the fate of a job is its own, not that of the disk below it.
# `run-N` grows with every container of attempt N, so that a second one in the same place shows.
PRELUDE = f"""
id=$AITRAIN_JOB_ID; n=$AITRAIN_ATTEMPT
keep() {{ until echo "$2" >> "/out/$1"; do sleep 0.2; done 2>/dev/null; }}
result() {{ until echo "$(md5sum < /in/x) $id $n" > /out/{RESULT}; do sleep 0.2; done 2>/dev/null; }}
keep "run-$n" "$id $n"
"""


class Stop(StrEnum):
    """When the drill orders a job to stop. QUEUED: while it waits; READY: when its log says so."""

    QUEUED = "QUEUED"
    READY = "READY"


@dataclass(frozen=True)
class End:
    """An end that is right. codes: of the container; None in it: no container ran."""

    state: State
    cause: EndCause
    codes: tuple[int | None, ...]


@dataclass(frozen=True)
class Fate:
    """What a job does and how it has to end.

    share: of all jobs, as a weight; script: for the shell, behind the prelude; stop: an order that the drill gives;
    runs: its script runs, and writes its result before its end; retried: exit codes after which it is run again.
    """

    meaning: str
    share: int
    script: str
    end: End
    stop: Stop | None = None
    timeout: int | None = None
    auto_restart: bool = False
    retried: tuple[int, ...] = ()
    flavor: str | None = None
    gpu: bool = False
    program: str = "sh"
    missing_input: bool = False
    runs: bool = True


DONE = End(State.DONE, EndCause.COMPLETED, (0,))

FATES: dict[str, Fate] = {
    "ok": Fate("reads, computes, writes, exits with 0", 30, "sleep $PAUSE; result", DONE),
    "gpu": Fate("the same on one or two GPUs", 14, "sleep $PAUSE; result", DONE, gpu=True),
    "lasting": Fate("the same for long enough that faults meet it", 12, "sleep $PAUSE; result", DONE),
    "exit": Fate(
        "writes a partial result and exits with 3",
        8,
        "sleep $PAUSE; result; exit 3",
        End(State.FAILED, EndCause.EXIT_CODE, (3,)),
    ),
    "memory": Fate(
        "takes more memory than its units bring",
        5,
        "result; tail /dev/zero",
        End(State.FAILED, EndCause.OUT_OF_MEMORY, (KILLED,)),
    ),
    "hang": Fate(
        "never ends by itself, and has a short timeout",
        5,
        "result; sleep 900",
        End(State.INTERRUPTED, EndCause.TIMED_OUT, (TERMINATED, KILLED)),
        timeout=SHORT_TIMEOUT_SECONDS,
    ),
    "restarted": Fate(
        "times out in its first attempt and is queued again by auto-restart",
        4,
        '[ "$n" -gt 1 ] || sleep 900; result',
        DONE,
        timeout=SHORT_TIMEOUT_SECONDS,
        auto_restart=True,
    ),
    "flaky": Fate(
        "exits with 7 in its first attempt, and asks for a retry then",
        4,
        'sleep $PAUSE; result; [ "$n" -gt 1 ] || exit 7',
        DONE,
        retried=(7,),
    ),
    "stubborn": Fate(
        "ignores SIGTERM, and is ordered to stop",
        5,
        f"trap '' TERM; result; echo {READY}; i=0; while [ $i -lt 4500 ]; do sleep 0.2; i=$((i+1)); done",
        End(State.INTERRUPTED, EndCause.STOPPED, (KILLED,)),
        stop=Stop.READY,
    ),
    "stopped": Fate(
        "is ordered to stop, and does",
        4,
        f"result; echo {READY}; sleep 900",
        End(State.INTERRUPTED, EndCause.STOPPED, (TERMINATED, KILLED)),
        stop=Stop.READY,
    ),
    "waiting": Fate(
        "waits for a flavor that no host offers, and is ordered to stop",
        3,
        "true",
        End(State.INTERRUPTED, EndCause.STOPPED, (None,)),
        stop=Stop.QUEUED,
        flavor=UNOFFERED,
        gpu=True,
        runs=False,
    ),
    "chatty": Fate("writes thousands of lines to its log", 5, "seq 1 $LOG_LINES; result", DONE),
    "large": Fate(
        "writes a large file",
        4,
        'until busybox yes $id | head -c $BYTES > /out/large && [ "$(stat -c %s /out/large)" = $BYTES ]; '
        "do sleep 0.3; done 2>/dev/null; result",
        DONE,
    ),
    "many": Fate(
        "writes many small files",
        4,
        "until mkdir -p /out/many; do sleep 0.2; done 2>/dev/null; "
        'for i in $(seq 1 $FILES); do until echo "$i" > "/out/many/$i"; do sleep 0.2; done 2>/dev/null; done; result',
        DONE,
    ),
    "absent": Fate(
        "names a program that its image does not hold",
        2,
        "",
        End(State.FAILED, EndCause.EXIT_CODE, (NOT_FOUND,)),
        program="/no/such/program",
        runs=False,
    ),
    "refused": Fate(
        "reads from a container that does not exist",
        2,
        "",
        End(State.FAILED, EndCause.DATA_REFUSED, (None,)),
        missing_input=True,
        runs=False,
    ),
    "long": Fate(
        "runs into its second minute",
        1,
        "sleep $PAUSE; result",
        DONE,
    ),
}
