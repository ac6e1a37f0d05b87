"""A second S3 server, of another make than rclone's: it answers ranges and conditions rightly, and checks no keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3

from workers.scratch.servers import Server, accepts, free_port


class MotoServer(Server):
    """moto's server, from beside the Python that runs this. It keeps everything in its memory."""

    access_key_id, secret_access_key, region = "local-access", "local-secret-key", "us-east-1"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """moto_server, on loopback only."""
        return [str(Path(sys.executable).parent / "moto_server"), "--host", "127.0.0.1", "--port", str(self.port)]

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
