"""With whose right an image is had from its registry. It is decided anew for each start, from the job store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Right(StrEnum):
    """Whose user and password a registry is shown."""

    NOBODY = "nobody's"
    PROJECT = "the project's"
    SITE = "the site's"


@dataclass(frozen=True)
class ImageAccess:
    """What a registry is shown when a job's image is had from it. has_authority: its certificates' was given, too."""

    project: str
    right: Right = Right.NOBODY
    user: str = ""
    password: str = field(default="", repr=False)
    has_authority: bool = False

    @property
    def auth_config(self) -> dict[str, Any]:
        """As the engine takes it. Empty, and not None, without a user: the SDK would read ~/.docker/config.json."""
        return {"username": self.user, "password": self.password} if self.user else {}


# Called only when a registry is going to be asked, since control workers may have to be asked for a password. Raises
# PlatformFault if it cannot be had now.
GetAccess = Callable[[], ImageAccess]
