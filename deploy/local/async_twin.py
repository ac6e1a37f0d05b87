"""Writes aitrain/async_calls.py: each method of Client that only asks and answers, as one to await.

`python -m deploy.local.async_twin` writes it anew; a test compares. What waits or goes on for long is written by
hand in aitrain/async_client.py.
"""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import re
import subprocess
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from aitrain.client import Client
from aitrain.data_stores import DataStores
from aitrain.registries import Registries

FILE = Path(__file__).parents[2] / "aitrain" / "async_calls.py"
BY_HAND = frozenset(
    {"audit", "bill_lines", "close", "exec", "iter_jobs", "logs", "pull_data", "push_data", "wait", "wait_drained"}
)
TWINS: dict[str, type] = {"AsyncCalls": Client, "AsyncDataStores": DataStores, "AsyncRegistries": Registries}
HEAD = '''"""What AsyncClient shares with Client, call by call. Made by deploy/local/async_twin.py: do not edit it."""

from __future__ import annotations

{imports}
from aitrain.threads import Threads
'''
CLASS = '''

class {name}:
    """The methods of {twin} that only ask and answer, each run in a thread."""

    def __init__(self, twin: {twin}, threads: Threads) -> None:
        self._twin, self._threads = twin, threads
'''


def text() -> str:
    """The whole file, formatted."""
    imports = {twin.__module__: {twin.__name__} for twin in TWINS.values()}
    classes = "".join(
        CLASS.format(name=name, twin=twin.__name__) + "".join(_method(twin, one, imports) for one in methods(twin))
        for name, twin in TWINS.items()
    )
    lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(imports.items())]
    raw = HEAD.format(imports="\n".join(lines)) + classes
    for arguments in (["check", "--select", "I", "--fix", "-q"], ["format", "-q"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(FILE), "-"]
        raw = subprocess.run(command, input=raw, capture_output=True, text=True, check=True).stdout
    return raw


def methods(twin: type) -> list[str]:
    """Names of those that are made."""
    return [name for name, _ in inspect.getmembers(twin, inspect.isfunction) if name[0] != "_" and name not in BY_HAND]


def _method(twin: type, name: str, imports: dict[str, set[str]]) -> str:
    function = getattr(twin, name)
    signature = inspect.signature(function)
    asked, given, keyword = ["self"], [], False
    for one in list(signature.parameters.values())[1:]:
        if one.kind is one.KEYWORD_ONLY and not keyword:
            asked.append("*")
            keyword = True
        default = "" if one.default is one.empty else f" = {_value(one.default)}"
        asked.append(f"{one.name}: {_known(function, one.annotation, imports)}{default}")
        given.append(f"{one.name}={one.name}" if keyword else one.name)
    answer = _known(function, signature.return_annotation, imports)
    call = ", ".join([f"self._twin.{name}", *given])
    return (
        f"\n    async def {name}({', '.join(asked)}) -> {answer}:\n"
        f'        """See {twin.__name__}.{name}."""\n'
        f"        return await self._threads.run({call})\n"
    ).replace("return await" if answer == "None" else "\0", "await")


def _known(function: Any, annotation: str, imports: dict[str, set[str]]) -> str:
    """The annotation, its names imported. None is of two things: all are exported by aitrain."""
    scope = _scope(function.__module__)

    def known(match: re.Match[str]) -> str:
        word = match[0]
        if word not in scope or hasattr(builtins, word):
            return word
        imports.setdefault(scope[word].__module__, set()).add(word)
        return word

    return re.sub(r"[A-Za-z_]\w*", known, annotation)


@lru_cache
def _scope(module: str) -> dict[str, Any]:
    """The names that annotations of a module may use, also those that it imports for annotations only."""
    scope = dict(vars(sys.modules[module]))
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    scope |= {one.name: getattr(import_module(line.module), one.name) for one in line.names}
    return scope


def _value(value: Any) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else repr(value).replace("'", '"')


if __name__ == "__main__":
    FILE.write_text(text())
