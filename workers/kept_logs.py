"""What control workers do with logs in the object store: read a part for a client, and remove what is past its time."""

from __future__ import annotations

import logging
from functools import partial

from aitrain.domain.errors import AitrainError
from aitrain.domain.logs import LogPlace, attempt_prefix, chunk_key, unpack_chunk
from aitrain.store import ChunkAnswer, DueLog
from workers.about import about_job
from workers.app import request
from workers.data_stores import opened_here
from workers.datasync.objects import Objects
from workers.machine import Machine
from workers.patience import Patience

log = logging.getLogger(__name__)

# Of one sweep: each costs a listing and a deletion or more.
BATCH = 50
# A project's own data store may never end its answer: that holds no slot, and no other project's logs.
patience = Patience()


@request
def read_log_chunk(machine: Machine, token: str) -> None:
    """Reads a part of a log, and answers the client that waits."""
    asked = machine.store.asked_chunk(token)
    if asked is None:
        log.info("part %s of a log was asked for too long ago: nobody waits for it", token)
        return
    try:
        place = machine.settings.logs.place
        if place is None:
            answer = ChunkAnswer(unable="the control worker's settings have no logs.container")
        else:
            key = chunk_key(place.prefix, asked.project, asked.job_id, asked.attempt, asked.first)
            body = _objects(machine, asked.project, place).read(key)
            answer = ChunkAnswer(gone=True) if body is None else ChunkAnswer(unpack_chunk(body))
    except (AitrainError, ValueError) as error:
        answer = ChunkAnswer(unable=str(error))
    except Exception as error:  # somebody waits; what its text repeats nobody knows
        answer = ChunkAnswer(unable=f"the control worker met an unforeseen {type(error).__name__}")
    machine.store.answer_chunk(token, answer)


def remove_due(machine: Machine) -> int:
    """Removes some logs whose time is past; how many. What cannot be removed now is due at the next sweep.

    A project whose data store refuses has one try in a sweep, and however many its logs are, those of others go.
    """
    removed = left = 0
    stuck: set[str] = set()
    retention_ms = machine.settings.logs.retention_seconds * 1000
    while removed < BATCH and (batch := machine.store.due_logs(BATCH, retention_ms, skip=left)):
        for due in batch:
            if due.project in stuck:
                left += 1
                continue
            try:
                name = f"removing logs of project {due.project}"
                gone = patience.run(name, partial(_remove, machine, due), due.project)
            except AitrainError as error:
                with about_job(due.job_id, str(due.attempt)):
                    log.warning("the log of attempt %d of job %s cannot be removed: %s", due.attempt, due.job_id, error)
                gone = False
            if gone:
                removed += 1
            else:
                stuck.add(due.project)
                left += 1
    return removed


def _remove(machine: Machine, due: DueLog) -> None:
    place = machine.settings.logs.place
    if place is not None:
        # By listing: a part that was uploaded and never registered goes, too.
        prefix = attempt_prefix(place.prefix, due.project, due.job_id, due.attempt)
        _objects(machine, due.project, place).delete_under(prefix)
    machine.store.forget_log(due)


def _objects(machine: Machine, project: str, place: LogPlace) -> Objects:
    return Objects(opened_here(machine, project), place.alias, place.container)
