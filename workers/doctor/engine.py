"""Judges the Docker Engine of a host against what the host offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from aitrain.domain.flavor import Kind
from aitrain.settings import Settings
from workers.doctor.clocks import clock
from workers.doctor.finding import GIB, Finding, fail, ok, size, warn
from workers.gpus.offer import may_offer
from workers.runtime.firewall import CHAIN
from workers.runtime.inspection import EngineFacts
from workers.runtime.networks import interface_name, network_name

Units = Mapping[str, Sequence[str]]
# That of Docker Engine 20.10. Compared instead of the version, which other engines and distributions count otherwise.
OLDEST_API = (1, 41)
# For the system, the engine, worker and agent, beside what jobs may take.
SYSTEM_BYTES = GIB
# Vendors' rounding explains a few percent of promised memory that is not there, and nothing explains more.
OVERSOLD_FAIL_SHARE = 1.1
# These copy whole layers or need care that nobody gives them any more.
POOR_DRIVERS = {"vfs", "devicemapper", "aufs", "overlay"}
# No need to exist for the engine to attach a container to it.
BUILT_IN_NETWORKS = {"default"}
DAEMON = "/etc/docker/daemon.json"


def judge(facts: EngineFacts, settings: Settings, units: Units, *, has_gpu_hook: bool) -> list[Finding]:
    """Every check of the engine.

    units: that the host offers, by flavor; has_gpu_hook: nvidia-container-runtime-hook is installed on this machine.
    """
    return [
        version(facts), live_restore(facts), clock("engine.clock", facts.ahead_s, facts.error_s), storage(facts),
        limits(facts), users(facts), network(facts, settings), memory(facts, settings, units),
        processors(facts, settings, units),
        *([gpu_runtime(facts, has_hook=has_gpu_hook)] if offers_gpus(settings) else ()),
    ]  # fmt: skip


def unreachable(docker_url: str, complaint: str) -> Finding:
    """It did not answer."""
    remedy = f"install and start Docker Engine 20.10 or newer (systemctl start docker), listening at {docker_url}"
    if "Permission denied" in complaint:
        remedy = "run as root, as the worker does, or let this user open the engine's socket (group docker)"
    return fail("engine.reachable", complaint, remedy)


def offers_gpus(settings: Settings) -> bool:
    """Whether this machine's settings offer a GPU, or have it find some."""
    return any(settings.flavors[name].kind is Kind.GPU for name in may_offer(settings) if name in settings.flavors)


def version(facts: EngineFacts) -> Finding:
    """It is not too old."""
    check, found = "engine.version", f"{facts.version} (API {'.'.join(map(str, facts.api))})"
    return ok(check, found) if facts.api >= OLDEST_API else fail(check, found, "install Docker Engine 20.10 or newer")


def live_restore(facts: EngineFacts) -> Finding:
    """Jobs of days must outlive a restart or an upgrade of the engine."""
    check = "engine.live_restore"
    if facts.live_restore:
        return ok(check, "on")
    swarm = "leave the swarm, which excludes it, then " if facts.swarm else ""
    return warn(
        check, "off: a restart or an upgrade of the engine ends all running jobs",
        f'{swarm}write {{"live-restore": true}} into {DAEMON}, then systemctl reload docker',
    )  # fmt: skip


def storage(facts: EngineFacts) -> Finding:
    """Images and containers are layered well."""
    check = "engine.storage"
    if facts.storage_driver not in POOR_DRIVERS:
        return ok(check, f"{facts.storage_driver}, cgroup v{facts.cgroup_version}")
    return warn(
        check, f"{facts.storage_driver}: slow, and needs several times the disk of others",
        f'write {{"storage-driver": "overlay2"}} into {DAEMON} and restart the engine; images are pulled again',
    )  # fmt: skip


def limits(facts: EngineFacts) -> Finding:
    """It can hold a job to its share."""
    check = "engine.limits"
    missing = sorted({"memory", "cpu", "pids"} - facts.limits)
    if missing:
        return fail(
            check, f"the engine cannot limit {', '.join(missing)}: one job may take the whole machine",
            "boot with cgroup v2 and these controllers (on Debian: cgroup_enable=memory), and run the engine as root",
        )  # fmt: skip
    if "swap" not in facts.limits:
        return warn(
            check, "swap is not limited: a job may swap beyond its memory",
            "boot with swapaccount=1 or cgroup v2, or turn swap off",
        )  # fmt: skip
    return ok(check, "memory, swap, cpu, pids")


def users(facts: EngineFacts) -> Finding:
    """The user of a container is the same on the disk, where its volumes are given to it."""
    check = "engine.users"
    mapped = [option for option in facts.security if option in ("rootless", "userns")]
    if not mapped:
        return ok(check, "containers' users are this machine's")
    return fail(
        check, f"{mapped[0]}: a job's user is another one on the disk, and cannot write its volumes",
        "use an engine that runs as root and without userns-remap",
    )  # fmt: skip


def network(facts: EngineFacts, settings: Settings) -> Finding:
    """The network of containers is there, and keeps them apart."""
    check, name = "engine.network", settings.host.container_network
    if not name:
        if not keeps_apart(facts, settings.namespace):
            return fail(
                check, "the engine leaves the firewall alone: jobs would reach each other, and not the world",
                f'take "iptables": false out of {DAEMON}, --iptables=false out of its command, and restart the engine',
            )  # fmt: skip
        return ok(check, f"{network_name(settings.namespace)}, made with the first job; jobs do not reach each other")
    if name == "bridge":
        return warn(
            check, "bridge: jobs reach each other on it, whosever they are",
            "leave host.container_network out: aitrain makes a network of its own",
        )  # fmt: skip
    if name in facts.networks or name in BUILT_IN_NETWORKS or name.startswith("container:"):
        return ok(check, name)
    return fail(
        check, f"there is no network {name!r}, and no job would start",
        f"docker network create {name}, or set host.container_network to one of: {', '.join(sorted(facts.networks))}",
    )  # fmt: skip


def keeps_apart(facts: EngineFacts, namespace: str) -> bool:
    """Whether the engine guards networks that it makes, as far as that can be seen."""
    if facts.firewall is None:
        return True
    made, interface = network_name(namespace) in facts.networks, interface_name(namespace)
    return CHAIN in facts.firewall.splitlines() and (not made or f" {interface} " in facts.firewall)


def memory(facts: EngineFacts, settings: Settings, units: Units) -> Finding:
    """What is promised to jobs is there."""
    check = "host.memory"
    promised = float(promise(settings, units, "memory_gib")) * GIB
    found = f"{size(promised)} promised to jobs, {size(facts.memory)} there"
    if promised <= facts.memory - SYSTEM_BYTES:
        return ok(check, found)
    remedy = "offer fewer units in host.units, or give their flavors less memory_gib: the kernel kills what is too much"
    return (fail if promised > facts.memory * OVERSOLD_FAIL_SHARE else warn)(check, found, remedy)


def processors(facts: EngineFacts, settings: Settings, units: Units) -> Finding:
    """Too few processors make jobs slow, not wrong."""
    check, promised = "host.processors", promise(settings, units, "cpu")
    found = f"{promised.normalize():f} promised to jobs, {facts.processors} there"
    if promised <= facts.processors:
        return ok(check, found)
    return warn(check, found, "offer fewer units in host.units, or give their flavors less cpu: jobs would share them")


def gpu_runtime(facts: EngineFacts, *, has_hook: bool) -> Finding:
    """The engine can give a container its GPUs."""
    check = "gpu.runtime"
    if "nvidia" in facts.runtimes:
        return ok(check, "the engine has the runtime nvidia")
    if has_hook:
        return ok(check, "nvidia-container-runtime-hook is installed")
    remedy = (
        "install the NVIDIA container toolkit, then nvidia-ctk runtime configure --runtime=docker, and restart the "
        "engine"
    )
    if facts.cdi_gpus:
        return ok(check, "the engine knows GPUs by CDI")
    if facts.cdi:
        return warn(check, "no runtime nvidia; the engine may know GPUs by CDI, and does not tell", remedy)
    return fail(check, "the engine has neither the runtime nvidia nor GPUs by CDI", remedy)


def promise(settings: Settings, units: Units, share: str) -> Decimal:
    """The sum of a flavor's share (cpu, memory_gib, disk_gib) over all units that are offered."""
    return sum(
        (
            len(ids) * getattr(settings.flavors[flavor], share)
            for flavor, ids in units.items()
            if flavor in settings.flavors
        ),
        Decimal(0),
    )
