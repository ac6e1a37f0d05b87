"""The form of the fleet's log lines: one for our own lines, Celery's, and every library's.

All of them log as the standard library has it; structlog gives the lines their fields and their form.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Any

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor

from aitrain.broker import CANARY_TASK, task_name
from aitrain.domain.states import Step
from aitrain.settings import Settings
from workers.redaction import Redaction

log = logging.getLogger(__name__)

# In this order, before whatever else a line has.
FIRST = ("time", "level", "role", "host", "logger", "event", "job", "attempt", "step")
FIELDS = ("job", "attempt", "step")
# Roles that belong to a host of the fleet; the others run on any machine.
ON_A_HOST = ("worker", "agent", "host")
# The innermost ones of a traceback.
MOST_FRAMES = 20
STEPS = {task_name(step): str(step) for step in Step}
# As broker.py has Celery show what a message carries.
JOB_OF_MESSAGE = re.compile(r"\bjob=([^\s,;]+)")
# These say on INFO what only their developers want to know.
CHATTY = ("botocore", "boto3", "urllib3", "docker", "s3transfer", "kombu.pidbox")


def set_up(settings: Settings, role: str) -> None:
    """Gives all log lines of this process their form, from here on. role: which process of the fleet it is."""
    handler = _Lines(sys.stderr)
    handler.addFilter(is_worth_a_line)
    handler.setFormatter(formatter(settings, role))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.logging.level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _of_process
    threading.excepthook = _of_thread


class _Lines(logging.StreamHandler[Any]):
    """Writes lines. Of one that has no form, as its arguments do not fit its text, the standard library would print all
    it has, past what takes secrets out.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as the standard library calls it
        """Says where that line is written, and what is wrong with it."""
        kind = getattr(sys.exc_info()[0], "__name__", "no error")
        text = f"a line of {record.name} ({record.filename}:{record.lineno}) could not be written: {kind}"
        instead = logging.LogRecord(__name__, logging.ERROR, __file__, 0, text, None, None)
        with suppress(Exception):  # a pipe that nobody reads any more
            self.stream.write(self.format(instead) + self.terminator)
            self.flush()


def formatter(settings: Settings, role: str) -> logging.Formatter:
    """What makes lines of records. role: as of set_up."""
    redaction = Redaction(settings)
    _redactions[:] = [redaction]
    host = settings.host.name if role in ON_A_HOST else socket.gethostname()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ExtraAdder(allow=FIELDS),
            _from_celery,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _Origin(role, host),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *(_as_json(redaction) if settings.logging.format == "json" else _as_text(redaction)),
        ],
    )


def _as_json(redaction: Redaction) -> list[Processor]:
    # Without the values of variables: among them is everything that must not be told.
    trace = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=MOST_FRAMES)
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    return [structlog.processors.ExceptionRenderer(trace), redaction, _ordered, render]


def _as_text(redaction: Redaction) -> list[Processor]:
    return [structlog.processors.format_exc_info, redaction, _for_people]


def _of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody caught, which Python would print past all logging, secrets and all."""
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("ended by an error", exc_info=(kind, error, trace))


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log.critical("a thread was ended by an error", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def hide(*secrets: SecretStr) -> None:
    """Takes secrets that were opened to be used out of every line from here on."""
    for redaction in _redactions:
        redaction.hide(*secrets)


# Of this process; none before its form is set up.
_redactions: list[Redaction] = []


class _Origin:
    """Says which process wrote a line."""

    def __init__(self, role: str, host: str) -> None:
        self._fields = {"role": role, "host": host}

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        event.update(self._fields)
        return event


def _from_celery(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Celery's own lines about a step's message say which job it is of."""
    data = getattr(event.get("_record"), "data", None)
    if isinstance(data, dict) and (of := JOB_OF_MESSAGE.search(str(data.get("args", "")))):
        event.setdefault("job", of[1])
        if step := STEPS.get(str(data.get("name", ""))):
            event.setdefault("step", step)
    return event


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """All but Celery's word on each canary, which comes and goes twice a minute and is looked after elsewhere."""
    data = getattr(record, "data", None)
    is_canary = isinstance(data, dict) and data.get("name") == task_name(CANARY_TASK)
    return not (is_canary and record.levelno <= logging.INFO)


def _ordered(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {name: event.pop(name) for name in FIRST if name in event}
    return {**first, **event}


def _for_people(_logger: Any, _method: str, event: EventDict) -> str:
    """One line, then the traceback if there is one. What others wrote cannot begin a line of its own."""
    at, level, role, logger = (event.pop(name, "") for name in ("time", "level", "role", "logger"))
    text, trace = _on_one_line(str(event.pop("event", ""))), event.pop("exception", "")
    event.pop("host", None)
    # Most lines name their job themselves.
    about = " ".join(f"{name}={event[name]}" for name in FIELDS if name in event and str(event[name]) not in text)
    line = f"{at[:19]}Z {level.upper()} {role}: {text}" + (f" [{_on_one_line(about)}]" if about else "")
    if not logger.startswith(("aitrain", "workers")):
        line += f" ({logger})"
    return f"{line}\n{trace}" if trace else line


@cache
def _unprintable() -> dict[int, str]:
    # Among them are those by which a terminal's cursor moves and colours change.
    return {number: " " if chr(number) in "\n\t\r" else "\ufffd" for number in (*range(32), *range(127, 160))}


def _on_one_line(text: str) -> str:
    return text.translate(_unprintable())
