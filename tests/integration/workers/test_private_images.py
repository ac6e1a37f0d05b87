"""Images of private registries on an engine that all projects share."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from aitrain.domain.errors import PlatformFault, UserFault
from aitrain.settings import HostSettings
from tests.certificates import Authority
from tests.integration.workers.test_engine import no_checkpoint, spec
from tests.registries import PASSWORD, USER, push
from workers.runtime import Engine, ImageAccess, Right
from workers.runtime.certs import can_be_laid, lay_authority
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine

RED = ImageAccess("red", Right.PROJECT, USER, PASSWORD)
BLUE = ImageAccess("blue")
# Not of loopback, where engines ask for no certificate.
TLS_ADDRESS = "10.213.94.1"


@pytest.fixture(scope="module")
def raw(engine: DockerEngine) -> docker.DockerClient:
    return docker.DockerClient(base_url=engine.url)


@dataclass
class Private:
    """A registry with a password, and an image in it."""

    server: Registry
    image: str


@pytest.fixture(scope="module")
def private(
    tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine, raw: docker.DockerClient
) -> Iterator[Private]:
    with Registry(tmp_path_factory.mktemp("private"), engine, user=(USER, PASSWORD)) as server:
        image = f"{server.address}/red/tool:1"
        push(raw, image, RED)
        yield Private(server, image)


@pytest.fixture
def make(engine: DockerEngine, namespace: str) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**settings: object) -> Engine:
        host = {"docker_url": engine.url, "container_network": "none", **settings}
        made.append(Engine(HostSettings.model_validate(host), namespace))
        return made[-1]

    yield make
    for runtime in made:
        for container in runtime.containers():
            runtime.remove(container)


def start(runtime: Engine, image: str, access: ImageAccess) -> str:
    """The id of the image that a container was made of."""
    return runtime.prepare(spec("true", image=image), lambda: access, no_checkpoint).image_id


def test_what_one_project_has_pulled_is_not_another_ones(
    make: Callable[..., Engine], private: Private, raw: docker.DockerClient
) -> None:
    runtime = make()
    image_id = start(runtime, private.image, RED)
    assert image_id == raw.images.get(private.image).id
    digest = next(
        one for one in raw.images.get(private.image).attrs["RepoDigests"] if one.startswith(private.server.address)
    )
    for name in (private.image, digest):
        with pytest.raises(UserFault, match="aitrain registry add blue 127") as caught:
            start(runtime, name, BLUE)
        assert caught.value.code == "JOB_IMAGE_PULL"
    wrong = ImageAccess("blue", Right.PROJECT, USER, "hunter2-guessed")
    with pytest.raises(UserFault, match="does not take user 'reader' of project 'blue'") as caught:
        start(runtime, private.image, wrong)
    assert "hunter2" not in str(caught.value)
    assert len(runtime.containers()) == 1, "none was made but the first"
    assert start(runtime, private.image, RED) == image_id


@pytest.mark.parametrize("cut", [slice(7, None), slice(7, 19), slice(None)])
def test_an_image_is_not_had_by_its_id(
    make: Callable[..., Engine], private: Private, raw: docker.DockerClient, cut: slice
) -> None:
    """The engine itself would make a container of it: whoever knows the id would have what others pulled."""
    runtime = make()
    name = start(runtime, private.image, RED)[cut]
    raw.api.remove_container(raw.api.create_container(name, "true")["Id"])
    with pytest.raises((UserFault, PlatformFault)) as caught:
        start(runtime, name, BLUE)
    assert caught.value.code in ("JOB_INVALID_IMAGE_NAME", "JOB_REGISTRY_UNAVAILABLE"), "it was asked of Docker Hub"
    assert len(runtime.containers()) == 1


def test_the_login_of_the_workers_own_user_is_not_used(
    make: Callable[..., Engine], private: Private, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {private.server.address: {"auth": known}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(UserFault, match="wants a user"):
        make().images.pull(private.image, BLUE, no_checkpoint)


@pytest.mark.parametrize("missing", ["red/tool:absent", "red/absent:1"])
def test_an_image_that_the_registry_does_not_have(make: Callable[..., Engine], private: Private, missing: str) -> None:
    with pytest.raises(UserFault, match="does not have it: check its name and tag") as caught:
        start(make(), f"{private.server.address}/{missing}", RED)
    assert caught.value.code == "JOB_IMAGE_PULL"


def test_a_private_image_waits_for_its_registry_and_a_public_one_does_not(
    make: Callable[..., Engine], registry: Registry, raw: docker.DockerClient
) -> None:
    image = f"{registry.address}/anyones/tool:1"
    push(raw, image)
    remembers, asks = make(), make(public_image_seconds=0)
    for runtime in (remembers, asks):
        start(runtime, image, BLUE)
        start(runtime, image, RED)
    registry.stop()
    try:
        assert start(remembers, image, BLUE)
        for runtime, access in ((remembers, RED), (asks, BLUE), (make(), BLUE)):
            with pytest.raises(PlatformFault) as caught:
                start(runtime, image, access)
            assert caught.value.code == "JOB_REGISTRY_UNAVAILABLE"
        assert start(make(local_images=[f"{registry.address}/anyones/*"]), image, BLUE)
    finally:
        registry.start()


def test_an_image_of_the_host_alone_is_used_as_it_is(make: Callable[..., Engine]) -> None:
    def asked() -> ImageAccess:
        raise AssertionError("no registry is asked")

    assert make().prepare(spec("true", image=BUSYBOX_IMAGE), asked, no_checkpoint).image_id


def test_a_name_that_changes_its_meaning_just_then(make: Callable[..., Engine], raw: docker.DockerClient) -> None:
    container = raw.api.create_container(BUSYBOX_IMAGE, "true")["Id"]
    other = raw.api.commit(container, repository="aitrain-local/other", tag="1")["Id"]
    raw.api.remove_container(container)
    raw.images.get(BUSYBOX_IMAGE).tag("aitrain-local/moving", "1")
    made: list[str] = []

    def move() -> None:
        made.append("")
        raw.images.get(other).tag("aitrain-local/moving", "1")

    runtime = make()
    container = runtime.prepare(spec("true", image="aitrain-local/moving:1"), lambda: BLUE, no_checkpoint, move)
    assert (container.image_id, len(made)) == (other, 2), "the first was taken back"
    assert len(runtime.containers()) == 1


def test_a_registry_with_a_certificate_of_a_private_authority(
    make: Callable[..., Engine], engine: DockerEngine, tmp_path: Path
) -> None:
    """The engine reads the authority's certificate when it pulls; nothing is started again."""
    subprocess.run([*engine.namespace.enter, "ip", "address", "replace", f"{TLS_ADDRESS}/32", "dev", "lo"], check=True)
    authority, certs_dir = Authority.make(tmp_path), HostSettings().registry_certs_dir
    assert certs_dir is not None
    runtime, certificate = make(), authority.server(TLS_ADDRESS)
    with Registry(tmp_path, engine, user=(USER, PASSWORD), host=TLS_ADDRESS, certificate=certificate) as server:
        image, folder = f"{server.address}/red/tool:1", certs_dir / server.address
        with pytest.raises(UserFault, match=r"does not trust: .* --ca-file FILE") as caught:
            start(runtime, image, RED)
        assert caught.value.code == "JOB_IMAGE_PULL"
        try:
            for _ in range(2):
                lay_authority(certs_dir, server.address, authority.certificate.read_text())
            assert len(list(folder.iterdir())) == 1
            with pytest.raises(UserFault, match="does not have it"):
                start(runtime, image, RED)
            with pytest.raises(UserFault, match="does not take user"):
                start(runtime, image, ImageAccess("red", Right.PROJECT, USER, "hunter2-wrong"))
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def test_laying_a_certificate(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    lay_authority(None, "r:1", pem)
    (tmp_path / "r:1").mkdir()
    (tmp_path / "r:1" / "ca.crt").write_text(f"a remark\n{pem}\n")
    lay_authority(tmp_path, "r:1", pem)
    assert len(list((tmp_path / "r:1").iterdir())) == 1, "the operator laid it"
    lay_authority(tmp_path, "r:1", pem.replace("MIIB", "MIIC"))
    laid = next((tmp_path / "r:1").glob("aitrain-*.crt"))
    assert laid.stat().st_mode & 0o777 == 0o644
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformFault, match=r"lay it there as r:1/ca.crt yourself") as caught:
        lay_authority(tmp_path / "file", "r:1", pem)
    assert caught.value.code == "JOB_REGISTRY_UNAVAILABLE"
    assert can_be_laid(tmp_path / "not" / "there" / "yet")
    assert not can_be_laid(tmp_path / "file" / "x")
