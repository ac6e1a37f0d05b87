"""Commands run in a container beside its own."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from docker.errors import NotFound

from aitrain.domain.errors import AitrainError, SessionRefused
from workers.runtime.container import Container
from workers.runtime.faults import engine_errors

READ_BYTES = 32 * 1024
# Before each piece of output of a command without a terminal: which stream, three zeros, how long.
HEADER_BYTES = 8
STDERR = 2
# How long sending waits for a command that does not read before it looks up.
SEND_SECONDS = 1.0
PROC = Path("/proc")


class Exec:
    """One command, which runs once it is started. One thread may read its output while another writes its input."""

    def __init__(
        self, api: Any, url: str, container: Container, command: Sequence[str], env: Mapping[str, str], *,
        tty: bool, stdin: bool,
    ) -> None:  # fmt: skip
        """Makes it known to the engine. url: of that. Raises EngineUnavailable and PlatformFault."""
        self._api, self._url, self._tty = api, url, tty
        with engine_errors("run a command in the container"):
            self.id = api.exec_create(
                container.id, list(command), stdin=stdin, tty=tty, environment=dict(env), stdout=True, stderr=True
            )["Id"]

    def start(self) -> None:
        """Starts it. Raises SessionRefused, EngineUnavailable and PlatformFault."""
        with engine_errors("run a command in the container"):
            self._socket, self._ahead = self._connect()

    def _connect(self) -> tuple[socket.socket, bytes]:
        # Not through the SDK: what the engine sends along with its headers would stay in a buffer that nobody reads.
        where = urlparse(self._url)
        if where.scheme == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(where.path)
        else:
            connection = socket.create_connection((where.hostname, where.port or 2375))
        body = json.dumps({"Detach": False, "Tty": self._tty}).encode()
        lines = [
            f"POST /v{self._api.api_version}/exec/{self.id}/start HTTP/1.1", "Host: docker",
            "Content-Type: application/json", "Connection: Upgrade", "Upgrade: tcp", f"Content-Length: {len(body)}",
        ]  # fmt: skip
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = connection.recv(READ_BYTES)
            if not got:
                break
            answer += got
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status not in ([b"101"], [b"200"]):
            connection.close()
            raise SessionRefused(f"the engine does not run the command: {rest.decode(errors='replace').strip()}")
        return connection, rest

    def output(self) -> Iterator[tuple[bool, bytes]]:
        """What it writes, each piece with whether it is of stderr, until all that have its output open have ended."""
        if self._tty:
            while data := self._read(READ_BYTES):
                yield False, data
            return
        while len(header := self._read_all(HEADER_BYTES)) == HEADER_BYTES:
            left = int.from_bytes(header[4:])
            while left and (data := self._read(min(left, READ_BYTES))):
                left -= len(data)
                yield header[0] == STDERR, data

    def _read(self, most: int) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead[:most], self._ahead[most:]
            return data
        try:
            return self._socket.recv(most)
        except OSError:
            return b""

    def _read_all(self, number: int) -> bytes:
        data = b""
        while len(data) < number and (more := self._read(number - len(data))):
            data += more
        return data

    def write(self, data: bytes) -> int:
        """Gives it input: how many bytes it took within a moment. Bytes for a command that has ended are dropped."""
        try:
            if not select.select([], [self._socket], [], SEND_SECONDS)[1]:
                return 0
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except (OSError, ValueError):
            return len(data)

    def end_input(self) -> None:
        """There is no more input."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, rows: int, columns: int) -> None:
        """Tells it how large its terminal is. One that has ended does not hear it."""
        with suppress(Exception):  # the engine refuses it in several ways while the command begins or ends
            self._api.exec_resize(self.id, height=rows, width=columns)

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs, or if its container is gone."""
        with engine_errors("inspect the command"):
            code = self._api.exec_inspect(self.id)["ExitCode"]
        return None if code is None else int(code)

    def kill(self) -> None:
        """Ends it as end_exec does, and cuts its connection."""
        with suppress(AitrainError):
            end_exec(self._api, self.id)
        self.close()

    def close(self) -> None:
        """Cuts the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def end_exec(api: Any, exec_id: str) -> bool:
    """Ends a command and what it started, where the engine's processes can be seen from here: whether it was over.

    Raises EngineUnavailable and PlatformFault.
    """
    with engine_errors("inspect the command"):
        try:
            told = api.exec_inspect(exec_id)
        except NotFound:  # the engine forgets those that are over, and those of a container that is gone
            return True
    pid = int(told["Pid"] or 0)
    # Its number may mean another process here, where the engine has its own namespace.
    with suppress(OSError):
        if pid and told["ContainerID"] in (PROC / str(pid) / "cgroup").read_text():
            for one in _family(pid):
                with suppress(OSError):
                    os.kill(one, signal.SIGKILL)
    return not told["Running"]


def _family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found
