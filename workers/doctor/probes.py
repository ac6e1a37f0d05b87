"""The probes: each asks one part for its facts and has them judged. They run side by side, each in bounded time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from importlib.metadata import version

from aitrain.broker import Broker
from aitrain.buckets.connection import trust
from aitrain.domain.errors import AitrainError, BrokerUnavailable, InvalidInput, JobFault, Unavailable
from aitrain.settings import DataStore, Settings
from aitrain.store.inspection import Inspection, ServerFacts, SiteFacts
from aitrain.vault import Vault
from workers.datasync import inspection as data_stores
from workers.doctor import disk, engine, gpus, host, registries, server, site
from workers.doctor.finding import GIB, Finding, fail, ok, warn
from workers.gpus import look
from workers.gpus.offer import Offer, offer
from workers.logins import log_in
from workers.runtime import Engine
from workers.runtime import inspection as engines
from workers.runtime.certs import can_be_laid

# Twice what the slowest part may take by its own time limits; what these do not bound (a name that is not resolved, a
# network disk that hangs) ends here.
PROBE_SECONDS = 30.0

Probe = tuple[str, Callable[[], list[Finding]]]


def probes(settings: Settings, *, with_host: bool) -> list[Probe]:
    """Those of the site, and of this machine as a host if wanted."""
    trust(settings.ca_of_data_stores)
    chosen: list[Probe] = [
        ("store", partial(_store, settings)),
        ("broker", partial(_broker, settings)),
        ("site", partial(_site, settings)),
        ("site.secrets", partial(_secrets, settings)),
        *((f"data_store.{alias}", partial(_data_store, alias, it)) for alias, it in settings.data_stores.items()),
    ]
    if not settings.data_stores:
        chosen.append(("data_store", lambda: [site.no_data_store()]))
    if with_host:
        chosen += [
            ("host", partial(_settings, settings)),
            ("host.name", partial(_name, settings)),
            ("host.data_dir", partial(_data_dir, settings)),
            ("engine", partial(_engine, settings)),
            ("host.registry_certs", partial(_registry_certs, settings)),
        ]
        if settings.shared_registry.server is not None:
            chosen.append((registries.SHARED, partial(_shared_registry, settings)))
        if engine.offers_gpus(settings):
            chosen.append(("gpu", partial(_gpus, settings)))
    return chosen


def examine(chosen: Sequence[Probe], seconds: float = PROBE_SECONDS) -> list[Finding]:
    """Runs the probes side by side, for `seconds` at most; their findings, in the order of the probes."""
    found: list[list[Finding] | None] = [None] * len(chosen)

    def run(place: int, probe: Probe) -> None:
        found[place] = _survive(*probe)

    # Daemons, so that one that hangs does not keep the process from ending.
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(chosen)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [
        finding
        for (name, _), findings in zip(chosen, list(found), strict=True)
        for finding in (findings if findings is not None else [_silent(name, seconds)])
    ]


def _survive(name: str, probe: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return probe()
    except InvalidInput as error:
        return [fail(name, f"{p.field} {p.message}", p.remedy) for p in error.problems]
    except AitrainError as error:
        return [fail(name, str(error), "look into the log of the part that said so")]
    except Exception as error:  # one check that fails must not hide the others
        return [fail(name, f"could not be checked: {type(error).__name__}: {error}", "correct it, or report it to us")]


def _silent(name: str, seconds: float) -> Finding:
    return fail(
        name, f"no answer within {seconds:g} s", "see that its machine is up and that its name resolves quickly"
    )


def _server(url: str, settings: Settings) -> ServerFacts:
    with closing(Inspection(url, namespace=settings.namespace, ca_file=settings.redis_ca_file)) as inspection:
        return inspection.server()


def _inspection(settings: Settings) -> Inspection:
    return Inspection(settings.redis_url, namespace=settings.namespace, ca_file=settings.redis_ca_file)


def _site_facts(settings: Settings) -> SiteFacts:
    with closing(_inspection(settings)) as inspection:
        return inspection.site(settings.host.name)


def _store(settings: Settings) -> list[Finding]:
    try:
        facts = _server(settings.redis_url, settings)
    except Unavailable as error:
        return [server.unreachable(server.STORE, str(error))]
    return [*server.judge(server.STORE, facts), server.access(server.STORE, settings.redis_url)]


def _broker(settings: Settings) -> list[Finding]:
    try:
        Broker(settings).check()
    except BrokerUnavailable as error:
        return [server.unreachable(server.BROKER, str(error))]
    url = settings.broker_url
    if url is None or url == settings.redis_url:
        return [ok("broker.reachable", "answers; it is the job store's server")]
    try:
        facts = _server(url, settings)
    except InvalidInput:
        looked = "answers; it is not a plain Redis URL, so its server was not looked at"
        return [warn("broker.reachable", looked, "see that it keeps its messages on disk and drops none when full")]
    except Unavailable as error:
        return [server.unreachable(server.BROKER, str(error))]
    try:
        same = facts.run_id == _server(settings.redis_url, settings).run_id
    except (Unavailable, InvalidInput):
        same = False
    if same:
        return [ok("broker.reachable", "answers; it is the job store's server")]
    return [*server.judge(server.BROKER, facts), server.access(server.BROKER, url)]


def _site(settings: Settings) -> list[Finding]:
    try:
        facts = _site_facts(settings)
    except (Unavailable, InvalidInput):
        return []  # the probe of the store says it
    return [site.schema(facts, version("aitrain")), site.sweeps(facts, settings.timing), site.hosts(facts)]


def _secrets(settings: Settings) -> list[Finding]:
    path = settings.secrets.key_file
    try:
        here = Vault.of(path).key_ids if path is not None else None
    except InvalidInput as error:
        return [fail("site.secrets", str(error), "correct [secrets] key_file")]
    try:
        with closing(_inspection(settings)) as inspection:
            counts, told = inspection.sealing()
    except (Unavailable, InvalidInput):
        return []  # the probe of the store says it
    return [site.secrets(counts, told, here)]


def _name(settings: Settings) -> list[Finding]:
    try:
        facts = _site_facts(settings)
    except (Unavailable, InvalidInput):
        return []  # the probe of the store says it
    return [host.name(settings, facts, host.instance_of(settings.host.data_dir))]


def _data_store(alias: str, store: DataStore) -> list[Finding]:
    keyless = site.has_keys(alias, store)
    if keyless:
        return [keyless]
    return site.data_store(alias, store.endpoint_url, data_stores.inspect(alias, store))


def _data_dir(settings: Settings) -> list[Finding]:
    promised_gib = engine.promise(settings, _offered(settings).units, "disk_gib")
    found = disk.directory(settings.host.data_dir, settings.host.container_user)
    return disk.judge_directory(found, float(promised_gib) * GIB)


def _offered(settings: Settings) -> Offer:
    finds = settings.host.inventory == "nvml"
    return offer(settings, look().gpus if finds else ())


def _settings(settings: Settings) -> list[Finding]:
    return [host.settings(settings, _offered(settings))]


def _gpus(settings: Settings) -> list[Finding]:
    try:
        ours = {container.id for container in Engine(settings.host, settings.namespace).containers()}
    except (Unavailable, JobFault):
        ours = set()  # the probe of the engine says it
    looked = look()
    return gpus.judge(looked, settings, gpus.own_pids(looked, ours))


def _engine(settings: Settings) -> list[Finding]:
    try:
        facts = engines.inspect(settings.host)
    except (Unavailable, JobFault) as error:
        return [engine.unreachable(settings.host.docker_url, str(error))]
    has_hook = shutil.which("nvidia-container-runtime-hook") is not None
    return [
        ok("engine.reachable", f"answers at {settings.host.docker_url}"),
        *engine.judge(facts, settings, _offered(settings).units, has_gpu_hook=has_hook),
        *disk.engine_room(facts.root),
    ]


def _registry_certs(settings: Settings) -> list[Finding]:
    directory = settings.host.registry_certs_dir
    return [registries.certificates(directory, can_be_laid=directory is not None and can_be_laid(directory))]


def _shared_registry(settings: Settings) -> list[Finding]:
    shared = settings.shared_registry
    server = shared.server or ""
    try:
        password, ca = shared.secret(), shared.ca_file.read_text() if shared.ca_file else ""
    except OSError as error:
        remedy = "name files that the worker may read, in shared_registry.password_file and ca_file"
        return [fail(registries.SHARED, f"{server}: {error}", remedy)]
    return [registries.shared(server, log_in(server, shared.user, password, ca))]
