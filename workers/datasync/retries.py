"""What may pass by itself is tried again, after pauses that grow and differ from one copy to the next."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from botocore.exceptions import IncompleteReadError, ResponseStreamingError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from aitrain.domain.errors import PlatformFault
from workers.datasync.faults import passes_by_itself

TRIES = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10
POLL_SECONDS = 0.2
# A request that failed was sent again by the SDK; it does nothing for an answer that breaks off in the middle.
BROKEN_OFF = (IncompleteReadError, ResponseStreamingError)


def patiently(copy: Callable[[], None], checkpoint: Callable[[], None]) -> None:
    """Runs one copy, which raises faults of the job, until it succeeds or its failure is not worth another try.

    checkpoint: called while it pauses; what it raises ends the pause.
    """

    def pause(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            checkpoint()
            time.sleep(min(POLL_SECONDS, left))

    if _succeeds(copy):  # nearly always, and then a small file is copied in the time that the machinery takes
        return
    pause(FIRST_PAUSE_SECONDS * (1 + random.random()))  # noqa: S311 - jitter
    Retrying(
        sleep=pause,
        stop=stop_after_attempt(TRIES - 1),
        wait=wait_exponential_jitter(
            multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS, jitter=FIRST_PAUSE_SECONDS
        ),
        retry=retry_if_exception(_is_worth_it),
        reraise=True,
    )(copy)


def _succeeds(copy: Callable[[], None]) -> bool:
    try:
        copy()
    except PlatformFault as fault:
        if _is_worth_it(fault):
            return False
        raise
    return True


def _is_worth_it(error: BaseException) -> bool:
    return passes_by_itself(error) and (error.__cause__ is None or isinstance(error.__cause__, BROKEN_OFF))
