"""How commands print what they show: as a table for people, as JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

out = Console(highlight=False)


class Format(StrEnum):
    """How something is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="As a table, as JSON or as YAML.")]


def show(data: Any, output: Format, table: Callable[[], RenderableType | None]) -> None:
    """Prints data as it is asked for.

    data: of JSON's types, the same for JSON and YAML; table: makes what people see; None: it printed that itself.
    """
    if output is Format.TABLE:
        if (drawn := table()) is not None:
            out.print(drawn)
    elif output is Format.JSON and sys.stdout.isatty():
        out.print_json(json.dumps(data))
    elif output is Format.JSON:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        import yaml  # takes long to load, and few ask for it

        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
