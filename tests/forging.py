"""Messages as somebody writes them who may write to the broker, and wants no good."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from typing import Any

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
LINK = {
    "task": "aitrain.start_container", "args": ["j", "1.f"], "kwargs": {}, "options": {"queue": "q", "task_id": "t"},
    "subtask_type": None, "immutable": True,
}  # fmt: skip
DELETED = object()


def message(
    task: Any = "aitrain.mark_timeouts",
    *args: Any,
    kwargs: Any = None,
    embed: Any = None,
    body: bytes | None = None,
    headers: dict[str, Any] | None = None,
    properties: dict[str, Any] | None = None,
    **envelope: Any,
) -> dict[str, Any]:
    """A message as Celery sends it, but for what is given; DELETED leaves something out."""
    made = json.dumps([list(args), kwargs or {}, {**EMBED, **(embed or {})}]).encode() if body is None else body
    task_id = str(uuid.uuid4())
    parts: dict[str, Any] = {
        "body": base64.b64encode(made).decode(), "content-encoding": "utf-8", "content-type": "application/json",
        "headers": _without({
            "lang": "py", "task": task, "id": task_id, "shadow": None, "eta": None, "expires": None, "group": None,
            "retries": 0, "timelimit": [None, None], "root_id": task_id, "parent_id": None, "argsrepr": "x",
            "kwargsrepr": "{}", "origin": "gen1@vm", "ignore_result": None, **(headers or {}),
        }),
        "properties": _without({
            "correlation_id": task_id, "reply_to": "", "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "control"}, "delivery_tag": str(uuid.uuid4()),
            **(properties or {}),
        }),
    }  # fmt: skip
    return _without({**parts, **{name.replace("_", "-"): value for name, value in envelope.items()}})


def _without(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not DELETED}


def signature(queue: str) -> dict[str, Any]:
    """What Celery would send on, to a queue of the forger's choice."""
    return {**LINK, "task": "aitrain.mark_timeouts", "args": [], "options": {"queue": queue, "task_id": "t"}}


# What is refused: by what it is, the message, and what is said of it.
REFUSED: dict[str, tuple[Any, str]] = {
    "unknown task": (message("os.system", "x"), "there is no task os.system"),
    "celery's own task": (message("celery.backend_cleanup"), "there is no task celery.backend_cleanup"),
    "celery.chain": (message("celery.chain"), "there is no task celery.chain"),
    "celery.map": (message("celery.map", LINK, [1]), "args.0"),
    "a step, for control": (message("aitrain.sync_in", "j", "1.f"), "is a step of hosts"),
    "pickle": (message(body=pickle.dumps(([], {}, {})), content_type="application/x-python-serialize"), "content-type"),
    "yaml": (message(body=b"- []", content_type="application/x-yaml"), "content-type"),
    "no type": (message(content_type=DELETED), "content-type"),
    "another encoding": (message(content_encoding="utf-16"), "content-encoding"),
    "broken JSON": (message(body=b"{nope"), "its body is no JSON"),
    "no base64": ({**message(), "body": "%%%"}, "its body is no JSON"),
    "unknown encoding of the body": (message(properties={"body_encoding": "rot13"}), "its body is no JSON"),
    "a number": (message(body=b"5"), "its body is not"),
    "nothing": (message(body=b"null"), "its body is not"),
    "two parts": (message(body=b"[[],{}]"), "its body is not"),
    "deep": (message(body=b"[" * 20_000 + b"]" * 20_000), "its body is no JSON"),
    "huge": (message("aitrain.mark_timeouts", "x" * 1_000_000), "body is not what aitrain sends (string_too_long)"),
    "arguments that are no words": (message("aitrain.mark_timeouts", 1), "args.0"),
    "an argument with a line break": (message("aitrain.check_data_store", "a\nERROR"), "args.0"),
    "arguments by name": (message(kwargs={"self": 1}), "keywords"),
    "arguments that are no list": (message(body=b"[{},{},{}]"), "args"),
    "callbacks": (message(embed={"callbacks": [signature("evil")]}), "embed.callbacks"),
    "errbacks": (message(embed={"errbacks": [signature("evil")]}), "embed.errbacks"),
    "a chord": (message(embed={"chord": signature("evil")}), "embed.chord"),
    "a chain": (message(embed={"chain": [signature("evil")]}), "what follows it are not the steps of a job"),
    "protocol 1": (message(headers=dict.fromkeys(("task", "id"), DELETED)), "headers.task"),
    "a date in a hundred years": (message(headers={"eta": "2126-01-01T00:00:00+00:00"}), "headers.eta"),
    "an end that is no date": (message(headers={"expires": "soon"}), "headers.expires"),
    "an end that is a number": (message(headers={"expires": 3.5}), "headers.expires"),
    "no id": (message(headers={"id": DELETED}), "headers.id"),
    "an id that is none": (message(headers={"id": {"a": 1}}), "headers.id"),
    "an id that writes a line of its own": (message(headers={"id": "a\nCRITICAL"}), "headers.id"),
    "a name that is a list": (message(["a"]), "headers.task"),
    "a name with a line break": (message("x\nERROR"), "headers.task"),
    "a parent that is none": (message(headers={"parent_id": [1]}), "headers.parent_id"),
    "shown with a command to the terminal": (message(headers={"argsrepr": "\x1b[31m"}), "headers.argsrepr"),
    "headers that are none": ({**message(), "headers": "x"}, "headers"),
    "no headers": ({**message(), "headers": None}, "headers"),
    "no properties": ({**message(), "properties": [1]}, "properties"),
    "an envelope that is a number": (5, "it is not what aitrain sends"),
    "an envelope that is a list": ([], "it is not what aitrain sends"),
}
# What runs as if it had been sent by aitrain: what is odd in it is left out.
CLEANED: dict[str, dict[str, Any]] = {
    "shadow": message(headers={"shadow": {"a": 1}}),
    "time limits": message(headers={"timelimit": "x"}),
    "a group": message(headers={"group": "g", "group_index": {}}),
    "tries": message(headers={"retries": "x"}),
    "stamps": message(headers={"stamped_headers": ["a"], "stamps": 5, "a": 1}),
    "a reply": message(properties={"reply_to": "evil"}),
    "a tag that is none": message(properties={"delivery_tag": {"a": 1}}),
    "no way back": message(properties={"delivery_info": [1]}),
    "a compression": message(headers={"compression": "zzz"}),
}
# What is not even an envelope.
BROKEN = (b"{nope", b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"__type__": "datetime", "__value__": 5}')
