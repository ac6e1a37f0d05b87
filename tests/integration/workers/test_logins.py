"""Logging in to registries: what is wrong with an address, a certificate or a password is told apart."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from workers import logins
from workers.logins import Login, log_in
from workers.scratch.registry import Registry
from workers.scratch.servers import S3Server, free_port

USER, PASSWORD = "reader", "hunter2-of-red"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("plain"), None, user=(USER, PASSWORD)) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Registry]:
    certificate = authority.server("127.0.0.1")
    directory = tmp_path_factory.mktemp("secure")
    with Registry(directory, None, user=(USER, PASSWORD), certificate=certificate) as server:
        yield server


def test_a_password(plain: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert log_in(plain.address, USER, PASSWORD).login is Login.DONE
    assert log_in(plain.address, USER, "hunter2").login is Login.PASSWORD
    assert log_in(plain.address, "nobody", PASSWORD).login is Login.PASSWORD
    # What the worker's own user has in its files is not used in its place.
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert log_in(plain.address, USER, "hunter2").login is Login.PASSWORD


def test_a_certificate(secure: Registry, authority: Authority, tmp_path: Path) -> None:
    pem = authority.certificate.read_text()
    assert log_in(secure.address, USER, PASSWORD, pem).login is Login.DONE
    assert log_in(secure.address, USER, "hunter2", pem).login is Login.PASSWORD
    unknown = log_in(secure.address, USER, PASSWORD)
    assert unknown.login is Login.AUTHORITY
    assert "certificate" in unknown.said
    other = Authority.make(tmp_path).certificate.read_text()
    assert log_in(secure.address, USER, PASSWORD, other).login is Login.AUTHORITY
    assert log_in(f"localhost:{secure.port}", USER, PASSWORD, pem).login is Login.AUTHORITY, "it is for another name"
    nonsense = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert log_in(secure.address, USER, PASSWORD, nonsense).login is Login.AUTHORITY


def test_what_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "ANSWER_SECONDS", 0.3)
    assert log_in(f"127.0.0.1:{free_port()}", USER, PASSWORD).login is Login.AWAY
    assert log_in("no-such-host.invalid", USER, PASSWORD).login is Login.AWAY
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        answer = log_in(f"127.0.0.1:{silent.getsockname()[1]}", USER, PASSWORD)
    assert (answer.login, answer.said) == (Login.AWAY, "no answer within 0.3 s")


def test_what_is_no_registry(s3: S3Server) -> None:
    assert log_in(s3.url.removeprefix("http://"), USER, PASSWORD).login is Login.OTHER


class Tokens(BaseHTTPRequestHandler):
    """A registry that wants a token, and the server that gives it: they are one here."""

    realm: str | None = None
    given: Any = None

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        sent = self.headers.get("Authorization", "")
        if self.path.startswith("/token?account=reader&client_id=aitrain&service=it"):
            right = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            self._answer(
                200 if sent == f"Basic {right}" else 401,
                {},
                json.dumps({"token": "t0ken"} if self.given is None else self.given),
            )
        elif sent == "Bearer t0ken":
            self._answer(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, "{}")
        else:
            realm = self.realm or f"http://127.0.0.1:{port}/token"
            self._answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="it",scope="a:b,c"'}, "")

    def _answer(self, status: int, headers: dict[str, str], body: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def tokens() -> Iterator[tuple[str, type[Tokens]]]:
    handler = type("Handler", (Tokens,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()
        thread.join()


def test_a_registry_that_wants_a_token(tokens: tuple[str, type[Tokens]]) -> None:
    server, handler = tokens
    assert log_in(server, USER, PASSWORD).login is Login.DONE
    assert log_in(server, USER, "hunter2").login is Login.PASSWORD
    for odd in ({}, {"token": ""}, {"token": "two\nlines"}, [], {"token": "x" * 100_000}):
        handler.given = odd
        assert log_in(server, USER, PASSWORD).login is Login.OTHER, odd
    handler.given = {"token": "another"}
    assert log_in(server, USER, PASSWORD).login is Login.PASSWORD
    for realm in ("file:///etc/passwd", "ftp://x/", "nonsense"):
        handler.realm = realm
        assert log_in(server, USER, PASSWORD).login is Login.OTHER, realm
