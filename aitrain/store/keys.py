"""Builds keys, in Python and in Lua, from the patterns of the legend."""

from __future__ import annotations

from string import Formatter

from aitrain.store.legend import LEGEND


class Keys:
    """Builds keys of one namespace: keys("job", job_id) is "{aitrain}:job:0198..."."""

    def __init__(self, namespace: str) -> None:
        self.root = "{" + namespace + "}:"

    def __call__(self, name: str, *parts: str | int) -> str:
        key = LEGEND[name]
        return self.root + key.pattern.format(**dict(zip(key.parts, parts, strict=True)))


def lua_functions() -> str:
    """The same patterns as a table of Lua functions: K.job(id), K.host_units(host, flavor), ...

    One table, since Lua allows 200 local names in a function, and the scripts share many.
    """
    lines = ["local K = {}"]
    for name, key in LEGEND.items():
        pieces = ["ROOT"]
        for literal, part, _, _ in Formatter().parse(key.pattern):
            pieces += [f"'{literal}'"] if literal else []
            pieces += [part] if part is not None else []
        lines.append(f"function K.{name}({', '.join(key.parts)}) return {'..'.join(pieces)} end")
    return "\n".join(lines)
