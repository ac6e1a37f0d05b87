"""Containers and jobs that mean harm: nothing leaves a volume, nothing is written or read outside it."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from aitrain.domain.errors import JobFault, PlatformFault, StepCancelled, UserFault
from aitrain.domain.job import VolumeProgress
from aitrain.domain.states import InfoCode
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from tests.hostile_s3 import MIB, PAGES_AT_MOST, HostileS3, Item
from workers.datasync import VolumeSync
from workers.scratch.servers import S3Server

TRANSIENT = InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
OWNER = (42420, 42420)
CANARY = b"nobody may read this\n"
AT_MOST_SECONDS = 90.0
AT_FDCWD, RENAME_EXCHANGE = -100, 2


class Sandbox:
    """A volume, and beside it what must not be touched."""

    def __init__(self, root: Path, url: str, text: str = "bucket@s3:/data", keys: tuple[str, str] = ("k", "s")) -> None:
        self.root = root
        self.outside = root / "outside"
        self.outside.mkdir()
        (self.outside / "canary").write_bytes(CANARY)
        (root / "canary").write_bytes(CANARY)
        self.told: list[VolumeProgress] = []
        self._until = time.monotonic() + AT_MOST_SECONDS
        store = DataStore.model_validate(
            {"endpoint_url": url, "access_key_id": keys[0], "secret_access_key": keys[1]}
        )  # fmt: skip
        self.sync = VolumeSync(
            Volume.parse(text), {"s3": store}, root / "host" / "volume", owner=OWNER, checkpoint=self._checkpoint,
            report=self.told.append,
        )  # fmt: skip
        self.data = self.sync.mounted
        self._before = self._snapshot()

    def _checkpoint(self) -> None:
        if time.monotonic() > self._until:
            raise StepCancelled("it took too long")

    def _snapshot(self) -> dict[str, object]:
        found = [path for path in self.root.rglob("*") if not path.is_relative_to(self.root / "host")]
        return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None) for path in found}

    def untouched(self) -> None:
        """Nothing outside the volume has changed, and the volume's own directory holds only its own."""
        assert self._snapshot() == self._before
        assert [path.name for path in (self.root / "host").iterdir()] in ([], ["volume"])

    def files(self) -> dict[str, bytes]:
        """The regular files of the volume."""
        return {str(p.relative_to(self.data)): p.read_bytes() for p in self.data.rglob("*") if p.is_file()}

    def fault(self, copy: Callable[[], None]) -> JobFault:
        """How a copy fails; nothing of it may lie elsewhere."""
        with pytest.raises(JobFault) as caught:
            copy()
        self.untouched()
        return caught.value

    @property
    def last(self) -> VolumeProgress:
        """What it told last."""
        return self.told[-1]


@pytest.fixture
def volume(s3: S3Server, bucket: str, tmp_path: Path) -> Sandbox:
    """A writable volume over a real server, filled with nothing."""
    sandbox = Sandbox(tmp_path, s3.url, f"{bucket}@s3:/out:rw", (s3.access_key_id, s3.secret_access_key))
    sandbox.sync.pull()
    return sandbox


@pytest.fixture
def objects(s3_client: Any, bucket: str) -> Callable[[], dict[str, bytes]]:
    def read() -> dict[str, bytes]:
        listed = s3_client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: s3_client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}

    return read


FIT = {
    "plain": "plain",
    "backslash ..\\..\\evil": "backslash ..\\..\\evil",
    "control \x01\x1b[31m\n": "control \x01\x1b[31m\n",
    "ü/日本 \U0001f600": "ü/日本 \U0001f600",
    "...": "...",
    "..a/b..": "..a/b..",
    "-rf": "-rf",
    "a b/$(touch evil)/%2e%2e": "a b/$(touch evil)/%2e%2e",
    "/".join(["n" * 255] * 4)[:1024]: "/".join(["n" * 255] * 4)[:1024],
}
UNFIT = [
    "..", ".", "../evil", "../../../../../../../../aitrain-evil", "a/../../evil", "a/..", "./evil", "a/./evil",
    "/evil", "/etc/cron.d/evil", "//evil", "a//evil", "nul\0evil", "n" * 256, "deep/" * 150 + "evil",
]  # fmt: skip


def test_keys_that_are_no_files_are_left_out_and_counted(tmp_path: Path) -> None:
    with HostileS3([Item(key, b"evil") for key in sorted([*FIT, *UNFIT])]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        sandbox.sync.pull()
    sandbox.untouched()
    assert sandbox.files() == dict.fromkeys(FIT.values(), b"evil")
    assert len(server.asked) == len(FIT), "what is left out is not asked for"
    now = sandbox.last
    assert (now.completed, now.skipped, now.failed) == (len(FIT), len(UNFIT), 0)
    assert now.total == now.processed == len(FIT) + len(UNFIT)
    assert not Path("/aitrain-evil").exists()


def test_keys_outside_the_prefix_are_not_taken(tmp_path: Path) -> None:
    with HostileS3([Item("in/a"), Item("other/b"), Item("inner")]) as server:
        sandbox = Sandbox(tmp_path, server.url, "bucket@s3/in:/data")
        fault = sandbox.fault(sandbox.sync.pull)
    assert isinstance(fault, PlatformFault)
    assert "other/b" not in server.asked


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (["a", "a/b"], ("'a'", "'a/b'")),
        (["a", "a-b", "a.b", "a/b"], ("'a'", "'a/b'")),
        (["a/b/c/d", "a/b"], ("'a/b'", "'a/b/c/d'")),
        (["a", "a/"], ("'a'", "'a/'")),
    ],
)
def test_a_file_that_is_also_a_parent_is_named_with_the_other(
    tmp_path: Path, keys: list[str], named: tuple[str, str]
) -> None:
    with HostileS3([Item(key, b"" if key.endswith("/") else b"x") for key in sorted(keys)]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        fault = sandbox.fault(sandbox.sync.pull)
    assert (type(fault), fault.code) == (UserFault, InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR)
    assert all(name in str(fault) for name in named), str(fault)
    assert sandbox.files() == {}
    assert server.asked == [], "it is seen before anything is copied"


@pytest.mark.parametrize(
    "lie",
    [
        Item("lie", b"four", size=3),
        Item("lie", b"four", size=400),
        Item("lie", b"four", etag="0" * 32),
        Item("lie", b"x" * 1000, sent=10),
        Item("lie", b"", size=10),
        Item("lie", b"x" * 20 * MIB, sent=9 * MIB),
        Item("lie", b"x" * 20 * MIB, size=30 * MIB),
    ],
    ids=["shorter", "longer", "etag", "cut", "empty", "large-cut", "large-longer"],
)
def test_an_object_that_is_not_as_listed_is_not_laid_down(tmp_path: Path, lie: Item) -> None:
    with HostileS3([Item("honest", b"x"), lie]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        fault = sandbox.fault(sandbox.sync.pull)
    assert (type(fault), fault.code) == (PlatformFault, TRANSIENT), str(fault)
    assert "lie" not in sandbox.files()
    assert sandbox.last.failed == 1
    left = [path for path in (tmp_path / "host" / "volume").rglob("*") if path.is_file() and path.stat().st_size > 5]
    assert [path for path in left if path.read_bytes()[:1] in (b"f", b"x")] == [], "no part of it is left"


def test_a_body_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    with HostileS3([Item("endless", b"0123456789", endless=True)]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        fault = sandbox.fault(sandbox.sync.pull)
        assert (type(fault), fault.code) == (PlatformFault, TRANSIENT)
        assert server.bytes_sent < 64 * MIB, f"{server.bytes_sent // MIB} MiB were read of an object of 10 bytes"


def test_a_listing_that_repeats_keys_and_is_not_sorted(tmp_path: Path) -> None:
    pages = [Item("z"), Item("a"), Item("m/x")], [Item("a"), Item("b"), Item("z")], [Item("A"), Item("m/x")]
    with HostileS3(*pages) as server:
        sandbox = Sandbox(tmp_path, server.url)
        sandbox.sync.pull()
    sandbox.untouched()
    assert sorted(sandbox.files()) == ["A", "a", "b", "m/x", "z"]
    assert (sandbox.last.total, sandbox.last.processed, sandbox.last.completed) == (5, 5, 5)
    assert len(server.asked) == 5


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_listing_that_goes_in_circles_ends(tmp_path: Path, pages: int) -> None:
    with HostileS3(*([Item(f"p{number}")] for number in range(pages)), loop=True) as server:
        sandbox = Sandbox(tmp_path, server.url)
        fault = sandbox.fault(sandbox.sync.pull)
        assert server.served < PAGES_AT_MOST
    assert isinstance(fault, PlatformFault)


@pytest.mark.parametrize(
    "listing",
    [
        "this is no XML",
        "<ListBucketResult><Contents><Key>a</Key></ListBucketResult>",
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(12))
        + "]><ListBucketResult><Contents><Key>&a11;</Key></Contents></ListBucketResult>",
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><ListBucketResult><Contents><Key>&f;</Key>'
        "<Size>1</Size></Contents></ListBucketResult>",
        "".join(["<ListBucketResult>", Item("a", size="many").listed(), "</ListBucketResult>"]),
        "".join(["<ListBucketResult>", Item("a", size=-1).listed(), "</ListBucketResult>"]),
        "".join(["<ListBucketResult>", Item("a", etag="").listed(), "</ListBucketResult>"]),
    ],
    ids=["no-xml", "broken", "entity-bomb", "external-entity", "size-word", "size-negative", "no-etag"],
)
def test_a_listing_that_makes_no_sense_is_a_fault(tmp_path: Path, listing: str) -> None:
    with HostileS3([Item("a")], listing=listing) as server:
        sandbox = Sandbox(tmp_path, server.url)
        fault = sandbox.fault(sandbox.sync.pull)
    assert isinstance(fault, PlatformFault), str(fault)
    assert sandbox.files() == {}
    assert len(str(fault)) < 2000


def test_a_link_that_stands_where_a_directory_belongs(tmp_path: Path) -> None:
    with HostileS3([Item("sub/evil"), Item("top")]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        sandbox.data.mkdir(parents=True)
        (sandbox.data / "sub").symlink_to(sandbox.outside)
        (sandbox.data / "top").symlink_to(sandbox.root / "canary")
        # Whether it is refused or laid down in the link's place is the engine's choice.
        with suppress(PlatformFault):
            sandbox.sync.pull()
    sandbox.untouched()


def test_a_directory_is_swapped_for_a_link_during_a_pull(tmp_path: Path) -> None:
    with HostileS3([Item(f"sub/{number:03}") for number in range(300)]) as server:
        sandbox = Sandbox(tmp_path, server.url)
        (sandbox.data / "sub").mkdir(parents=True)
        with swapping(sandbox.data / "sub", sandbox.outside), suppress(PlatformFault):
            sandbox.sync.pull()
    sandbox.untouched()


def test_what_a_job_leaves_behind(volume: Sandbox, objects: Callable[[], dict[str, bytes]]) -> None:
    data = volume.data
    (data / "good").write_bytes(b"good")
    (data / "again").hardlink_to(data / "good")
    (data / "shadow").symlink_to("/etc/shadow")
    (data / "canary").symlink_to(volume.root / "canary")
    (data / "relative").symlink_to("../../../canary")
    (data / "directory").symlink_to(volume.outside)
    (data / "proc").symlink_to("/proc/self")
    (data / "itself").symlink_to("itself")
    (data / "nowhere").symlink_to("/nonexistent")
    (data / "sub").mkdir()
    os.mkfifo(data / "sub" / "pipe")
    os.mknod(data / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(data / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 0))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(data / "socket"))
        volume.sync.push()
    volume.untouched()
    assert objects() == {"good": b"good", "again": b"good"}
    now = volume.last
    assert (now.completed, now.skipped, now.failed, now.bytes) == (2, 11, 0, 8)
    assert now.total == now.processed == 13


def test_names_that_cannot_be_keys(volume: Sandbox, objects: Callable[[], dict[str, bytes]]) -> None:
    (volume.data / "good").write_bytes(b"good")
    raw = os.fsencode(volume.data)
    Path(os.fsdecode(raw + b"/not-utf8-\xff\xfe")).write_bytes(b"x")
    long = volume.data.joinpath(*["n" * 250] * 5)
    long.mkdir(parents=True)
    (long / "file").write_bytes(b"x")
    fault = volume.fault(volume.sync.push)
    assert (type(fault), fault.code) == (PlatformFault, InfoCode.JOB_SYNC_FAILED)
    assert "2 files cannot be pushed" in str(fault)
    str(fault).encode()  # it goes into the job's status
    assert objects() == {"good": b"good"}
    assert (volume.last.completed, volume.last.failed, volume.last.total) == (1, 2, 3)


def test_names_that_real_keys_may_have(volume: Sandbox, objects: Callable[[], dict[str, bytes]]) -> None:
    names = ["back\\slash", "tab\there", "new\nline", "ü 日本", "%2e%2e", "a&b?c#d", "-rf", "'\"", " space "]
    for name in names:
        (volume.data / name).write_bytes(name.encode())
    volume.sync.push()
    assert objects() == {name: name.encode() for name in names}


def test_a_file_that_grows_while_it_is_pushed(volume: Sandbox, objects: Callable[[], dict[str, bytes]]) -> None:
    log = volume.data / "log"
    log.write_bytes(b"begun\n")
    (volume.data / "beside").write_bytes(b"beside")
    stop = threading.Event()

    def grow() -> None:
        with log.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 4096 + b"\n")
                time.sleep(0.0005)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with suppress(PlatformFault):  # that it could not be caught at rest may be told
            volume.sync.push()
    finally:
        stop.set()
        writer.join()
    pushed = objects()
    assert pushed["beside"] == b"beside"
    assert log.read_bytes().startswith(pushed.get("log", b"")), "what was pushed stood in the file at one time"
    volume.sync.push()
    assert objects()["log"] == log.read_bytes(), "the next push brings what came later"
    volume.untouched()


@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_is_swapped_for_a_link_is_not_read(
    volume: Sandbox, objects: Callable[[], dict[str, bytes]], what: str
) -> None:
    (volume.outside / "file").write_bytes(CANARY)
    volume._before = volume._snapshot()
    (volume.data / "sub").mkdir()
    target = volume.data / "sub" if what == "directory" else volume.data / "sub" / "file"
    secret = volume.outside if what == "directory" else volume.outside / "file"
    (volume.data / "sub" / "file").write_bytes(b"0")
    with swapping(target, secret) as swaps:
        for number in range(40):
            with suppress(OSError):
                # Of the canary's size and new each time, so that it has to be sent whichever of the two is seen.
                descriptor = os.open(volume.data / "sub" / "file", os.O_WRONLY | os.O_NOFOLLOW)
                if os.fstat(descriptor).st_ino != (volume.outside / "file").stat().st_ino:
                    os.write(descriptor, f"{number:0{len(CANARY)}}".encode())
                os.close(descriptor)
            with suppress(PlatformFault):
                volume.sync.push()
            assert CANARY not in objects().values()
    assert swaps[0] > 100, "the race was on"
    volume.untouched()


def test_a_tree_without_end_does_not_exhaust_the_worker(volume: Sandbox) -> None:
    here = os.open(volume.data, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(PlatformFault) as caught:
        volume.sync.push()
    assert caught.value.code is InfoCode.JOB_SYNC_FAILED
    # pytest itself could not remove such a tree.
    subprocess.run(["rm", "-rf", str(volume.data)], check=True)


@contextmanager
def swapping(path: Path, to: Path) -> Iterator[list[int]]:
    """A path that is swapped for a link and back, as fast as the kernel can; how often, as the only item."""
    link = path.with_name(f".swap-{path.name}")
    link.symlink_to(to)
    libc = ctypes.CDLL(None, use_errno=True)
    stop, swaps = threading.Event(), [0]

    def swap() -> None:
        while not stop.is_set():
            libc.renameat2(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(link), RENAME_EXCHANGE)
            swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield swaps
    finally:
        stop.set()
        thread.join()
