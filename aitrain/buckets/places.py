"""Where objects are, as people write it, and which keys may become files. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from aitrain.domain.errors import InvalidInput
from aitrain.domain.volume import ALIAS, CONTAINER

FORM = "container@alias/prefix"
TEXT = re.compile(r"(?P<container>[^@/]+)@(?P<alias>[^@/]+)(/(?P<key>.*))?", re.DOTALL)
# A directory entry of Linux file systems; a longer name cannot be a file.
MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class Place:
    """A container of a data store, and a key or the beginning of keys in it."""

    container: str
    alias: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.container}@{self.alias}" + (f"/{self.key}" if self.key else "")

    @property
    def folder(self) -> str:
        """The key as a beginning of others, as in volumes: "train" does not take "training/x" along."""
        return f"{self.key}/" if self.key and not self.key.endswith("/") else self.key

    @classmethod
    def parse(cls, text: str) -> Place:
        """Reads "container@alias/prefix". Raises InvalidInput."""
        match = TEXT.fullmatch(text)
        if match is None or not CONTAINER.fullmatch(match["container"]) or not ALIAS.fullmatch(match["alias"]):
            raise InvalidInput.of("place", text, "is no place", f"write {FORM}, for example datasets@s3/train")
        return cls(match["container"], match["alias"], match["key"] or "")


def parents(path: str) -> list[str]:
    """The directories that a file of this path lies in."""
    return [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]


def refusal(path: str, others: Collection[str]) -> str | None:
    """Why an object may not be laid down under this path; None if it may. others: paths of all that are downloaded."""
    parts = path.split("/")
    if "\0" in path:
        return "it has a NUL character"
    if any(part in ("", ".", "..") for part in parts):
        return "it would leave the directory, or is ambiguous"
    if any(len(part.encode(errors="surrogatepass")) > MAX_NAME_BYTES for part in parts):
        return f"it has a name of more than {MAX_NAME_BYTES} bytes"
    if any(parent in others for parent in parents(path)):
        return "it would be a file in a file: another object has the name of its directory"
    return None


def unfit(name: str) -> str | None:
    """Why a file of this name can be no object; None if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return None
