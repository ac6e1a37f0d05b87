"""Volumes: what a job reads from and writes to an object store, and where it finds it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic_core import PydanticCustomError

FORM = "container@alias/prefix:mount_path[:ro|rw|rwd[:cache|no-cache]]"
GIT_FORM = "https://HOST/PATH.git[@branch-or-tag]:mount_path[:ro]"
# Bucket naming rules of S3: 3 to 63 characters, lower case, digits, dots and hyphens.
CONTAINER = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Where a job finds what aitrain tells it, and puts what it asks.
CONTROL_PATH = "/run/aitrain"
# NVIDIA's runtime may be told to take what is mounted below /var/run/nvidia-container-devices for GPUs to give.
GPU_REQUESTS = "nvidia-container-devices"
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
TEXT = re.compile(
    r"(?P<container>[^@:/]+)@(?P<alias>[^@:/]+)(/(?P<prefix>[^:]*))?:(?P<mount_path>[^:]+)"
    r"(:(?P<permission>[^:]+))?(:(?P<cache>[^:]+))?"
)
GIT_TEXT = re.compile(
    r"(?P<url>https?://.+?\.git)(@(?P<ref>[^:]+))?:(?P<mount_path>/[^:]*)"
    r"(:(?P<permission>[^:]+))?(:(?P<cache>[^:]+))?"
)
# A public repository: no user and no password in the address, which stands in logs and in the job's status.
GIT_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/+-]+\.git")
# What `git check-ref-format` allows of a name, without the rarely used rest; a leading hyphen would be an option.
GIT_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")


class Permission(StrEnum):
    """What a job may do with a volume."""

    RO = "ro"
    RW = "rw"
    RWD = "rwd"

    @property
    def writable(self) -> bool:
        """The job may write there, and what it writes is pushed."""
        return self is not Permission.RO


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("volume", "{message}", {"message": message, "remedy": remedy})


class Volume(BaseModel):
    """A directory in the job, filled from a data store and, if writable, pushed back to it.

    container: the bucket; alias: the data store's name; prefix: only keys under it are copied, and paths in the
    mount are relative to it; mount_path: absolute path in the job; permission: "ro" is mounted read-only and never
    pushed, "rw" pushes what is new or changed and never deletes, "rwd" also deletes what the job deleted; cache: keep
    a copy on the host that the project's jobs share.

    Instead of container, alias and prefix: url, the https address of a public git repository, and ref, a branch or tag
    of it (the default branch if absent). It is cloned without its history, and mounted read-only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: str = ""
    alias: str = ""
    prefix: str = ""
    url: str = ""
    ref: str = ""
    mount_path: str
    permission: Permission = Permission.RO
    cache: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """Reads the string form. An error names the form, since a part in the wrong place looks like another."""
        if not isinstance(value, str):
            return value
        match = GIT_TEXT.fullmatch(value) or TEXT.fullmatch(value)
        if match is None:
            raise _wrong("is not a volume", f"write {FORM}, for example data@s3/train:/data:ro, or {GIT_FORM}")
        parts = {name: part for name, part in match.groupdict().items() if part is not None}
        cache = parts.pop("cache", "no-cache")
        if cache not in ("cache", "no-cache"):
            raise _wrong(f"ends with {cache!r}", f"end it with cache or no-cache: {FORM}")
        return {**parts, "cache": cache == "cache"}

    @field_validator("container")
    @classmethod
    def _container(cls, value: str) -> str:
        if value and not CONTAINER.fullmatch(value):
            raise _wrong("is not a container's name", "use 3 to 63 lower-case letters, digits, dots and hyphens")
        return value

    @field_validator("alias")
    @classmethod
    def _alias(cls, value: str) -> str:
        if value and not ALIAS.fullmatch(value):
            raise _wrong("is not a data store's alias", "use the name of a data store of the project or the site")
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        parts = value.split("/")
        if "\0" in value or value.startswith("/") or ".." in parts:
            raise _wrong("is not a prefix", "give a key prefix such as runs/today, without a leading / or ..")
        # A prefix names a folder: "train" must not take "training/x" along.
        return f"{value}/" if value and not value.endswith("/") else value

    @field_validator("mount_path")
    @classmethod
    def _mount_path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise _wrong("is not an absolute path", f"begin it with a slash, as in /{value}")
        parts = [part for part in value.split("/") if part]
        if not parts or ".." in parts or "." in parts or "\0" in value or ":" in value:
            raise _wrong("cannot be mounted on", "use a path below / without '.', '..' and colons, such as /data")
        if parts[:2] == CONTROL_PATH.strip("/").split("/"):
            raise _wrong("is kept for aitrain", f"use a path outside {CONTROL_PATH}, such as /data")
        if any(part == GPU_REQUESTS for part in parts):
            raise _wrong("would ask NVIDIA's runtime for GPUs", "use another path, such as /data")
        return "/" + "/".join(parts)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not GIT_URL.fullmatch(value):
            raise _wrong("is not the address of a public git repository", "write https://HOST/PATH.git, without a user")
        return value

    @field_validator("ref")
    @classmethod
    def _ref(cls, value: str) -> str:
        if value and (not GIT_REF.fullmatch(value) or ".." in value or value.endswith((".lock", "/", "."))):
            raise _wrong("is not a branch or tag", "name one of the repository, such as main or v1.0")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if not self.url:
            missing = [name for name in ("container", "alias") if not getattr(self, name)]
            if missing or self.ref:
                what = f"names no {' and no '.join(missing)}" if missing else "names a ref, but no url"
                raise _wrong(what, f"write {FORM} or {GIT_FORM}")
            return self
        if self.container or self.alias or self.prefix:
            raise _wrong("names both a git repository and a container", "give each a volume of its own")
        if self.permission.writable or self.cache:
            raise _wrong("is a git repository, which is neither written to nor cached", f"write {GIT_FORM}")
        return self

    @property
    def source(self) -> str:
        """Where its content comes from: container@alias/prefix, or the address of a repository."""
        if self.url:
            return self.url + (f"@{self.ref}" if self.ref else "")
        return f"{self.container}@{self.alias}" + (f"/{self.prefix}" if self.prefix else "")

    def __str__(self) -> str:
        return f"{self.source}:{self.mount_path}:{self.permission}:{'cache' if self.cache else 'no-cache'}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the string form.

        Raises pydantic.ValidationError where it is not one.
        """
        return cls.model_validate(text)


def check_apart(volumes: Sequence[Volume]) -> None:
    """Checks that no two volumes of a job share a mount path, or lie one inside another."""
    for index, volume in enumerate(volumes):
        for other in volumes[:index]:
            if volume.mount_path == other.mount_path:
                raise _wrong(
                    f"mounts two volumes on {volume.mount_path} ({other} and {volume})",
                    "give each volume a mount path of its own",
                )
            outer, inner = sorted((volume.mount_path, other.mount_path), key=len)
            if inner.startswith(outer + "/"):
                raise _wrong(
                    f"mounts {inner} inside {outer}", "mount volumes beside each other, not one inside another"
                )
