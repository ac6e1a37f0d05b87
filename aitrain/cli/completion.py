"""`aitrain completion`: the script that makes a shell complete aitrain's commands."""

from __future__ import annotations

from enum import StrEnum

import typer
from typer._completion_shared import get_completion_script


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Shell) -> None:
    """Print a script for a shell, to be sourced: `source <(aitrain completion bash)`."""
    typer.echo(get_completion_script(prog_name="aitrain", complete_var="_AITRAIN_COMPLETE", shell=shell.value))
