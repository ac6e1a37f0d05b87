"""Values that a caller gives beside a spec: returned as they are, or refused by name, value and what would be right.

The job store keeps what it is given. A number that is none, or the name of a project that there cannot be, would be
met only by those who read it later, and not by whoever gave it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import SLUG, SLUG_REMEDY
from aitrain.domain.states import State

# The largest whole number that the scripts of the job store count exactly.
MOST = 2**53
REDIS_SCHEMES = ("redis", "rediss")
# What libraries take behind the "?" of a URL, and what is said of them where TLS does not work at once.
UNCHECKING = {"ssl_cert_reqs", "ssl_check_hostname"}


def checked_project(project: str) -> str:
    """The name of a project. Raises InvalidInput if no project can have it: nothing would be found, and look right."""
    if not isinstance(project, str) or not SLUG.fullmatch(project):
        raise InvalidInput.of("project", project, "is no name of a project", SLUG_REMEDY)
    return project


def checked_whole(field: str, value: int, message: str, remedy: str, *, low: int = 0, high: int = MOST) -> int:
    """A whole number from low to high. Raises InvalidInput with the message and the remedy for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput.of(field, value, message, remedy)
    return value


def checked_states(states: Collection[State]) -> frozenset[State]:
    """States of jobs. Raises InvalidInput for one alone, which is a text, too, and for what is none."""
    if isinstance(states, str) or not all(one in list(State) for one in states):
        given = states if isinstance(states, str) else ", ".join(str(one) for one in states)
        raise InvalidInput.of("states", given, "is no list of states", f"give some of: {', '.join(State)}")
    return frozenset(State(one) for one in states)


def checked_redis_url(field: str, url: str) -> str:
    """The URL of one Redis: redis[s]://[[user]:password@]host[:port][/number].

    Raises InvalidInput, which does not repeat it. What libraries make of another one they say when they first connect,
    each in its own way, or not at all.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in REDIS_SCHEMES and parts.port != 0 and bool(re.fullmatch("(/[0-9]*)?", parts.path))
    except ValueError:  # as urllib calls a port or an address that is none
        good = False
    if not good:
        raise InvalidInput.of(field, "", "is not a Redis URL", "write redis://host:6379/0")
    if unchecked := sorted(UNCHECKING & parse_qs(parts.query, keep_blank_values=True).keys()):
        raise InvalidInput.of(
            field, "", f"has {', '.join(unchecked)}, with which any server would be taken for the site's",
            "leave it out, and name the authority of the server's certificate as redis_ca_file",
        )  # fmt: skip
    return url
