"""What Flower takes of Celery's events: what workers and producers of aitrain tell, and nothing else.

Everybody in the broker may tell events. Flower keeps each in memory, makes series for Prometheus of its names, and is
deaf for a while after one of an unexpected shape. What is taken is built anew from the parts that were checked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from celery.events import EventReceiver
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aitrain.broker import task_name

# Arguments as aitrain shows them are a hundred; an error with its traceback has its end where it says what it was.
MOST_CHARACTERS = 4000


def _cut(value: Any) -> Any:
    return value[-MOST_CHARACTERS:] if isinstance(value, str) else value


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Node = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@%:+-]{1,300}$")]
Text = Annotated[str, BeforeValidator(_cut)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Kind = Literal[
    "task-sent", "task-received", "task-started", "task-succeeded", "task-failed", "task-rejected", "task-revoked",
    "task-retried", "worker-online", "worker-heartbeat", "worker-offline",
]  # fmt: skip


class _Event(BaseModel):
    """Of any kind: Celery's names."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    type: Kind
    hostname: Node
    timestamp: Annotated[float, Field(gt=0, lt=2**53)]
    clock: Count = 0
    utcoffset: Annotated[int, Field(ge=-24, le=24)] = 0
    pid: Count = 0


class _Worker(_Event):
    freq: float | None = None
    sw_ident: Text | None = None
    sw_ver: Text | None = None
    sw_sys: Text | None = None
    active: Count | None = None
    processed: Count | None = None
    loadavg: Annotated[list[float], Field(max_length=3)] | None = None


class _Task(_Event):
    uuid: Id
    name: Text | None = None
    root_id: Id | None = None
    parent_id: Id | None = None
    args: Text | None = None
    keywords: Annotated[Text | None, Field(alias="kwargs")] = None
    queue: Text | None = None
    exchange: Text | None = None
    routing_key: Text | None = None
    eta: Text | None = None
    expires: Text | None = None
    retries: Count | None = None
    runtime: Annotated[float, Field(ge=0)] | None = None
    result: Text | None = None
    exception: Text | None = None
    traceback: Text | None = None
    requeue: bool | None = None
    terminated: bool | None = None
    expired: bool | None = None
    signum: int | Text | None = None


def checked_event(event: Any, registered: Collection[str]) -> dict[str, Any] | None:
    """An event as Flower is given it, None for one that aitrain does not tell. registered: names of tasks."""
    kind = event.get("type") if isinstance(event, dict) else None
    try:
        taken = (_Worker if str(kind).startswith("worker-") else _Task).model_validate(event)
    except ValidationError:
        return None
    name = getattr(taken, "name", None)
    if name is not None and not (name in registered and name.startswith(task_name(""))):
        return None
    return taken.model_dump(exclude_unset=True, by_alias=True)


class Receiver(EventReceiver):  # type: ignore[misc]  # celery has no types
    """Celery's receiver of events, with a door."""

    app: Any

    def _receive(self, body: Any, message: Any, **_: Any) -> None:
        for event in body if isinstance(body, list) else [body]:
            taken = checked_event(event, self.app.tasks)
            if taken is not None:
                super()._receive(taken, message)


def use() -> None:
    """Has the Flower of this process receive events so."""
    from flower import events

    events.EventReceiver = Receiver
