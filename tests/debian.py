"""Root file systems of the Debian packages that this machine has: images where no registry can be reached.

debootstrap makes a better one in a minute; this takes seconds, and is good enough to stand in for an official image.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath

# What every image has, and nothing says that it needs: packages that are essential.
ESSENTIAL = ("base-files", "base-passwd", "bash", "coreutils", "dash", "grep", "login", "passwd", "sed", "util-linux")
# Not needed to run anything. perl is what git's porcelain for mail and Subversion is written in.
LEFT_OUT = re.compile(r"^/usr/share/(doc|man|locale|info|lintian|bug|perl5?)/|^/usr/lib/x86_64-linux-gnu/perl")
WITHOUT = frozenset({"perl", "perl-base", "libperl5.36", "perl-modules-5.36", "debconf", "dpkg", "tar"})
MERGED = ("bin", "lib", "lib64", "sbin")


def root_of(packages: Iterable[str], path: Path, extra: Mapping[str, str | Path] | None = None) -> Path:
    """Writes a tar of packages with all that they depend on; its path.

    extra: more files, by name: what they hold, or which file of this machine they are; they can be run. Raises
    LookupError if a package is not installed here.
    """
    with tarfile.open(path, "w") as tar:
        for name in MERGED:
            tar.addfile(_link(name, f"usr/{name}"))
        for name, mode in (("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777), ("run", 0o755),
                           ("root", 0o700), ("var/empty", 0o755), ("etc", 0o755)):  # fmt: skip
            tar.addfile(_directory(name, mode))
        made = {"", *MERGED, *tar.getnames()}
        own = {**_accounts(), **(extra or {})}
        for name, file in sorted({_merged(file): file for file in _files(closure([*ESSENTIAL, *packages]))}.items()):
            if name not in made and name not in own:
                tar.add(file, name, recursive=False)
        for name, content in own.items():
            held = content.read_bytes() if isinstance(content, Path) else content.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(held), 0o755
            tar.addfile(info, BytesIO(held))
    return path


def closure(packages: Iterable[str]) -> set[str]:
    """Packages and all that they depend on, of those that are installed here."""
    needs = _needs()
    found: set[str] = set()
    waiting = list(packages)
    if missing := [name for name in waiting if name not in needs]:
        raise LookupError(f"not installed here: {', '.join(missing)}; deploy/local/setup.sh installs it")
    while waiting:
        name = waiting.pop()
        if name not in found and name in needs and name not in WITHOUT:
            found.add(name)
            waiting += needs[name]
    return found


def _needs() -> dict[str, list[str]]:
    """Each installed package with what it depends on: of alternatives all."""
    form = "${db:Status-Status}|${Package}|${Depends}, ${Pre-Depends}\n"
    found = {}
    for line in _output("dpkg-query", "--show", "--showformat", form).splitlines():
        status, name, depends = line.split("|", 2)
        if status == "installed":
            found[name] = [re.split(r"[ :(]", one.strip())[0] for one in re.split(r"[,|]", depends) if one.strip()]
    return found


def _files(packages: Iterable[str]) -> Iterator[str]:
    for file in set(_output("dpkg", "--listfiles", *packages).splitlines()):
        if not file.startswith("/") or file == "/." or LEFT_OUT.match(file):
            continue
        path = Path(file)
        if path.is_symlink() or path.is_file():
            yield file
            yield from _compiled(path)
        elif path.is_dir():
            yield file


def _compiled(path: Path) -> Iterator[str]:
    """The bytecode that a package makes when it is installed: without it each start of Python compiles for long."""
    if path.suffix == ".py":
        cached = path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc"
        if cached.exists():
            yield str(cached)


def _merged(file: str) -> str:
    """Where a file really lies: /bin and the like are links into /usr."""
    parts = PurePosixPath(file).parts[1:]
    return "/".join(("usr", *parts) if parts and parts[0] in MERGED and len(parts) > 1 else parts)


def _accounts() -> dict[str, str | Path]:
    shared = Path("/usr/share/base-passwd")
    accounts = {
        f"etc/{name}": (shared / f"{name}.master").read_text().replace("*", "x") for name in ("passwd", "group")
    }
    return {**accounts, "etc/shadow": "root:*:1:0:99999:7:::\n"}


def _directory(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
