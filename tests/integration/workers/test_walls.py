"""What a job tries against its host and its neighbours, and what meets it. Real containers, several tries in each."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from aitrain import Client
from aitrain.domain.admission import admit
from aitrain.domain.egress import Egress
from aitrain.domain.errors import InvalidInput, PlatformFault
from aitrain.domain.logs import parse_line
from aitrain.domain.spec import JobSpec
from aitrain.domain.volume import Volume
from aitrain.settings import HostSettings, Limits, Settings
from aitrain.store import Store
from workers.containers import container_spec
from workers.runtime import Container, ContainerSpec, Engine, Labels, Mount, container_name
from workers.runtime.networks import ensure_network, interface_name, network_name
from workers.scratch.images import busybox_root, import_image
from workers.scratch.servers import DockerEngine

SITE, PORT = "walls", 7000
PIDS = 64
Trial = Callable[..., dict[str, str]]
RUNNING = ("sleep", "60")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """An engine whose containers may have a network, with an image that was made to break out."""
    with DockerEngine(tmp_path_factory.mktemp("guarded"), bridges=True) as engine:
        import_image(engine.url, "hostile:files", hostile_root())
        raw = docker.DockerClient(base_url=engine.url)
        base = raw.api.create_container("hostile:files", "true", stop_signal="SIGWINCH")["Id"]
        raw.api.commit(base, repository="hostile", tag="1", changes=HOSTILE)
        raw.api.remove_container(base)
        raw.close()
        yield engine


HOSTILE = [
    "USER root",
    "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_NVSWITCH=enabled NVIDIA_IMEX_CHANNELS=all NVIDIA_GDS=enabled",
    "VOLUME /opt /var/lib/docker",
    "WORKDIR /proc/1/root/../..",
    "ONBUILD RUN /bin/false",
    "HEALTHCHECK --interval=1s CMD /bin/touch /tmp/health",
    *(f"LABEL {name}=forged" for name in (Labels.JOB, Labels.HOST, Labels.SITE, Labels.FENCE, Labels.PROJECT)),
]


def hostile_root() -> bytes:
    """Busybox, a copy of it that is root for whoever runs it, and a mount path that leads to the host's /etc."""
    buffer = io.BytesIO(busybox_root())
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        setuid = tarfile.TarInfo("suid/su")
        content = Path("/bin/busybox").read_bytes()
        setuid.mode, setuid.size = 0o4755, len(content)
        tar.addfile(setuid, io.BytesIO(content))
        link = tarfile.TarInfo("data")
        link.type, link.linkname = tarfile.SYMTYPE, "/../../etc/aitrain-walls"
        tar.addfile(link)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def runtime(guarded: DockerEngine) -> Engine:
    return Engine(HostSettings(docker_url=guarded.url, container_pids=PIDS), SITE)


@pytest.fixture(scope="module")
def raw(guarded: DockerEngine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=guarded.url)
    yield client
    client.close()


@pytest.fixture
def start(runtime: Engine) -> Iterator[Callable[..., Container]]:
    made: list[Container] = []

    def begin(*command: str, **more: Any) -> Container:
        wanted = spec(*command, **more)
        made.append(runtime.create(wanted))
        return runtime.start(made[-1], wanted.command)

    yield begin
    for container in made:
        runtime.remove(container)


@pytest.fixture
def trial(runtime: Engine, start: Callable[..., Container]) -> Trial:
    """Runs each try in one container; what each wrote, by its name, and its exit status at the end."""

    def run(tries: Mapping[str, str], **more: Any) -> dict[str, str]:
        script = "".join(f'echo "== {name}"; ({text}) 2>&1; echo "-> $?"\n' for name, text in tries.items())
        container = ended(runtime, start("sh", "-c", script, **more))
        text = "\n".join(parse_line(line.decode()).text for lines in runtime.log(container) for line in lines)
        said = dict(part.partition("\n")[::2] for part in text.split("== ")[1:])
        assert said.keys() == tries.keys(), text
        return {name: words.strip() for name, words in said.items()}

    return run


def spec(*command: str, **more: Any) -> ContainerSpec:
    job = str(uuid.uuid4())
    labels = {Labels.JOB: job, Labels.FENCE: "1.abc", Labels.ATTEMPT: "1", Labels.PROJECT: "red"}
    values: dict[str, Any] = {
        "name": container_name(job, 1), "image": "hostile:1", "command": command, "labels": labels,
        "cpus": Decimal("0.5"), "memory_gib": Decimal("0.0625"), "shm_gib": Decimal("0.015625"), **more,
    }  # fmt: skip
    return ContainerSpec(**values)


def ended(runtime: Engine, container: Container) -> Container:
    deadline = time.monotonic() + 20
    while container.running:
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.02)
        found = runtime.find(container.id)
        assert found is not None
        container = found
    return container


def test_no_more_rights_than_it_was_given(trial: Trial) -> None:
    refused = {
        "mount": "busybox mount -t tmpfs none /tmp",
        "remount": "busybox mount -o remount,rw /proc/sys",
        "user namespace": "busybox unshare -U true",
        "namespace": "busybox unshare -m true",
        "root of others": "busybox chroot /proc/1/root true",
        "clock": "! busybox date -s 2001-01-01 2>&1 | grep -q 'not permitted'",
        "raw socket": "busybox arping -c 1 -I lo 127.0.0.1",
        "device": "busybox mknod /tmp/disk b 8 0",
        "kernel's settings": "echo 1 > /proc/sys/kernel/panic",
        "kernel's log": "busybox dmesg",
        "sysrq": "echo b > /proc/sysrq-trigger",
        "control group": "mkdir /sys/fs/cgroup/own",
        "host name": "busybox hostname other",
        "own limit": "ulimit -Hl unlimited && ulimit -l unlimited && false || exit 1",
        "owner": "touch /tmp/mine && busybox chown 0 /tmp/mine",
        "module": "busybox insmod /tmp/mine.ko",
        "image's files": "echo x > /etc/passwd",
    }
    said = trial(
        {
            **refused,
            "who": "id -u; id -g; busybox id -G",
            "setuid": "/suid/su root -c id",
            "status": "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status",
        }
    )
    assert {name: said[name] for name in refused if said[name].endswith("-> 0")} == {}
    assert said["who"].split() == ["42420", "42420", "42420", "->", "0"]
    assert said["setuid"].startswith("su: must be suid to work properly"), "it is, and got nothing by it"
    rights = dict(line.split(":") for line in said["status"].splitlines()[:-1])
    assert {int(value, 16) for name, value in rights.items() if name.startswith("Cap")} == {0}
    assert (rights["NoNewPrivs"].strip(), rights["Seccomp"].strip()) == ("1", "2")


def test_nothing_of_the_host_is_seen(trial: Trial, guarded: DockerEngine, tmp_path: Path) -> None:
    secret, volume = tmp_path / "secret", tmp_path / "volume"
    secret.write_text("of-the-host")
    volume.mkdir()
    volume.chmod(0o777)
    (volume / "out").symlink_to(secret)
    host_etc = Path("/etc/aitrain-walls")
    said = trial(
        {
            "path": f"cat {secret}",
            "link in a volume": "cat /data/out",
            "sockets": "busybox find / -xdev -name '*.sock' 2>/dev/null",
            "processes": "ls -d /proc/[0-9]* | busybox wc -l",
            "first process": "cat /proc/1/comm",
            "disks": "busybox find /dev -type b",
            "mounted": "busybox grep -c of-the-host /proc/mounts",
            "write": "touch /data/mine",
            "firmware": "cat /proc/kcore /proc/keys /sys/firmware/* 2>/dev/null | busybox head -c 1 | busybox wc -c",
        },
        mounts=(Mount(volume, "/data", read_only=False),),
    )
    assert all("No such file" in said[name] for name in ("path", "link in a volume"))
    assert said["sockets"] == "-> 0"
    assert int(said["processes"].split()[0]) < 9, "its own, and no more"
    assert said["first process"].startswith("docker-init")
    assert said["disks"] == "-> 0"
    assert said["firmware"].split()[0] == "0"
    # The image's /data leads to the host's /etc: the engine follows it inside the image only.
    assert said["write"] == "-> 0"
    assert (volume / "mine").exists()
    assert not host_etc.exists()


def test_shares_are_held(trial: Trial, runtime: Engine, start: Callable[..., Container]) -> None:
    bomb = "n=0; while [ $n -lt 200 ]; do sleep 5 & n=$((n+1)); done"
    forked = trial({"fork": f"{bomb}; wait", "shm": "dd if=/dev/zero of=/dev/shm/x bs=1M count=32"})
    assert "can't fork" in forked["fork"]
    assert "No space left" in forked["shm"]
    # What lies in /dev/shm counts, too; and there is no swap beside the memory.
    fill = start("sh", "-c", "dd if=/dev/zero of=/dev/null bs=120M count=1; exit 7")
    assert ended(runtime, fill).out_of_memory


def test_volumes_that_are_read_only_stay_so(trial: Trial, tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for directory in (own, other):
        directory.mkdir(mode=0o777)
        directory.chmod(0o777)
        (directory / "file").write_text("as it was")
        (directory / "file").chmod(0o666)
    tries = {
        "write": "echo x > /in/file", "add": "touch /in/more", "remove": "rm /in/file",
        "mode": "busybox chmod 777 /in/file", "remount": "busybox mount -o remount,rw /in",
        "other job": f"cat {other}/file /in/../other/file", "up": "ls /in/../../other",
    }  # fmt: skip
    said = trial(tries, mounts=(Mount(own, "/in", read_only=True),))
    assert {name: words for name, words in said.items() if words.endswith("-> 0")} == {}
    assert (own / "file").read_text() == "as it was"
    assert [path.name for path in own.iterdir()] == ["file"]


@pytest.mark.parametrize(("gpu_ids", "seen"), [(("GPU-b",), "GPU-b"), ((), "void")])
def test_no_gpu_but_its_own(trial: Trial, gpu_ids: tuple[str, ...], seen: str) -> None:
    wishes = dict.fromkeys(
        ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_IMEX_CHANNELS", "NVIDIA_NVSWITCH", "NVIDIA_MOFED"), "all"
    ) | {"NVIDIA_GDRCOPY": "enabled"}
    said = trial({"env": "env"}, gpu_ids=gpu_ids, env=wishes)
    got = dict(line.split("=", 1) for line in said["env"].splitlines() if line.startswith("NVIDIA_"))
    assert got == {
        "NVIDIA_VISIBLE_DEVICES": seen, "NVIDIA_IMEX_CHANNELS": "void", "NVIDIA_NVSWITCH": "disabled",
        "NVIDIA_GDS": "disabled", "NVIDIA_MOFED": "disabled", "NVIDIA_GDRCOPY": "disabled",
    }  # fmt: skip
    for path in ("/var/run/nvidia-container-devices/GPU-a", "/run/nvidia-container-devices/all"):
        with pytest.raises(ValueError, match="ask NVIDIA's runtime"):
            Volume.parse(f"bucket@s3:{path}")


def test_what_an_image_says_of_itself_does_not_hold(
    runtime: Engine, raw: docker.DockerClient, start: Callable[..., Container]
) -> None:
    container = start("sh", "-c", "while true; do sleep 0.1; done")
    attrs = raw.api.inspect_container(container.id)
    config, host = attrs["Config"], attrs["HostConfig"]
    assert [one.id for one in runtime.containers()] == [container.id]
    assert "forged" not in config["Labels"].values()
    assert (config["User"], config["StopSignal"]) == ("42420:42420", "SIGTERM")
    assert config["Healthcheck"]["Test"] == ["NONE"]
    assert (host["CapAdd"], host["Privileged"], host["PidMode"], host["IpcMode"]) == (None, False, "", "private")
    # What the image calls a volume is a directory of its own, and goes with it.
    volumes = [mount["Name"] for mount in attrs["Mounts"]]
    assert all(mount["Type"] == "volume" for mount in attrs["Mounts"])
    assert len(volumes) == 2
    runtime.stop(container, 5)
    stopped = runtime.find(container.id)
    assert stopped is not None
    assert stopped.exit_code == 143, "told by SIGTERM, not after its grace"
    runtime.remove(container)
    assert not set(volumes) & {volume.name for volume in raw.volumes.list()}


def test_a_command_that_no_kernel_takes_fails_its_job_only(runtime: Engine, start: Callable[..., Container]) -> None:
    assert ended(runtime, start("echo", "x" * 140_000)).exit_code


def address(raw: docker.DockerClient, container: Container) -> tuple[str, str]:
    """Of a container, and of its gateway."""
    found = next(iter(raw.api.inspect_container(container.id)["NetworkSettings"]["Networks"].values()))
    return found["IPAddress"], found["Gateway"]


@pytest.fixture
def listener(guarded: DockerEngine) -> Iterator[subprocess.Popen[bytes]]:
    """A service of the host, on every address."""
    code = (
        "import socket, sys; s = socket.create_server(('', int(sys.argv[1]))); print(flush=True)\n"
        "while True: s.accept()[0].close()"
    )
    process = subprocess.Popen(
        [*guarded.namespace.enter, sys.executable, "-c", code, str(PORT)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_a_job_without_egress_is_alone(trial: Trial, raw: docker.DockerClient, start: Callable[..., Container]) -> None:
    neighbour = start("busybox", "nc", "-ll", "-p", str(PORT), "-e", "/bin/echo", egress=Egress.BRIDGE)
    ip, gateway = address(raw, neighbour)
    said = trial(
        {
            "links": "busybox ip -o link", "routes": "busybox ip route",
            "neighbour": f"busybox nc -w 1 {ip} {PORT} </dev/null",
            "host": f"busybox nc -w 1 {gateway} {PORT} </dev/null",
        },
        egress=Egress.NONE,
    )  # fmt: skip
    links = [line.split(":")[1].strip() for line in said["links"].splitlines()[:-1]]
    assert [link for link in links if not link.startswith(("tunl", "sit", "gre", "ip6", "erspan", "ip_vti"))] == ["lo"]
    assert said["routes"] == "-> 0"
    assert not said["neighbour"].endswith("-> 0")
    assert not said["host"].endswith("-> 0")


def test_jobs_do_not_reach_each_other(
    guarded: DockerEngine, trial: Trial, raw: docker.DockerClient, start: Callable[..., Container],
    listener: subprocess.Popen[bytes],
) -> None:  # fmt: skip
    neighbour = start("busybox", "nc", "-ll", "-p", str(PORT), "-e", "/bin/echo", egress=Egress.BRIDGE)
    assert neighbour.egress is Egress.BRIDGE
    ip, gateway = address(raw, neighbour)
    probe = f"import socket; socket.create_connection(('{ip}', {PORT}), 5)"
    subprocess.run([*guarded.namespace.enter, sys.executable, "-c", probe], check=True)  # it does listen
    tries = {
        "neighbour": f"busybox nc -w 1 {ip} {PORT} </dev/null", "host": f"busybox nc -w 1 {gateway} {PORT} </dev/null",
        "engine": f"busybox nc -w 1 {gateway} 2375 </dev/null || busybox nc -w 1 {gateway} 2376 </dev/null",
        "link": "busybox ip link set eth0 down", "address": f"busybox ip addr add {ip}/16 dev eth0",
    }  # fmt: skip
    said = trial(tries, egress=Egress.BRIDGE)
    assert {name for name, words in said.items() if words.endswith("-> 0")} == {"host"}
    # The host's own services are for its firewall, as docs/reference/containers.md says.
    rule = ["iptables", "-I", "INPUT", "-i", interface_name(SITE), "-j", "DROP"]
    subprocess.run([*guarded.namespace.enter, *rule], check=True)
    shut = trial({"host": tries["host"]}, egress=Egress.BRIDGE)
    subprocess.run([*guarded.namespace.enter, "iptables", "-D", *rule[2:]], check=True)
    assert not shut["host"].endswith("-> 0")


def test_the_network_is_made_once_and_never_taken_from_others(raw: docker.DockerClient) -> None:
    assert ensure_network(raw, "twice") == ensure_network(raw, "twice") == network_name("twice")
    assert len(raw.networks.list(names=[network_name("twice")])) == 1
    raw.networks.get(network_name("twice")).remove()
    raw.networks.create(network_name("open"))
    with pytest.raises(PlatformFault, match="containers reach each other"):
        ensure_network(raw, "open")
    raw.networks.get(network_name("open")).remove()
    assert [len(interface_name(name)) <= 15 for name in ("aitrain", "a" * 40)] == [True, True]
    assert interface_name("aitrain") == "at-aitrain"


def test_a_host_without_a_network_gives_none(guarded: DockerEngine, raw: docker.DockerClient) -> None:
    shut = Engine(HostSettings(docker_url=guarded.url, container_network="none"), "shut")
    container = shut.create(spec("true", egress=Egress.BRIDGE))
    found = shut.find(container.id)
    shut.remove(container)
    assert found is not None
    assert found.egress is Egress.NONE
    assert not raw.networks.list(names=[network_name("shut")])


def test_what_a_job_reaches_is_what_its_project_may_now(store: Store, namespace: str) -> None:
    settings = Settings(namespace=namespace)
    job = store.submit(str(uuid.uuid4()), admit(JobSpec.of(image="x", project="red"), settings.site)).job
    workspace = SimpleNamespace(control=SimpleNamespace(told=Path("/told"), asked=Path("/asked")))
    machine = SimpleNamespace(store=store, settings=settings)
    run: Any = SimpleNamespace(
        job=job, flavor=settings.flavors[job.flavor], machine=machine, workspace=workspace, volumes=list
    )
    assert container_spec(run).egress is Egress.BRIDGE
    machine.settings = settings.model_copy(update={"limits": Limits(egress=Egress.NONE)})
    assert container_spec(run).egress is Egress.NONE
    store.set_egress("red", Egress.BRIDGE)
    assert container_spec(run).egress is Egress.BRIDGE
    store.set_egress("red", None)
    store.set_egress("blue", Egress.BRIDGE)
    assert container_spec(run).egress is Egress.NONE
    with pytest.raises(InvalidInput, match="egress: 'all' is no policy"):
        Client(settings).set_egress("red", "all")
