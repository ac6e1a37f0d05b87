"""A bounded number of threads for calls that block, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Calls take milliseconds: more at once would only contend for one interpreter.
THREADS = 8


class Threads:
    """Runs calls in its threads, and waits for them without holding the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="aitrain")
        self._alone: set[Future[Any]] = set()
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
        return await asyncio.wrap_future(self.begin(partial(call, *args, **kwargs)))

    def begin(self, call: Callable[[], T]) -> Future[T]:
        """Runs a call in a thread of its own, and does not wait for it."""
        own = ThreadPoolExecutor(1, thread_name_prefix="aitrain-alone")
        begun = own.submit(call)
        own.shutdown(wait=False)
        self._alone.add(begun)
        begun.add_done_callback(self._alone.discard)
        return begun

    async def rest(self, seconds: float) -> None:
        """Waits until the calls that have threads of their own have ended; at most so many seconds."""
        await self.run(wait, list(self._alone), seconds)

    def close(self) -> None:
        """Lets the threads end, when their calls have."""
        self._closed = True
        self._pool.shutdown(wait=False)
