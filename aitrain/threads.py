"""A bounded number of threads for calls that block, for asyncio."""

from __future__ import annotations

import asyncio
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

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns or raises. Cancelled, it is left to end by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))

    def close(self) -> None:
        """Lets the threads end, when their calls have."""
        self._pool.shutdown(wait=False)
