"""The tree of commands."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.text import Text

from aitrain.cli import (
    audits,
    bills,
    buckets,
    budgets,
    copies,
    data_stores,
    flavors,
    hosts,
    jobs,
    logs,
    processes,
    quotas,
    receipts,
    waiting,
    watching,
)
from aitrain.domain.errors import AitrainError, InvalidInput

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Training jobs on your own GPU machines.")
copies.add_to(jobs.app)
logs.add_to(jobs.app)
watching.add_to(jobs.app)
waiting.add_to(jobs.app)
app.add_typer(jobs.app, name="job")
app.add_typer(buckets.app, name="bucket")
app.add_typer(data_stores.app, name="data-store")
app.add_typer(flavors.app, name="flavor")
app.add_typer(hosts.app, name="host")
app.add_typer(hosts.queues, name="queue")
app.add_typer(quotas.app, name="quota")
app.add_typer(budgets.app, name="budget")
audits.add_to(bills.app)
app.add_typer(bills.app, name="bill")
bills.add_to(app)
app.add_typer(receipts.app, name="receipt")
processes.add_to(app)

WRONG_INPUT, FAILED = 2, 1


def run() -> int:
    """Runs the command line; its exit status. What is wrong with the call itself, typer tells."""
    try:
        app()
    except AitrainError as error:
        Console(stderr=True).print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        return WRONG_INPUT if isinstance(error, InvalidInput) else FAILED
    return 0
