"""Watching jobs as a user does, and leaving them with Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aitrain import AsyncClient, LogLine, StoreUnavailable
from aitrain.domain.logs import format_lines
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine, RedisServer
from workers.scratch.site import CLI

COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    fleet = make_fleet()
    with fleet.site.control(), fleet.site.host("h1", {"cpu": 2}, engine.url):
        yield fleet


def _run(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **fleet.site.environment()}
    return subprocess.run([CLI, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_logs_tell_the_streams_apart(fleet: Fleet) -> None:
    script = "for i in 1 2 3; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done"
    job = fleet.end(fleet.submit("sh", "-c", script))
    done = _run(fleet, "job", "logs", job.id)
    assert (done.stdout, done.stderr) == ("out 1\nout 2\nout 3\n", "err 1\nerr 2\nerr 3\n")
    done = _run(fleet, "job", "logs", job.id[:8], "--tail", "2", "--stream", "stderr", "-t", "--since", "1h")
    assert (done.stdout, done.stderr[:2], done.stderr.split(" ", 1)[1]) == ("", "20", "err 3\n")
    assert _run(fleet, "job", "logs", job.id, "--since", "yesterday").returncode == 2


def test_waiting_for_several(fleet: Fleet) -> None:
    good, bad = fleet.submit("true"), fleet.submit("sh", "-c", "exit 4")
    done = _run(fleet, "job", "wait", good.id, bad.id)
    assert done.returncode == 4
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith(bad.id)][-1] == "FAILED"
    quiet = _run(fleet, "job", "wait", "-q", bad.id)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (4, "", "")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, fleet: Fleet, *arguments: str) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.execve(CLI, [CLI, *arguments], {**os.environ, **fleet.site.environment(), "TERM": "xterm"})  # noqa: S606
        os.set_blocking(self._fd, False)
        self.said = ""

    def until(self, text: str) -> None:
        """Waits until it has said something, in whatever colours."""
        eventually(lambda: text in COLOUR.sub("", self._read()), 30, text)

    def _read(self) -> str:
        with suppress(OSError):  # nothing yet, or over
            self.said += os.read(self._fd, 65536).decode(errors="replace")
        return self.said

    def type(self, text: str) -> None:
        """Types something."""
        os.write(self._fd, text.encode())

    def status(self) -> int:
        """Its exit status, once it has ended."""
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._read()
            if pid:
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)


def test_ctrl_c_detaches_and_a_second_one_stops(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "echo here; echo there >&2; exec sleep 60")
    one = Terminal(fleet, "job", "wait", job.id)
    one.until("| here")
    one.until("! there")
    one.type("\x03")
    one.until(f"aitrain job wait {job.id}")
    one.type("\n")
    assert one.status() == 130
    assert fleet.client.get(job.id).state == "RUNNING"

    two = Terminal(fleet, "job", "wait", job.id)
    two.until("| here")
    two.type("\x03")
    two.until("to stop instead")
    two.type("\x03")
    two.until("Stop the job?")
    two.type("y\n")
    assert two.status() == 130
    assert fleet.end(job).state == "INTERRUPTED"


def test_without_a_terminal_it_detaches_at_once(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "echo here; exec sleep 60")
    env = {**os.environ, **fleet.site.environment()}
    with subprocess.Popen(
        [CLI, "job", "wait", job.id], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        assert next(line for line in watch.stdout if line.startswith("|")) == "| here\n"
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert f"aitrain job wait {job.id}" in said
    fleet.client.stop(job.id)
    fleet.end(job)


def test_watching_goes_on_after_a_restart_of_the_job_store(make_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis:
        fleet = make_fleet(redis_url=redis.url)
        job, gone = fleet.submit("true"), fleet.submit("true")
        line = format_lines([LogLine("2026-11-29T10:00:00Z", "QUEUED, and has a log")]).encode().splitlines()
        fleet.client._store.append_log(job.id, job.fence, first=0, lines=line, ring_bytes=1000, kept=False)
        followers = [_start(fleet, "logs", "-f", job.id), _start(fleet, "wait", gone.id), _start(fleet, "wait", job.id)]
        for one in followers:
            assert "QUEUED" in next(one.stdout or iter([]))
        redis.kill()
        said = next(followers[2].stderr or iter([]))
        redis.start()
        fleet.client.delete(gone.id, force=True)
        fleet.client.stop(job.id)
        ended = [(one.communicate(timeout=30)[1], one.returncode) for one in followers]
    assert [status for _, status in ended] == [0, 125, 125]
    assert "is tried again" in said
    assert "it was deleted" in ended[1][0]
    assert ended[2][0] == "the job store answers again\n"


def test_jobs_and_logs_are_followed_past_a_restart_of_the_job_store(
    make_fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    async def both() -> None:
        job = fleet.submit("true")
        async with AsyncClient(fleet.site.settings) as client:

            async def followed() -> list[LogLine]:
                return [line async for line in client.logs(job.id, follow=True)]

            loop, asked, watched = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
            make_reader = client._twin._log_reader

            def reader(*arguments: Any) -> Any:
                made = make_reader(*arguments)
                loop.call_soon_threadsafe(asked.set)
                return made

            client._twin._log_reader = reader  # type: ignore[method-assign]
            lines = fleet.client.logs(job.id, follow=True)
            all_four = [
                asyncio.create_task(one)
                for one in (
                    followed(), asyncio.to_thread(list, lines), client.wait(job.id),
                    asyncio.to_thread(
                        fleet.client.wait, job.id, on_change=lambda _: loop.call_soon_threadsafe(watched.set)
                    ),
                )
            ]  # fmt: skip
            await asyncio.gather(asked.wait(), watched.wait())
            redis.kill()
            try:
                for _ in range(4):  # each as long as one of theirs that fails, which begins within 0.2 s
                    with pytest.raises(StoreUnavailable):
                        await client.wait(job.id, timeout=0)
                assert not any(one.done() for one in all_four)
            finally:
                await asyncio.to_thread(redis.start)
                await client.stop(job.id)
            *logs, one, other = [await one for one in all_four]
            assert (logs, one.state, other.state) == ([[], []], "INTERRUPTED", "INTERRUPTED")

    with RedisServer(tmp_path) as redis:
        fleet = make_fleet(redis_url=redis.url)
        asyncio.run(both())


def _start(fleet: Fleet, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, **fleet.site.environment()}
    return subprocess.Popen(
        [CLI, "job", *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
