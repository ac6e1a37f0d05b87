"""Commands in running jobs, over a real fleet and a real terminal."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from aitrain import Job
from aitrain.domain.errors import JobNotFound, JobNotRunning, SessionRefused
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.servers import DockerEngine
from workers.scratch.site import CLI, Aitrain

FIVE_MB = os.urandom(5_000_000)


class Bench:
    """A site with an agent that may be stopped, and a job that runs."""

    def __init__(self, fleet: Fleet, agent: Aitrain) -> None:
        self.fleet, self.agent = fleet, agent
        self.job = self.another()

    def another(self) -> Job:
        job = self.fleet.submit("sleep", "600")
        return self.fleet.until(job, "RUNNING")

    def output(self, *command: str, stdin: bytes | None = None, **more: bool) -> tuple[int, bytes, bytes]:
        out, err = bytearray(), bytearray()
        code = self.fleet.client.exec(
            self.job.id, command, stdin=stdin, on_stdout=out.extend, on_stderr=err.extend, **more
        )
        return code, bytes(out), bytes(err)

    def runs(self, text: str) -> bool:
        found = self.fleet.docker.api.top(self.fleet.containers(self.job)[0]["Id"])["Processes"]
        return any(text in " ".join(one) for one in found)

    def cli(self, *arguments: str, **more: object) -> subprocess.Popen[bytes]:
        env = {**os.environ, **self.fleet.site.environment()}
        return subprocess.Popen([CLI, "job", *arguments], env=env, **more)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def bench(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Bench]:
    fleet = make_fleet(timing={**QUICK, "session_silence_seconds": 4})
    worker, agent = (fleet.site.host("h1", {"cpu": 4}, engine.url, role=role) for role in ("worker", "agent"))
    with worker, agent:
        yield Bench(fleet, agent)


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    """For the logs of a failed test."""
    return bench.fleet


pytestmark = pytest.mark.usefixtures("fleet")


def test_output_errors_and_exit_code_are_told_apart(bench: Bench) -> None:
    assert bench.output("sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
    assert bench.output("no-such-program")[0] in (126, 127), "as the engine says"
    assert bench.output("sh", "-c", "tty; stty size", tty=True)[:2][0] == 0


def test_five_megabytes_come_back_as_they_went(bench: Bench) -> None:
    code, out, _ = bench.output("cat", stdin=FIVE_MB)
    assert (code, hashlib.sha256(out).digest()) == (0, hashlib.sha256(FIVE_MB).digest())


def test_what_does_not_run_is_refused(bench: Bench) -> None:
    with pytest.raises(JobNotFound):
        bench.fleet.client.exec("nobody", ["true"])
    ended = bench.fleet.end(bench.fleet.submit("true"))
    with pytest.raises(JobNotRunning, match="is DONE"):
        bench.fleet.client.exec(ended.id, ["true"])


def test_what_a_job_uses(bench: Bench) -> None:
    used = bench.fleet.client.stats(bench.job.id)
    assert used.processes >= 1
    assert 0 < used.memory_bytes < used.memory_limit_bytes
    done = bench.cli("stats", bench.job.id, "-o", "json", stdout=subprocess.PIPE)
    assert json.loads(done.communicate()[0])[0]["job"] == bench.job.id


def test_a_shell_on_a_terminal_of_its_size(bench: Bench) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    before = termios.tcgetattr(theirs)
    env = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    shell = bench.cli("exec", "-it", bench.job.id, **env)
    seen = bytearray()

    def shows(text: bytes) -> None:
        while text not in seen:
            # A terminal that says nothing more must fail the test, not hang it.
            assert select.select([ours], [], [], 20)[0], f"{text!r} did not come after {bytes(seen)!r}"
            seen.extend(os.read(ours, 4096))

    shows(b"$ ")
    os.write(ours, b"stty size\n")
    shows(b"33 101")
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0))
    # It was started without a terminal that is its own: the kernel does not tell it.
    shell.send_signal(28)
    os.write(ours, b"until [ \"$(stty size)\" = '44 99' ]; do sleep 0.1; done; echo re''sized\n")
    shows(b"resized")
    os.write(ours, b"exit 9\n")
    assert shell.wait(20) == 9
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_a_client_that_is_killed_takes_its_command_with_it(bench: Bench) -> None:
    client = bench.cli("exec", bench.job.id, "--", "sleep", "4321")
    eventually(lambda: bench.runs("sleep 4321"), what="the command")
    client.kill()
    client.wait()
    eventually(lambda: not bench.runs("sleep 4321"), what="its end")


def test_an_agent_that_is_killed_ends_its_commands_when_it_is_up_again(bench: Bench) -> None:
    client = bench.cli("exec", bench.job.id, "--", "sh", "-c", "sleep 6543; true")
    eventually(lambda: bench.runs("sleep 6543"), what="the command and what it started")
    bench.agent.kill()
    assert bench.runs("sleep 6543"), "nobody can end it meanwhile"
    bench.agent.start()
    eventually(lambda: not bench.runs("sleep 6543"), what="its end")
    assert bench.runs("sleep 600"), "the job runs on"
    client.kill()
    client.wait()


def test_a_job_that_ends_ends_its_sessions(bench: Bench) -> None:
    job = bench.another()
    with pytest.raises(JobNotRunning, match="any more"):
        bench.fleet.client.exec(
            job.id, ["sh", "-c", "echo up; sleep 500"], on_stdout=lambda _: bench.fleet.client.stop(job.id)
        )


def test_an_agent_that_stops_says_so(bench: Bench) -> None:
    def stop(_: bytes) -> None:
        with suppress(AttributeError):
            bench.agent.stop()

    with pytest.raises(SessionRefused, match="agent of its host stops"):
        bench.fleet.client.exec(bench.job.id, ["sh", "-c", "echo up; sleep 5432"], on_stdout=stop)
    assert not bench.runs("sleep 5432")
    bench.agent.start()
    assert bench.output("echo", "again")[:2] == (0, b"again\n")
