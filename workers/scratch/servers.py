"""The real servers that aitrain stands on, started on free loopback ports and ended by the process that was started.

Each takes a directory of its own and leaves alone what already runs on the machine: a Redis, an engine, an S3 server.
The Docker Engine gets a network namespace of its own, because two engines in one would undo each other's bridge.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerFailed(RuntimeError):
    """A server did not start; the message ends with what it wrote."""


def free_port() -> int:
    """A TCP port that is free on the loopback address now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def bound_to_parent(command: list[str]) -> list[str]:
    """The command, told to end when the process that starts it dies, however that happens."""
    return ["setpriv", "--pdeathsig", "TERM", "--", *command]


class Server(ABC):
    """One server process. Use it as a context, or start() and stop() it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers."""

    @property
    def pid(self) -> int:
        """The process id of the server that was started."""
        if self._process is None:
            raise ServerFailed(f"{type(self).__name__} is not running")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.directory / f"{type(self).__name__.lower()}.log"

    def start(self) -> Self:
        """Starts it and waits until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_parent(self.command()),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        process = self._process
        wait_until(lambda: process.poll() is not None or self.ready(), START_SECONDS, self._complaint)
        if process.poll() is not None:
            raise ServerFailed(self._complaint())
        return self

    def stop(self) -> None:
        """Ends it, kindly first. Does nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Ends it as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _complaint(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        return f"{type(self).__name__} did not start:\n" + "\n".join(lines)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def end_tree(pid: int) -> None:
    """Ends a process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError):
        for child in children.read_text().split():
            end_tree(int(child))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that stands still while the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_until(condition: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
    """Waits for a condition; raises ServerFailed with the complaint when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ServerFailed(complaint())
        time.sleep(0.02)


class RedisServer(Server):
    """A Redis that keeps an append-only file, as the job store needs; durable=False: none, for what is thrown away."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        super().__init__(directory)
        self.port = free_port()
        self._durable = durable

    @property
    def url(self) -> str:
        """For redis_url and broker_url."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """redis-server, on loopback only."""
        return [
            "redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory),
            "--appendonly", "yes" if self._durable else "no", "--appendfsync", "everysec", "--save", "",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def restore(self, backup: Path) -> None:
        """Has it hold what a dump holds, and no more, as an operator restores a backup.

        With an append-only file a server reads that, and no dump: it is begun anew once the dump is read.
        """
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir")
        shutil.copy(backup, self.directory / "dump.rdb")
        self._durable = False
        self.start()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"CONFIG SET appendonly yes\r\n")
            connection.recv(16)
        self._durable = True

    def ready(self) -> bool:
        """It answers PING; a server that still loads its file does not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class S3Server(Server):
    """rclone's S3 server over a directory: each folder is a bucket."""

    access_key_id, secret_access_key, region = "local-access", "local-secret-key", "us-east-1"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()
        self.buckets = directory / "buckets"

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """rclone from beside the Python that runs this."""
        self.buckets.mkdir(parents=True, exist_ok=True)
        beside = Path(sys.executable).parent / "rclone"
        return [
            str(beside) if beside.exists() else "rclone", "serve", "s3", str(self.buckets),
            "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{self.access_key_id},{self.secret_access_key}",
            "--config", os.devnull, "--vfs-cache-mode", "off", "--dir-cache-time", "1m",
        ]  # fmt: skip

    def client(self) -> Any:
        """A plain client, to fill it and to look at it from the outside."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def ready(self) -> bool:
        """It listens."""
        return accepts(self.port)


class NetworkNamespace:
    """A network namespace with its own loopback."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create(self) -> None:
        """Makes it; one of that name that was left behind is used again."""
        if not self.path.exists():
            subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run([*self.enter, "ip", "link", "set", "lo", "up"], check=True)

    def remove(self) -> None:
        """Removes it."""
        subprocess.run(["ip", "netns", "delete", self.name], check=False, stderr=subprocess.DEVNULL)

    @property
    def path(self) -> Path:
        """Where iproute2 keeps it."""
        return Path("/run/netns") / self.name

    @property
    def enter(self) -> list[str]:
        """Put before a command, runs it inside. (`ip netns exec` would hide the control groups from the engine.)"""
        return ["nsenter", f"--net={self.path}"]


class DockerEngine(Server):
    """A Docker Engine of our own. It has a runtime named "nvidia" that is plain runc, to exercise the GPU path."""

    def __init__(
        self, directory: Path, *, images: Path | None = None, live_restore: bool = False, bridges: bool = False
    ) -> None:
        """images: the engine's data root, if it is to outlive the engine; else below directory; live_restore: its
        containers run on while it is away; bridges: it may give containers a network, and guards it.
        """
        super().__init__(directory)
        self._live_restore, self._bridges = live_restore, bridges
        self.data_root = images or directory / "data"
        self.namespace = NetworkNamespace(f"aitrain-{os.getpid()}-{directory.name}"[-60:])

    @property
    def socket(self) -> Path:
        """The engine's socket. Kept short: a socket's path may have 107 bytes at most."""
        return Path("/run") / f"{self.namespace.name}.sock"

    @property
    def exec_root(self) -> Path:
        """Where it keeps what belongs to running containers."""
        return Path("/run") / self.namespace.name

    @property
    def url(self) -> str:
        """For docker_url."""
        return f"unix://{self.socket}"

    def command(self) -> list[str]:
        """dockerd, in its own network namespace."""
        self.namespace.create()
        shim = self.directory / "nvidia-shim"
        shim.write_text('#!/bin/sh\nexec runc "$@"\n')
        shim.chmod(0o755)
        return [
            *self.namespace.enter, "dockerd", "--data-root", str(self.data_root),
            "--exec-root", str(self.exec_root), "--pidfile", str(self.directory / "dockerd.pid"),
            "--host", self.url, "--bridge", "none", f"--iptables={'true' if self._bridges else 'false'}",
            "--add-runtime", f"nvidia={shim}",
            *(["--live-restore"] if self._live_restore else []),
        ]  # fmt: skip

    def ready(self) -> bool:
        """It answers a request."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(64)
        except OSError:
            return False

    def halt(self) -> None:
        """Ends the engine kindly, to be started again, as an upgrade does: with live_restore its containers run on."""
        super().stop()

    def kill(self) -> None:
        """Ends the engine as a crash would. Its containers run on until its next start, or beyond with live_restore."""
        super().kill()
        # The engine's own containerd dies with it. A later engine takes its id for a living one's until init has taken
        # note of the death, which not every init does at once.
        record = self.exec_root / "containerd" / "containerd.pid"
        if record.exists():
            stat = Path(f"/proc/{record.read_text().strip()}/stat")
            wait_until(lambda: not stat.exists() or ") Z " in stat.read_text(), STOP_SECONDS, self._complaint)
            record.unlink()

    def stop(self) -> None:
        """Ends the engine with its containers, and removes what it leaves in the system."""
        super().stop()
        self._end_left_behind()
        self.namespace.remove()
        self.socket.unlink(missing_ok=True)
        shutil.rmtree(self.exec_root, ignore_errors=True)

    def _end_left_behind(self) -> None:
        """Containers that outlived their engine, by live_restore or because it was killed, and their mounts."""
        ours = f"{self.exec_root}/".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if ours in (process / "cmdline").read_bytes():
                    end_tree(int(process.name))
        mounts = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
        roots = {self.exec_root, self.data_root}
        for path in reversed([path for path in mounts if roots & {path, *path.parents}]):
            subprocess.run(["umount", "--lazy", str(path)], check=False, stderr=subprocess.DEVNULL)
