"""What a worker takes from the broker: messages of aitrain as aitrain sends them, and nothing else. Pure.

Whoever may write to the broker may write anything. What is taken is built anew from the parts that were checked: no
callback, no date, no chain but a job's own steps on the same queue, and nothing that Celery would do beside. Whether
the job is as the message believes, the job store says (laws 1 and 3).
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aitrain.broker import CONTROL_QUEUE, COPY_TASK, task_name
from aitrain.domain.states import Step

# A job's whole chain is 3 KiB.
MOST_BYTES = 64 * 1024
OF_HOSTS = frozenset(map(task_name, (*Step, COPY_TASK)))
# A worker of a host sends itself this, to see that its messages arrive.
CANARY = task_name("canary")
# What looks at a worker. All else that Celery offers from afar changes it: what it reads, runs and limits, or ends it.
LOOKS = frozenset(
    {
        "active", "active_queues", "clock", "conf", "disable_events", "enable_events", "heartbeat", "hello", "ping",
        "query_task", "registered", "report", "reserved", "revoked", "scheduled", "stats",
    }
)  # fmt: skip

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,200}$")]
Shown = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Nothing = Annotated[dict[str, Any], Field(max_length=0)]


class Refused(Exception):
    """A message that is none of aitrain's. The text says why, in one line."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class _Options(_Part):
    queue: Word
    task_id: Id
    argsrepr: Shown = ""
    kwargsrepr: Shown = ""


class _Link(_Part):
    task: Word
    args: list[Word]
    keywords: Annotated[dict[str, Any], Field(alias="kwargs", max_length=0)]
    options: _Options


class _Embed(_Part):
    callbacks: None = None
    errbacks: None = None
    chord: None = None
    chain: list[_Link] | None = None


class _Headers(_Part):
    task: Word
    id: Id
    root_id: Id | None = None
    parent_id: Id | None = None
    eta: None = None
    expires: str | None = None
    argsrepr: Shown = ""
    kwargsrepr: Shown = ""
    origin: Shown = ""

    @field_validator("expires")
    @classmethod
    def _expires(cls, value: str | None) -> str | None:
        if value is not None and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("has no time zone")
        return value


class _Properties(_Part):
    body_encoding: str | None = None


class _Envelope(_Part):
    body: Annotated[str, Field(max_length=MOST_BYTES)]
    content_type: Annotated[str, Field(alias="content-type", pattern="^application/json$")]
    content_encoding: Annotated[str, Field(alias="content-encoding", pattern="^utf-8$")]
    headers: _Headers
    properties: _Properties


class _Body(_Part):
    args: Annotated[list[Word], Field(max_length=8)]
    keywords: Nothing
    embed: _Embed


class _Order(_Part):
    method: Word
    arguments: dict[str, Any] | None = None
    destination: list[Shown] | None = None
    pattern: None = None
    reply_to: dict[str, Word] | None = None
    ticket: Id | None = None


def admit(message: Any, queue: str, registered: Collection[str]) -> dict[str, Any]:
    """The message as Celery is given it. registered: names of tasks. Raises Refused."""
    try:
        envelope = _Envelope.model_validate(message)
        parts = _json(envelope.body, envelope.properties.body_encoding)
        if not isinstance(parts, list) or len(parts) != 3:
            raise Refused("its body is not [arguments, keywords, more]")
        body = _Body(**dict(zip(("args", "keywords", "embed"), parts, strict=True)))
    except ValidationError as error:
        raise Refused(_said(error)) from None
    headers = envelope.headers
    _check_task(headers.task, queue, registered)
    chain = _checked_chain(headers.task, body, queue)
    return _made(headers, body.args, chain, queue)


def check_order(message: Any) -> str | None:
    """Of a remote command to workers: which one it is that only looks. Raises Refused."""
    try:
        envelope = message if isinstance(message, dict) else {}
        properties = _Properties.model_validate(envelope.get("properties"))
        order = _Order.model_validate(_json(envelope.get("body"), properties.body_encoding))
    except ValidationError as error:
        raise Refused(_said(error)) from None
    if order.method not in LOOKS:
        raise Refused(f"{order.method} changes a worker from afar; use systemctl, or `aitrain host`")
    return order.method


def _json(body: Any, encoding: str | None) -> Any:
    if not isinstance(body, str) or len(body) > MOST_BYTES:
        raise Refused("its body is no text, or too long")
    try:
        return json.loads(base64.b64decode(body, validate=True) if encoding == "base64" else body)
    except (ValueError, binascii.Error, RecursionError):
        raise Refused("its body is no JSON") from None


def _check_task(task: str, queue: str, registered: Collection[str]) -> None:
    if task not in registered or not task.startswith(task_name("")):
        raise Refused(f"there is no task {task}")
    if queue == CONTROL_QUEUE and task in OF_HOSTS:
        raise Refused(f"{task} is a step of hosts")
    if queue != CONTROL_QUEUE and task not in OF_HOSTS and task != CANARY:
        raise Refused(f"{task} is no step of a host")


def _checked_chain(task: str, body: _Body, queue: str) -> list[_Link] | None:
    """The steps that follow, the last one first, as Celery has them. Raises Refused for any others."""
    chain = body.embed.chain
    if not chain:
        return None
    steps = [task_name(step) for step in Step]
    following = steps[steps.index(task) + 1 :] if task in steps else []
    if [link.task for link in reversed(chain)] != following:
        raise Refused("what follows it are not the steps of a job")
    if any(link.args != body.args or link.options.queue != queue for link in chain):
        raise Refused("what follows it is for another job, or another queue")
    return chain


def _made(headers: _Headers, args: list[str], chain: list[_Link] | None, queue: str) -> dict[str, Any]:
    links: list[dict[str, Any]] = [
        {
            "task": link.task, "args": link.args, "kwargs": {}, "options": link.options.model_dump(),
            "subtask_type": None, "immutable": True,
        } for link in chain or ()
    ]  # fmt: skip
    body = json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": links or None, "chord": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(), "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py", "task": headers.task, "id": headers.id, "root_id": headers.root_id or headers.id,
            "parent_id": headers.parent_id, "expires": headers.expires, "argsrepr": headers.argsrepr,
            "kwargsrepr": headers.kwargsrepr, "origin": headers.origin, "shadow": None, "eta": None, "group": None,
            "group_index": None, "retries": 0, "timelimit": [None, None], "ignore_result": True,
            "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
        },
        "properties": {
            "correlation_id": headers.id, "reply_to": "", "delivery_mode": 2, "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": queue}, "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }  # fmt: skip


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "it"
    return f"{where} is not what aitrain sends ({first['type']})"
