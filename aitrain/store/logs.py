"""What containers wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aitrain.store.answers import LogLine
from aitrain.store.connection import Connection


class Logs(Connection):
    """Logs, by job and attempt."""

    def append_log(
        self, job_id: str, fence: str, *, cursor: str, next_cursor: str, lines: Sequence[LogLine], max_bytes: int
    ) -> tuple[str, bool]:
        """Appends lines read from `cursor` on, if the log still stands there.

        Returns where it stands now, and whether it is full (nothing more will be kept).
        """
        cut = LogLine(lines[-1].at if lines else "", f"[aitrain: the log is cut here: it passed {max_bytes} bytes]")
        answer = self._run(
            "append_log",
            {
                "id": job_id, "fence": fence, "cursor": cursor, "next_cursor": next_cursor, "max_bytes": max_bytes,
                "lines": [_log_json(line) for line in lines], "last": _log_json(cut),
            },
        )  # fmt: skip
        return answer["cursor"], bool(answer["full"])

    def log_cursor(self, job_id: str) -> tuple[str, bool]:
        """Up to where the log of the current attempt was read, and whether it is full."""
        key = self._key("job", job_id)
        cursor, kept = self._ask(lambda: self._redis.hmget(key, ["log_cursor", "log_bytes"]))
        return cursor or "", kept == "-1"

    def log(self, job_id: str, attempt: int, start: int = 0) -> list[LogLine]:
        """The lines kept of an attempt, from the one with index `start` on."""
        lines = self._ask(lambda: self._redis.lrange(self._key("log", job_id, attempt), start, -1))
        return [LogLine(*json.loads(line)) for line in lines]


def _log_json(line: LogLine) -> str:
    return json.dumps([line.at, line.text], ensure_ascii=False)
