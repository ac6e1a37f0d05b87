"""Logs in to a registry, to see whether its address, its certificate and a password are right. It pulls nothing.

As engines do: /v2/ tells how one is to say who one is, by Basic, or with a token of a server that it names. What
a hostile server answers is read no further than it has to be.
"""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from aitrain.domain.imagename import HUB

ANSWER_SECONDS = 5.0
# Of a token server's answer; tokens of clouds have some thousand characters.
MOST_BYTES = 65_536
HUB_API = "registry-1.docker.io"
REFUSED = (401, 403)


class Login(StrEnum):
    """What came of it."""

    DONE = "done"
    PASSWORD = "the user or the password is wrong"  # noqa: S105
    AUTHORITY = "its certificate is not trusted"
    PLAIN = "it does not speak https"
    AWAY = "it does not answer"
    OTHER = "it does not answer as a registry does"


@dataclass(frozen=True)
class LoginAnswer:
    """What came of a login. said: its own words, or those of whoever could not reach it; "" if there are none."""

    login: Login
    said: str = ""


class _Nobody(AuthBase):
    """No user. Without it, requests looks for one in ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(AuthBase):
    """A token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Adapter(HTTPAdapter):
    """Trusts what the system trusts, and an authority beside it."""

    def __init__(self, pem: str) -> None:
        self._context = ssl.create_default_context()
        if pem:
            self._context.load_verify_locations(cadata=pem)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)


def log_in(server: str, user: str, password: str, pem: str = "") -> LoginAnswer:
    """Logs in once. server: as images name it; pem: of its authority, "" if the system knows it."""
    try:
        adapter = _Adapter(pem)
    except ssl.SSLError as error:
        return LoginAnswer(Login.AUTHORITY, f"the certificate that was given cannot be read: {error.reason}")
    with requests.Session() as session:
        session.mount("https://", adapter)
        api = HUB_API if server == HUB else server
        try:
            answer = _by(session, f"https://{api}/v2/", user, password)
            if answer.login in (Login.PLAIN, Login.AWAY) and _is_loopback(server):  # as engines do
                return _by(session, f"http://{api}/v2/", user, password)
        except requests.RequestException as error:
            return LoginAnswer(Login.AWAY, type(error).__name__)
        return answer


def _by(session: requests.Session, url: str, user: str, password: str) -> LoginAnswer:
    try:
        first = _get(session, url, _Nobody())
        if first.status == 200:
            is_registry = first.headers.get("Docker-Distribution-Api-Version", "").startswith("registry/")
            return LoginAnswer(Login.DONE if is_registry else Login.OTHER)
        challenge = first.headers.get("WWW-Authenticate", "")
        scheme, _, rest = challenge.partition(" ")
        if first.status == 401 and scheme.lower() == "basic":
            return _judged(_get(session, url, HTTPBasicAuth(user, password)))
        if first.status == 401 and scheme.lower() == "bearer":
            return _by_token(session, url, _fields(rest), user, password)
        return _judged(first) if first.status != 401 else LoginAnswer(Login.OTHER, "it does not say how to log in")
    except requests.exceptions.SSLError as error:
        said = str(error)
        plain = "WRONG_VERSION_NUMBER" in said or "wrong version number" in said
        return LoginAnswer(Login.PLAIN if plain else Login.AUTHORITY, "" if plain else _reason(said))
    except requests.exceptions.Timeout:
        return LoginAnswer(Login.AWAY, f"no answer within {ANSWER_SECONDS:g} s")
    except requests.exceptions.ConnectionError as error:
        return LoginAnswer(Login.AWAY, _reason(str(error)))


def _by_token(session: requests.Session, url: str, challenge: dict[str, str], user: str, password: str) -> LoginAnswer:
    realm, service = challenge.get("realm", ""), challenge.get("service", "")
    schemes = {"https", urlsplit(url).scheme}
    if urlsplit(realm).scheme not in schemes:
        return LoginAnswer(Login.OTHER, "it names no token server that speaks https")
    asked = {"account": user, "client_id": "aitrain", **({"service": service} if service else {})}
    given = _get(session, realm, HTTPBasicAuth(user, password), asked)
    if given.status != 200:
        return _judged(given)
    try:
        told = json.loads(given.body)
        token = str(told.get("token") or told.get("access_token") or "")
    except (ValueError, AttributeError):
        token = ""
    if not token.isascii() or not token.isprintable() or not token:
        return LoginAnswer(Login.OTHER, "its token server gives no token")
    return _judged(_get(session, url, _Bearer(token)))


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Any
    body: bytes


def _get(session: requests.Session, url: str, auth: AuthBase, params: dict[str, str] | None = None) -> _Answer:
    """Where a server sends one elsewhere, the password does not follow."""
    deadline = time.monotonic() + ANSWER_SECONDS
    with session.get(
        url, auth=auth, params=params, timeout=ANSWER_SECONDS, allow_redirects=False, stream=True
    ) as response:
        body = b""
        for piece in response.iter_content(4096):
            body += piece
            if len(body) > MOST_BYTES or time.monotonic() > deadline:
                break
        return _Answer(response.status_code, response.headers, body)


def _judged(answer: _Answer) -> LoginAnswer:
    if answer.status == 200:
        return LoginAnswer(Login.DONE)
    said = f"HTTP {answer.status}"
    if answer.status in REFUSED:
        return LoginAnswer(Login.PASSWORD, said)
    return LoginAnswer(Login.AWAY if answer.status >= 500 or answer.status == 429 else Login.OTHER, said)


def _fields(challenge: str) -> dict[str, str]:
    """What a challenge says. Its fields stand between commas, and texts may have some, too."""
    return parse_keqv_list([item for item in parse_http_list(challenge) if "=" in item])


def _reason(said: str) -> str:
    """The last part of what requests says of a connection: its beginning has the address of an object."""
    for words in ("certificate verify failed: ", "Failed to resolve", "Connection refused", "timed out"):
        if words in said:
            return words.rstrip(": ") if words[0] != "c" else said.partition(words)[2].partition(" (_ssl")[0]
    return "no connection"


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0] or server
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
