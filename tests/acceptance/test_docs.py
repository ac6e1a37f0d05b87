"""Every command in the documents is run, page by page, on a real site; what cannot be run here is looked up."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from aitrain.cli.app import app
from deploy.docs.commands import walk
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.images import busybox_root
from workers.scratch.servers import DockerEngine, S3Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if "generated" not in page.parts)]
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.M | re.S)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
IMAGE = "registry.example/vision/trainer:1.4"
# Stands for the images of the pages: what it is given to train is not what is tried here.
TRAINER = "#!/bin/sh\necho trained\nif [ -w /output ]; then echo weights > /output/model.txt; fi\n"

# Not run, and why. Those of aitrain are looked up among its commands.
NOT_RUN = {
    "make ": "installs packages on the machine, or runs what this suite is",
    ". .local/": "the site's settings are there already",
    "docker login": "asks a registry that is only an example",
    "export AITRAIN_CONFIG": "would take the site's settings away",
    "aitrain host": "runs for ever; `aitrain host COMMAND` is run",
    "aitrain control": "runs for ever",
    "aitrain beat": "runs for ever",
    "aitrain flower": "runs for ever",
    "aitrain doctor": "judges this machine, which is no GPU host; its own tests run it",
    "aitrain drill": "has tests of its own; takes minutes",
    "aitrain simulate": "has tests of its own; takes minutes",
    "aitrain bill prune": "refuses a month that is not over for 400 days, as it should",
    "aitrain bill export": "refuses a month that is not final yet, as it should",
    "aitrain receipt": "needs a site with a key; its own tests run it",
    "aitrain job retry-push": "needs a push that failed; its own tests run it",
    "aitrain data kept": "runs on a host, with its settings; its own tests run it",
}
# What a page takes as given.
GIVEN = {
    "docs/how-to/data-in-and-out.md": (
        f"aitrain job run {IMAGE} --cpu 1 --name checkpoints --volume datasets@s3/digits:/data:ro "
        "--volume results@s3/checkpoints:/output:rw -- sleep 600",
        'until aitrain job list | grep -q "RUNNING"; do :; done',
    ),
}
# What ends what a page leaves behind, so that it holds nothing up on the next ones.
AFTER = {"docs/how-to/data-in-and-out.md": ("aitrain job stop checkpoints",)}


def commands(page: Path) -> list[str]:
    """The commands of a page, in order."""
    lines = [line.strip() for block in BLOCK.findall(page.read_text()) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def reason_not_to_run(command: str) -> str | None:
    """Why a command is not run here."""
    for beginning, reason in NOT_RUN.items():
        if command.startswith(beginning) and not (beginning == "aitrain host" and command.strip() != beginning):
            return reason
    return None


WITH_COMMANDS = [page for page in PAGES if any(reason_not_to_run(command) is None for command in commands(page))]


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine, s3: S3Server) -> Iterator[Fleet]:
    """A site with what the pages speak of: a host, its data, and their images."""
    key = subprocess.run(
        [str(Path(sys.executable).parent / "aitrain"), "datastore", "new-key"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    fleet = make_fleet(encryption_keys=[key])
    api = fleet.docker.api
    api.import_image_from_data(busybox_root(), repository="aitrain-local/plain", tag="1")
    made = api.create_container("aitrain-local/plain:1", ["true"])["Id"]
    for name in ("bin/python", "bin/python3"):
        api.put_archive(made, "/", _tar(name, TRAINER))
    for image in (IMAGE, "aitrain-local/digits:1"):
        repository, _, tag = image.rpartition(":")
        api.commit(made, repository=repository, tag=tag, conf={"Cmd": ["python3", "train.py"]})
    api.remove_container(made)
    for bucket in ("datasets", "results"):
        if bucket not in {known["Name"] for known in fleet.s3.list_buckets()["Buckets"]}:
            fleet.s3.create_bucket(Bucket=bucket)
    for key_name in ("digits/train.npz", "imagenet/1.jpg"):
        fleet.s3.put_object(Bucket="datasets", Key=key_name, Body=b"data")
    with fleet.site.control(), fleet.site.beat(), fleet.site.host("gpu-01", {"cpu": 4}, engine.url):
        eventually(fleet.client.hosts, what="a host")
        yield fleet


def _tar(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run(fleet: Fleet, s3: S3Server, page: Path, tmp_path: Path) -> None:
    given = GIVEN.get(str(page.relative_to(ROOT)), ())
    after = AFTER.get(str(page.relative_to(ROOT)), ())
    run = [*given, *(command for command in commands(page) if reason_not_to_run(command) is None), *after]
    script = "set -e -o pipefail\n" + "".join(f"echo ':: '{_quoted(line)} >&2\n{line}\n" for line in run)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL,
        env={
            **os.environ, **fleet.site.environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ENDPOINT": s3.url, "ACCESS_KEY_ID": s3.access_key_id,
            "AITRAIN_SECRET_ACCESS_KEY": s3.secret_access_key,
        },
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_every_command_that_a_page_names_is_there() -> None:
    known = {" ".join(path) for path, _ in walk(get_command(app), ("aitrain",))}
    groups = {" ".join(path) for path, command in walk(get_command(app), ("aitrain",)) if hasattr(command, "commands")}
    for page in PAGES:
        named = [*commands(page), *re.findall(r"`(aitrain [a-z][^`]*)`", page.read_text())]
        for text in named:
            words = re.match(r"aitrain(?: [a-z][a-z-]*)*", text)
            if words is None or words.group() == "aitrain":
                continue
            parts = words.group().split()
            assert " ".join(parts[:2]) in known, f"{page.name}: {text}"
            if " ".join(parts[:2]) in groups and len(parts) > 2:
                assert " ".join(parts[:3]) in known, f"{page.name}: {text}"


def test_no_page_has_commands_that_are_not_run() -> None:
    for page in PAGES:
        for block in re.findall(r"^```\n(.*?)^```", page.read_text(), re.M | re.S):
            assert not re.search(r"^(\$ )?aitrain [a-z]", block, re.M), f"{page.name}: fence this as console:\n{block}"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-E", "-b", "html", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', page.read_text()), f"{page}"
