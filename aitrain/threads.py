"""A bounded number of threads for calls that block, for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Calls take milliseconds: more at once would only contend for one interpreter.
THREADS = 8


class Threads:
    """Runs calls in its threads, and waits for them without holding the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="aitrain")
        self._closed = False

    @property
    def closed(self) -> bool:
        """Nothing can be run any more."""
        return self._closed

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns or raises. Cancelled, it is left to end by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))

    async def run_alone(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As run(), in a thread of its own: a call that may take for ever must not keep the others waiting."""
        own = ThreadPoolExecutor(1, thread_name_prefix="aitrain-alone")
        try:
            return await asyncio.get_running_loop().run_in_executor(own, partial(call, *args, **kwargs))
        finally:
            own.shutdown(wait=False)

    def begin(self, call: Callable[[], object]) -> None:
        """Runs a call that nobody waits for, in a thread of its own: the others may be held up or closed."""
        threading.Thread(target=call, name="aitrain-last", daemon=True).start()

    def close(self) -> None:
        """Lets the threads end, when their calls have."""
        self._closed = True
        self._pool.shutdown(wait=False)
