"""The command line as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, free_port
from workers.scratch.site import CLI


class Shell:
    """Runs commands against one site."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = {**os.environ, **env}

    def __call__(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run([CLI, *arguments], env=self._env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if status == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    fleet = make_fleet(timing={**QUICK, "retry_pause_seconds": 0.2})
    with fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 2}, engine.url):
        yield fleet


@pytest.fixture
def aitrain(fleet: Fleet) -> Shell:
    return Shell(fleet.site.environment())


def test_what_a_job_may_ask_for(aitrain: Shell) -> None:
    def of_cpus() -> dict[str, object]:
        flavors = {flavor["id"]: flavor for flavor in json.loads(aitrain("flavor", "list", "-o", "json"))}
        assert (flavors["h100"]["brand"], flavors["h100"]["offered"], flavors["h100"]["free"]) == ("NVIDIA", 0, 0)
        return dict(flavors["cpu"])

    cpu = eventually(lambda: found if (found := of_cpus())["free"] == 2 else None, 30, "a host")
    assert (cpu["kind"], cpu["cpu"], cpu["memory_gib"], cpu["default"], cpu["offered"]) == ("cpu", "1", "4", True, 2)
    assert "v100s *" in aitrain("flavor", "list")


def test_run_watch_and_look_back(aitrain: Shell, bucket: str) -> None:
    said = aitrain(
        "job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--name", "first", "--env", "TOKEN=hunter2", "--label", "a=b",
        "--volume", f"{bucket}@s3:/out:rw", "--watch", "--", "sh", "-c", "echo hello; echo hi > /out/r",
    )  # fmt: skip
    job_id = said.split()[0]
    told = said.splitlines()[1:]
    assert [line.split()[1] for line in told if line[0].isdigit()] == [
        "QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE",
    ]  # fmt: skip
    assert "| hello" in told
    assert "pushed: /out (1 of 1 files, 3 bytes)" in told
    assert told[-2:] == ["bill: 1 commenced minute, 0.0005 EUR", f"results: {bucket}@s3"]
    assert aitrain("job", "logs", job_id) == "hello\n"
    shown = aitrain("job", "get", job_id, "-o", "json")
    assert json.loads(shown)["state"] == "DONE"
    assert json.loads(shown)["spec"]["env"] == {"TOKEN": "***"}
    assert "hunter2" not in shown
    assert job_id[:8] in aitrain("job", "list", "-a")
    bill = aitrain("bill", "show")
    assert "0.00 EUR" in bill
    assert aitrain("bill", "audit").startswith("0 differences; ")


def test_a_job_as_an_earlier_one_found_by_name_and_beginning(aitrain: Shell, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# of the team\nTOKEN=hunter2\nOWN=1\n")
    options = ("--env-file", str(file), "--env", "OWN=2", "-l", "team=a", "--timeout", "2h", "--gpu", "1")
    first = aitrain("job", "run", BUSYBOX_IMAGE, "--name", "origin", *options, "--", "sh", "-c", "env").strip()
    told = aitrain("job", "run", "--from", "origin", "--cpu", "2", "--timeout", "1h", "--dry-run", "-o", "json")
    plan = json.loads(told)
    assert (plan["flavor"], plan["units"], plan["timeout_s"]) == ("cpu", 2, 3600)
    assert (plan["hourly_price"], plan["price_by_timeout"]) == ("0.060000", "0.060000")
    assert (plan["spec"]["env"], plan["spec"]["labels"]) == ({"TOKEN": "***", "OWN": "***"}, {"team": "a"})
    assert "hunter2" not in told
    assert "nothing was submitted" in aitrain("job", "run", "--from", first[:13], "--dry-run")
    told = aitrain("job", "run", "--from", "origin", "--dry-run", "-o", "json", "--", "echo", "new")
    assert [json.loads(told)["spec"][field] for field in ("image", "command")] == [BUSYBOX_IMAGE, ["echo", "new"]]
    assert aitrain("job", "label", "origin", "x=1", "team-") == f"{first} edited\n"
    assert aitrain("job", "list", "-q", "-l", "x=1", "-s", "QUEUED", "--since", "1h") == f"{first}\n"
    assert aitrain("job", "list", "-q", "-l", "x=1", "--until", "1h") == ""
    page = aitrain("job", "get", "origin")
    assert all(words in page for words in (first, "QUEUED", "timeout   2h", "x=1", "OWN TOKEN", "history"))
    assert "hunter2" not in page
    second = aitrain("job", "run", "--from", "origin", "--cpu", "1", "--watch").split()[0]
    assert "TOKEN=hunter2\n" in aitrain("job", "logs", second)
    stopped = aitrain("job", "stop", "origin", second)
    assert [line.split()[0] for line in stopped.splitlines()] == [first, second]
    assert aitrain("job", "delete", first, second).count(" deleted") == 2
    assert "Usage" in aitrain("job", "run", "--dry-run", status=2)
    assert "leave -o out" in aitrain("job", "run", BUSYBOX_IMAGE, "--watch", "-o", "json", status=2)
    third = json.loads(aitrain("job", "run", BUSYBOX_IMAGE, "--name", "third", "-o", "json"))
    assert aitrain("job", "delete", "--force", "third") == f"{third['id']} deleted\n"
    assert "name an image" in aitrain("job", "run", "--dry-run", "--", "true", status=2)


def test_the_exit_status_is_the_jobs_own(aitrain: Shell) -> None:
    aitrain("job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--watch", "--", "sh", "-c", "exit 3", status=3)


def test_stop_and_wait(aitrain: Shell) -> None:
    job_id = aitrain("job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--", "sleep", "60").strip()
    assert "INTERRUPT" in aitrain("job", "stop", job_id)
    assert "INTERRUPTED" in aitrain("job", "wait", job_id, status=143 if _ran(aitrain, job_id) else 125)
    assert "nothing to do" in aitrain("job", "stop", job_id)


def test_start_edit_and_delete(aitrain: Shell) -> None:
    again = ("--max-retries", "1", "--retry-exit-code", "4", "--", "sh", "-c", "exit $((AITRAIN_ATTEMPT + 3))")
    job_id = aitrain("job", "run", BUSYBOX_IMAGE, "--cpu", "1", *again).strip()
    told = aitrain("job", "wait", job_id, status=5)
    assert "retry 1 of 1 in 0.2 s" in told
    shown = json.loads(aitrain("job", "get", job_id, "-o", "json"))
    assert [end["exit_code"] for end in shown["earlier_attempts"]] == [4]
    edited = aitrain("job", "edit", job_id, "--label", "team=a", "--label", "x=1", "--timeout", "77", "--auto-restart")
    assert edited == f"{job_id} edited\n"
    aitrain("job", "edit", job_id, "--label", "x-")
    shown = json.loads(aitrain("job", "get", job_id, "-o", "json"))
    assert (shown["labels"], shown["timeout_s"], shown["auto_restart"]) == ({"team": "a"}, 77, True)
    assert "changes nothing" in aitrain("job", "edit", job_id, status=2)
    aitrain("job", "start", job_id, "--watch", status=6)
    assert aitrain("job", "delete", job_id) == f"{job_id} deleted\n"
    assert "there is no job" in aitrain("job", "get", job_id, status=1)
    assert "was it deleted?" in aitrain("job", "delete", job_id)


def test_orders_to_a_job_that_has_not_ended(aitrain: Shell, fleet: Fleet) -> None:
    job_id = aitrain("job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--", "sleep", "60").strip()
    assert "it has not ended" in aitrain("job", "start", job_id, status=1)
    assert "it has not ended" in aitrain("job", "delete", job_id, status=1)
    assert "is longer than" in aitrain("job", "edit", job_id, "--timeout", "999999999", status=2)
    aitrain("job", "delete", "--force", job_id)
    eventually(lambda: not fleet.client._store.get_many([job_id]), what="its deletion")


def _ran(aitrain: Shell, job_id: str) -> bool:
    for _ in range(300):
        job = json.loads(aitrain("job", "get", job_id, "-o", "json"))
        if job["state"] == "INTERRUPTED":
            return job["exit_code"] is not None
    raise AssertionError(job)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--flavor", "tpu"], ["resources.flavor", "'tpu'", "cpu, h100, v100s"]),
        (["--gpu", "0"], ["resources.gpu", "'0'", "at least 1"]),
        (["--gpu", "9"], ["resources.gpu", "'9'", "at most 4"]),
        (["--volume", "nonsense"], ["volumes[0]", "'nonsense'", "container@alias/prefix:mount_path"]),
        (["--volume", "data@s3:relative"], ["mount_path", "'relative'", "/relative"]),
        (["--volume", "aaa@s3:/a", "--volume", "bbb@s3:/a"], ["two volumes on /a"]),
        (["--volume", "aaa@nowhere:/a"], ["volumes[0].alias", "'nowhere'", "s3"]),
        (["--env", "NOVALUE"], ["env", "NAME=VALUE"]),
        (["--timeout", "-1"], ["timeout", "no duration"]),
    ],
)
def test_bad_input_is_told_and_nothing_is_queued(
    aitrain: Shell, fleet: Fleet, arguments: list[str], words: list[str]
) -> None:
    before = len(list(fleet.client.iter_jobs()))
    said = aitrain("job", "run", BUSYBOX_IMAGE, *arguments, "--", "true", status=2)
    assert all(word in said for word in words), said
    assert "Traceback" not in said
    assert len(list(fleet.client.iter_jobs())) == before


@pytest.mark.parametrize("arguments", [[], ["job"], ["job", "run"], ["--bogus"], ["job", "run", "x", "--gpu", "many"]])
def test_a_call_that_makes_no_sense_is_told(aitrain: Shell, arguments: list[str]) -> None:
    said = aitrain(*arguments, status=2)
    assert "Usage" in said
    assert "Traceback" not in said


def test_what_looks_like_markup_is_told_as_it_is(aitrain: Shell) -> None:
    assert "'[/x]'" in aitrain("job", "run", "[/x]", "--", "true", status=2)


def test_an_empty_image_name(aitrain: Shell) -> None:
    assert "name a Docker image" in aitrain("job", "run", "", "--", "true", status=2)


def test_a_project_over_its_quota(aitrain: Shell) -> None:
    aitrain("quota", "set", "small", "--cpus", "1")
    said = aitrain("job", "run", BUSYBOX_IMAGE, "--project", "small", "--cpu", "2", "--", "true", status=1)
    assert "may use 1 cpu units at once: 0 are in use and 2 were asked for" in " ".join(said.split())


def test_a_project_whose_jobs_over_the_quota_are_held(aitrain: Shell) -> None:
    aitrain("quota", "set", "patient", "--jobs", "0", "--over", "hold")
    job_id = aitrain("job", "run", BUSYBOX_IMAGE, "--project", "patient", "--cpu", "1", "--", "true").strip()
    assert aitrain("job", "explain", job_id).startswith("QUOTA: it is held: project 'patient' may have 0 jobs at once")
    told = json.loads(aitrain("quota", "show", "patient", "-o", "json"))
    assert (told["over_quota"], told["held_jobs"]) == ("hold", 1)
    jobs = {"project": "patient", "kind": "jobs", "limit": 0, "used": 0}
    assert jobs in told["quotas"]
    assert jobs in json.loads(aitrain("quota", "list", "-o", "json"))["quotas"]
    aitrain("job", "stop", job_id)


def test_a_project_beyond_its_budget(aitrain: Shell) -> None:
    assert "0.10" in aitrain("budget", "set", "thrifty", "0.10", "--rule", "reserve", "--stop")
    said = aitrain("job", "run", "x", "--project", "thrifty", "--cpu", "4", "--timeout", "3600", status=1)
    assert "has a budget of 0.10 for" in " ".join(said.split())
    (told,) = json.loads(aitrain("budget", "show", "thrifty", "-o", "json"))
    assert (told["amount"], told["rule"], told["stop"], told["warned"]) == ("0.100000", "reserve", True, False)
    aitrain("budget", "remove", "thrifty")
    aitrain("budget", "show", "thrifty", status=1)
    assert "amount: '-1' cannot be a budget" in aitrain("budget", "set", "thrifty", "--", "-1", status=2)


def test_why_a_job_waits(aitrain: Shell) -> None:
    job_id = aitrain("job", "run", BUSYBOX_IMAGE, "--gpu", "1", "--priority", "70", "--", "true").strip()
    assert aitrain("job", "explain", job_id).startswith("NO_HOST_OF_FLAVOR: no host offers v100s")
    told = json.loads(aitrain("job", "explain", job_id, "-o", "json"))
    assert (told["reason"], told["position"], told["starts_by_ms"]) == ("NO_HOST_OF_FLAVOR", 1, None)
    aitrain("job", "stop", job_id)
    assert "it does not wait: it is INTERRUPTED" in aitrain("job", "explain", job_id)
    aitrain("quota", "set", "humble", "--max-priority", "40")
    said = aitrain("job", "run", "x", "--project", "humble", "--priority", "41", status=2)
    assert "priority: '41' is higher than the site or the project allows; give at most 40" in " ".join(said.split())


def test_no_such_job(aitrain: Shell) -> None:
    assert "no job 'nope'" in aitrain("job", "get", "nope", status=1)


def test_redis_that_is_not_there(fleet: Fleet) -> None:
    aitrain = Shell({**fleet.site.environment(), "AITRAIN_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})
    began = time.monotonic()
    said = aitrain("job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--", "true", status=1)
    assert "is Redis running" in said
    assert "Traceback" not in said
    assert time.monotonic() - began < 30


def test_a_wrong_s3_key(make_fleet: Callable[..., Fleet], engine: DockerEngine, s3: S3Server, bucket: str) -> None:
    wrong = {"endpoint_url": s3.url, "access_key_id": "x", "secret_access_key": "wrong-secret"}
    fleet = make_fleet(data_stores={"s3": wrong})
    fleet.s3.create_bucket(Bucket=bucket)
    with fleet.site.host("h1", {"cpu": 1}, engine.url):
        ended = fleet.end(fleet.submit("true", volumes=[f"{bucket}@s3:/in"]))
    assert (ended.state, ended.code) == ("FAILED", "DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS")
    assert "correct the keys" in ended.message
    assert "wrong-secret" not in ended.model_dump_json()


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"AITRAIN_HOST": '{"units": {"cpu": 1}}'}, ["host.name", "AITRAIN_HOST__NAME"]),
        ({"AITRAIN_HOST": '{"name": "h9"}'}, ["host.units", "AITRAIN_HOST__UNITS"]),
        ({"AITRAIN_HOST": '{"name": "h9", "units": {"tpu": 1}}'}, ["host.units", "'tpu'", "cpu, h100, v100s"]),
        ({"AITRAIN_HOST": '{"name": "No Good", "units": {"cpu": 1}}'}, ["host.name", "'No Good'"]),
    ],
)
def test_a_host_with_wrong_settings_says_so(fleet: Fleet, env: dict[str, str], words: list[str]) -> None:
    said = Shell({**fleet.site.environment(), **env})("host", status=2)
    assert all(word in said for word in words), said


def test_help_lists_the_commands(aitrain: Shell) -> None:
    said = aitrain("--help")
    assert all(
        name in said for name in ("job", "host", "worker", "agent", "control", "beat", "flower", "bill", "quota")
    )


def test_redis_frozen_ends_in_bounded_time(
    make_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory
) -> None:

    with RedisServer(tmp_path_factory.mktemp("frozen")) as own:
        fleet = make_fleet(redis_url=own.url)
        os.kill(own.pid, signal.SIGSTOP)
        began = time.monotonic()
        said = Shell(fleet.site.environment())("job", "list", status=1)
        os.kill(own.pid, signal.SIGCONT)
    assert "is Redis running" in said
    assert time.monotonic() - began < 40
