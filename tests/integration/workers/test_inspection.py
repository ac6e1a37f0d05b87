"""Data stores that are asked who is there: keys that may not list all containers, and services that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aitrain.domain.states import InfoCode
from aitrain.settings import DataStore
from workers.checks import problem
from workers.datasync.inspection import inspect
from workers.scratch.servers import S3Server, free_port

DENIED = b"<Error><Code>AccessDenied</Code><Message>hunter2</Message></Error>"
EMPTY = b"<ListBucketResult><Name>mine</Name><KeyCount>0</KeyCount></ListBucketResult>"


class Narrow(BaseHTTPRequestHandler):
    """A service whose keys may list the container `mine`, and no more. It hides that others are not there."""

    def do_GET(self) -> None:
        mine = self.path.startswith("/mine?")
        self.send_response(200 if mine else 403)
        self.end_headers()
        self.wfile.write(EMPTY if mine else DENIED)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Page(Narrow):
    """A web server that has the same page for everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html><head/><body/></html>")


@pytest.fixture
def narrow() -> Iterator[DataStore]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Narrow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield DataStore.model_validate({"endpoint_url": url, "access_key_id": "x", "secret_access_key": "y"})
        server.shutdown()


def test_keys_that_may_not_list_all(narrow: DataStore) -> None:
    refused = inspect("s3", narrow)
    assert (refused.fault, refused.code) == (InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN, "AccessDenied")
    told = problem(refused, narrow, "")
    assert told is not None
    assert told.field == "container"
    assert "name one that they may list" in told.remedy
    assert problem(inspect("s3", narrow, "mine"), narrow, "mine") is None
    others = problem(inspect("s3", narrow, "others"), narrow, "others")
    assert others is not None
    assert "may not be listed" in others.message


def test_a_web_server_is_no_service() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        store = DataStore.model_validate({"endpoint_url": url, "access_key_id": "x", "secret_access_key": "y"})
        for container in ("", "data"):
            told = problem(inspect("s3", store, container), store, container)
            assert told is not None
            assert told.field == "endpoint_url"
        server.shutdown()


def test_a_container(s3: S3Server, bucket: str) -> None:
    keys = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    store = DataStore.model_validate({"endpoint_url": s3.url, **keys})
    assert inspect("s3", store, bucket).fault is InfoCode.DATASYNC_INVALID_CONTAINER
    s3.client().create_bucket(Bucket=bucket)
    assert inspect("s3", store, bucket).fault is None


@pytest.mark.parametrize("endpoint", ["nonsense", "http://a..b", "http://127.0.0.1:{port}"])
def test_no_service(endpoint: str) -> None:
    endpoint = endpoint.format(port=free_port())
    store = DataStore.model_validate({"endpoint_url": endpoint, "access_key_id": "x", "secret_access_key": "hunter2"})
    told = problem(inspect("s3", store), store, "")
    assert told is not None
    assert (told.field, told.value) == ("endpoint_url", endpoint)
    assert "hunter2" not in str(told)
