"""A TCP way to a server on this machine that can be cut or frozen: one host's connection to the rest of its site."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any, Self

from workers.scratch.servers import free_port

BLOCK_BYTES = 65_536
ANSWER_SECONDS = 10.0
# By this command a worker waits for its messages.
WAITING = b"BRPOP"


class Condition(StrEnum):
    """What a link does.

    OPEN: carries; CUT: connections break and new ones are refused; FROZEN: it says nothing; STALLED: the connections on
    which somebody waits for messages say nothing, the others carry.
    """

    OPEN = "OPEN"
    CUT = "CUT"
    FROZEN = "FROZEN"
    STALLED = "STALLED"


class Link:
    """Carries connections from its own loopback port to another one, as long as it is open.

    What is under way when it freezes arrives when it opens again, as it does in a network that stalls.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._condition = Condition.OPEN
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        # Of the connections on which somebody waits for messages.
        self._delivers = asyncio.Event()
        self._transports: set[asyncio.WriteTransport] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"link-{self.port}", daemon=True)

    def start(self) -> Self:
        """Listens."""
        self._thread.start()
        self._call(self._listen())
        return self

    def stop(self) -> None:
        """Breaks every connection and listens no more."""
        if self._thread.is_alive():
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def be(self, condition: Condition) -> None:
        """Opens, cuts or freezes it."""
        self._call(self._be(condition))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    async def _listen(self) -> None:
        self._flows.set()
        self._delivers.set()
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._be(Condition.CUT)
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _be(self, condition: Condition) -> None:
        self._condition = condition
        if condition is Condition.FROZEN:
            self._flows.clear()
        else:
            self._flows.set()
        if condition is Condition.STALLED:
            self._delivers.clear()
        else:
            self._delivers.set()
        if condition is Condition.CUT:
            for transport in self._transports:
                transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends, waiting = [writer.transport], asyncio.Event()
        self._transports.add(writer.transport)
        with suppress(OSError):
            await self._flows.wait()
            if self._condition is not Condition.CUT:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
                ends.append(far_writer.transport)
                self._transports.add(far_writer.transport)
                await asyncio.gather(self._pump(reader, far_writer, waiting), self._pump(far_reader, writer, waiting))
        for transport in ends:
            transport.abort()
            self._transports.discard(transport)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: asyncio.Event) -> None:
        while block := await reader.read(BLOCK_BYTES):
            if WAITING in block:
                waiting.set()
            await self._flows.wait()
            if waiting.is_set():
                await self._delivers.wait()
            writer.write(block)
            await writer.drain()
        # One side has ended: so does the other, or a client would wait on a server that is gone.
        writer.transport.abort()
