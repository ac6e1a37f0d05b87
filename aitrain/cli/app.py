"""The tree of commands, as a table: a module is imported when one of its commands is called."""

from __future__ import annotations

import errno
from typing import Annotated

import typer
from typer._completion_classes import completion_init

from aitrain.cli.exits import FAILED, OK, WRONG_INPUT
from aitrain.cli.lazy import Entry, LazyGroup

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

# What is said of each is the beginning of its own help, which is not known before it is loaded.
JOB_COMMANDS = (
    Entry("run", "submitting:run", "Submit a job: aitrain job run IMAGE OPTIONS -- COMMAND..."),
    Entry("list", "listing:list_jobs", "List the newest jobs that have not ended; with --all or --state others."),
    Entry("get", "showing:get", "Show everything about jobs. Values of variables are left out: they may be secret."),
    Entry("stop", "jobs:stop", "Stop jobs. Their data is pushed back, and they do not run again by themselves."),
    Entry("start", "jobs:start", "Start ended jobs again: the same ids, their next attempts."),
    Entry("delete", "jobs:delete", "Delete ended jobs: their specs, histories and logs."),
    Entry("edit", "jobs:edit", "Change a job's timeout, auto-restart or labels. The deadline of a running job moves."),
    Entry("label", "jobs:label_job", "Set and remove labels of a job: aitrain job label JOB team=vision draft-"),
    Entry("logs", "logs:logs", "Show what a job wrote: its stdout on stdout, its stderr and our notices on stderr."),
    Entry("wait", "watching:wait", "Wait until jobs have ended: their states, and of a single one its copies and log."),
    Entry("retry-push", "copies:retry_push", "Push the results of a job again that ended with JOB_SYNC_FAILED."),
    Entry("push-data", "copies:push_data", "Push what a running job has written so far."),
    Entry("pull-data", "copies:pull_data", "Pull what is new in the data store into a running job."),
    Entry("explain", "waiting:explain", "Say why a job waits, what is before it, and what would start at once."),
    Entry("exec", "execs:exec_", "Run a command in a running job: aitrain job exec -it JOB -- COMMAND..."),
    Entry("stats", "execs:stats", "Show what running jobs use."),
)

BILL_COMMANDS = (
    Entry("show", "bills:show", "Show a project's bill."),
    Entry(
        "rows",
        "bills:rows",
        "Show the ledger lines behind a bill: stretches of minutes of one attempt, counted from 0.",
    ),
    Entry("export", "bills:export", "Write a month's ledger to a file, once the bill is final."),
    Entry("prune", "bills:prune", "Remove a month's ledger from the store that was exported. What it came to stays."),
    Entry("audit", "audits:audit", "Recompute what every job owes and compare it with the ledger."),
)

COMMANDS = (
    Entry("job", "app:jobs", "Submit, watch and stop jobs."),
    Entry("datastore", "data_stores:app", "Data stores of projects: the object storages that their jobs use."),
    Entry("secret", "secrets:app", "Secrets: the keys that they are sealed with."),
    Entry("registry", "registries:app", "Private registries of projects: where images of their jobs come from."),
    Entry("bucket", "buckets:app", "Objects in the data stores of projects: list, upload, download, delete, copy."),
    Entry("flavor", "flavors:app", "Flavors: the kinds of unit that jobs may ask for."),
    Entry("host", "hosts:app", "Run both processes of a GPU host; with a command: look at hosts, empty them."),
    Entry("queue", "hosts:queues", "The queues that carry the steps' messages."),
    Entry("quota", "quotas:app", "What a project may have at once."),
    Entry("budget", "budgets:app", "What a project may spend in a month."),
    Entry("bill", "app:bills", "What projects owe."),
    Entry("usage", "bills:usage", "Show what projects owe for the month so far."),
    Entry("prices", "bills:prices", "Show what one unit of each flavor costs an hour."),
    Entry("receipt", "receipts:app", "Receipts of what a run was given, did and cost, signed by the site."),
    Entry("worker", "processes:worker", "Run a host's worker: copies data, starts containers."),
    Entry("agent", "processes:agent", "Run a host's agent: watches containers, stops them, tells how they ended."),
    Entry("control", "processes:control", "Run a control worker: timeouts, billing ticks, placement."),
    Entry("beat", "processes:beat", "Run beat, the clock of the sweeps."),
    Entry("flower", "processes:flower", "Run Flower over this site's broker."),
    Entry("site", "sites:app", "The files of a site whose Redis has users and TLS."),
    Entry("metrics", "processes:metrics", "Tell Prometheus how the site stands."),
    Entry("config", "config:app", "Settings: what holds here, and where it comes from."),
    Entry("health", "health:health", "Say whether a process of the fleet gets work done."),
    Entry("doctor", "processes:doctor", "Check the site, and this machine as its host, before the first job."),
    Entry("drill", "processes:drill", "Break a scratch site on this machine in every way. Needs root."),
    Entry("simulate", "processes:simulate", "Replay a list of jobs on a described fleet. Touches no site."),
    Entry("data", "processes:data", "What lies on this host."),
    Entry("completion", "completion:completion", "Print what makes a shell complete commands, options and names."),
)


class _Commands(LazyGroup):
    entries = COMMANDS


class _JobCommands(LazyGroup):
    entries = JOB_COMMANDS


class _BillCommands(LazyGroup):
    entries = BILL_COMMANDS


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,  # `aitrain completion` prints the script
    help="Training jobs on your own GPU machines.",
)
jobs = typer.Typer(cls=_JobCommands, no_args_is_help=True, help="Submit, watch and stop jobs.")
bills = typer.Typer(cls=_BillCommands, no_args_is_help=True, help="What projects owe.")
completion_init()  # teaches typer the shells, when its own options for that are off


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # takes long to load

        typer.echo(f"aitrain {version('aitrain')}")
        raise typer.Exit(OK)


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Training jobs on your own GPU machines."""


def run() -> int:
    """Runs the command line; its exit status. What is wrong with the call itself, typer tells."""
    from aitrain.domain.errors import AitrainError, InvalidInput, SchemaMismatch

    try:
        app()
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        typer.echo(f"error: {error}; what could not be written is lost", err=True)
        return FAILED
    except AitrainError as error:
        from rich.text import Text  # takes long to load; an error may do so

        from aitrain.cli.output import err

        err.print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        return WRONG_INPUT if isinstance(error, InvalidInput | SchemaMismatch) else FAILED
    return OK
