"""A job's secrets on their way to its host: asked for, delivered, lost, late, and of the wrong job."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from aitrain.domain.admission import admit
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import BrokerUnavailable, InvalidInput, PlatformFault, StepCancelled
from aitrain.domain.job import Job
from aitrain.domain.placement import place
from aitrain.domain.sealing import SecretKind
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.sealing import data_store_text, seal_env, site_sealer
from aitrain.settings import DataStore, load_settings
from aitrain.settings.secrets import SecretSettings
from aitrain.store import Delivered, HostTiming
from aitrain.vault import add_key
from workers import resealing
from workers.delivery import deliver_secrets
from workers.machine import Machine
from workers.scratch.servers import RedisServer
from workers.secrets import JobSecrets

TIMING = HostTiming(60_000, 120_000)
KIND = SecretKind.DATA_STORE


class Site:
    """A control worker and a host; what happens to a message is for a test to say."""

    def __init__(self, url: str, namespace: str, directory: Path) -> None:
        add_key(directory / "secrets.key")
        common: dict[str, Any] = {"redis_url": url, "namespace": namespace, "logs": {"container": "logs@s3"}}
        timing = {"secret_seconds": 0.3, "message_grace_seconds": 0.1}
        self.control = Machine(load_settings(**common, secrets={"key_file": directory / "secrets.key"}))
        self.host = Machine(
            load_settings(**common, timing=timing, host={"name": "h1", "data_dir": str(directory / "h1")})
        )
        self.host.pause = lambda _: None  # type: ignore[method-assign] - what is delivered is there at once
        self.store = self.host.store
        self.store.join_host("h1", instance=self.host.instance, units={"cpu": ["0", "1"]}, max_jobs=9, timing=TIMING)
        self.sent: list[tuple[str, str]] = []
        self.on_message(lambda job_id, fence: deliver_secrets(self.control, job_id, fence))

    def on_message(self, act: Callable[[str, str], None]) -> None:
        def send(job_id: str, fence: str) -> None:
            self.sent.append((job_id, fence))
            act(job_id, fence)

        self.host.broker.send_delivery = send  # type: ignore[method-assign]

    def add(self, region: str, alias: str = "own", project: str = "red") -> None:
        entry = DataStoreEntry(
            project=project, alias=alias, endpoint_url=None, region=region, access_key_id="***", revision=region,
            checked=True, added_ms=0,
        )  # fmt: skip
        text = data_store_text(DataStore(region=region, secret_access_key=SecretStr("hunter2")))
        assert self.control.vault.newest
        self.store.put_data_store(entry, self.control.vault.newest.seal(f"data_store/{project}/{alias}", text))

    def job(self, alias: str = "own", *, place_it: bool = True, **env: str) -> Job:
        """A job of project red on the host."""
        spec = JobSpec.of(
            image="registry.example/x",
            resources={"cpu": 1},
            project="red",
            volumes=[f"bucket@{alias}:/v"],
            secret_env=env,
        )
        job_id, terms = str(uuid.uuid4()), self.store.project_terms("red")
        assert self.control.vault.newest
        sealed = seal_env(self.control.vault.newest, job_id, spec.secret_env)
        self.store.submit(job_id, admit(spec.without_secrets(), self.host.settings.site, terms), sealed)
        if place_it:
            assert any(self.store.assign(one) is not None for one in place(self.store.placement_view()).assignments)
        return self.store.get(job_id)

    def secrets(self, job: Job, **more: Any) -> JobSecrets:
        return JobSecrets(self.host, job.project, job.id, job.fence, **more)

    def delivered(self) -> dict[str, str]:
        return dict(self.store._redis.hgetall(self.store._key("delivered", "h1")))


@pytest.fixture
def site(redis: RedisServer, namespace: str, tmp_path: Path) -> Site:
    return Site(redis.url, namespace, tmp_path)


def test_what_is_delivered_is_asked_for_once(site: Site) -> None:
    site.add("gra")
    job = site.job(TOKEN="hunter2", OTHER="ü")
    for _ in range(2):
        held = site.secrets(job).data_store("own")
        assert held
        assert (held.region, held.secret_access_key.get_secret_value()) == ("gra", "hunter2")
        assert site.secrets(job).env(job.spec) == {"TOKEN": "hunter2", "OTHER": "ü"}
    assert site.secrets(job).data_store("none") is site.secrets(job).registry("registry.example") is None
    assert site.sent == [(job.id, job.fence)]
    assert site.delivered().keys() == {f"{job.id}/data_store/own", f"{job.id}/env/"}
    assert "hunter2" not in str(site.delivered())


@pytest.mark.parametrize("forged", ["placed", "spec"])
def test_a_forged_record_gets_no_secret(site: Site, forged: str) -> None:
    """A host's user of Redis may write any job's record. What it is handed follows from what it may not write."""
    site.add("gra", project="red")
    site.add("gra", alias="theirs", project="blue")
    job = site.job()
    site.store.publish_host_key("h1", site.host.instance, site.host.host_key.sealer.public_key)
    match forged:
        case "placed":  # a job that waits, taken over by its record
            job = site.job(place_it=False)
            fields = {"host": "h1", "state": "INITIALIZING"}
            site.store._redis.hset(site.store._key("job", job.id), mapping=fields)
        case "spec":
            key = site.store._key("job", job.id)
            spec = str(site.store._redis.hget(key, "spec")).replace('"own"', '"theirs"').replace('"red"', '"blue"')
            assert (said := JobSpec.model_validate_json(spec)).volumes[0].alias == "theirs"
            assert said.project == "blue"
            site.store._redis.hset(key, mapping={"spec": spec, "project": "blue"})
    deliver_secrets(site.control, job.id, job.fence)
    assert site.delivered() == {}


def test_a_record_that_is_forged_after_the_delivery_gets_no_secret(site: Site) -> None:
    """Its data is copied for hours, then its image is pulled: meanwhile what is delivered lies there."""
    site.add("gra")
    job = site.job(TOKEN="hunter2")
    assert site.secrets(job).data_store("own")
    assert f"{job.id}/env/" in site.delivered()
    key = site.store._key("job", job.id)
    spec = str(site.store._redis.hget(key, "spec"))
    site.store._redis.hset(key, "spec", spec.replace("registry.example/x", "evil.example/x"))
    forged = site.store.get(job.id)
    assert forged.spec.image == "evil.example/x"
    with pytest.raises(PlatformFault, match="its record was changed since it was submitted"):
        site.secrets(forged).env(forged.spec)
    site.store._redis.hset(key, "spec", spec)
    assert site.secrets(job).env(site.store.get(job.id).spec) == {"TOKEN": "hunter2"}


def test_a_new_revision_is_asked_for_and_the_old_one_serves_if_nobody_answers(site: Site) -> None:
    site.add("old")
    job = site.job()
    assert site.secrets(job).data_store("own")
    site.add("new")
    site.on_message(lambda *_: None)
    held = site.secrets(job).data_store("own")
    assert held
    assert held.region == "old"
    assert len(site.sent) >= 3, "a message that is lost is sent again"
    site.on_message(lambda job_id, fence: deliver_secrets(site.control, job_id, fence))
    held = site.secrets(job).data_store("own")
    assert held
    assert held.region == "new"


@pytest.mark.parametrize("broken", [True, False])
def test_without_an_answer_it_is_the_platforms_fault(site: Site, *, broken: bool) -> None:
    def lose(*_: str) -> None:
        if broken:
            raise BrokerUnavailable("away")

    site.add("gra")
    job = site.job(TOKEN="hunter2")
    site.on_message(lose)
    with pytest.raises(PlatformFault, match=r"keys of data store own within 0.3 s") as caught:
        site.secrets(job).data_store("own")
    assert caught.value.code is InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
    with pytest.raises(PlatformFault, match="its secret variables within"):
        site.secrets(job).env(job.spec)

    def moved_on() -> None:
        raise StepCancelled("moved on")

    with pytest.raises(StepCancelled):
        site.secrets(job, checkpoint=moved_on).env(job.spec)


def test_a_message_that_comes_twice_or_late_delivers_nothing_to_who_left(site: Site) -> None:
    site.add("gra")
    job = site.job(TOKEN="hunter2")
    for _ in range(2):
        deliver_secrets(site.control, job.id, job.fence)
    assert not site.delivered(), "the host has told no key yet"
    assert site.secrets(job).env(job.spec)
    deliver_secrets(site.control, job.id, "1.0123456789abcdef")
    deliver_secrets(site.control, str(uuid.uuid4()), job.fence)
    site.store.transition(job.id, job.fence, State.INTERRUPTING, cause=EndCause.STOPPED)
    assert site.delivered(), "it is there yet"
    site.store.transition(job.id, job.fence, State.INTERRUPTED)
    assert not site.delivered(), "what was delivered goes with the job"
    for _ in range(2):
        deliver_secrets(site.control, job.id, job.fence)
    assert not site.delivered()


def test_the_log_of_a_job_that_left_is_uploaded_with_its_projects_keys(site: Site) -> None:
    site.add("logs", alias="s3")
    site.add("gra")
    job = site.job(TOKEN="hunter2")
    site.store.append_log(job.id, job.fence, first=0, lines=[], ring_bytes=1)
    site.store.append_log(job.id, job.fence, first=0, lines=[b"O 0 x"], ring_bytes=1)
    site.store.transition(job.id, job.fence, State.ERROR, cause=EndCause.PLATFORM_FAULT)
    held = site.secrets(job, keep=False).data_store("s3")
    assert held
    assert held.region == "logs"
    assert not site.delivered(), "who reads it takes it away"
    with pytest.raises(PlatformFault):
        site.secrets(job, keep=False).data_store("own")
    with pytest.raises(PlatformFault):
        site.secrets(job).env(job.spec)


def test_another_machine_of_the_name_and_a_lost_key(site: Site, tmp_path: Path) -> None:
    site.add("gra")
    job = site.job()
    assert site.secrets(job).data_store("own")
    public = site.store.host_key("h1")
    assert not site.store.publish_host_key("h1", "another machine", "key")
    assert site.store.host_key("h1") == public
    (tmp_path / "h1" / "host.key").unlink()
    del site.host.host_key
    assert site.secrets(job).data_store("own"), "sealed anew for the new key"
    assert site.store.host_key("h1") != public
    assert len(site.sent) == 2


def test_what_control_workers_cannot_open_is_told_once_and_mended(site: Site, tmp_path: Path) -> None:
    site.add("gra")
    job = site.job(TOKEN="hunter2")
    (tmp_path / "other.key").write_text("")
    (tmp_path / "other.key").unlink()
    add_key(tmp_path / "other.key")
    right = site.control.settings
    secrets = right.secrets.model_copy(update={"key_file": tmp_path / "other.key"})
    site.control = Machine(right.model_copy(update={"secrets": secrets}))
    with pytest.raises(PlatformFault, match="not in the key_file here") as caught:
        site.secrets(job).data_store("own")
    assert caught.value.code is InfoCode.DATASYNC_AUTHENTICATE_FAILED
    with pytest.raises(PlatformFault, match="not in the key_file here"):
        site.secrets(job).env(job.spec)
    assert resealing.reseal(site.control) == 0
    site.control = Machine(right)
    assert site.secrets(job).env(job.spec) == {"TOKEN": "hunter2"}
    assert site.secrets(job).data_store("own")


def test_secrets_are_sealed_anew_and_forgotten_with_the_job(site: Site, tmp_path: Path) -> None:
    site.add("gra")
    job = site.job(TOKEN="hunter2", OTHER="x")
    (old,) = site.store.sealed_counts()
    add_key(tmp_path / "secrets.key")
    site.control = Machine(site.control.settings)
    assert resealing.reseal(site.control) == 2
    assert resealing.reseal(site.control) == 0
    assert site.store.sealed_counts() == {site.control.vault.key_ids[0]: 2}
    assert old == site.control.vault.key_ids[1]
    assert site.secrets(job).env(job.spec) == {"TOKEN": "hunter2", "OTHER": "x"}
    redis, key = site.store._redis, site.store._key
    site.store.transition(job.id, job.fence, State.ERROR, cause=EndCause.PLATFORM_FAULT)
    assert site.store.forget_unsealed(9) == 0
    site.store.delete(job.id, force=False, message="")
    assert redis.exists(key("sealed_env", job.id))
    for _ in range(2):
        site.store.forget_unsealed(9)
        assert not redis.exists(key("sealed_env", job.id))
    assert site.store.sealed_counts() == {site.control.vault.key_ids[0]: 1}


def test_a_client_that_pins_a_key_seals_with_it_until_nobody_has_it(site: Site, tmp_path: Path) -> None:
    """Nothing that is sealed afterwards would open, and its job would fail on its host."""
    resealing.tell_keys(site.control)
    assert site.control.vault.newest
    old = site.control.vault.newest.public_key
    pinned = site.host.settings.model_copy(update={"secrets": SecretSettings(public_key=old)})
    add_key(tmp_path / "secrets.key")
    site.control = Machine(site.control.settings)
    resealing.tell_keys(site.control)
    assert site_sealer(pinned, site.store).public_key == old
    lines = (tmp_path / "secrets.key").read_text().splitlines()
    (tmp_path / "secrets.key").write_text(lines[0])
    resealing.tell_keys(Machine(site.control.settings))
    with pytest.raises(InvalidInput, match=r"secrets\.public_key.*none of the keys that control workers have"):
        site_sealer(pinned, site.store)


def test_a_copied_variable_does_not_open(site: Site) -> None:
    """Somebody who writes to the store cannot have one job's secret delivered to another job."""
    site.add("gra")
    job, other = site.job(TOKEN="hunter2"), site.job(TOKEN="x")
    redis, key = site.store._redis, site.store._key
    redis.hset(key("sealed_env", other.id), "TOKEN", redis.hget(key("sealed_env", job.id), "TOKEN"))
    with pytest.raises(PlatformFault, match="sealed for another place"):
        site.secrets(other).env(other.spec)
    redis.hdel(key("sealed_env", other.id), "TOKEN")
    with pytest.raises(PlatformFault, match="the values of TOKEN are not kept"):
        site.secrets(other).env(other.spec)


def test_a_variable_without_a_value_is_not_submitted(site: Site) -> None:
    assert site.control.vault.newest
    with pytest.raises(InvalidInput, match=r"TOKEN.*cannot be read back"):
        seal_env(site.control.vault.newest, "id", {"TOKEN": None})


def test_a_job_that_leaves_while_its_secrets_are_sealed_gets_none(site: Site) -> None:
    """What a control worker read of the job is compared once more in the act of writing."""
    site.add("gra")
    job = site.job()
    assert site.secrets(job).data_store("own")
    key, secrets = site.store.host_key("h1") or "", {(KIND, "own"): Delivered("other", "token")}
    site.store._redis.set(site.store._key("host_key", "h2"), key)
    before = site.delivered()
    assert not site.store.deliver(job.id, "1.0123456789abcdef", "h1", key, secrets)
    assert not site.store.deliver(job.id, job.fence, "h2", key, secrets)
    assert not site.store.deliver(job.id, job.fence, "h1", "a key that was replaced", secrets)
    assert site.delivered() == before
    site.store.transition(job.id, job.fence, State.ERROR, cause=EndCause.PLATFORM_FAULT)
    assert not site.store.deliver(job.id, job.fence, "h1", key, secrets)
    assert not site.delivered()
