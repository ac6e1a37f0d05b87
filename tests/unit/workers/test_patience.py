"""A server that never ends its answer holds no slot of a control worker."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from aitrain.settings import DataStore
from workers.datasync import inspection
from workers.patience import Patience


@pytest.fixture
def dripping() -> Iterator[str]:
    """An endpoint that sends a header of which there is always more."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.02):
                connection.sendall(b"a")

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_does_not_end_is_not_waited_for(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "ANSWER_SECONDS", 0.1)
    keys = {"access_key_id": "some-key", "secret_access_key": "some-secret"}
    store = DataStore.model_validate({"endpoint_url": dripping, "region": "x", **keys})
    answered = threading.Event()

    def check() -> None:
        inspection.inspect("s3", store)
        answered.set()

    began = time.monotonic()
    Patience(0.5).run("check", check)
    assert time.monotonic() - began < 3
    assert not answered.is_set(), "the library's own limit would not have held"


def test_what_goes_on_is_bounded_and_leaves_room_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    patience, go_on, done = Patience(0.02, most=2), threading.Event(), list[int]()

    def slow() -> None:
        go_on.wait()
        done.append(1)

    for _ in range(3):
        patience.run("check", slow)
    assert "check is left" in caplog.text
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "check":
            thread.join()
    assert done == [1, 1]
    patience.run("check", lambda: done.append(2))
    assert done[-1] == 2


def test_of_a_subject_one_is_at_work_at_a_time() -> None:
    patience, go_on = Patience(0.02), threading.Event()
    assert not patience.run("logs", lambda: assert_waited(go_on), "red")
    assert not patience.run("logs", lambda: None, "red")
    assert patience.run("logs", lambda: None, "blue")
    go_on.set()


def assert_waited(event: threading.Event) -> None:
    assert event.wait(10)


def test_what_fails_in_time_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        Patience().run("check", lambda: print(1 / 0))
