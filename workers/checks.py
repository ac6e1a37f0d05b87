"""What control workers try when a client asks: a data store that is to be added."""

from __future__ import annotations

import logging

from aitrain.domain.errors import Problem, SecretUnreadable
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.domain.states import InfoCode
from aitrain.sealing import data_store_of
from aitrain.settings import DataStore
from aitrain.store import CheckAnswer
from workers.app import request
from workers.datasync.inspection import DataStoreFacts, inspect
from workers.log_output import hide
from workers.machine import Machine

log = logging.getLogger(__name__)

# A server may call its refusal what it likes.
CODE_CHARACTERS = 64
WRONG_KEYS = {InfoCode.DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS, InfoCode.DATASYNC_AUTHENTICATE_FAILED}


@request
def check_data_store(machine: Machine, token: str) -> None:
    """Tries a data store that is to be added, and answers the client that waits."""
    asked = machine.store.asked_check(token)
    if asked is None:
        log.info("check %s came late: nobody waits for it", token)
        return
    try:
        kept = purpose(SecretKind.DATA_STORE, asked.project, asked.alias)
        store = data_store_of(machine.vault.open(kept, asked.sealed))
        hide(store.access_key_id, store.secret_access_key)
    except SecretUnreadable as error:
        answer = CheckAnswer(unable=f"the control worker cannot open it: {error}")
    else:
        try:
            answer = CheckAnswer(problem(inspect(asked.alias, store, asked.container), store, asked.container))
        except Exception as error:  # somebody waits; what its text repeats nobody knows
            answer = CheckAnswer(unable=f"the control worker met an unforeseen {type(error).__name__}")
    machine.store.answer_check(token, answer)
    log.info("data store %r of project %r: %s", asked.alias, asked.project, "refused" if answer.problem else "tried")


def problem(facts: DataStoreFacts, store: DataStore, container: str) -> Problem | None:
    """Why a data store cannot be used, by what it said; None: it can. container: that was listed, "" for the list."""
    code, said = facts.fault, f"({facts.code[:CODE_CHARACTERS]})" if facts.code else ""
    if code is None:
        return None
    if code in WRONG_KEYS:
        return Problem(
            "access_key_id", "", f"or secret_access_key was refused by the data store {said}".rstrip(),
            "give the two as the service shows them, and its region",
        )  # fmt: skip
    if code is InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN and container:
        return Problem("container", container, f"may not be listed with these keys {said}", "grant them listing it")
    if code is InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN:
        return Problem(
            "container", "", f"has to be named: the keys may not list all containers {said}",
            "name one that they may list, for the check",
        )  # fmt: skip
    if code is InfoCode.DATASYNC_INVALID_CONTAINER:
        return Problem("container", container, "is not there", "create it, correct its name, or leave it out")
    where = store.endpoint_url or "the provider's own"
    if facts.code and not facts.code.isdigit():
        return Problem(
            "endpoint_url", where, f"answers, and refuses to list containers {said}",
            "look its word up, and correct the address, the region or the clocks",
        )  # fmt: skip
    return Problem(
        "endpoint_url", where, f"does not answer as an S3 service does {said}".rstrip(),
        "correct it, and see that control workers and hosts reach it",
    )  # fmt: skip
