"""The tree of commands."""

from __future__ import annotations

import sys

import click
import typer
from rich.console import Console

from aitrain.cli import jobs, processes, site
from aitrain.domain.errors import AitrainError, InvalidInput

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Training jobs on your own GPU machines.")
app.add_typer(jobs.app, name="job")
app.add_typer(site.quota, name="quota")
app.add_typer(site.bill, name="bill")
processes.add_to(app)

WRONG_INPUT, FAILED = 2, 1


def run() -> int:
    """Runs the command line; its exit status."""
    try:
        answer = app(standalone_mode=False)
    except AitrainError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, markup=True, soft_wrap=True)
        return WRONG_INPUT if isinstance(error, InvalidInput) else FAILED
    except click.exceptions.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return 130
    return answer if isinstance(answer, int) else 0
