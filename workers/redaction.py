"""Takes secrets out of what is logged: those of the settings, those that were opened meanwhile, and passwords in URLs.

Nobody logs a secret on purpose. It comes with an error of a library that repeats an address, or with a traceback.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from pydantic import BaseModel, SecretStr

from aitrain.settings import Settings

MASK = "***"
# A shorter one would mask parts of ordinary words, and guessing it takes less than reading logs.
SHORTEST = 4
# In base64 four characters are three of a secret, and stand in ordinary words, too.
SHORTEST_BASE64 = 8
# Of secrets that are opened while the process runs, so many are remembered.
MOST_OPENED = 250
# Of one text of a line. The journal splits lines of more than 48 KiB, and a half of a line of JSON is none.
MOST_CHARACTERS = 8_000
# The part of a URL before its last "@": a password may hold every character but a blank. What is logged may come from a
# stranger's server, and be long: each pattern goes over a text once.
USER_PART = re.compile(r"(?<=://)[^\s/'\"<>]*@")
# One with a slash, or in a query, as redis-py reads it.
REDIS = re.compile(r"rediss?://")
QUERY = re.compile(r"(?P<name>[?&;](?:password|secret|token|X-Amz-[A-Za-z-]+|Signature)=)[^\s&;'\"]+", re.IGNORECASE)
ESCAPED = re.compile(r"%[0-9A-F]{2}")


class Redaction:
    """Knows the secrets of one process."""

    def __init__(self, settings: Settings) -> None:
        self._lock = threading.Lock()
        self._fixed = frozenset(form for secret in secrets_of(settings) for form in forms(secret))
        self._opened: OrderedDict[str, set[str]] = OrderedDict()
        self._all = _longest_first(self._fixed)

    def hide(self, *secrets: SecretStr) -> None:
        """Also takes these out from now on: secrets of projects that were opened to be used."""
        with self._lock:
            texts = dict.fromkeys(one.get_secret_value() for one in secrets)
            new = texts.keys() - self._opened.keys()
            for text in texts:
                self._opened[text] = forms(text) if text in new else self._opened[text]
                self._opened.move_to_end(text)
            while len(self._opened) > MOST_OPENED:
                self._opened.popitem(last=False)
            if new:
                self._all = _longest_first(self._fixed.union(*self._opened.values()))

    def clean(self, text: str) -> str:
        """A text without secrets."""
        return _clean(text, self._in(text))

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a processor of structlog, after which only the form is left to be given. Long texts lose their middle."""
        plain = {name: _plain(value) for name, value in event.items()}
        # Most lines hold none: all of a line is looked at once, and not each of its fields.
        there = self._in("\n".join(_texts(plain)))
        return {name: _cleaned(value, there) for name, value in plain.items()}

    def _in(self, text: str) -> list[str]:
        return [form for form in self._all if form in text]


def _plain(value: Any) -> Any:
    """A value of texts, numbers, lists and mappings only."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value)


def _texts(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, Mapping):
        for name, inner in plain.items():
            yield name
            yield from _texts(inner)
    elif isinstance(plain, list):
        for inner in plain:
            yield from _texts(inner)


def _cleaned(plain: Any, secrets: list[str]) -> Any:
    if isinstance(plain, str):
        return _cut(_clean(plain, secrets))
    if isinstance(plain, Mapping):
        return {_clean(name, secrets): _cleaned(inner, secrets) for name, inner in plain.items()}
    return [_cleaned(inner, secrets) for inner in plain] if isinstance(plain, list) else plain


def _clean(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    if "://" in text:
        if REDIS.search(text):
            text = re.sub(r"\S+", _without_user, text)
        text = USER_PART.sub(f"{MASK}@", text)
        text = QUERY.sub(rf"\g<name>{MASK}", text)
    return text


def _without_user(word: re.Match[str]) -> str:
    """A word with a URL of Redis in it: all between that's beginning and the last "@" goes."""
    text = word[0]
    begins, end = REDIS.search(text), text.rfind("@")
    return f"{text[: begins.end()]}{MASK}{text[end:]}" if begins and end >= begins.end() else text


def _cut(text: str) -> str:
    left_out = len(text) - MOST_CHARACTERS
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} [{left_out} characters left out] {text[-half:]}" if left_out > 0 else text


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
    """A secret as it may stand in a text: as it is, as Python, JSON and HTML write it, in a URL, and in base64, in
    which HTTP sends passwords.
    """
    found: set[str] = set()
    for form in {secret, unquote(secret)}:
        quoted = {quote(form, safe=""), quote(form), quote_plus(form)}
        found |= {form, html.escape(form), repr(form)[1:-1], repr(form.encode(errors="replace"))[2:-1]}
        found |= {form.replace("\\", "\\\\").replace('"', '\\"'), json.dumps(form)[1:-1]}
        found |= {json.dumps(form, ensure_ascii=False)[1:-1]}
        found |= quoted | {ESCAPED.sub(lambda code: code[0].lower(), one) for one in quoted}
    encoded = {part for form in (secret, unquote(secret)) for part in _in_base64(form.encode(errors="replace"))}
    short = {form for form in found if len(form) < SHORTEST} | {form for form in encoded if len(form) < SHORTEST_BASE64}
    return (found | encoded) - short


def _in_base64(secret: bytes) -> Iterator[str]:
    """What a secret is in base64, wherever in a longer text it begins: the characters that it alone decides."""
    for before in range(3):
        known = slice(-(-before * 8 // 6), (before + len(secret)) * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + secret).decode()[known]


def _longest_first(forms: Iterable[str]) -> tuple[str, ...]:
    """A part of a secret that is masked alone leaves the rest of it."""
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))
