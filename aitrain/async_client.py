"""The client for asyncio: the same methods, each to be awaited, and the same errors."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import IO, Self, TypeVar

from aitrain.async_calls import AsyncCalls, AsyncDataStores, AsyncRegistries
from aitrain.client import Client
from aitrain.data_orders import POLL_SECONDS
from aitrain.domain.audit import Audited, Difference
from aitrain.domain.billing import BilledJob, LedgerLine
from aitrain.domain.errors import (
    AitrainError,
    BrokerUnavailable,
    JobNotFound,
    SessionLost,
    StoreUnavailable,
    WaitTimeout,
)
from aitrain.domain.host import HostView
from aitrain.domain.job import HistoryEntry, Job
from aitrain.domain.states import State
from aitrain.sessions import Session, Write, nothing
from aitrain.settings import Settings
from aitrain.store import LogLine, Ordered
from aitrain.threads import Threads
from aitrain.watching import Patience, Watch

T = TypeVar("T")

# Taken from an iterator by one call of a thread.
PAGE = 200
# A command that is given up ends at once, unless the job store does not answer.
REST_SECONDS = 5.0


class AsyncClient(AsyncCalls):
    """Client for asyncio. Methods are described there; whatever waits for long holds no thread meanwhile.

        async with AsyncClient() as client:
            job = await client.submit(JobSpec.of(image="trainer:1"))
            async for line in client.logs(job.id, follow=True):
                print(line.text)

    data_stores, registries: those of projects, as Client's.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """settings: read from the environment and the file if not given (see aitrain.settings)."""
        client, threads = Client(settings), Threads()
        super().__init__(client, threads)
        self.settings = client.settings
        self.data_stores = AsyncDataStores(client.data_stores, threads)
        self.registries = AsyncRegistries(client.registries, threads)

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_change: Callable[[HistoryEntry], None] | None = None,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """See Client.wait. The callbacks are called in the event loop."""
        watch, patience = Watch(timeout, on_change, on_progress), Patience()
        while True:
            try:
                job = await self.get(job_id)
            except StoreUnavailable as error:
                if watch.late or not patience.bears(error):
                    raise
            else:
                patience.answered()
                if watch.over(job):
                    return job
            await asyncio.sleep(POLL_SECONDS)

    async def logs(
        self,
        job_id: str,
        *,
        follow: bool = False,
        attempt: int | None = None,
        tail: int | None = None,
        since_ms: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """See Client.logs."""
        reader = await self._threads.run(self._twin._log_reader, job_id, attempt)
        patience = Patience()
        while True:
            try:
                async for line in self._each(reader.lines(follow=False, tail=tail, since_ms=since_ms)):
                    tail = None  # its place is known now
                    yield line
            except (StoreUnavailable, BrokerUnavailable) as error:
                if not follow or not patience.bears(error):
                    raise
            else:
                if reader.over or not follow:
                    return
                patience.answered()
                tail = None
            await asyncio.sleep(POLL_SECONDS)

    def iter_jobs(
        self,
        *,
        project: str | None = None,
        states: Collection[State] = (),
        labels: Mapping[str, str | None] | None = None,
        user: str | None = None,
        name: str | None = None,
        created_after_ms: int | None = None,
        created_before_ms: int | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """See Client.iter_jobs."""
        return self._each(
            self._twin.iter_jobs(
                project=project,
                states=states,
                labels=labels,
                user=user,
                name=name,
                created_after_ms=created_after_ms,
                created_before_ms=created_before_ms,
                limit=limit,
            )
        )

    def bill_lines(
        self, project: str, month: str | None = None, *, job_id: str | None = None
    ) -> AsyncIterator[tuple[LedgerLine, BilledJob]]:
        """See Client.bill_lines."""
        return self._each(self._twin.bill_lines(project, month, job_id=job_id))

    async def audit(
        self,
        *,
        project: str | None = None,
        month: str | None = None,
        tell: Callable[[Difference], None] = lambda _: None,
    ) -> Audited:
        """See Client.audit. `tell` is called in a thread."""
        return await self._threads.run(self._twin.audit, project=project, month=month, tell=tell)

    async def push_data(
        self,
        job_id: str,
        mount_path: str | None = None,
        *,
        dry_run: bool = False,
        wait: float | None = None,
        by: str = "",
        on_progress: Callable[[Job], None] | None = None,
    ) -> Ordered:
        """See Client.push_data. on_progress is called in the event loop."""
        given = await self._threads.run(self._twin.push_data, job_id, mount_path, dry_run=dry_run, wait=0, by=by)
        return await self._copied(job_id, given, wait, on_progress)

    async def pull_data(
        self,
        job_id: str,
        mount_path: str | None = None,
        *,
        dry_run: bool = False,
        wait: float | None = None,
        by: str = "",
        on_progress: Callable[[Job], None] | None = None,
    ) -> Ordered:
        """See Client.pull_data. on_progress is called in the event loop."""
        given = await self._threads.run(self._twin.pull_data, job_id, mount_path, dry_run=dry_run, wait=0, by=by)
        return await self._copied(job_id, given, wait, on_progress)

    async def exec(
        self,
        job_id: str,
        command: Sequence[str],
        *,
        tty: bool = False,
        stdin: IO[bytes] | bytes | None = None,
        on_stdout: Write = nothing,
        on_stderr: Write = nothing,
        env: Mapping[str, str] | None = None,
        on_open: Callable[[Session], object] | None = None,
    ) -> int:
        """See Client.exec. What it calls is called in a thread of its own. Cancelled, it has the command killed."""
        hold = _Hold(on_open)
        try:
            return await self._threads.run_alone(
                self._twin.exec, job_id, command, tty=tty, stdin=stdin, on_stdout=on_stdout, on_stderr=on_stderr,
                env=env, on_open=hold.opened,
            )  # fmt: skip
        except asyncio.CancelledError:
            self._threads.begin(hold.let_go)
            raise

    async def wait_drained(self, name: str, unit: str = "", *, timeout: float | None = None) -> HostView:
        """See Client.wait_drained."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return await self._threads.run(self._twin.wait_drained, name, unit, timeout=0)
            except WaitTimeout:
                if until is not None and time.monotonic() >= until:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def close(self) -> None:
        """Closes its connections. It can be closed again, and not be used any more."""
        if not self._threads.closed:
            # A command that was given up is taken leave of over these connections.
            await self._threads.rest(REST_SECONDS)
            await self._threads.run(self._twin.close)
            self._threads.close()

    async def _copied(
        self, job_id: str, given: Ordered, wait: float | None, on_progress: Callable[[Job], None] | None
    ) -> Ordered:
        deadline = None if wait is None else time.monotonic() + wait
        copy = given.copy
        if not given.done or copy is None or wait == 0:
            return given
        while not copy.over:
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"the {copy.direction} of job {job_id} is {copy.state} after {wait} s; it goes on")
            await asyncio.sleep(POLL_SECONDS)
            now = await self.last_copy(job_id)
            if now is None:
                raise JobNotFound(job_id)
            if now.id != copy.id:  # it was over in time for the next one
                break
            copy = now
            if on_progress is not None:
                on_progress(await self.get(job_id))
        return replace(given, copy=copy)

    async def _each(self, items: Iterator[T]) -> AsyncIterator[T]:
        while True:
            page, error = await self._threads.run(_page, items)
            for item in page:
                yield item
            if error is not None:
                raise error
            if not page:
                return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


class _Hold:
    """What is left in the hands of whoever waits for a command, to give it up at any moment."""

    def __init__(self, on_open: Callable[[Session], object] | None) -> None:
        self._on_open, self._lock = on_open, threading.Lock()
        self._session: Session | None = None
        self._gone = False

    def opened(self, session: Session) -> None:
        """Called in the command's thread. Raises SessionLost if nobody waits any more: then it is not even begun."""
        with self._lock:
            self._session = session
            if self._gone:
                raise SessionLost("nobody waits for it")
        if self._on_open is not None:
            self._on_open(session)

    def let_go(self) -> None:
        """Ends the session, now or as soon as it is there: the command is killed, and its thread ends."""
        with self._lock:
            self._gone = True
        if self._session is not None:
            self._session.close()


def _page(items: Iterator[T]) -> tuple[list[T], AitrainError | None]:
    """Some items, and what went wrong after them: those that came before it are not lost."""
    page: list[T] = []
    try:
        page.extend(islice(items, PAGE))
    except AitrainError as error:
        return page, error
    return page, None
