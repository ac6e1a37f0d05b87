"""The page of the settings: each with its variable, its default and the reason that stands beside it in the code."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from aitrain import settings
from aitrain.domain.flavor import BUILT_IN, Flavor
from deploy.docs.text import plain, table

HEAD = """\
# Settings

Drawn from the code. Every process reads its settings once, from variables (`AITRAIN_...`) and from the TOML file that
`AITRAIN_CONFIG` names; variables win. What has parts is written as JSON in a variable. The unit of a number stands at
the end of its name. A wrong setting ends the process with a message that names it; secrets are never repeated.
"""
SECTION = """\
## [{name}]

{text}
"""


def render() -> str:
    """The page, as Markdown."""
    lines = [HEAD, "## At the top of the file", "", _intro(settings.Settings), ""]
    fields = settings.Settings.model_fields
    sections = {name: type(field.default) for name, field in fields.items() if isinstance(field.default, BaseModel)}
    lines += _table(settings.Settings, "AITRAIN_", leave=set(sections))
    for name, model in sections.items():
        lines += [SECTION.format(name=name, text=_intro(model)), *_table(model, f"AITRAIN_{name.upper()}__")]
    lines += [SECTION.format(name="data_stores.ALIAS", text=_intro(settings.DataStore)), *_table(settings.DataStore)]
    lines += [SECTION.format(name="flavors.NAME", text=_intro(Flavor)), *_table(Flavor)]
    lines += ["Built in, where the settings name no flavors:", ""]
    lines += table(
        ["flavor", "kind", "a unit brings", "hourly price"],
        (
            [f"`{name}`", flavor.kind, f"{flavor.cpu} CPU, {flavor.memory_gib} GiB", str(flavor.hourly_price)]
            for name, flavor in BUILT_IN.items()
        ),
    )
    return "\n".join(lines)


def reasons(model: type[BaseModel]) -> dict[str, str]:
    """Of each field the comment above it, and what the class's docstring says of it as `name: ...;`."""
    source = inspect.getsource(model)
    lines = source.splitlines()
    found: dict[str, str] = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = node.lineno - 2
        comment: list[str] = []
        while lines[above].strip().startswith("# "):
            comment.insert(0, lines[above].strip().removeprefix("# "))
            above -= 1
        found[node.target.id] = " ".join(comment)
    for name, text in _told(model):
        found[name] = f"{text} {found[name]}".strip()
    return found


def _told(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """What the docstring says of fields: the parts `name: text` and `name, name: text` of its later paragraphs."""
    names = "|".join(model.model_fields)
    for paragraph in (inspect.getdoc(model) or "").split("\n\n")[1:]:
        parts = re.split(rf"(?:^|; |\. )(?=(?:{names})(?:, (?:{names}))*: )", " ".join(paragraph.split()))
        for part in parts:
            told, _, text = part.partition(": ")
            for name in told.split(", "):
                if name in model.model_fields:
                    yield name, text[:1].upper() + text[1:].rstrip(".") + "."


def _intro(model: type[BaseModel]) -> str:
    return plain((inspect.getdoc(model) or "").split("\n\n")[0])


def _table(model: type[BaseModel], prefix: str = "", leave: frozenset[str] | set[str] = frozenset()) -> list[str]:
    why = reasons(model)
    rows = (
        [f"`{name}`" + (f"<br>`{prefix}{name.upper()}`" if prefix else ""), _default(field), plain(why.get(name, ""))]
        for name, field in model.model_fields.items()
        if name not in leave
    )
    return table(["setting, and its variable" if prefix else "setting", "default", ""], rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", (), {}) or isinstance(value, SecretStr):
        return ""
    if isinstance(value, dict):
        return "built in"
    if isinstance(value, (Enum, Decimal, Path, str)):
        return f"`{value}`"
    return f"`{json.dumps(value)}`"
