"""Everything that the documents have to type is run, page by page, on a real site; what cannot be is looked up."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from aitrain import AsyncClient, Buckets, Client, DataStores
from aitrain.cli.app import app
from deploy.docs import commands as commands_page
from deploy.docs import configuration
from deploy.docs.commands import walk
from tests.acceptance.conftest import Fleet, eventually
from tests.acceptance.warm import warm_aitrain
from tests.pages import DOCS, PAGES, ROOT, blocks, codes, commands, faults
from workers.scratch.images import busybox_root
from workers.scratch.servers import DockerEngine, S3Server
from workers.scratch.site import CLI

IMAGE = "registry.example/vision/trainer:1.4"
# Stands for the images of the pages: what it is given to train is not what is tried here.
TRAINER = "#!/bin/sh\necho trained\nif [ -w /output ]; then echo weights > /output/model.txt; fi\n"
HOST, UNITS = "gpu-01", {"cpu": 4, "v100s": ["GPU-8f6"]}
# As large as this machine has it.
FLAVORS = {
    "v100s": {"kind": "gpu", "cpu": 1, "memory_gib": 1, "hourly_price": "1.93", "default": True},
    "cpu": {"kind": "cpu", "cpu": 1, "memory_gib": 1, "hourly_price": "0.03", "default": True},
}

# Not run, and why. Those of aitrain are looked up among its commands.
FOR_EVER = "runs for ever; the site that the pages run on is made of these"
NOT_RUN = {
    "make": "installs packages on the machine, or runs what this suite is",
    "aitrain registry add": "asks a registry that is only an example; its own tests run it",
    "iptables": "changes this machine's firewall; tests/integration/workers/test_walls.py does it in one of its own",
    "aitrain host": FOR_EVER,
    "aitrain control": FOR_EVER,
    "aitrain beat": FOR_EVER,
    "aitrain flower": "runs for ever; its own tests run it",
    "aitrain metrics": "runs for ever; its own tests run it",
    "aitrain doctor": "judges this machine, which is no GPU host; its own tests run it",
    "redis-cli": "asks a server that is only an example; tests of the site's files do the same",
    "aitrain drill": "takes minutes, and breaks servers; its own tests run it",
    "aitrain job retry-push": "needs a push that failed; its own tests run it",
    "aitrain receipt new-key": "was run before: the site that the pages run on has that key",
    "aitrain bill export": "needs minutes of a month that is over; its own tests run it",
    "aitrain bill prune": "needs minutes of a month that is over for 400 days; its own tests run it",
}
# What a page takes as given.
GIVEN = {
    "docs/how-to/data-in-and-out.md": (
        f"aitrain job run {IMAGE} --cpu 1 --name checkpoints --volume datasets@s3/digits:/data:ro "
        "--volume results@s3/checkpoints:/output:rw -- sleep 600",
        'until aitrain job list --name checkpoints | grep -q "RUNNING"; do :; done',
    ),
    "docs/how-to/look-into-a-job.md": (
        f"aitrain job run {IMAGE} --cpu 1 --name busy -- sleep 600",
        'until aitrain job list --name busy | grep -q "RUNNING"; do :; done',
    ),
    "docs/how-to/run-under-systemd.md": ("cp aitrain.toml host.toml",),
    "docs/how-to/secrets.md": ("echo hunter2 > wandb.key",),
    "docs/how-to/receipts.md": (
        f"JOB=$(aitrain job run {IMAGE} --cpu 1 -- true)",
        'aitrain job wait "$JOB"',
        'until aitrain receipt show "$JOB" > receipt.json 2> /dev/null; do :; done',
    ),
}
GIVEN["docs/reference/receipts.md"] = GIVEN["docs/how-to/receipts.md"]
# What ends what a page leaves behind, so that it holds nothing up on the next ones.
AFTER = {
    "docs/how-to/data-in-and-out.md": ("aitrain job stop checkpoints",),
    "docs/how-to/look-into-a-job.md": ("aitrain job stop busy",),
}


def reason_not_to_run(command: str) -> str | None:
    """Why a command is not run here. `aitrain host` is not one of the commands on hosts, as `aitrain host list`."""
    words = command.partition("#")[0].split()
    for beginning, reason in NOT_RUN.items():
        length = len(beginning.split())
        if " ".join(words[:length]) == beginning and (reason is not FOR_EVER or len(words) == length):
            return reason
    return None


def lines(page: Path, directory: Path) -> list[str]:
    """A page as lines of a shell, in order. Files that it shows or runs are laid into the directory."""
    found = []
    for number, block in enumerate(blocks(page)):
        match block.language:
            case "console":
                found += [command for command in commands(block) if reason_not_to_run(command) is None]
            case "python" | "sh":
                (directory / f"block-{number}").write_text(block.text)
                found.append(f"{block.language} block-{number}")
            case "toml":
                tomllib.loads(block.text)
                if name := re.match(r"# ([a-z]+\.toml)\n", block.text):
                    (directory / name.group(1)).write_text(block.text)
    return found


# Followed from beginning to end by a test of its own, on an engine of its own.
FOLLOWED = {"docs/how-to/deploy-with-compose.md": "tests/acceptance/test_compose.py"}
WITH_LINES = [
    page
    for page in PAGES
    if str(page.relative_to(ROOT)) not in FOLLOWED
    if any(block.language in ("python", "sh", "toml") for block in blocks(page))
    or any(reason_not_to_run(command) is None for block in blocks(page) for command in commands(block))
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Sphinx at work on the site in docs/, while the pages wait for their jobs."""
    folder = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", str(DOCS), str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        yield process, folder
        process.kill()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an `aitrain` that starts quickly."""
    with warm_aitrain(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture(scope="module")
def fleet(
    build: object,
    warm: Path,
    make_fleet: Callable[..., Fleet],
    engine: DockerEngine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """A site with what the pages speak of: a host, its data, and their images."""

    def aitrain(*arguments: str) -> str:
        return subprocess.run([warm / "aitrain", *arguments], capture_output=True, text=True, check=True).stdout

    keys = tmp_path_factory.mktemp("keys")
    (keys / "site.pem").write_text(aitrain("receipt", "new-key", str(keys / "receipts.pem")))
    fleet = make_fleet(flavors=FLAVORS, receipts={"key_file": str(keys / "receipts.pem")})
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
    with fleet.site.control(), fleet.site.beat(), fleet.site.host(HOST, UNITS, engine.url):
        eventually(fleet.client.hosts, what="a host")
        eventually(fleet.client._store.makes_receipts, what="a control worker with the key")
        yield fleet


def _tar(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


@pytest.fixture
def directory(fleet: Fleet, tmp_path: Path) -> Path:
    """Where a page is followed: with the files that it takes as given."""
    (tmp_path / "aitrain.toml").write_bytes((ROOT / "deploy/aitrain.example.toml").read_bytes())
    (tmp_path / "site.pem").write_bytes((fleet.site.settings.receipts.key_file.parent / "site.pem").read_bytes())
    settings = tmp_path / ".local/demo/site.env"
    settings.parent.mkdir(parents=True)
    variables = fleet.site.environment().items()
    settings.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables))
    (tmp_path / "control/ask").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("page", WITH_LINES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_has_to_type_runs(fleet: Fleet, s3: S3Server, warm: Path, page: Path, directory: Path) -> None:
    name = str(page.relative_to(ROOT))
    run = [*GIVEN.get(name, ()), *lines(page, directory), *AFTER.get(name, ())]
    # The folder of the pages' settings is no other than this one.
    run = [line.replace("/etc/aitrain", str(directory)) for line in run]
    script = "set -e -o pipefail\n" + "".join(f"echo {shlex.quote(f':: {line}')} >&2\n{line}\n" for line in run)
    host = {"name": HOST, "units": UNITS, "data_dir": str(fleet.site.directory / HOST)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=directory, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL,
        env={
            **os.environ, **fleet.site.environment(host=host), "HOME": str(directory),
            "PATH": f"{warm}:{Path(CLI).parent}:{os.environ['PATH']}",
            "ENDPOINT": s3.url, "ACCESS_KEY_ID": s3.access_key_id, "AITRAIN_CONTROL": str(directory / "control"),
            "AITRAIN_SECRET_ACCESS_KEY": s3.secret_access_key,
        },
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_every_command_that_a_page_names_is_there_with_its_options() -> None:
    known = dict(walk(get_command(app), ("aitrain",)))
    for page in PAGES:
        typed = [command for block in blocks(page) for command in commands(block)]
        for text in [*typed, *codes(page)]:
            if re.match(r"aitrain [a-z]", text):
                assert not (problem := _unknown(text, known)), f"{page.relative_to(ROOT)}: `{text}`: {problem}"


def _unknown(text: str, known: dict[tuple[str, ...], Any]) -> str:
    """What of a command, as a page writes it, aitrain does not have: "" if nothing."""
    words = re.split(r" (?:--(?= )|[|>#&])|\n#", text.replace("\\\n", " "))[0].split()
    path = next((tuple(words[:length]) for length in (4, 3, 2) if tuple(words[:length]) in known), None)
    if path is None:
        return f"there is no {' '.join(words[:2])}"
    command = known[path]
    following = words[len(path)] if len(words) > len(path) else ""
    if hasattr(command, "list_commands") and re.fullmatch(r"[a-z][a-z-]*", following):
        return f"{' '.join(path)} has no {following}"
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    for word in words[len(path) :]:
        given = re.match(r"\[?(--[a-z][a-z-]*|-[a-z]+)", word)
        if given and not given.group(1).startswith("--"):
            missing = [f"-{letter}" for letter in given.group(1)[1:] if f"-{letter}" not in options]
        else:
            missing = [given.group(1)] if given and given.group(1) not in options else []
        if missing:
            return f"{' '.join(path)} has no {missing[0]}"
    return ""


def test_nothing_is_excused_or_given_that_no_page_has() -> None:
    every = [command for page in PAGES for block in blocks(page) for command in commands(block)]
    excused = [command for command in every if reason_not_to_run(command) is not None]
    assert [one for one in NOT_RUN if not any(command.startswith(one) for command in excused)] == []
    assert {*GIVEN, *AFTER} <= {str(page.relative_to(ROOT)) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_nothing_to_type_that_is_not_run(page: Path) -> None:
    assert list(faults(page)) == []


@pytest.mark.parametrize(
    "text",
    [
        "```\naitrain job list\n```",
        "```python\nprint()\n```\n\n```\naitrain usage\n```",
        "- one\n\n  ```text\n  $ aitrain usage\n  ```",
        "~~~~\n```console\n$ aitrain usage\n```\n~~~~",
        "````text\n```\naitrain usage\n```\n````",
        "```bash\naitrain usage\n```",
        "```console\naitrain usage\n```",
        "```console\n$ aitrain usage\naitrain prices\n```",
        "```console\nwhat it says\n```",
        "```\n# users\naitrain job list | get ID\n```",
        "    aitrain usage\n",
        "    client = Client()\n",
        "<pre>\naitrain usage\n</pre>",
        "```\nasync with AsyncClient() as client:\n```",
        ":::{code-block} console\naitrain usage\n:::",
    ],
)
def test_no_wrong_fence_hides_what_is_typed(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(f"# A page\n\n{text}\n")
    assert list(faults(tmp_path / "page.md"))


def test_every_setting_and_option_says_what_it_is() -> None:
    assert not re.findall(r"^\| `.*\|  \|$", configuration.render(), re.M)
    assert not re.findall(r"^\| `[^|]*`  ?\|  \|.*$", commands_page.render(), re.M)


def test_the_table_of_rooms_has_them_all() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [path for top in ("aitrain", "workers") for path in (ROOT / top).iterdir()]
    names = [path.name for path in rooms if path.is_dir() and (path / "__init__.py").exists()]
    names += [path.name for path in (ROOT / "aitrain").glob("[!_]*.py")]
    assert [name for name in names if name not in told] == []


def test_the_examples_are_run() -> None:
    tests = (ROOT / "tests/acceptance/test_python_door.py").read_text()
    for path in (DOCS / "examples").glob("*.py"):
        assert f'example(fleet, "{path.stem}"' in tests, f"no test runs {path.name}"
    for page in PAGES:
        for block in blocks(page):
            if block.language == "{literalinclude}":
                assert (page.parent / block.about).resolve().parent == DOCS / "examples"


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(build: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = build
    _, said = process.communicate(timeout=150)
    assert process.returncode == 0, said
    drawn = (folder / "reference/python-api.html").read_text()
    for owner in (Client, AsyncClient, Buckets, DataStores):
        missing = [
            name for name in dir(owner) if name[0] != "_" and f'id="aitrain.{owner.__name__}.{name}"' not in drawn
        ]
        assert missing == [], f"the reference does not have these of {owner.__name__}"
    for page in folder.rglob("*.html"):
        tags = re.findall(r"<(?:script|link|img|iframe|source|object)\b[^>]*>", page.read_text())
        assert not [tag for tag in tags if re.search(r"""(?:src|href|data)=["']?(?:https?:)?//""", tag)], page
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", sheet.read_text()), sheet
