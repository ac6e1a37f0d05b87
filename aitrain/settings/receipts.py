"""The settings of receipts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from aitrain.settings.section import DAY_SECONDS, Section


class Receipts(Section):
    """Receipts of what attempts were given, did and cost.

    key_file: a private key in PEM, of the control workers, which sign with it; without one no receipts are made.
    """

    key_file: Path | None = None
    # Of a volume's objects so many are listed one by one, the others only counted: a listing of a thousand takes some
    # fifty kilobytes of the job store's memory.
    listed_objects: int = Field(default=1000, ge=0, le=100_000)
    # Kept in the job store for so long after the last one of a job was signed, whether the job is deleted or not; 0:
    # for ever. A year's books are closed by then; what the law wants for longer belongs into an archive.
    retention_seconds: int = Field(default=400 * DAY_SECONDS, ge=0)
