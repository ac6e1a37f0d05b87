"""Registries: what is asked for when one is added to a project, what is shown of it, and the paths of a shared one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from aitrain.domain.errors import Problem
from aitrain.domain.flavor import Slug
from aitrain.domain.imagename import ImageName, same_server, server_name
from aitrain.domain.spec import invalid_input

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
SERVER = re.compile(rf"(?=.{{1,259}}\Z)(?:localhost|{LABEL}(?:\.{LABEL})+|{LABEL}(?=:))(?::[1-9][0-9]{{0,4}})?")
# Without a colon, which ends a user where name and password travel together.
USER = re.compile(r"[!-9;-~]{1,255}")
# Printable ASCII: it travels in headers. Tokens of clouds have some thousand characters.
PASSWORD = re.compile(r"[!-~](?:[ -~]{0,8190}[!-~])?")
PEM = re.compile(r"(?:[^-]*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*")
# Of a few authorities; a bundle of all that there are is not what is wanted.
MOST_PEM_CHARACTERS = 65_536


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("registry", "{message}", {"message": message, "remedy": remedy})


class NewRegistry(BaseModel):
    """What is asked for when a registry is added to a project.

    server: as images name it, with a port where they do; "docker.io" for Docker Hub; user, password: for reading its
    images; a token goes in the place of the password; ca: certificates of the authority that signed the registry's, in
    PEM, where the system does not know it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    project: Slug
    server: str
    user: str
    password: SecretStr
    ca: str | None = None

    @field_validator("server")
    @classmethod
    def _server(cls, value: str) -> str:
        return checked_server(value)

    @field_validator("user")
    @classmethod
    def _user(cls, value: str) -> str:
        if not USER.fullmatch(value):
            raise _wrong("is no user of a registry", "give printable characters, without spaces and colons")
        return value

    @field_validator("password")
    @classmethod
    def _password(cls, value: SecretStr) -> SecretStr:
        if not PASSWORD.fullmatch(value.get_secret_value()):
            raise _wrong("is no password", "give it as the registry shows it: printable characters on one line")
        return value

    @field_validator("ca")
    @classmethod
    def _ca(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > MOST_PEM_CHARACTERS or not PEM.fullmatch(value)):
            raise PydanticCustomError(
                "registry_ca", "{message}",
                {
                    "message": f"is no list of certificates in PEM of at most {MOST_PEM_CHARACTERS} characters",
                    "remedy": "give the authority's own certificate: -----BEGIN CERTIFICATE----- ...",
                },
            )  # fmt: skip
        return value

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """What is asked for, from its fields.

        Raises InvalidInput, which names each wrong field and never repeats a password.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise invalid_input(error) from None


class RegistryEntry(BaseModel):
    """A registry of a project as it may be shown.

    revision: another one each time it is added; ca: certificates in PEM, none where the system's will do; checked: it
    answered and took the password when it was added; added_ms: when that was, in Unix ms by the job store's clock.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    server: str
    user: str
    revision: str
    ca: str | None = None
    checked: bool
    added_ms: int


@dataclass(frozen=True)
class SharedPaths:
    """Who may name what of the site's shared registry: a project what is below its own path, everybody the common ones.

    server: as images name it; "" if the site has none; common: first parts of paths.
    """

    server: str = ""
    common: Collection[str] = ()

    def has(self, server: str) -> bool:
        """Whether this is the shared registry."""
        return bool(self.server) and same_server(server, self.server)

    def problem(self, reference: str, project: str) -> Problem | None:
        """Why a project may not use an image, None if it may, or the image is not of the shared registry."""
        name = ImageName.of(reference)
        if not self.has(name.server):
            return None
        owner, slash, _ = name.path.partition("/")
        if slash and owner in (project, *self.common):
            return None
        allowed = ", ".join(f"{self.server}/{path}/..." for path in (project, *sorted(self.common)))
        return Problem(
            "image", reference, f"is not project {project!r}'s: in the site's shared registry each has a path",
            f"use an image below one of: {allowed}",
        )  # fmt: skip


def checked_server(server: str) -> str:
    """A registry's server as images name it; Docker Hub by its one name.

    Raises a validation error for what images cannot name.
    """
    if not SERVER.fullmatch(server):
        raise _wrong(
            "is not a registry's server",
            "write HOST[:PORT] as the names of its images begin, in lower case, without https:// and without a path",
        )
    return server_name(server)
