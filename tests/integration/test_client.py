"""What the client makes of input that is wrong, over a real job store. Nothing of it may reach the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aitrain import Client, InvalidInput, JobSpec
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
