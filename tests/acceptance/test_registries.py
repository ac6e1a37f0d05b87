"""Private registries of projects and the site's shared one, through the real command line, control worker and host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from aitrain import Client, InvalidInput, RegistryNotFound, submit_job
from tests.acceptance.conftest import QUICK, Fleet, eventually
from tests.acceptance.test_data_stores import everything_in
from tests.certificates import Authority
from tests.registries import PASSWORD, USER, push, seen_by_all
from workers.runtime import ImageAccess, Labels, Right
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, free_port
from workers.scratch.site import CLI, LocalSite

TIMING = {**QUICK, "retry_pause_seconds": 0.2}
# Not of loopback, where engines ask for no certificate.
OFF_LOOPBACK = "10.213.94.2"
SITE_PASSWORD = "hunter2-of-the-site"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine) -> Iterator[Registry]:
    """Of one project."""
    with seen_by_all(tmp_path_factory.mktemp("private"), engine, (USER, PASSWORD)) as server:
        raw = docker.DockerClient(base_url=engine.url)
        push(raw, f"{server.address}/tool:1", ImageAccess("", Right.PROJECT, USER, PASSWORD))
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine) -> Iterator[Registry]:
    """Of the site."""
    with Registry(tmp_path_factory.mktemp("shared"), engine, user=("puller", SITE_PASSWORD)) as server:
        raw = docker.DockerClient(base_url=engine.url)
        for path in ("red", "blue", "base"):
            push(raw, f"{server.address}/{path}/tool:1", ImageAccess("", Right.SITE, "puller", SITE_PASSWORD))
        yield server


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("password") / "registry.password"
    file.write_text(f"{SITE_PASSWORD}\n")
    return file


@pytest.fixture(scope="module")
def knowing(make_fleet: Callable[..., Fleet], shared: Registry, password_file: Path) -> LocalSite:
    """The site as its hosts know it: with its shared registry."""
    section = {
        "server": shared.address, "user": "puller", "password_file": str(password_file), "common": ["base"],
    }  # fmt: skip
    return make_fleet(timing=TIMING, shared_registry=section).site


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine, knowing: LocalSite) -> Iterator[Fleet]:
    """The site as its producers and control workers know it: without its shared registry."""
    fleet = make_fleet(timing=TIMING, namespace=knowing.settings.namespace)
    with fleet.site.control(), knowing.host("h1", {"cpu": 2}, engine.url):
        eventually(fleet.client._store.site_keys, what="a control worker with a key")
        yield fleet


@pytest.fixture
def project() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def aitrain(site: LocalSite, *arguments: str, typed: str = "", status: int = 0) -> str:
    done = subprocess.run(
        [CLI, *arguments], env={**os.environ, **site.environment()}, input=typed, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{said}"
    assert not typed or typed.strip() not in said
    return said


def add(site: LocalSite, project: str, server: str, password: str, *more: str, status: int = 0) -> str:
    arguments = ("registry", "add", project, server, "--user", USER, "--password-stdin", *more)
    return aitrain(site, *arguments, typed=f"{password}\n", status=status)


def test_a_job_whose_image_its_project_alone_may_have(
    fleet: Fleet, knowing: LocalSite, private: Registry, redis: RedisServer, project: str
) -> None:
    image = f"{private.address}/tool:1"
    assert f"{private.address} is a registry of project {project}" in add(
        fleet.site, project, private.address, PASSWORD
    )
    run = ("job", "run", image, "--cpu", "1", "--project", project, "--", "sleep", "60")
    job = fleet.client.get(aitrain(fleet.site, *run).split()[0])
    fleet.until(job, "RUNNING")
    inspected = [json.dumps(fleet.docker.api.inspect_container(one["Id"])) for one in fleet.containers(job)]
    # What the engine has now, another project does not get.
    other = fleet.end(fleet.submit("true", project="stranger", image=image))
    assert (other.state, other.code) == ("FAILED", "JOB_IMAGE_PULL")
    assert "wants a user, and project 'stranger' has none for it: add one with" in other.message
    assert f"`aitrain registry add stranger {private.address}`" in other.message
    fleet.client.stop(job.id)
    fleet.end(job)

    shown = json.loads(aitrain(fleet.site, "registry", "show", project, private.address, "-o", "json"))
    assert (shown["user"], shown["checked"], shown["ca"]) == (USER, True, None)
    told = [json.dumps(shown), other.model_dump_json(), *inspected, *everything_in(redis)]
    told += [fleet.client.get(job.id).model_dump_json()]
    told += [file.read_text() for file in Path(fleet.site.directory).glob("*.log")]
    told += [file.read_text(errors="replace") for file in knowing.directory.rglob("*") if file.is_file()]
    assert "aitrain.check_registry[" in "".join(told), "the control worker's log was looked at"
    assert Labels.JOB in "".join(inspected)
    assert not [text for text in told if PASSWORD in text]


def test_a_registry_of_a_private_authority(fleet: Fleet, engine: DockerEngine, project: str, tmp_path: Path) -> None:
    """Not on loopback, where engines ask for no certificate; so the control worker does not reach it here."""
    user, authority = (USER, PASSWORD), Authority.make(tmp_path)
    with Registry(tmp_path, engine, user=user) as plain:
        push(fleet.docker, f"{plain.address}/tool:1", ImageAccess("", Right.PROJECT, *user))
    enter = engine.namespace.enter
    subprocess.run([*enter, "ip", "address", "replace", f"{OFF_LOOPBACK}/32", "dev", "lo"], check=True)
    certificate = authority.server(OFF_LOOPBACK)
    with Registry(tmp_path, engine, user=user, host=OFF_LOOPBACK, certificate=certificate) as server:
        image, laid = f"{server.address}/tool:1", Path("/etc/docker/certs.d") / server.address
        fleet.client.registries.add(project, server.address, *user, check=False)
        ended = fleet.end(fleet.submit("true", project=project, image=image))
        assert (ended.state, ended.code) == ("FAILED", "JOB_IMAGE_PULL")
        assert "--ca-file" in ended.message
        ca = authority.certificate
        add(fleet.site, project, server.address, PASSWORD, "--ca-file", str(ca), "--no-check")
        try:
            ended = fleet.end(fleet.submit("true", project=project, image=image))
            assert ended.state == "DONE", ended.message
        finally:
            shutil.rmtree(laid, ignore_errors=True)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": "hunter2-wrong"}, "password"),
        ({"user": "nobody"}, "password"),
        ({"server": "away"}, "server"),
        ({"server": "s3"}, "server"),
        ({"server": "https://x"}, "server"),
        ({"ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}, "ca"),
    ],
)
def test_what_cannot_be_used_is_not_added(
    fleet: Fleet, private: Registry, s3: S3Server, project: str, wrong: dict[str, str], field: str
) -> None:
    places = {"away": f"127.0.0.1:{free_port()}", "s3": s3.url.removeprefix("http://")}
    server = wrong.get("server", private.address)
    given = {"user": USER, "password": PASSWORD, **wrong, "server": places.get(server, server)}
    with pytest.raises(InvalidInput) as caught:
        fleet.client.registries.add(project, **given)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "hunter2" not in str(caught.value)
    assert fleet.client.registries.list(project) == []


def test_a_password_that_is_wrong_by_now(fleet: Fleet, private: Registry, project: str) -> None:
    said = add(fleet.site, project, private.address, "hunter2-wrong", status=2)
    assert "refused by registry" in said
    fleet.client.registries.add(project, private.address, USER, "hunter2-wrong", check=False)
    ended = fleet.end(fleet.submit("true", project=project, image=f"{private.address}/tool:1"))
    assert (ended.state, ended.code) == ("FAILED", "JOB_IMAGE_PULL")
    assert f"does not take user '{USER}' of project '{project}'" in ended.message
    assert "hunter2" not in ended.message
    assert not fleet.client.registries.show(project, private.address).checked


def test_removal(fleet: Fleet, private: Registry, project: str) -> None:
    image = f"{private.address}/tool:1"
    fleet.client.registries.add(project, private.address, USER, PASSWORD)
    job = fleet.submit("sleep", "60", project=project, image=image)
    answer = fleet.client.registries.remove(project, private.address)
    assert (answer.done, answer.jobs) == (False, [job.id])
    assert job.id in aitrain(fleet.site, "registry", "remove", project, private.address, status=1)
    fleet.until(job, "RUNNING")
    assert fleet.client.registries.remove(project, private.address, force=True).done
    with pytest.raises(RegistryNotFound, match="registry list"):
        fleet.client.registries.remove(project, private.address)
    fleet.client.stop(job.id)
    fleet.end(job)
    assert fleet.client.start(job.id).done
    ended = fleet.end(job)
    assert (ended.state, ended.code) == ("FAILED", "JOB_IMAGE_PULL")


def test_the_shared_registry_has_a_path_for_each_project(fleet: Fleet, knowing: LocalSite, shared: Registry) -> None:
    for path in ("red", "base"):
        ended = fleet.end(fleet.submit("true", project="red", image=f"{shared.address}/{path}/tool:1"))
        assert ended.state == "DONE", ended.message
    other = f"{shared.address}/blue/tool:1"
    # A producer that does not know of it gets no further.
    ended = fleet.end(fleet.submit("true", project="red", image=other))
    assert (ended.state, ended.code) == ("FAILED", "JOB_IMAGE_PULL")
    assert f"{shared.address}/red/..." in ended.message
    with Client(knowing.settings) as client:
        with pytest.raises(InvalidInput, match="use an image below one of:"):
            submit_job(other, "true", cpu=1, project="red", client=client)
        with pytest.raises(InvalidInput, match="is the site's shared registry"):
            client.registries.add("red", shared.address, "puller", SITE_PASSWORD)


def test_the_sites_own_password_is_the_operators_matter(
    fleet: Fleet, knowing: LocalSite, shared: Registry, redis: RedisServer, password_file: Path
) -> None:
    image, kept = f"{shared.address}/red/tool:1", password_file.read_text()
    password_file.write_text(f"{SITE_PASSWORD}-no-more")
    try:
        ended = fleet.end(fleet.submit("true", project="red", image=image, platform_retries=0))
    finally:
        password_file.write_text(kept)
    assert (ended.state, ended.code) == ("ERROR", "JOB_REGISTRY_UNAVAILABLE")
    assert "correct shared_registry on the host" in ended.message
    assert fleet.end(fleet.submit("true", project="red", image=image)).state == "DONE"
    shared.stop()
    try:
        ended = fleet.end(fleet.submit("true", project="red", image=image, platform_retries=0))
    finally:
        shared.start()
    assert (ended.state, ended.code) == ("ERROR", "JOB_REGISTRY_UNAVAILABLE")
    assert "can be reached from the host" in ended.message
    logs = [file.read_text() for file in knowing.directory.glob("*.log")]
    assert not [text for text in (*logs, *everything_in(redis)) if SITE_PASSWORD in text]
