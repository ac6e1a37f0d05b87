"""What a registry, or the way to it, says when an image cannot be had: sorted by the engine's text alone.

The engine tells all of them as texts, with the status 500 or 404 as it comes. These are the texts of Docker Engine
20.10 and later ones, with its own image store and with containerd's, before distribution, Docker Hub, GitLab, Harbor
and Quay.
"""

from __future__ import annotations

import re
from enum import StrEnum

from aitrain.domain.imagename import ImageName


class Refusal(StrEnum):
    """Why an image cannot be had."""

    NAME = "the reference cannot be one"
    ROOM = "the host's disk is full"
    AUTHORITY = "the registry's certificate is not trusted"
    PLAIN = "the registry speaks http, where the engine wants https"
    NO_USER = "the registry wants a user, and was shown none"
    PASSWORD = "the registry does not take the user and password"  # noqa: S105
    NO_RIGHT = "the registry does not let this user have it, or does not know it and says no more"
    UNKNOWN = "the registry does not know the image"
    AWAY = "the registry does not answer, or asks to be left alone for a while"


# The first that is found counts, so what is more certain stands before what is less.
_SIGNS: tuple[tuple[Refusal, str], ...] = (
    (Refusal.NAME, r"invalid reference format|invalid repository name|repository name must be"),
    (Refusal.ROOM, r"no space left on device|disk quota exceeded"),
    (Refusal.PLAIN, r"server gave http response to https client"),
    (Refusal.AUTHORITY, r"x509: |tls: failed to verify|tls: unknown certificate|certificate is not trusted"),
    (Refusal.AWAY, r"dial tcp|connection re(?:fused|set)|i/o timeout|no such host|client\.timeout|timeout awaiting"
                   r"|deadline exceeded|toomanyrequests|too many requests|unexpected http status: 5\d\d"
                   r"|unexpected status[^:]*: 5\d\d|tls handshake|no route to host"),
    (Refusal.NO_USER, r"no basic auth credentials"),
    # A right that is missing, in the words of a wrong password.
    (Refusal.NO_RIGHT, r"unauthorized to access repository|access to the requested resource is not authorized"
                       r"|insufficient[_ ]scope|pull access denied|denied: requested access|http basic: access denied"
                       r"|forbidden|\b403\b"),
    (Refusal.PASSWORD, r"unauthorized|\b401\b|incorrect username or password|authentication required"
                       r"|authorization failed"),
    (Refusal.NO_RIGHT, r"\bdenied\b"),
    (Refusal.UNKNOWN, r"manifest unknown|name unknown|manifest_unknown|name_unknown|no matching manifest|not found"
                      r"|does not exist|\b404\b"),
)  # fmt: skip
_PATTERNS = [(refusal, re.compile(sign)) for refusal, sign in _SIGNS]
# Addresses have what users chose: names of hosts, images and tags.
_ADDRESS = re.compile(r'"?https?://[^\s"]+"?')


def refusal_of(reason: str, image: str = "", *, with_user: bool = False) -> Refusal:
    """Why, from the engine's words. image: whose name they may repeat; with_user: the registry was shown a user."""
    said = _ADDRESS.sub("", reason)
    if image:
        names = {image, image.partition("@")[0], ImageName.of(image).familiar}
        whole = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        said = re.sub(rf"(?<![\w./-])(?:{whole})(?![\w./-])", "", said)
    said = said.lower()
    found = next((refusal for refusal, sign in _PATTERNS if sign.search(said)), Refusal.AWAY)
    if found is Refusal.PASSWORD and not with_user:
        return Refusal.NO_USER
    if found is Refusal.NO_USER and with_user:
        return Refusal.PASSWORD
    return found
