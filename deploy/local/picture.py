"""Draws a terminal in which a real job is run: docs/pictures/run.svg. `make picture`.

The demo's site runs the job; `aitrain job run --watch` follows it on a terminal of its own, and what that shows at the
end is the picture. It asks no other host for anything, a font neither.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from deploy.local.demo_site import IMAGE, demo_site
from workers.scratch.servers import wait_until
from workers.scratch.site import CLI

PICTURE = Path("docs/pictures/run.svg")
COLUMNS, ROWS = 100, 50
HOST_SECONDS = 30.0
RUN = (
    f"aitrain job run {IMAGE} --cpu 2 --name digits \\",
    "    --volume datasets@s3/digits:/data --volume results@s3/digits:/output:rw --watch",
)
# What a person types, and its prompt; the shell that is given on the pty only runs it.
PROMPT = "\x1b[1;32m$\x1b[0m "
SCRIPT = "\n".join(
    [
        *(f"printf '%s%s\\n' '{before}' '{line}'" for before, line in zip((PROMPT, ""), RUN, strict=True)),
        *RUN,
        f"status=$?; printf '%secho $?\\n%s\\n{PROMPT}' '{PROMPT}' $status",
    ]
)
# The ground and the sixteen colours of a terminal.
THEME = TerminalTheme(
    (24, 27, 34),
    (216, 222, 233),
    [(40, 44, 52), (224, 108, 117), (126, 186, 100), (229, 192, 123), (97, 160, 240), (198, 120, 221), (86, 182, 194),
     (216, 222, 233)],
    [(127, 135, 150), (240, 124, 133), (144, 208, 116), (240, 205, 140), (120, 180, 255), (214, 140, 235),
     (110, 205, 215), (255, 255, 255)],
)  # fmt: skip
COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow"}


class Screen(pyte.Screen):
    """A terminal's screen that knows dim text, which pyte takes for plain."""

    def select_graphic_rendition(self, *attributes: int) -> None:
        """As dim (2), the grey (90) that a terminal would show; after 38 a 2 would begin a colour."""
        grey = () if 38 in attributes else (90,) * (2 in attributes)
        super().select_graphic_rendition(*attributes, *grey)


def main() -> int:
    """Draws the picture; 1 if the job did not end DONE."""
    out = Console(highlight=False, soft_wrap=True)
    with demo_site(out.print) as demo, demo.site.client() as client:
        wait_until(lambda: bool(client.hosts()), HOST_SECONDS, lambda: f"no host joins; see {demo.directory}")
        screen, status = watched(SCRIPT, demo.site.environment())
    if "DONE" not in "\n".join(screen.display):
        out.print("\n".join(screen.display))
        return 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(screen))
    out.print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")
    return status


def watched(script: str, variables: Mapping[str, str]) -> tuple[Screen, int]:
    """The screen of a shell when it has run a script, and its exit status."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    path = f"{Path(CLI).parent}:{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-c", script],
        env={**os.environ, **variables, "TERM": "xterm-256color", "PATH": path},
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    screen = Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    while True:
        try:
            said = os.read(terminal, 65536)
        except OSError:  # how Linux says that the shell has ended
            said = b""
        if not said:
            break
        stream.feed(said)
    os.close(terminal)
    return screen, shell.wait()


def drawn(screen: Screen) -> str:
    """A screen as SVG, without what lies below its last line."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    last = max((row for row, line in enumerate(screen.display) if line.strip()), default=0)
    for row in range(last + 1):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        runs = (("".join(cell.data for cell in run), style) for style, run in groupby(cells, _style))
        console.print(Text.assemble(*runs), no_wrap=True, highlight=False)
    svg = console.export_svg(title="aitrain", theme=THEME, unique_id="run")
    # Its letters would be fetched from another host; every machine has some of one width.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)
    return svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


def _style(cell: pyte.screens.Char) -> Style:
    def colour(name: str) -> str:
        name = COLOURS.get(name, name)
        bright = name.startswith("bright") and "_" not in name
        return f"bright_{name[6:]}" if bright else name

    return Style(color=None if cell.fg == "default" else colour(cell.fg), bold=cell.bold, reverse=cell.reverse)


if __name__ == "__main__":
    sys.exit(main())
