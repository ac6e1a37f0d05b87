"""How a worker stops: it takes no more messages, lets steps go on for a while, then has them give up.

What they give up, the next worker begins again and finds what they left: files that were copied whole are not copied
twice. So a new version need not wait for a copy of many hours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from workers.notify import STOPPING, notify

log = logging.getLogger(__name__)

WHY = "its worker stops; another one begins it again"


def stop_gently(patience_s: float, give_up: Callable[[str], int]) -> None:
    """Begins to wait, in a thread of its own: Celery calls this from the handler of a signal.

    give_up: has all steps at work give up, for the reason it is given; how many there were.
    """

    def wait() -> None:
        notify(STOPPING)
        log.info("stops: takes no more messages, and lets steps at work go on for %g s", patience_s)
        threading.Event().wait(patience_s)
        if count := give_up(WHY):
            log.warning("%d steps at work are given up; another worker begins them again", count)

    threading.Thread(target=wait, name="stopping", daemon=True).start()
