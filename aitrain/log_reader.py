"""Reading a log as its users see it: parts from the object store, then the newest lines, and a notice for each gap."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

from aitrain.broker import Broker
from aitrain.domain.checked import MOST, checked_whole
from aitrain.domain.errors import BrokerUnavailable, LogUnavailable, StoreUnavailable
from aitrain.domain.logs import NOTICE, LogLine, parse_lines
from aitrain.domain.states import State
from aitrain.store import ChunkAsk, LogState, Store, token
from aitrain.watching import Patience

POLL_SECONDS = 0.2
# An answer waits so long for its reader.
KEPT_SECONDS = 60
# So many parts are asked for at once: while one is printed, the next ones are fetched.
AHEAD = 4
# What has left the store's memory is about to be in the object store: so often a reader looks again before it says
# that lines are missing.
GAP_LOOKS = 15


class LogReader:
    """Reads the log of one attempt. position: number of the next line; over: nothing will be added to what was read."""

    def __init__(self, store: Store, broker: Broker, job_id: str, attempt: int | None, wait_s: float) -> None:
        """attempt: the newest if None; wait_s: how long a control worker may take. Raises JobNotFound, and InvalidInput
        for an attempt that the job did not have.
        """
        self._store, self._broker, self._job_id, self._wait_s = store, broker, job_id, wait_s
        job = store.get(job_id)
        if attempt is not None:
            remedy = f"give 1 to {job.attempt}, or none for the newest"
            checked_whole("attempt", attempt, f"is none of job {job_id}", remedy, low=1, high=job.attempt)
        self._project, self._attempt = job.project, attempt or job.attempt
        self._asked: dict[int, tuple[str, float]] = {}
        self.position = 0
        self.over = False
        self._last_at = "1970-01-01T00:00:00Z"

    def lines(self, *, follow: bool, tail: int | None, since_ms: int | None) -> Iterator[LogLine]:
        """See Client.logs. Raises InvalidInput at once."""
        if tail is not None:
            checked_whole("tail", tail, "is no number of lines", "give a whole number of 0 or more, or none for all")
        if since_ms is not None:
            checked_whole("since_ms", since_ms, "is no time", "give Unix milliseconds", low=-MOST)
        return self._lines(follow, tail, since_ms)

    def _lines(self, follow: bool, tail: int | None, since_ms: int | None) -> Iterator[LogLine]:
        try:
            if tail is not None:
                self.position = max(0, _end(self._state()) - tail)
            for line in self._all(follow):
                if since_ms is None or line.stream == NOTICE or _ms(line.at) >= since_ms:
                    yield line
        finally:
            with suppress(StoreUnavailable):
                for name, _ in self._asked.values():
                    self._store.drop_chunk(name)

    def _all(self, follow: bool) -> Iterator[LogLine]:
        patience = Patience()
        while True:
            try:
                # Looked at before the log is: what was written before the end is read.
                over = self._is_over()
                yield from self._there()
            except (StoreUnavailable, BrokerUnavailable) as error:
                if not follow or not patience.bears(error):
                    raise
                self._asked.clear()  # whether they were asked for, nobody knows
            else:
                if over or not follow:
                    break
                patience.answered()
            time.sleep(POLL_SECONDS)
        state = self._state()
        if state.gone and not self.position:
            yield self._notice("the log was removed: its time was past (logs.retention_seconds)")
        elif over and not self._is_whole(state):
            yield self._notice("the end of the log could not be read")
        self.over = over

    def _is_over(self) -> bool:
        """Whether nothing will be added: all of it was read, or the attempt has ended. Raises JobNotFound."""
        if _is_told(self._state()):
            return True  # its results may be copied for long yet
        job = self._store.get(self._job_id)
        return job.ended or job.attempt > self._attempt

    def _is_whole(self, state: LogState) -> bool:
        """Whether a log that is over was read to its end. That of a host that was lost was ended by nobody."""
        if _is_told(state) or not state.complete:
            return state.complete
        history = self._store.get(self._job_id).history
        ran = any(entry.attempt == self._attempt and entry.state is State.RUNNING for entry in history)
        return not state.next and not ran

    def _there(self) -> Iterator[LogLine]:
        """The lines that there are, from the position on."""
        state, looks = self._state(), 0
        while self.position < _end(state):
            before = self.position
            ring_goes_on = state.ring_first
            if state.ring_first <= self.position < state.next:
                ring_goes_on = yield from self._from_ring()
            if self.position != before:
                pass
            elif chunk := _chunk_at(state, self.position):
                yield from self._from_chunk(state, chunk)
            elif not state.kept or self._is_cut(state) or looks == GAP_LOOKS:
                yield self._gap(state, ring_goes_on)
            else:
                looks += 1
                time.sleep(POLL_SECONDS)
            if self.position != before:
                looks = 0
            state = self._state()

    def _from_ring(self) -> Generator[LogLine, None, int]:
        """Its lines up to the first that it lacks; the number of the one behind that, 0 if there is none."""
        for number, line in self._store.log_ring(self._job_id, self._attempt, self.position):
            if number > self.position:  # what is missing before it may be in the object store
                return number
            self.position += 1
            self._last_at = line.at
            yield line
        return 0

    def _from_chunk(self, state: LogState, chunk: tuple[int, int]) -> Iterator[LogLine]:
        wanted = [one for one in state.chunks if one[0] >= chunk[0]]
        for first, _ in islice(wanted, AHEAD):
            if first not in self._asked:
                self._ask(first)
        text = self._answer(chunk[0])
        if text is None:  # cut meanwhile, and the state says so by now; or gone by another hand
            if chunk in self._state().chunks:
                yield self._left_out(chunk[0] + chunk[1], "they are gone from the object store")
            return
        for line in parse_lines(text)[self.position - chunk[0] :]:
            self.position += 1
            self._last_at = line.at
            yield line

    def _ask(self, first: int) -> None:
        name = token()
        self._asked[first] = (name, time.monotonic())
        self._send(name, first)

    def _send(self, name: str, first: int) -> None:
        self._store.ask_chunk(name, ChunkAsk(self._project, self._job_id, self._attempt, first), KEPT_SECONDS)
        self._broker.send_chunk(name, self._job_id, self._project)

    def _answer(self, first: int) -> str | None:
        """The text of a part, None if it is not there. Raises LogUnavailable."""
        if time.monotonic() - self._asked[first][1] > KEPT_SECONDS / 2:  # its answer may have lapsed
            self._store.drop_chunk(self._asked[first][0])
            self._ask(first)
        name, asked = self._asked[first]
        again_at = asked + self._wait_s / 2
        while (answer := self._store.chunk_answer(name)) is None:
            if time.monotonic() > again_at:  # a broker that was restarted may have lost it
                again_at += self._wait_s
                self._send(name, first)
            if time.monotonic() - asked > self._wait_s:
                raise LogUnavailable(
                    f"lines from {first} on are in the object store, and no control worker read them within "
                    f"{self._wait_s:g} s; start `aitrain control`, or read the newest ones only"
                )
            time.sleep(POLL_SECONDS / 10)
        self._store.drop_chunk(name)
        del self._asked[first]
        if answer.unable:
            raise LogUnavailable(f"lines from {first} on cannot be read from the object store: {answer.unable}")
        return None if answer.gone else answer.text

    def _is_cut(self, state: LogState) -> bool:
        return state.cut_from <= self.position < state.cut_to

    def _gap(self, state: LogState, ring_goes_on: int) -> LogLine:
        """Says what is missing from the position on, and goes on behind it. ring_goes_on: with which line."""
        starts = [first for first, _ in state.chunks if first > self.position]
        if ring_goes_on > self.position:
            starts.append(ring_goes_on)
        up_to = min([*starts, _end(state)])
        if self._is_cut(state):
            return self._left_out(
                min(up_to, state.cut_to) if starts else up_to,
                "the log passed its limit; its beginning and its end are kept",
            )
        if not state.kept:
            return self._left_out(up_to, "the site keeps the newest lines only: it has no logs.container")
        return self._left_out(up_to, "they are not in the object store, or not yet")

    def _left_out(self, up_to: int, why: str) -> LogLine:
        count = max(1, up_to - self.position)
        self.position += count
        return self._notice(f"{count} lines are left out here: {why}")

    def _notice(self, text: str) -> LogLine:
        return LogLine(self._last_at, f"[aitrain: {text}]", NOTICE)

    def _state(self) -> LogState:
        return self._store.log_state(self._job_id, self._attempt)


def _is_told(state: LogState) -> bool:
    """Whether it was ended with all its lines. An end that could not be read may be read later."""
    return state.total is not None and state.complete


def _end(state: LogState) -> int:
    return max(state.next, state.total or 0, *(first + count for first, count in state.chunks[-1:]), 0)


def _chunk_at(state: LogState, position: int) -> tuple[int, int] | None:
    return next((one for one in state.chunks if one[0] <= position < one[0] + one[1]), None)


def _ms(at: str) -> int:
    seconds, _, fraction = at.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1000 + int(fraction[:3].ljust(3, "0") or 0)
