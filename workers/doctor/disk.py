"""Disks of this machine: facts about a directory, and what they mean."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from workers.doctor.finding import GIB, Finding, fail, ok, size, warn

# A usual training image has 5 to 20 GiB, and is on the disk twice while it is unpacked.
FREE_WARN_BYTES = 20 * GIB
# Below this, the engine's own files and a job's log have no room.
FREE_FAIL_BYTES = GIB
# A tenth is little on a small disk. On one of many terabytes it is plenty, so that share counts up to here.
FREE_WARN_SHARE, FREE_PLENTY_BYTES = 0.1, 200 * GIB
# Data sets of many small files use up inodes long before bytes.
INODES_WARN_SHARE, INODES_FAIL = 0.1, 10_000
IN_MEMORY = {"tmpfs", "ramfs", "rootfs"}
# Root may often not give files away there, and a lock or a rename may not be what it is on a disk.
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "fuse.glusterfs"}
DATA_REMEDY = "put host.data_dir on a larger disk, or look below its jobs/ for results that could not be pushed"
IMAGES_REMEDY = (
    "remove images that nobody uses (docker image prune -a), or move the engine's data-root to a larger disk"
)
ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Space:
    """Room on the file system of a directory. inodes: 0 if it does not count them."""

    size: int
    free: int
    inodes: int
    free_inodes: int


@dataclass(frozen=True)
class Directory:
    """The directory for volumes, as it was found.

    exists: it is there; otherwise the rest is of the nearest directory above it that is. trouble: why a directory in it
    could not be made, "" if it could; trouble_giving: why that could not be given to the containers' user.
    """

    path: Path
    exists: bool
    kind: str
    space: Space
    trouble: str
    trouble_giving: str


def space_of(path: Path) -> Space:
    """Raises OSError if the path cannot be looked at."""
    facts = os.statvfs(path)
    return Space(facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize, facts.f_files, facts.f_favail)


def directory(path: Path, user: str) -> Directory:
    """Looks at a directory, and tries it by making a directory in it, which is removed again.

    user: uid:gid of the containers. Raises OSError if nothing can be said.
    """
    exists = path.exists()
    held = next(above for above in (path, *path.parents) if above.exists())
    trouble, trouble_giving = _try(held, user) if exists else _foresee(held, user)
    return Directory(path, exists, _kind(held.resolve()), space_of(held), trouble, trouble_giving)


def _try(path: Path, user: str) -> tuple[str, str]:
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=path) as made:
            try:
                uid, gid = map(int, user.split(":"))
                os.chown(made, uid, gid)
            except OSError as error:
                return "", str(error.strerror)
    except OSError as error:
        return str(error.strerror), ""
    return "", ""


def _foresee(above: Path, user: str) -> tuple[str, str]:
    # Nothing is made where nothing of ours is yet.
    may = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    # Nobody but root gives files away; a worker that is not root can run containers as itself.
    gives = os.geteuid() == 0 or user == f"{os.geteuid()}:{os.getegid()}"
    return "" if may else f"{above} cannot be written", "" if gives else "not root"


def _kind(path: Path) -> str:
    """The type of the file system that a path lies on; "" if the system does not tell."""
    best, kind = Path("/"), ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, rest = line.partition(" - ")
        point = Path(ESCAPED.sub(lambda code: chr(int(code[1], 8)), mount.split()[4]))
        # A later mount on the same point hides the earlier one.
        if path.is_relative_to(point) and (point == best or point.is_relative_to(best)):
            best, kind = point, rest.split()[0]
    return kind


def judge_directory(found: Directory, promised: float = 0) -> list[Finding]:
    """Volumes can be laid there and given to jobs. promised: bytes, by the flavors of the units on offer."""
    return [
        _usable(found),
        _giving(found),
        _real(found),
        *([_share(found.space, promised)] if promised else ()),
        *room("host.disk", found.space, f"volumes in {found.path}", DATA_REMEDY),
    ]


def _usable(found: Directory) -> Finding:
    check = "host.data_dir"
    if found.trouble:
        remedy = f"make {found.path} a directory that root can write, or name another one in host.data_dir"
        return fail(check, f"{found.path} cannot be used: {found.trouble}", remedy)
    return ok(check, f"{found.path} {'can be written' if found.exists else 'is made when the host starts'}")


def _giving(found: Directory) -> Finding:
    check = "host.owner"
    if found.trouble or not found.trouble_giving:
        return ok(check, "not tried" if found.trouble else "files can be given to the containers' user")
    return fail(
        check, f"files cannot be given to the containers' user: {found.trouble_giving}",
        "run the worker (and this) as root, with data_dir on a disk of this machine; or set host.container_user to the "
        "worker's own uid:gid",
    )  # fmt: skip


def _real(found: Directory) -> Finding:
    check = "host.file_system"
    if found.kind in IN_MEMORY:
        return warn(
            check, f"{found.kind}: volumes lie in memory, and results that wait to be pushed are lost at a restart",
            "put host.data_dir on a disk",
        )  # fmt: skip
    if found.kind == "overlay":
        return warn(
            check, "overlay: data_dir lies in a container, where the engine cannot mount it",
            "bind data_dir into this container from the same path of the machine",
        )  # fmt: skip
    if found.kind in REMOTE:
        return warn(check, f"{found.kind}: slow for many small files", "put host.data_dir on a disk of this machine")
    return ok(check, found.kind or "not told")


def _share(space: Space, promised: float) -> Finding:
    """The disk has what the flavors promise. It is not kept for anybody, so what is in use by now does not matter."""
    check, found = "host.disk_share", f"{size(promised)} promised to jobs, the disk has {size(space.size)}"
    if promised <= space.size:
        return ok(check, found)
    return warn(check, found, "offer fewer units in host.units, or give their flavors less disk_gib, or a larger disk")


def room(check: str, space: Space, what: str, remedy: str) -> list[Finding]:
    """Free bytes and inodes. what: is kept there, for people; remedy: how to make room."""
    share = space.free / space.size if space.size else 0.0
    found = f"{size(space.free)} of {size(space.size)} free ({share:.0%}) for {what}"
    scarce = share < FREE_WARN_SHARE and space.free < FREE_PLENTY_BYTES
    if space.free < FREE_FAIL_BYTES:
        findings = [fail(check, found, remedy)]
    elif space.free < FREE_WARN_BYTES or scarce:
        findings = [warn(check, found, remedy)]
    else:
        findings = [ok(check, found)]
    if space.inodes and space.free_inodes < space.inodes * INODES_WARN_SHARE:
        told = f"{space.free_inodes} of {space.inodes} inodes free for {what}"
        few = space.free_inodes < INODES_FAIL
        findings.append((fail if few else warn)(f"{check}.inodes", told, remedy))
    return findings


def engine_room(root: str) -> list[Finding]:
    """Room for images, where the engine keeps them."""
    check = "engine.disk"
    try:
        return room(check, space_of(Path(root)), f"images in {root}", IMAGES_REMEDY)
    except OSError as error:
        return [
            warn(
                check, f"{root} cannot be looked at from here ({error.strerror})",
                "look at the free space there on the engine's machine: df -h",
            )
        ]  # fmt: skip
