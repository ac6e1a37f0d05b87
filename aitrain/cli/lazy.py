"""A tree of commands whose modules are imported when one of their commands is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

# In a context's meta: the arguments that stood after "--", which typer does not tell from those before it.
AFTER_DASHES = "aitrain.after_dashes"


class _Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[AFTER_DASHES] = args[args.index("--") + 1 :] if "--" in args else []
        return super().parse_args(ctx, args)


class Entry(NamedTuple):
    """A command, or a group of commands.

    source: MODULE:NAME of a typer.Typer or of a function, the module below aitrain.cli; help: what the list of
    commands says of it, which is shown before the module is loaded.
    """

    name: str
    source: str
    help: str

    def load(self) -> Any:
        """Imports it and makes its command."""
        module, attribute = self.source.split(":")
        found = getattr(import_module(f"aitrain.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(self.name, cls=_Command)(found)
            return get_command(single)
        return get_group(found)  # also where it has one command only


class LazyGroup(TyperGroup):
    """Knows its commands by name and help text only, until one of them is called. A subclass sets entries."""

    entries: tuple[Entry, ...] = ()

    def __init__(self, *, commands: Any = None, **attrs: Any) -> None:
        known = {entry.name: TyperCommand(entry.name, help=entry.help) for entry in self.entries}
        super().__init__(commands={**known, **(commands or {})}, **attrs)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command that is called, and loads it."""
        name, found, rest = super().resolve_command(ctx, args)
        for entry in self.entries:
            if entry.name == name:
                found = entry.load()
                found.name = name
        return name, found, rest
