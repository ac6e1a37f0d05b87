"""What the commands on jobs say: the answers to orders, and how a job goes on."""

from __future__ import annotations

import getpass
import os
import time
from functools import partial

from rich.text import Text

from aitrain.cli.bars import Bars
from aitrain.cli.detaching import detach
from aitrain.cli.endings import end_lines
from aitrain.cli.exits import NO_EXIT_CODE, OK
from aitrain.cli.livelog import LiveLog
from aitrain.cli.output import err, out
from aitrain.cli.patience import patiently
from aitrain.cli.styles import STYLES, telling
from aitrain.client import Client
from aitrain.data_orders import POLL_SECONDS
from aitrain.domain.errors import AitrainError, JobNotFound
from aitrain.domain.job import HistoryEntry, Job
from aitrain.domain.spec import MAX_LABELS
from aitrain.domain.states import ENDED, State
from aitrain.store import Ordered
from aitrain.watching import Watch

# Of a job that ran before it was watched: enough to see where it stands.
SHOWN_LINES = 20
# The container has ended: its log does, too.
AFTER_RUNNING = ENDED | {State.FINALIZING, State.QUEUED}

# What an order's `why` means to a person.
WHY_NOT = {
    "alive": "it has not ended; stop it first, or delete it with --force",
    "away": "its host does not answer; bring it back, and order it again: what it could not push is there",
    "busy": "another copy of its data is under way; wait for its end",
    "ended": "nothing to do, it has ended",
    "expired": "its results were kept for their time, and are removed",
    "labels": f"it would have more than {MAX_LABELS} labels; drop some",
    "ending": "it is ending already; it will not run again",
    "not_running": "its data is copied so only while it runs",
    "nothing": "nothing to push: it did not end with JOB_SYNC_FAILED",
    "replaced": "another machine has its host's name now; what it could not push is on the one before",
    "stopping": "it is told to stop, and is deleted when it has",
    "unknown": "there is no such job; was it deleted?",
}


def user() -> str:
    """Who gives an order, for the job's history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without an entry, as containers have
        return str(os.getuid())


def tell_answer(job_id: str, answer: Ordered, done: str = "", **why_not: str) -> None:
    """Prints the answer to an order. done: what it did, the state if not given; why_not: other words than WHY_NOT."""
    word = answer.state or ""
    if answer.done:
        out.print(f"{job_id} {done or word}".rstrip())
    else:
        why = answer.why or ""
        out.print(f"{f'{job_id} {word}'.rstrip()}: {why_not.get(why) or WHY_NOT.get(why, why)}", soft_wrap=True)


def follow(client: Client, job_id: str, *, whole_log: bool = False) -> int:
    """Tells how a job goes on until it has ended; the exit status.

    Its states from its present attempt on, what it writes while it runs, on a terminal bars of its copies, and at the
    end what was copied, its bill and where its results are. whole_log: of a job that runs already, all that it wrote,
    not the last lines only.
    """
    tail = LiveLog(client, job_id, None if whole_log else SHOWN_LINES)
    try:
        job = _followed(client, job_id, tail, whole_log)
    except KeyboardInterrupt:
        tail.leave()
        return detach([job_id], lambda it: tell_answer(it, client.stop(it, by=user())))
    except AitrainError as error:
        tail.leave()
        return _lost(job_id, error)
    if job.message:
        out.print(job.message, markup=False, soft_wrap=True)
    try:
        for line in patiently(end_lines, client, job):
            out.print(line, markup=False, soft_wrap=True)
    except AitrainError as error:  # the status is known all the same
        err.print(str(error), markup=False, soft_wrap=True)
    return _status(job)


def _followed(client: Client, job_id: str, tail: LiveLog, whole_log: bool) -> Job:
    """The job, once it has ended and its log is told."""
    first = patiently(client.get, job_id)
    # What was over before is not told again line by line: `logs --attempt` does.
    old = -1 if whole_log else max((entry.at_ms for entry in first.history), default=-1)

    def tell(entry: HistoryEntry) -> None:
        if entry.attempt < first.attempt:
            return
        if entry.state is State.RUNNING and not first.ended:
            tail.begin(entry.attempt, live=entry.at_ms > old)
        elif entry.state in AFTER_RUNNING:
            tail.wait()
        _tell(entry)

    with Bars(out) as bars:
        watch = Watch(None, tell, bars.show)
        while not watch.over(job := patiently(client.get, job_id)):
            time.sleep(POLL_SECONDS)
    tail.end()
    return job


def follow_all(client: Client, job_ids: list[str], *, quiet: bool = False) -> int:
    """Tells how jobs go on until all have ended; the first exit status that is not 0. quiet: tells nothing.

    Of several jobs their states are told, each line with its job, and no logs.
    """
    if len(job_ids) == 1 and not quiet:
        return follow(client, job_ids[0])
    statuses: dict[str, int] = {}
    watches = {job_id: Watch(None, None if quiet else partial(_tell, before=f"{job_id} "), None) for job_id in job_ids}
    try:
        while waited := [job_id for job_id in job_ids if job_id not in statuses]:
            for job_id in waited:
                try:
                    job = patiently(client.get, job_id)
                except AitrainError as error:
                    statuses[job_id] = _lost(job_id, error)
                    continue
                if watches[job_id].over(job):
                    statuses[job_id] = _status(job)
            if len(statuses) < len(job_ids):
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return detach(
            [job_id for job_id in job_ids if job_id not in statuses],
            lambda it: tell_answer(it, client.stop(it, by=user())),
        )
    return next((statuses[job_id] for job_id in job_ids if statuses[job_id]), 0)


def _lost(job_id: str, error: AitrainError) -> int:
    """Says that a job cannot be followed to its end. The status is not 1: a job may have ended with that itself."""
    why = "it was deleted" if isinstance(error, JobNotFound) else str(error)
    err.print(Text.assemble(("error: ", "red"), f"how job {job_id} ends is not known: {why}"), soft_wrap=True)
    return NO_EXIT_CODE


def _status(job: Job) -> int:
    if job.state is State.DONE:
        return OK
    return job.exit_code or NO_EXIT_CODE


def _tell(entry: HistoryEntry, before: str = "") -> None:
    why = f"  {entry.message}" if entry.state is State.QUEUED and entry.message else ""
    at = f"{entry.at:%H:%M:%S.%f}"[:-3]
    code = telling(entry.state, entry.code)
    line = Text.assemble(before, (at, "dim"), " ", (f"{entry.state:<13}", STYLES[entry.state]), f" {code}{why}")
    line.rstrip()
    out.print(line, soft_wrap=True)
