"""The page of the command line: every command with its arguments and options, as the program itself has them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from deploy.docs.text import plain, table

HEAD = """\
# The command line

Drawn from the program. `aitrain COMMAND --help` says the same in a terminal.
"""


def render() -> str:
    """The page, as Markdown."""
    # typer gives no types for what it makes, and commands may be loaded when they are asked for.
    from typer.main import get_command

    from aitrain.cli.app import app

    root: Any = get_command(app)
    lines = [HEAD]
    for path, command in walk(root, ("aitrain",)):
        lines += _section(path, command)
    return "\n".join(lines)


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command below one that is not hidden, with the words it is called by; groups before what they hold."""
    if len(path) > 1:
        yield path, command
    if not hasattr(command, "list_commands"):
        return
    context = command.make_context(path[-1], [], resilient_parsing=True)
    for name in command.list_commands(context):
        _, child, _ = command.resolve_command(context, [name])  # which loads it; get_command knows its name only
        if child is not None and not child.hidden:
            yield from walk(child, (*path, name))


def _section(path: tuple[str, ...], command: Any) -> list[str]:
    level = "##" if len(path) == 2 else "###"
    lines = [f"{level} {' '.join(path)}", "", plain(command.help or ""), ""]
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [
        parameter
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.hidden and parameter.name != "help"
    ]
    if hasattr(command, "list_commands") and not options:
        return lines
    usage = [*path, *(["[OPTIONS]"] if options else []), *(_argument(argument) for argument in arguments)]
    lines += ["```text", " ".join(usage), "```", ""]
    told = [argument for argument in arguments if getattr(argument, "help", None)]
    if told:
        lines += table(["argument", ""], ([f"`{_argument(one)}`", plain(one.help)] for one in told))
    if options:
        lines += table(["option", "", "default"], (_option(option) for option in options))
    return lines


def _argument(argument: Any) -> str:
    name = str(argument.metavar or argument.name).upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> list[str]:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    kind = option.type_descriptor.annotation
    text = option.help or ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        text = f"{text} One of: {', '.join(str(choice.value) for choice in kind)}."
    default = option.default
    if default is True:
        shown = f"`{option.opts[0]}`"
    elif (
        callable(default)
        or default is None
        or default is False
        or default == ""
        or type(default).__name__ == "Sentinel"
    ):
        shown = "required" if option.required else ""
    else:
        shown = f"`{default.value if isinstance(default, Enum) else default}`"
    return [names, plain(text.strip()), shown]
