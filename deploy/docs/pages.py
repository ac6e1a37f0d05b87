"""Draws the reference pages that follow from code: `python -m deploy.docs.pages FOLDER`. The site's build calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from aitrain.domain.codes import CODES
from aitrain.store.legend import LEGEND
from deploy.docs import commands, configuration
from deploy.docs.text import plain, table
from workers.metrics.catalogue import METRICS

CODES_HEAD = """\
# Info codes

Drawn from `aitrain/domain/codes.py`. The code says why a job is where it is; programs compare it, people read the
message beside it. They are OVHcloud's where one fits. The states: [states](../states.md).
"""
KEYS_HEAD = """\
# Keys in Redis

Drawn from `aitrain/store/legend.py`, from which Python and Lua build every key. All begin with the site's namespace in
braces, as `{aitrain}:job:0198...`. Times are Unix milliseconds by the store's clock unless it says otherwise. Read
them as you like; only aitrain's own scripts may write them. The last column says which role reads (r), writes (w) or
deletes (d) them on a site whose Redis has users; an operator may all that a producer may, `own` is the host whose name
stands in the key.
"""
METRICS_HEAD = """\
# All metrics

Drawn from `workers/metrics/catalogue.py`. What they have in common: [metrics](../metrics.md).
"""


def codes() -> str:
    """The page of the info codes."""
    rows = ([f"`{code}`", row.meaning, row.remedy] for code, row in CODES.items())
    return "\n".join([CODES_HEAD, *table(["code", "meaning", "what to do"], rows)])


def keys() -> str:
    """The page of the keys."""
    rows = (
        [f"`{key.pattern}`", plain(key.holds), key.roles]
        for key in sorted(LEGEND.values(), key=lambda key: key.pattern)
    )
    return "\n".join([KEYS_HEAD, *table(["key", "holds", "who may"], rows)])


def metrics() -> str:
    """The page of the metrics."""
    rows = (
        [f"`{name}`", one.type, ", ".join(f"`{label}`" for label in one.labels), plain(one.help)]
        for name, one in METRICS.items()
    )
    return "\n".join([METRICS_HEAD, *table(["metric", "type", "labels", "meaning"], rows)])


PAGES = {
    "commands.md": commands.render,
    "settings.md": configuration.render,
    "codes.md": codes,
    "keys.md": keys,
    "metrics.md": metrics,
}


def write(folder: Path) -> None:
    """Writes the pages that have changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        page, text = folder / name, render()
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
