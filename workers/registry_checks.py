"""What control workers try when a client asks: a registry that is to be added."""

from __future__ import annotations

import logging

from aitrain.domain.errors import Problem, SecretUnreadable
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.sealing import login_of
from aitrain.store import CheckAnswer
from workers.app import request
from workers.logins import Login, LoginAnswer, log_in
from workers.machine import Machine

log = logging.getLogger(__name__)

# A server may answer what it likes.
SAID_CHARACTERS = 120


@request
def check_registry(machine: Machine, token: str) -> None:
    """Logs in to a registry that is to be added, and answers the client that waits."""
    asked = machine.store.asked_registry_check(token)
    if asked is None:
        log.info("check %s came late: nobody waits for it", token)
        return
    try:
        kept = purpose(SecretKind.REGISTRY, asked.project, asked.server)
        user, password = login_of(machine.vault.open(kept, asked.sealed))
    except SecretUnreadable as error:
        answer = CheckAnswer(unable=f"the control worker cannot open it: {error}")
    else:
        try:
            answer = CheckAnswer(problem(log_in(asked.server, user, password, asked.ca), asked.server, user))
        except Exception as error:  # somebody waits; what its text repeats nobody knows
            answer = CheckAnswer(unable=f"the control worker met an unforeseen {type(error).__name__}")
    machine.store.answer_check(token, answer)
    word = "refused" if answer.problem else "not tried" if answer.unable else "tried"
    log.info("registry %r of project %r: %s", asked.server, asked.project, word)


def problem(answer: LoginAnswer, server: str, user: str) -> Problem | None:
    """Why a registry cannot be used, by what it said; None: it can."""
    said = f" ({answer.said[:SAID_CHARACTERS]})" if answer.said else ""
    match answer.login:
        case Login.DONE:
            return None
        case Login.PASSWORD:
            return Problem(
                "password", "", f"of user {user!r} was refused by registry {server}{said}",
                "give both as the registry has them; a token goes in the place of the password",
            )  # fmt: skip
        case Login.AUTHORITY:
            return Problem(
                "ca", "", f"does not vouch for the certificate of registry {server}{said}",
                "give the certificate of the authority that signed it (--ca-file), and the name that it is for",
            )  # fmt: skip
        case Login.PLAIN:
            return Problem(
                "server", server, "does not speak https",
                "have it do so; or, where the engines of all hosts take it as it is (insecure-registries), add it "
                "unchecked",
            )  # fmt: skip
        case Login.AWAY:
            return Problem(
                "server",
                server,
                f"does not answer{said}",
                "correct it, and see that control workers and hosts reach it",
            )
        case Login.OTHER:
            return Problem("server", server, f"does not answer as a registry does{said}", "name HOST[:PORT] of one")
