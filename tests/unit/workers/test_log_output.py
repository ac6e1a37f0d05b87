"""The form of log lines, and what is never in them."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import sys
import threading
import time
import traceback
from typing import Any
from urllib.parse import quote_plus

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from aitrain.broker import CANARY_TASK, task_name
from aitrain.settings import Settings, load_settings
from workers.about import about_job, carrying
from workers.log_output import formatter, hide, is_worth_a_line, set_up
from workers.redaction import MOST_CHARACTERS, Redaction, secrets_of

PASSWORD = "p@ss/w?rd#1"
KEY = 'se"cret\\key'


def settings(form: str) -> Settings:
    return load_settings(
        redis_url="redis://host-gpu-01:p%40ss%2Fw%3Frd%231@redis.internal:6379/0",
        broker_url="redis://:other-password@broker.internal/1",
        data_stores={"s3": {"secret_access_key": KEY, "access_key_id": "AKIDEXAMPLE"}},
        host={"name": "gpu-01"},
        logging={"format": form},
    )


def record(
    text: str, *args: Any, level: int = logging.INFO, name: str = "workers.step", **more: Any
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, __file__, 1, text, args, None)
    made.__dict__.update(more)
    return made


def fail(text: str) -> None:
    try:
        refuse(text)
    except OSError as error:
        raise RedisConnectionError(f"while saying {text}: {error}") from error


def refuse(text: str) -> None:
    raise OSError(text)


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = formatter(settings("json"), "worker").format(made)
    assert "\n" not in line
    read: dict[str, Any] = json.loads(line)
    return read


def test_a_line_of_json_has_its_fields_in_one_order() -> None:
    with about_job("0198", "2.deadbeef", "sync_in"):
        read = as_json(record("job %s: %d files", "0198", 7, level=logging.WARNING))
    at = read.pop("time")
    assert at.endswith("Z")
    assert list(read) == ["level", "role", "host", "logger", "event", "job", "attempt", "step"]
    assert read == {
        "level": "warning", "role": "worker", "host": "gpu-01", "logger": "workers.step",
        "event": "job 0198: 7 files", "job": "0198", "attempt": 2, "step": "sync_in",
    }  # fmt: skip


def test_what_lines_are_about_ends_with_the_duty_and_goes_with_its_threads() -> None:
    found = []

    def work(text: str) -> None:
        found.append(as_json(record(text)).get("job"))

    with about_job("0198"):
        thread = carrying(work, "in a thread", name="copy")
        plain = threading.Thread(target=work, args=("in another",))
    for one in (thread, plain):
        one.start()
        one.join()
    assert found == ["0198", None]
    assert "job" not in as_json(record("after"))


def test_lines_of_celery_say_whose_message_it_was() -> None:
    data = {"name": "aitrain.sync_in", "args": "job=0198 project=vision step=sync_in", "id": "x"}
    read = as_json(record("Task %(name)s[%(id)s] received", data, name="celery.worker.strategy", data=data))
    assert (read["job"], read["step"]) == ("0198", "sync_in")
    assert "data" not in read


@pytest.mark.parametrize(("level", "kept"), [(logging.INFO, False), (logging.ERROR, True)])
def test_canaries_are_told_of_only_when_they_fail(level: int, kept: bool) -> None:
    data = {"name": task_name(CANARY_TASK)}
    assert is_worth_a_line(record("Task %(name)s", data, level=level, data=data)) is kept
    assert is_worth_a_line(record("anything else"))


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    "text",
    [
        "Error 111 connecting to redis://host-gpu-01:p%40ss%2Fw%3Frd%231@redis.internal:6379/0.",
        f"AUTH {PASSWORD} was refused",
        f"rediss://{PASSWORD}@else.where",
        "redis://unknown:nobody-knew-this@else.where/2",
        "https://user:nobody-knew-this@git.example/repo.git cannot be read",
        "https://s3.example/b/k?X-Amz-Signature=nobody-knew-this&x=1",
        f"{{'aws_secret_access_key': {KEY!r}}}",
        json.dumps({"key": KEY}),
        "InvalidAccessKeyId: AKIDEXAMPLE",
        "broker other-password",
    ],
)
def test_no_secret_is_in_a_line(form: str, text: str) -> None:
    line_of = formatter(settings(form), "agent")
    lines = [line_of.format(record("it said: %s", text))]
    try:
        fail(text)
    except RedisConnectionError:
        lines.append(line_of.format(record("broken", exc_info=sys.exc_info())))
        assert text in traceback.format_exc(), "it would be there"
    for line in lines:
        for secret in (PASSWORD, "p%40ss", KEY, json.dumps(KEY)[1:-1], "AKIDEXAMPLE", "nobody-knew", "other-password"):
            assert secret not in line
        assert "***" in line


def test_the_error_itself_stays_readable() -> None:
    try:
        refuse("redis://u:nobody-knew-this@redis.internal:6379/0 is away")
    except OSError:
        read = as_json(record("broken", exc_info=sys.exc_info()))
    (error,) = read["exception"]
    assert (error["exc_type"], error["exc_value"]) == ("OSError", "redis://***@redis.internal:6379/0 is away")
    assert error["frames"][-1]["name"] == "refuse"


def test_secrets_that_are_opened_later_are_hidden_too() -> None:
    given = load_settings(data_stores={"s3": {"secret_access_key": "of-a-project"}}).data_stores["s3"]
    line_of = formatter(load_settings(), "worker")
    assert "of-a-project" in line_of.format(record("it is of-a-project"))
    hide(given.access_key_id, given.secret_access_key)
    assert "of-a-project" not in line_of.format(record("it is of-a-project"))


def test_every_secret_of_the_settings_is_known() -> None:
    assert set(secrets_of(settings("json"))) - {""} == {"p%40ss%2Fw%3Frd%231", "other-password", KEY, "AKIDEXAMPLE"}


def test_what_others_wrote_cannot_look_like_a_line_of_its_own() -> None:
    text = "lost\n2026-11-29 INFO agent: \x1b[31mfine"
    line = formatter(settings("console"), "agent").format(record("job x: %s", text))
    assert "\n" not in line
    assert "\x1b" not in line


def test_a_line_for_people_names_its_job_once() -> None:
    line_of = formatter(settings("console"), "worker")
    with about_job("0198", "1.ab", "sync_in"):
        assert line_of.format(record("job 0198: fetched")).endswith(" INFO worker: job 0198: fetched [step=sync_in]")
        assert line_of.format(record("fetched")).endswith(" INFO worker: fetched [job=0198 attempt=1 step=sync_in]")


@pytest.mark.parametrize(
    "write",
    [
        json.dumps, lambda secret: json.dumps(secret, ensure_ascii=False), repr, lambda secret: repr(secret.encode()),
        quote_plus, html.escape,
        *(lambda secret, by=by: base64.b64encode(f"{by}:{secret}".encode()).decode() for by in ("u", "us", "use")),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_however_it_is_written(write: Any) -> None:
    secret = 'Sé cret+/"\\<x>\n2='
    redaction = Redaction(load_settings())
    redaction.hide(SecretStr(secret))
    cleaned = redaction.clean(f"it said {write(secret)} and more")
    assert "***" in cleaned
    assert cleaned.endswith(" and more")
    assert len(cleaned) < len("it said *** and more") + 12, (
        "of its beginning and end no more than one character is told"
    )


@pytest.mark.parametrize("text", ["a" * 200_000 + " ://", "rediss://" * 20_000])
def test_a_long_text_of_a_stranger_costs_no_more_than_its_length(text: str) -> None:
    began = time.process_time()
    Redaction(load_settings()).clean(text)
    assert time.process_time() - began < 1


def test_a_line_costs_the_same_after_many_secrets_were_opened() -> None:
    redaction = Redaction(load_settings())
    redaction.hide(*(SecretStr(f"secret-{number}-of-some-project") for number in range(1000)))
    began = time.process_time()
    for _ in range(100):
        redaction(None, "", {"event": "fetched", "time": "x", "level": "info", "role": "worker", "host": "gpu-01"})
    assert time.process_time() - began < 0.25
    assert redaction.clean("secret-999-of-some-project") == "***"


def test_a_long_text_loses_its_middle_and_a_line_stays_one_of_json() -> None:
    read = as_json(record("begins" + "\x00" * 1_000_000 + "ends"))
    assert read["event"].startswith("begins")
    assert read["event"].endswith("ends")
    assert len(read["event"]) < MOST_CHARACTERS + 100


def test_a_line_that_cannot_be_written_says_so_in_the_same_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library would print its text and arguments as they are."""
    root, told = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(sys, "stderr", told)
    for hook in ((sys, "excepthook"), (threading, "excepthook")):
        monkeypatch.setattr(*hook, getattr(*hook))
    set_up(settings("json"), "worker")
    logging.getLogger("some.library").warning("%d other-password", "other-password")
    logging.captureWarnings(False)
    (line,) = told.getvalue().splitlines()
    read = json.loads(line)
    assert (read["level"], read["role"]) == ("error", "worker")
    assert "a line of some.library (test_log_output.py:" in read["event"]
    assert "other-password" not in line
