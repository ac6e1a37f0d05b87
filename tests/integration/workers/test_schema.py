"""What each process does at its start about a job store of another version."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from redis import Redis

from aitrain.cli.app import run as run_cli
from aitrain.domain.schema import SCHEMA
from aitrain.domain.states import State
from aitrain.settings import Settings, load_settings
from aitrain.store import Store
from tests.golden import dump, fill, kept
from workers.__main__ import OF_THE_FLEET, main
from workers.doctor import diagnose
from workers.doctor.finding import Verdict
from workers.schema import await_ours
from workers.scratch.servers import RedisServer
from workers.step import check_understood

LATER = SCHEMA + 1


class Executed(Exception):
    """This process would have become another one."""


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A process of the fleet sets its own."""
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def settings(redis: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AITRAIN_REDIS_URL", redis.url)
    monkeypatch.setenv("AITRAIN_NAMESPACE", namespace)
    monkeypatch.setenv("AITRAIN_HOST", '{"name": "h1", "units": {"cpu": 1}}')

    def execv(*_: object) -> None:
        raise Executed

    monkeypatch.setattr(os, "execv", execv)
    return load_settings()


@pytest.fixture
def raw(redis: RedisServer) -> Redis:
    return Redis.from_url(redis.url, decode_responses=True)


@pytest.mark.parametrize("role", OF_THE_FLEET)
def test_a_store_that_is_newer_is_refused_with_status_2(
    role: str, settings: Settings, raw: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tested message of a downgrade."""
    raw.set("{" + settings.namespace + "}:schema", LATER)
    before = dump(raw, settings.namespace)
    assert main(role, ["127.0.0.1", "0", ""]) == 2
    assert capsys.readouterr().err.partition(f"{role}: ")[2].strip() == (
        f"the job store has schema {LATER}, and this aitrain (0.1.0) has schema {SCHEMA}: the store was upgraded: "
        "upgrade this process, too, or restore the backup that was made before that"
    )
    assert dump(raw, settings.namespace) == before


def test_commands_end_with_status_2_too(
    settings: Settings, raw: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw.set("{" + settings.namespace + "}:schema", LATER)
    monkeypatch.setattr(sys, "argv", ["aitrain", "job", "list"])
    assert run_cli() == 2
    assert "upgrade this process, too" in capsys.readouterr().err


def test_a_control_worker_brings_an_older_store_up_to_date_and_the_others_wait_for_that(
    settings: Settings, raw: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(raw, kept("store-1.json"), settings.namespace)
    waits = threading.Thread(target=await_ours, args=(settings,), kwargs={"migrates": False})
    waits.start()
    with pytest.raises(Executed):
        main("control", [])
    waits.join(10)
    assert not waits.is_alive()
    said = capsys.readouterr().err
    assert "control: the job store was brought up to date from schema 1\n" in said
    assert "control: data store mine of project default: its keys" in said
    with pytest.raises(Executed):  # and again: there is nothing to do
        main("control", [])


def test_a_store_that_does_not_answer_keeps_nobody_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    await_ours(load_settings(redis_url="redis://127.0.0.1:1/0"), migrates=True)
    await_ours(load_settings(redis_url="redis://127.0.0.1:1/0"), migrates=False)


@pytest.mark.parametrize(
    ("stamp", "verdict", "found"),
    [
        (None, Verdict.OK, "is empty"),
        (str(SCHEMA), Verdict.OK, str(SCHEMA)),
        (str(LATER), Verdict.FAIL, f"the job store has schema {LATER}"),
        (f"1>{SCHEMA}", Verdict.FAIL, "is being brought"),
        ("x", Verdict.FAIL, "is none of aitrain"),
    ],
)
def test_the_doctor_says_it(stamp: str | None, verdict: Verdict, found: str, settings: Settings, raw: Redis) -> None:
    if stamp is not None:
        raw.set("{" + settings.namespace + "}:schema", stamp)
    (finding,) = [one for one in diagnose(settings, with_host=False) if one.check == "site.schema"]
    assert finding.verdict is verdict
    assert found in finding.found


def test_a_host_does_not_begin_what_it_does_not_understand(redis: RedisServer, namespace: str, raw: Redis) -> None:
    held = kept("store-1.json")
    key = "job:00000000-0000-7000-8000-000000000012"
    held[key]["hash"]["spec"] = held[key]["hash"]["spec"].replace("{", '{"egress":"none",', 1)
    held["schema"] = {"string": str(SCHEMA)}
    fill(raw, held, namespace)
    store = Store(redis.url, namespace=namespace)
    (job,) = store.get_many([key.removeprefix("job:")])
    store.close()
    assert job.state is State.INITIALIZING
    with pytest.raises(Exception, match="asks for what host h1 does not know: egress; upgrade the host"):
        check_understood(job)
    check_understood(job.model_copy(update={"state": State.FINALIZING}))
