"""What the volumes of a host share: its cache, and the room on its disk."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aitrain.domain.errors import PlatformFault
from tests.integration.workers.volumes import OWNER, Sync, objects, put
from workers.datasync import MIB, Allowance, Cache, Disk, Room
from workers.scratch.disk import SmallDisk
from workers.scratch.servers import S3Server

PART = 256 * 1024
Make = Callable[..., Sync]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    cache = Cache(tmp_path)
    return Disk(Room(tmp_path, 0, cache.make_room), cache)


@pytest.fixture
def make(s3: S3Server, tmp_path: Path, disk: Disk) -> Make:
    def made(text: str, number: int, project: str = "p", **store: Any) -> Sync:
        sync = {"disk": disk, "project": project, "part": PART}
        return Sync(text, s3, tmp_path / "jobs" / str(number), sync=sync, **store)

    return made


def test_a_second_job_reads_the_cache(make: Make, disk: Disk, s3_client: Any, bucket: str) -> None:
    content = {"a": b"1", "d/b": b"22", "large": os.urandom(3 * PART)}
    put(s3_client, bucket, content)
    volumes = [make(f"{bucket}@s3:/in:ro:cache", number) for number in range(2)]
    for volume in volumes:
        volume.sync.pull()
        assert volume.files() == content
    size = sum(map(len, content.values()))
    assert (volumes[0].told[-1].cached, volumes[1].told[-1].cached) == (0, 3)
    assert volumes[1].told[-1].cached_bytes == size
    use = disk.cache.use("p")
    assert (use.hits, use.misses, use.bytes_saved) == (3, 3, size)
    assert disk.cache.size("p") == (3, size), "one copy, however many read it"
    one, other = ((volume.data / "large").stat() for volume in volumes)
    assert (one.st_ino, one.st_uid) == (other.st_ino, OWNER[0])


def test_a_refresh_costs_the_difference_and_a_reader_keeps_its_version(
    make: Make, disk: Disk, s3_client: Any, bucket: str
) -> None:
    put(s3_client, bucket, {"a": b"1", "b": b"2"})
    reader = make(f"{bucket}@s3:/in:ro:cache", 1)
    reader.sync.pull()
    s3_client.put_object(Bucket=bucket, Key="b", Body=b"new")
    s3_client.delete_object(Bucket=bucket, Key="a")
    s3_client.put_object(Bucket=bucket, Key="c", Body=b"3")
    later = make(f"{bucket}@s3:/in:ro:cache", 2)
    later.sync.pull()
    assert later.files() == {"b": b"new", "c": b"3"}
    assert reader.files() == {"a": b"1", "b": b"2"}
    assert later.told[-1].cached == 0
    disk.cache.evict_idle(0)
    assert disk.cache.size("p")[0] == 4, "nothing goes while a job holds it"


def test_projects_do_not_share(make: Make, disk: Disk, s3_client: Any, bucket: str) -> None:
    put(s3_client, bucket, {"a": b"1"})
    for number, project in enumerate(("p", "q")):
        volume = make(f"{bucket}@s3:/in:ro:cache", number, project)
        volume.sync.pull()
        assert volume.told[-1].cached == 0
    assert disk.cache.projects() == ["p", "q"]


def test_a_job_that_may_write_cannot_change_the_cache(make: Make, s3_client: Any, bucket: str) -> None:
    put(s3_client, bucket, {"a": b"1"})
    writer = make(f"{bucket}@s3:/data:rw:cache", 1)
    writer.sync.pull()
    (writer.data / "a").write_bytes(b"changed")
    reader = make(f"{bucket}@s3:/in:ro:cache", 2)
    reader.sync.pull()
    assert reader.files() == {"a": b"1"}
    assert reader.told[-1].cached == 1
    writer.sync.push()
    assert objects(s3_client, bucket) == {"a": b"changed"}


def test_two_that_start_together_fetch_each_object_once(make: Make, disk: Disk, s3_client: Any, bucket: str) -> None:
    content = {str(n): os.urandom(2000) for n in range(60)}
    put(s3_client, bucket, content)
    volumes = [make(f"{bucket}@s3:/in:ro:cache", number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda volume: volume.sync.pull(), volumes))
    assert all(volume.files() == content for volume in volumes)
    use = disk.cache.use("p")
    assert (use.misses, use.hits) == (60, 180)


def test_what_a_killed_worker_was_filling_is_not_taken_for_whole(
    make: Make, disk: Disk, s3_client: Any, bucket: str
) -> None:
    put(s3_client, bucket, {"a": b"1234"})
    disk.cache.parts.mkdir(parents=True)
    part = disk.cache.parts / "half"
    part.write_bytes(b"12")
    volume = make(f"{bucket}@s3:/in:ro:cache", 1)
    volume.sync.pull()
    assert volume.files() == {"a": b"1234"}
    disk.cache.evict_idle(1)
    assert part.exists(), "it may be at work still"
    os.utime(part, (0, 0))
    disk.cache.evict_idle(1)
    assert not part.exists()


def test_only_what_is_idle_and_not_read_leaves_the_cache(
    make: Make, disk: Disk, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"a": b"1", "b": b"2"})
    volume = make(f"{bucket}@s3:/in:ro:cache", 1)
    volume.sync.pull()
    age(tmp_path)
    disk.cache.evict_idle(60)
    assert disk.cache.size("p")[0] == 2
    (volume.data / "a").unlink()
    disk.cache.evict_idle(60)
    assert disk.cache.size("p")[0] == 2, "it was read until just now"
    age(tmp_path)
    disk.cache.evict_idle(60)
    assert disk.cache.size("p")[0] == 1
    assert (volume.data / "b").read_bytes() == b"2"


def age(data_dir: Path) -> None:
    """What is cached was used a while ago."""
    for path in (data_dir / "cache").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 3600, path.stat().st_mtime))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    disk = SmallDisk(tmp_path / "small", 32).mount()
    yield disk.path
    disk.unmount()


def test_what_does_not_fit_is_refused_before_it_is_copied(
    s3: S3Server, s3_client: Any, bucket: str, small: Path
) -> None:
    put(s3_client, bucket, {"large": bytes(40 * MIB)})
    disk = Disk(Room(small, 0, lambda size: None), Cache(small))
    volume = Sync(f"{bucket}@s3:/in", s3, small / "jobs", sync={"disk": disk})
    with pytest.raises(PlatformFault, match=r"No space left on device.*are missing on this host's disk"):
        volume.sync.pull()
    assert volume.files() == {}


def test_copies_side_by_side_share_the_room(small: Path) -> None:
    room = Room(small, 4 * MIB, lambda size: None)
    with room.promise(16 * MIB, "one") as one:
        with pytest.raises(PlatformFault), room.promise(16 * MIB, "two"):
            pass
        one.taken(12 * MIB)  # its bytes are on the disk by now, which the disk itself tells
        with room.promise(10 * MIB, "three"):
            pass
    with room.promise(16 * MIB, "two"):
        pass


def test_the_cache_makes_room(s3: S3Server, s3_client: Any, bucket: str, small: Path) -> None:
    put(s3_client, bucket, {"old/a": bytes(12 * MIB), "new/b": bytes(20 * MIB)})
    cache = Cache(small)
    disk = Disk(Room(small, 0, cache.make_room), cache)
    first = Sync(f"{bucket}@s3/old:/in:ro:cache", s3, small / "jobs" / "1", sync={"disk": disk, "project": "p"})
    first.sync.pull()
    second = Sync(f"{bucket}@s3/new:/in:ro:cache", s3, small / "jobs" / "2", sync={"disk": disk, "project": "p"})
    with pytest.raises(PlatformFault, match="No space left"):
        second.sync.pull()
    assert first.files() == {"a": bytes(12 * MIB)}, "a job still reads it"
    (first.data / "a").unlink()
    with pytest.raises(PlatformFault, match="No space left"):
        second.sync.pull()
    age(small)
    second.sync.pull()
    assert second.files() == {"b": bytes(20 * MIB)}
    assert cache.size("p")[0] == 1


def test_a_volume_is_copied_by_one_at_a_time(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {str(n): b"x" for n in range(50)})
    one, two = (Sync(f"{bucket}@s3:/in:rw", s3, tmp_path) for _ in range(2))
    with one.sync._alone():
        waiting = threading.Thread(target=two.sync.pull)
        waiting.start()
        time.sleep(0.3)
        assert two.told == []
    waiting.join(20)
    assert two.told[-1].completed == 50


class Quotas:
    """Of one project on one host: most bytes in all."""

    def __init__(self, most: int) -> None:
        self.most, self.kept = most, 0

    def limited(self, project: str) -> bool:
        return project == "p"

    def keep(self, project: str, held: int, more: int) -> int:
        over = held + more - self.most
        if more and over > 0:
            return over
        self.kept = more
        return 0


def test_over_its_quota_a_project_first_loses_what_is_idle_and_then_does_not_cache(
    make: Make, disk: Disk, s3_client: Any, bucket: str
) -> None:
    quotas = Quotas(1000)
    limited = replace(disk, allowance=Allowance(disk.cache, quotas))
    put(s3_client, bucket, {"old/a": b"x" * 600, "new/b": b"y" * 700, "large/c": b"z" * 1100})

    def pulled(folder: str, number: int) -> dict[str, bytes]:
        volume = make(f"{bucket}@s3/{folder}:/in:ro:cache", number)
        volume.sync._disk = limited
        volume.sync.pull()
        files = volume.files()
        shutil.rmtree(volume.data)
        return files

    assert pulled("old", 1) == {"a": b"x" * 600}
    assert pulled("new", 2) == {"b": b"y" * 700}, "never fails the job"
    assert (disk.cache.size("p"), quotas.kept) == ((1, 600), 0), "what was used just now is not idle"
    for path, info in disk.cache._files(disk.cache.directory):
        os.utime(path, (info.st_atime - 3600, info.st_mtime))
    assert pulled("new", 3) == {"b": b"y" * 700}
    assert disk.cache.size("p") == (1, 700)
    assert pulled("large", 4) == {"c": b"z" * 1100}
    assert disk.cache.size("p") == (1, 700)
