"""What a worker takes from the broker, and as what."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from aitrain.domain.states import Step
from tests.forging import CLEANED, LINK, REFUSED, message
from workers.door import Refused, admit, check_order

TASKS = {
    "aitrain.mark_timeouts",
    "aitrain.check_data_store",
    "celery.chain",
    "celery.backend_cleanup",
    "celery.map",
} | {f"aitrain.{step}" for step in Step}
HOST = "cpu.cpu.h1"


def steps(after: Step, queue: str = HOST, args: tuple[str, ...] = ("j", "1.f")) -> list[dict[str, Any]]:
    following = list(Step)[list(Step).index(after) + 1 :]
    options = {"queue": queue, "task_id": "t", "argsrepr": "job=j", "reply_to": "evil", "link": "evil"}
    return [{**LINK, "task": f"aitrain.{step}", "args": list(args), "options": options} for step in reversed(following)]


def parts(taken: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(taken["body"]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_aitrain_does_not_send_is_refused_in_one_line(name: str) -> None:
    forged, said = REFUSED[name]
    with pytest.raises(Refused) as refused:
        admit(forged, "control", TASKS)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", CLEANED)
def test_what_is_taken_is_built_anew(name: str) -> None:
    taken, plain = admit(CLEANED[name], "control", TASKS), admit(message(), "control", TASKS)
    for one in (taken, plain):
        for field in ("id", "root_id"):
            one["headers"].pop(field)
        for field in ("correlation_id", "delivery_tag"):
            one["properties"].pop(field)
    assert taken == plain


def test_a_jobs_chain_goes_on_with_its_own_steps_only() -> None:
    taken = admit(message("aitrain.sync_in", "j", "1.f", embed={"chain": steps(Step.SYNC_IN)}), HOST, TASKS)
    args, keywords, embed = parts(taken)
    assert (args, keywords) == (["j", "1.f"], {})
    assert [link["task"] for link in embed["chain"]] == [
        "aitrain.sync_out",
        "aitrain.monitor",
        "aitrain.start_container",
    ]
    assert set(embed["chain"][0]["options"]) == {"queue", "task_id", "argsrepr", "kwargsrepr"}


@pytest.mark.parametrize(
    "chain",
    [
        steps(Step.SYNC_IN, queue="cpu.cpu.h2"),
        steps(Step.SYNC_IN, args=("other", "1.f")),
        steps(Step.SYNC_IN)[:2],
        steps(Step.SYNC_IN) * 2,
        steps(Step.START_CONTAINER),
    ],
)
def test_a_chain_for_another_job_or_queue_is_refused(chain: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused, match="what follows it"):
        admit(message("aitrain.sync_in", "j", "1.f", embed={"chain": chain}), HOST, TASKS)


def test_a_host_runs_no_sweep() -> None:
    with pytest.raises(Refused, match="is no step of a host"):
        admit(message(), HOST, TASKS)


def order(method: Any, **more: Any) -> dict[str, Any]:
    return message(body=json.dumps({"method": method, "arguments": {}, "destination": ["h1@vm"], **more}).encode())


@pytest.mark.parametrize("method", ["ping", "stats", "active_queues", "enable_events"])
def test_a_worker_may_be_looked_at_from_afar(method: str) -> None:
    assert check_order(order(method)) == method


@pytest.mark.parametrize(
    "method", ["shutdown", "pool_restart", "pool_shrink", "add_consumer", "cancel_consumer", "revoke", "time_limit"]
)
def test_a_worker_is_not_changed_from_afar(method: str) -> None:
    with pytest.raises(Refused, match=f"{method} changes a worker from afar"):
        check_order(order(method))


@pytest.mark.parametrize(
    "forged", [5, {}, message(body=b"5"), order(["ping"]), order("ping", arguments=5), order("ping", pattern="(a+)+$")]
)
def test_an_order_that_is_none_is_refused(forged: Any) -> None:
    with pytest.raises(Refused):
        check_order(forged)
