"""Takes secrets out of what is logged: those of the settings, those that were opened meanwhile, and passwords in URLs.

Nobody logs a secret on purpose. It comes with an error of a library that repeats an address, or with a traceback.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel, SecretStr

from aitrain.settings import Settings

MASK = "***"
# A shorter one would mask parts of ordinary words, and guessing it takes less than reading logs.
SHORTEST = 4
# Of secrets that are opened while the process runs, so many are remembered.
MOST_OPENED = 1000
# The part of a URL before its last "@": a password may hold every character but a blank.
USER_PART = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/'\"<>]*@")
# One with a slash, or in a query, as redis-py reads it.
PASSWORD_PART = re.compile(r"(?P<scheme>rediss?://)\S*@")
QUERY = re.compile(r"(?P<name>[?&;](?:password|secret|token|X-Amz-[A-Za-z-]+|Signature)=)[^\s&;'\"]+", re.IGNORECASE)


class Redaction:
    """Knows the secrets of one process."""

    def __init__(self, settings: Settings) -> None:
        self._fixed = tuple(sorted({form for secret in secrets_of(settings) for form in forms(secret)}, key=_longest))
        self._opened: OrderedDict[str, None] = OrderedDict()

    def hide(self, *secrets: SecretStr) -> None:
        """Also takes these out from now on: secrets of projects that were opened to be used."""
        for secret in secrets:
            for form in forms(secret.get_secret_value()):
                self._opened[form] = None
                self._opened.move_to_end(form)
        while len(self._opened) > MOST_OPENED:
            self._opened.popitem(last=False)

    def clean(self, text: str) -> str:
        """A text without secrets."""
        for secret in (*self._fixed, *sorted(self._opened, key=_longest)):
            if secret in text:
                text = text.replace(secret, MASK)
        if "://" in text:
            text = PASSWORD_PART.sub(rf"\g<scheme>{MASK}@", text)
            text = USER_PART.sub(rf"\g<scheme>{MASK}@", text)
            text = QUERY.sub(rf"\g<name>{MASK}", text)
        return text

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a processor of structlog, after which only the form is left to be given."""
        return {name: self._cleaned(value) for name, value in event.items()}

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.clean(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.clean(str(name)): self._cleaned(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._cleaned(inner) for inner in value]
        return self.clean(str(value))


def secrets_of(settings: Settings) -> Iterator[str]:
    """Every secret that settings hold: what is marked as one, and the passwords of addresses."""
    yield from _marked(settings)
    for url in (settings.redis_url, settings.broker_url or ""):
        user_part, at, _ = url.partition("://")[2].rpartition("@")
        if at:
            yield user_part.partition(":")[2]


def _marked(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        if value.get_secret_value():  # else it is not set
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _marked(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _marked(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            yield from _marked(inner)


def forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: as it is, as Python and JSON write it, and in a URL."""
    plain = {secret, unquote(secret)}
    written = {repr(form)[1:-1] for form in plain} | {form.replace("\\", "\\\\").replace('"', '\\"') for form in plain}
    quoted = {quote(form, safe="") for form in plain} | {quote(form) for form in plain}
    return {form for form in plain | written | quoted if len(form) >= SHORTEST}


def _longest(secret: str) -> tuple[int, str]:
    """The longest first: a part of a secret that is masked alone leaves the rest of it."""
    return -len(secret), secret
