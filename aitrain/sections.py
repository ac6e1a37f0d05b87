"""Sections of the settings that stand on nothing else (see settings.py)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from aitrain.domain.flavor import Slug
from aitrain.domain.logs import LogPlace, log_place
from aitrain.domain.registry import SharedPaths, checked_server

DAY_SECONDS = 86_400
MIB = 1024 * 1024


class Section(BaseModel):
    """What every section is: fixed once read, and without fields that there are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataStore(Section):
    """A named object storage that speaks S3.

    endpoint_url: where it answers, the SDK's own default if not given; region: as the storage names it; access_key_id:
    the public half of its key; secret_access_key: the other half.
    """

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr = SecretStr("")
    secret_access_key: SecretStr = SecretStr("")


class SecretSettings(Section):
    """How secrets are kept: keys of data stores, passwords of registries, secret variables of jobs.

    key_file: of control workers, which alone have one: the site's private keys, one a line, the newest first
    (`aitrain secret new-key FILE` makes one); public_key: of clients: seal with this key only, instead of the one that
    control workers tell in the job store (`aitrain secret status` prints it).
    """

    key_file: Path | None = None
    public_key: str | None = None


class SharedRegistry(Section):
    """The site's own registry, in which each project has a path: SERVER/PROJECT/...

    server: as images name it, with a port where they do; None: the site has none; user, password: for reading all of
    it, of hosts alone; password_file: a file that has the password, which is read at each pull; ca_file: a PEM file of
    the authority that signed its certificate, where the engine does not know it; common: first parts of paths that
    every project may read.
    """

    server: str | None = None
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    ca_file: Path | None = None
    common: tuple[Slug, ...] = ()

    @field_validator("server")
    @classmethod
    def _server(cls, server: str | None) -> str | None:
        return None if server is None else checked_server(server)

    @property
    def paths(self) -> SharedPaths:
        """Who may name what of it."""
        return SharedPaths(self.server or "", self.common)

    def secret(self) -> str:
        """The password, as it stands now. Raises OSError if its file cannot be read."""
        return self.password_file.read_text().strip() if self.password_file else self.password.get_secret_value()


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
