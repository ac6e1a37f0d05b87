"""Celery's own commands for a worker and for beat, over this app: `python -m workers.celery_command worker OPTIONS`.

As `celery -A workers.app worker OPTIONS`, which does the same, but without the plug-ins of `celery`: it loads those of
every package that is installed. Flower's, which no worker needs, took a third of a worker's start. And its lines have
the form of ours.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from celery.apps import worker as worker_program
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker
from celery.platforms import SecurityWarning
from celery.signals import setup_logging

from workers.app import app, machine
from workers.log_output import set_up

# The commands of Celery that are our roles.
COMMANDS = {"worker": worker, "control": worker, "beat": beat}


def main(role: str, options: list[str]) -> None:
    """Runs a command until it ends. role: worker, control or beat; options: as Celery documents them."""
    set_up(machine.settings, role)
    setup_logging.connect(_leave_logging_alone)
    # A host's worker is root, since it gives files to the users of jobs. What Celery fears is pickle, which is refused.
    warnings.simplefilter("ignore", SecurityWarning)
    # It writes past all logging that it stops; stopping.py logs that. The banner goes the same way: hence quiet.
    worker_program.safe_say = _say
    context = CLIContext(app=app, no_color=None, workdir=None, quiet=True)
    COMMANDS[role].main(options, prog_name=f"celery {role}", obj=context)


def _leave_logging_alone(**_: Any) -> None:
    """Celery does where somebody listens to its signal."""


def _say(text: Any, *_: Any) -> None:
    """In place of Celery's word to the terminal: what it tells on request stays, as the stacks of all threads."""
    if not str(text).startswith("worker: "):
        sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
