"""The life of a job in one table: states, the moves between them, end causes and info codes.

Every other part (the store's scripts, the diagram in docs/, the steps, the agent) reads this file; none has a copy.
State names, their meanings and the info codes follow OVHcloud AI Training where it has one that fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life. The meaning of each stands in STATES."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    INTERRUPTING = "INTERRUPTING"
    TIMEOUT = "TIMEOUT"
    FINALIZING = "FINALIZING"
    DONE = "DONE"
    INTERRUPTED = "INTERRUPTED"
    FAILED = "FAILED"
    ERROR = "ERROR"


class Step(StrEnum):
    """One Celery task of the chain. The value is the last part of the task's name."""

    SYNC_IN = "sync_in"
    START_CONTAINER = "start_container"
    MONITOR = "monitor"
    SYNC_OUT = "sync_out"


class InfoCode(StrEnum):
    """Why a job is where it is, for programs. OVHcloud's codes where one fits."""

    JOB_QUEUED = "JOB_QUEUED"
    JOB_INITIALIZING = "JOB_INITIALIZING"
    JOB_PENDING = "JOB_PENDING"
    JOB_RUNNING = "JOB_RUNNING"
    JOB_INTERRUPTING = "JOB_INTERRUPTING"
    JOB_FINALIZING = "JOB_FINALIZING"
    JOB_DONE = "JOB_DONE"
    JOB_TIMEOUT = "JOB_TIMEOUT"
    JOB_INTERRUPTED = "JOB_INTERRUPTED"
    JOB_INTERRUPTED_BY_PLATFORM = "JOB_INTERRUPTED_BY_PLATFORM"
    JOB_EVICTED = "JOB_EVICTED"
    JOB_FAILED = "JOB_FAILED"
    JOB_FAILED_WITH_MESSAGE = "JOB_FAILED_WITH_MESSAGE"
    JOB_ERROR = "JOB_ERROR"
    JOB_SYNC_FAILED = "JOB_SYNC_FAILED"
    JOB_IMAGE_PULL = "JOB_IMAGE_PULL"
    JOB_INVALID_IMAGE_NAME = "JOB_INVALID_IMAGE_NAME"
    JOB_REGISTRY_UNAVAILABLE = "JOB_REGISTRY_UNAVAILABLE"
    JOB_CREATE_CONTAINER_CONFIG_ERROR = "JOB_CREATE_CONTAINER_CONFIG_ERROR"
    JOB_CREATE_CONTAINER_ERROR = "JOB_CREATE_CONTAINER_ERROR"
    DATASYNC_AUTHENTICATE_FAILED = "DATASYNC_AUTHENTICATE_FAILED"
    DATASYNC_DATA_STORE_NOT_FOUND = "DATASYNC_DATA_STORE_NOT_FOUND"
    DATASYNC_INVALID_CONTAINER = "DATASYNC_INVALID_CONTAINER"
    DATASYNC_PROGRESS_FAILED_FORBIDDEN = "DATASYNC_PROGRESS_FAILED_FORBIDDEN"
    DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS = "DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS"
    DATASYNC_PROGRESS_FAILED_NOT_FOUND = "DATASYNC_PROGRESS_FAILED_NOT_FOUND"
    DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR = "DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR"
    DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR = "DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR"


@dataclass(frozen=True)
class StateRow:
    """What is true of every job in a state.

    code: the info code on entering, unless the mover gives a finer one.
    step: the step whose work the state is; a job whose step holds no live lease is due to be sent again.
    counted: its units count against the project's quota.
    holds_units: its units on the host are reserved for it.
    on_host: its host still has work to do for it.
    runs: its container runs, or may run.
    """

    meaning: str
    code: InfoCode
    step: Step | None = None
    counted: bool = False
    holds_units: bool = False
    on_host: bool = False
    runs: bool = False

    @property
    def ended(self) -> bool:
        """Nothing more happens to the job unless somebody starts it again."""
        return not self.on_host and not self.counted


STATES: dict[State, StateRow] = {
    State.QUEUED: StateRow("accepted; waiting for a host", InfoCode.JOB_QUEUED, counted=True),
    State.INITIALIZING: StateRow(
        "instance created on its host; data is synchronized from the object store",
        InfoCode.JOB_INITIALIZING,
        Step.SYNC_IN,
        counted=True,
        holds_units=True,
        on_host=True,
    ),
    State.PENDING: StateRow(
        "being started: image pulled, container created",
        InfoCode.JOB_PENDING,
        Step.START_CONTAINER,
        counted=True,
        holds_units=True,
        on_host=True,
    ),
    State.RUNNING: StateRow(
        "the container runs; its timeout clock runs",
        InfoCode.JOB_RUNNING,
        Step.MONITOR,
        counted=True,
        holds_units=True,
        on_host=True,
        runs=True,
    ),
    State.INTERRUPTING: StateRow(
        "still running, or still preparing; a stop order was received, or it is evicted from its host",
        InfoCode.JOB_INTERRUPTING,
        holds_units=True,
        on_host=True,
        runs=True,
    ),
    State.TIMEOUT: StateRow(
        "still running, about to be stopped: the timeout was reached",
        InfoCode.JOB_TIMEOUT,
        holds_units=True,
        on_host=True,
        runs=True,
    ),
    State.FINALIZING: StateRow(
        "instance deleted; data is synchronized back", InfoCode.JOB_FINALIZING, Step.SYNC_OUT, on_host=True
    ),
    State.DONE: StateRow("ended normally, exit code 0, data pushed", InfoCode.JOB_DONE),
    State.INTERRUPTED: StateRow(
        "ended because it was stopped, or timed out without auto-restart", InfoCode.JOB_INTERRUPTED
    ),
    State.FAILED: StateRow(
        "ended with an error of its own: exit code other than 0, image could not be pulled, bad data credentials",
        InfoCode.JOB_FAILED,
    ),
    State.ERROR: StateRow("ended by a fault of the platform", InfoCode.JOB_ERROR),
}


@dataclass(frozen=True)
class Move:
    """One allowed move. `when` completes the sentence "a job goes from SOURCE to TARGET when ...".

    ordered: made by the verb of an order only, which looks at more than the state.
    """

    source: State
    target: State
    when: str
    ordered: bool = False


MOVES: tuple[Move, ...] = (
    Move(State.QUEUED, State.INITIALIZING, "placement reserved its units on a host"),
    Move(State.QUEUED, State.INTERRUPTED, "it was stopped before it was placed"),
    Move(State.QUEUED, State.ERROR, "the platform gave it up"),
    Move(State.INITIALIZING, State.PENDING, "its data is on the host"),
    Move(State.INITIALIZING, State.INTERRUPTING, "a stop order was received, or it is evicted from its host"),
    Move(State.INITIALIZING, State.FAILED, "its data could not be read, by its own fault"),
    Move(State.INITIALIZING, State.ERROR, "its data could not be copied, by the platform's fault"),
    Move(State.INITIALIZING, State.QUEUED, "a fault of the platform (a lost host, an outage) is to be tried again"),
    Move(State.PENDING, State.RUNNING, "its container started"),
    Move(State.PENDING, State.INTERRUPTING, "a stop order was received, or it is evicted from its host"),
    Move(State.PENDING, State.FAILED, "its image or command could not be started"),
    Move(State.PENDING, State.ERROR, "the engine could not start it"),
    Move(State.PENDING, State.QUEUED, "a fault of the platform (a lost host, an outage) is to be tried again"),
    Move(State.RUNNING, State.FINALIZING, "its container ended"),
    Move(State.RUNNING, State.INTERRUPTING, "a stop order was received, or it is evicted from its host"),
    Move(State.RUNNING, State.TIMEOUT, "its timeout was reached"),
    Move(State.RUNNING, State.ERROR, "its host was lost and it may not be restarted"),
    Move(State.RUNNING, State.QUEUED, "its host was lost and it may be restarted"),
    Move(State.INTERRUPTING, State.FINALIZING, "its container was stopped"),
    Move(State.INTERRUPTING, State.INTERRUPTED, "nothing had run yet"),
    Move(State.INTERRUPTING, State.QUEUED, "it is evicted, and nothing had run yet or its host was lost meanwhile"),
    Move(State.INTERRUPTING, State.ERROR, "its host was lost"),
    Move(State.TIMEOUT, State.FINALIZING, "its container was stopped"),
    Move(State.TIMEOUT, State.QUEUED, "its host was lost, and it has auto-restart"),
    Move(State.TIMEOUT, State.ERROR, "its host was lost"),
    Move(State.FINALIZING, State.DONE, "it exited with 0 and its data is pushed"),
    Move(State.FINALIZING, State.FAILED, "it ended with an error of its own and its data is pushed"),
    Move(State.FINALIZING, State.INTERRUPTED, "it was stopped or timed out, and its data is pushed"),
    Move(
        State.FINALIZING,
        State.QUEUED,
        "it is to run again (auto-restart, retry, eviction), and its data is pushed",
    ),
    Move(State.FINALIZING, State.ERROR, "its data could not be pushed, or the platform had ended it"),
    Move(State.DONE, State.QUEUED, "it was started again"),
    Move(State.INTERRUPTED, State.QUEUED, "it was started again"),
    Move(State.FAILED, State.QUEUED, "it was started again"),
    Move(State.ERROR, State.QUEUED, "it was started again"),
    Move(State.ERROR, State.FINALIZING, "its results could not be pushed, and are to be pushed again", ordered=True),
)

TARGETS: dict[State, frozenset[State]] = {
    state: frozenset(move.target for move in MOVES if move.source is state) for state in State
}
ENDED: frozenset[State] = frozenset(state for state, row in STATES.items() if row.ended)


def sources(target: State) -> frozenset[State]:
    """The states from which whoever reports on a job may bring it to `target`: moves that need an order aside."""
    return frozenset(move.source for move in MOVES if move.target is target and not move.ordered)


def state_of(step: Step) -> State:
    """The state whose work `step` does."""
    return next(state for state, row in STATES.items() if row.step is step)


class EndCause(StrEnum):
    """Why an attempt ended. Written once, by whoever sees it first, and never overwritten."""

    COMPLETED = "COMPLETED"
    EXIT_CODE = "EXIT_CODE"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    STOPPED = "STOPPED"
    TIMED_OUT = "TIMED_OUT"
    EVICTED = "EVICTED"
    BUDGET_REACHED = "BUDGET_REACHED"
    DATA_REFUSED = "DATA_REFUSED"
    DATA_FAULT = "DATA_FAULT"
    IMAGE_REFUSED = "IMAGE_REFUSED"
    REGISTRY_UNAVAILABLE = "REGISTRY_UNAVAILABLE"
    START_REFUSED = "START_REFUSED"
    ENGINE_FAULT = "ENGINE_FAULT"
    GPU_FAULT = "GPU_FAULT"
    CONTAINER_LOST = "CONTAINER_LOST"
    ENGINE_RESTARTED = "ENGINE_RESTARTED"
    HOST_CUT_OFF = "HOST_CUT_OFF"
    HOST_LOST = "HOST_LOST"
    PLATFORM_FAULT = "PLATFORM_FAULT"


@dataclass(frozen=True)
class CauseRow:
    """What follows from a cause: the state in which the job ends, the code, and a sentence for people.

    Where the fault is the platform's, the job is tried again, up to its limit, before it ends so.
    """

    meaning: str
    ends: State
    code: InfoCode

    @property
    def platform(self) -> bool:
        """Whether the fault is the platform's."""
        return self.ends is State.ERROR


CAUSES: dict[EndCause, CauseRow] = {
    EndCause.COMPLETED: CauseRow("the command exited with 0", State.DONE, InfoCode.JOB_DONE),
    EndCause.EXIT_CODE: CauseRow(
        "the command exited with another code than 0", State.FAILED, InfoCode.JOB_FAILED_WITH_MESSAGE
    ),
    EndCause.OUT_OF_MEMORY: CauseRow(
        "the engine killed it: it used more memory than its units bring", State.FAILED, InfoCode.JOB_FAILED_WITH_MESSAGE
    ),
    EndCause.STOPPED: CauseRow("somebody stopped it", State.INTERRUPTED, InfoCode.JOB_INTERRUPTED),
    EndCause.TIMED_OUT: CauseRow("its timeout was reached", State.INTERRUPTED, InfoCode.JOB_TIMEOUT),
    EndCause.BUDGET_REACHED: CauseRow(
        "its project's budget for the month was spent", State.INTERRUPTED, InfoCode.JOB_INTERRUPTED
    ),
    EndCause.EVICTED: CauseRow(
        "its host, or a unit of it, was drained, and it was stopped there to run elsewhere",
        State.INTERRUPTED,
        InfoCode.JOB_EVICTED,
    ),
    EndCause.DATA_REFUSED: CauseRow(
        "its data could not be read: wrong key, no right, no such container or data store",
        State.FAILED,
        InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR,
    ),
    EndCause.DATA_FAULT: CauseRow(
        "its data could not be copied: network, object store or disk",
        State.ERROR,
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
    ),
    EndCause.IMAGE_REFUSED: CauseRow("its image could not be pulled", State.FAILED, InfoCode.JOB_IMAGE_PULL),
    EndCause.REGISTRY_UNAVAILABLE: CauseRow(
        "the registry of its image could not be reached", State.ERROR, InfoCode.JOB_REGISTRY_UNAVAILABLE
    ),
    EndCause.START_REFUSED: CauseRow(
        "its command could not be started", State.FAILED, InfoCode.JOB_CREATE_CONTAINER_ERROR
    ),
    EndCause.ENGINE_FAULT: CauseRow("the Docker Engine failed", State.ERROR, InfoCode.JOB_ERROR),
    EndCause.GPU_FAULT: CauseRow(
        "a GPU that was reserved for it was not clean or not sound", State.ERROR, InfoCode.JOB_ERROR
    ),
    EndCause.CONTAINER_LOST: CauseRow(
        "its container vanished from the engine", State.ERROR, InfoCode.JOB_INTERRUPTED_BY_PLATFORM
    ),
    EndCause.ENGINE_RESTARTED: CauseRow(
        "the Docker Engine went down, or somebody killed its container there",
        State.ERROR,
        InfoCode.JOB_INTERRUPTED_BY_PLATFORM,
    ),
    EndCause.HOST_CUT_OFF: CauseRow(
        "its host could not reach the job store and stopped it, so that it would not run twice",
        State.ERROR,
        InfoCode.JOB_INTERRUPTED_BY_PLATFORM,
    ),
    EndCause.HOST_LOST: CauseRow("its host was lost", State.ERROR, InfoCode.JOB_INTERRUPTED_BY_PLATFORM),
    EndCause.PLATFORM_FAULT: CauseRow("an unforeseen error of the platform", State.ERROR, InfoCode.JOB_ERROR),
}
