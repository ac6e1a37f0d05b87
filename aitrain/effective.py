"""The settings that hold in this process, and where each comes from: the environment, the file, or a default.

What may be secret is masked here, once, so that no face has to think of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from aitrain.settings import Settings, load_settings

PREFIX, NESTED, FILE = "AITRAIN_", "__", "AITRAIN_CONFIG"
MASK = "***"
# Variables of aitrain that are no settings: of the command line, of the demo's processes, and those that jobs get.
OTHER_VARIABLES = frozenset(
    PREFIX + name
    for name in (
        "CONFIG PROJECT SECRET_ACCESS_KEY CONTROL JOB_ID ATTEMPT JOB_NAME FLAVOR UNITS TIMEOUT_SECONDS".split()
    )
)


class Origin(StrEnum):
    """Where a setting comes from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Effective:
    """A setting. name: its path, as "host.name"; value: of JSON's types, masked where it may be secret; source: the
    variable, or the file; "" for a default.
    """

    name: str
    value: Any
    origin: Origin
    source: str


def settings_file() -> Path | None:
    """The file that AITRAIN_CONFIG names, whether it is there or not; None if it names none."""
    path = os.environ.get(FILE)
    return Path(path) if path else None


def effective_settings() -> list[Effective]:
    """Every setting, in the order of the reference. Raises InvalidInput, as load_settings does."""
    settings = load_settings()
    file = settings_file()
    given = EnvSettingsSource(Settings)()
    written = {} if file is None else TomlConfigSettingsSource(Settings, file)()
    found = []
    for path, value in _leaves(settings.model_dump(), ()):
        if _holds(given, path):
            origin, source = Origin.ENVIRONMENT, _variable(path)
        elif _holds(written, path):
            origin, source = Origin.FILE, str(file)
        else:
            origin, source = Origin.DEFAULT, ""
        found.append(Effective(".".join(path), _shown(value), origin, source))
    return found


def unread_variables() -> list[str]:
    """Variables that begin like settings and are none: misspelt ones, it may be. Their values are not looked at."""
    fields = {name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX)
        and name.upper() not in OTHER_VARIABLES
        and name.upper().removeprefix(PREFIX).partition(NESTED)[0] not in fields
    )


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is no section. A list is one value, as it is given as one; so is a section in which nothing stands."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)))
    else:
        yield path, value


def _holds(data: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether a source says something of a setting."""
    here: Any = data
    for name in path:
        if not isinstance(here, Mapping) or name not in here:
            return False
        here = here[name]
    return True


def _variable(path: tuple[str, ...]) -> str:
    """The variable that says it: its own, or one of a section that it stands in, which has JSON."""
    names = {name.upper(): name for name in os.environ}
    candidates = [(PREFIX + NESTED.join(path[:length])).upper() for length in range(len(path), 0, -1)]
    return next(names[one] for one in candidates if one in names)


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if value is None or isinstance(value, bool | int | float | dict):
        return value
    scheme, is_address, rest = str(value).partition("://")
    return f"{scheme}://{_address(rest)}" if is_address else str(value)


def _address(rest: str) -> str:
    """What follows the scheme, without a user's part and a query: each may hold a password, of any characters."""
    if "?" in rest and rest.find("?") < rest.rfind("@"):
        return MASK  # who can tell which of the two it is
    user, at, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    return (f"{MASK}{at}" if user or at else "") + place + (f"?{MASK}" if query else "")
