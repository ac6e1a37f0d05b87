"""What the commands on jobs say: the answers to orders, and how a job goes on."""

from __future__ import annotations

import getpass
import os

from rich.console import Console

from aitrain.cli.bars import Bars
from aitrain.cli.exits import NO_EXIT_CODE, OK
from aitrain.client import Client
from aitrain.domain.job import HistoryEntry, Job
from aitrain.domain.spec import MAX_LABELS
from aitrain.domain.states import State
from aitrain.store import Ordered

out = Console(highlight=False)

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
        out.print(f"{job_id} {word}: {why_not.get(why) or WHY_NOT.get(why, why)}", soft_wrap=True)


def follow(client: Client, job_id: str) -> int:
    """Tells how a job goes on until it has ended: its states, and on a terminal bars of its copies; the exit status."""
    with Bars(out) as bars:
        job = client.wait(job_id, on_change=_tell, on_progress=bars.show)
    if job.message:
        out.print(job.message, markup=False)
    return _status(job)


def _status(job: Job) -> int:
    if job.state is State.DONE:
        return OK
    return job.exit_code or NO_EXIT_CODE


def _tell(entry: HistoryEntry) -> None:
    why = f"  {entry.message}" if entry.state is State.QUEUED and entry.message else ""
    out.print(f"{entry.at:%H:%M:%S.%f}"[:-3] + f" {entry.state:<13} {entry.code}{why}", markup=False, soft_wrap=True)
