"""The exit statuses of `aitrain`, one table for all commands (docs/reference/exit-statuses.md)."""

OK = 0
# The order was understood and not carried out, or a check found something.
FAILED = 1
# Wrong input, as typer has it for a wrong call.
WRONG_INPUT = 2
# Of `job wait` and `--watch`: the job ended badly and has no exit code of its own, which would be the status.
NO_EXIT_CODE = 125
