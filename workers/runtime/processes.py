"""What the kernel says of a container's first process."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from workers.runtime.container import Container

PROC = Path("/proc")
# Of /proc/PID/stat, counted after the name, which may hold anything.
START_FIELD = 22 - 3


def process_began_ms(container: Container, proc: Path = PROC) -> int | None:
    """When it began, by the machine's own clock (see workers.clock), in ms, to a hundredth of a second.

    None if it is not to be seen: the container does not run, or its engine is on another machine or in another
    namespace, where its number means another process.
    """
    if not container.pid:
        return None
    with suppress(OSError, ValueError, IndexError):
        if container.id in (proc / str(container.pid) / "cgroup").read_text():
            stat = (proc / str(container.pid) / "stat").read_text()
            ticks = int(stat.rpartition(")")[2].split()[START_FIELD])
            return 1000 * ticks // os.sysconf("SC_CLK_TCK")
    return None
