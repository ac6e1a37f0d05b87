"""What log lines are about: a job, its attempt, a step. Bound where a duty for a job begins, and on each line in it.

A thread does not inherit what is bound where it was started: those that work for a job are started by `carrying`.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from structlog.contextvars import bound_contextvars


def about_job(job_id: str, fence: str = "", step: str = "") -> AbstractContextManager[None]:
    """Lines written within are about a job. fence: of the attempt that they are about, if it is one; step: likewise."""
    attempt = fence.partition(".")[0]
    about: dict[str, str | int] = {"job": job_id}
    if attempt.isdigit():
        about["attempt"] = int(attempt)
    if step:
        about["step"] = step
    return bound_contextvars(**about)


def carrying(work: Callable[..., object], *args: Any, name: str) -> threading.Thread:
    """A daemon thread, not started yet, whose lines are about what this one's are."""
    context = contextvars.copy_context()
    return threading.Thread(target=context.run, args=(work, *args), name=name, daemon=True)
