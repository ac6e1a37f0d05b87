"""What a shell completes from the site: jobs, hosts, flavors.

Whatever goes wrong, nothing is said: somebody is typing.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

# Beside the start of the command; whoever typed on by then wants no answer.
PATIENCE_SECONDS = 2.0
# One page of the store. Older jobs are named by hand.
NEWEST_JOBS = 200

Suggestion = tuple[str, str]


class _TooLate(BaseException):
    """No Exception: whoever tries again after errors must not catch it."""


def _late(*_: object) -> None:
    raise _TooLate


@contextmanager
def _in_time() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _quietly(incomplete: str, read: Callable[[], Iterable[Suggestion]]) -> list[Suggestion]:
    """Those that begin so; none if they cannot be read."""
    try:
        with _in_time():
            return [(word, help_) for word, help_ in read() if word.startswith(incomplete)]
    except (Exception, _TooLate):
        return []


def jobs(incomplete: str) -> list[Suggestion]:
    """Names and ids of the newest jobs. A name that several of them have means none of them, and is left out."""

    def read() -> Iterator[Suggestion]:
        from aitrain.client import Client  # takes long to load

        with Client() as client:
            found = list(client.iter_jobs(limit=NEWEST_JOBS))
        names = Counter(job.name for job in found)
        for job in found:
            if names[job.name] == 1:
                yield job.name, f"{job.state} {job.id}"
            if incomplete or names[job.name] > 1:
                yield job.id, f"{job.state} {job.name}"

    return _quietly(incomplete, read)


def hosts(incomplete: str) -> list[Suggestion]:
    """Names of hosts."""

    def read() -> Iterator[Suggestion]:
        from aitrain.client import Client  # takes long to load

        with Client() as client:
            return iter([(view.name, view.state.value) for view in client.hosts()])

    return _quietly(incomplete, read)


def flavors(incomplete: str) -> list[Suggestion]:
    """Flavors of the settings. Asks nobody."""

    def read() -> Iterator[Suggestion]:
        from aitrain.settings import load_settings  # takes long to load

        return ((name, flavor.kind.value) for name, flavor in load_settings().flavors.items())

    return _quietly(incomplete, read)
