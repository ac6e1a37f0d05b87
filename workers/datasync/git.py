"""A volume that is a public git repository: one branch or tag, without its history, as the real git program fetches it.

What comes is not trusted. git runs as the job's user, so that no trick of a repository reaches further than the job
itself does; it reads no configuration but ours, runs no hooks and filters, asks for nothing, and speaks https only.
`.git` stays: `git rev-parse HEAD` and what tools record of a run need it, and since the job's user owns it, git trusts
it there. Submodules and large files of git LFS are not fetched.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitrain.domain.errors import PlatformFault
from aitrain.domain.job import VolumeProgress
from aitrain.domain.states import EndCause, InfoCode
from aitrain.domain.volume import Volume
from aitrain.settings import HostSettings
from workers.datasync.faults import data_errors
from workers.datasync.gitfaults import empty, git_fault, no_git, too_large, too_slow
from workers.datasync.program import MIB, Bounds, run_program

log = logging.getLogger(__name__)

# ls-remote's answer to a pattern that nothing matches.
NOTHING_MATCHES = 2
LEAST_BYTES_PER_SECOND = 1024
FETCHING = "fetching-"
# Old repositories have these slips, and they do no harm.
HARMLESS = ("zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate", "missingNameBeforeEmail", "missingEmail")
CONFIGURATION = {
    "credential.helper": "",
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    # Larger objects are written through; below, git needs a few times this in memory.
    "core.bigFileThreshold": "32m",
    "pack.threads": "2",
    "protocol.version": "2",
    "http.followRedirects": "initial",
    "submodule.recurse": "false",
    "maintenance.auto": "false",
    "gc.auto": "0",
    "advice.detachedHead": "false",
    "fetch.fsckObjects": "true",
    **{f"fetch.fsck.{slip}": "ignore" for slip in HARMLESS},
}
# How this host reaches the outside, as boto3 reads it too.
PROXIES = ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")


@dataclass
class _Tree:
    """What a commit holds. bytes: of all files; submodules: named by it, and not fetched."""

    files: int = 0
    bytes: int = 0
    submodules: int = 0


class GitSync:
    """One git volume of one attempt on this host."""

    def __init__(
        self,
        volume: Volume,
        host: HostSettings,
        directory: Path,
        *,
        owner: tuple[int, int],
        checkpoint: Callable[[], None],
        report: Callable[[VolumeProgress], None],
    ) -> None:
        """host: git's limits and the authorities to trust; the rest as for VolumeSync."""
        self._volume, self._host, self._directory, self._owner = volume, host, directory, owner
        self._checkpoint, self._report = checkpoint, report
        self._commit = ""

    @property
    def mounted(self) -> Path:
        """The directory that the job sees."""
        return self._directory / "data"

    def check(self) -> None:
        """Checks that the server answers and has the branch or tag.

        Raises UserFault and PlatformFault. Run for every volume before anything is copied or made.
        """
        with data_errors(str(self._volume)):
            if not self._laid:
                ref = self._volume.ref
                wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"] if ref else ["HEAD"]
                # Nothing of the volume is there yet; / is a place that every user may stand in.
                command = ["ls-remote", "--quiet", "--exit-code", "--", self._volume.url, *wanted]
                self._git(Path("/"), command, self._until(), missing=NOTHING_MATCHES)

    def pull(self, *, running: bool = False) -> None:
        """Fetches the repository, whole or not at all. What an earlier try laid down is kept.

        running: makes no difference, a repository never changes under a job. Raises UserFault and PlatformFault.
        """
        self._checkpoint()
        until = self._until()
        with data_errors(str(self._volume)):
            if not self._laid:
                self._fetch(until)
            self._tell(until)

    def pulled(self, most: int) -> dict[str, Any] | None:
        """The commit that it was filled with, which says all of its files; None before pull. most: not needed."""
        return {"commit": self._commit} if self._commit else None

    def pushed(self, most: int) -> dict[str, Any] | None:
        """Nothing ever is. most: not needed."""
        return None

    @property
    def _laid(self) -> bool:
        return (self.mounted / ".git").is_dir()

    def _until(self) -> float:
        return time.monotonic() + self._host.git_timeout_seconds

    def _fetch(self, until: float) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for left in self._directory.glob(f"{FETCHING}*"):  # by a worker that was killed
            _remove(left)
        place = self._directory / f"{FETCHING}{uuid.uuid4().hex}"
        try:
            place.mkdir()
            if os.geteuid() == 0:
                os.chown(place, *self._owner)
            branch = [f"--branch={self._volume.ref}"] if self._volume.ref else []
            self._git(
                place,
                ["clone", "--quiet", "--no-checkout", "--depth=1", "--single-branch", "--no-tags", "--template=",
                 "--no-recurse-submodules", *branch, "--", self._volume.url, "."],
                until,
            )  # fmt: skip
            tree = self._measure(place, until)
            self._report(VolumeProgress(total=tree.files, bytes_total=tree.bytes))
            free = shutil.disk_usage(place).free
            if tree.bytes > free:
                raise PlatformFault(
                    EndCause.DATA_FAULT,
                    InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
                    f"{self._volume}: its files need {tree.bytes} bytes and the host's disk has {free}; make room",
                )
            self._git(place, ["checkout", "--quiet", "--force", "HEAD", "--"], until)
            # The last point at which a run that was given up may notice it, before the repository stands in the volume.
            self._checkpoint()
            place.rename(self.mounted)
        finally:
            _remove(place)

    def _tell(self, until: float) -> None:
        tree, commit = self._measure(self.mounted, until), bytearray()
        self._git(self.mounted, ["rev-parse", "HEAD"], until, take=commit.extend)
        name = self._commit = commit.decode().strip()
        log.info("%s: commit %s", self._volume, name)
        self._report(
            VolumeProgress(
                total=tree.files + tree.submodules, processed=tree.files + tree.submodules, completed=tree.files,
                skipped=tree.submodules, bytes=tree.bytes, bytes_total=tree.bytes, commit=name,
            )
        )  # fmt: skip

    def _measure(self, place: Path, until: float) -> _Tree:
        """What the commit holds, before it is laid down. Raises UserFault past the limits: a few kilobytes of
        repository can name billions of files.
        """
        tree, rest, subject = _Tree(), b"", str(self._volume)
        most_files, most_mib = self._host.git_max_files, self._host.git_max_mib

        def take(data: bytes) -> None:
            nonlocal rest
            *entries, rest = (rest + data).split(b"\0")
            for entry in entries:
                size = entry.split(b"\t", 1)[0].split()[-1]
                if size == b"-":
                    tree.submodules += 1
                else:
                    tree.files, tree.bytes = tree.files + 1, tree.bytes + int(size)
            if tree.files + tree.submodules > most_files:
                raise too_large(subject, f"more than {most_files} files", "host.git_max_files")
            if tree.bytes > most_mib * MIB:
                raise too_large(subject, f"more than {most_mib} MiB of files", "host.git_max_mib")

        self._git(place, ["ls-tree", "-r", "-l", "-z", "--full-tree", "HEAD"], until, take=take)
        return tree

    def _git(
        self,
        place: Path,
        command: list[str],
        until: float,
        *,
        take: Callable[[bytes], None] = lambda _: None,
        missing: int | None = None,
    ) -> None:
        """Runs git. missing: the exit code that says that the repository has not what was asked for."""
        subject, host = str(self._volume), self._host
        if shutil.which("git") is None:
            raise no_git(subject, "git")
        settings = [argument for name, value in CONFIGURATION.items() for argument in ("-c", f"{name}={value}")]
        try:
            ended = run_program(
                ["git", *settings, *command], cwd=place, env=self._environment(), owner=self._owner,
                bounds=Bounds(host.git_memory_mib, host.git_max_mib, until), checkpoint=self._checkpoint, take=take,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise no_git(subject, str(error.filename)) from error
        if ended.code is None:
            raise too_slow(subject, host.git_timeout_seconds)
        if missing is not None and ended.code == missing:
            raise empty(subject)
        if ended.code != 0:
            raise git_fault(subject, ended.code, ended.complaint)

    def _environment(self) -> dict[str, str]:
        """All that git finds: nothing of the worker's own, which holds its settings and their secrets."""
        trusted = {} if self._host.ca_file is None else {"GIT_SSL_CAINFO": str(self._host.ca_file)}
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_HTTP_LOW_SPEED_LIMIT": str(LEAST_BYTES_PER_SECOND),
            "GIT_HTTP_LOW_SPEED_TIME": str(self._host.git_stall_seconds),
            # A repository is where it is told to be, not wherever above it one is found.
            "GIT_CEILING_DIRECTORIES": str(self._directory),
            **trusted,
            **{name: os.environ[name] for name in PROXIES if name in os.environ},
        }


def _remove(path: Path) -> None:
    """rm, because it copes with whatever depth a repository has."""
    done = subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", str(path)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        log.warning("%s could not be removed: %s", path, done.stderr.strip()[:500])
