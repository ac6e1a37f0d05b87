"""The option that says how a command prints what it shows."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.output import Format, err, facts, flat, out, printable, show

__all__ = ["Format", "Output", "err", "facts", "flat", "out", "printable", "show"]

Output = Annotated[Format, typer.Option("--output", "-o", help="As a table, as JSON or as YAML.")]
