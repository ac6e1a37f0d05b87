"""The settings of Flower."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from aitrain.settings.section import AbsolutePath, Section

# What a browser sends for HTTP's basic authentication, and what Flower can compare: ASCII, no colon in the name.
CREDENTIALS = re.compile(r"[!-9;-~]+:[!-~]+")


def credentials_problem(all_of_them: Iterable[str]) -> str | None:
    """What is wrong with credentials ("user:password"), if anything is. Never repeats one."""
    for number, one in enumerate(all_of_them):
        if not CREDENTIALS.fullmatch(one):
            return f"number {number} is not user:password in printable ASCII without spaces"
    return None


class FlowerSettings(Section):
    """Flower: who may open it, what it may do, what it keeps.

    operators: who may open it, each as "user:password"; operators_file: a file with more of them, one in a line;
    viewers, viewers_file: who may open a Flower that is read-only; read_only: its pages and its API show and change
    nothing; url_prefix: the path below which a reverse proxy has it, as "flower"; state_dir: where it keeps what it has
    seen, so that it knows it after a restart (None: it does not); config_file: a flowerconfig.py of your own, read
    after aitrain's.
    """

    operators: tuple[SecretStr, ...] = ()
    operators_file: AbsolutePath | None = None
    viewers: tuple[SecretStr, ...] = ()
    viewers_file: AbsolutePath | None = None
    # Whoever may act in Flower sends any task; orders to hosts and jobs are for `aitrain host` and `aitrain job`.
    read_only: bool = True
    url_prefix: Annotated[str, Field(pattern=r"^([a-z0-9._~-]+(/[a-z0-9._~-]+)*)?$")] = ""
    state_dir: AbsolutePath | None = None
    # What a crash may lose of what it has seen. Saving ten thousand tasks takes under a second, in which it stands.
    save_seconds: int = Field(default=60, ge=1)
    # It keeps its view in memory: this many tasks are about 30 MB.
    max_tasks: int = Field(default=10_000, ge=1)
    # A worker that has been silent for so long leaves its list. One that comes back is in it again.
    forget_workers_seconds: int = Field(default=3600, ge=1)
    # How long it waits for workers to answer; one with a slow way to Redis still does.
    inspect_seconds: float = Field(default=3, gt=0)
    config_file: AbsolutePath | None = None

    @field_validator("operators", "viewers")
    @classmethod
    def _credentials(cls, credentials: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if problem := credentials_problem(one.get_secret_value() for one in credentials):
            raise ValueError(problem)
        return credentials
