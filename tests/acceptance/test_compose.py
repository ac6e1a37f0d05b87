"""docker-compose.yml, started from nothing by the commands of its page, with images that are built here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitrain.settings import HostSettings
from tests.acceptance.conftest import eventually
from tests.composed import ADDRESS, OURS, Composed
from tests.pages import ROOT
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine

pytestmark = pytest.mark.timeout(600)

FILES = {
    "a site": ("docker-compose.yml",),
    "a site with GPUs": ("docker-compose.yml", "deploy/compose.gpu.yml"),
    "a host": ("deploy/compose.host.yml",),
    "a host with GPUs": ("deploy/compose.host.yml", "deploy/compose.gpu.yml"),
}
ASKS = """
import socket, ssl, sys, urllib.error, urllib.request

def code(url, context=None):
    try:
        return urllib.request.urlopen(url, timeout=10, context=context).status
    except urllib.error.HTTPError as error:
        return error.code

def redis(sock, *words):
    sock.sendall("".join([f"*{len(words)}\\r\\n", *(f"${len(word)}\\r\\n{word}\\r\\n" for word in words)]).encode())
    return sock.recv(400).decode()

known = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection((sys.argv[1], 6379), timeout=10)
try:
    said = redis(plain, "PING")
except OSError:
    said = ""
secure = known.wrap_socket(socket.create_connection((sys.argv[1], 6379), timeout=10), server_hostname=sys.argv[1])
print({
    "redis without TLS": said, "redis": redis(secure, "GET", "x")[:7],
    "redis, wrong password": redis(secure, "AUTH", "control", "wrong")[:10],
    "flower": code("http://127.0.0.1:5555/"), "flower, API": code("http://127.0.0.1:5555/api/workers"),
    "registry": code(f"https://{sys.argv[1]}:5000/v2/", known), "s3": code(f"https://{sys.argv[1]}:9000/", known),
    "metrics": code("http://127.0.0.1:9110/metrics"),
})
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The site, made as the page says."""
    with DockerEngine(tmp_path_factory.mktemp("composed"), bridges=True) as engine:
        site = Composed(engine, tmp_path_factory.mktemp("site"))
        try:
            site.follow()
            yield site
        finally:
            site.docker.close()
            # The engine reads certificates of registries where this machine's does.
            shutil.rmtree(f"{HostSettings().registry_certs_dir}/{ADDRESS}:5000", ignore_errors=True)


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_what_compose_makes_of_the_files(files: tuple[str, ...]) -> None:
    names = [argument for file in files for argument in ("--file", file)]
    done = subprocess.run(
        ["docker-compose", *names, "--project-directory", ".", "config"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "SITE_NAME": "site.example", "SITE_ADDRESS": "192.0.2.10", "HOST_NAME": "gpu-02"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert ("runtime: nvidia" in done.stdout) == ("deploy/compose.gpu.yml" in files)
    certificates = f"{HostSettings().registry_certs_dir}:{HostSettings().registry_certs_dir}:rw"
    assert certificates in done.stdout, "the worker lays certificates of registries where the engine reads them"


def test_all_services_are_healthy_and_a_job_brings_its_data_in_and_out(site: Composed) -> None:
    assert site.ill() == {}
    assert {"redis", "registry", "s3", *OURS} == set(site.containers())
    stored = site.engine.data_root / "volumes/aitrain_s3/_data"
    (stored / "datasets/in").mkdir(parents=True)
    (stored / "datasets/in/words.txt").write_text("one two three\n")
    job_id = site.aitrain(
        "job", "run", BUSYBOX_IMAGE, "--project", "vision", "--cpu", "1", "--volume", "datasets@s3/in:/data:ro",
        "--volume", "results@s3/out:/output:rw", "--", "sh", "-c", "wc -w < /data/words.txt > /output/count.txt",
    ).strip()  # fmt: skip
    site.aitrain("job", "wait", job_id)
    assert site.job(job_id)["state"] == "DONE"
    assert (stored / "results/out/count.txt").read_text() == "3\n"
    [row] = site.aitrain("bill", "rows", "--project", "vision", "-o", "json").splitlines()
    assert (json.loads(row)["job"], json.loads(row)["minutes"]) == (job_id, 1)


def test_strangers_are_sent_away(site: Composed) -> None:
    (site.checkout / "asks.py").write_text(ASKS)
    said = site.run(f"python asks.py {ADDRESS} {site.site}/tls/ca.pem")
    assert json.loads(said.replace("'", '"')) == {
        "redis without TLS": "", "redis": "-NOAUTH", "redis, wrong password": "-WRONGPASS",
        "flower": 401, "flower, API": 401, "registry": 401, "s3": 400, "metrics": 200,
    }  # fmt: skip


def test_a_job_runs_on_while_redis_dies_and_its_host_and_control_are_restarted(site: Composed) -> None:
    job_id = site.aitrain(
        "job", "run", BUSYBOX_IMAGE, "--project", "vision", "--cpu", "1", "--", "sh", "-c",
        "until [ -e /tmp/go ]; do sleep 0.2; done",
    ).strip()  # fmt: skip
    [container] = eventually(lambda: site.docker.containers.list(filters={"label": f"aitrain.job={job_id}"}), 30)
    # What Redis has not yet written, the last second, is lost by a kill: so the job runs for longer than that.
    eventually(lambda: site.job(job_id)["state"] == "RUNNING", 30, "RUNNING")
    site.job(job_id)  # which takes that long
    redis = site.containers()["redis"]
    os.kill(redis.attrs["State"]["Pid"], signal.SIGKILL)
    eventually(lambda: (redis.reload(), redis.attrs["RestartCount"] == 1)[1], 20, "a new start of Redis")
    site.run("docker-compose restart --timeout 20 redis control agent worker", 200)
    site.get_well()
    container.exec_run(["touch", "/tmp/go"])  # noqa: S108 - in the job
    site.aitrain("job", "wait", job_id)
    job = site.job(job_id)
    assert (job["state"], job["attempt"], job["exit_code"]) == ("DONE", 1, 0)


def test_nothing_secret_is_shown_by_the_engine_or_in_logs(site: Composed) -> None:
    secrets = site.secrets()
    assert len(secrets) > 10
    shown = {name: json.dumps(one.attrs) for name, one in site.containers().items()}
    shown["logs"] = site.run("docker-compose logs --no-color")
    shown["config"] = site.run("docker-compose config")
    shown["image"] = json.dumps(site.docker.images.get("aitrain:0.1.0").history())
    assert [(where, what) for where, text in shown.items() for what, secret in secrets.items() if secret in text] == []


def test_who_runs_as_whom(site: Composed) -> None:
    for name, one in site.containers().items():
        held = one.attrs["HostConfig"]
        assert held["ReadonlyRootfs"], name
        assert held["CapDrop"] == ["ALL"], name
        assert held["RestartPolicy"]["Name"] == "unless-stopped"
        assert held["Memory"] > 0, name
        if name in OURS and name not in ("worker", "agent"):
            assert one.exec_run(["id", "-u"]).output == b"42400\n"
            assert not [mount for mount in one.attrs["Mounts"] if "docker.sock" in mount["Destination"]]
    status = site.containers()["control"].exec_run(["grep", "CapEff", "/proc/1/status"]).output
    assert status.split()[1] == b"0" * 16


def test_down_leaves_the_volumes(site: Composed) -> None:
    site.run("docker-compose down --timeout 20", 200)
    assert site.containers(every=True) == {}
    assert {"aitrain_redis", "aitrain_flower", "aitrain_registry", "aitrain_s3"} <= {
        volume.name for volume in site.docker.volumes.list()
    }
    kept = Path(site.engine.data_root) / "volumes/aitrain_redis/_data/appendonlydir"
    assert list(kept.glob("*.incr.aof"))
