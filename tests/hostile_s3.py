"""An S3 server that lists and serves what real servers refuse to store. Scale and malice are what fakes are for."""

from __future__ import annotations

import hashlib
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

MIB = 1024**2
# A listing or a body that should have been given up long before ends here, so that its test fails instead of hanging.
PAGES_AT_MOST = 100
ENDLESS_MIB = 256


@dataclass(frozen=True)
class Item:
    """An object. size, etag: as listed, where they lie; sent: of the body, how many bytes come before the connection
    breaks; endless: the body does not stop.
    """

    key: str
    body: bytes = b"x"
    size: int | str | None = None
    etag: str | None = None
    sent: int | None = None
    endless: bool = False

    @property
    def true_etag(self) -> str:
        """The MD5 of its content."""
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()

    def listed(self) -> str:
        """Its entry in a listing."""
        size = len(self.body) if self.size is None else self.size
        etag = "" if self.etag == "" else f"<ETag>&quot;{self.etag or self.true_etag}&quot;</ETag>"
        key = urllib.parse.quote(self.key, safe="/")
        return (
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>{etag}"
            f"<Size>{size}</Size></Contents>"
        )


class HostileS3:
    """Serves one container of any name.

    pages: of its listing; loop: after the last page it begins again; listing: answers instead, if set. asked: the
    paths of all requests for objects; served: pages of listings; bytes_sent: of endless bodies.
    """

    def __init__(self, *pages: Sequence[Item], loop: bool = False, listing: str = "") -> None:
        self.pages, self.loop, self.listing = pages, loop, listing
        self.asked: list[str] = []
        self.served = self.bytes_sent = 0
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def item(self, key: str) -> Item | None:
        """An object by its key."""
        return next((item for page in self.pages for item in page if item.key == key), None)

    def page(self, token: str) -> str:
        """A page of the listing."""
        self.served += 1
        number = int(token or 0)
        follows = number + 1
        if self.loop and follows == len(self.pages):
            follows = 0
        more = follows < len(self.pages) and self.served < PAGES_AT_MOST
        next_token = f"<NextContinuationToken>{follows}</NextContinuationToken>" if more else ""
        contents = "".join(item.listed() for item in (self.pages[number] if self.pages else ()))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{next_token}{contents}</ListBucketResult>"
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on such a server does well."""


def _handler(server: HostileS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            _, _, key = path.lstrip("/").partition("/")
            asked = dict(urllib.parse.parse_qsl(query))
            if "list-type" in asked or not key:
                limit = int(asked.get("max-keys", 1000))
                text = server.listing or (server.page(asked.get("continuation-token", "")) if limit > 1 else _EMPTY)
                return self._text(200, text)
            server.asked.append(path)
            item = server.item(urllib.parse.unquote(key))
            if item is None:
                return self._text(404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")
            return self._body(item)

        def _body(self, item: Item) -> None:
            self.send_response(200)
            self.send_header("ETag", f'"{item.true_etag}"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            if item.endless:
                self.send_header("Connection", "close")
                self.end_headers()
                self._pour(lambda: server.bytes_sent < ENDLESS_MIB * MIB)
                return
            self.send_header("Content-Length", str(len(item.body)))
            self.end_headers()
            self.wfile.write(item.body[: item.sent])
            self.close_connection = item.sent is not None

        def _pour(self, wanted: Callable[[], bool]) -> None:
            try:
                while wanted():
                    self.wfile.write(bytes(MIB))
                    server.bytes_sent += MIB
            except OSError:
                pass  # the client has had enough, as it should
            self.close_connection = True

        def _text(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


_EMPTY = (
    '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<IsTruncated>false</IsTruncated></ListBucketResult>"
)
