"""A site on one machine: aitrain's own processes over the local servers, run as an operator runs them."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aitrain import Client
from aitrain.settings import Settings, load_settings
from aitrain.vault import new_key
from workers.scratch.servers import S3Server, bound_to_parent

STOP_SECONDS = 20.0
CLI = str(Path(sys.executable).parent / "aitrain")


class Aitrain:
    """One process of aitrain: `aitrain ROLE ...`."""

    def __init__(self, role: str, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._command = [CLI, role, *arguments]
        self._env = {**os.environ, **env}
        self.process: subprocess.Popen[bytes] | None = None

    def another(self) -> Aitrain:
        """One like it that has not been started."""
        twin = copy.copy(self)
        twin.process = None
        return twin

    def start(self) -> Self:
        """Starts it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                bound_to_parent(self._command),
                env=self._env,
                # Celery looks for modules where it is started: that must not be a source tree.
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def stop(self) -> None:
        """Ends it, kindly first."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def kill(self) -> None:
        """Ends it, and what it started, as a crash would."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


class LocalSite:
    """The settings that all processes of a site share, and the processes."""

    def __init__(
        self,
        directory: Path,
        *,
        redis_url: str,
        s3: S3Server,
        variables: Mapping[str, str] | None = None,
        secret_keys: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        """directory: for logs and volumes; variables: more of the environment of its processes; secret_keys: of its
        control workers, in the order of their key file, one of its own if not given; settings: fields of Settings, as
        plain values.
        """
        self.directory = directory
        self.key_file = directory / "secrets.key"
        self.secret_keys = [new_key()] if secret_keys is None else list(secret_keys)
        self._variables = dict(variables or {})
        self._values: dict[str, Any] = {
            "redis_url": redis_url,
            "data_stores": {
                "s3": {
                    "endpoint_url": s3.url,
                    "region": s3.region,
                    "access_key_id": s3.access_key_id,
                    "secret_access_key": s3.secret_access_key,
                }
            },
            **settings,
        }

    @property
    def settings(self) -> Settings:
        """The settings of a producer."""
        return load_settings(**self._values)

    def client(self) -> Client:
        """A producer's client."""
        return Client(self.settings)

    def environment(self, **more: Any) -> dict[str, str]:
        """The same settings as variables."""
        values = {**self._values, **more}
        return self._variables | {
            f"AITRAIN_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }

    def host(
        self,
        name: str,
        units: Mapping[str, Any],
        docker_url: str,
        role: str = "host",
        *,
        redis_url: str | None = None,
        **host: Any,
    ) -> Aitrain:
        """A host, or its worker or agent alone by `role`. redis_url: its own way to the site's Redis, if it has one;
        host: more fields of HostSettings.
        """
        section = {
            "name": name,
            "units": dict(units),
            "docker_url": docker_url,
            "data_dir": str(self.directory / name),
            "container_network": "none",
            # Made on its engine, of which some tell such images as if a registry had them.
            "local_images": ["aitrain-local/*"],
            # Its disk may be a small one of its own.
            "disk_reserve_mib": 0,
            **host,
        }
        own = {} if redis_url is None else {"redis_url": redis_url}
        return Aitrain(role, [], self.environment(host=section, **own), self.directory / f"{role}-{name}.log")

    def control(self) -> Aitrain:
        """A control worker: of all processes the only one that is told the key file."""
        secrets = {}
        if self.secret_keys:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.key_file.touch(mode=0o600)
            self.key_file.write_text("".join(f"{key}\n" for key in self.secret_keys))
            secrets = {"secrets": {"key_file": str(self.key_file)}}
        return Aitrain("control", [], self.environment(**secrets), self.directory / "control.log")

    def beat(self) -> Aitrain:
        """Beat."""
        schedule = str(self.directory / "beat-schedule")
        return Aitrain("beat", ["--schedule", schedule], self.environment(), self.directory / "beat.log")

    def flower(self, port: int, *arguments: str, **flower: Any) -> Aitrain:
        """Flower on a loopback port. arguments: more of its command line; flower: fields of FlowerSettings."""
        command = ["--port", str(port), *arguments]
        return Aitrain("flower", command, self.environment(flower=flower), self.directory / "flower.log")

    def metrics(self, port: int) -> Aitrain:
        """The exporter on a loopback port."""
        return Aitrain("metrics", ["--port", str(port)], self.environment(), self.directory / "metrics.log")
