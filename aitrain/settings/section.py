"""What the sections of the settings have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

DAY_SECONDS = 86_400


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("is not an absolute path: begin it with a slash")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Section(BaseModel):
    """What every section is: fixed once read, and without fields that there are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")
