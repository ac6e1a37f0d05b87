"""The command that shows what a job wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from aitrain.cli.refs import JobRef
from aitrain.cli.values import seconds
from aitrain.client import Client
from aitrain.domain.logs import NOTICE, STDOUT, LogLine


class Stream(StrEnum):
    """One of the two that a container writes to."""

    STDOUT = "stdout"
    STDERR = "stderr"


def since_ms(text: str) -> int:
    """Unix ms of "10m" (so long ago) or of an ISO date, in UTC unless it says otherwise. Raises typer.BadParameter."""
    now = datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        if "-" in text[1:]:
            raise typer.BadParameter(f"{text!r} is no date: write 2026-11-29 or 2026-11-29T08:00:00Z") from None
        return int(now.timestamp() * 1000) - seconds(text) * 1000
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def logs(
    job: JobRef,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the log ends.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Begin with the last so many lines.")] = None,
    since: Annotated[
        int | None, typer.Option(parser=since_ms, metavar="10m|ISO", help="Leave out what is older.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put its time before each line.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, help="Counted from 1; the newest if not given.")] = None,
    stream: Annotated[Stream | None, typer.Option(help="What was written to this one only.")] = None,
) -> None:
    """Show what a job wrote: its stdout on stdout, its stderr and our notices on stderr."""
    with Client() as client:
        lines = client.logs(client.find(job), follow=follow, attempt=attempt, tail=tail, since_ms=since)
        for line in lines:
            if stream is None or line.stream in (stream, NOTICE):
                tell(line, timestamps=timestamps)


def tell(line: LogLine, *, timestamps: bool = False) -> None:
    """Writes a line to the stream that it came from; a notice of ours to stderr."""
    typer.echo(f"{line.at} {line.text}" if timestamps else line.text, err=line.stream != STDOUT)
