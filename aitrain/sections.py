"""Sections of the settings that stand on nothing else (see settings.py)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from aitrain.domain.flavor import Slug
from aitrain.domain.registry import SharedPaths, checked_server


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
