"""Remote control of workers asks, and changes nothing."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from celery.worker.control import Panel
before = set(Panel.data)
from workers.remote import HARMLESS, forbid_changes
forbid_changes()
assert {"shutdown", "add_consumer", "revoke", "pool_restart", "objgraph"} <= before
assert set(Panel.data) == HARMLESS, set(Panel.data) ^ HARMLESS
import workers.app
assert set(Panel.data) == HARMLESS
"""


def test_only_harmless_commands_are_left() -> None:
    """In a process of its own: the table is the process'."""
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
