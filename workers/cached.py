"""`aitrain data cache`: what this host keeps for jobs to come, and what that was good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from aitrain.settings import Settings
from workers.datasync import Cache

if TYPE_CHECKING:
    from rich.table import Table


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
    """Prints what is cached. arguments: as what, a Format."""
    found = cached(Cache(settings.host.data_dir))
    from aitrain.output import Format, show

    show([asdict(one) for one in found], Format(arguments[0]), lambda: _table(found))
    return 0


def _table(found: Sequence[ProjectCache]) -> Table:
    from rich.table import Table

    table = Table("project", "files", "size", "hits", "misses", "not fetched again")
    for one in found:
        table.add_row(
            one.project, f"{one.files:,}", f"{one.size:,} B", f"{one.hits:,}", f"{one.misses:,}",
            f"{one.bytes_saved:,} B",
        )  # fmt: skip
    return table
