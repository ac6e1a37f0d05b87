"""What the client makes of input that is wrong, over a real job store. Nothing of it may reach the store."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aitrain import Client, InvalidInput, JobNotFound, JobSpec, JobState, submit_job
from aitrain.settings import load_settings
from workers.scratch.servers import RedisServer


@pytest.fixture
def client(redis: RedisServer, namespace: str) -> Iterator[Client]:
    with Client(load_settings(redis_url=redis.url, namespace=namespace)) as client:
        yield client


def spec(**fields: Any) -> JobSpec:
    return JobSpec.of(**{"image": "x", "resources": {"cpu": 1}, **fields})


LIMITS: dict[str, Callable[[Client, str, Any], object]] = {
    "a quota": lambda client, project, value: client.set_quota(project, "cpu", value),
    "a timeout": lambda client, project, value: client.set_timeout_limit(project, value),
    "a priority": lambda client, project, value: client.set_priority_limit(project, value),
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", [1.5, 86_400.0, float("nan"), float("inf"), True, "60", -1, 10**30])
def test_a_limit_that_is_no_number_leaves_the_project_as_it_was(client: Client, limit: str, value: Any) -> None:
    with pytest.raises(InvalidInput):
        LIMITS[limit](client, "red", value)
    assert client.submit(spec(project="red")).state == "QUEUED"
    assert client.quotas() == []
    assert client.project_rules() == []


def test_nothing_is_set_of_a_project_that_there_cannot_be(client: Client) -> None:
    """A limit of "Vision" would limit nobody."""
    given = [
        *(lambda set_limit=set_limit: set_limit(client, "Vision", 1) for set_limit in LIMITS.values()),
        lambda: client.set_over_quota("Vision", "hold"),
        lambda: client.set_budget("Vision", 5),
        lambda: client.ledger("Vision"),
    ]
    for give in given:
        with pytest.raises(InvalidInput, match="project: 'Vision'"):
            give()
    with pytest.raises(InvalidInput, match="amount: 'None'"):
        client.set_budget("vision", None)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="month: 'nov'"):
        client.ledger("vision", "nov")


@pytest.mark.parametrize(
    "asked",
    [
        {"states": "DONE"}, {"states": JobState.DONE}, {"states": ["done"]}, {"states": [1]}, {"limit": -1},
        {"limit": 1.5}, {"created_after_ms": 1.5}, {"created_before_ms": "now"},
    ],
    ids=str,
)  # fmt: skip
def test_a_list_of_what_cannot_be_is_refused_at_once(client: Client, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(asked))):
        client.iter_jobs(**asked)


@pytest.mark.parametrize(
    "asked", [{"tail": -1}, {"tail": 2.5}, {"attempt": 0}, {"attempt": 2}, {"since_ms": "now"}], ids=str
)
def test_a_log_that_cannot_be_is_refused_at_once(client: Client, asked: dict[str, Any]) -> None:
    """An attempt that there was not has no lines; of -1 lines at the end the first ones would be left out."""
    job = client.submit(spec())
    with pytest.raises(InvalidInput, match=next(iter(asked))):
        client.logs(job.id, **asked)
    with pytest.raises(JobNotFound):
        client.logs("nothing")


def test_an_id_is_a_uuid_as_text_or_as_it_is(client: Client) -> None:
    own = uuid.uuid4()
    assert client.submit(spec(), job_id=own).id == str(own)
    assert client.submit(spec(), job_id=str(own).upper()).id == str(own)
    for wrong in ("", "x", 5):
        with pytest.raises(InvalidInput, match="job_id"):
            client.submit(spec(), job_id=wrong)  # type: ignore[arg-type]
    assert [job.id for job in client.iter_jobs()] == [str(own)]


def test_two_specs_of_one_id_are_not_both_said_to_be_queued(client: Client) -> None:
    own, other = uuid.uuid4(), uuid.uuid4()
    told = client.submit_many([spec(name="one"), spec(name="two"), spec(name="three")], job_ids=[own, str(own), other])
    assert [one.job and one.job.name for one in told] == ["one", None, "three"]
    assert isinstance(told[1].error, InvalidInput)
    assert told[1].job_id == str(own)


@pytest.mark.parametrize(("field", "value"), [("env", ["A=1"]), ("env", "A=1"), ("volumes", "data@s3:/data")])
def test_a_field_of_another_type_is_named(client: Client, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"^{field}: [^\n]*$"):
        submit_job("x", client=client, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stdin", "text"), ("stdin", io.StringIO("text")), ("stdin", 5), ("env", {"A=B": "1"}), ("env", {"A": 1}),
        ("env", {"A": "\0"}), ("command", "ls /"),
    ],
)  # fmt: skip
def test_a_command_is_given_nothing_that_it_cannot_take(client: Client, field: str, value: Any) -> None:
    """Of text as input it would never see the end."""
    with pytest.raises(InvalidInput, match=field):
        client.exec("x", **{"command": ["cat"], field: value})


@pytest.mark.parametrize("wrong", [{"endpoint_url": ""}, {"region": "x y"}], ids=str)
def test_a_data_store_that_is_none_is_told_as_ours(redis: RedisServer, namespace: str, wrong: dict[str, str]) -> None:
    store = {"endpoint_url": "http://h", "region": "r", "access_key_id": "a", "secret_access_key": "s", **wrong}
    with Client(load_settings(redis_url=redis.url, namespace=namespace, data_stores={"s3": store})) as client:
        for ask in (lambda: client.buckets.list("s3"), lambda: client.buckets.upload("box@s3", ["x"])):
            with pytest.raises(InvalidInput, match=r"data_stores\.s3"):
                ask()


@pytest.mark.parametrize("field", ["redis_url", "broker_url"])
@pytest.mark.parametrize(
    "url", ["http://h", "unix:///redis.sock", "redis://h/first", "redis://h:70000/0", "redis://[::1/0", "h:6379"]
)
def test_a_url_that_is_none_is_told_before_anything_is_queued(redis: RedisServer, field: str, url: str) -> None:
    """When the first message is sent its job is queued already, and whoever tries again would queue another."""
    with pytest.raises(InvalidInput, match=field):
        Client(load_settings(**{"redis_url": redis.url, field: url}))
