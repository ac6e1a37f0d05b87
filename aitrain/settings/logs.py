"""The settings of jobs' logs."""

from __future__ import annotations

from pydantic import Field, field_validator

from aitrain.domain.logs import LogPlace, log_place
from aitrain.settings.section import DAY_SECONDS, Section

MIB = 1024 * 1024


class LogSettings(Section):
    """How logs are kept. All sizes are of text, before compression.

    container: "container@alias/prefix", where the closed parts of every log go; the project's data store of that alias
    wins over the site's. None: only the newest ring_bytes of each attempt are kept, in the job store.
    """

    container: str | None = None
    # A part that is closed is uploaded: small enough to be read at once, large enough that requests cost little.
    segment_bytes: int = Field(default=512 * 1024, ge=1024)
    # The newest lines of each attempt stand in the job store, in memory, compressed to about a tenth.
    ring_bytes: int = Field(default=MIB, ge=1024)
    # Of one attempt: months of a training log; what is past it is left out in the middle, and the log says so.
    max_bytes: int = Field(default=256 * MIB, ge=2048)
    # On a host's disk, of one attempt, while the object store is away.
    spool_bytes: int = Field(default=256 * MIB, ge=2048)
    # So long a log is kept after its attempt ended; 0: for as long as the job.
    retention_seconds: int = Field(default=90 * DAY_SECONDS, ge=0)

    @field_validator("container")
    @classmethod
    def _container(cls, text: str | None) -> str | None:
        if text is not None:
            log_place(text)
        return text

    @property
    def place(self) -> LogPlace | None:
        """Where logs are kept beside the job store; None: nowhere."""
        return log_place(self.container) if self.container else None
