"""Volumes that are git repositories: the real git program against a real HTTPS server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitrain.domain.errors import JobFault, PlatformFault, StepCancelled, UserFault
from aitrain.domain.job import VolumeProgress
from aitrain.domain.states import InfoCode
from aitrain.domain.volume import Volume
from aitrain.settings import HostSettings
from tests.git_server import GitServer
from workers.datasync import GitSync
from workers.scratch.servers import end_tree, free_port

OWNER = (42420, 42420)
HUNDRED_BLOBS = {f"src/{number}.py": os.urandom(20_000) for number in range(100)}


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that the job's user may cross, which pytest's own is not."""
    directory = Path(tempfile.mkdtemp(prefix="aitrain-git-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def place(open_directory: Path) -> Path:
    directory = Path(tempfile.mkdtemp(dir=open_directory))
    directory.chmod(0o755)
    return directory / "volume"


@pytest.fixture
def server(open_directory: Path) -> Iterator[GitServer]:
    directory = Path(tempfile.mkdtemp(dir=open_directory))
    directory.chmod(0o755)
    with GitServer(directory) as server:
        yield server


class Fetch:
    """A git volume of a test, and what it told."""

    def __init__(self, source: str, server: GitServer, place: Path, **host: object) -> None:
        self.told: list[VolumeProgress] = []
        self.stop = threading.Event()
        settings = HostSettings.model_validate({"ca_file": server.ca_file, **host})
        self.sync = GitSync(
            Volume.parse(f"{source}:/code"), settings, place, owner=OWNER, checkpoint=self._checkpoint,
            report=self.told.append,
        )  # fmt: skip
        self.data = self.sync.mounted

    def _checkpoint(self) -> None:
        if self.stop.is_set():
            raise StepCancelled("stopped")

    def run(self) -> None:
        self.sync.check()
        self.sync.pull()

    def files(self) -> dict[str, bytes]:
        found = [path for path in self.data.rglob("*") if ".git" not in path.parts and path.is_file()]
        return {str(path.relative_to(self.data)): path.read_bytes() for path in found}

    def fault(self) -> JobFault:
        """How it fails; nothing may be left of it then."""
        with pytest.raises(JobFault) as caught:
            self.run()
        assert not self.sync.mounted.exists()
        assert not self.data.parent.exists() or list(self.data.parent.iterdir()) == []
        return caught.value


def test_the_default_branch_is_fetched_without_its_history(server: GitServer, place: Path) -> None:
    server.create("r", {"old": "1"})
    commit = server.commit("r", {"train.py": "print(1)\n", "deep/ü b": b"2"})
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    assert fetch.files() == {"train.py": b"print(1)\n", "deep/ü b": b"2"}
    assert fetch.told[-1] == VolumeProgress(
        total=2, processed=2, completed=2, bytes=10, bytes_total=10, commit=commit
    )  # fmt: skip
    assert fetch.sync.pulled(9) == {"commit": commit}
    assert (fetch.data / "deep").stat().st_uid == OWNER[0]
    assert list((fetch.data / ".git").glob("hooks/*")) == []


def test_a_job_can_ask_git_for_the_commit(server: GitServer, place: Path) -> None:
    commit = server.create("r", {"a": "1"})
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=fetch.data, user=OWNER[0], group=OWNER[1], extra_groups=[], check=True,
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert asked.stdout.strip() == commit


@pytest.mark.parametrize("ref", ["main", "feature/x", "v1.0"])
def test_a_branch_or_tag(server: GitServer, place: Path, ref: str) -> None:
    server.create("r", {"a": "main"})
    server.commit("r", {"a": "feature/x"}, branch="feature/x")
    server.git("r", "tag", "-a", "-m", "released", "v1.0", server.commit("r", {"a": "v1.0"}, branch="other"))
    fetch = Fetch(f"{server.url('r')}@{ref}", server, place)
    fetch.run()
    assert fetch.files() == {"a": ref.encode()}


def test_what_is_there_is_not_fetched_again(server: GitServer, place: Path) -> None:
    commit = server.create("r", {"a": "1"})
    Fetch(server.url("r"), server, place).run()
    server.commit("r", {"a": "2"})
    asked = len(server.asked)
    again = Fetch(server.url("r"), server, place)
    again.run()
    again.sync.pull(running=True)
    assert again.sync.pulled(9) == {"commit": commit}
    assert (again.files(), again.told[-1].commit, len(server.asked)) == ({"a": b"1"}, commit, asked)


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("none", InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND, "no public repository"),
        ("r@no-such", InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND, "no such branch or tag"),
        ("empty", InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND, "no commit at all"),
    ],
)
def test_what_is_not_there(server: GitServer, place: Path, source: str, code: InfoCode, words: str) -> None:
    server.create("r", {"a": "1"})
    subprocess.run(["git", "init", "--quiet", "--bare", server.directory / "empty.git"], check=True)
    name, _, ref = source.partition("@")
    for check_first in (True, False):
        fetch = Fetch(server.url(name) + (f"@{ref}" if ref else ""), server, place)
        if not check_first:
            fetch.sync.check = lambda: None  # type: ignore[method-assign]  # it went away after the check
        fault = fetch.fault()
        assert isinstance(fault, UserFault)
        assert fault.code is code
        assert words in str(fault)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, UserFault, InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND),
        (403, UserFault, InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN),
        (404, UserFault, InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND),
        (429, PlatformFault, InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR),
        (503, PlatformFault, InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR),
    ],
)
def test_what_a_server_refuses(server: GitServer, place: Path, status: int, kind: type, code: InfoCode) -> None:
    server.create("r", {"a": "1"})
    server.status = status
    fault = Fetch(server.url("r"), server, place).fault()
    assert (type(fault), fault.code) == (kind, code), str(fault)


def test_a_server_that_is_away_or_silent(server: GitServer, place: Path) -> None:
    fault = Fetch(f"https://127.0.0.1:{free_port()}/r.git", server, place).fault()
    assert (type(fault), fault.code) == (PlatformFault, InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR)
    server.create("r", HUNDRED_BLOBS)
    server.hold_after = 100_000
    fault = Fetch(server.url("r"), server, place, git_stall_seconds=1).fault()
    assert (type(fault), fault.code) == (PlatformFault, InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR), str(fault)


def test_a_fetch_has_its_time(server: GitServer, place: Path) -> None:
    server.create("r", HUNDRED_BLOBS)
    server.hold_after = 100_000
    began = time.monotonic()
    fault = Fetch(server.url("r"), server, place, git_timeout_seconds=2).fault()
    assert "longer than 2 s; raise host.git_timeout_seconds" in str(fault)
    assert fault.code is InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
    assert time.monotonic() - began < 10


def test_a_certificate_that_nobody_vouches_for(server: GitServer, place: Path) -> None:
    server.create("r", {"a": "1"})
    fault = Fetch(server.url("r"), server, place, ca_file=None).fault()
    assert (type(fault), fault.code) == (UserFault, InfoCode.DATASYNC_AUTHENTICATE_FAILED)
    assert "host.ca_file" in str(fault)
    fault = Fetch(server.url("r"), server, place, ca_file="/nonexistent/ca.pem").fault()
    assert isinstance(fault, PlatformFault), str(fault)
    assert "name a PEM file" in str(fault)


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}", "file:///etc", "ssh://127.0.0.1:{port}"])
def test_a_server_cannot_lead_away_from_https(server: GitServer, place: Path, target: str) -> None:
    server.location = target.format(port=free_port())
    fault = Fetch(server.url("r"), server, place).fault()
    assert isinstance(fault, UserFault), str(fault)


def test_nothing_of_the_worker_reaches_git(server: GitServer, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables that steer git, nor a configuration with a program to run."""
    server.create("r", {"a": "1", ".gitattributes": "* filter=evil\n"})
    home = place.parent / "home"
    home.mkdir()
    touched = place.parent / "touched"
    home.chmod(0o777)
    evil = f"touch {touched}"
    (home / ".gitconfig").write_text(
        f'[filter "evil"]\n\tsmudge = {evil}\n\trequired = true\n[credential]\n\thelper = !{evil}\n'
        f"[core]\n\tfsmonitor = {evil}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    assert fetch.files()["a"] == b"1"
    assert not touched.exists()
    (place.parent / "untrusted").mkdir()
    untrusted = Fetch(server.url("r"), server, place.parent / "untrusted", ca_file=None).fault()
    assert untrusted.code is InfoCode.DATASYNC_AUTHENTICATE_FAILED


def test_links_are_the_jobs_own_affair(server: GitServer, place: Path) -> None:
    outside = place.parent / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    server.create("r", {"a": "1", "link:shadow": "/etc/shadow", "link:out": str(outside)})
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    assert (fetch.data / "shadow").readlink() == Path("/etc/shadow")
    assert fetch.told[-1].completed == 3
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"git~1", b"a/../../b", b"."])
def test_a_tree_cannot_name_what_is_outside(server: GitServer, place: Path, name: bytes) -> None:
    server.create("r", {"a": "1"})
    blob = server.git("r", "hash-object", "-w", "--stdin", given=b"evil")
    inner = server.tree("r", [("100644", b"evil", blob)])
    server.commit_tree("r", server.tree("r", [("40000", name, inner)]))
    fault = Fetch(server.url("r"), server, place).fault()
    assert isinstance(fault, UserFault), str(fault)
    assert list(place.parent.rglob("evil")) == []


def test_a_link_and_a_directory_of_one_name(server: GitServer, place: Path) -> None:
    """The classic: a link is laid down first, then a file through it."""
    outside = place.parent / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    server.create("r", {"a": "1"})
    blob = server.git("r", "hash-object", "-w", "--stdin", given=b"evil")
    link = server.git("r", "hash-object", "-w", "--stdin", given=str(outside).encode())
    inner = server.tree("r", [("100644", b"evil", blob)])
    server.commit_tree("r", server.tree("r", [("120000", b"x", link), ("40000", b"x", inner)]))
    fault = Fetch(server.url("r"), server, place).fault()
    assert isinstance(fault, UserFault), str(fault)
    assert list(outside.iterdir()) == []


def test_submodules_are_counted_and_not_fetched(server: GitServer, place: Path) -> None:
    server.create("r", {"a": "1"})
    module = server.git("r", "rev-parse", "main")
    text = f'[submodule "m"]\n\tpath = m\n\turl = {server.url("other")}\n\tupdate = !touch /evil\n'.encode()
    harmless = server.git("r", "hash-object", "-w", "--stdin", given=text.replace(b"\tupdate = !touch /evil\n", b""))
    server.commit_tree("r", server.tree("r", [("100644", b".gitmodules", harmless), ("160000", b"m", module)]))
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    assert (fetch.told[-1].completed, fetch.told[-1].skipped, fetch.told[-1].total) == (1, 1, 2)
    assert not any("other" in path for path in server.asked)
    evil = server.git("r", "hash-object", "-w", "--stdin", given=text)
    server.commit_tree("r", server.tree("r", [("100644", b".gitmodules", evil), ("160000", b"m", module)]))
    assert isinstance(Fetch(server.url("r"), server, place.parent / "second").fault(), UserFault)


def test_a_bomb_is_refused_before_it_is_laid_down(server: GitServer, place: Path) -> None:
    """Ten trees of ten, one inside the other: ten billion files in some hundred bytes."""
    server.create("r", {"a": "1"})
    it, mode = server.git("r", "hash-object", "-w", "--stdin", given=b"boom"), "100644"
    for _ in range(10):
        it, mode = server.tree("r", [(mode, b"f%d" % number, it) for number in range(10)]), "40000"
    server.commit_tree("r", it)
    fault = Fetch(server.url("r"), server, place).fault()
    assert isinstance(fault, UserFault)
    assert "more than 500000 files (host.git_max_files)" in str(fault)


def test_large_repositories_are_refused(server: GitServer, place: Path) -> None:
    server.create("packed", {"large": os.urandom(3 * 1024**2)})
    server.create("bomb", {"large": bytes(3 * 1024**2)})
    for name in ("packed", "bomb"):
        fault = Fetch(server.url(name), server, place, git_max_mib=2).fault()
        assert isinstance(fault, UserFault), str(fault)
        assert "git_max_mib" in str(fault)


def test_a_stop_order_ends_a_long_clone(server: GitServer, place: Path) -> None:
    server.create("r", HUNDRED_BLOBS)
    server.hold_after = 100_000
    fetch = Fetch(server.url("r"), server, place)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            fetch.run()
        except StepCancelled as late:
            ended.append(late)

    thread = threading.Thread(target=run)
    thread.start()
    assert server.held.wait(30)
    assert gits(place), "git is at work"
    ordered = time.monotonic()
    fetch.stop.set()
    thread.join(30)
    assert time.monotonic() - ordered < 8, "2 s on a machine that does nothing else"
    assert len(ended) == 1
    ended_within(place, 5)
    assert list(place.iterdir()) == []


def test_a_worker_that_is_killed_leaves_nothing_in_the_way(server: GitServer, place: Path) -> None:
    commit = server.create("r", HUNDRED_BLOBS)
    server.hold_after = 100_000
    script = (
        "import sys; from pathlib import Path; from aitrain.domain.volume import Volume; "
        "from aitrain.settings import HostSettings; from workers.datasync import GitSync; "
        "GitSync(Volume.parse(sys.argv[1]), "
        "HostSettings(ca_file=Path(sys.argv[2]), git_stall_seconds=2), Path(sys.argv[3]), "
        "owner=(42420, 42420), checkpoint=lambda: None, report=print).pull()"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", script, f"{server.url('r')}:/code", str(server.ca_file), str(place)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    try:
        assert server.held.wait(60)
        assert gits(place)
        worker.kill()
        worker.wait()
        # git dies with its worker; the helper that waits for the network, when that has said nothing for its time.
        ended_within(place, 15)
    finally:
        if worker.poll() is None:
            end_tree(worker.pid)
    assert not (place / "data").exists()
    server.hold_after = None
    fetch = Fetch(server.url("r"), server, place)
    fetch.run()
    assert fetch.files() == HUNDRED_BLOBS
    assert fetch.told[-1].commit == commit
    assert [path.name for path in place.iterdir()] == ["data"]


def test_a_data_directory_that_the_job_cannot_cross_is_named(server: GitServer, tmp_path: Path) -> None:
    server.create("r", {"a": "1"})
    fetch = Fetch(server.url("r"), server, tmp_path)
    with pytest.raises(PlatformFault, match=r"cross host\.data_dir"):
        fetch.run()


def ended_within(place: Path, seconds: float) -> None:
    """Waits until nothing works in a volume's directory: a kill takes a moment to take effect."""
    end = time.monotonic() + seconds
    while gits(place):
        assert time.monotonic() < end, "git outlived its worker"
        time.sleep(0.05)


def gits(place: Path) -> list[int]:
    """The processes that work in a volume's directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(place):
                found.append(int(process.name))
        except OSError:
            continue
    return found
