"""Celery's own commands for a worker and for beat, over this app: `python -m workers.celery_command worker OPTIONS`.

As `celery -A workers.app worker OPTIONS`, which does the same, but without the plug-ins of `celery`: it loads those of
every package that is installed. Flower's, which no worker needs, took a third of a worker's start.
"""

from __future__ import annotations

import sys

from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker

from workers.app import app


def main(name: str, options: list[str]) -> None:
    """Runs a command until it ends. name: worker or beat; options: as Celery documents them."""
    context = CLIContext(app=app, no_color=None, workdir=None)
    {"worker": worker, "beat": beat}[name].main(options, prog_name=f"celery {name}", obj=context)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
