"""The settings of the site's own registry."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr, field_validator

from aitrain.domain.flavor import Slug
from aitrain.domain.registry import SharedPaths, checked_server
from aitrain.settings.section import Section


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
