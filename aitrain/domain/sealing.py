"""What is sealed: its kinds, what each is for, and what a token says of itself."""

from __future__ import annotations

import re
from enum import StrEnum

# Of how tokens are made.
SEAL_VERSION = 1
# Version, id of the key, what was sealed.
TOKEN = re.compile(rf"{SEAL_VERSION}\.([0-9a-f]{{16}})\.[A-Za-z0-9_=-]+")


class SecretKind(StrEnum):
    """Of which kind a secret is."""

    DATA_STORE = "data_store"
    REGISTRY = "registry"
    ENV = "env"


# Variables of a job do not change.
ENV_REVISION = "1"
# A project's own, each with an entry that may be shown; a job's variables have none.
PROJECT_KINDS = (SecretKind.DATA_STORE, SecretKind.REGISTRY)


def purpose(kind: SecretKind, owner: str, name: str) -> str:
    """What a secret is sealed for. owner: its project, or its job; name: of the data store, server or variable.

    None of them has a slash in it.
    """
    return f"{kind}/{owner}/{name}"


def host_purpose(host: str, job_id: str, kind: SecretKind, name: str) -> str:
    """What a secret is sealed for that a host needs for a job."""
    return f"host/{host}/{job_id}/{kind}/{name}"


def key_of(token: str) -> str | None:
    """The id of the key that sealed it; None: it is no token of this version."""
    found = TOKEN.fullmatch(token)
    return found[1] if found else None
