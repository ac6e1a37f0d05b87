"""What Flower is told: who may open it, what it keeps, and how tasks are shown. Read by flowerconfig.py.

Passwords reach Flower by its configuration, in its own process: a command line and a variable are for others to read.
"""

from __future__ import annotations

import ipaddress
import os
import runpy
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings
from aitrain.settings.flower import FlowerSettings, credentials_problem

TASK_COLUMNS = "name,args,kwargs,state,worker,received,runtime,uuid"
# Celery's way to write arguments that there are none of: a sweep's.
NO_ARGUMENTS = (None, "()", "[]", "{}")
NO_RESULT = (None, "None")
STATE_FILE = "tasks"


def configuration(settings: Settings, *, read_only: bool) -> dict[str, Any]:
    """Flower's options of a site, without address and port. Raises InvalidInput for a file that cannot be used."""
    flower = settings.flower
    options: dict[str, Any] = {
        "read_only": read_only,
        "basic_auth": credentials(flower, read_only=read_only),
        "max_tasks": flower.max_tasks,
        "purge_offline_workers": flower.forget_workers_seconds,
        "inspect_timeout": float(flower.inspect_seconds * 1000),
        "tasks_columns": TASK_COLUMNS,
        "natural_time": False,
        "format_task": format_task,
        "url_prefix": flower.url_prefix,
    }
    if flower.state_dir is not None:
        options |= {
            "persistent": True,
            "db": str(_state_dir(flower.state_dir) / STATE_FILE),
            "state_save_interval": flower.save_seconds * 1000,
        }
    if flower.config_file is not None:
        options |= _own(flower.config_file)
    return {name: value for name, value in options.items() if value not in ("", [])}


def credentials(flower: FlowerSettings, *, read_only: bool) -> list[str]:
    """Who may open Flower, as "user:password"; where it is read-only, viewers may, too. Raises InvalidInput."""
    given = [one.get_secret_value() for one in flower.operators] + _in_file("operators_file", flower.operators_file)
    if read_only:
        given += [one.get_secret_value() for one in flower.viewers] + _in_file("viewers_file", flower.viewers_file)
    return given


def check_doors(address: str, authenticated: object) -> None:
    """Raises InvalidInput if Flower would listen where others can reach it without asking who they are."""
    if not authenticated and not _is_loopback(address):
        raise InvalidInput.of(
            "address", address or "every address", "can be reached by others, and nobody would have to log in",
            "name users in flower.operators_file or flower.viewers_file, or listen on 127.0.0.1",
        )  # fmt: skip


def format_task(task: Any) -> Any:
    """How Flower shows a task. What aitrain sends says whose it is already (see aitrain/broker.py)."""
    task.args = "" if task.args in NO_ARGUMENTS else task.args
    task.kwargs = "" if task.kwargs in NO_ARGUMENTS else task.kwargs
    task.result = "" if task.result in NO_RESULT else task.result
    return task


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _in_file(field: str, path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidInput.of(
            f"flower.{field}", path, f"cannot be read ({error})", "name a file of lines user:password"
        ) from error
    given = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if problem := credentials_problem(given) or ("nobody stands in it" if not given else None):
        raise InvalidInput.of(f"flower.{field}", path, f"cannot be used: {problem}", "write user:password, one a line")
    return given


def _state_dir(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput.of("flower.state_dir", path, f"cannot be used ({error})", "name a writable one") from error
    if not os.access(path, os.W_OK):
        raise InvalidInput.of("flower.state_dir", path, "cannot be written", "name a writable one")
    return path


def _own(path: Path) -> Mapping[str, Any]:
    """What a file of the operator's sets: Flower takes those of its names that are its options."""
    try:
        set_there = runpy.run_path(str(path))
    except Exception as error:
        raise InvalidInput.of(
            "flower.config_file", path, f"cannot be run ({error})", "name a Python file that sets Flower's options"
        ) from error
    # `import logging` does not set Flower's option `logging`.
    return {name: value for name, value in set_there.items() if name[0] != "_" and not isinstance(value, ModuleType)}
