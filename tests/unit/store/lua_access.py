"""Which keys a script of the store may touch, read from its text: its own and those of the functions that it calls.

More than it touches in any one call, since a path that is never taken counts, too. Less where a key is handed to a
function as a variable: logs are read so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import resources
from pathlib import Path

LUA = Path(str(resources.files("aitrain.store"))) / "lua"
DELETES = {"DEL", "UNLINK"}
WRITES = {
    "APPEND", "EXPIRE", "PERSIST", "SET", "HSET", "HSETNX", "HDEL", "HINCRBY", "LPOP", "LPUSH", "LTRIM", "RPUSH",
    "SADD", "SREM", "XADD", "XTRIM", "ZADD", "ZREM", "ZREMRANGEBYSCORE",
}  # fmt: skip
# These tell what stands there, or stood there, as well.
READ_AND_WRITE = {"HINCRBY", "LPOP"}

# Of a key: "r", "w", "d" (as in the legend).
Access = dict[str, set[str]]


def _plain(text: str) -> str:
    """Without comments, and without brackets in strings, so that brackets can be counted."""
    text = re.sub(r"--.*$", "", text, flags=re.M)
    return re.sub(r"'[^'\n]*'", lambda found: re.sub(r"[()]", "_", found.group()), text)


def _functions(text: str) -> tuple[str, dict[str, str]]:
    """What stands outside of functions, and each function's text."""
    outside: list[str] = []
    functions: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        if begins := re.match(r"(?:local )?function ([\w.]+)\(", line):
            name = begins.group(1)
            functions[name] = ""
        if name is None:
            outside.append(line)
            continue
        functions[name] += line + "\n"
        if line == "end" or (begins and line.endswith(" end")):
            name = None
    return "\n".join(outside), functions


def _calls(text: str) -> list[tuple[str, str]]:
    """(command, its arguments) of each redis.call."""
    found = []
    for begins in re.finditer(r"redis\.call\('(\w+)'", text):
        end, depth = begins.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append((begins.group(1).upper(), text[begins.end() : end - 1]))
    return found


def _touched(text: str) -> Access:
    """By this text itself. A key in a variable counts as each that is put there."""
    keys: Access = defaultdict(set)
    for names, line in re.findall(r"(?:local |for _, )([\w, ]+?) (?:=|in) (.*)", text):
        value = line.partition(" do ")[0]
        if "redis.call" not in value or value.startswith("K."):
            for name in names.split(","):
                keys[name.strip()] |= set(re.findall(r"K\.(\w+)\(", value))
    touched: Access = defaultdict(set)
    for command, arguments in _calls(text):
        named = re.findall(r"K\.(\w+)\(", arguments)
        first = re.match(r"\s*,\s*(?:K\.(\w+)\(|(\w+))", arguments)
        if command not in DELETES and first:
            named = [first.group(1)] if first.group(1) else list(keys[first.group(2)])
        for key in named:
            touched[key] |= {"d"} if command in DELETES else {"w"} if command in WRITES else {"r"}
            touched[key] |= {"r"} if command in READ_AND_WRITE else set()
    return touched


SHARED = {
    name: body
    for file in sorted((LUA / "shared").glob("*.lua"))
    for name, body in _functions(_plain(file.read_text()))[1].items()
}


OWN = {name: _touched(body) for name, body in SHARED.items()}
NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*")


def _named(text: str) -> set[str]:
    return SHARED.keys() & set(NAME.findall(text))


CALLED = {name: _named(body) for name, body in SHARED.items()}


def touched(script: str) -> Access:
    """By a script and whatever it may call. script: the name of its file."""
    outside, functions = _functions(_plain((LUA / f"{script}.lua").read_text()))
    texts = [outside, *functions.values()]
    to_look, seen = set().union(*map(_named, texts)), set[str]()
    while to_look:
        name = to_look.pop()
        seen.add(name)
        to_look |= CALLED[name] - seen
    found: Access = defaultdict(set)
    for part in [*map(_touched, texts), *(OWN[name] for name in seen)]:
        for key, rights in part.items():
            found[key] |= rights
    return found
