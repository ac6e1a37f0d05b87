"""A git server for tests: the real `git http-backend` behind HTTPS on loopback, with a certificate of its own."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}  # fmt: skip


class GitServer:
    """Serves the repositories below a directory.

    status: answers everything so, if set; location: leads there, if set; hold_after: keeps the rest of each pack back
    past so many bytes, if set, after it has set `held`, until `released`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ca_file = directory / "ca.pem"
        key_file = directory / "key.pem"
        _certificate(self.ca_file, key_file)
        self.status: int | None = None
        self.location: str | None = None
        self.hold_after: int | None = None
        self.held, self.released = threading.Event(), threading.Event()
        self.asked: list[str] = []
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key_file)
        # The handshake is the handler's, so that a client that refuses the certificate keeps nobody waiting.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def url(self, name: str) -> str:
        """The address of a repository."""
        return f"https://127.0.0.1:{self._server.server_port}/{name}.git"

    def create(self, name: str, files: Mapping[str, str | bytes]) -> str:
        """A repository with one commit on branch main; the commit."""
        path = self.directory / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True, env=ENVIRONMENT)
        return self.commit(name, files)

    def commit(self, name: str, files: Mapping[str, str | bytes], *, branch: str = "main") -> str:
        """Adds a commit with these files to a branch. A file whose name begins with `link:` is a symbolic link."""
        entries: dict[str, str] = {}
        for file, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            blob = self.git(name, "hash-object", "-w", "--stdin", given=raw)
            path = file.removeprefix("link:")
            entries[path] = f"{'120000' if file.startswith('link:') else '100644'} {blob}\t{path}"
        index = self.directory / f"{name}.index"
        index.unlink(missing_ok=True)
        self.git(name, "update-index", "--index-info", given="\n".join(entries.values()).encode(), index=index)
        return self.commit_tree(name, self.git(name, "write-tree", index=index), branch=branch)

    def commit_tree(self, name: str, tree: str, *, branch: str = "main") -> str:
        """Adds a commit of a tree to a branch; the commit."""
        commit = self.git(name, "commit-tree", tree, "-m", "test")
        self.git(name, "update-ref", f"refs/heads/{branch}", commit)
        return commit

    def tree(self, name: str, entries: list[tuple[str, bytes, str]]) -> str:
        """A tree of any entries (mode, name, object), also those that git itself would refuse."""
        raw = b"".join(mode.encode() + b" " + entry + b"\0" + bytes.fromhex(it) for mode, entry, it in entries)
        return self.git(name, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)

    def git(self, name: str, *command: str, given: bytes = b"", index: Path | None = None) -> str:
        """Runs git in a repository; what it says."""
        env = ENVIRONMENT | ({} if index is None else {"GIT_INDEX_FILE": str(index)})
        return subprocess.run(
            ["git", *command], cwd=self.directory / f"{name}.git", input=given, check=True, capture_output=True, env=env
        ).stdout.decode().strip()  # fmt: skip

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or does not trust the certificate, is what tests want."""


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _answer(self, body: bytes) -> None:
            server.asked.append(self.path)
            if server.status is not None:
                return self.send_error(server.status)
            if server.location is not None:
                self.send_response(302)
                self.send_header("Location", server.location + self.path)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            head, _, content = _http_backend(server.directory, self, body).partition(b"\r\n\r\n")
            fields = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in {**fields, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if server.hold_after is not None and b"PACK" in content:
                self.wfile.write(content[: server.hold_after])
                self.wfile.flush()
                server.held.set()
                server.released.wait(60)
                content = content[server.hold_after :]
            try:
                self.wfile.write(content)
            except OSError:
                return None  # the client has been ended, as its test wanted
            return None

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def _http_backend(directory: Path, request: BaseHTTPRequestHandler, body: bytes) -> bytes:
    path, _, query = request.path.partition("?")
    env = ENVIRONMENT | {
        "GIT_PROJECT_ROOT": str(directory), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": request.command,
        "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }  # fmt: skip
    return subprocess.run(["git", "http-backend"], input=body, env=env, check=False, capture_output=True).stdout


def _certificate(certificate_file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aitrain test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
