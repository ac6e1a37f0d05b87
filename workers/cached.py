"""`aitrain data cache`: what this host keeps for jobs to come, and what that was good for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings
from workers.datasync import Cache


@dataclass(frozen=True)
class ProjectCache:
    """The cache of one project on this host. size: bytes; the rest as in CacheUse."""

    project: str
    files: int
    size: int
    hits: int
    misses: int
    bytes_saved: int


def cached(cache: Cache) -> list[ProjectCache]:
    """What is cached, by project."""
    found = []
    for project in cache.projects():
        use, (files, size) = cache.use(project), cache.size(project)
        found.append(ProjectCache(project, files, size, use.hits, use.misses, use.bytes_saved))
    return found


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Prints what is cached. arguments: --json, for programs. Raises InvalidInput if a table cannot be drawn."""
    found = cached(Cache(settings.host.data_dir))
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError as error:
        raise InvalidInput.of("installation", error.name, "is not installed", "pip install 'aitrain[cli]'") from None
    console = Console(highlight=False)
    if "--json" in arguments:
        console.out(json.dumps([asdict(one) for one in found], indent=2), highlight=False)
        return 0
    table = Table("project", "files", "size", "hits", "misses", "not fetched again")
    for one in found:
        table.add_row(
            one.project, f"{one.files:,}", f"{one.size:,} B", f"{one.hits:,}", f"{one.misses:,}",
            f"{one.bytes_saved:,} B",
        )  # fmt: skip
    console.print(table)
    return 0
