"""A project's data store: what is asked for when one is added, and what may be shown of it."""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from aitrain.domain.flavor import Slug
from aitrain.domain.spec import invalid_input
from aitrain.domain.volume import ALIAS, CONTAINER

# A host of an address: a name, an IPv4 address, or an IPv6 one, whose brackets are off by then.
LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
HOST = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
ENDPOINT_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
ENDPOINT = re.compile(r"https?://[!-~]{1,1024}")
# What clients of S3 take for a region: a host's label that is not all digits.
REGION = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# Printable ASCII: keys travel in headers.
KEY = re.compile(r"[!-~]{1,1024}")
SHOWN_CHARACTERS = 4


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("data_store", "{message}", {"message": message, "remedy": remedy})


def masked(key: str) -> str:
    """An access key id as it may be shown: its last characters, which tell one from another."""
    return "***" + (key[-SHOWN_CHARACTERS:] if len(key) >= 3 * SHOWN_CHARACTERS else "")


class NewDataStore(BaseModel):
    """What is asked for when a data store is added to a project.

    alias: its name in volumes; endpoint_url: http or https address of the S3 service, None for the provider's own
    (Amazon's); region: as the service calls it; access_key_id, secret_access_key: its keys; container: one that they
    may read, for a check where they may not list all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    project: Slug
    alias: str
    endpoint_url: str | None
    region: str
    access_key_id: SecretStr
    secret_access_key: SecretStr
    container: str | None = None

    @field_validator("alias")
    @classmethod
    def _alias(cls, value: str) -> str:
        if not ALIAS.fullmatch(value):
            raise _wrong("is not a data store's alias", "use up to 63 letters, digits, '_', '.' and '-'")
        return value

    @field_validator("endpoint_url")
    @classmethod
    def _endpoint_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_endpoint(value):
            raise _wrong(
                "is not the address of an S3 service",
                "write http://HOST[:PORT] or https://HOST[:PORT], without a user and without a container",
            )
        return value

    @field_validator("region")
    @classmethod
    def _region(cls, value: str) -> str:
        if not REGION.fullmatch(value):
            raise _wrong("is not a region", "use letters, digits and hyphens, such as us-east-1")
        return value

    @field_validator("access_key_id", "secret_access_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        if not KEY.fullmatch(value.get_secret_value()):
            raise _wrong("is no key", "give it as the service shows it: printable characters, without spaces")
        return value

    @field_validator("container")
    @classmethod
    def _container(cls, value: str | None) -> str | None:
        if value is not None and not CONTAINER.fullmatch(value):
            raise _wrong("is not a container's name", "use 3 to 63 lower-case letters, digits, dots and hyphens")
        return value

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """What is asked for, from its fields.

        Raises InvalidInput, which names each wrong field and never repeats a key.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise invalid_input(error) from None


class DataStoreEntry(BaseModel):
    """A data store of a project as it may be shown.

    access_key_id: masked; revision: another one each time it is added; checked: it answered and took the keys when it
    was added; added_ms: when that was, in Unix ms by the job store's clock.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    alias: str
    endpoint_url: str | None
    region: str
    access_key_id: str
    revision: str
    checked: bool
    added_ms: int


def _is_endpoint(text: str) -> bool:
    if not ENDPOINT.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is none, brackets that do not match
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    host = parts.hostname or ""
    return (
        plain
        and bool(HOST.fullmatch(host))
        and (port is None or port > 0)
        and bool(ENDPOINT_PATH.fullmatch(parts.path))
    )
