"""A site whose doors are shut: the files of `aitrain site init`, a Redis and an object store that speak TLS, and each
process with its own user.
"""

from __future__ import annotations

import json
import ssl
import tomllib
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from redis import Redis

from aitrain import Client, site_files
from aitrain.settings import Settings, load_settings
from workers.scratch.servers import RedisServer, S3Server, accepts
from workers.scratch.site import Aitrain

NAME = "localhost"


class TlsRedis(RedisServer):
    """Redis with the configuration that `aitrain site init` wrote."""

    def __init__(self, directory: Path, files: Path, port: int) -> None:
        super().__init__(directory)
        self.port, self._files = port, files

    def command(self) -> list[str]:
        """redis-server, on loopback only."""
        conf = str(self._files / "redis" / "redis.conf")
        return ["redis-server", conf, "--dir", str(self.directory), "--bind", "127.0.0.1", "::1"]

    def ready(self) -> bool:
        """It listens; a server without data has nothing to load."""
        return accepts(self.port)


class TlsS3(S3Server):
    """rclone's S3 server with a certificate of the site's authority."""

    def __init__(self, directory: Path, files: Path) -> None:
        super().__init__(directory)
        self._files = files

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"https://{NAME}:{self.port}"

    def command(self) -> list[str]:
        """As it is, with a certificate."""
        tls = self._files / "tls"
        return [*super().command(), "--cert", str(tls / f"{NAME}.pem"), "--key", str(tls / f"{NAME}.key")]

    def client(self) -> Any:
        """A plain client."""
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=self.region, aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key, verify=str(self._files / "tls" / "ca.pem"),
            config=Config(request_checksum_calculation="when_required"),
        )  # fmt: skip


class ShutSite:
    """The files of a site, and its processes. settings: fields that all of them share."""

    def __init__(self, directory: Path, port: int, hosts: list[str], **settings: Any) -> None:
        self.directory, self.files, self._shared = directory, directory / "files", settings
        site_files.init(self.files, site_files.Layout(f"{NAME}:{port}", hosts, "shut", self.files))

    @property
    def ca_file(self) -> Path:
        """The site's authority."""
        return self.files / "tls" / "ca.pem"

    def share(self, **settings: Any) -> None:
        """More fields that all processes share."""
        self._shared |= settings

    def values(self, role: str) -> dict[str, Any]:
        """The settings of a role, as plain values."""
        return tomllib.loads((self.files / f"{role}.toml").read_text()) | self._shared

    def settings(self, role: str, **more: Any) -> Settings:
        """The settings of a role."""
        return load_settings(**self.values(role) | more)

    def client(self, role: str = "producer") -> Client:
        """A client with a role's user."""
        return Client(self.settings(role))

    def redis(self, role: str) -> Redis:
        """A bare connection with a role's user: what somebody has who stole its settings."""
        return Redis.from_url(self.values(role)["redis_url"], ssl_ca_certs=str(self.ca_file), decode_responses=True)

    def run(self, command: str, role: str, *arguments: str, **more: Any) -> Aitrain:
        """A process with a role's settings. more: fields of its own."""
        shared = {**self._shared, **more}
        env = {"AITRAIN_CONFIG": str(self.files / f"{role}.toml")} | {
            f"AITRAIN_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in shared.items()
        }
        return Aitrain(command, list(arguments), env, self.directory / f"{command}-{role}.log")

    def host(self, name: str, docker_url: str, **more: Any) -> Aitrain:
        """Both processes of a host."""
        host = self.values(f"host-{name}")["host"] | {
            "units": {"cpu": 2}, "docker_url": docker_url, "data_dir": str(self.directory / name),
            "container_network": "none", "disk_reserve_mib": 0, **more,
        }  # fmt: skip
        return self.run("host", f"host-{name}", host=host)

    def denied(self) -> list[str]:
        """What Redis has refused since it was asked last, as "user: reason object"."""
        admin = self.redis("admin")
        log = admin.acl_log()
        admin.acl_log_reset()
        return [f"{one['username']}: {one['reason']} {one['object']} ({one['context']})" for one in log]


def context(ca_file: Path) -> ssl.SSLContext:
    """Trusts one authority only."""
    return ssl.create_default_context(cafile=str(ca_file))
