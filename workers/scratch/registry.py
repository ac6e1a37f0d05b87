"""A registry of images, as a real server; see servers.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from workers.scratch.servers import DockerEngine, Server, free_port

_PROBE = (
    "import socket, sys; s = socket.socket(); s.settimeout(1); sys.exit(s.connect_ex((sys.argv[1], int(sys.argv[2]))))"
)


class Registry(Server):
    """A Docker registry, on a loopback port.

    Inside an engine's network namespace that engine can reach it, and outside the control workers. One for each, over
    the same directory and port, is the same registry to both.
    """

    def __init__(
        self,
        directory: Path,
        engine: DockerEngine | None,
        *,
        user: tuple[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """engine: in whose namespace it is, None for none; user: its one user and the password, None: it is open;
        certificate: and its key, None: it speaks http.
        """
        super().__init__(directory)
        self._engine, self._user, self._host, self._certificate = engine, user, host, certificate
        self.port = port or free_port()

    @property
    def address(self) -> str:
        """What image names begin with."""
        return f"{self._host}:{self.port}"

    def command(self) -> list[str]:
        """docker-registry, for reading and writing."""
        config: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "images")}},
            "http": {"addr": self.address},
        }
        if self._user is not None:
            users = self.directory / "htpasswd"
            hashed = ["htpasswd", "-i", "-n", "-B", "-C", "4", self._user[0]]
            users.write_bytes(
                subprocess.run(hashed, input=self._user[1].encode(), check=True, capture_output=True).stdout
            )
            config["auth"] = {"htpasswd": {"realm": "aitrain", "path": str(users)}}
        if self._certificate is not None:
            certificate, key = map(str, self._certificate)
            config["http"]["tls"] = {"certificate": certificate, "key": key}
        file = self.directory / f"config-{'inside' if self._engine else 'outside'}.yml"
        file.write_text(json.dumps(config))
        return [*self._enter, "docker-registry", "serve", str(file)]

    def ready(self) -> bool:
        """It listens, in its namespace."""
        probe = [*self._enter, sys.executable, "-c", _PROBE, self._host, str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0

    @property
    def _enter(self) -> list[str]:
        return self._engine.namespace.enter if self._engine else []
